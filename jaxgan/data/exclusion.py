"""Images that a training may not see: named in ``data.exclude``, found in its source, and never renumbered.

They stay in the source, so that all others keep their places in the order; the order passes over them (``order``).
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from jaxgan.data.order import NONE_EXCLUDED
from jaxgan.data.source import ImageSource, read_many
from jaxgan.errors import InputError

PART = 256  # images that are read at once


def excluded_images(source: ImageSource, exclude: Sequence[str]) -> np.ndarray:
    """Find the images that ``data.exclude`` names.

    Args:
        source: the training's images.
        exclude: ``INDEX``, ``INDEX:SHA256`` or ``SHA256``, the latter of pixels as ``pixel_digest`` has it. A SHA-256 alone stands for
            every image with these pixels, and costs that all are read.

    Returns:
        Their indices, int32 [n], sorted, each once.

    Raises:
        InputError: an image is not there or is another, or more than half of all are named.
    """
    if not exclude:
        return NONE_EXCLUDED
    alone = {name for name in exclude if len(name) == 64}
    places = [_checked(source, name) for name in exclude if name not in alone]
    if alone:
        found = {i: digest for i, digest in enumerate(digests(source)) if digest in alone}
        missing = sorted(alone - set(found.values()))
        if missing:
            raise InputError(f'data.exclude: no image of {_named(source)} has pixels of SHA-256 {missing[0]}')
        places += found
    check_share(source, len(set(places)))
    return np.unique(np.array(places, np.int32))


def check_share(source: ImageSource, excluded: int) -> None:
    """Check that enough images stay.

    Raises:
        InputError: more than half are excluded.
    """
    if excluded > len(source) // 2:
        raise InputError(
            f'{excluded:,} of {len(source):,} images of {_named(source)} are excluded; at most half may be: '
            'where more have to go, begin a new run of data without them'
        )


def pixel_digest(pixels: np.ndarray) -> str:
    """Compute the SHA-256 of an image as a training sees it: of the bytes of its pixels [H, W, C], row by row."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def digests(source: ImageSource) -> Iterator[str]:
    """Compute ``pixel_digest`` of every image of a source, in its order."""
    for first in range(0, len(source), PART):
        for sample in read_many(source, range(first, min(first + PART, len(source)))):
            yield pixel_digest(sample['image'])


def _checked(source: ImageSource, name: str) -> int:
    """Read an index; where a SHA-256 stands beside it, compare."""
    text, _, wanted = name.partition(':')
    index = int(text)
    if index >= len(source):
        raise InputError(f'data.exclude: there is no image {index} of {_named(source)} (allowed: 0 to {len(source) - 1})')  # fmt: skip
    if wanted and pixel_digest(read_many(source, [index])[0]['image']) != wanted:
        raise InputError(
            f'data.exclude: image {index} of {_named(source)} is another one: its pixels have not the SHA-256 {wanted}'
        )
    return index


def _named(source: ImageSource) -> str:
    return f'{source.info.name}, split {source.info.split}'
