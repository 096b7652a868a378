"""Copies of training images: the nearest one under what copies go through, relative to its own neighbours.

A query is compared with training images in many views (mirrored, shifted, cropped), and the distance to the nearest
is divided by that one's own distance to the nearest other training image: a copy is nearer to its original than the
original's neighbours are. How small a ratio is too small, held-out images say (``copyrate``).

References:
    Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675 (nearness relative to the training set); Webster, Rabin, Simon
    and Jurie 2021, This person (probably) exists, arXiv 2107.06018.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxgan.errors import InputError
from jaxgan.metrics.descriptors import (
    FIRST,
    VIEWS,
    Seen,
    compared,
    features,
    seen,
    seen_described,
    unpacked,
    vectors,
)

__all__ = ['Found', 'Index', 'build', 'features', 'find']

SEGMENTS = 32  # parts of the training set, of each of which the nearest by coarse features is known
CANDIDATES = 8  # the nearest of these, which are compared in all views
WIDE = 2**12  # training images at once; both: memory, not the result
BLOCK = 128  # queries at once
NEAR = 0.2  # of the median distance between neighbours: nearer ones are duplicates
LEAST = 1e-6  # below it as well: where most images are of one colour each, nothing else tells them apart
POOL = 2  # cells a side that are averaged where candidates are looked for
MARGINS = np.array([view.margin for view in VIEWS])


class Index(NamedTuple):
    """What is known of the training images: all that ``find`` needs of them."""

    features: UInt8[np.ndarray, 'n 288']
    own: Float[np.ndarray, ' n']
    """Distance to the nearest training image of another group."""
    groups: Int[np.ndarray, ' n']
    """The lowest index among an image's exact and near duplicates: its own where it has none."""
    near: float = 0.0
    """Images at a smaller distance are duplicates."""


class Found(NamedTuple):
    """For each query the nearest training images, the smallest ratio first."""

    ratios: Float[np.ndarray, 'q k']
    """Distance, divided by the training image's own: about 1 for fresh images, 0 for an exact copy."""
    indices: Int[np.ndarray, 'q k']
    distances: Float[np.ndarray, 'q k']
    views: Int[np.ndarray, 'q k']
    """Which of ``descriptors.VIEWS`` brings the query nearest."""


def build(described: UInt8[np.ndarray, 'n 288']) -> Index:
    """Find duplicates among training images, and the distance of each to the nearest image that is none.

    Duplicates are images of equal features, and pairs nearer than a fifth of the median distance between neighbours
    (as they are or mirrored; groups are joined along such pairs). Without groups a twin would make an image's own
    distance 0, and hide all copies of it. The bound follows the data, as ratios do; a manifest's groups
    (``datamanifest.duplicates``) keep fixed bounds, for they must not depend on what else is in the set.

    Args:
        described: ``features`` of the training images.

    Raises:
        InputError: there are no two different images.
    """
    groups = _equal(described)
    kept = np.unique(groups)
    if len(kept) < 2:
        raise InputError(
            f'{len(described)} training images are all alike; at least two different ones are needed'
        )
    indices, distances = _neighbours(described[kept], np.arange(len(kept)))
    near = max(NEAR * float(np.median(distances.min(axis=1))), LEAST)
    rows, columns = np.nonzero(distances < near)
    joined = _joined(len(kept), rows, indices[rows, columns])
    if len(np.unique(joined)) < 2:
        raise InputError(f'{len(described)} training images are all near duplicates of one another')
    own = distances.min(axis=1)
    grouped = np.flatnonzero(np.bincount(joined, minlength=len(kept))[joined] > 1)
    if len(grouped):
        own[grouped] = _neighbours(described[kept], joined, grouped)[1].min(axis=1)
    place = np.searchsorted(kept, groups)
    return Index(described, own[place], kept[joined][place], near)


def _equal(described: np.ndarray) -> np.ndarray:
    """Give each row the lowest index of an equal one."""
    rows = np.ascontiguousarray(described).view(f'V{described.shape[1]}')[:, 0]
    first, inverse = np.unique(rows, return_index=True, return_inverse=True)[1:]
    return first[inverse]


