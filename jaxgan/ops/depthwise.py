"""Depthwise convolutions (one input and one output feature a group) and their adjoints, as products and sums.

Sums are in float32 at least. A kernel that sees the image whole, as at the end of R3GAN's discriminator, has one output
pixel and needs no sum over its taps.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxgan.ops.dense import pad, place
from jaxgan.ops.geometry import Geometry


def conv(x: Any, w: Any, geometry: Geometry) -> Any:
    """Convolve x [B, H, W, C] with w [kh, kw, 1, C] to [B, h, w, C]."""
    kernel, size = w.shape[:2], geometry.output_size(x.shape[1:3], w.shape[:2])
    images, weights = pad(_wide(x), geometry.padding), _wide(w)[:, :, 0]
    if size == (1, 1):
        return jnp.sum(images * weights[None], axis=(1, 2), keepdims=True).astype(x.dtype)
    weights = weights.reshape(-1, 1, 1, 1, w.shape[3])
    taps = _taps(images, kernel, size, geometry.stride)
    return functools.reduce(jnp.add, [tap * weights[i] for i, tap in enumerate(taps)]).astype(x.dtype)


def transposed(y: Any, w: Any, geometry: Geometry) -> Any:
    """Apply the adjoint of ``conv`` in x to y [B, h, w, C]: [B, H, W, C]."""
    s, (kh, kw) = geometry.stride, w.shape[:2]
    (top, _), (left, _) = geometry.padding
    size = geometry.input_size(y.shape[1:3], (kh, kw))
    wide, weights = _wide(y), _wide(w)[:, :, 0]
    if y.shape[1:3] == (1, 1):
        return place(wide * weights[None], (-top, -left), size).astype(y.dtype)
    weights = weights.reshape(kh, kw, 1, 1, 1, -1)
    taps = [(i, j) for i in range(kh) for j in range(kw)]
    pieces = [place(wide * weights[i, j], (i - top, j - left), size, s) for i, j in taps]
    return functools.reduce(jnp.add, pieces).astype(y.dtype)


def weight_gradient(x: Any, y: Any, geometry: Geometry) -> Any:
    """Apply the adjoint of ``conv`` in w to y [B, h, w, C]: [kh, kw, 1, C]."""
    kernel = geometry.kernel_size(x.shape[1:3], y.shape[1:3])
    images, wide = pad(_wide(x), geometry.padding), _wide(y)
    if y.shape[1:3] == (1, 1):
        return jnp.sum(images * wide, axis=0).astype(x.dtype)[:, :, None]
    taps = _taps(images, kernel, y.shape[1:3], geometry.stride)
    sums = jnp.stack([jnp.sum(tap * wide, axis=(0, 1, 2)) for tap in taps])
    return sums.astype(x.dtype).reshape(*kernel, 1, y.shape[3])


def _taps(x: Any, kernel: Sequence[int], size: Sequence[int], stride: int) -> list[Any]:
    """List what each tap of the kernel sees of the padded images, each [B, *size, C]."""
    (b, _, _, c), (h, w) = x.shape, size
    last_row, last_column = (h - 1) * stride + 1, (w - 1) * stride + 1
    return [
        lax.slice(x, (0, i, j, 0), (b, i + last_row, j + last_column, c), (1, stride, stride, 1))
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


def _wide(x: Any) -> Any:
    return x if x.dtype.itemsize >= 4 else x.astype(jnp.float32)
