"""Schedules: functions of the images seen, traced, so that changing a value never recompiles anything."""

from typing import Any

import jax.numpy as jnp
import optax

from jaxgan.types import Schedule, value_at


def cosine(start: float | int, final: float | int, burn_in: float | int) -> Schedule:
    """Move from ``start`` to ``final`` along half a cosine over the first ``burn_in`` images, then stay.

    ``v(n) = final + (start - final) (1 + cos(pi min(n / burn_in, 1))) / 2``

    Args:
        start: value at 0 images.
        final: value from ``burn_in`` images on.
        burn_in: images; 0 means ``final`` from the beginning.

    References:
        Huang et al. 2025, The GAN is dead; long live the GAN (R3GAN), arXiv 2501.05441, appendix on training.

    >>> schedule = cosine(2.0, 1.0, burn_in=100)
    >>> [round(float(schedule(n)), 3) for n in (0, 50, 100, 1000)]
    [2.0, 1.5, 1.0, 1.0]
    """
    if burn_in < 0:
        raise ValueError(f'burn_in {burn_in} must be at least 0 images')

    def schedule(images_seen: Any) -> Any:
        done = jnp.float32(1.0)
        if burn_in:
            done = jnp.minimum(jnp.asarray(images_seen, jnp.float32) / burn_in, 1.0)
        return final + (start - final) * 0.5 * (1.0 + jnp.cos(jnp.pi * done))

    return schedule


def scheduled(
    factory: Any, **hyperparameters: float | int | Schedule | None
) -> optax.GradientTransformationExtraArgs:
    """Make an Optax transformation whose hyper-parameters follow the images seen.

    ``update(..., images_seen=n)`` evaluates each schedule at n and applies ``factory(**values)``; the state is the
    factory's own, so nothing is added to a checkpoint.

    Args:
        factory: such as ``optax.adam``; its state must not depend on the scheduled values.
        **hyperparameters: numbers, or schedules of the images seen.

    >>> tx = scheduled(optax.sgd, learning_rate=cosine(1e-3, 1e-4, 1000))
    >>> params = {'w': jnp.ones(2)}
    >>> updates, state = tx.update({'w': jnp.ones(2)}, tx.init(params), params, images_seen=1000)
    >>> updates['w'].tolist() == [jnp.float32(-1e-4)] * 2
    True
    """

    def at(images_seen: Any) -> optax.GradientTransformationExtraArgs:
        values = {name: value_at(value, images_seen) for name, value in hyperparameters.items()}
        return optax.with_extra_args_support(factory(**values))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        if 'images_seen' not in extra:
            raise TypeError(
                'a scheduled transformation is updated with images_seen=...; the training step gives it'
            )
        images_seen = extra.pop('images_seen')
        return at(images_seen).update(updates, state, params, images_seen=images_seen, **extra)

    return optax.GradientTransformationExtraArgs(lambda params: at(0).init(params), update)
