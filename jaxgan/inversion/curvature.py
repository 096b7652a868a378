"""How much each way of moving a generator's weights changes its images: steps that change others little are long.

The images of a generator change by ``J d`` if its weights move by d, on average over images by the mean square ``d' F d``. F
is far too large to be kept. Of each tensor, as a matrix [rows, columns], it is taken as the product of two small matrices,
``F ~ (E g g') x (E g' g) / tr(E g g')``, where g are gradients of random combinations of pixels; and no two tensors together.

References:
    Such products of a layer's: Martens and Grosse 2015, arXiv 1503.05671, section 3; of gradients alone: Gupta, Koren and
    Singer 2018, arXiv 1802.09568. That a change by the inverse of what other images need disturbs them least: Bau et al.
    2020, arXiv 2007.15646, section 3.2.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.spaces import Space, paint_one
from jaxgan.types import Key

LARGEST = 1024  # rows or columns of which a matrix is kept; of more, its diagonal


class Factors(NamedTuple):
    """Of one tensor: matrices, their diagonals, or numbers of a vector."""

    rows: Any
    columns: Any


def make_curvature(
    space: Space, draw: Callable, *, n: int = 128, batch: int = 16, damping: float = 1e-3
) -> Callable[..., Any]:
    """Make a pure function that measures ``F^(-1/2)`` of each tensor of a generator's weights.

    Args:
        space: of a generator.
        draw: ``(params, key, n) -> (codes [n, ...], labels)``, random codes.
        n: how many random images it sees.
        batch: of them at once; divides n.
        damping: added to the eigenvalues, as a part of their mean.

    Returns:
        ``curvature(params, aux, key) -> Factors`` in the place of each tensor, for ``shorten``.
    """

    def curvature(params: Any, aux: Any, key: Key) -> Any:
        def slope(code: Any, label: Any, key: Key) -> Any:
            def combined(params: Any) -> Any:
                image = paint_one(space, params, aux, code, label)
                return jnp.vdot(image, jax.random.normal(key, image.shape)) / math.sqrt(image.size)

            return jax.grad(combined)(params)

        def seen(i: Any, sums: Any) -> Any:
            first, second = jax.random.split(jax.random.fold_in(key, i))
            codes, labels = draw(params, first, batch)
            slopes = jax.vmap(slope)(codes, labels, jax.random.split(second, batch))
            return jax.tree.map(lambda leaf, old, new: _added(old, new), params, sums, slopes)

        nothing = jax.tree.map(_nothing, params)
        sums = jax.lax.fori_loop(0, n // batch, seen, nothing)
        return jax.tree.map(lambda leaf, found: _inverse_root(found, n, damping), params, sums)

    return curvature


def shorten(factors: Factors, change: Any) -> Any:
    """Multiply a tensor's change by ``F^(-1/2)``."""
    matrix = _as_matrix(change)
    left, right = factors
    matrix = left @ matrix if left.ndim == 2 else left[:, None] * matrix
    matrix = matrix @ right if right.ndim == 2 else matrix * right[None]
    return matrix.reshape(change.shape)


def _as_matrix(leaf: Any) -> Any:
    return leaf.reshape(-1, leaf.shape[-1]) if leaf.ndim > 1 else leaf.reshape(-1, 1)


def _nothing(leaf: Any) -> Factors:
    rows, columns = _as_matrix(leaf).shape
    vector = leaf.ndim < 2
    return Factors(*(jnp.zeros((n,) if vector or n > LARGEST else (n, n)) for n in (rows, columns)))


def _added(sums: Factors, slopes: Any) -> Factors:
    matrices = jax.vmap(_as_matrix)(slopes)
    both = ('bij,bkj->ik', 'bij,bij->i'), ('bij,bik->jk', 'bij,bij->j')
    return Factors(
        *(
            old + jnp.einsum(pair[old.ndim == 1], matrices, matrices)
            for old, pair in zip(sums, both, strict=True)
        )
    )


def _inverse_root(sums: Factors, n: int, damping: float) -> Factors:
    total = jnp.sum(sums.rows) if sums.rows.ndim == 1 else jnp.trace(sums.rows)
    left, right = (_power(values / n, damping) for values in sums)
    return Factors(left * jnp.sqrt(total / n), right)


def _power(values: Any, damping: float) -> Any:
    """Raise to the power -1/2; what no image is moved by at all stays."""
    if values.ndim == 1:
        return jax.lax.rsqrt(values + damping * jnp.mean(values) + 1e-20)
    found, vectors = jnp.linalg.eigh(values)
    found = jnp.maximum(found, 0)
    return (vectors * jax.lax.rsqrt(found + damping * jnp.mean(found) + 1e-20)[None]) @ vectors.T
