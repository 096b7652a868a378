"""Adaptive pseudo augmentation: now and then D is shown a generated image as a real one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.augment.controller import controller, real_sign
from jaxgan.phases import named_key
from jaxgan.state import GanState
from jaxgan.types import Batch, Extension, Key, Metrics, Network, Phase


def apa(
    target: float = 0.6,
    images: int = 500_000,
    measure: Callable[[Metrics], Any] = real_sign,
    name: str = 'apa',
) -> Extension:
    """Replace each real image of D's phase by a generated one of the same label with a probability p that adapts.

    p rises while ``measure`` (lambda in the paper) is above its target, and falls otherwise; it is measured on what D
    took for real. All that the phase does with real images, its penalties too, it does with the replaced ones. Where no
    image of a batch is replaced, the generator does not run. Metrics: ``apa/p``, and ``apa/share``, what was replaced.

    Args:
        target: t, of the measure.
        images: over which p may rise from 0 to 1.
        measure: one of ``jaxgan.augment.controller``'s: the paper's lambda_r (by default), lambda_f or lambda_rf.
        name: of the memory.

    References:
        Jiang et al. 2021, Deceive D: adaptive pseudo augmentation for GAN training with limited data, arXiv 2111.06849,
        section 3.2: equation 3 and the heuristics after it.
    """

    def extend(
        phases: dict[str, Phase], generator: Network, discriminator: Network, recipe: Any
    ) -> dict[str, Phase]:
        del discriminator
        return {**phases, 'd': _deceived(phases['d'], generator, recipe, name)}

    return Extension(extend, (controller(name, measure, target, images),))


def _deceived(phase: Phase, generator: Network, recipe: Any, name: str) -> Phase:
    def deceived(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        real = batch['image']
        gate_key, latent_key = jax.random.split(named_key(key, name))
        chosen = jax.random.uniform(gate_key, real.shape[:1]) < state.extra[name]['p']

        def replaced() -> Any:
            latents = recipe.latents(latent_key, real.shape[0])
            fake, _ = generator.apply(state.g.params, state.g.aux, latents, batch.get('label'))
            mask = chosen.reshape(-1, *(1,) * (real.ndim - 1))
            return jnp.where(mask, fake.astype(real.dtype), real)

        shown = jax.lax.cond(jnp.any(chosen), replaced, lambda: real)
        state, metrics = phase(state, {**batch, 'image': shown}, key)
        return state, metrics | {f'{name}/share': jnp.mean(chosen, dtype=jnp.float32)}

    return deceived
