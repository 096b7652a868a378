"""Image files that say what they are: every picture of a generator is written here, whole or not at all, with its credit as XMP."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from jaxgan.credentials import Credit, from_xmp, to_xmp
from jaxgan.errors import InputError, unknown
from jaxgan.files import reason, replacing, unwritable
from jaxgan.images import MOST_PIXELS
from jaxgan.making import packets

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


def write_picture(path: str | Path, pixels: np.ndarray, credit: Credit) -> None:
    """Write one image; its folders are made where need be.

    Args:
        path: ends in .png, .webp (lossless) or .jpg (quality 95).
        pixels: uint8 [h, w, c], c being 1 (grey), 3 (colour) or 4 (with transparency; not for .jpg).
        credit: what it says of itself.

    Raises:
        InputError: the path cannot be written, or the image is no such array.
    """
    path = Path(path)
    data = to_bytes(pixels, format_of(path), credit)
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise unwritable(path, error) from error


def to_bytes(pixels: np.ndarray, form: str, credit: Credit) -> bytes:
    """Make an image file in memory; ``form`` is one of the values of ``FORMATS``."""
    image, buffer = to_image(pixels), io.BytesIO()
    check_size(image.height, image.width, form)
    try:
        image.save(buffer, format=form, **options(form, credit))
    except ValueError as error:  # a JPEG holds 64 KB of credits
        raise InputError(f'a {form} cannot hold this picture: {reason(error)}; take .png') from error
    return buffer.getvalue()


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
    """Make the options by which Pillow writes a credit into a file."""
    packet = to_xmp(credit)
    if form == 'PNG':
        info = PngInfo()
        info.add_itxt(XMP_CHUNK, packet.decode())
        return {'pnginfo': info}
    return {'xmp': packet, **({'lossless': True} if form == 'WEBP' else {'quality': 95})}


def to_image(pixels: np.ndarray) -> Image.Image:
    """Make a Pillow image of uint8 [h, w, 1, 3 or 4].

    Raises:
        InputError: it is no such array.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[-1] not in (1, 3, 4) or not pixels.size:
        raise InputError(f'a picture needs uint8 [h, w, 1, 3 or 4], got {pixels.dtype} {list(pixels.shape)}')
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def read_credit(file: str | Path | io.BytesIO) -> dict[str, str]:
    """Read what an image or a film says of itself: ``credentials.from_xmp`` of its packet; empty if it says nothing of jaxgan."""
    data = Path(file).read_bytes() if isinstance(file, str | Path) else file.read()
    if packets.is_mp4(data):
        return from_xmp(packets.from_mp4(data))
    with Image.open(io.BytesIO(data)) as picture:
        if picture.format == 'GIF':
            return from_xmp(packets.from_gif(data))
        picture.load()
        packet = picture.info.get('xmp') or picture.info.get(XMP_CHUNK) or b''
    return from_xmp(packet.encode() if isinstance(packet, str) else packet)
