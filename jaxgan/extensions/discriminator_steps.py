"""Several updates of the discriminator for each of the generator."""

from typing import Any

from jaxgan.phases import over_parts, split_batch
from jaxgan.state import GanState
from jaxgan.types import Batch, Extension, Key, Metrics, Phase


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

    def extend(phases: dict[str, Phase], *_: Any) -> dict[str, Phase]:
        if 'g' not in phases:
            raise ValueError('several steps of the discriminator need a phase of its own for the generator')
        own = {name: part for name, part in phases.items() if name == 'g' or name.startswith('g_')}
        narrowed = {name: _on_last_part(part, times) for name, part in own.items()}
        return {**phases, 'd': over_parts(phases['d'], times), **narrowed}

    return Extension(extend)


def _on_last_part(phase: Phase, parts: int) -> Phase:
    def narrowed(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        return phase(state, {name: split_batch(leaf, parts)[-1] for name, leaf in batch.items()}, key)

    return narrowed
