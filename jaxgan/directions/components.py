"""GANSpace: the principal components of styles, or of an early layer's activations and the latents that make them.

References:
    Harkonen, Hertzmann, Lehtinen and Paris 2020, GANSpace: discovering interpretable GAN controls, arXiv 2004.02546
    (styles, and generators without); Halko, Martinsson and Tropp 2011, Finding structure with randomness, arXiv
    0909.4061 (subspace iteration).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.directions.types import HIGHEST, fix_signs, orthonormal
from jaxgan.types import Key

EXACT = 1024  # values of an activation up to which the whole covariance is kept: 4 MiB
OVERSAMPLING = 16
PASSES = 4  # over the samples, where the covariance is not kept
CHUNK = 500  # samples in memory at once


class Components(NamedTuple):
    """What the principal components of activations are, and how the codes go with them."""

    vectors: Any  # [k, F]: orthonormal, of falling variance
    variances: Any  # [k]
    total: Any  # []: the variance of all F values
    center: Any  # [D]: the mean code
    covariance: Any  # [D, D]: of the codes
    slopes: Any  # [k, D]: the code that goes with one unit along a component, by least squares


def principal(
    observe: Callable, arguments: Any, key: Key, count: int, samples: int = 10_000, chunk: int = CHUNK
) -> Components:
    """Find the principal components of activations, in memory that does not grow with the samples.

    Up to 1,024 values the covariance is kept and its eigenvectors are exact; above, subspace iteration finds
    them in four passes, which draw the same samples each time.

    Args:
        observe: ``(arguments, key, n) -> (codes [n, D], activations [n, F])``, pure; one function compiles once.
        arguments: its parameters.
        key: of the samples.
        count: how many components, at most F.
        samples: how many, rounded up to whole chunks.
        chunk: samples at once.
    """
    shapes = jax.eval_shape(lambda a, k: observe(a, k, chunk), arguments, key)
    values = shapes[1].shape[1]
    if values <= EXACT:
        basis, passes = jnp.eye(values, dtype=jnp.float32), 1
    else:
        width = min(values, count + OVERSAMPLING)
        start = jax.random.normal(jax.random.fold_in(key, samples), (values, width))
        basis, passes = jnp.linalg.qr(start)[0], PASSES
    keys = jax.random.split(key, -(-samples // chunk))
    return _principal(observe, arguments, keys, basis, chunk, count, passes)


@functools.partial(jax.jit, static_argnames=('observe', 'chunk', 'count', 'passes'))
def _principal(
    observe: Callable, arguments: Any, keys: Any, basis: Any, chunk: int, count: int, passes: int
) -> Components:
    with jax.default_matmul_precision(HIGHEST):
        for _ in range(passes - 1):
            basis = jnp.linalg.qr(_moments(observe, arguments, keys, basis, chunk)['product'])[0]
        found = _moments(observe, arguments, keys, basis, chunk)
        inner = basis.T @ found['product']
        variances, turns = jnp.linalg.eigh((inner + inner.T) / 2)
        turns, variances = turns[:, ::-1][:, :count], jnp.maximum(variances[::-1][:count], 0)
        vectors = fix_signs((basis @ turns).T)
        signs = jnp.sign(jnp.sum(vectors * (basis @ turns).T, axis=1))
        along = (found['cross'] @ turns).T * signs[:, None]
        slopes = along / jnp.maximum(variances, 1e-12)[:, None]
        return Components(vectors, variances, found['total'], found['center'], found['covariance'], slopes)


def _moments(observe: Callable, arguments: Any, keys: Any, basis: Any, chunk: int) -> dict[str, Any]:
    """Sum over all chunks, about the first chunk's means, what the covariances are made of."""
    first = jax.tree.map(lambda x: jnp.mean(x, axis=0, keepdims=True), observe(arguments, keys[0], chunk))

    def add(sums: Any, key: Key) -> tuple[Any, None]:
        codes, x = jax.tree.map(lambda a, b: a - b, observe(arguments, key, chunk), first)
        seen = x @ basis
        new = (
            jnp.sum(codes, axis=0),
            jnp.sum(x, axis=0),
            codes.T @ codes,
            x.T @ seen,
            codes.T @ seen,
            jnp.sum(jnp.square(x)),
        )
        return jax.tree.map(jnp.add, sums, new), None

    d, f, m = first[0].shape[1], first[1].shape[1], basis.shape[1]
    zeros = [jnp.zeros(shape) for shape in ((d,), (f,), (d, d), (f, m), (d, m), ())]
    sums, _ = jax.lax.scan(add, tuple(zeros), keys)
    codes, x, squares, product, cross, total = [value / (len(keys) * chunk) for value in sums]
    seen = x @ basis
    return {
        'center': first[0][0] + codes,
        'covariance': squares - jnp.outer(codes, codes),
        'product': product - jnp.outer(x, seen),
        'cross': cross - jnp.outer(codes, seen),
        'total': total - jnp.sum(jnp.square(x)),
    }


def regressed(found: Components) -> tuple[Any, Any]:
    """Turn components of activations into directions of the codes: their least-squares slopes, made orthonormal.

    The paper adds slopes as they are. Here each loses what lies along those of more variance (Gram and Schmidt), so
    that edits do not repeat one another: the first is the paper's own direction, later ones differ a little.

    Returns:
        Directions [k, D] and the standard deviation of the codes along each.
    """
    vectors = orthonormal(found.slopes)
    return vectors, jnp.sqrt(jnp.einsum('kd,de,ke->k', vectors, found.covariance, vectors, precision=HIGHEST))
