"""Pictures inside the page: the training's grids and the nearest real images, as data URIs of lossless WebP where that is small."""

import base64
import io
import json
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxgan.credentials import Credit, from_xmp, to_xmp
from jaxgan.images import visible
from jaxgan.marks.pictures import XMP_CHUNK
from jaxgan.report.lines import as_value
from jaxgan.report.types import Gallery, Grid, Neighbour, Neighbours, Pair, Picture
from jaxgan.strictjson import parse_json

GRID_BYTES = 3_000_000  # of all grids; a third more as text
ONE_GRID = 300_000  # a larger one is embedded with loss
MOST_GRIDS = 60
MOST_SIDE = 1_536  # pixels, of a grid that is embedded with loss
MOST_PIXELS = 64_000_000  # no picture that this package writes has more; a file that says so is not read
PAIRS, NEIGHBOURS, TILE = (
    24,
    6,
    128,
)  # rows, columns, and the pixels of a side up to which an image is embedded as it is
MOST_SAID = 2**16  # bytes of what a picture says of itself
MOST_ARRAYS = 2**29  # bytes: 24 images of 1024 pixels and four real ones beside each are 377 MB


def gallery(folder: Path, notes: list[str]) -> Gallery:
    """Read the grids of a run, ``samples/IMAGES_SEEN.png``; of many, evenly chosen ones, the first and the last among them.

    Args:
        folder: the run's ``samples``.
        notes: receives a sentence for each picture that cannot be read.
    """
    files = sorted(
        (int(path.stem), path) for path in folder.glob('*.png') if path.stem.isdecimal() and path.is_file()
    )
    read: dict[int, tuple[Grid, int, bool]] = {}
    broken: set[int] = set()
    most = MOST_GRIDS
    while True:
        chosen = evenly([i for i in range(len(files)) if i not in broken], most)
        for i in [i for i in chosen if i not in read]:
            try:
                picture, size, lossy = _embed_file(files[i][1])
                read[i] = Grid(files[i][0], picture), size, lossy
            except Exception as error:  # by Pillow, of all kinds
                broken.add(i)
                notes.append(f'{files[i][1].name} cannot be read and is left out ({_reason(error)}).')
        total = sum(read[i][1] for i in chosen if i in read)
        if broken.isdisjoint(chosen) and (total <= GRID_BYTES or len(chosen) <= 2):
            shown = [read[i] for i in chosen]
            return Gallery(
                tuple(grid for grid, _, _ in shown), len(files), any(lossy for _, _, lossy in shown)
            )
        most = min(most, max(2, len(chosen) * GRID_BYTES // max(total, GRID_BYTES + 1)))


def evenly(items: Sequence[int], most: int) -> list[int]:
    """Choose at most so many (2 or more), evenly, the first and the last among them.

    >>> evenly(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _embed_file(path: Path) -> tuple[Picture, int, bool]:
    with warnings.catch_warnings():
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        with Image.open(path, formats=('PNG',)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f'{image.width}x{image.height} pixels')
            colours = image.convert('RGBA' if 'A' in image.mode else 'RGB')
            return _embed(colours, ONE_GRID, MOST_SIDE, _packet(image.info.get(XMP_CHUNK)))


def _packet(text: Any) -> bytes:
    """Take what a picture says of itself; empty: nothing that is jaxgan's, or too much."""
    packet = text.encode() if isinstance(text, str) else b''
    return packet if len(packet) <= MOST_SAID and from_xmp(packet) else b''


def _embed(
    image: Image.Image, most_bytes: int, most_side: int, said: bytes = b''
) -> tuple[Picture, int, bool]:
    """Encode a picture without loss, or, where that takes too many bytes, smaller and with loss; it says what it said before."""
    width, height = image.size
    told = {'xmp': said} if said else {}
    data = _webp(image, lossless=True, quality=50, method=2, **told)
    lossy = len(data) > most_bytes
    if lossy:
        image.thumbnail((most_side, most_side))
        data = _webp(image, quality=85, method=4, **told)
    uri = f'data:image/webp;base64,{base64.b64encode(data).decode()}'
    return Picture(uri, width, height), len(data), lossy


def _webp(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, 'WEBP', **options)
    return buffer.getvalue()


def neighbours(path: Path, notes: list[str]) -> Neighbours | None:
    """Read the nearest real images beside generated ones; ``None``: there is no such file, or none that can be read.

    Args:
        path: an .npz with ``generated`` uint8 [n, H, W, C], ``real`` uint8 [n, k, H, W, C], ``distances`` [n, k], and
            ``about``, a JSON object as text.
        notes: receives a sentence if the file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        (generated, real, distances, about), said = _arrays(path), _said(path)
    except Exception as error:  # by zipfile, zlib, tokenize and NumPy, of all kinds
        notes.append(f'{path.name} cannot be read ({_reason(error)}).')
        return None
    nearest = np.where(np.isfinite(distances), distances, np.inf)
    pairs = []
    for i in np.argsort(nearest.min(axis=1), kind='stable')[:PAIRS]:
        columns = np.argsort(nearest[i], kind='stable')[:NEIGHBOURS]
        shown = tuple(Neighbour(_tile(real[i, j]), as_value(float(distances[i, j])) or 0.0) for j in columns)
        pairs.append(Pair(_tile(generated[i], said), shown))
    return Neighbours(tuple(pairs), len(generated), about)


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[tuple[str, str], ...]]:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_ARRAYS:
            raise ValueError('larger than 512 MiB')
    with np.load(path, allow_pickle=False) as arrays:
        generated, real, distances = arrays['generated'], arrays['real'], arrays['distances']
        about = json.loads(str(arrays['about'])) if 'about' in arrays else {}
    if generated.dtype != np.uint8 or real.dtype != np.uint8 or generated.ndim != 4 or real.ndim != 5:
        raise ValueError('generated must be uint8 [n, h, w, c] and real uint8 [n, k, h, w, c]')
    n, k = real.shape[:2]
    fits = generated.shape == (n, *real.shape[2:]) and distances.shape == (n, k)
    if not (fits and generated.size and k and generated.shape[-1] <= 4 and distances.dtype.kind in 'fiu'):
        shapes = ', '.join(str(list(array.shape)) for array in (generated, real, distances))
        raise ValueError(f'generated, real and distances do not fit together: {shapes}')
    if not isinstance(about, dict):
        raise ValueError('about must be a JSON object')
    return generated, real, distances, tuple((str(name), _plain(value)) for name, value in about.items())


def _said(path: Path) -> bytes:
    """Make the packet of the generated images; the real ones get none."""
    with np.load(path, allow_pickle=False) as arrays:
        told = parse_json(str(arrays['credit']), 'its credit') if 'credit' in arrays else None
    if not isinstance(told, dict):
        return b''
    words = {str(name): str(value) for name, value in told.items() if name not in ('kind', 'version', 'key')}
    packet = to_xmp(Credit(words.pop('model', ''), words.pop('data', ''), words.pop('seeds', ''), words))
    return packet if len(packet) <= MOST_SAID else b''


def _tile(pixels: np.ndarray, said: bytes = b'') -> Picture:
    pixels = visible(pixels)
    return _embed(
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert('RGB'),
        TILE * TILE // 2,
        TILE,
        said,
    )[0]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else f'{value:,}' if type(value) is int else json.dumps(value)


def _reason(error: BaseException) -> str:
    lines = str(getattr(error, 'strerror', None) or error).splitlines() or [type(error).__name__]
    return lines[0][:160]
