"""Latent distributions: ``sampler(key, n) -> latents``, bit for bit the same on every device.

A library's normal deviate goes through transcendental functions, whose last bits differ from one kind of device to
another. Here 16 random bits choose one of 65,536 quantiles of the normal distribution from a table, by a gather,
which is exact everywhere. So a seed means the same latent on a laptop and on a TPU.
"""

import functools
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgan.types import Key, Keys, Sampler


@functools.cache
def normal_quantiles(bits: int = 16) -> np.ndarray:
    """Tabulate the normal distribution's quantiles at ``(i + 1/2) / 2^bits``, rounded to float32; shape [2^bits]."""
    inverse = NormalDist().inv_cdf
    upper = [inverse((i + 0.5) / 2**bits) for i in range(2 ** (bits - 1), 2**bits)]
    return np.asarray([-value for value in reversed(upper)] + upper, np.float32)


def normal(dim: int) -> Sampler:
    """Sample z from N(0, I), ``dim`` values each, as float32 [n, dim].

    Each value is one of 65,536 equally likely quantiles (the largest is 4.27), exact on every device. Sample i of
    ``sampler(key, n)`` depends on ``split(key, n)[i]`` alone.

    >>> normal(64)(jax.random.key(0), 2).shape
    (2, 64)
    """

    def one(key: Key) -> Float[Array, ' dim']:
        index = jax.random.bits(key, (dim,), jnp.uint16).astype(jnp.int32)
        return jnp.asarray(normal_quantiles())[index]

    def sample(key: Key, n: int) -> Float[Array, 'n dim']:
        return jax.vmap(one)(jax.random.split(key, n))

    return sample


def of_keys(sampler: Sampler, keys: Keys) -> Any:
    """Draw one latent for each key: that of key k is ``sampler(k, 1)[0]``, whatever stands beside it."""
    return jax.vmap(lambda key: jax.tree.map(lambda leaf: leaf[0], sampler(key, 1)))(keys)
