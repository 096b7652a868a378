"""Fields of latents: the same layers on a larger map, each of whose places has latents of its own.

What is convolutional behind its first layer does not know how large its maps are. Where a latent makes the first map, a field of
latents makes a larger one, of overlapping first maps; nothing else changes, nor any parameter.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def first_map(make: Callable, z: Any) -> Any:
    """Make the first map of latents, or of a field of them.

    Of a field, neighbouring cells' maps overlap by half. Where they do, each counts by a weight w that falls linearly towards its border:
    ``m + sum_i w_i (x_i - m_i) / sqrt(sum_i w_i^2)`` with ``m = sum_i w_i m_i / sum_i w_i``, m_i being the map of the latent 0. So what
    independent latents make has the variance that it has in the map of one.

    Args:
        make: ``[..., Z] -> [..., S, S, C]``, S even.
        z: [B, Z], or [B, rows, columns, Z].

    Returns:
        [B, S, S, C], or [B, S / 2 (rows + 1), S / 2 (columns + 1), C]: of a single cell the same.
    """
    if z.ndim == 2:
        return make(z)
    maps = make(z)
    base = jnp.broadcast_to(make(jnp.zeros_like(z[:, :1, :1])), maps.shape)
    window = jnp.asarray(_window(maps.shape[-2]), maps.dtype)[None, None, None]
    ones = jnp.ones((1, *maps.shape[1:-1], 1), maps.dtype)
    power = _overlapped(ones * jnp.square(window))
    mean = _overlapped(base * window) / _overlapped(ones * window)
    return mean + _overlapped((maps - base) * window) * jax.lax.rsqrt(power)


def resized(cells: Any, size: tuple[int, int]) -> Any:
    """Interpolate a field between the middles of its cells: [B, rows, columns, C] to [B, *size, C]."""
    return jax.image.resize(cells, (cells.shape[0], *size, cells.shape[-1]), 'linear')


def joined(cells: Any) -> Any:
    """Lay cells beside each other: [B, rows, columns, H, W] to [B, rows H, columns W]."""
    b, rows, columns, height, width = cells.shape
    return cells.transpose(0, 1, 3, 2, 4).reshape(b, rows * height, columns * width)


def as_condition(vector: Any, z: Any) -> Any:
    """Give every cell of a field the same vector [B, K]; of single latents it stays as it is."""
    if z.ndim == 2:
        return vector
    return jnp.broadcast_to(vector[:, None, None], (*z.shape[:-1], vector.shape[-1]))


def _window(side: int) -> np.ndarray:
    """Weigh the places of a map, [S, S, 1]: a pyramid whose halves, shifted onto each other, add to 1."""
    half = side // 2
    up = (np.arange(half) + 0.5) / half
    line = np.concatenate([up, up[::-1]])
    return np.outer(line, line)[..., None].astype(np.float32)


def _overlapped(maps: Any) -> Any:
    """Add maps [B, rows, columns, S, S, C] at distances of S / 2."""
    b, rows, columns, side, _, features = maps.shape
    half = side // 2
    parts = maps.reshape(b, rows, columns, 2, half, 2, half, features)
    total: Any = 0
    for i in range(2):
        for j in range(2):
            part = parts[:, :, :, i, :, j]
            total = total + jnp.pad(part, ((0, 0), (i, 1 - i), (j, 1 - j), (0, 0), (0, 0), (0, 0)))
    total = total.transpose(0, 1, 3, 2, 4, 5)
    return total.reshape(b, (rows + 1) * half, (columns + 1) * half, features)
