"""Means and covariances: gathered in a stream on the device, or of a whole table on the host.

The device adds in float32, so three things keep the digits. A batch is shifted by the mean so far before it is squared,
batches are joined by Chan's formula, and both running values carry the part that float32 rounds away. What is left is
the rounding within one batch's matrix product, which does not grow with the number of batches: docs/metrics.md says how
much it is. ``finish`` continues in float64 on the host.

References:
    Chan, Golub and LeVeque 1983, Algorithms for computing the sample variance, The American Statistician 37
    (the formula for a pair);
    Knuth 1997, The art of computer programming 2, section 4.2.2, theorem B (the rounding error of a sum).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int

from jaxgan.errors import InputError
from jaxgan.metrics.checks import Table, table

CHUNK = 4096  # rows that the host squares at once


class Moments(NamedTuple):
    """What is known of the samples so far; a pytree. A value is the sum of its two parts."""

    count: Int[Array, '']
    mean: Float[Array, ' d']
    mean_rest: Float[Array, ' d']
    scatter: Float[Array, 'd d']
    """The sum over samples of ``(x - mean)(x - mean)^T``."""
    scatter_rest: Float[Array, 'd d']


class Statistics(NamedTuple):
    """Mean and covariance of a set of features."""

    count: int | None
    """Samples they are of, which bounds the rank by count - 1; None where that is not known."""
    mean: Float[np.ndarray, ' d']
    cov: Float[np.ndarray, 'd d']
    """Unbiased: divided by count - 1."""


def init(width: int) -> Moments:
    """Begin with no samples of ``width`` features.

    >>> finish(update(init(1), jnp.array([[1.0], [2.0], [6.0]]))).cov.tolist()
    [[7.0]]
    """
    mean, rest = jnp.zeros((2, width), jnp.float32)  # arrays of their own, so that all may be donated
    scatter, scatter_rest = jnp.zeros((2, width, width), jnp.float32)
    return Moments(jnp.int32(0), mean, rest, scatter, scatter_rest)


def update(
    moments: Moments, features: Float[Array, 'b d'], valid: Bool[Array, ' b'] | None = None
) -> Moments:
    """Add a batch; pure, for ``jax.jit`` with ``moments`` donated.

    Args:
        moments: of the samples so far.
        features: one sample a row, any float dtype; computed in float32.
        valid: which rows count; None: all. Other rows may hold anything, so a last batch may be filled up.

    Returns:
        The moments with the batch.
    """
    x = features.astype(jnp.float32)
    valid = jnp.ones(len(x), bool) if valid is None else valid
    count = jnp.sum(valid, dtype=jnp.int32)
    # the first valid row stands for a mean until there is one
    pivot = jnp.where(moments.count > 0, moments.mean, x[jnp.argmax(valid)])
    offsets = jnp.where(valid[:, None], x - pivot[None], 0.0)
    shift = jnp.sum(offsets, axis=0) / jnp.maximum(count, 1).astype(jnp.float32)
    centred = jnp.where(valid[:, None], offsets - shift[None], 0.0)
    scatter = jnp.matmul(centred.T, centred, precision=Precision.HIGHEST)
    missed = jnp.sum(centred, axis=0) / jnp.maximum(count, 1).astype(
        jnp.float32
    )  # what rounding kept from the shift
    mean, rest = _add(pivot, missed, shift)
    return merge(moments, Moments(count, mean, rest, scatter, jnp.zeros_like(scatter)))


def merge(a: Moments, b: Moments) -> Moments:
    """Join the moments of two sets of samples, of any sizes.

    ``scatter = scatter_a + scatter_b + delta delta^T n_a n_b / n``, ``mean = mean_a + delta n_b / n``, with
    ``delta = mean_b - mean_a``.

    References:
        Chan et al. 1983, the formula for a pair.
    """
    count = a.count + b.count
    n_a, n_b = a.count.astype(jnp.float32), b.count.astype(jnp.float32)
    share = n_b / jnp.maximum(n_a + n_b, 1.0)
    both = (a.count > 0) & (b.count > 0)
    delta = jnp.where(both, (b.mean - a.mean) + (b.mean_rest - a.mean_rest), 0.0)
    between = jnp.outer(delta, delta) * (n_a * share)
    # with no samples in a, its mean of zero is no place to start from
    start = jnp.where(a.count > 0, a.mean, b.mean)
    rest = jnp.where(a.count > 0, a.mean_rest, b.mean_rest)
    mean, mean_rest = _add(start, rest, delta * share)
    scatter, scatter_rest = _add(a.scatter, a.scatter_rest + b.scatter_rest, b.scatter)
    scatter, scatter_rest = _add(scatter, scatter_rest, between)
    return Moments(count, mean, mean_rest, scatter, scatter_rest)


def finish(moments: Moments) -> Statistics:
    """Take the mean and the unbiased covariance to the host, in float64.

    Raises:
        InputError: there are fewer than two samples.
    """
    count = int(moments.count)
    if count < 2:
        raise InputError(f'moments of {count} samples (allowed: at least 2, for a covariance)')
    mean, mean_rest, scatter, scatter_rest = (np.asarray(part, np.float64) for part in moments[1:])
    return Statistics(count, mean + mean_rest, (scatter + scatter_rest) / (count - 1))


def statistics(features: Table, name: str = 'given') -> Statistics:
    """Compute the mean and the unbiased covariance of a whole table on the host, in float64.

    >>> statistics(np.array([[1.0], [2.0], [6.0]])).mean.tolist()
    [3.0]

    Args:
        features: [N, D].
        name: what an error calls them.

    Raises:
        InputError: there are fewer than two samples, or values that are not finite.
    """
    x = table(name, features, least=2)
    mean = x.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK] - mean
        scatter += part.T @ part
    return Statistics(len(x), mean, scatter / (len(x) - 1))


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Add two floats of any sizes: the rounded sum and, exactly, what rounding took away."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _add(high: Any, low: Any, term: Any) -> tuple[Any, Any]:
    """Add a term to a value of two parts."""
    total, error = _two_sum(high, term)
    return _two_sum(total, low + error)
