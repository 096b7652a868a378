"""Sums of clipped gradients, one a sample, and the noise that hides whether any one of them is there."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.types import Key, Params

WITHIN = 1 - 2.0**-11
"""A clipped gradient has at most this part of the norm that is accounted for: room for the rounding of ``norms``, of which it is a bound
where the lengths of a leaf's axes add up to less than 2^14."""

TINY = 1e-36


def clipped_sum(
    gradient: Callable[[Any], Any], samples: Any, present: Any, clip: Any, at_once: int = 1
) -> Params:
    """Compute ``sum_i present_i g_i min(1, clip / ||g_i||)``, the norm over the whole tree.

    Samples are taken in parts, up to the last one that has a sample that is there; so places behind those that are filled cost nothing. A gradient that is
    not finite counts as 0, for it has no norm to clip to.

    Args:
        gradient: ``(samples of a part [at_once, ...]) -> gradients [at_once, ...]``, one a sample, none depending on another.
        samples: a tree, [C, ...]; C is a multiple of ``at_once``.
        present: bool [C]: which count.
        clip: above 0.
        at_once: samples of a part.

    Returns:
        The sum, float32. Adding or removing a sample moves it by at most ``clip``.

    References:
        Abadi et al. 2016, arXiv 1607.00133, algorithm 1.
    """
    count = present.shape[0]
    end = jnp.max(jnp.where(present, jnp.arange(1, count + 1), 0))

    def part(i: Any) -> tuple[Any, Any]:
        def cut(leaf: Any) -> Any:
            return jax.lax.dynamic_slice_in_dim(leaf, i * at_once, at_once)

        return jax.tree.map(cut, samples), cut(present)

    def add(carry: tuple[Any, Params]) -> tuple[Any, Params]:
        i, total = carry
        inputs, there = part(i)
        found = _clipped(gradient(inputs), there, clip)
        return i + 1, jax.tree.map(jnp.add, total, found)

    shapes = jax.eval_shape(lambda: gradient(part(0)[0]))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], jnp.float32), shapes)
    return jax.lax.while_loop(lambda carry: carry[0] * at_once < end, add, (jnp.int32(0), zeros))[1]


def _clipped(gradients: Params, present: Any, clip: Any) -> Params:
    """Clip the gradients [n, ...] of some samples, and add them up."""
    lengths = norms(gradients)
    counts = present & jnp.isfinite(lengths)
    scale = jnp.where(counts, jnp.minimum(1.0, clip * WITHIN / jnp.maximum(lengths, 1e-30)), 0.0)

    def add_up(leaf: Any) -> Any:
        flat = leaf.reshape(leaf.shape[0], -1).astype(jnp.float32)
        flat = jnp.where(counts[:, None], flat, 0.0)  # 0 times what is not finite is not 0
        # accelerators would round both sides to 11 or 8 bits by default, and a gradient could be longer than it was clipped to
        return jnp.matmul(scale, flat, precision='highest').reshape(leaf.shape[1:])

    return jax.tree.map(add_up, gradients)


def norms(gradients: Params) -> Any:
    """Compute the norms [n] of gradients [n, ...] over the whole tree, never much too small.

    A sum of k positive numbers in float32 may lack k / 2^24 of itself: of millions of parameters in one sum the many small ones behind a
    few large ones would vanish. So sums go over an axis at a time; the largest of a sum and next to nothing, of which no norm that is clipped knows, stands
    between two, or the compiler would make one of them.
    """
    total = jnp.float32(0.0)
    for leaf in jax.tree.leaves(gradients):
        squares = jnp.square(leaf.astype(jnp.float32))
        while squares.ndim > 1:
            squares = jnp.maximum(jnp.sum(squares, axis=-1), TINY)
        total = total + squares
    return jnp.sqrt(total)


def noised_mean(total: Params, key: Key, deviation: Any, expected: Any) -> Params:
    """Compute ``(total + N(0, deviation^2 I)) / expected``.

    It is divided by the number of samples that is expected, for how many there were says something of each.

    Optax's ``differentially_private_aggregate`` keeps the key of its noise in the optimizer's state, which is saved, divides by the samples in hand, and
    holds all gradients at once.

    Args:
        total: what ``clipped_sum`` gives.
        key: a secret one, of this update alone.
        deviation: noise times clip.
        expected: q times the number of images.
    """
    leaves, tree = jax.tree.flatten(total)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        (leaf + deviation * _normal(one, leaf)) / expected for leaf, one in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(tree, drawn)


def _normal(key: Key, like: Any) -> Any:
    """Draw standard normal numbers, each from four.

    A single one is made of 23 bits: none is farther out than 5.4, which a shifted sum passes more often than delta allows, and which sums may have made a
    result could be tried (Holohan and Braghin 2021, Secure random sampling in differential privacy, arXiv 2107.10138).
    """
    return jnp.sum(jax.random.normal(key, (4, *like.shape), like.dtype), axis=0) / 2
