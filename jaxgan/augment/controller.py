"""The controller of a probability: it rises while D is too sure of real images, and falls otherwise."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgan.types import Memory, Metrics


def real_sign(metrics: Metrics) -> Any:
    """Measure overfitting by real images: ``r = E[sign D(real)]``."""
    return metrics['real_sign']


def fake_sign(metrics: Metrics) -> Any:
    """Measure overfitting by generated images: ``f = -E[sign D(fake)]``."""
    return -metrics['fake_sign']


def both_signs(metrics: Metrics) -> Any:
    """Measure overfitting by both: ``(E[sign D(real)] - E[sign D(fake)]) / 2``."""
    return 0.5 * (metrics['real_sign'] - metrics['fake_sign'])


def controller(
    name: str,
    measure: Callable[[Metrics], Any] = real_sign,
    target: float = 0.6,
    images: int = 500_000,
    every: int = 4,
) -> Memory:
    """Make a memory ``{'p': ..., ...}`` whose p keeps a measure of overfitting at a target.

    After each ``every`` updates of D: ``p += sign(mean of the measure since the last time - target) n / images``, n
    being the real images of these updates, clipped to [0, 1]; at first p is 0.

    Args:
        name: of the memory; p is logged as ``name/p``.
        measure: from D's metrics to a number in [-1, 1].
        target: of the measure.
        images: over which p rises from 0 to 1, if the measure is above the target all the time.
        every: updates of D between two of p.

    References:
        Karras et al. 2020, arXiv 2006.06676, section 3.1: r_t with the target 0.6.
    """

    def update(old: Any, metrics: Metrics, batch: int) -> Any:
        total, count = old['measure'] + measure(metrics), old['updates'] + 1
        seen = old['images'] + batch
        due = count == every
        move = jnp.sign(total / every - target) * seen / images
        return {
            'p': jnp.where(due, jnp.clip(old['p'] + move, 0.0, 1.0), old['p']),
            'measure': jnp.where(due, 0.0, total),
            'updates': jnp.where(due, 0, count),
            'images': jnp.where(due, 0.0, seen),
        }

    zero = jnp.float32(0.0)
    initial = {'p': zero, 'measure': zero, 'updates': jnp.int32(0), 'images': zero}
    return Memory(name, initial, update, lambda value: {'p': value['p']})
