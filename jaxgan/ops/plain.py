"""The three maps as XLA's own convolution and its adjoints: what accelerators run, and what the tests compare with."""

from typing import Any

import jax
from jax import lax

from jaxgan.ops.geometry import Geometry

DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')


def conv(x: Any, w: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Convolve x [B, H, W, C] with w [kh, kw, C/groups, O] to [B, h, w, O]."""
    return lax.conv_general_dilated(
        x,
        w,
        (geometry.stride, geometry.stride),
        [(lo, max(hi, 0)) for lo, hi in geometry.padding],  # rounding down ignores the rows that hi < 0 cuts
        dimension_numbers=DIMENSIONS,
        feature_group_count=geometry.groups,
        precision=precision,
    )


def transposed(y: Any, w: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Apply the adjoint of ``conv`` in x to y [B, h, w, O]: [B, H, W, C]."""
    size = geometry.input_size(y.shape[1:3], w.shape[:2])
    x = jax.ShapeDtypeStruct((y.shape[0], *size, w.shape[2] * geometry.groups), y.dtype)
    return jax.linear_transpose(lambda x: conv(x, w, geometry, precision), x)(y)[0]


def conv_transpose(y: Any, w: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Apply a transposed convolution with Flax's kernel w [kh, kw, C/groups, O]: a convolution of dilated images.

    The result is ``transposed``'s with the mirrored kernel; the layout of w is the one that converters to other
    formats know.
    """
    padding = [(k - 1 - lo, k - 1 - hi) for k, (lo, hi) in zip(w.shape, geometry.padding)]
    return lax.conv_general_dilated(
        y,
        w,
        (1, 1),
        padding,
        lhs_dilation=(geometry.stride, geometry.stride),
        dimension_numbers=DIMENSIONS,
        feature_group_count=geometry.groups,
        precision=precision,
    )


def weight_gradient(x: Any, y: Any, geometry: Geometry, precision: Any = None) -> Any:
    """Apply the adjoint of ``conv`` in w to y [B, h, w, O]: [kh, kw, C/groups, O]."""
    kernel = geometry.kernel_size(x.shape[1:3], y.shape[1:3])
    w = jax.ShapeDtypeStruct((*kernel, x.shape[3] // geometry.groups, y.shape[3]), x.dtype)
    return jax.linear_transpose(lambda w: conv(x, w, geometry, precision), w)(y)[0]
