"""The players as losses and penalties see them, and both players' losses made of them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.state import GanState
from jaxgan.types import Critic, Loss, Metrics, Network, Params, Regularizer, Verdict, value_at

NOTHING: Mapping[str, Any] = MappingProxyType({})


class BoundGenerator(NamedTuple):
    """A generator with its parameters and labels filled in; call it with latents for samples."""

    apply: Callable  # latents -> samples
    latents: Any  # those of the fake samples in hand


class BoundCritic(NamedTuple):
    """A discriminator with everything but the samples filled in; call it for logits [B]."""

    judge: Callable  # (samples, aux=..., augmented=True) -> (Verdict, aux)
    generator: BoundGenerator | None = None  # G, its parameters constant while D is trained
    trained: Params = None  # the parameters of the player that is trained
    extra: Mapping[str, Any] = NOTHING  # the state's: what memories hold
    seeds: tuple[tuple[Any, Any], ...] = ()  # (samples, the loss's cotangents on their logits)

    def cotangent(self, samples: Any) -> Any:
        """Return the cotangents [B] from which the loss's backward pass on these samples starts, or None.

        A penalty that starts its own from c and divides sample i's gradient by c_i gets ``dlogit_i/dx_i`` from
        computations that the loss needs anyway.
        """
        return next((cotangents for known, cotangents in self.seeds if known is samples), None)

    def plain(self, samples: Any) -> Any:
        """Return the logits of samples that are not augmented."""
        return self.judge(samples, augmented=False)[0].logits

    def auxiliary(self, samples: Any) -> Any:
        """Return the discriminator's own further loss of each sample, [B].

        Raises:
            InputError: it has none: its output is logits, not a ``Verdict``.
        """
        found = self.judge(samples)[0].auxiliary
        if found is None:
            raise InputError(
                'a penalty asks for the auxiliary loss of the discriminator, and this one has none: '
                "give it conditioning 'auxiliary' or 'd2d_ce'"
            )
        return found

    def __call__(self, samples: Any) -> Any:
        """Return the logits of the samples."""
        return self.judge(samples)[0].logits


def as_verdict(output: Any) -> Verdict:
    """Make a verdict of what a discriminator returned: logits alone have no auxiliary loss."""
    return output if isinstance(output, Verdict) else Verdict(output, None)


def make_critic(
    discriminator: Network, recipe: Any, params: Params, aux: Any, x: dict, state: GanState
) -> BoundCritic:
    """Fill in a discriminator's parameters, labels and augmentation: ``logits = D(T(samples), label)``."""

    def judge(samples: Any, carried: Any = aux, augmented: bool = True) -> tuple[Verdict, Any]:
        if augmented:
            samples = recipe.augment(x['view_keys'], samples, state)
        output, carried = discriminator.apply(params, carried, samples, x['label'])
        return as_verdict(output), carried

    return BoundCritic(judge, trained=params, extra=state.extra)


def bind_generator(generator: Network, params: Params, aux: Any, x: dict) -> BoundGenerator:
    """Fill in a generator's parameters and labels."""
    return BoundGenerator(lambda latents: generator.apply(params, aux, latents, x['label'])[0], x['latents'])


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


def penalties(
    regularizers: tuple[Regularizer, ...],
    critic: BoundCritic,
    real: Any,
    fake: Any,
    keys: Any,
    state: GanState,
) -> tuple[Any, Metrics]:
    """Add up a player's penalties; the metrics name each, and add up those of one name."""
    parts: Metrics = {}
    for regularizer in regularizers:
        name = penalty_name(regularizer)
        value = lazy_penalty(regularizer, critic, real, fake, keys, state)
        parts[name] = parts[name] + value if name in parts else value
    return sum(parts.values(), jnp.float32(0.0)), parts


def logit_metrics(loss: Any, real: Any, fake: Any) -> Metrics:
    """Gather what is known of D after its loss: means of the logits and of their signs."""
    signs = {'real_sign': jnp.mean(jnp.sign(real)), 'fake_sign': jnp.mean(jnp.sign(fake))}
    return {'loss': loss, 'real': jnp.mean(real), 'fake': jnp.mean(fake), **signs}


def discriminator_loss(
    discriminator: Network,
    recipe: Any,
    state: GanState,
    params: Params,
    aux: Any,
    x: dict,
    fake: Any,
    generator: BoundGenerator | None = None,
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
        generator: what made them, for penalties that ask it for others.

    Returns:
        A value whose gradient in ``params`` is the loss's, and ``(aux, metrics)``.
    """
    critic = make_critic(discriminator, recipe, params, aux, x, state)._replace(generator=generator)
    on_real, aux = critic.judge(x['real'])
    on_fake, new_aux = critic.judge(fake, aux)
    value = jnp.mean(recipe.loss.discriminator(on_real.logits, on_fake.logits))
    metrics = logit_metrics(value, on_real.logits, on_fake.logits)
    if recipe.per_sample and recipe.d_regularizers:
        for_real, for_fake = loss_cotangents(recipe.loss, on_real.logits, on_fake.logits)
        value = jnp.sum(for_real * on_real.logits) + jnp.sum(for_fake * on_fake.logits)
        critic = critic._replace(seeds=((x['real'], for_real), (fake, for_fake)))
    more, parts = penalties(recipe.d_regularizers, critic, x['real'], fake, x['penalty_keys'], state)
    return (value + more if parts else value), (new_aux, metrics | parts)


def generator_objective(recipe: Any, real: Any, fake: Any, state: GanState) -> Any:
    """Compute the mean of G's loss of each pair of logits, weighed by ``recipe.g_weights``."""
    weights = recipe.g_weights(jax.lax.stop_gradient(fake), state.images_seen)
    return jnp.mean(weights * recipe.loss.generator(real, fake))


def generator_loss(
    discriminator: Network,
    recipe: Any,
    state: GanState,
    player: Any,
    x: dict,
    fake: Any,
    generator: BoundGenerator,
    params: Params,
) -> tuple[Any, Metrics]:
    """Compute G's loss on fake samples: ``mean(weights * loss) + sum(weight * mean(penalty))``.

    Args:
        discriminator: the network.
        recipe: has a ``Recipe``'s ``loss``, ``g_weights``, ``g_regularizers`` and ``augment``.
        state: gives the penalties' weights and the augmentation what they depend on.
        player: D, constant.
        x: what the phase drew: ``draw_inputs``.
        fake: samples [B, ...], differentiated.
        generator: what made them.
        params: the generator's.
    """
    critic = make_critic(discriminator, recipe, player.params, player.aux, x, state)
    value = generator_objective(recipe, critic(x['real']), critic(fake), state)
    critic = critic._replace(generator=generator, trained=params)
    more, parts = penalties(recipe.g_regularizers, critic, x['real'], fake, x['penalty_keys'], state)
    return (value + more if parts else value), {'loss': value, **parts}
