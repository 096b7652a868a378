"""Which queries are copies, of all training images in all views: the exact answer, without most of the comparisons.

Whether a query's ratio is below a limit is a question about each training image by itself: is it nearer than
``limit x own``? Projections on orthonormal directions never lengthen a distance, so a pair that is farther apart in a few
directions is farther apart: it is left out for sure. The directions are principal axes of the training images that mirroring
does not change, so that one comparison stands for a view and for its mirror image. What stays is compared as
``copies.find`` compares.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxgan.metrics.copies import MARGINS, Found, Index
from jaxgan.metrics.descriptors import (
    CELLS,
    COLOUR_UNIT,
    FLOOR,
    UNMIRRORED,
    Seen,
    compared,
    mirrored_colour,
    seen,
    unmirrored,
    unpacked,
    vectors,
)

AXES = 16  # directions
MORE = 48  # directions for limits from WIDE on, where few leave out too little
WIDE = 0.5
BLOCK = 128  # queries at once
PART = 256  # training images at once
SOME = 2048  # training images of which the directions are: any would do
TILE = 32  # views at once: of products so small BLAS makes no threads, beside those that make images
SLACK = 0.01  # added to radii: projections of float32, whose squares err by less than 1e-4
CLOSE = 1.0001  # radii are multiplied by it where all directions are compared
RADII = 4  # parts by radius: in each, those of like places are together


class Below(NamedTuple):
    """Of each query whether it is nearer than the limit, and to what."""

    ratios: Float[np.ndarray, ' q']
    """The smallest of all training images in all views; infinite: the limit or above it."""
    indices: Int[np.ndarray, ' q']
    """The training image; -1: none."""
    distances: Float[np.ndarray, ' q']
    views: Int[np.ndarray, ' q']


def joined(found: Found, below: Below) -> Found:
    """Put what a screen has found before what a search has, where the search has something farther first."""
    better = below.ratios < found.ratios[:, 0]
    known = found.indices == below.indices[:, None]
    last = np.where(known.any(axis=1), known.argmax(axis=1), found.indices.shape[1] - 1)

    def with_first(values: np.ndarray, first: np.ndarray) -> np.ndarray:
        places = np.arange(values.shape[1])
        moved = np.where(places <= last[:, None], np.roll(values, 1, axis=1), values)
        moved[:, 0] = first
        return np.where(better[:, None], moved, values)

    return Found(*(with_first(a, b) for a, b in zip(found, below, strict=True)))


class Screen:
    """Finds the queries whose ratio is below a limit: ``Screen(index, limit)(images)``."""

    def __init__(self, index: Index, limit: float) -> None:
        """Prepare an index.

        Args:
            index: of the training images.
            limit: of ratios.
        """
        self._index, self._limit = index, limit
        luma, colour = unpacked(index.features)
        radii = (limit * index.own).astype(np.float32)
        axes = AXES if limit < WIDE else MORE
        self._tables = [_Table(luma, colour, radii, int(margin), axes) for margin in np.unique(MARGINS)]

    def __call__(self, images: UInt8[np.ndarray, 'q h w c']) -> Below:
        """Compare queries; a query's result does not depend on other queries.

        Raises:
            InputError: the images are not uint8 of one or three channels.
        """
        parts = [self._block(images[i : i + BLOCK]) for i in range(0, max(len(images), 1), BLOCK)]
        return Below(*(np.concatenate(part) for part in zip(*parts)))

    def _block(self, images: np.ndarray) -> Below:
        queries = unmirrored(images)
        near = [table.near(queries) for table in self._tables]
        pairs = np.unique(np.concatenate(near), axis=0)
        rows, places = np.unique(pairs[:, 0], return_inverse=True)
        found = Below(
            np.full(len(images), np.inf, np.float32),
            np.full(len(images), -1),
            np.full(len(images), np.inf, np.float32),
            np.zeros(len(images), int),
        )
        if not len(rows):
            return found
        of_rows = seen(images[rows])
        for start in range(0, len(pairs), BLOCK):
            some, at = pairs[start : start + BLOCK], places[start : start + BLOCK]
            asked = Seen(of_rows.luma[at], of_rows.colour[at])
            distances, views = compared(asked, MARGINS, self._index.features[some[:, 1:]])
            ratios = distances[:, 0] / self._index.own[some[:, 1]]
            for (row, i), ratio, distance, view in zip(
                some, ratios, distances[:, 0], views[:, 0], strict=True
            ):
                if ratio < min(self._limit, found.ratios[row]):  # equal ratios go to the lower index
                    found.ratios[row], found.indices[row] = ratio, i
                    found.distances[row], found.views[row] = distance, view
        return found


class _Table:
    """Training images as matrices whose products with queries say whether these may be within the radii.

    With p and y the projections, r the radius: ``2 p y - |p|^2 - (|y|^2 - r^2)`` is positive where ``|p - y| < r``. Columns are
    sorted by the first direction, within parts by radius, so that most queries are not near a part of them.
    """

    def __init__(
        self, luma: np.ndarray, colour: np.ndarray, radii: np.ndarray, margin: int, count: int
    ) -> None:
        self._margin, self._radii = margin, radii
        self._at = np.flatnonzero(MARGINS[list(UNMIRRORED)] == margin)
        self._luma, self._colour = luma, colour
        y = vectors(luma, colour, margin)
        axes = _axes(y[:: -(-len(y) // SOME)], margin, count)
        y = y @ axes
        side = CELLS - 2 * margin
        whole = np.zeros((CELLS, CELLS, axes.shape[1]), np.float32)
        inside = slice(margin, CELLS - margin)
        whole[inside, inside] = axes[: side**2].reshape(side, side, -1) / side
        self._of_luma = whole.reshape(CELLS**2, -1)
        self._of_colour = axes[side**2 :] / (COLOUR_UNIT * np.sqrt(colour.shape[-1]))
        self._mask = np.zeros((CELLS, CELLS), np.float32)
        self._mask[inside, inside] = 1
        wide = radii + np.float32(SLACK)
        part = np.argsort(np.argsort(radii, kind='stable')) * min(RADII, -(-len(y) // PART)) // len(y)
        self._order = np.lexsort((y[:, 0], part))
        y, wide = y[self._order], wide[self._order]
        squares = np.sum(y * y, axis=1) - wide * wide
        self._columns = np.concatenate(
            [2 * y, -squares[:, None], -np.ones_like(squares)[:, None]], axis=1
        ).T.copy()
        starts = range(0, len(y), PART)
        self._reach = [
            ((y[i : i + PART, 0] - wide[i : i + PART]).min(), (y[i : i + PART, 0] + wide[i : i + PART]).max())
            for i in starts
        ]

    def near(self, queries: Seen) -> np.ndarray:
        """List pairs of a query and a training image that are within its radius, or a little farther: int [k, 2]."""
        points = self._points(queries)
        order = np.argsort(points[:, 0])
        first, found = points[order, 0], []
        far = np.zeros((TILE, points.shape[1]), np.float32)
        far[:, -1] = 1e30
        points = np.concatenate([points[order], far])  # a tile may begin at the last point
        for part, (low, high) in enumerate(self._reach):
            start, end = np.searchsorted(first, (low, high))
            if start < end:
                columns = self._columns[:, part * PART : (part + 1) * PART]
                tiles = -(-(end - start) // TILE)
                some = points[start : start + tiles * TILE].reshape(tiles, TILE, -1)
                at = np.flatnonzero((some @ columns) > 0)
                if len(at):
                    row, column = np.divmod(at, columns.shape[1])
                    found.append((order[start + row], self._order[part * PART + column]))
        if not found:
            return np.zeros((0, 2), int)
        places, images = (np.concatenate(each) for each in zip(*found))
        return self._surely(queries, places, images)

    def _points(self, queries: Seen) -> np.ndarray:
        """Project queries in the views of this margin: [q x views, axes + 2]."""
        count = len(queries.luma) * len(self._at)
        luma = queries.luma[:, self._at].reshape(-1, len(self._at), CELLS**2) - np.float32(128)
        flat = self._mask.ravel()
        cells = float(flat.sum())
        mean = (luma @ flat) / cells  # sums of whole numbers below 2^24: exact
        square = ((luma * luma) @ flat) / cells
        deviation = np.sqrt(np.maximum(square.astype(np.float64) - mean.astype(np.float64) ** 2, 0))
        p = (luma @ self._of_luma) / (deviation + FLOOR).astype(np.float32)[..., None]
        colour = queries.colour[:, self._at] - np.float32(128)
        p += colour @ self._of_colour
        p = p.reshape(count, p.shape[-1])
        return np.concatenate([p, np.ones((count, 1), np.float32), np.sum(p * p, axis=1)[:, None]], axis=1)

    def _surely(self, queries: Seen, places: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Keep the pairs that are near in all directions, as they are or mirrored."""
        kept = []
        for start in range(0, len(places), 4096):
            some, i = places[start : start + 4096], images[start : start + 4096]
            rows, view = np.divmod(some, len(self._at))
            luma, colour = queries.luma[rows, self._at[view]], queries.colour[rows, self._at[view]]
            y = vectors(self._luma[i], self._colour[i], self._margin)
            both = (luma, colour), (luma[:, :, ::-1], mirrored_colour(colour))
            distance = np.min([np.linalg.norm(vectors(*x, self._margin) - y, axis=1) for x in both], axis=0)
            near = distance < self._radii[i] * CLOSE + 1e-6
            kept.append(np.stack([rows[near], i[near]], axis=1))
        return np.concatenate(kept)


def _axes(y: np.ndarray, margin: int, count: int) -> np.ndarray:
    """Find principal axes that mirroring does not change, and constant luma does not move: orthonormal, [d, axes]."""
    side = CELLS - 2 * margin
    luma, colour = y[:, : side**2].reshape(-1, side, side), y[:, side**2 :]
    even = np.concatenate(
        [((luma + luma[..., ::-1]) / 2).reshape(len(y), -1), (colour + mirrored_colour(colour)) / 2], axis=1
    ).astype(np.float64)
    even -= even.mean(axis=0)
    even[:, : side**2] -= even[:, : side**2].mean(axis=1, keepdims=True)
    values, axes = np.linalg.eigh(even.T @ even)
    axes[:, values <= 1e-9 * values[-1]] = (
        0  # any direction, where few images vary in none: mirroring may change it
    )
    return axes[:, ::-1][:, :count].astype(np.float32)
