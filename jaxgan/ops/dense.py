"""Dense convolutions and their adjoints in the forms that XLA:CPU runs fast; groups are ``jaxgan.ops.cpu``'s.

Which form serves where was measured at batches of 16 to 64 with XLA's default options, jax 0.10.2 and 0.12, on 2 cores.
What XLA:CPU does slowly, and what stands in for it:

- the transpose at stride 2, a convolution whose input is dilated: one GEMM whose taps are added where they land;
- a weight gradient, fast at the top level of a program (but for a transposed convolution's) and 60 times slower inside
  ``lax.scan``: a GEMM a tap, fast in both, or a convolution in the layout that XLA knows;
- a 1x1 convolution: one GEMM.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxgan.ops import plain
from jaxgan.ops.geometry import Geometry, Sides

NARROW = 32  # features up to which a weight gradient is a convolution rather than a GEMM a tap
LARGE = 2**27  # bytes of taps from which a transpose at stride 2 is a convolution: about as fast, less memory
NONE: Sides = ((0, 0), (0, 0))


def conv(x: Any, w: Any, geometry: Geometry, precision: Any) -> Any:
    """Convolve x [B, H, W, C] with w [kh, kw, C, O] to [B, h, w, O]."""
    if w.shape[:2] == (1, 1) and geometry == Geometry(1, NONE, 1):
        return lax.dot_general(x, w[0, 0], (((3,), (0,)), ((), ())), precision=precision)
    return plain.conv(x, w, geometry, precision)


def transposed(y: Any, w: Any, geometry: Geometry, precision: Any) -> Any:
    """Apply the adjoint of ``conv`` in x to y [B, h, w, O]: [B, H, W, C]."""
    if geometry.stride > 1:
        return _strided_transposed(y, w, geometry, precision)
    if w.shape[:2] == (1, 1) and geometry.padding == NONE:
        return lax.dot_general(y, w[0, 0], (((3,), (1,)), ((), ())), precision=precision)
    return _flipped_conv(y, w, geometry.padding, precision)


def weight_gradient(x: Any, y: Any, geometry: Geometry, precision: Any) -> Any:
    """Apply the adjoint of ``conv`` in w to y [B, h, w, O]: [kh, kw, C, O]."""
    s, c, o = geometry.stride, x.shape[3], y.shape[3]
    kh, kw = geometry.kernel_size(x.shape[1:3], y.shape[1:3])
    x = pad(x, geometry.padding)
    if (kh, kw) == (1, 1):
        return _contract_pixels(x[:, ::s, ::s], y, precision)[None, None]
    if max(c, o) <= NARROW:
        return _exchanged_conv(x, y, s, precision)
    if s == 1 and o < c:
        # the same sum seen from y, whose taps are smaller: they are those of x in reverse order
        spread = pad(y, ((kh - 1, kh - 1), (kw - 1, kw - 1)))
        return _tap_products(spread, x, (kh, kw), 1, precision)[::-1, ::-1].swapaxes(2, 3)
    return _tap_products(x, y, (kh, kw), s, precision)


def pad(x: Any, sides: Any, interior: int = 0) -> Any:
    """Pad rows and columns with zeros, and put ``interior`` zeros between them; a negative number crops."""
    config = [(0, 0, 0), *((lo, hi, interior) for lo, hi in sides), *[(0, 0, 0)] * (x.ndim - 3)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def place(x: Any, corner: Sequence[int], size: Sequence[int], stride: int = 1) -> Any:
    """Put the pixels of x, ``stride`` apart from ``corner`` on, into zeros of a size; those outside are lost."""
    spans = [(n - 1) * stride + 1 for n in x.shape[1:3]]
    sides = [(at, n - span - at) for at, n, span in zip(corner, size, spans, strict=True)]
    return pad(x, sides, stride - 1)


def _tap_products(x: Any, y: Any, kernel: Sequence[int], stride: int, precision: Any) -> Any:
    """Compute the weight gradient of padded images as one GEMM a tap; in a loop, so that the taps share a buffer."""
    (b, _, _, c), (_, h, w, o) = x.shape, y.shape
    span = (b, (h - 1) * stride + 1, (w - 1) * stride + 1, c)

    def product(tap: Any) -> Any:
        seen = lax.dynamic_slice(x, (0, tap // kernel[1], tap % kernel[1], 0), span)
        return _contract_pixels(seen[:, ::stride, ::stride], y, precision)

    return lax.map(product, jnp.arange(kernel[0] * kernel[1])).reshape(*kernel, c, o)


def _contract_pixels(x: Any, y: Any, precision: Any) -> Any:
    """Sum the outer products of features over all pixels, [C, O]: one GEMM, the narrower operand first."""
    x, y = x.reshape(-1, x.shape[3]), y.reshape(-1, y.shape[3])
    contract = (((0,), (0,)), ((), ()))
    if x.shape[1] <= y.shape[1]:
        return lax.dot_general(x, y, contract, precision=precision)
    # without the barrier XLA would undo the exchange
    return lax.optimization_barrier(lax.dot_general(y, x, contract, precision=precision)).T


def _exchanged_conv(x: Any, y: Any, stride: int, precision: Any) -> Any:
    """Compute the weight gradient of padded images as a convolution whose batch and features change places."""
    images, kernel = x.transpose(3, 1, 2, 0), y.transpose(1, 2, 0, 3)
    dilation = {'rhs_dilation': (stride, stride), 'dimension_numbers': plain.DIMENSIONS}
    out = lax.conv_general_dilated(images, kernel, (1, 1), 'VALID', precision=precision, **dilation)
    return out.transpose(1, 2, 0, 3)


def _flipped_conv(y: Any, w: Any, padding: Sides, precision: Any) -> Any:
    """Transpose a convolution of stride 1: the convolution with the flipped kernel.

    The barrier makes XLA write the kernel down: folded into the convolution, the flip hides it from fast libraries.
    """
    kernel = lax.optimization_barrier(w[::-1, ::-1].swapaxes(2, 3))
    (top, bottom), (left, right) = padding
    kh, kw = w.shape[:2]
    sides = ((kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right))
    y = pad(y, [[min(n, 0) for n in side] for side in sides])
    rows, columns = ((max(lo, 0), max(hi, 0)) for lo, hi in sides)
    return plain.conv(y, kernel, Geometry(1, (rows, columns), 1), precision)


def _overlap_add(y: Any, w: Any, precision: Any) -> Any:
    """Transpose an unpadded convolution of stride 1: one GEMM, its taps added where they land (col2im)."""
    kh, kw = w.shape[:2]
    size = (y.shape[1] + kh - 1, y.shape[2] + kw - 1)
    wide = jnp.float32 if y.dtype.itemsize < 4 else y.dtype  # sums of bfloat16 are slow, and less exact
    contract = (((3,), (3,)), ((), ()))
    taps = lax.dot_general(y, w, contract, precision=precision, preferred_element_type=wide)
    pieces = [place(taps[:, :, :, i, j], (i, j), size) for i in range(kh) for j in range(kw)]
    return functools.reduce(jnp.add, pieces).astype(y.dtype)


def _strided_transposed(y: Any, w: Any, geometry: Geometry, precision: Any) -> Any:
    """Transpose a convolution of stride s: s x s blocks of pixels become features of a transpose of stride 1."""
    s = geometry.stride
    kernel = _fold_kernel(w, s)
    known = (
        y if isinstance(y.shape[0], int) else y[0]
    )  # an export's batch may have any size: judge by one sample
    taps_size = known.size // y.shape[3] * (kernel.size // kernel.shape[3]) * y.dtype.itemsize
    form = _overlap_add if taps_size < LARGE else lambda y, w, precision: _flipped_conv(y, w, NONE, precision)
    x = _depth_to_space(form(y, kernel, precision), s)
    (top, _), (left, _) = geometry.padding
    return place(x, (-top, -left), geometry.input_size(y.shape[1:3], w.shape[:2]))


def _fold_kernel(w: Any, s: int) -> Any:
    """Map a kernel [kh, kw, C, O] of stride s to the kernel [kh/s, kw/s, s s C, O] of stride 1, rounding up."""
    kh, kw, c, o = w.shape
    p, q = -(-kh // s), -(-kw // s)
    w = jnp.pad(w, ((0, p * s - kh), (0, q * s - kw), (0, 0), (0, 0)))
    return w.reshape(p, s, q, s, c, o).transpose(0, 2, 1, 3, 4, 5).reshape(p, q, s * s * c, o)


def _depth_to_space(x: Any, s: int) -> Any:
    """Map [B, h, w, s s C] to [B, s h, s w, C]."""
    b, h, w, c = x.shape
    c //= s * s
    return x.reshape(b, h, w, s, s, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, s * h, s * w, c)
