"""The discriminator as the losses and penalties see it, and the discriminator's loss made of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.state import GanState
from jaxgan.types import Augment, Critic, Loss, Metrics, Network, Params, Regularizer, value_at


class BoundCritic(NamedTuple):
    """A discriminator with everything but the samples filled in; call it for logits [B]."""

    with_aux: Callable  # (samples, aux=...) -> (logits, aux)
    seeds: tuple[tuple[Any, Any], ...] = ()  # (samples, the loss's cotangents on their logits)

    def cotangent(self, samples: Any) -> Any:
        """Return the cotangents [B] from which the loss's backward pass on these samples starts, or None.

        A penalty that starts its own from c and divides sample i's gradient by c_i gets ``dlogit_i/dx_i`` from
        computations that the loss needs anyway.
        """
        return next((cotangents for known, cotangents in self.seeds if known is samples), None)

    def __call__(self, samples: Any) -> Any:
        """Return the logits of the samples."""
        return self.with_aux(samples)[0]


def make_critic(
    discriminator: Network, augment: Augment, params: Params, aux: Any, x: dict, state: GanState
) -> BoundCritic:
    """Fill in a discriminator's parameters, labels and augmentation: ``logits = D(T(samples), label)``."""

    def with_aux(samples: Any, carried: Any = aux) -> tuple[Any, Any]:
        return discriminator.apply(params, carried, augment(x['view_keys'], samples, state), x['label'])

    return BoundCritic(with_aux)


SMALLEST = 2.0**-60
"""Cotangents nearer to 0 (hinge beyond its margin: exactly 0) are replaced by this one, so that none divides by 0.

Floats are scaled by a power of two without loss, so an image's gradient stays exact; a sample's part of D's gradient
is off by at most 2^-60 of its logit's gradient, which is below the rounding of the sum."""


def loss_cotangents(loss: Loss, real_logits: Any, fake_logits: Any) -> tuple[Any, Any]:
    """Compute ``d mean(L_D) / d logits`` for real and fake, constants and nowhere 0."""

    def mean(real: Any, fake: Any) -> Any:
        return jnp.mean(loss.discriminator(real, fake))

    found = jax.grad(mean, (0, 1))(*jax.lax.stop_gradient((real_logits, fake_logits)))
    smallest = jnp.asarray(SMALLEST, real_logits.dtype)
    for_real, for_fake = (jnp.where(jnp.abs(c) < smallest, smallest, c) for c in found)
    return for_real, for_fake


def lazy_penalty(
    regularizer: Regularizer, critic: Critic, real: Any, fake: Any, keys: Any, state: GanState
) -> Any:
    """Compute ``weight * mean(penalty)``; a lazy one is 0 except each ``every`` steps, when it counts ``every`` fold.

    ``lax.cond`` stands around the penalty only: around the whole phase XLA:CPU was slower than never skipping.
    """
    weight = value_at(regularizer.weight, state.images_seen) * regularizer.every

    def compute() -> Any:
        return jnp.asarray(weight * jnp.mean(regularizer.penalty(critic, real, fake, keys)), jnp.float32)

    if regularizer.every == 1:
        return compute()
    return jax.lax.cond(state.step % regularizer.every == 0, compute, lambda: jnp.float32(0.0))


def penalty_name(regularizer: Regularizer) -> str:
    """Name a penalty's metric after its function."""
    return getattr(regularizer.penalty, '__name__', 'penalty')


def discriminator_loss(
    discriminator: Network,
    recipe: Any,
    state: GanState,
    params: Params,
    aux: Any,
    x: dict,
    fake: Any,
) -> tuple[Any, tuple[Any, Metrics]]:
    """Compute ``mean(loss) + sum(weight * mean(penalty))`` for fake samples that count as constants.

    Args:
        discriminator: the network.
        recipe: has a ``Recipe``'s ``loss``, ``d_regularizers``, ``augment`` and ``per_sample``.
        state: gives the penalties' weights and the augmentation what they depend on.
        params: the discriminator's.
        aux: the discriminator's.
        x: what the phase drew: ``draw_inputs``.
        fake: samples [B, ...].

    Returns:
        A value whose gradient in ``params`` is the loss's, and ``(aux, metrics)``.
    """
    critic = make_critic(discriminator, recipe.augment, params, aux, x, state)
    real_logits, aux = critic.with_aux(x['real'])
    fake_logits, new_aux = critic.with_aux(fake, aux)
    value = jnp.mean(recipe.loss.discriminator(real_logits, fake_logits))
    metrics = {'loss': value, 'real': jnp.mean(real_logits), 'fake': jnp.mean(fake_logits)}
    if recipe.per_sample and recipe.d_regularizers:
        for_real, for_fake = loss_cotangents(recipe.loss, real_logits, fake_logits)
        value = jnp.sum(for_real * real_logits) + jnp.sum(for_fake * fake_logits)
        critic = critic._replace(seeds=((x['real'], for_real), (fake, for_fake)))
    for regularizer in recipe.d_regularizers:
        penalty = lazy_penalty(regularizer, critic, x['real'], fake, x['penalty_keys'], state)
        value += penalty
        metrics[penalty_name(regularizer)] = penalty
    return value, (new_aux, metrics)
