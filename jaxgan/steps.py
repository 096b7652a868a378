"""The training step: a sequence of pure phases.

    phase(state, batch, key) -> (state, metrics)

``make_train_step`` makes the usual three (discriminator, generator, average). Anything else that a GAN does in a
step is one more phase or a phase around one of these (``Recipe.extensions``); ``jaxgan.phases`` combines them. The step is not jitted here, and it knows no mesh: the caller
jits, donates, shards, scans or vmaps it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.critic import bind_generator, discriminator_loss, generator_loss
from jaxgan.ops import norm
from jaxgan.phases import Step, observe, split_batch
from jaxgan.state import Average, GanState, Player, memories
from jaxgan.types import (
    Augment,
    Batch,
    Extension,
    Key,
    Loss,
    Memory,
    Metrics,
    Network,
    Params,
    Phase,
    Regularizer,
    Sampler,
)


def no_augment(keys: Any, samples: Any, state: Any) -> Any:
    """Return the samples as they are."""
    del keys, state
    return samples


def newest(images_seen: Any, batch_size: int) -> Any:
    """Keep no average: decay 0, so the average is the newest parameters."""
    del images_seen, batch_size
    return jnp.float32(0.0)


def equally(fake_logits: Any, images_seen: Any) -> Any:
    """Weigh all samples of a batch alike in the generator's loss."""
    del images_seen
    return jnp.ones_like(fake_logits)


class Recipe(NamedTuple):
    """All that a step needs, and nothing that a loop needs."""

    loss: Loss
    g_tx: optax.GradientTransformation
    d_tx: optax.GradientTransformation
    latents: Sampler
    d_regularizers: tuple[Regularizer, ...] = ()
    augment: Augment = no_augment
    ema: Callable[[Any, int], Any] = newest  # (images seen, batch size) -> decay
    microbatches: int = 1  # gradients are accumulated over so many equal parts of the batch
    per_sample: bool = False  # D does not mix samples: penalties may share the loss's backward pass
    g_regularizers: tuple[Regularizer, ...] = ()
    g_weights: Callable[[Any, Any], Any] = (
        equally  # (fake logits [B], images seen) -> weights [B] of G's loss
    )
    memories: tuple[Memory, ...] = ()  # besides those of regularizers and extensions
    extensions: tuple[Extension, ...] = ()  # applied in order


def make_train_step(generator: Network, discriminator: Network, recipe: Recipe) -> Step:
    """Make the usual step: update the discriminator, then the generator, then the average.

    Returns:
        ``step(state, batch) -> (state, metrics)``, pure and not jitted. ``batch['image']`` is [B, ...] in [-1, 1];
        ``batch['label']``, [B], is optional and reaches both networks.
    """
    return step_of_phases(
        {
            'd': discriminator_phase(generator, discriminator, recipe),
            'g': generator_phase(generator, discriminator, recipe),
            'ema': ema_phase(generator, recipe),
        },
        generator,
        discriminator,
        recipe,
    )


def step_of_phases(
    phases: dict[str, Phase], generator: Network, discriminator: Network, recipe: Recipe
) -> Step:
    """Make a step of named phases: D's feeds what is remembered, extensions change them, all run in order."""
    updated = tuple(memory for memory in memories(recipe) if memory.update is not None)
    phases = {**phases, 'd': observe(phases['d'], updated)} if updated else phases
    for extension in recipe.extensions:
        phases = extension.phases(phases, generator, discriminator, recipe)
    return Step(phases)


def discriminator_phase(generator: Network, discriminator: Network, recipe: Recipe) -> Phase:
    """Update the discriminator once: ``mean(loss) + sum(weight * mean(penalty))``.

    Real, fake and penalties share one augmentation key a sample, so that XLA merges their forward passes, and a
    pair of real and fake is seen through the same augmentation. With ``recipe.per_sample`` XLA merges the penalties'
    first backward passes with the loss's too: see ``BoundCritic.cotangent``.
    """

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        def loss(params: Params, aux: Any, x: dict) -> tuple[Any, Any]:
            bound = bind_generator(generator, state.g.params, state.g.aux, x)
            fake = jax.lax.stop_gradient(bound.apply(x['latents']))
            return discriminator_loss(discriminator, recipe, state, params, aux, x, fake, bound)

        inputs = draw_inputs(batch, key, recipe)
        player, metrics = update(state.d, loss, inputs, recipe.d_tx, recipe.microbatches, state.images_seen)
        return state.replace(d=player), metrics

    return phase


def generator_phase(generator: Network, discriminator: Network, recipe: Recipe) -> Phase:
    """Update the generator once. Losses that ignore the real logits cost no real forward pass: XLA removes it."""

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        def loss(params: Params, aux: Any, x: dict) -> tuple[Any, Any]:
            fake, new_aux = generator.apply(params, aux, x['latents'], x['label'])
            bound = bind_generator(generator, params, aux, x)
            value, metrics = generator_loss(discriminator, recipe, state, state.d, x, fake, bound, params)
            return value, (new_aux, metrics)

        inputs = draw_inputs(batch, key, recipe)
        player, metrics = update(state.g, loss, inputs, recipe.g_tx, recipe.microbatches, state.images_seen)
        return state.replace(g=player), metrics

    return phase


