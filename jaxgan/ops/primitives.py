"""Three bilinear primitives, closed under differentiation: each one's transposes are the other two.

With ``conv(x, w)``, ``transposed(y, w)`` its adjoint in x, and ``weight_gradient(x, y)`` its adjoint in w, one trilinear
form holds them together::

    <conv(x, w), y> = <x, transposed(y, w)> = <w, weight_gradient(x, y)>

so any nesting of jvp and vjp (R1, R2, WGAN-GP: the gradient of a gradient) consists of these three, and never of the
dilated convolutions that XLA's own derivative rules make, which XLA:CPU runs at 0-5 GFLOP/s. On CPU they lower to
``jaxgan.ops.cpu``, or to the kernels of ``jaxgan.ops.native`` where a process has loaded them; elsewhere to XLA's
convolution.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgan.ops import cpu, native, plain
from jaxgan.ops.geometry import Geometry


def _conv_shape(x: Any, w: Any, geometry: Geometry) -> tuple[Any, ...]:
    features = w.shape[2] * geometry.groups if geometry.mirrored else w.shape[3]
    return (x.shape[0], *geometry.output_size(x.shape[1:3], w.shape[:2]), features)


def _transposed_shape(y: Any, w: Any, geometry: Geometry) -> tuple[Any, ...]:
    features = w.shape[3] if geometry.mirrored else w.shape[2] * geometry.groups
    return (y.shape[0], *geometry.input_size(y.shape[1:3], w.shape[:2]), features)


def _weight_gradient_shape(x: Any, y: Any, geometry: Geometry) -> tuple[Any, ...]:
    shared, whole = (y, x) if geometry.mirrored else (x, y)
    return (
        *geometry.kernel_size(x.shape[1:3], y.shape[1:3]),
        shared.shape[3] // geometry.groups,
        whole.shape[3],
    )


def mirror(w: Any, groups: int) -> Any:
    """Store a kernel as its transpose's: w [kh, kw, C/groups, O] as [kh, kw, O/groups, C], flipped; and back."""
    kh, kw, i, o = w.shape
    flipped = w[::-1, ::-1].reshape(kh, kw, i, groups, o // groups)
    return flipped.transpose(0, 1, 4, 3, 2).reshape(kh, kw, o // groups, groups * i)


def unmirrored(form: Callable) -> Callable:
    """Make a form of a map, written for kernels as they are, take (or give) mirrored ones too."""

    def apply(a: Any, b: Any, geometry: Geometry, precision: Any) -> Any:
        if not geometry.mirrored:
            return form(a, b, geometry, precision)
        plainly = geometry._replace(mirrored=False)
        if form.__name__ == 'weight_gradient':
            return mirror(form(a, b, plainly, precision), geometry.groups)
        return form(a, mirror(b, geometry.groups), plainly, precision)

    return apply


def _primitive(name: str, shape: Callable, order: str) -> Primitive:
    """Make a primitive from its namesakes in ``plain``, ``cpu`` and ``native``; ``order``: its operands, its result."""
    target = 'jaxgan_' + ('conv' if name == 'conv' else f'conv_{name}')
    primitive = Primitive(target)
    plain_form, cpu_form = unmirrored(getattr(plain, name)), unmirrored(getattr(cpu, name))
    native_form = getattr(native, name)

    def result(a: Any, b: Any, *, geometry: Geometry, precision: Any) -> ShapedArray:
        del precision
        return ShapedArray(shape(a, b, geometry), a.dtype)

    @functools.cache
    def compiled(**params: Any) -> Callable:
        return jax.jit(functools.partial(primitive.bind, **params))

    def lower_on_cpu(ctx: Any, a: Any, b: Any, *, geometry: Geometry, precision: Any) -> Any:
        form = functools.partial(cpu_form, geometry=geometry, precision=precision)
        (out,) = ctx.avals_out
        operands = dict(zip(order, (*ctx.avals_in, out), strict=True))
        if calls_kernels(ctx) and native.serves(target, **operands, geometry=geometry):
            form = functools.partial(native_form, geometry=geometry, shape=out.shape)
        return mlir.lower_fun(form, multiple_results=False)(ctx, a, b)

    primitive.def_abstract_eval(result)
    primitive.def_impl(lambda a, b, **params: compiled(**params)(a, b))  # as in jit: the platform's lowering
    mlir.register_lowering(primitive, mlir.lower_fun(plain_form, multiple_results=False))
    mlir.register_lowering(primitive, lower_on_cpu, platform='cpu')
    return primitive


def calls_kernels(ctx: Any) -> bool:
    """Say whether a program that is being lowered for CPU may call kernels of ours."""
    return native.form.value == 'native' and _devices(ctx) == 1


def _devices(ctx: Any) -> int:
    """Count the devices that a program is partitioned over: XLA cannot split a kernel of ours."""
    return getattr(ctx.module_context.axis_context, 'num_devices', None) or 1


conv_p = _primitive('conv', _conv_shape, 'xwy')
transposed_p = _primitive('transposed', _transposed_shape, 'ywx')
weight_gradient_p = _primitive('weight_gradient', _weight_gradient_shape, 'xyw')

ad.defbilinear(
    conv_p,
    lambda y, x, w, **params: transposed_p.bind(y, w, **params),
    lambda y, x, w, **params: weight_gradient_p.bind(x, y, **params),
)
ad.defbilinear(
    transposed_p,
    lambda x, y, w, **params: conv_p.bind(x, w, **params),
    lambda x, y, w, **params: weight_gradient_p.bind(x, y, **params),
)
ad.defbilinear(
    weight_gradient_p,
    lambda w, x, y, **params: transposed_p.bind(y, w, **params),
    lambda w, x, y, **params: conv_p.bind(x, w, **params),
)

# Batching folds the mapped axis into an axis that the map treats independently. Of a single mapped operand that is
# the batch (axis 0), the kernel's input features (axis 2), or the features within each group (axis 3); where both
# operands are mapped it is the groups. A mirrored kernel has the last two in each other's place.

BATCH, KERNEL_INPUT, FEATURES = 0, 2, 3
SWAPPED = {KERNEL_INPUT: FEATURES, FEATURES: KERNEL_INPUT}


def _fold(a: Any, axis: int, groups: int) -> Any:
    """Move axis 0, of size n, into ``axis`` of the rest, between its groups and what each holds: (groups n d)."""
    n, *shape = a.shape
    d = shape[axis] // groups
    a = a.reshape(n, *shape[:axis], groups, d, *shape[axis + 1 :])
    return jnp.moveaxis(a, 0, axis + 1).reshape(*shape[:axis], groups * n * d, *shape[axis + 1 :])


def _unfold(a: Any, axis: int, groups: int, n: int) -> Any:
    """Undo ``_fold``."""
    shape = a.shape
    d = shape[axis] // (groups * n)
    a = a.reshape(*shape[:axis], groups, n, d, *shape[axis + 1 :])
    return jnp.moveaxis(a, axis + 1, 0).reshape(n, *shape[:axis], groups * d, *shape[axis + 1 :])


def _define_batching(primitive: Primitive, first: tuple[int, int], second: tuple[int, int]) -> None:
    """Define vmap; ``first`` and ``second`` name (operand's axis, result's axis) where only that one is mapped."""
    kernel_is_result = primitive is weight_gradient_p

    def rule(operands: Any, axes: Any, *, geometry: Geometry, precision: Any) -> tuple[Any, int]:
        mapped = [axis is not None for axis in axes]
        operands = [jnp.moveaxis(a, i, 0) if m else a for a, i, m in zip(operands, axes, mapped, strict=True)]
        n = operands[mapped.index(True)].shape[0]
        if all(mapped):
            folded = [_fold(a, FEATURES, 1) for a in operands]
            wider = geometry._replace(groups=n * geometry.groups)
            out = primitive.bind(*folded, geometry=wider, precision=precision)
            return _unfold(out, FEATURES, 1, n), 0
        axis, out_axis = first if mapped[0] else second
        if geometry.mirrored and kernel_is_result:
            out_axis = SWAPPED[out_axis]
        elif geometry.mirrored and mapped[1]:
            axis = SWAPPED[axis]
        groups = {BATCH: 1, KERNEL_INPUT: 1, FEATURES: geometry.groups}
        folded = [_fold(a, axis, groups[axis]) if m else a for a, m in zip(operands, mapped, strict=True)]
        out = primitive.bind(*folded, geometry=geometry, precision=precision)
        return _unfold(out, out_axis, groups[out_axis], n), 0

    batching.primitive_batchers[primitive] = rule


_define_batching(conv_p, (BATCH, BATCH), (FEATURES, FEATURES))
_define_batching(transposed_p, (BATCH, BATCH), (KERNEL_INPUT, FEATURES))
_define_batching(weight_gradient_p, (FEATURES, KERNEL_INPUT), (FEATURES, FEATURES))
