"""A run's functions, compiled and placed, made once from its configuration and its data."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import build
from jaxgan.config import Config, check, step_images
from jaxgan.configjson import to_dict
from jaxgan.data import DataInfo, Feed, ImageSource, prepare
from jaxgan.data.exclusion import excluded_images
from jaxgan.parallel.placing import local
from jaxgan.parallel.sharding import (
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
from jaxgan.phases import named_key, scan_steps
from jaxgan.privacy import plan
from jaxgan.privacy.phase import PRIVATE
from jaxgan.privacy.plan import Plan
from jaxgan.realimages import Reals, order, read_bytes
from jaxgan.run.alarms import IMAGES, Alarms
from jaxgan.run.assembly import Assembly, assemble, count_steps, initial_state
from jaxgan.run.evaluator import Evaluator, make_evaluator
from jaxgan.run.feeding import open_feed
from jaxgan.run.program import Program, dispatcher
from jaxgan.runtime import compile_quickly, compile_well
from jaxgan.sampling import make_sampler
from jaxgan.state import GanState
from jaxgan.steps import Recipe
from jaxgan.types import Batch, Network, Sampler
from jaxgan.version import __version__


class Trainer(NamedTuple):
    """Everything that a loop needs to train."""

    config: Config
    info: DataInfo
    feed: Feed
    init: Program  # () -> state
    abstract: GanState  # shapes and placements of the state
    program: Program  # of a dispatch
    dispatch: Callable[[GanState, int, int], Any]  # (state, step, count), count <= length -> (state, metrics)
    batch: Callable[[GanState, int], Batch]  # (state, its step) -> what that step's phases are given
    samples: Callable[[GanState], np.ndarray]  # the grid of fixed latents, uint8 [n, H, W, C]
    glimpse: Callable[[GanState], np.ndarray]  # up to 64 of them by the live generator
    meta: Callable[[int], dict]  # step -> what is stored beside a checkpoint
    total_steps: int
    length: int  # steps of a dispatch, except of a last one
    draw: Callable[[GanState], Callable]  # images of the averaged generator: (seeds, labels) -> uint8
    evaluator: Evaluator
    alarms: Callable[[], Alarms]  # reads some real images
    source: ImageSource
    devices: int  # on which the training runs
    plan: Plan | None  # of a private training

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
    made = assemble(config, source.info)
    classes, players, recipe = made.classes, (made.generator, made.discriminator), made.recipe
    if sharding.batch:
        recipe = recipe._replace(latents=split_latents(recipe.latents, mesh))
    excluded = excluded_images(source, config.data.exclude)
    feed = open_feed(config, source, made.plan, mesh, sharding.batch, excluded)
    total_steps = count_steps(config)
    length = min(config.steps_per_dispatch, total_steps)

    @jax.named_scope('phase.data')
    def batch_of(data: Any, state: GanState, i: Any) -> Batch:
        raw = dict(feed.batch(data, state.step, i))
        private = {PRIVATE: raw.pop(PRIVATE)} if PRIVATE in raw else {}  # as it is: keys depend on no place
        raw = {name: value for name, value in raw.items() if name == 'image' or classes}
        raw = jax.lax.with_sharding_constraint(raw, parts)
        key = named_key(jax.random.fold_in(state.key, state.step), 'data')
        return {**prepare(key, raw, flip=config.data.flip and not private), **private}

    init = functools.partial(initial_state, config, source.info, made)
    abstract = _abstract(init, sharding, mesh)
    placed = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    begin = jax.jit(init, out_shardings=placed, compiler_options=compile_quickly())
    step = _step(config, players, recipe, placed, mesh)
    options = {'donate_argnums': 0, 'compiler_options': _compiler_options(config)}
    jitted = jax.jit(scan_steps(step, batch_of, length), out_shardings=(placed, whole), **options)
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
    program = Program(lambda: jitted.lower(abstract, feed.abstract(length), count))
    latents = build.build_latents(config.model)
    grid = _grid_sampler(config, players[0], latents, classes)
    return Trainer(
        config=config,
        info=source.info,
        feed=feed,
        init=Program(begin.lower),
        abstract=abstract,
        program=program,
        dispatch=dispatcher(program, feed, length, whole),
        batch=lambda state, step: jax.jit(batch_of)(feed.take(step, 1), state, 0),
        samples=lambda state: grid(state.g_ema),
        glimpse=lambda state: grid(state.g, IMAGES),
        meta=functools.partial(_meta, config, source.info, made),
        total_steps=total_steps,
        length=length,
        draw=functools.partial(_drawer, players[0], latents),
        evaluator=make_evaluator(config.evaluation, config.data, source, classes, excluded),
        alarms=functools.partial(_alarms, config, source, excluded),
        source=source,
        devices=mesh.size,
        plan=made.plan,
    )


def _mesh(config: Config, sharding: Sharding, devices: Sequence[Any] | None) -> Any:
    if not sharding.batch:
        return data_mesh(0, devices=devices)  # nothing has to divide
    mesh = data_mesh(config.batch_size, config.microbatches, devices)
    group = getattr(config.model, 'd_deviation_group', 1)
    check_groups(group, config.batch_size, config.microbatches, mesh.size)
    return mesh


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


def _alarms(config: Config, source: ImageSource, excluded: np.ndarray) -> Alarms:
    loss = build.LOSSES[config.loss]
    count = len(source) - len(excluded)
    if count < 2 or config.dp.asked:  # what is said of real images would be seen without noise
        return Alarms(loss, config.batch_size, None)
    images, _ = read_bytes(source, order(Reals(source, min(count, IMAGES), excluded=excluded)))
    return Alarms(loss, config.batch_size, images)


def _compiler_options(config: Config) -> dict[str, Any]:
    """Compile for many steps, and let XLA:CPU keep what rematerialization computes twice: by default it merges the two again."""
    remat = getattr(config.model, 'remat', False) and jax.default_backend() == 'cpu'
    return compile_well() | ({'xla_disable_hlo_passes': 'cse_barrier_expander'} if remat else {})


def _grid_sampler(
    config: Config, generator: Network, latents: Sampler, classes: int
) -> Callable[..., np.ndarray]:
    """Make ``(state's generator or its average, most images) -> the first images of the grid``."""
    seeds = np.arange(config.grid)
    labels = np.arange(config.grid, dtype=np.int32) % classes if classes else None  # each class in turn

    def samples(player: Any, most: int = config.grid) -> np.ndarray:
        sample = make_sampler(generator, latents, *local((player.params, player.aux)))
        return sample(seeds[:most], None if labels is None else labels[:most])

    return samples


def _meta(config: Config, info: DataInfo, made: Assembly, step: int) -> dict[str, Any]:
    """Describe a checkpoint: enough to sample from it without the configuration file or the data."""
    privacy = {} if made.plan is None else {'privacy': plan.describe(made.plan, step * config.d_steps)}
    return privacy | {
        'config': to_dict(config),
        'architecture': made.architecture,
        'data': dataclasses.asdict(info),
        'images_seen': step * step_images(config),
        'jaxgan': __version__,
        'jax': jax.__version__,
    }
