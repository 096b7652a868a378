"""One affine warp of an image that is reflected for ever: doubled resolution, bilinear sampling, halved resolution.

Nothing is padded, so nothing depends on how far a transformation reaches. The reflected image has a period of 2 (n - 1)
pixels, and its doubled resolution one of 4 (n - 1) half pixels: a table of one period, addressed modulo the period, is
exact for every transformation, at the cost of 4 times the pixels of the doubled image.

References:
    Karras et al. 2020, arXiv 2006.06676, appendix B. There the image is reflected once on each side, and zero beyond.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgan.augment.wavelets import MARGIN, double, halve
from jaxgan.ops.linear import Forms, linear
from jaxgan.types import Images

Matrices = Float[Array, 'b 3 3']


def warp(images: Images, inverse: Matrices) -> Images:
    """Move each image's pixels: position p of the result shows position ``inverse p`` of the image.

    Args:
        images: [B, H, W, C], float32, H and W at least 2.
        inverse: [B, 3, 3] on (x, y, 1), x to the right and y down, in pixels from the image's centre; constants.
    """
    table, (rows, columns) = double(images), _sources(inverse, images.shape[1:3])
    return halve(linear(Forms(_sample, _scatter), table, rows, columns))


def _sources(inverse: Matrices, size: tuple[int, ...]) -> tuple[Any, Any]:
    """Compute where in the table each half pixel that ``halve`` reads comes from: (rows, columns), each [B, h, w]."""
    (height, width) = size
    y, x = (np.arange(1 - n - MARGIN, n + 1 + MARGIN, dtype=np.float32) / 2 for n in size)
    x, y = x[None, None, :], y[None, :, None]
    (a, b, c), (d, e, f) = ([inverse[:, row, column, None, None] for column in range(3)] for row in range(2))
    columns, rows = a * x + b * y + c, d * x + e * y + f
    return (
        jnp.mod(2.0 * rows + (height - 1), 4.0 * (height - 1)),
        jnp.mod(2.0 * columns + (width - 1), 4.0 * (width - 1)),
    )


def _corners(rows: Any, columns: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Find the four table entries around each position, and their weights: [[[index, ...], ...], ...], twice 2 by 2."""
    (top, bottom), v = _neighbours(rows, shape[0])
    (left, right), u = _neighbours(columns, shape[1])
    indices = [[y * shape[1] + x for x in (left, right)] for y in (top, bottom)]
    weights = [[a * b for b in (1.0 - u, u)] for a in (1.0 - v, v)]
    return indices, weights


def _neighbours(position: Any, period: int) -> tuple[tuple[Any, Any], Any]:
    whole = jnp.floor(position)
    first = whole.astype(jnp.int32) % period
    return (first, (first + 1) % period), position - whole


def _sample(table: Any, rows: Any, columns: Any) -> Any:
    """Interpolate a table [B, h, w, C] at positions [B, y, x]: [B, y, x, C]."""

    def one(table: Any, rows: Any, columns: Any) -> Any:
        flat = table.reshape(-1, table.shape[-1])
        indices, weights = _corners(rows, columns, table.shape)
        parts = [
            flat.at[indices[i][j]].get(mode='promise_in_bounds') * weights[i][j][..., None]
            for i in (0, 1)
            for j in (0, 1)
        ]
        return (parts[0] + parts[1]) + (parts[2] + parts[3])

    return jax.vmap(one)(table, rows, columns)


def _scatter(samples: Any, rows: Any, columns: Any) -> Any:
    """Transpose ``_sample``, all corners by one scatter: four of them take twice as long on CPU."""
    height, width = (2 * (n - 2 * MARGIN) - 4 for n in samples.shape[1:3])  # 4 (n - 1) of 2 n + 10

    def one(samples: Any, rows: Any, columns: Any) -> Any:
        indices, weights = (jnp.array(part) for part in _corners(rows, columns, (height, width)))
        flat = jnp.zeros((height * width, samples.shape[-1]), samples.dtype)
        flat = flat.at[indices].add(weights[..., None] * samples[None, None], mode='promise_in_bounds')
        return flat.reshape(height, width, -1)

    return jax.vmap(one)(samples, rows, columns)
