"""Images that are equal, or nearly so, to one before."""

import hashlib

import numpy as np

from jaxgan.errors import InputError

SIDE = 8  # parts of a side of an image that is hashed


def average_hash(image: np.ndarray) -> np.ndarray:
    """Hash an image so that nearly equal ones differ in few bits: is a part brighter than the mean?

    An image is cut into 8x8 parts; each bit says whether a part's mean lies above the channel's.

    Args:
        image: uint8 [h, w, c], h and w at least 8.

    Returns:
        uint8 [8 c]: 64 bits a channel.
    """
    sums = image.astype(np.int64)
    for axis in (0, 1):
        edges = np.arange(SIDE) * image.shape[axis] // SIDE
        counts = np.diff([*edges, image.shape[axis]])
        sums = np.add.reduceat(sums, edges, axis=axis) / np.expand_dims(counts, (1 - axis, 2))
    return np.packbits(sums > sums.mean(axis=(0, 1)))


class Duplicates:
    """The images so far, by their bytes or by their hashes."""

    def __init__(self, near: int | None, shape: tuple[int, ...]) -> None:
        """Begin with none.

        Args:
            near: the most bits in which hashes of nearly equal images differ; None: only equal bytes count.
            shape: of an image, [h, w, c].

        Raises:
            InputError: images are too small for a hash, or ``near`` is out of range.
        """
        bits = SIDE * SIDE * shape[-1]
        if near is not None and min(shape[:2]) < SIDE:
            raise InputError(f'--dedup near: images of {shape[0]}x{shape[1]} have no 8x8 parts; take exact')
        if near is not None and not 0 <= near < bits // 2:
            raise InputError(f'near {near} must be in 0..{bits // 2 - 1}, of {bits} bits')
        self._near = near
        self._equal: dict[bytes, int] = {}
        self._hashes = np.zeros((64, bits // 8), np.uint8)
        self._seeds: list[int] = []

    def find(self, image: np.ndarray, seed: int) -> int | None:
        """Find the seed of an earlier image that this one repeats; None: there is none, and it is remembered."""
        if self._near is None:
            first = self._equal.setdefault(hashlib.sha256(image.tobytes()).digest(), seed)
            if first == seed and len(self._equal) > len(self._seeds):
                self._seeds.append(seed)
                return None
            return first
        code, n = average_hash(image), len(self._seeds)
        distance = np.bitwise_count(self._hashes[:n] ^ code).sum(axis=1)
        if n and distance.min() <= self._near:
            return self._seeds[int(distance.argmin())]
        if n == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[n] = code
        self._seeds.append(seed)
        return None
