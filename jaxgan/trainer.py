"""A run's functions, compiled and placed, made once from its configuration and its data."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import build
from jaxgan.alarms import Alarms, distance
from jaxgan.config import Config, check, step_images
from jaxgan.configjson import to_dict
from jaxgan.data import DataInfo, Feed, ImageSource, open_feed, prepare
from jaxgan.errors import InputError
from jaxgan.evaluator import Evaluator, make_evaluator
from jaxgan.phases import named_key, scan_steps
from jaxgan.placing import local
from jaxgan.program import Program, dispatcher
from jaxgan.realimages import Reals, order, read_bytes
from jaxgan.runtime import compile_quickly
from jaxgan.sampling import make_sampler
from jaxgan.sharding import (
    Sharding,
    bytes_per_device,
    check_groups,
    choose,
    data_mesh,
    keep_places,
    places,
    replicated,
    split,
    split_latents,
    whole_parameters,
)
from jaxgan.state import GanState, init_state
from jaxgan.steps import Recipe
from jaxgan.types import Batch, Network, Sampler
from jaxgan.version import __version__

COMPARED = 64  # real images whose mean distance samples are compared with


class Trainer(NamedTuple):
    """Everything that a loop needs to train."""

    config: Config
    info: DataInfo
    feed: Feed
    init: Callable[[], GanState]
    abstract: GanState  # shapes and placements of the state
    program: Program
    dispatch: Callable[[GanState, int, int], Any]  # (state, step, count), count <= length -> (state, metrics)
    samples: Callable[[GanState], np.ndarray]  # the grid of fixed latents, uint8 [n, H, W, C]
    meta: Callable[[int], dict]  # step -> what is stored beside a checkpoint
    total_steps: int
    length: int  # steps of a dispatch, except of a last one
    draw: Callable[[GanState], Callable]  # images of the averaged generator: (seeds, labels) -> uint8
    evaluator: Evaluator
    alarms: Callable[[], Alarms]  # reads some real images
    source: ImageSource
    devices: int  # on which the training runs

    def memory(self, compiled: bool = True) -> dict[str, int]:
        """Count the bytes on each device: state, data, and, if it may be compiled, what else a dispatch takes."""
        parts = {'state': self.abstract, 'data': self.feed.abstract(self.length)}
        found = {
            name: bytes_per_device(tree, jax.tree.map(lambda leaf: leaf.sharding, tree))
            for name, tree in parts.items()
        }
        stats = self.program.compiled().memory_analysis() if compiled else None
        return found | ({'temporaries': stats.temp_size_in_bytes} if stats else {})


def make_trainer(
    config: Config,
    source: ImageSource,
    *,
    sharding: Sharding | None = None,
    devices: Sequence[Any] | None = None,
) -> Trainer:
    """Build networks, step and feed, and place them on the devices; nothing is read or compiled yet.

    Args:
        config: the recipe.
        source: the images.
        sharding: rules of your own, instead of those that ``config.sharding`` names.
        devices: train on these (default: all, of all processes).

    Raises:
        InputError: the configuration does not fit the data or the devices.
    """
    check(config)
    sharding = choose(config.sharding) if sharding is None else sharding
    mesh = _mesh(config, sharding, devices)
    whole, parts = replicated(mesh), split(mesh) if sharding.batch else replicated(mesh)
    players, recipe, architecture, classes = _networks(config, source.info)
    if sharding.batch:
        recipe = recipe._replace(latents=split_latents(recipe.latents, mesh))
    feed = open_feed(
        source,
        config.data,
        batch_size=step_images(config),
        seed=config.seed,
        mesh=mesh,
        divided=sharding.batch,
    )
    total_steps = math.ceil(config.images / step_images(config))
    length = min(config.steps_per_dispatch, total_steps)

    def init() -> GanState:
        example = _example(config, source.info, classes)
        return init_state(jax.random.key(config.seed), *players, recipe, example)

    @jax.named_scope('phase.data')
    def batch_of(data: Any, state: GanState, i: Any) -> Batch:
        raw = feed.batch(data, state.step, i)
        raw = {name: value for name, value in raw.items() if name == 'image' or classes}
        raw = jax.lax.with_sharding_constraint(raw, parts)
        return prepare(
            named_key(jax.random.fold_in(state.key, state.step), 'data'), raw, flip=config.data.flip
        )

    abstract = _abstract(init, sharding, mesh)
    placed = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    step = _step(config, players, recipe, placed, mesh)
    jitted = jax.jit(
        scan_steps(step, batch_of, length),
        donate_argnums=0,
        out_shardings=(placed, whole),
        compiler_options=_compiler_options(config),
    )
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
    program = Program(lambda: jitted.lower(abstract, feed.abstract(length), count))
    return Trainer(
        config=config,
        info=source.info,
        feed=feed,
        init=jax.jit(init, out_shardings=placed, compiler_options=compile_quickly()),
        abstract=abstract,
        program=program,
        dispatch=dispatcher(program, feed, length, whole),
        samples=_grid_sampler(config, players[0], build.build_latents(config.model), classes),
        meta=functools.partial(_meta, config, source.info, architecture),
        total_steps=total_steps,
        length=length,
        draw=functools.partial(_drawer, players[0], build.build_latents(config.model)),
        evaluator=make_evaluator(config.evaluation, config.data, source, classes),
        alarms=functools.partial(_alarms, config, source),
        source=source,
        devices=mesh.size,
    )


def _mesh(config: Config, sharding: Sharding, devices: Sequence[Any] | None) -> Any:
    if not sharding.batch:
        return data_mesh(0, devices=devices)  # nothing has to divide
    mesh = data_mesh(config.batch_size, config.microbatches, devices)
    group = getattr(config.model, 'd_deviation_group', 1)
    check_groups(group, config.batch_size, config.microbatches, mesh.size)
    return mesh


def _networks(config: Config, info: DataInfo) -> tuple[tuple[Network, Network], Recipe, dict, int]:
    """Make both networks, the recipe, the description of the networks and the number of classes."""
    classes = _classes(config, info)
    architecture = build.architecture(
        config.model, info.size, info.channels, classes, config.dtype, config.spectral_norm
    )
    players = build.build_generator(architecture), build.build_discriminator(architecture)
    return players, build.build_recipe(config), architecture, classes


def _abstract(init: Callable[[], GanState], sharding: Sharding, mesh: Any) -> GanState:
    """Describe the state: its shapes, and where each leaf goes."""
    shapes = jax.eval_shape(init)
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        shapes,
        places(shapes, sharding, mesh),
    )


def _step(
    config: Config, players: tuple[Network, Network], recipe: Recipe, placed: Any, mesh: Any
) -> Callable:
    """Make the step; where the state is split, its networks gather their parameters, and it stays split."""
    if all(place.is_fully_replicated for place in jax.tree.leaves(placed)):
        return build.build_step(config, *players, recipe)
    generator, discriminator = (whole_parameters(network, mesh) for network in players)
    return keep_places(build.build_step(config, generator, discriminator, recipe), placed)


def _drawer(generator: Network, latents: Sampler, state: GanState) -> Callable:
    average = local(state.g_ema)
    return make_sampler(generator, latents, average.params, average.aux)


def _alarms(config: Config, source: ImageSource) -> Alarms:
    loss = build.LOSSES[config.loss]
    if len(source) < 2:
        return Alarms(loss, config.batch_size, None)
    images, _ = read_bytes(source, order(Reals(source, min(len(source), COMPARED))))
    return Alarms(loss, config.batch_size, distance(images))


def _example(config: Config, info: DataInfo, classes: int) -> dict[str, Any]:
    """Make a batch with the shapes of training."""
    example = {'image': jnp.zeros((config.batch_size, info.size, info.size, info.channels))}
    return example | ({'label': jnp.zeros((config.batch_size,), jnp.int32)} if classes else {})


def _compiler_options(config: Config) -> dict[str, Any] | None:
    """Let XLA:CPU keep what rematerialization computes twice: by default it merges the two again."""
    if getattr(config.model, 'remat', False) and jax.default_backend() == 'cpu':
        return {'xla_disable_hlo_passes': 'cse_barrier_expander'}
    return None


def _grid_sampler(
    config: Config, generator: Network, latents: Sampler, classes: int
) -> Callable[[GanState], np.ndarray]:
    seeds = np.arange(config.grid)
    labels = np.arange(config.grid, dtype=np.int32) % classes if classes else None  # each class in turn

    def samples(state: GanState) -> np.ndarray:
        return _drawer(generator, latents, state)(seeds, labels)

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
        'images_seen': step * step_images(config),
        'jaxgan': __version__,
        'jax': jax.__version__,
    }
