"""Several updates of the discriminator for each of the generator."""

from typing import Any

import jax

from jaxgan.phases import over_parts, split_batch
from jaxgan.state import GanState
from jaxgan.steps import ema_phase
from jaxgan.types import Batch, Extension, Key, Metrics, Network, Phase


def discriminator_steps(times: int) -> Extension:
    """Update D on each of so many equal parts of the batch, and G once, with as many images as one part has.

    The batch is ``times`` times as large, so each update of D sees real images of its own; all count as seen. G's phases
    are those called ``g`` and ``g_...``.

    Raises:
        ValueError: ``times`` is not positive, or the step updates both players at once.

    References:
        Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1 (k steps of D for one of G).
    """
    if times < 1:
        raise ValueError(f'{times} steps of the discriminator; there must be at least 1')

    def extend(phases: dict[str, Phase], generator: Network, _: Network, recipe: Any) -> dict[str, Phase]:
        if 'g' not in phases:
            raise ValueError('several steps of the discriminator need a phase of its own for the generator')
        own = {name: part for name, part in phases.items() if name == 'g' or name.startswith('g_')}
        narrowed = {name: _on_last_part(part, times) for name, part in own.items()}
        averaged = {name: _averaging(generator, recipe, times) for name in phases if name == 'ema'}
        return {**phases, 'd': over_parts(phases['d'], times), **narrowed, **averaged}

    return Extension(extend)


def _averaging(generator: Network, recipe: Any, times: int) -> Phase:
    """Average as after all images, but gather batch statistics from as many samples as G is trained on."""
    decay = recipe.ema
    counted = recipe._replace(ema=lambda images_seen, size: decay(images_seen, size * times))
    return _on_last_part(ema_phase(generator, counted), times)


def _on_last_part(phase: Phase, parts: int) -> Phase:
    def narrowed(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        return phase(state, jax.tree.map(lambda leaf: split_batch(leaf, parts)[-1], dict(batch)), key)

    return narrowed