def ema_phase(generator: Network, recipe: Recipe) -> Phase:
    """Move the average towards the generator.

    Batch statistics of the live generator do not fit the averaged parameters, so where a generator has any, the
    average gathers its own from one forward pass on fresh latents.
    """

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        size = batch['image'].shape[0]
        decay = recipe.ema(state.images_seen, size)
        params = jax.tree.map(
            lambda old, new: new + jnp.asarray(decay, new.dtype) * (old - new),
            state.g_ema.params,
            state.g.params,
        )
        aux = state.g_ema.aux
        if jax.tree.leaves(aux):
            part = size // recipe.microbatches  # no more samples at once than elsewhere in the step
            label = batch.get('label')
            _, aux = generator.apply(
                params, aux, recipe.latents(key, part), None if label is None else label[:part]
            )
        return state.replace(g_ema=Average(params, aux)), {}

    return phase


def update(
    player: Player,
    loss: Callable,
    inputs: dict,
    tx: optax.GradientTransformation,
    microbatches: int,
    images_seen: Any,
) -> tuple[Player, Metrics]:
    """Take one optimizer step on ``loss(params, aux, inputs) -> (scalar, (aux, metrics))``."""
    gradient, (aux, metrics) = mean_gradient(loss, player.params, player.aux, inputs, microbatches)
    player, norm = descend(player, gradient, aux, tx, images_seen)
    return player, metrics | norm


def descend(
    player: Player, gradient: Params, aux: Any, tx: optax.GradientTransformation, images_seen: Any
) -> tuple[Player, Metrics]:
    """Take one optimizer step along a gradient; the metric is the gradient's norm, before any clipping."""
    optimizer = optax.with_extra_args_support(tx)
    with jax.numpy_dtype_promotion('standard'):  # Optax is not written for strict promotion; a caller may be
        updates, opt = optimizer.update(gradient, player.opt, player.params, images_seen=images_seen)
    params = optax.apply_updates(player.params, updates)
    return Player(params, aux, opt), {'grad_norm': norm(gradient)}


def mean_gradient(
    loss: Callable, params: Params, aux: Any, inputs: Any, microbatches: int = 1
) -> tuple[Params, tuple[Any, Metrics]]:
    """Differentiate a mean over the batch, in equal parts one after another to save memory.

    For a loss that is a mean of per-sample values the result is the full batch's. Networks that mix samples (batch
    normalization, minibatch standard deviation) see the parts instead of the whole.

    Args:
        loss: ``(params, aux, inputs) -> (scalar, (aux, metrics))``.
        params: differentiated.
        aux: carried through the parts.
        inputs: a tree of arrays with the batch as leading axis.
        microbatches: number of parts; must divide the batch.

    Returns:
        The gradient, and ``(aux, metrics)`` with the metrics' means.
    """
    return accumulate(jax.grad(loss, has_aux=True), params, aux, inputs, microbatches)


def accumulate(
    gradient: Callable, params: Params, aux: Any, inputs: Any, microbatches: int
) -> tuple[Params, tuple[Any, Metrics]]:
    """Average ``gradient(params, aux, inputs) -> (gradient, (aux, metrics))`` over equal parts of the batch."""
    if microbatches == 1:
        return gradient(params, aux, inputs)
    parts = jax.tree.map(lambda leaf: split_batch(leaf, microbatches, 'microbatches'), inputs)

    def body(carry: tuple[Any, Params], part: Any) -> tuple[tuple[Any, Params], Metrics]:
        carried, total = carry
        found, (carried, metrics) = gradient(params, carried, part)
        return (carried, jax.tree.map(jnp.add, total, found)), metrics

    start = (aux, jax.tree.map(jnp.zeros_like, params))
    (aux, total), metrics = jax.lax.scan(body, start, parts)
    mean = jax.tree.map(lambda leaf: leaf / microbatches, total)
    return mean, (aux, jax.tree.map(lambda values: jnp.mean(values, axis=0), metrics))


def draw_inputs(batch: Batch, key: Key, recipe: Recipe) -> dict[str, Any]:
    """Gather what a phase draws for its batch: everything has the batch as leading axis, so that it can be split."""
    size = batch['image'].shape[0]
    latent_key, view_key, penalty_key = jax.random.split(key, 3)
    return {
        'real': batch['image'],
        'label': batch.get('label'),
        'latents': recipe.latents(latent_key, size),
        'view_keys': jax.random.split(view_key, size),
        'penalty_keys': jax.random.split(penalty_key, size),
    }
