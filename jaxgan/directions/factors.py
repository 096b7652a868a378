"""SeFa: the directions of a code that change most what the first layers make of it, in closed form and without data.

References:
    Shen and Zhou 2020, Closed-form factorization of latent semantics in GANs, arXiv 2007.06600.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.directions.types import HIGHEST, fix_signs
from jaxgan.errors import InputError
from jaxgan.types import Key

ROUNDING = 16  # units of the last place, of the largest value, by which an affine layer may miss


def sefa(matrix: Any, count: int) -> tuple[Any, Any]:
    """Find the unit vectors n that maximize ``||A n||^2``, orthogonal to each other: eigenvectors of ``A^T A``.

    Args:
        matrix: A, [F, D].
        count: how many, at most D.

    Returns:
        Directions [count, D] and their eigenvalues, falling.
    """
    values, vectors = jnp.linalg.eigh(jnp.matmul(matrix.T, matrix, precision=HIGHEST))
    return fix_signs(vectors[:, ::-1].T[:count]), jnp.maximum(values[::-1][:count], 0)


def affine_layers(respond: Callable, arguments: Any, dim: int, key: Key) -> dict[str, Any]:
    """Find the layers that see a code itself, and what each does to it.

    Such a layer's activations are a vector a sample, and affine: ``f(a + b) - f(a) - f(b) + f(0) = 0`` up to rounding, and
    not constant. No name or kind of layer is asked for, and every scale that a network applies to its weights when
    they are used is in the matrix. Maps of features, which may be affine still (batch normalization of the first
    layer's result), do not count.

    Args:
        respond: ``(arguments, codes [B, D]) -> {layer: activations [B, ...]}``, pure.
        arguments: its parameters.
        dim: D.
        key: of the codes a and b.

    Returns:
        Matrices [F, D] by layer.

    Raises:
        InputError: no layer is.
    """
    found = {}
    missed, matrices = _probe(respond, arguments, dim, key)
    for name, matrix in matrices.items():
        if _is_affine(missed[name], matrix.dtype) and float(jnp.max(jnp.abs(matrix))) > 0:
            found[name] = matrix.astype(jnp.float32)
    if not found:
        raise InputError(
            'sefa: no layer of this generator is a linear map of these codes (it normalizes them first, or maps them): '
            'take the method ganspace, or another space'
        )
    return found


def first_curved(respond: Callable, arguments: Any, dim: int, key: Key) -> tuple[list[str], str]:
    """Name the layers in their order, and the first that is no affine map of the code; the last where all are.

    Args:
        respond: as for ``affine_layers``.
        arguments: its parameters.
        dim: D.
        key: of two codes.
    """
    names: list[str] = []
    jax.eval_shape(
        lambda a, codes: names.extend(respond(a, codes)),
        arguments,
        jax.ShapeDtypeStruct((1, dim), jnp.float32),
    )
    missed, _ = _probe(respond, arguments, dim, key)
    dtypes = jax.eval_shape(respond, arguments, jax.ShapeDtypeStruct((1, dim), jnp.float32))
    curved = [name for name in names if not _is_affine(missed[name], dtypes[name].dtype)]
    return names, (curved or names[-1:])[0]


def _is_affine(missed: Any, dtype: Any) -> bool:
    return float(missed) <= max(ROUNDING * float(jnp.finfo(dtype).eps), 1e-4)


@functools.partial(jax.jit, static_argnames=('respond', 'dim'))
def _probe(respond: Callable, arguments: Any, dim: int, key: Key) -> tuple[Any, Any]:
    """Measure how far each layer is from affine, as a part of its largest value, and the Jacobian of those that give vectors."""

    def miss(x: Any) -> Any:
        x = x.astype(jnp.float32)
        return jnp.max(jnp.abs(x[0] - x[1] - x[2] + x[3])) / jnp.maximum(jnp.max(jnp.abs(x)), 1e-12)

    def vectors(code: Any) -> dict[str, Any]:
        return {name: x[0] for name, x in respond(arguments, code[None]).items() if x.ndim == 2}

    with jax.default_matmul_precision(HIGHEST):
        a, b = 3 * jax.random.normal(key, (2, dim))
        seen = respond(arguments, jnp.stack([a + b, a, b, jnp.zeros(dim)]))
        return {name: miss(x) for name, x in seen.items()}, jax.jacfwd(vectors)(jnp.zeros(dim))
