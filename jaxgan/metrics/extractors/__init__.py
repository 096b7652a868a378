"""Fixed networks from images to features, and distances between images, by name: one module each, one line here.

A new extractor is a module with ``load(name, path, download)`` and a line in ``EXTRACTORS``; ``docs/extractors.md`` has what
each is, where its weights come from, and how fast it is.
"""

from collections.abc import Callable
from pathlib import Path

from jaxgan.errors import unknown
from jaxgan.metrics.extractors import dinov2, inception, lpips, pixels, small, vgg16
from jaxgan.metrics.types import Extractor, Perceptual

EXTRACTORS: dict[str, Callable[[str, str | Path | None, bool], Extractor]] = {
    'inception-2015': inception.load,
    **dict.fromkeys(vgg16.SIDES, vgg16.load),
    **dict.fromkeys(dinov2.KINDS, dinov2.load),
    **dict.fromkeys(small.ARCHITECTURES, small.load),
    'pixels': pixels.load,
}
PERCEPTUALS: dict[str, Callable[[str, str | Path | None, bool], Perceptual]] = dict.fromkeys(
    lpips.KINDS, lpips.load
)
NAMES = tuple(EXTRACTORS)
PERCEPTUAL_NAMES = tuple(PERCEPTUALS)


def load(name: str, path: str | Path | None = None, download: bool = False) -> Extractor:
    """Load an extractor: its weights, read and checked, and the function that applies them.

    Args:
        name: one of ``NAMES``.
        path: of its file of weights; default: the package, the user's cache folder, or another package.
        download: fetch the file into the cache folder where it is on no disk and has an address; its SHA-256 is checked.

    Returns:
        The extractor, its parameters on the default device.

    Raises:
        MissingAsset: the weights are not on this machine; a caller may say so and go on without.
        InputError: there is no such extractor, or the weights are not its own, damaged, or hostile.

    >>> import numpy as np
    >>> digits = load('mnist')
    >>> features = digits.apply(digits.params, np.zeros((2, 28, 28, 1), np.uint8))
    >>> features.pool.shape, features.logits['digit'].shape
    ((2, 128), (2, 10))
    """
    if name not in EXTRACTORS:
        raise unknown('extractor', name, NAMES)
    return EXTRACTORS[name](name, path, download)


def load_perceptual(name: str, path: str | Path | None = None, download: bool = False) -> Perceptual:
    """Load a distance between images.

    Args:
        name: one of ``PERCEPTUAL_NAMES``.
        path: as for ``load``.
        download: as for ``load``.

    Raises:
        MissingAsset: the weights are not on this machine.
        InputError: as for ``load``.
    """
    if name not in PERCEPTUALS:
        raise unknown('perceptual distance', name, PERCEPTUAL_NAMES)
    return PERCEPTUALS[name](name, path, download)
