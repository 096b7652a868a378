"""Near-duplicates among the images of a data set: candidates by perceptual hash, kept where small pictures of them agree.

The bounds are absolute, so that what a manifest says of two images does not depend on the others. ``metrics.copies.build`` has another
definition, and must: it finds twins within an image's usual distance to its neighbour, relative to which copies are told.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from jaxgan.images import part_means

BITS = 7  # in which hashes of candidates may differ
APART = 6.0  # mean difference of two small pictures, of 255
SIDE = 16  # pixels of a small picture
LARGE = 100_000  # images from which on only candidates of fewer bits are looked for
BLOCK = 4_096  # hashes that are compared with each other at once


def small(images: np.ndarray) -> np.ndarray:
    """Make small grey pictures: uint8 [n, h, w, c] -> uint8 [n, 256], each the mean of its part; sides below 16 repeat pixels."""
    grey = part_means(images.mean(axis=-1, keepdims=True, dtype=np.float32), SIDE)
    return np.round(grey).astype(np.uint8).reshape(len(images), -1)


def groups(digests: Sequence[str], hashes: np.ndarray, pictures: np.ndarray) -> list[int | None]:
    """Number the groups of images that are equal, or nearly.

    Two images are in one group if their digests are equal, or if their hashes differ in at most 7 bits (3, from 100,000 images on) and
    their small pictures by at most 6 of 255 in the mean; and if a chain of such pairs leads from one to the other.

    Args:
        digests: of the pixels.
        hashes: uint64 [n].
        pictures: uint8 [n, 256].

    Returns:
        For each image the number of its group, from 0 on in the order of first members; None: it is alone.
    """
    parent = np.arange(len(digests))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def join(a: int, b: int) -> None:
        a, b = sorted((root(a), root(b)))
        parent[b] = a

    first: dict[str, int] = {}
    for i, digest in enumerate(digests):
        join(first.setdefault(digest, i), i)
    alone = np.array(sorted(first.values()), np.int64)
    for a, b in _candidates(hashes, alone):
        near = np.abs(pictures[a].astype(np.int16) - pictures[b]).mean(axis=1) <= APART
        for i, j in zip(a[near].tolist(), b[near].tolist(), strict=True):
            join(i, j)
    roots = [root(i) for i in range(len(digests))]
    sizes = np.bincount(roots, minlength=len(roots)) if roots else []
    numbers: dict[int, int] = {}
    return [numbers.setdefault(one, len(numbers)) if sizes[one] > 1 else None for one in roots]


def _candidates(hashes: np.ndarray, among: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """List pairs of images whose hashes differ in few bits.

    Hashes that differ in at most k bits agree in one of k + 1 bands of bits: only those within a band's bucket are compared.
    """
    bands = 8 if len(among) <= LARGE else 4
    width, most = 64 // bands, BITS if bands == 8 else 3
    for band in range(bands):
        keys = (hashes[among] >> np.uint64(band * width)) & np.uint64((1 << width) - 1)
        order = np.argsort(keys, kind='stable')
        cuts = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(among[order], cuts):
            for i in range(0, len(bucket), BLOCK):
                for j in range(i, len(bucket), BLOCK):
                    left, right = bucket[i : i + BLOCK], bucket[j : j + BLOCK]
                    differ = np.bitwise_count(hashes[left][:, None] ^ hashes[right][None])
                    a, b = np.nonzero(differ <= most)
                    ahead = (a < b) if i == j else np.ones(len(a), bool)
                    yield left[a[ahead]], right[b[ahead]]
