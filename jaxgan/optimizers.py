"""What optimizers of GANs do besides Optax's: clipped gradients and weights, and rates corrected for lazy penalties."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.ops import norm
from jaxgan.types import Schedule, value_at


def clip_gradient(limit: float | int) -> optax.GradientTransformation:
    """Make a gradient no longer than a limit: ``g min(1, limit / |g|)``, the norm over all of its arrays.

    It is ``optax.clip_by_global_norm`` by the norm of ``jaxgan.ops``, which is also the one that the step reports.

    Args:
        limit: above 0.

    Raises:
        ValueError: ``limit`` is not positive.

    References:
        Pascanu et al. 2013, On the difficulty of training recurrent neural networks, arXiv 1211.5063, algorithm 1.
    """
    if not limit > 0:
        raise ValueError(f'clip_gradient: limit {limit} must be above 0')

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        del params
        length = norm(updates)
        factor = jnp.where(length < limit, 1.0, limit / length)
        return jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def clip_weights(limit: float | int) -> optax.GradientTransformation:
    """Keep every parameter in [-limit, limit]: the update becomes ``clip(p + update, -limit, limit) - p``.

    It stands last in a chain, behind the learning rate; so the critic of ``losses.wasserstein`` is Lipschitz.

    Args:
        limit: above 0; 0.01 in the paper.

    Raises:
        ValueError: ``limit`` is not positive; in ``update``: no parameters are given.

    References:
        Arjovsky et al. 2017, Wasserstein GAN, arXiv 1701.07875, algorithm 1, line 7.
    """
    if not limit > 0:
        raise ValueError(f'clip_weights: limit {limit} must be above 0')

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        if params is None:
            raise ValueError('clip_weights needs the parameters: update(updates, state, params)')

        def clipped(change: Any, p: Any) -> Any:
            return (jnp.clip(p + change, -limit, limit) - p).astype(change.dtype)

        return jax.tree.map(clipped, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def lazy_rate(rate: float | int | Schedule, every: int) -> float | Schedule:
    """Correct a learning rate for a penalty that is computed each ``every`` steps: ``rate k / (k + 1)``, k = every.

    The papers' programs take an optimizer step of its own for the lazy penalty: k + 1 steps in each k. Here a penalty joins
    the loss's step, so the rate is 1 / (k + 1) lower than theirs in effect; path lengths have a step of their own.

    References:
        Karras et al. 2020 (StyleGAN2), arXiv 1912.04958, appendix B, lazy regularization.

    >>> round(lazy_rate(0.0025, 16), 6), round(lazy_decay(0.99, 16), 6)
    (0.002353, 0.990585)
    """
    return _mapped(lambda value: value * (every / (every + 1)), rate)


def lazy_decay(decay: float | int | Schedule, every: int) -> float | Schedule:
    """Correct Adam's decay for a penalty that is computed each ``every`` steps: ``decay^(k / (k + 1))``, k = every.

    References:
        Karras et al. 2020 (StyleGAN2), arXiv 1912.04958, appendix B, lazy regularization.
    """
    return _mapped(lambda value: value ** (every / (every + 1)), decay)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to a number, or to what a schedule will give."""
    return (
        (lambda images_seen: function(value_at(value, images_seen))) if callable(value) else function(value)
    )
