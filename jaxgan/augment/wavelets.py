"""Orthogonal wavelets: resampling by two with sym6, and a bank of band filters from sym2, as ADA uses them.

References:
    Daubechies 1992, Ten lectures on wavelets, section 8.1.1 (the coefficients); Karras et al. 2020, arXiv 2006.06676,
    appendix B (their use).
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.ops.linear import Forms, linear

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
LOW = np.array(SYM6) / np.sqrt(2.0)
"""The low-pass filter f, of sum 1. Pixel i stands at the half pixel n = 2 i, and f[j] at n = 2 i + j - 5."""
CENTRE, REACH = 5, 3
MARGIN = 5
"""Half pixels beyond the first and last pixel that ``halve`` reads."""
BANDS = 4
LONGEST = 43
"""Taps of the longest band filter: 1 + 6 (1 + 2 + 4)."""


def reflected(index: Any, size: int) -> Any:
    """Find the pixel in 0..size-1 that stands at an index of the image reflected about its outer pixels, for ever."""
    index = index % (2 * (size - 1))
    return np.minimum(index, 2 * (size - 1) - index)


def double(x: Any) -> Any:
    """Double the resolution of the reflected image over one whole period of it, which wraps around.

    Along each axis of n pixels ``out[m] = 2 sum_i f[m - 2 i + 5] x[i]``, x reflected about its outer pixels, m from 0 to
    4 (n - 1) - 1. A table of the period holds what any position in the plane needs, and no padding has to reach it.

    Args:
        x: [B, H, W, C], H and W at least 2.

    Returns:
        [B, 4 (H - 1), 4 (W - 1), C].
    """
    return linear(Forms(_double, _double_transposed), x)


def halve(y: Any) -> Any:
    """Halve the resolution: ``out[i] = sum_j f[j] y[2 i + j]``, the first of y at half pixel -5.

    Args:
        y: [B, 2 H + 10, 2 W + 10, C].

    Returns:
        [B, H, W, C]. Of the undisturbed half pixels of ``double`` that is the image again: the wavelet is orthogonal.
    """
    return linear(Forms(_halve, _halve_transposed), y)


def _double(x: Any) -> Any:
    for axis in (2, 1):
        size = x.shape[axis]
        around = np.arange(-REACH, 2 * (size - 1) + REACH)
        x = _interleave(jnp.take(x, jnp.asarray(reflected(around, size)), axis=axis), axis, 2.0)
    return x


def _double_transposed(y: Any) -> Any:
    rows, columns = (_doubling(n // 4 + 1).T for n in y.shape[1:3])
    return _separable(rows, columns, y)


def _halve(y: Any) -> Any:
    rows, columns = (_halving((n - 2 * MARGIN) // 2) for n in y.shape[1:3])
    return _separable(rows, columns, y)


def _halve_transposed(x: Any) -> Any:
    for axis in (2, 1):
        size = x.shape[axis]
        pads = [(2 * REACH, 2 * REACH) if i == axis else (0, 0) for i in range(4)]
        wide = _interleave(jnp.pad(x, pads), axis, 1.0)  # from half pixel -6
        x = lax.slice_in_dim(wide, 1, 1 + 2 * size + 2 * MARGIN, axis=axis)
    return x


def _interleave(x: Any, axis: int, gain: float) -> Any:
    """Filter zeros between the pixels: ``out[2 m + r] = gain sum_i f[2 m + r - 2 i + 5] x[i]``, as shifts and sums.

    The first 3 and last 3 pixels of x are its surroundings: n + 6 pixels make 2 n half pixels.
    """
    size = x.shape[axis] - 2 * REACH

    def phase(r: int) -> Any:
        taps = [j for j in range(len(LOW)) if (r + CENTRE - j) % 2 == 0]
        starts = [REACH + (r + CENTRE - j) // 2 for j in taps]
        parts = [lax.slice_in_dim(x, s, s + size, axis=axis) for s in starts]
        weights = [jnp.asarray(gain * LOW[j], x.dtype) for j in taps]
        return functools.reduce(jnp.add, [w * part for w, part in zip(weights, parts, strict=True)])

    pair = jnp.stack([phase(0), phase(1)], axis + 1)
    return pair.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])


def _separable(rows: np.ndarray, columns: np.ndarray, x: Any) -> Any:
    """Apply matrices to both axes: rows first, one product over the whole width; then columns of what is left."""
    batch, _, width, channels = x.shape
    x = jnp.einsum('hy,byk->bhk', rows, x.reshape(batch, x.shape[1], -1), precision='highest')
    x = x.reshape(batch, -1, width, channels)
    return jnp.einsum('wx,bhxc->bhwc', columns, x, precision='highest')


@functools.cache
def _doubling(size: int) -> np.ndarray:
    """Make the matrix [4 (n - 1), n] of ``double`` along one axis."""
    period = 4 * (size - 1)
    matrix = np.zeros((period, size))
    for i in range(2 * (size - 1)):
        np.add.at(matrix[:, reflected(i, size)], (2 * i + np.arange(12) - CENTRE) % period, 2.0 * LOW)
    return matrix.astype(np.float32)


@functools.cache
def _halving(size: int) -> np.ndarray:
    """Make the matrix [n, 2 n + 10] of ``halve`` along one axis."""
    matrix = np.zeros((size, 2 * size + 2 * MARGIN))
    for i in range(size):
        matrix[i, 2 * i : 2 * i + len(LOW)] = LOW
    return matrix.astype(np.float32)


@functools.cache
def bank() -> np.ndarray:
    """Make the band filters [4, 43], centred, from the lowest octave to the highest; their sum is a unit impulse.

    With H the sym2 low-pass filter, ``L(z) = H(z) H(1/z) / 2`` and ``L(z) + L(-z) = 1``: the highest band is
    ``L(-z)``, the next one ``L(z) L(-z^2)``, and so on to ``L(z) L(z^2) L(z^4)``.
    """
    low = np.convolve(SYM2, SYM2[::-1]) / 2.0
    signs = (-1.0) ** np.arange(-3, 4)
    high = low * signs
    bands = []
    for band in range(BANDS):
        octaves = BANDS - max(band, 1)
        factors = [low] * octaves if band == 0 else [low] * (octaves - 1) + [high]
        found = np.ones(1)
        for octave, factor in enumerate(factors):
            found = np.convolve(found, _spread(factor, 2**octave))
        bands.append(np.pad(found, (LONGEST - len(found)) // 2))
    return np.stack(bands)


def _spread(taps: np.ndarray, step: int) -> np.ndarray:
    out = np.zeros((len(taps) - 1) * step + 1)
    out[::step] = taps
    return out


@functools.cache
def band_matrices(size: int) -> np.ndarray:
    """Make the matrices [4, n, n] that filter n pixels, reflected about the outer ones, to each band."""
    out = np.zeros((BANDS, size, size))
    for i in range(size):
        for tap in range(LONGEST):
            out[:, i, reflected(i + tap - LONGEST // 2, size)] += bank()[:, tap]
    return out.astype(np.float32)
