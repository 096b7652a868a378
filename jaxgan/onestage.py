"""One-stage training: both players' simultaneous gradients from one forward and one backward pass of D.

The usual step runs the discriminator on fake images twice: to update it, then to update the generator. Where it
does not mix samples, its backward pass is linear in each sample's cotangent: a cotangent c_i on logit i gives
``c_i dlogit_i/dx_i`` at fake image i. So the pass with the discriminator's cotangents ``dL_D/dlogit_i`` also holds
the generator's image gradient, times the ratio ``(dL_G/dlogit_i) / (dL_D/dlogit_i)``.

References:
    Shen et al. 2021, Training generative adversarial networks in one stage, arXiv 2103.00430, section 3.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.critic import (
    as_verdict,
    bind_generator,
    generator_objective,
    logit_metrics,
    loss_cotangents,
    make_critic,
    penalties,
)
from jaxgan.errors import InputError
from jaxgan.phases import Step
from jaxgan.state import GanState
from jaxgan.steps import (
    Recipe,
    accumulate,
    descend,
    draw_inputs,
    ema_phase,
    step_of_phases,
)
from jaxgan.types import Batch, Key, Metrics, Network, Params, Phase


def make_one_stage_step(generator: Network, discriminator: Network, recipe: Recipe) -> Step:
    """Make a step that updates both players at once, from the same parameters, and then the average.

    Its metrics have the names of ``make_train_step``'s, and the discriminator sees the same random draws.

    Returns:
        ``step(state, batch) -> (state, metrics)``, pure and not jitted, as ``make_train_step``.
    """
    phases = {'d': one_stage_phase(generator, discriminator, recipe), 'ema': ema_phase(generator, recipe)}
    return step_of_phases(phases, generator, discriminator, recipe)


def one_stage_phase(generator: Network, discriminator: Network, recipe: Recipe) -> Phase:
    """Update both players once, by the simultaneous gradients at the old parameters.

    The gradients are those of ``mean(L_D) + penalties`` in D's parameters and of ``mean(L_G)`` in G's, both on the same
    fake images and views, to rounding. Metrics are named ``d/...`` and ``g/...``. Augmentations must not mix samples
    either.

    Raises:
        InputError: while tracing: the discriminator mixes samples (batch normalization, minibatch deviation).

    References:
        Shen et al. 2021, arXiv 2103.00430, section 3.
    """

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        _refuse_mixing(discriminator, batch, recipe.microbatches)
        gradient = _gradients(generator, discriminator, recipe, state)
        params, aux = (state.g.params, state.d.params), (state.g.aux, state.d.aux)
        inputs = draw_inputs(batch, key, recipe)
        (for_g, for_d), ((g_aux, d_aux), metrics) = accumulate(
            gradient, params, aux, inputs, recipe.microbatches
        )
        g, g_norm = descend(state.g, for_g, g_aux, recipe.g_tx, state.images_seen)
        d, d_norm = descend(state.d, for_d, d_aux, recipe.d_tx, state.images_seen)
        metrics |= {'g/grad_norm': g_norm['grad_norm'], 'd/grad_norm': d_norm['grad_norm']}
        return state.replace(g=g, d=d), metrics

    return phase


def _gradients(generator: Network, discriminator: Network, recipe: Recipe, state: GanState) -> Callable:
    """Make ``((g, d) params, aux, inputs) -> ((g, d) gradients, ((g, d) aux, metrics))``."""

    def gradients(params: Any, aux: Any, x: dict) -> tuple[Any, Any]:
        fake, pull_g, g_aux = jax.vjp(
            lambda p: generator.apply(p, aux[0], x['latents'], x['label']), params[0], has_aux=True
        )

        def verdicts(d_params: Params, fake: Any) -> tuple[Any, Any]:
            critic = make_critic(discriminator, recipe, d_params, aux[1], x, state)
            on_real, carried = critic.judge(x['real'])
            on_fake, carried = critic.judge(fake, carried)
            return (on_real.logits, on_fake.logits), carried

        (real_logits, fake_logits), pull_d, d_aux = jax.vjp(verdicts, params[1], fake, has_aux=True)
        (d_loss, g_loss), for_real, for_fake, ratio = _cotangents(recipe, real_logits, fake_logits, state)
        for_d, for_images = pull_d((for_real, for_fake))
        seeds = ((x['real'], for_real), (fake, for_fake))

        def penalize(d_params: Params) -> tuple[Any, Metrics]:
            bound = bind_generator(generator, params[0], aux[0], x)
            critic = make_critic(discriminator, recipe, d_params, aux[1], x, state)
            critic = critic._replace(seeds=seeds, generator=bound)
            return penalties(recipe.d_regularizers, critic, x['real'], fake, x['penalty_keys'], state)

        def penalize_g(fake: Any, g_params: Params) -> tuple[Any, Metrics]:
            bound = bind_generator(generator, g_params, aux[0], x)
            critic = make_critic(discriminator, recipe, params[1], aux[1], x, state)
            critic = critic._replace(generator=bound, trained=g_params)
            return penalties(recipe.g_regularizers, critic, x['real'], fake, x['penalty_keys'], state)

        more_d, d_parts = jax.grad(penalize, has_aux=True)(params[1])
        (more_images, more_g), g_parts = jax.grad(penalize_g, (0, 1), has_aux=True)(fake, params[0])
        for_images = _per_sample(for_images, ratio)
        (for_g,) = pull_g(for_images + more_images if g_parts else for_images)
        for_d = jax.tree.map(jnp.add, for_d, more_d) if d_parts else for_d
        for_g = jax.tree.map(jnp.add, for_g, more_g) if g_parts else for_g
        values = logit_metrics(d_loss, real_logits, fake_logits) | d_parts
        metrics = {f'd/{name}': value for name, value in values.items()}
        metrics |= {f'g/{name}': value for name, value in ({'loss': g_loss} | g_parts).items()}
        return (for_g, for_d), ((g_aux, d_aux), metrics)

    return gradients


def _cotangents(
    recipe: Recipe, real: Any, fake: Any, state: GanState
) -> tuple[tuple[Any, Any], Any, Any, Any]:
    """Compute both losses, D's cotangents on real and fake logits, and the factors that make the latter G's."""
    d_loss = jnp.mean(recipe.loss.discriminator(real, fake))
    for_real, for_fake = loss_cotangents(recipe.loss, real, fake)
    g_loss, wanted = jax.value_and_grad(lambda fake: generator_objective(recipe, real, fake, state))(fake)
    return (d_loss, g_loss), for_real, for_fake, wanted / for_fake


def _per_sample(images: Any, factors: Any) -> Any:
    shape = (-1,) + (1,) * (images.ndim - 1)
    return images * factors.astype(images.dtype).reshape(shape)


def _refuse_mixing(discriminator: Network, batch: Batch, microbatches: int) -> None:
    real, label = batch['image'], batch.get('label')
    part = real.shape[0] // microbatches
    few = max(n for n in range(1, 9) if part % n == 0)
    shape = (few if few > 1 else part, *real.shape[1:])
    if _mixes(discriminator, shape, real.dtype, None if label is None else label.dtype):
        raise InputError(
            'one-stage training needs a discriminator that does not mix samples, and the logit of one sample of this one '
            'depends on others (batch normalization, minibatch deviation): take it without, or train in two stages'
        )


@functools.lru_cache(maxsize=8)
def _mixes(discriminator: Network, shape: tuple[int, ...], dtype: Any, label_dtype: Any) -> bool:
    with jax.ensure_compile_time_eval():  # also where a step is being traced
        label = None if label_dtype is None else jnp.zeros(shape[:1], label_dtype)
        return mixes_samples(discriminator, jax.random.normal(jax.random.key(0), shape, dtype), label)


def mixes_samples(discriminator: Network, samples: Any, label: Any = None) -> bool:
    """Say whether the gradient of one sample's logit reaches other samples; exact, by one backward pass.

    Parameters are replaced by scattered values, since a zero initialization (as in residual branches) would hide what is behind it.

    Args:
        discriminator: takes ``(samples, label)``.
        samples: [B, ...], concrete; their values do not matter. A network that works on groups of samples needs a
            whole group.
        label: [B], or ``None``.
    """

    def reached() -> Any:
        params, aux = discriminator.init(jax.random.key(0), samples, label)
        params = jax.tree.map(_not_zero, params)
        logits, pull = jax.vjp(
            lambda x: as_verdict(discriminator.apply(params, aux, x, label)[0]).logits, samples
        )
        (gradient,) = pull(jnp.zeros_like(logits).at[0].set(1.0))
        return jnp.any(gradient[1:] != 0.0)

    # it runs once: compiling it well would take longer
    hasty: Any = {'xla_backend_optimization_level': 0}
    return bool(jax.jit(reached).lower().compile(hasty)())


def _not_zero(leaf: Any) -> Any:
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf
    scattered = jnp.sin(12.9898 * jnp.arange(1, leaf.size + 1, dtype=jnp.float32)).reshape(leaf.shape)
    return (scattered / math.sqrt(max(math.prod(leaf.shape[:-1]), 1))).astype(leaf.dtype)
