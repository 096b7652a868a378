"""Two stages on the same fakes: the generator's update goes on from the forward pass that made the discriminator's.

The usual step draws new latents for each player, which costs one more forward pass of the generator. Here D is updated
on ``G(z)``, and then G on the same ``G(z)`` against the new D. G has not changed in between, so its gradient is exact.

References:
    Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1, draws anew; reference implementations of DCGAN share.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.critic import bind_generator, discriminator_loss, generator_loss
from jaxgan.errors import InputError
from jaxgan.phases import Step
from jaxgan.state import GanState
from jaxgan.steps import Recipe, descend, draw_inputs, ema_phase, step_of_phases, update
from jaxgan.types import Batch, Key, Metrics, Network, Params, Phase


def make_shared_fakes_step(generator: Network, discriminator: Network, recipe: Recipe) -> Step:
    """Make a step that updates D, then G on the same fakes, then the average; metrics as ``make_train_step``'s.

    Returns:
        ``step(state, batch) -> (state, metrics)``, pure and not jitted. D sees the random draws of the usual step.
    """
    phases = {
        'd': shared_fakes_phase(generator, discriminator, recipe),
        'ema': ema_phase(generator, recipe),
    }
    return step_of_phases(phases, generator, discriminator, recipe)


def shared_fakes_phase(generator: Network, discriminator: Network, recipe: Recipe) -> Phase:
    """Update D, then G on the same fake samples and views, against the new D.

    Raises:
        InputError: while tracing: ``recipe.microbatches`` is not 1 (D's update needs all fakes, whose forward pass G's
            update then needs at once).
    """
    if recipe.microbatches != 1:
        raise InputError(
            f'shared fakes need the whole batch at once: microbatches {recipe.microbatches} must be 1'
        )

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        x = draw_inputs(batch, key, recipe)
        bound = bind_generator(generator, state.g.params, state.g.aux, x)
        fake, pull, aux = jax.vjp(
            lambda p: generator.apply(p, state.g.aux, x['latents'], x['label']), state.g.params, has_aux=True
        )

        def d_loss(params: Params, aux: Any, x: dict) -> tuple[Any, Any]:
            return discriminator_loss(discriminator, recipe, state, params, aux, x, fake, bound)

        d, d_metrics = update(state.d, d_loss, x, recipe.d_tx, 1, state.images_seen)

        def g_loss(fake: Any, params: Params) -> tuple[Any, Metrics]:
            bound = bind_generator(generator, params, state.g.aux, x)
            return generator_loss(discriminator, recipe, state, d, x, fake, bound, params)

        pulled, g_metrics = jax.grad(g_loss, (0, 1), has_aux=True)(fake, state.g.params)
        gradient = pull(pulled[0])[0]
        if recipe.g_regularizers:  # they may reach G besides the fake samples
            gradient = jax.tree.map(jnp.add, gradient, pulled[1])
        g, norm = descend(state.g, gradient, aux, recipe.g_tx, state.images_seen)
        metrics = {f'd/{name}': value for name, value in d_metrics.items()}
        metrics |= {f'g/{name}': value for name, value in (g_metrics | norm).items()}
        return state.replace(d=d, g=g), metrics

    return phase
