"""The watermark in pixels, and what the record says of a file; ``pictures`` and ``animation`` write nothing without them."""

import functools
from typing import Any, NamedTuple

import numpy as np

from jaxgan import watermark
from jaxgan.credentials import Credit
from jaxgan.provenance.hashes import phashes, to_hex
from jaxgan.version import __version__

SMALLEST = 8  # pixels of a side: one block
CHANNELS = (1, 3, 4)


class Marked(NamedTuple):
    """Pixels that carry the watermark, if they can."""

    pixels: np.ndarray
    """uint8 [..., h, w, c]."""
    layers: tuple[str, ...]
    """('watermark',), or ()."""


def mark(images: np.ndarray, credit: Credit) -> Marked:
    """Put the watermark into images, of which each is marked on its own.

    Args:
        images: uint8 [..., h, w, c].
        credit: whose model and secret make the key.

    Returns:
        Images of the same shape; as they were where they shall have no marks, have less than 8 pixels a side, or other channels than
        grey, colour, or colour and transparency.
    """
    images = np.asarray(images)
    if credit.marks.unmarked or not carries(images.shape[-3:]):
        return Marked(images, ())
    height, width = images.shape[-3:-1]
    pattern = pattern_of(credit.model, credit.marks.secret, height, width)
    return Marked(watermark.embed(images, pattern), ('watermark',))


def carries(shape: tuple[int, ...]) -> bool:
    """Say whether an image [h, w, c] has room for the watermark.

    >>> carries((8, 8, 3)), carries((7, 64, 3)), carries((64, 64, 2))
    (True, False, False)
    """
    height, width, channels = shape
    return min(height, width) >= SMALLEST and channels in CHANNELS


@functools.lru_cache(maxsize=4)
def pattern_of(model: str, secret: bytes, height: int, width: int) -> Any:
    """Make the watermark's pattern for images of one size of one model, once."""
    return watermark.make_pattern(watermark.model_key(model, secret), height, width)


def entry_of(
    name: str, digest: str, size: tuple[int, int], layers: tuple[str, ...], credit: Credit
) -> dict[str, Any]:
    """Make a record's line for one file, besides the hash of what it shows.

    Args:
        name: the file's, without folders.
        digest: SHA-256 of its bytes.
        size: height and width of what it shows.
        layers: the marks that it has.
        credit: what it says of itself, or would.
    """
    marks = credit.marks
    return {
        'file': name,
        'sha256': digest,
        'phash': None,
        'size': list(size),
        'model': credit.model,
        'data': credit.data,
        'seeds': credit.seeds,
        'index': credit.index,
        'kind': credit.kind,
        'marks': list(layers),
        'key': marks.key,
        'jaxgan': __version__,
        'details': {name: value for name, value in credit.details.items() if value},
        **({'unmarked': marks.unmarked} if marks.unmarked else {}),
    }


def with_hashes(entries: list[dict[str, Any]], images: np.ndarray) -> list[dict[str, Any]]:
    """Add to each entry the perceptual hash of its image: uint8 [n, h, w, c]."""
    return [
        entry | {'phash': to_hex(int(value))} for entry, value in zip(entries, phashes(images), strict=True)
    ]
