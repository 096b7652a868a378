"""The three maps on CPU, each equal to its namesake in ``jaxgan.ops.plain``: groups, depthwise, dense.

XLA:CPU runs a convolution in groups 2-5 times slower than a dense one, and its weight gradient 100 times slower. So
consecutive groups of few features are merged into a block, dense but for the zeros outside its diagonal, and a loop runs
over the blocks (unrolled it would be 10% faster, and take many times as long to compile).
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxgan.ops import dense, depthwise
from jaxgan.ops.geometry import Geometry

MERGED = 16  # features up to which groups are merged


def conv(x: Any, w: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Convolve x [B, H, W, C] with w [kh, kw, C/groups, O] to [B, h, w, O]."""
    groups, c, o = geometry.groups, w.shape[2], w.shape[3] // geometry.groups
    if groups == 1:
        return dense.conv(x, w, geometry, precision)
    if (c, o) == (1, 1):
        return depthwise.conv(x, w, geometry)
    joined, one = merged(groups, c, o), geometry._replace(groups=1)
    kernel = block_diagonal(w, groups // joined, joined)
    return _over_blocks(lambda x, w: dense.conv(x, w, one, precision), x, kernel, groups // joined)


def transposed(y: Any, w: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Apply the adjoint of ``conv`` in x to y [B, h, w, O]: [B, H, W, C]."""
    groups, c, o = geometry.groups, w.shape[2], w.shape[3] // geometry.groups
    if groups == 1:
        return dense.transposed(y, w, geometry, precision)
    if (c, o) == (1, 1):
        return depthwise.transposed(y, w, geometry)
    joined, one = merged(groups, c, o), geometry._replace(groups=1)
    kernel = block_diagonal(w, groups // joined, joined)
    return _over_blocks(lambda y, w: dense.transposed(y, w, one, precision), y, kernel, groups // joined)


def weight_gradient(x: Any, y: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Apply the adjoint of ``conv`` in w to y [B, h, w, O]: [kh, kw, C/groups, O]."""
    groups, c, o = geometry.groups, x.shape[3] // geometry.groups, y.shape[3] // geometry.groups
    if groups == 1:
        return dense.weight_gradient(x, y, geometry, precision)
    if (c, o) == (1, 1):
        return depthwise.weight_gradient(x, y, geometry)
    joined, one = merged(groups, c, o), geometry._replace(groups=1)
    w = _over_blocks(lambda x, y: dense.weight_gradient(x, y, one, precision), x, y, groups // joined)
    return diagonal_blocks(w, groups // joined, joined)


def merged(groups: int, c: int, o: int) -> int:
    """Choose how many groups make a block: the largest divisor that leaves it at most ``MERGED`` wide."""
    return max(r for r in range(1, groups + 1) if groups % r == 0 and (r == 1 or r * max(c, o) <= MERGED))


def _over_blocks(op: Callable, a: Any, b: Any, blocks: int) -> Any:
    """Apply ``op`` to each block of the last axes of a and b, and join the results along theirs."""
    if blocks == 1:
        return op(a, b)
    split = [jnp.moveaxis(z.reshape(*z.shape[:3], blocks, -1), 3, 0) for z in (a, b)]
    out = jnp.moveaxis(lax.map(lambda pair: op(*pair), tuple(split)), 0, 3)
    return out.reshape(*out.shape[:3], -1)


def block_diagonal(w: Any, blocks: int, merged: int) -> Any:
    """Spread a kernel [kh, kw, c, O] to [kh, kw, merged c, O], zero between different groups."""
    kh, kw, c, o = w.shape
    w = w.reshape(kh, kw, 1, c, blocks, merged, -1)
    return jnp.where(_diagonal(merged), w, jnp.zeros((), w.dtype)).reshape(kh, kw, merged * c, o)


def diagonal_blocks(w: Any, blocks: int, merged: int) -> Any:
    """Apply the adjoint of ``block_diagonal``: [kh, kw, merged c, O] to [kh, kw, c, O]."""
    kh, kw, c, o = w.shape
    w = w.reshape(kh, kw, merged, c // merged, blocks, merged, -1)
    return jnp.where(_diagonal(merged), w, jnp.zeros((), w.dtype)).sum(axis=2).reshape(kh, kw, c // merged, o)


def _diagonal(merged: int) -> Any:
    return jnp.eye(merged, dtype=bool).reshape(1, 1, merged, 1, 1, merged, 1)