def _joined(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join pairs to groups: for each of ``count`` the lowest member of its group."""
    groups = np.arange(count)
    while True:
        lowest = groups.copy()
        np.minimum.at(lowest, left, groups[right])
        np.minimum.at(lowest, right, groups[left])
        lowest = lowest[lowest]
        if np.array_equal(lowest, groups):
            return groups
        groups = lowest


def _neighbours(
    described: np.ndarray, groups: np.ndarray, rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest images of other groups, as they are and mirrored: indices and distances [rows, candidates]."""
    rows = np.arange(len(described)) if rows is None else rows
    table = _Table(described)
    members = [np.flatnonzero(groups == groups[row]) for row in rows] if len(rows) < len(groups) else None

    def of_block(start: int) -> list[np.ndarray]:
        some = rows[start : start + BLOCK]
        queries = seen_described(described[some])
        barred = [members[start + i] if members else some[i : i + 1] for i in range(len(some))]
        candidates = table.candidates(queries, np.zeros(2, int), np.arange(2), barred)
        distances, _ = compared(queries, np.zeros(2, int), described[candidates])
        same = groups[candidates] == groups[some][:, None]
        return [candidates, np.where(same, np.inf, distances)]

    indices, distances = _in_blocks(of_block, len(rows))
    return indices, distances


def find(images: UInt8[np.ndarray, 'q h w c'], index: Index, k: int = 1) -> Found:
    """Find the training images that queries are nearest to, relative to these images' own distances.

    Candidates are looked for by coarse features in a few views: of each of 32 interleaved parts of the training set the
    nearest, and of these the nearest eight. They are compared in all views. A query's result does not depend on other
    queries; equal ratios go to the lower index.

    Args:
        images: of one or three channels, of any size.
        index: of the training images.
        k: how many to return, at most the number of candidates: 8, or the training images where they are fewer.

    Raises:
        InputError: k is out of range, or the images are not uint8 of one or three channels.
    """
    return make_finder(index)(images, k)


def make_finder(index: Index, first: Sequence[int] = FIRST) -> Callable[..., Found]:
    """Prepare an index for many calls: ``make_finder(index)(images, k)`` is ``find(images, index, k)``.

    Args:
        index: of the training images.
        first: views in which candidates are looked for. With ``THOROUGH``, which takes three times as long, shifted copies
            of small images are found, too.
    """
    table, most = _Table(index.features), min(CANDIDATES, len(index.features))

    def search(images: np.ndarray, k: int = 1) -> Found:
        if not 1 <= k <= most:
            raise InputError(f'k must be from 1 to {most}, not {k}')

        def of_block(start: int) -> list[np.ndarray]:
            queries = seen(images[start : start + BLOCK])
            candidates = table.candidates(queries, MARGINS, np.asarray(first))
            distances, views = compared(queries, MARGINS, index.features[candidates])
            ratios = distances / index.own[candidates]
            order = np.lexsort((candidates, ratios), axis=1)[:, :k]
            return [np.take_along_axis(x, order, axis=1) for x in (ratios, candidates, distances, views)]

        return Found(*_in_blocks(of_block, len(images)))

    return search


class _Table:
    """Training images as matrices whose products with queries are the negative squares of coarse distances.

    Their columns are in the order of the segments: image i is in segment i modulo their number, and each segment is
    filled up with columns that are infinitely far.
    """

    def __init__(self, described: np.ndarray) -> None:
        self.segments = min(SEGMENTS, len(described))
        self.length = -(-len(described) // self.segments)
        places = np.arange(self.segments * self.length)
        images = places % self.length * self.segments + places // self.length
        luma, colour = unpacked(described[np.minimum(images, len(described) - 1)])
        self.columns = {}
        for margin in (0, 2):
            y = vectors(luma, colour, margin, POOL)
            squares = np.where(images < len(described), np.sum(y * y, axis=1), np.float32(1e30))[:, None]
            self.columns[margin] = np.concatenate([y, squares, np.ones_like(squares)], axis=1).T.copy()

    def candidates(
        self, queries: Seen, margins: np.ndarray, first: np.ndarray, barred: list[np.ndarray] | None = None
    ) -> np.ndarray:
        """Find the nearest of each segment, and of these the nearest: indices [q, candidates].

        Args:
            queries: in some views.
            margins: of these views.
            first: the views in which to look.
            barred: of each query, images that are not to be found.
        """
        rows = _rows(queries, margins, first)
        barred = barred or []
        places = np.repeat(np.arange(len(barred)), [len(row) for row in barred])
        columns = np.concatenate([np.zeros(0, int), *barred])
        count, at_once = len(queries.luma), max(1, WIDE // self.length)
        found, scores = np.empty((count, self.segments), int), np.empty((count, self.segments), np.float32)
        for start in range(0, self.segments, at_once):
            near = self._scores(rows, start, min(start + at_once, self.segments))
            segment = columns % self.segments - start
            inside = (segment >= 0) & (segment < near.shape[1])
            near[places[inside], segment[inside], columns[inside] // self.segments] = -np.inf
            part = slice(start, start + near.shape[1])
            found[:, part] = np.argmax(near, axis=2)
            scores[:, part] = np.take_along_axis(near, found[:, part, None], axis=2)[..., 0]
        found = found * self.segments + np.arange(self.segments)
        order = np.lexsort((found, -scores), axis=1)[:, :CANDIDATES]
        return np.take_along_axis(found, order, axis=1)

    def _scores(self, rows: dict[int, np.ndarray], start: int, end: int) -> np.ndarray:
        """Compute the negative squared distance of each query in its best view: [q, segments, images of a segment]."""
        part = slice(start * self.length, end * self.length)
        each = [
            (x.reshape(-1, x.shape[2]) @ self.columns[margin][:, part])
            .reshape(*x.shape[:2], part.stop - part.start)
            .max(axis=1)
            for margin, x in rows.items()
        ]
        return functools.reduce(np.maximum, each).reshape(len(each[0]), end - start, self.length)


def _rows(queries: Seen, margins: np.ndarray, first: np.ndarray) -> dict[int, np.ndarray]:
    """Make queries in some views as the other side of the products, by margin: [q, views, d]."""
    found = {}
    for margin in (0, 2):
        at = first[(margins[first] > 0) == (margin > 0)]
        if len(at):
            x = vectors(queries.luma[:, at], queries.colour[:, at], margin, POOL)
            squares = np.sum(x * x, axis=2, keepdims=True)
            found[margin] = np.concatenate([2 * x, -np.ones_like(squares), -squares], axis=2)
    return found


def _in_blocks(of_block: Callable[[int], list[np.ndarray]], count: int) -> list[np.ndarray]:
    """Compute blocks of rows, and put them together; at least one, for the shapes of nothing."""
    parts = [of_block(start) for start in range(0, max(count, 1), BLOCK)]
    return [np.concatenate(part) for part in zip(*parts)]
