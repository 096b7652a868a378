"""The norm of a tree: on CPU by one pass over its memory, where XLA would write down all squares and read them again."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgan.ops import native
from jaxgan.ops.primitives import calls_kernels


def norm(tree: Any) -> Any:
    """Compute the Euclidean norm of all numbers of a tree: ``sqrt(sum(x^2))``, as ``optax.tree.norm``.

    Where the compiled kernels are used, float32 is summed in float32 by parts of 8,192 numbers, in 16 to 64 sums each, and all of those in
    float64: of 3 million equal numbers the error is 4e-7. The result does not depend on the number of threads.

    Args:
        tree: real arrays.

    Returns:
        A scalar of float32; 0 of no arrays.

    >>> import jax.numpy as jnp
    >>> float(norm({'kernel': jnp.full((2, 2), 2.0), 'bias': jnp.float32(3.0)}))
    5.0
    """
    leaves = jax.tree.leaves(tree)
    return jnp.sqrt(squares_p.bind(*leaves)) if leaves else jnp.float32(0.0)


def _plainly(*leaves: Any) -> Any:
    return sum(jnp.sum(jnp.square(leaf).astype(jnp.float32)) for leaf in leaves)


def _jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    out = squares_p.bind(*primals)
    moved = [(x, t) for x, t in zip(primals, tangents, strict=True) if type(t) is not ad.Zero]
    if not moved:
        return out, ad.Zero(jax.typeof(out).to_tangent_aval())
    return out, 2.0 * sum(jnp.sum((x * t).astype(jnp.float32)) for x, t in moved)


def _lower_on_cpu(ctx: Any, *leaves: Any) -> Any:
    alike = all(aval.dtype == jnp.float32 for aval in ctx.avals_in)
    form = native.squares if alike and calls_kernels(ctx) and native.compute('float32') else _plainly
    return mlir.lower_fun(form, multiple_results=False)(ctx, *leaves)


squares_p = Primitive('jaxgan_squares')
squares_p.def_abstract_eval(lambda *leaves: ShapedArray((), jnp.dtype(jnp.float32)))
squares_p.def_impl(jax.jit(squares_p.bind))
ad.primitive_jvps[squares_p] = _jvp
batching.primitive_batchers[squares_p] = lambda leaves, axes: (jax.vmap(_plainly, axes)(*leaves), 0)
mlir.register_lowering(squares_p, mlir.lower_fun(_plainly, multiple_results=False))
mlir.register_lowering(squares_p, _lower_on_cpu, platform='cpu')
