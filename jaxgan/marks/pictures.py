"""Image files that say what they are: every picture of a generator is written here, whole or not at all.

Its pixels have the watermark, the file has the credit as XMP and is signed where that is asked for, and the record a line, unless the
credit's marks say why not.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from jaxgan.credentials import Credit, from_xmp, to_xmp
from jaxgan.errors import InputError, unknown
from jaxgan.files import reason, replacing, unwritable
from jaxgan.images import MOST_PIXELS
from jaxgan.marks import packets, record
from jaxgan.marks.watermarking import Marked, mark

FORMATS = {'.png': 'PNG', '.webp': 'WEBP', '.jpg': 'JPEG', '.jpeg': 'JPEG'}
SIDES = {'WEBP': 16_383, 'JPEG': 65_500}  # the longest side of a format
XMP_CHUNK = 'XML:com.adobe.xmp'


def format_of(path: str | Path) -> str:
    """Tell the format of a picture by its name.

    Raises:
        InputError: none is written by that name.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise unknown('kind of picture', suffix, FORMATS)
    return FORMATS[suffix]


class Encoded(NamedTuple):
    """A file that is ready to be written, and its line in the record."""

    data: bytes
    entry: dict[str, Any]


def write_picture(path: str | Path, pixels: np.ndarray, credit: Credit) -> np.ndarray:
    """Write one image with its marks, and its line in the record; its folders are made where need be.

    Args:
        path: ends in .png, .webp (lossless) or .jpg (quality 95).
        pixels: uint8 [h, w, c], c being 1 (grey), 3 (colour) or 4 (with transparency; not for .jpg).
        credit: what it says of itself, and how.

    Returns:
        The pixels as they were written: with the watermark.

    Raises:
        InputError: the path cannot be written, or the image is no such array.
    """
    check_pixels(pixels)
    marked = mark(pixels, credit)
    write_marked(Path(path), marked, credit)
    return marked.pixels


def write_marked(path: Path, marked: Marked, credit: Credit) -> None:
    """Write one image whose pixels are marked already: [h, w, c]."""
    (made,) = encode(marked._replace(pixels=marked.pixels[None]), format_of(path), [path.name], [credit])
    record.append(record_path(path, credit), [made.entry])
    write_file(path, made.data)


def encode(
    marked: Marked, form: str, names: Sequence[str], credits: Sequence[Credit], run: Any = map
) -> list[Encoded]:
    """Make image files in memory, and their lines.

    Args:
        marked: images [n, h, w, c].
        form: one of the values of ``FORMATS``.
        names: of the files, without folders.
        credits: of each.
        run: ``map``, or a pool's.

    Raises:
        InputError: the format cannot hold them.
    """
    height, width = marked.pixels.shape[1:3]
    check_size(height, width, form)
    files = list(run(_to_file, marked.pixels, [form] * len(credits), credits))
    digests = [hashlib.sha256(data).hexdigest() for data in files]
    layers = [layers_of(marked.layers, credit) for credit in credits]
    entries = [
        record.entry_of(name, digest, (height, width), own, credit)
        for name, digest, own, credit in zip(names, digests, layers, credits, strict=True)
    ]
    whole = record.with_hashes(entries, marked.pixels)
    return [Encoded(data, entry) for data, entry in zip(files, whole, strict=True)]


def _to_file(pixels: np.ndarray, form: str, credit: Credit) -> bytes:
    image, buffer = to_image(pixels), io.BytesIO()
    try:
        image.save(buffer, format=form, **options(form, credit))
    except ValueError as error:  # a JPEG holds 64 KB of credits
        raise InputError(f'a {form} cannot hold this picture: {reason(error)}; take .png') from error
    return signed(buffer.getvalue(), form, credit)


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Its line is in the record already, so that no file is ever without one."""
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise unwritable(path, error) from error


def to_bytes(pixels: np.ndarray, form: str, credit: Credit, name: str = '') -> bytes:
    """Make a marked image file in memory; its line is written where the credit's marks name a record.

    Args:
        pixels: as of ``write_picture``.
        form: one of the values of ``FORMATS``.
        credit: what it says of itself, and how.
        name: what the record calls it.
    """
    check_pixels(pixels)
    (made,) = encode(mark(np.asarray(pixels)[None], credit), form, [name], [credit])
    if credit.marks.record is not None:
        record.append(credit.marks.record, [made.entry])
    return made.data


def check_size(height: int, width: int, form: str) -> None:
    """Check that a picture of this size can be held in memory, and by its format.

    Raises:
        InputError: it is too large.
    """
    most = SIDES.get(form, MOST_PIXELS)
    if height * width > MOST_PIXELS or max(height, width) > most:
        sides = '' if most == MOST_PIXELS else f' and {most} a side'
        raise InputError(
            f'a picture of {width}x{height} pixels is too large: a {form} has at most {MOST_PIXELS} pixels{sides}'
        )


def options(form: str, credit: Credit) -> dict[str, Any]:
    """Make the options by which Pillow writes a file, with its credit."""
    told: dict[str, Any] = {'WEBP': {'lossless': True}, 'JPEG': {'quality': 95}}.get(form, {})
    if credit.marks.unmarked:
        return told
    packet = to_xmp(credit)
    if form == 'PNG':
        info = PngInfo()
        info.add_itxt(XMP_CHUNK, packet.decode())
        return {'pnginfo': info}
    return {'xmp': packet, **told}


def signed(data: bytes, form: str, credit: Credit) -> bytes:
    """Sign a file where that is asked for."""
    return data if credit.marks.sign is None else credit.marks.sign(data, form, credit)


def layers_of(pixels: tuple[str, ...], credit: Credit) -> tuple[str, ...]:
    """List the marks of a file whose pixels have some."""
    if credit.marks.unmarked:
        return ()
    return ('xmp', *pixels, *(('c2pa',) if credit.marks.sign is not None else ()))


def record_path(path: Path, credit: Credit) -> Path:
    """Tell where the line of a file goes."""
    return credit.marks.record or path.with_name(record.RECORD)


def to_image(pixels: np.ndarray) -> Image.Image:
    """Make a Pillow image of uint8 [h, w, 1, 3 or 4].

    Raises:
        InputError: it is no such array.
    """
    check_pixels(pixels)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def check_pixels(pixels: np.ndarray) -> None:
    """Check that this is a picture.

    Raises:
        InputError: it is no uint8 [h, w, 1, 3 or 4].
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[-1] not in (1, 3, 4) or not pixels.size:
        raise InputError(f'a picture needs uint8 [h, w, 1, 3 or 4], got {pixels.dtype} {list(pixels.shape)}')


def read_credit(file: str | Path | io.BytesIO) -> dict[str, str]:
    """Read what an image or a film says of itself: ``credentials.from_xmp`` of its packet; empty if it says nothing of jaxgan."""
    data = Path(file).read_bytes() if isinstance(file, str | Path) else file.read()
    if packets.is_mp4(data):
        return from_xmp(packets.from_mp4(data))
    with Image.open(io.BytesIO(data)) as picture:
        return from_xmp(find_packet(picture, data))


def find_packet(picture: Image.Image, data: bytes) -> bytes:
    """Find the XMP packet of an open picture; empty: there is none, or it is too long to be one of ours."""
    if picture.format == 'GIF':
        return packets.from_gif(data)
    picture.load()
    packet = picture.info.get('xmp') or picture.info.get(XMP_CHUNK) or b''
    packet = packet.encode('utf-8', 'replace') if isinstance(packet, str) else packet
    return packet if isinstance(packet, bytes) and len(packet) <= packets.LONGEST else b''
