"""A run's functions, compiled and placed, made once from its configuration and its data."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import build
from jaxgan.config import Config, check
from jaxgan.configjson import to_dict
from jaxgan.data import DataInfo, Feed, ImageSource, open_feed, prepare
from jaxgan.errors import InputError
from jaxgan.phases import named_key, scan_steps
from jaxgan.sampling import make_sampler
from jaxgan.sharding import data_mesh, replicated, split
from jaxgan.state import GanState, init_state
from jaxgan.steps import make_train_step
from jaxgan.types import Batch, Network, Sampler
from jaxgan.version import __version__


class Trainer(NamedTuple):
    """Everything that a loop needs to train."""

    config: Config
    info: DataInfo
    feed: Feed
    init: Callable[[], GanState]
    abstract: GanState  # shapes and placements of the state
    dispatch: Callable[[int], Any]  # number of steps -> compiled (state, data) -> (state, metrics)
    samples: Callable[[GanState], np.ndarray]  # the grid of fixed latents, uint8 [n, H, W, C]
    meta: Callable[[int], dict]  # step -> what is stored beside a checkpoint
    total_steps: int


def make_trainer(config: Config, source: ImageSource) -> Trainer:
    """Build networks, step and feed, and place them on the devices; nothing is compiled yet.

    Raises:
        InputError: the configuration does not fit the data or the devices.
    """
    check(config)
    info = source.info
    classes = _classes(config, info)
    build.check_size(config.model, info.size)
    mesh = data_mesh(config.batch_size, config.microbatches)
    architecture = build.architecture(config.model, info.size, info.channels, classes, config.dtype)
    generator, discriminator = build.build_networks(
        config.model, info.size, info.channels, classes, config.dtype
    )
    recipe = build.build_recipe(config)
    feed = open_feed(source, config.data, batch_size=config.batch_size, seed=config.seed, mesh=mesh)

    def init() -> GanState:
        example: dict[str, Any] = {
            'image': jnp.zeros((config.batch_size, info.size, info.size, info.channels))
        }
        if classes:
            example['label'] = jnp.zeros((config.batch_size,), jnp.int32)
        return init_state(jax.random.key(config.seed), generator, discriminator, recipe, example)

    def batch_of(data: Any, state: GanState, i: Any) -> Batch:
        raw = feed.batch(data, state.step, i)
        raw = {name: value for name, value in raw.items() if name == 'image' or classes}
        raw = jax.lax.with_sharding_constraint(raw, split(mesh))
        return prepare(
            named_key(jax.random.fold_in(state.key, state.step), 'data'), raw, flip=config.data.flip
        )

    step = make_train_step(generator, discriminator, recipe)
    whole = replicated(mesh)
    placed_init = jax.jit(init, out_shardings=whole)
    shapes = jax.eval_shape(placed_init)
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=whole), shapes)

    @functools.cache
    def dispatch(length: int) -> Any:
        program = jax.jit(scan_steps(step, batch_of, length), donate_argnums=0, out_shardings=whole)
        return program.lower(abstract, feed.take(0, length)).compile()

    return Trainer(
        config=config,
        info=info,
        feed=feed,
        init=placed_init,
        abstract=abstract,
        dispatch=dispatch,
        samples=_grid_sampler(config, generator, recipe.latents, classes),
        meta=functools.partial(_meta, config, info, architecture),
        total_steps=math.ceil(config.images / config.batch_size),
    )


def _grid_sampler(
    config: Config, generator: Network, latents: Sampler, classes: int
) -> Callable[[GanState], np.ndarray]:
    seeds = np.arange(config.grid)
    labels = np.arange(config.grid, dtype=np.int32) % classes if classes else None  # each class in turn

    def samples(state: GanState) -> np.ndarray:
        return make_sampler(generator, latents, state.g_ema.params, state.g_ema.aux)(seeds, labels)

    return samples


def _classes(config: Config, info: DataInfo) -> int:
    if not config.conditional:
        return 0
    if not info.classes:
        raise InputError(f'conditional training needs labels, and {info.name} has none')
    return len(info.classes)


def _meta(config: Config, info: DataInfo, architecture: dict, step: int) -> dict[str, Any]:
    """Describe a checkpoint: enough to sample from it without the configuration file or the data."""
    return {
        'config': to_dict(config),
        'architecture': architecture,
        'data': dataclasses.asdict(info),
        'images_seen': step * config.batch_size,
        'jaxgan': __version__,
        'jax': jax.__version__,
    }
