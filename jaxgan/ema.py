"""Exponential moving averages of the generator, their half-life counted in images."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgan.types import Scalar, Schedule, value_at


def half_life(
    images: float | int | Schedule, rampup: float | int | None = None
) -> Callable[[Any, int], Scalar]:
    """Make the decay of an average with a half-life in images: ``beta = 0.5^(batch / half_life)``.

    Args:
        images: after so many images an old value counts half; a number, or a schedule of the images seen. 0 means
            that the average is the newest value.
        rampup: if given, the half-life is at most ``rampup * images_seen``, so that an average forgets the
            initialization early in training.

    Returns:
        ``decay(images_seen, batch_size) -> beta`` in [0, 1).

    References:
        Karras et al. 2018, arXiv 1710.10196; Karras et al. 2020, arXiv 2006.06676, appendix (ramp-up 0.05).

    >>> decay = half_life(1000.0)
    >>> float(decay(0, 1000)), float(decay(0, 2000))
    (0.5, 0.25)
    """

    def decay(images_seen: Any, batch_size: int) -> Scalar:
        seen = jnp.asarray(images_seen, jnp.float32)
        life = jnp.asarray(value_at(images, seen), jnp.float32)
        if rampup is not None:
            life = jnp.minimum(life, rampup * seen)
        return jnp.exp2(-batch_size / jnp.maximum(life, 1e-8))

    return decay
