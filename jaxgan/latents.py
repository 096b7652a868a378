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

from jaxgan.errors import InputError
from jaxgan.types import Key, Keys, Sampler, StyleLatents


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


def with_signs(dim: int, signs: int) -> Sampler:
    """Sample ``dim - signs`` values of N(0, 1) and ``signs`` values of -1 or 1, as float32 [n, dim].

    A continuous generator maps what is connected onto what is connected, so modes that lie apart leave samples on the
    way between them. With k signs the latents fall into 2^k parts, which may go to different modes.

    >>> abs(with_signs(3, 2)(jax.random.key(0), 1)[:, 1:]).tolist()
    [[1.0, 1.0]]

    Raises:
        InputError: there are more signs than values.

    References:
        Gurumurthy et al. 2017 (DeLiGAN), arXiv 1706.02071, section 3; Khayatkhoei et al. 2018, Disconnected manifold
        learning for generative adversarial networks, arXiv 1806.00880, section 2.
    """
    if not 0 <= signs <= dim:
        raise InputError(f'signs {signs} must be in 0..{dim}, the number of values in a latent')

    def one(key: Key) -> Float[Array, ' dim']:
        drawn = jax.random.bits(jax.random.fold_in(key, 1), (signs,), jnp.uint8) < 128
        return jnp.concatenate([normal(dim - signs)(key, 1)[0], jnp.where(drawn, 1.0, -1.0)])

    def sample(key: Key, n: int) -> Float[Array, 'n dim']:
        return jax.vmap(one)(jax.random.split(key, n))

    return sample


def styled(dim: int, mixing: float = 0.0) -> Sampler:
    """Sample what a style-based generator sees in training: z, a second style for some layers, and a key of its noise.

    z is that of ``normal(dim)`` for the same key. With probability ``mixing`` the crossover is uniform among 65,536
    places in [0, 1), and the layers after it have the second style; otherwise it is 1.

    Args:
        dim: values in a latent.
        mixing: the probability of two styles in an image; 0.9 in the paper.

    Raises:
        InputError: ``mixing`` is no probability.

    References:
        Karras, Laine and Aila 2019, arXiv 1812.04948, section 3.1 (mixing regularization).
    """
    if not 0.0 <= mixing <= 1.0:
        raise InputError(f'mixing {mixing} must be in [0, 1]')
    plain = normal(dim)

    def one(key: Key) -> StyleLatents:
        other_key, place_key, noise_key = (jax.random.fold_in(key, i) for i in range(3))
        if not mixing:
            return StyleLatents(None, None, None, noise_key)
        place, chance = jax.random.bits(place_key, (2,), jnp.uint16).astype(jnp.float32) / 2**16
        crossover = jnp.where(chance < mixing, place, 1.0)
        return StyleLatents(None, plain(other_key, 1)[0], crossover, noise_key)

    def sample(key: Key, n: int) -> StyleLatents:
        return jax.vmap(one)(jax.random.split(key, n))._replace(z=plain(key, n))

    return sample


def temperatures(dim: int, signs: int, temperature: float) -> np.ndarray:
    """Make the factors of a latent's values at a temperature, float32 [dim]: it is their deviation; signs stay signs.

    >>> temperatures(3, 1, 0.5).tolist()
    [0.5, 0.5, 1.0]
    """
    return np.where(np.arange(dim) < dim - signs, temperature, 1.0).astype(np.float32)


def of_keys(sampler: Sampler, keys: Keys) -> Any:
    """Draw one latent for each key: that of key k is ``sampler(k, 1)[0]``, whatever stands beside it."""
    return jax.vmap(lambda key: jax.tree.map(lambda leaf: leaf[0], sampler(key, 1)))(keys)
