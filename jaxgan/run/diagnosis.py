"""What was not finite in a step that failed: its phase is run again, on the state as it met it, and looked into."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import build
from jaxgan.checkpoints.manifest import named_leaves
from jaxgan.config import Config
from jaxgan.data import DataInfo
from jaxgan.phases import named_key
from jaxgan.run.assembly import assemble
from jaxgan.state import GanState
from jaxgan.types import Params


class Fault(NamedTuple):
    """A phase that made what is not finite, and all that it was given."""

    step: int  # the number of the step that failed: 1 for the first
    phase: str
    config: Config
    info: DataInfo
    state: GanState  # as the phase met it
    batch: Mapping[str, Any]


class Finding(NamedTuple):
    """What is not finite."""

    metrics: dict[str, float]
    """Name -> value, losses first."""
    tensors: list[str]
    """In the order in which a cause has its effects: state, batch, gradients, what the phase makes of the state."""

    def __str__(self) -> str:
        """Write one line.

        >>> str(Finding({'d/loss': math.nan}, ['gradient of d/params/w', 'new d/params/w']))
        'd/loss is nan; first not finite: gradient of d/params/w (and 1 more)'
        """
        parts = [f'{name} is {value}' for name, value in list(self.metrics.items())[:1]]
        more = f' (and {len(self.tensors) - 1} more)' if len(self.tensors) > 1 else ''
        parts += [f'first not finite: {name}{more}' for name in self.tensors[:1]]
        return '; '.join(parts) or 'all is finite when the phase is run alone'

    @property
    def first(self) -> str:
        """The first tensor, else the first metric; empty: nothing was found."""
        return next(iter([*self.tensors, *self.metrics]), '')


class Recorded(NamedTuple):
    """An optimizer's state, and the sum of the gradients that it was given."""

    inner: Any
    gradient: Params


def phase_names(config: Config, info: DataInfo) -> tuple[str, ...]:
    """List the phases of a step in their order, which is that of ``GanState.fault``."""
    parts = assemble(config, info)
    step = build.build_step(config, parts.generator, parts.discriminator, parts.recipe)
    return tuple(step.phases)


def diagnose(fault: Fault) -> Finding:
    """Run the phase that failed once more, and list what is not finite."""
    run = _probe(fault.config, fault.info, fault.phase)
    values, gradients, new = jax.device_get(run(fault.state, dict(fault.batch)))
    metrics = {name: float(value) for name, value in values.items() if not math.isfinite(value)}
    metrics = dict(sorted(metrics.items(), key=lambda item: (not item[0].endswith('/loss'), item[0])))
    tensors = _wrong('', fault.state) + _wrong('batch/', fault.batch)
    tensors += [f'gradient of {name}' for name, fine in named_leaves(gradients).items() if not fine]
    before = set(tensors)
    made = [name for name, fine in named_leaves(new).items() if not fine and name not in before]
    return Finding(metrics, tensors + [f'new {name}' for name in made])


def _wrong(prefix: str, tree: Any) -> list[str]:
    leaves = named_leaves(tree).items()
    return [prefix + name for name, leaf in leaves if _inexact(leaf) and not np.isfinite(leaf).all()]


def _inexact(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


@functools.lru_cache(maxsize=8)  # a training that goes back finds its programs again
def _probe(config: Config, info: DataInfo, phase: str) -> Callable:
    """Compile ``(state, batch) -> (metrics, is each gradient finite, is each leaf of the new state finite)``."""
    parts = assemble(config, info)
    recipe = parts.recipe._replace(g_tx=recording(parts.recipe.g_tx), d_tx=recording(parts.recipe.d_tx))
    run = build.build_step(config, parts.generator, parts.discriminator, recipe).phases[phase]

    def look(state: GanState, batch: Any) -> Any:
        key = named_key(jax.random.fold_in(state.key, state.step), phase)
        g, d = (
            player.replace(opt=Recorded(player.opt, jax.tree.map(jnp.zeros_like, player.params)))
            for player in (state.g, state.d)
        )
        new, metrics = run(state.replace(g=g, d=d), batch, key)
        gradients = {name: {'params': getattr(new, name).opt.gradient} for name in ('g', 'd')}
        new = new.replace(g=new.g.replace(opt=new.g.opt.inner), d=new.d.replace(opt=new.d.opt.inner))
        named = {name if '/' in name else f'{phase}/{name}': value for name, value in metrics.items()}
        return named, jax.tree.map(_fine, gradients), jax.tree.map(_fine, new)

    return jax.jit(look)


def _fine(leaf: Any) -> Any:
    return jnp.all(jnp.isfinite(leaf)) if _inexact(leaf) else jnp.bool_(True)


def recording(tx: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Let an optimizer do what it does, and add up the gradients that it is given."""
    inner = optax.with_extra_args_support(tx)

    def init(params: Params) -> Recorded:
        return Recorded(inner.init(params), jax.tree.map(jnp.zeros_like, params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        gradient = jax.tree.map(jnp.add, state.gradient, updates)
        updates, new = inner.update(updates, state.inner, params, **extra)
        return updates, Recorded(new, gradient)

    return optax.GradientTransformationExtraArgs(init, update)
