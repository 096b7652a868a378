"""The guard: a phase's result is taken only where it is finite, on the device, in the step that makes it.

``state.fault`` says whether training is healthy: 0, or 1 + the place of the phase that failed. From then on nothing
changes, so the state stays as the failing phase met it, and that phase on that state fails again.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.state import GanState
from jaxgan.types import Batch, Key, Phase

SMALL = 4096  # numbers in a leaf that are looked at one by one


def guarded(phases: Mapping[str, Phase]) -> dict[str, Phase]:
    """Guard each of the phases that a step runs in this order; a failure is numbered by its place, from 1 on."""
    return {name: guard(phase, place) for place, (name, phase) in enumerate(phases.items(), 1)}


def guard(phase: Phase, number: int) -> Phase:
    """Take what a phase makes only where it is finite and no phase has failed before; else the state stays.

    Finite must be all metrics, and all small leaves that the phase changes in the state, those of the optimizers' states left
    out. That speaks for the large ones, too: what enters an optimizer is the gradient, whose norm is a metric, and a learning
    rate or a norm that is not finite spoils biases like kernels. So nothing large is read once more, and the choice
    between old and new is a part of the optimizer's own pass.

    Args:
        phase: any; its metrics are seen by the guard alone, and pass as they are.
        number: what ``state.fault`` becomes.
    """

    def run(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Any]:
        new, metrics = phase(state, batch, key)
        fine = all_finite((metrics, [leaf for leaf in changed(state, new) if leaf.size <= SMALL]))
        taken = fine & (state.fault == 0)
        kept = jax.tree.map(lambda old, new: old if new is old else jnp.where(taken, new, old), state, new)
        fault = jnp.where((state.fault == 0) & ~fine, jnp.int32(number), state.fault)
        return kept.replace(fault=fault), metrics

    return run


def all_finite(tree: Any) -> Any:
    """Say whether every number of a tree is finite; integers and keys are."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)]
    if not leaves:
        return jnp.bool_(True)
    flags = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves])
    # the least of them, by sorting: XLA would compute a plain reduction anew in every loop that uses it, and round differently there
    return jnp.sort(flags.astype(jnp.int8))[0] > 0


def changed(old: GanState, new: GanState) -> list[Any]:
    """List the leaves that a phase has made anew, those of the optimizers' states left out."""

    def bare(state: GanState) -> GanState:
        return state.replace(g=state.g.replace(opt=()), d=state.d.replace(opt=()))

    pairs = zip(jax.tree.leaves(bare(old)), jax.tree.leaves(bare(new)), strict=True)
    return [after for before, after in pairs if after is not before]
