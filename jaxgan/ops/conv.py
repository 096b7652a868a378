"""Convolution and transposed convolution, with Flax's kernels, fast on CPU to every order of differentiation."""

from typing import Any

import jax
from jaxtyping import Array, Float

from jaxgan.errors import InputError
from jaxgan.ops import plain
from jaxgan.ops.geometry import Geometry, conv_padding, transpose_padding
from jaxgan.ops.native import form
from jaxgan.ops.primitives import conv_p, transposed_p

Maps = Float[Array, 'b h w c']
Kernel = Float[Array, 'kh kw i o']
Result = Float[Array, 'b y x o']
Padding = Any  # 'SAME', 'VALID', an int, or ((low, high), (low, high))


def conv(
    x: Maps,
    w: Kernel,
    *,
    stride: int = 1,
    padding: Padding = 0,
    groups: int = 1,
) -> Result:
    """Convolve images with a kernel.

    ``out[b, i, j, o] = sum_{a, a', c} x[b, i stride + a - low, j stride + a' - low', c] w[a, a', c, o]``, x zero
    outside; with groups, the features of x and of the result fall into ``groups`` equal runs, and each run of the
    result sees its run of x only. Parameters and result of ``flax.linen.Conv``.

    Args:
        x: [B, H, W, C].
        w: [kh, kw, C / groups, O].
        stride: of both axes.
        padding: ``'SAME'`` (size ``ceil(H / stride)``), ``'VALID'``, an int, or ``((low, high), (low, high))``.
        groups: divides C and O; ``groups = C`` is a depthwise convolution.

    Returns:
        [B, (H + low + high - kh) // stride + 1, (W + low' + high' - kw) // stride + 1, O].

    Raises:
        InputError: the sizes do not fit.
    """
    _check(x, w, stride, groups)
    exact = conv_padding(padding, x.shape[1:3], w.shape[:2], stride)
    return _apply(plain.conv, conv_p, x, w, Geometry(stride, exact, groups))


def conv_transpose(
    x: Maps,
    w: Kernel,
    *,
    stride: int = 1,
    padding: Padding = 'SAME',
    groups: int = 1,
    shape: tuple[int, int] | None = None,
) -> Result:
    """Apply the adjoint of a convolution: with stride 2, double the size.

    ``out[b, i stride + (kh - 1 - a) - low, j stride + (kw - 1 - a') - low', o] += sum_c x[b, i, j, c] w[a, a', c, o]``
    over all i, j, a, a': the adjoint in its images of ``conv(., v, stride, padding)`` with
    ``v[a, a', o, c] = w[kh - 1 - a, kw - 1 - a', c, o]``. Parameters and result of ``flax.linen.ConvTranspose`` (its
    default ``transpose_kernel=False``) for ``'SAME'`` and ``'VALID'``; PyTorch's kernel is this one flipped. As in
    PyTorch, a number counts the rows that the result loses at a side (Flax's, those that its dilated input gains).

    Args:
        x: [B, H, W, C].
        w: [kh, kw, C / groups, O].
        stride: of both axes.
        padding: of that convolution: ``'SAME'``, ``'VALID'``, an int, or ``((low, high), (low, high))``. A kernel of 4
            with stride 2 doubles the size with ``1``, which is the same as ``'SAME'``.
        groups: divides C and O.
        shape: (H, W) of the result, for a size that the stride rounds away. Default: ``stride H`` with ``'SAME'``,
            ``(H - 1) stride + max(kh, stride)`` with ``'VALID'``, ``(H - 1) stride + kh - low - high`` with numbers.

    Returns:
        [B, *shape, O].

    Raises:
        InputError: the sizes do not fit.
    """
    _check(x, w, stride, groups)
    exact = transpose_padding(padding, x.shape[1:3], w.shape[:2], stride, shape)
    return _apply(plain.conv_transpose, transposed_p, x, w, Geometry(stride, exact, groups, mirrored=True))


def _apply(portable: Any, primitive: Any, a: Any, w: Any, geometry: Geometry) -> Any:
    # read while the caller's context holds: the lowering may run after it
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    if form.value == 'portable':
        return portable(a, w, geometry, precision)
    return primitive.bind(a, w, geometry=geometry, precision=precision)


def _check(x: Any, w: Any, stride: int, groups: int) -> None:
    if x.ndim != 4 or w.ndim != 4:
        raise InputError(f'expected x [B, H, W, C] and w [kh, kw, C/groups, O], got {x.shape} and {w.shape}')
    if x.dtype != w.dtype:
        raise InputError(f'x is {x.dtype} and w is {w.dtype}: cast one of them')
    if stride < 1 or groups < 1:
        raise InputError(f'stride {stride} and groups {groups} must be at least 1')
    if x.shape[3] != w.shape[2] * groups:
        raise InputError(
            f'x has {x.shape[3]} channels, but w {w.shape} with {groups} groups takes {w.shape[2]} * {groups}'
        )
    if w.shape[3] % groups:
        raise InputError(f'{w.shape[3]} output channels of w {w.shape} are not a multiple of {groups} groups')
