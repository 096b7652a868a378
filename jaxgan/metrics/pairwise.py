"""Sums and extremes over all pairs of two tables, tile by tile on the device: no matrix of all pairs is ever made.

Both tables are cut into tiles of rows. A ``Fold`` takes what is known of a tile of rows, and all pairs of it with one
tile of columns, to what is known after them. A pair's value does not depend on where in a tile it stands, and counts
and extremes not on the order, so the size of tiles decides the memory and the time, not the result.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int

from jaxgan.metrics.checks import Table, pair, table, whole

TILE = 1024
SPARE = 8  # candidates beyond k whose distances are computed again


class Block(NamedTuple):
    """All pairs of a tile of rows x and a tile of columns y."""

    dots: Float[Array, 't t']
    """``x . y``."""
    squares: Float[Array, 't t']
    """``|x - y|^2``, from the products: infinite where ``used`` is false."""
    used: Bool[Array, 't t']
    """False for columns that only fill the last tile, and for a sample with itself where those are left out."""
    columns: Int[Array, ' t']
    values: Float[Array, ' t']
    """What was given with each column; 0 where the column only fills."""


class Fold(NamedTuple):
    """``start(t)`` is what is known of t rows before any pair; ``step(known, block)`` after a block."""

    start: Callable[[int], Any]
    step: Callable[[Any, Block], Any]


def over_pairs(
    rows: np.ndarray,
    columns: np.ndarray,
    fold: Fold,
    values: np.ndarray | None = None,
    distinct: bool = False,
    tile: int = TILE,
) -> Any:
    """Fold all pairs of rows and columns, in float32.

    Args:
        rows: [N, D].
        columns: [M, D]; put both near the origin first (``centred``), for ``squares`` to keep their digits.
        fold: which decides what comes out; a new one compiles anew.
        values: [M], for the fold.
        distinct: leave out pairs of row i with column i.
        tile: rows and columns compared at once; memory, not the result.

    Returns:
        What the fold knows, on the host: arrays with leading axis N.
    """
    values = np.zeros(len(columns), np.float32) if values is None else values
    known = _over_tiles(
        _tiles(rows, tile), _tiles(columns, tile), _tiles(values, tile), len(columns), fold, distinct
    )
    return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[: len(rows)], known)


@functools.partial(jax.jit, static_argnames=('fold', 'distinct'))
def _over_tiles(rows: Any, columns: Any, values: Any, count: Any, fold: Fold, distinct: bool) -> Any:
    tile = rows.shape[1]
    place = jnp.arange(tile, dtype=jnp.int32)

    def of_rows(item: Any) -> Any:
        i, x = item
        lengths = _lengths(x)

        def of_columns(known: Any, item: Any) -> tuple[Any, None]:
            j, y, value = item
            column = j * tile + place
            used = jnp.broadcast_to((column < count)[None], (tile, tile))
            if distinct:
                used &= (i * tile + place)[:, None] != column[None]
            dots = jnp.matmul(x, y.T, precision=Precision.HIGHEST)
            squares = jnp.maximum(lengths[:, None] + _lengths(y)[None] - 2.0 * dots, 0.0)
            squares = jnp.where(used, squares, jnp.inf)
            return fold.step(known, Block(dots, squares, used, column, value)), None

        tiles = (jnp.arange(len(columns), dtype=jnp.int32), columns, values)
        return jax.lax.scan(of_columns, fold.start(tile), tiles)[0]

    return jax.lax.map(of_rows, (jnp.arange(len(rows), dtype=jnp.int32), rows))


def _lengths(x: Any) -> Any:
    """Compute ``|x|^2`` of each row."""
    return jnp.sum(jnp.square(x), axis=1)


def _tiles(x: np.ndarray, tile: int) -> np.ndarray:
    """Cut [N, ...] into [tiles, tile, ...] of float32; the last is filled with zeros."""
    x = np.asarray(x, np.float32)
    filled = np.pad(x, ((0, -len(x) % tile), *[(0, 0)] * (x.ndim - 1)))
    return filled.reshape(-1, tile, *x.shape[1:])


def centred(first: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Subtract the first table's mean from all: distances stay, and float32 keeps more of their digits."""
    mean = first.mean(axis=0, dtype=np.float64)
    return [(table - mean).astype(np.float32) for table in (first, *others)]


