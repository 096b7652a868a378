"""Combine phases: in sequence, repeated, into a step, and steps into a scan.

Keys: the root key never advances. A step's key is ``fold_in(root, step)``, a phase's is ``fold_in(step's, crc32 of
its name)``, so a new phase moves nobody else's randomness and a resumed run is exact.
"""

import functools
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.guard import guarded
from jaxgan.state import GanState
from jaxgan.types import Batch, Key, Memory, Metrics, Phase


def as_step(phase: Phase) -> Callable[[GanState, Batch], tuple[GanState, Metrics]]:
    """Make a step from a phase: derive the step's key, run the phase, count the step and its images.

    A step that a guarded phase has stopped (``state.fault``) is not counted.
    """

    def step(state: GanState, batch: Batch) -> tuple[GanState, Metrics]:
        state, metrics = phase(state, batch, jax.random.fold_in(state.key, state.step))
        healthy = (state.fault == 0).astype(jnp.int32)
        images = batch['image'].shape[0] * healthy
        return state.replace(step=state.step + healthy, images_seen=state.images_seen + images), metrics

    return step


class Step:
    """A step made of named phases, each guarded: ``step(state, batch) -> (state, metrics)``, pure and not jitted."""

    def __init__(self, phases: Mapping[str, Phase]) -> None:
        """Run the phases in their order."""
        self.phases = dict(phases)
        self._run = as_step(sequence(**guarded(self.phases)))

    def __call__(self, state: GanState, batch: Batch) -> tuple[GanState, Metrics]:
        """Take the step; where a phase makes what is not finite, ``state.fault`` is its number from then on."""
        return self._run(state, batch)


def named_key(key: Key, name: str) -> Key:
    """Derive the key that belongs to a name; other names do not move it."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def sequence(**phases: Phase) -> Phase:
    """Run phases in order, each with the key of its name.

    Metrics are named ``phase/metric``; those with a slash (of a phase that does the work of several) stay as they are.
    """

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        metrics: Metrics = {}
        for name, part in phases.items():
            with jax.named_scope(f'phase.{name}'):  # profiles read it
                state, found = part(state, batch, named_key(key, name))
            metrics |= {
                metric if '/' in metric else f'{name}/{metric}': value for metric, value in found.items()
            }
        return state, metrics

    return phase


def repeat(phase: Phase, times: int) -> Phase:
    """Run a phase several times on one batch with different keys, by ``lax.scan``; metrics are the means."""

    def repeated(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        def body(carry: GanState, i: Any) -> tuple[GanState, Metrics]:
            return phase(carry, batch, jax.random.fold_in(key, i))

        state, metrics = jax.lax.scan(body, state, jnp.arange(times))
        return state, jax.tree.map(lambda values: jnp.mean(values, axis=0), metrics)

    return repeated


def observe(phase: Phase, memories: Sequence[Memory]) -> Phase:
    """Run a phase, update memories from its metrics, and add what they report; see ``Memory``."""

    def observed(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        state, metrics = phase(state, batch, key)
        seen = {name.removeprefix('d/'): value for name, value in metrics.items()}
        images = batch['image'].shape[0]
        new = {m.name: m.update(state.extra[m.name], seen, images) for m in memories if m.update is not None}
        reports = [
            (m.name, m.report(new[m.name])) for m in memories if m.report is not None and m.name in new
        ]
        told = {f'{name}/{key}': value for name, found in reports for key, value in found.items()}
        return state.replace(extra={**state.extra, **new}), metrics | told

    return observed


def over_parts(phase: Phase, parts: int) -> Phase:
    """Run a phase on each of so many equal parts of the batch, by ``lax.scan``; metrics are the means.

    So D takes several steps, each on images of its own, where ``repeat`` would show it the same ones again.

    Raises:
        ValueError: while tracing: the batch does not divide into such parts.
    """

    def parted(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        def body(carry: GanState, part: Any) -> tuple[GanState, Metrics]:
            return phase(carry, part[1], jax.random.fold_in(key, part[0]))

        split = jax.tree.map(lambda leaf: split_batch(leaf, parts), dict(batch))
        state, metrics = jax.lax.scan(body, state, (jnp.arange(parts), split))
        return state, jax.tree.map(lambda values: jnp.mean(values, axis=0), metrics)

    return parted


def split_batch(leaf: Any, parts: int, what: str = 'parts') -> Any:
    """Deal [B, ...] out to [parts, B / parts, ...]: part i has the samples i, i + parts, i + 2 parts, ...

    So each part has samples from every device that the batch is split over, and its work is split like the batch's.

    Raises:
        ValueError: the parts do not divide the batch.
    """
    if leaf.shape[0] % parts:
        raise ValueError(f'a batch of {leaf.shape[0]} does not divide into {parts} {what}')
    return jnp.swapaxes(leaf.reshape(leaf.shape[0] // parts, parts, *leaf.shape[1:]), 0, 1)


def scan_steps(step: Callable, batch_of: Callable[[Any, Any, Any], Batch], length: int) -> Callable:
    """Run ``length`` steps by one ``lax.while_loop``, so that the device does not wait for the host between them.

    It ends early where a step fails (``state.fault``); the state says how many steps were taken.

    Args:
        step: ``(state, batch) -> (state, metrics)``.
        batch_of: ``(data, state, i) -> batch``: the batch of the i-th step, taken from what the dispatch was given.
        length: how many steps.

    Returns:
        ``dispatch(state, data, count=length) -> (state, metrics)``; the metrics are means over the steps that did not
        fail; where the first one fails, they are its own. A traced ``count``, from 1 to ``length``, runs fewer steps
        by the same program: the end of a training compiles nothing.
    """

    @functools.partial(jax.jit, inline=True)  # so that it is traced once, for the shapes and for the loop
    def numbered(state: GanState, data: Any, i: Any) -> tuple[GanState, Metrics]:
        return step(state, batch_of(data, state, i))

    def dispatch(state: GanState, data: Any, count: Any = length) -> tuple[GanState, Metrics]:
        def goes_on(carry: tuple[Any, GanState, Metrics]) -> Any:
            return (carry[0] < count) & (carry[1].fault == 0)

        def advance(carry: tuple[Any, GanState, Metrics]) -> tuple[Any, GanState, Metrics]:
            i, state, sums = carry
            state, found = numbered(state, data, i)
            healthy = state.fault == 0
            counts = healthy | (i == 0)
            sums = jax.tree.map(lambda total, new: jnp.where(counts, total + new, total), sums, found)
            return i + healthy.astype(jnp.int32), state, sums

        _, shapes = jax.eval_shape(numbered, state, data, jnp.int32(0))
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        taken, state, sums = jax.lax.while_loop(goes_on, advance, (jnp.int32(0), state, zeros))
        return state, jax.tree.map(lambda total: total / jnp.maximum(taken, 1).astype(total.dtype), sums)

    return dispatch
