"""The whole state of a training run: nothing else decides the future."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from jaxgan.types import Batch, Key, Memory, Network, Sampler


class Player(flax.struct.PyTreeNode):
    """One of the two networks: its parameters, what it carries besides them, and its optimizer's state."""

    params: Any
    aux: Any
    opt: Any


class Average(flax.struct.PyTreeNode):
    """The averaged generator, with batch statistics that match the averaged parameters."""

    params: Any
    aux: Any


class GanState(flax.struct.PyTreeNode):
    """The state of a run, one tree of arrays.

    ``key`` is the run's root key and never advances: each step derives its own from it and from ``step``.
    ``extra`` holds what memories and phases keep, under their names. ``fault`` is 0 while all that training makes is
    finite; else 1 + the place of the phase that failed in the step's order, and the state stays as that phase met it.
    """

    step: Any  # int32 scalar
    images_seen: Any  # int32 scalar
    key: Any  # typed key
    g: Player
    d: Player
    g_ema: Average
    extra: Any
    fault: Any = flax.struct.field(default_factory=lambda: jnp.zeros((), jnp.int32))  # int32 scalar


def memories(recipe: Any) -> tuple[Memory, ...]:
    """List all that a recipe remembers: its own memories, its regularizers' and its extensions'.

    Raises:
        ValueError: two of them have one name.
    """
    regularizers = (*recipe.d_regularizers, *recipe.g_regularizers)
    found = [*recipe.memories, *(r.memory for r in regularizers if r.memory is not None)]
    found += [memory for extension in recipe.extensions for memory in extension.memories]
    distinct: dict[str, Memory] = {}
    for memory in found:
        if distinct.setdefault(memory.name, memory) is not memory:
            raise ValueError(f'two memories are called {memory.name!r}')
    return tuple(distinct.values())


def init_state(
    key: Key,
    generator: Network,
    discriminator: Network,
    recipe: Any,
    batch: Batch,
    extra: Any = None,
) -> GanState:
    """Initialize both players, their optimizers and the average.

    Args:
        key: the run's root key; the same key gives the same state.
        generator: takes ``(latents, label)``.
        discriminator: takes ``(samples, label)``.
        recipe: has ``latents``, ``g_tx`` and ``d_tx``, and what is to be remembered.
        batch: an example with the shapes and dtypes of training; its values do not matter.
        extra: what further phases keep in the state.
    """
    g_key, d_key, z_key = jax.random.split(key, 3)
    latents: Sampler = recipe.latents
    real, label = batch['image'], batch.get('label')
    g_params, g_aux = generator.init(g_key, latents(z_key, real.shape[0]), label)
    d_params, d_aux = discriminator.init(d_key, real, label)
    return GanState(
        step=jnp.zeros((), jnp.int32),
        images_seen=jnp.zeros((), jnp.int32),
        key=key,
        g=Player(g_params, g_aux, recipe.g_tx.init(g_params)),
        d=Player(d_params, d_aux, recipe.d_tx.init(d_params)),
        g_ema=jax.tree.map(jnp.copy, Average(g_params, g_aux)),  # a copy: donated buffers must not be shared
        fault=jnp.zeros((), jnp.int32),
        extra={memory.name: jax.tree.map(jnp.array, memory.initial) for memory in memories(recipe)}
        | (extra or {}),
    )
