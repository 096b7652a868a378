"""Images that are equal, or nearly so, to one before.

What counts as near is asked for, for it depends on the generator; near-duplicates of a data set (``datamanifest.duplicates``) are found
among all pairs, by fixed bounds, and make groups.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.errors import InputError
from jaxgan.images import part_means
from jaxgan.sampling import format_seeds

NEAR = 8.0  # levels of 255 by which the parts of nearly equal images differ
SIDE = 8  # parts of a side of an image that is compared


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Reduce an image to the means of its 8x8 parts, which nearly equal images share.

    Args:
        image: uint8 [h, w, c], h and w at least 8.

    Returns:
        float32 [64, c], in 0..255.
    """
    means = part_means(image[None].astype(np.float64), SIDE)
    return means.reshape(SIDE * SIDE, -1).astype(np.float32)


class Duplicates:
    """The images so far, by their bytes or by their thumbnails: a filter (``choosing.Filter``) that drops those that repeat one.

    Thumbnails are near if they differ by at most so many levels of 255, root mean square. Bits of an average hash, which are
    smaller, say too little of small images: of 500 avatars that all differ, pairs with 2 of 192 bits apart were up to 51
    levels apart.
    """

    def __init__(self, near: float | None, shape: tuple[int, ...]) -> None:
        """Begin with none.

        Args:
            near: the largest difference of thumbnails that are nearly equal; None: only equal bytes count.
            shape: of an image, [h, w, c].

        Raises:
            InputError: images are too small for a thumbnail, or ``near`` is out of range.
        """
        if near is not None and min(shape[:2]) < SIDE:
            raise InputError(f'--dedup near: images of {shape[0]}x{shape[1]} have no 8x8 parts; take exact')
        if near is not None and not 0 <= near < 128:
            raise InputError(f'near {near:g} must be in 0..127, levels of 255')
        self._near = near
        self._equal: dict[bytes, int] = {}
        self._small = np.zeros((64, SIDE * SIDE, shape[-1]), np.float32)
        self._means = np.zeros((64, shape[-1]), np.float32)
        self._seeds: list[int] = []
        self._dropped: list[int] = []

    def look(self, results: dict[str, Any]) -> Callable[[int], bool]:
        """Look at a part of the images."""

        def stays(row: int) -> bool:
            seed = int(results['seeds'][row])
            if self.find(results['images'][row], seed) is None:
                return True
            self._dropped.append(seed)
            return False

        return stays

    def told(self) -> str:
        """Say which seeds were dropped; empty: none."""
        if not self._dropped:
            return ''
        return f'{len(self._dropped)} dropped as duplicates: {format_seeds(self._dropped)}'

    def find(self, image: np.ndarray, seed: int) -> int | None:
        """Find the seed of an earlier image that this one repeats; None: there is none, and it is remembered."""
        if self._near is not None:
            return self._find_near(thumbnail(image), seed, self._near)
        digest = hashlib.sha256(image.tobytes()).digest()
        if digest in self._equal:
            return self._equal[digest]
        self._equal[digest] = seed
        return None

    def _find_near(self, small: np.ndarray, seed: int, near: float) -> int | None:
        n, mean = len(self._seeds), small.mean(axis=0)
        limit = near * np.sqrt(small.shape[1]) + 1e-3  # means of channels of near images differ by less
        maybe = np.flatnonzero((np.abs(self._means[:n] - mean) <= limit).all(axis=1))
        distance = np.sqrt(np.square(self._small[maybe] - small).mean(axis=(1, 2)))
        if len(maybe) and distance.min() <= near:
            return self._seeds[int(maybe[distance.argmin()])]
        if n == len(self._small):
            self._small = np.concatenate([self._small, np.zeros_like(self._small)])
            self._means = np.concatenate([self._means, np.zeros_like(self._means)])
        self._small[n], self._means[n] = small, mean
        self._seeds.append(seed)
        return None
