"""Resampling by two, and smoothing, with the filter [1, 3, 3, 1], as shifts and additions.

References:
    Karras et al. 2020, Analyzing and improving the image quality of StyleGAN, arXiv 1912.04958, appendix B; used by
    R3GAN, arXiv 2501.05441.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgan.errors import InputError
from jaxgan.types import Images

Resampled = Float[Array, 'b y x c']


def upsample2d(x: Images) -> Resampled:
    """Double the size: zeros between the pixels, then the filter ``outer([1, 3, 3, 1]) / 64`` with gain 4.

    Along each axis ``out[2 i] = (x[i - 1] + 3 x[i]) / 4`` and ``out[2 i + 1] = (3 x[i] + x[i + 1]) / 4``, x zero
    outside: StyleGAN2's paddings (2, 1). Four times the adjoint of ``downsample2d``.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, 2H, 2W, C].
    """
    return _upsample(_upsample(x, 1), 2)


def downsample2d(x: Images) -> Resampled:
    """Halve the size: the filter ``outer([1, 3, 3, 1]) / 64``, then every second pixel.

    Along each axis ``out[i] = (x[2 i - 1] + 3 x[2 i] + 3 x[2 i + 1] + x[2 i + 2]) / 8``, x zero outside: StyleGAN2's
    paddings (1, 1).

    Args:
        x: [B, H, W, C], H and W even.

    Returns:
        [B, H/2, W/2, C].

    Raises:
        InputError: H or W is odd.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise InputError(f'size {x.shape[1]} x {x.shape[2]} must be even to be halved')
    return _downsample(_downsample(x, 1), 2)


def blur2d(x: Images, padding: int) -> Resampled:
    """Smooth with the filter ``outer([1, 3, 3, 1]) / 64``.

    Along each axis ``out[i] = (x[i - p] + 3 x[i - p + 1] + 3 x[i - p + 2] + x[i - p + 3]) / 8``, p the padding, x zero
    outside. Before a 3x3 convolution of stride 2 that does not pad, padding 2 halves an even size; after a transposed
    one, whose result has 2H + 1 rows, padding 1 gives 2H of a quarter of their brightness.

    Args:
        x: [B, H, W, C].
        padding: rows of zeros at each side, at least 0.

    Returns:
        [B, H + 2 padding - 3, W + 2 padding - 3, C].
    """
    return _blur(_blur(x, 1, padding), 2, padding)


def _blur(x: Array, axis: int, padding: int) -> Array:
    padded = jnp.pad(x, [(padding, padding) if i == axis else (0, 0) for i in range(x.ndim)])
    size = padded.shape[axis] - 3
    a, b, c, d = (padded[(slice(None),) * axis + (slice(i, i + size),)] for i in range(4))
    return (b + c) * 0.375 + (a + d) * 0.125


def _upsample(x: Array, axis: int) -> Array:
    before, after = _shift(x, axis, 1), _shift(x, axis, -1)
    near = x * 0.75
    pair = jnp.stack([near + before * 0.25, near + after * 0.25], axis + 1)
    return pair.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])


def _downsample(x: Array, axis: int) -> Array:
    pair = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
    even, odd = jnp.split(pair, 2, axis + 1)
    even, odd = even.squeeze(axis + 1), odd.squeeze(axis + 1)
    return (even + odd) * 0.375 + (_shift(odd, axis, 1) + _shift(even, axis, -1)) * 0.125


def _shift(x: Array, axis: int, by: int) -> Array:
    """Move x by one along an axis: ``out[i] = x[i - by]``, zero outside."""
    low, high = max(by, 0), max(-by, 0)
    padded = jnp.pad(x, [(low, high) if i == axis else (0, 0) for i in range(x.ndim)])
    start = [high if i == axis else 0 for i in range(x.ndim)]
    index = tuple(slice(s, s + n) for s, n in zip(start, x.shape, strict=True))
    return padded[index]
