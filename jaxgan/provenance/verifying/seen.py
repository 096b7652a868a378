"""Files of strangers as ``verify`` sees them: bytes, metadata, and the pixels of a picture, of a film's first frames, of an .npz."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from jaxgan.credentials import from_xmp
from jaxgan.data.pixels import MAX_PIXELS, BadImage, decode, formats
from jaxgan.errors import InputError
from jaxgan.marks import packets
from jaxgan.marks.pictures import find_packet
from jaxgan.strictjson import parse_json

MOST_BYTES = 2**28  # of a file
MOST_HELD = 2**26  # bytes of pixels of several frames or images; one picture may have more
FILMS = ('GIF', 'PNG', 'WEBP', 'AVIF')
FRAMES = 16  # of a film that are looked at
SUFFIXES = frozenset(
    [
        '.png',
        '.apng',
        '.jpg',
        '.jpeg',
        '.webp',
        '.gif',
        '.bmp',
        '.tif',
        '.tiff',
        '.avif',
        '.heic',
        '.ppm',
        '.tga',
        '.jp2',
        '.mp4',
        '.npz',
    ]
)
SECONDS = 20  # that ffmpeg may take
MOST_FILM = 2**24  # pixels of a frame that it decodes


class Seen(NamedTuple):
    """A file that was read."""

    path: Path
    sha256: str
    bytes: int
    form: str
    """Pillow's name of its format, or MP4 or NPZ."""
    credit: Mapping[str, str]
    """What it says of itself (``credentials.from_xmp``); empty: nothing of jaxgan."""
    images: np.ndarray
    """uint8 [n, h, w, 1, 3 or 4]: one picture, the first frames, or all arrays."""
    animated: bool
    problem: str = ''
    """Why there are no pixels, or what could not be read; empty: nothing."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.images.shape[1], self.images.shape[2]


def list_files(names: tuple[str, ...]) -> list[Path]:
    """List the files named, and of folders those with a known suffix that lie in them, by name.

    Raises:
        InputError: one does not exist, is neither file nor folder, or a folder has no such files.
    """
    if not names:
        raise InputError('name at least one picture, or a folder of them')
    found: dict[Path, None] = {}
    for path in map(Path, names):
        if path.is_dir():
            inside = [
                one for one in sorted(path.iterdir()) if one.suffix.lower() in SUFFIXES and one.is_file()
            ]
            if not inside:
                raise InputError(f'{path} holds no pictures')
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        else:
            raise InputError(f'{path} {"is no file" if path.exists() else "does not exist"}')
    return list(found)


def see(path: Path, data: bytes) -> Seen:
    """Decode a file within bounds of time and memory.

    Args:
        path: where it lies.
        data: its bytes.

    Raises:
        InputError: it is neither picture nor film nor .npz of images.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if packets.is_mp4(data) and not data[8:12].startswith((b'avif', b'heic', b'mif1')):
        try:
            credit = from_xmp(packets.from_mp4(data))
        except InputError as error:
            raise InputError(f'{path}: {error}') from None
        images, problem = _mp4_frames(path)
        return Seen(path, sha256, len(data), 'MP4', credit, images, True, problem)
    if data.startswith(b'PK\x03\x04'):
        images, credit = _arrays(path, data)
        return Seen(path, sha256, len(data), 'NPZ', credit, images, False)
    return _picture(path, data, sha256)


def _picture(path: Path, data: bytes, sha256: str) -> Seen:
    first = np.asarray(decode(io.BytesIO(data), str(path)))
    first = first.reshape(*first.shape[:2], -1)
    try:
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            form, frames = str(image.format), getattr(image, 'n_frames', 1)
            film = frames > 1 and form in FILMS
            packet = find_packet(image, data)
            images = _frames(image) if film else _with_colours(image, first)[None]
    except Exception as error:  # a broken file: of many kinds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BadImage(str(path), reason) from None
    return Seen(path, sha256, len(data), form, from_xmp(packet), images, film)


def _with_colours(image: Image.Image, first: np.ndarray) -> np.ndarray:
    """Keep the colours under transparency, which carry the mark; without any, the picture is as it was decoded."""
    if not image.has_transparency_data or image.format == 'GIF':
        return first
    turned = np.asarray(ImageOps.exif_transpose(image).convert('RGBA'))
    return turned if (turned[..., 3] < 255).any() else first


def _frames(image: Image.Image) -> np.ndarray:
    """Decode the first frames of a film, as many as may be held."""
    most = min(FRAMES, max(1, MOST_HELD // (image.width * image.height * 4)))
    mode = 'RGBA' if image.has_transparency_data and image.format != 'GIF' else 'RGB'
    found = []
    for number in range(min(most, getattr(image, 'n_frames', 1))):
        image.seek(number)
        found.append(np.asarray(image.convert(mode)))
    return np.stack([frame for frame in found if frame.shape == found[0].shape])


def _mp4_frames(path: Path) -> tuple[np.ndarray, str]:
    """Decode the first frames of an .mp4 by ffmpeg, where it is there; else say so."""
    none = np.zeros((0, 0, 0, 3), np.uint8)
    program = shutil.which('ffmpeg')
    if program is None:
        return none, 'its pixels were not looked at: that needs ffmpeg'
    bounds = ['-protocol_whitelist', 'file,pipe', '-threads', '1', '-max_pixels', str(MOST_FILM)]
    given = [*bounds, '-f', 'mp4', '-i', f'file:{path}', '-frames:v', str(FRAMES), '-fs', str(4 * MOST_HELD)]
    command = [program, '-v', 'error', '-nostdin', *given, '-f', 'image2pipe', '-c:v', 'ppm', '-']
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return none, f'its pixels were not looked at: ffmpeg: {type(error).__name__}'
    frames = list(_ppm(done.stdout))
    return (np.stack(frames), '') if frames else (none, 'its pixels were not looked at: ffmpeg finds none')


def _ppm(data: bytes) -> Iterator[np.ndarray]:
    """Cut a stream of binary PPM pictures apart; those of another size than the first are left out."""
    place, shape, held = 0, None, 0
    while data[place : place + 2] == b'P6':
        head = data[place : place + 64].split(None, 4)
        width, height = int(head[1]), int(head[2])
        start = data.index(b'\n255\n', place) + 5
        place, size = start + height * width * 3, height * width * 3
        held += size
        if place > len(data) or height * width > MAX_PIXELS or held > MOST_HELD * 4:
            return
        frame = np.frombuffer(data, np.uint8, size, start).reshape(height, width, 3)
        shape = shape or frame.shape
        if frame.shape == shape:
            yield frame


def _arrays(path: Path, data: bytes) -> tuple[np.ndarray, dict[str, str]]:
    """Read the images and the credit of an .npz that ``jaxgan sample`` wrote."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MOST_BYTES:
                raise InputError(f'{path} unpacks to more than {MOST_BYTES:,} bytes')
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            images = arrays['images']
            credit = str(arrays['credit']) if 'credit' in arrays.files else '{}'
    except InputError:
        raise
    except Exception as error:  # by zipfile, zlib and NumPy, of all kinds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f'cannot read {path} as npz: {reason}') from None
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3, 4) or not images.size:
        raise InputError(
            f'{path}: images must be uint8 [n, h, w, 1, 3 or 4], got {images.dtype} {list(images.shape)}'
        )
    told = parse_json(credit, f'{path}: credit')
    words = told.items() if isinstance(told, dict) else ()
    return images, {name: text for name, text in words if isinstance(text, str)}
