"""Linear maps that come with a form of their own for the transpose, so that every order of differentiation is fast.

XLA:CPU's transposes of gathers and of interleaved shifts are far slower than what the same map can be written as.
``linear`` knows both forms: the map's derivative is the map, its transpose the other form, whose transpose is the map.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


class Forms(NamedTuple):
    """A linear map of x and its transpose, both ``(array [B, ...], *constants [B, ...]) -> array [B, ...]``.

    Neither may mix entries of the leading axis: ``vmap`` folds the mapped axis into it.
    """

    forward: Callable
    transposed: Callable


def linear(forms: Forms, x: Any, *constants: Any) -> Any:
    """Apply ``forms.forward(x, *constants)``, differentiable in x to every order; constants count as such.

    Args:
        forms: functions that stay the same objects from call to call, since compiled programs are kept by them.
        x: [B, ...].
        constants: [B, ...] each.
    """
    return linear_p.bind(x, *map(jax.lax.stop_gradient, constants), forms=forms)


def _result(x: Any, *constants: Any, forms: Forms) -> ShapedArray:
    found = jax.eval_shape(forms.forward, *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (x, *constants)))
    return ShapedArray(found.shape, found.dtype)


def _forward(x: Any, *constants: Any, forms: Forms) -> Any:
    return forms.forward(x, *constants)


def _jvp(primals: Any, tangents: Any, *, forms: Forms) -> tuple[Any, Any]:
    out = linear_p.bind(*primals, forms=forms)
    if type(tangents[0]) is ad.Zero:
        return out, ad.Zero(jax.typeof(out).to_tangent_aval())
    return out, linear_p.bind(tangents[0], *primals[1:], forms=forms)


def _transpose(cotangent: Any, x: Any, *constants: Any, forms: Forms) -> list[Any]:
    rest = [None] * len(constants)
    if type(cotangent) is ad.Zero:
        return [None, *rest]
    return [linear_p.bind(cotangent, *constants, forms=Forms(forms.transposed, forms.forward)), *rest]


def _batch(operands: Any, axes: Any, *, forms: Forms) -> tuple[Any, int]:
    n = next(a.shape[i] for a, i in zip(operands, axes, strict=True) if i is not None)
    whole = [
        jnp.broadcast_to(a[None], (n, *a.shape)) if i is None else jnp.moveaxis(a, i, 0)
        for a, i in zip(operands, axes, strict=True)
    ]
    out = linear_p.bind(*(a.reshape(-1, *a.shape[2:]) for a in whole), forms=forms)
    return out.reshape(n, -1, *out.shape[1:]), 0


linear_p = Primitive('jaxgan_linear')
linear_p.def_impl(jax.jit(_forward, static_argnames='forms'))
linear_p.def_abstract_eval(_result)
ad.primitive_jvps[linear_p] = _jvp
ad.primitive_transposes[linear_p] = _transpose
batching.primitive_batchers[linear_p] = _batch
mlir.register_lowering(linear_p, mlir.lower_fun(_forward, multiple_results=False))