@functools.cache  # the same function each time, so that it compiles once
def smallest(k: int) -> Fold:
    """Keep the k smallest ``squares`` of each row, ascending, and their columns: equal ones by the lower column."""

    def start(tile: int) -> Any:
        return jnp.full((tile, k), jnp.inf, jnp.float32), jnp.full((tile, k), -1, jnp.int32)

    def step(known: Any, block: Block) -> Any:
        squares, chosen = jax.lax.top_k(-block.squares, k)
        squares = jnp.concatenate([known[0], -squares], axis=1)
        columns = jnp.concatenate([known[1], block.columns[chosen]], axis=1)
        squares, chosen = jax.lax.top_k(-squares, k)
        return -squares, jnp.take_along_axis(columns, chosen, axis=1)

    return Fold(start, step)


class Nearest(NamedTuple):
    """The nearest rows of a reference, the nearest first."""

    indices: Int[np.ndarray, 'n k']
    distances: Float[np.ndarray, 'n k']
    """Euclidean, float32."""


def nearest(features: Table, reference: Table, k: int = 1, tile: int = TILE) -> Nearest:
    """Find the k nearest rows of a reference for each row: nearest training images, for one.

    Candidates come from products of tiles; their distances are computed again from differences, so that a copy is at
    distance 0 and not at a rounding error.

    >>> nearest(np.array([[0.0], [5.0]]), np.array([[4.0], [1.0], [0.0]]), 2).indices.tolist()
    [[2, 1], [0, 1]]

    Args:
        features: [N, D].
        reference: [M, D].
        k: neighbours, at most M and at most 1000.
        tile: rows compared at once; memory, not the result.

    Raises:
        InputError: k is too large, the widths differ, or values are not finite.
    """
    reference, features = pair(reference, features)
    whole('k', k, 1, min(len(reference), 1000), f'the reference has {len(reference)} samples')
    points, queries = centred(reference, features)
    candidates = min(k + SPARE, len(points), tile)
    if k > candidates:
        whole('tile', tile, k, 1 << 20, 'at least k')
    indices = over_pairs(queries, points, smallest(candidates), tile=tile)[1]
    step = max(1, tile // candidates)
    parts = [
        _ordered(queries[i : i + step], points[indices[i : i + step]], indices[i : i + step], k)
        for i in range(0, len(queries), step)
    ]
    return Nearest(*(np.concatenate(part) for part in zip(*parts)))


def _ordered(x: np.ndarray, candidates: np.ndarray, indices: np.ndarray, k: int) -> tuple[Any, Any]:
    """Order candidates [n, c, d] by their distances from differences; equal ones by the lower index."""
    distances = np.sqrt(np.sum(np.square(candidates - x[:, None]), axis=2))
    order = np.lexsort((indices, distances), axis=1)[:, :k]
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)


def radii(features: np.ndarray, k: int, tile: int = TILE) -> np.ndarray:
    """Compute the squared distance of each row to its k-th nearest other row, [N], of a table that is ``centred``."""
    return over_pairs(features, features, smallest(k), distinct=True, tile=tile)[0][:, -1]


def check_neighbours(k: int, tile: int, **tables: np.ndarray) -> None:
    """Refuse a k that a table cannot have: each sample needs k others.

    Raises:
        InputError: k is below 1, or above the samples less one, or above the tile.
    """
    for name, found in tables.items():
        table(name, found)
        whole('k', k, 1, len(found) - 1, f'below the number of {name} samples')
    whole('tile', tile, k, 1 << 20, 'at least k')
