"""A run's functions, compiled and placed, made once from its configuration and its data."""

import concurrent.futures
import dataclasses
import functools
import math
import time
from collections.abc import Callable
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
from jaxgan.realimages import Reals, order, read_bytes
from jaxgan.runtime import compile_quickly
from jaxgan.sampling import make_sampler
from jaxgan.sharding import data_mesh, replicated, split, split_latents
from jaxgan.state import GanState, init_state
from jaxgan.types import Batch, Network, Sampler
from jaxgan.version import __version__

COMPARED = 64  # real images whose mean distance samples are compared with


class Program:
    """The compiled dispatch: ``(state, data, count) -> (state, metrics)``, compiled in the background, once."""

    def __init__(self, lower: Callable[[], jax.stages.Lowered]):
        self._lower = lower
        self._compiled: concurrent.futures.Future[jax.stages.Compiled] | None = None
        self.seconds = 0.0  # from tracing to the executable

    def start(self) -> None:
        """Trace and lower now, and compile in a thread: XLA leaves Python to others meanwhile."""
        if self._compiled is None:
            started = time.perf_counter()
            lowered = self._lower()
            pool = concurrent.futures.ThreadPoolExecutor(1, 'compile')
            self._compiled = pool.submit(self._compile, lowered, started)
            pool.shutdown(wait=False)  # the thread ends when it has compiled

    def _compile(self, lowered: jax.stages.Lowered, started: float) -> jax.stages.Compiled:
        compiled = lowered.compile()
        self.seconds = time.perf_counter() - started
        return compiled

    def compiled(self) -> jax.stages.Compiled:
        """Wait for the executable."""
        self.start()
        assert self._compiled is not None
        return self._compiled.result()

    def describe(self) -> str:
        """Say what compiling took, and what memory a dispatch takes."""
        memory = self.compiled().memory_analysis()
        used = 'not known'
        if memory:
            used = f'{(memory.temp_size_in_bytes + memory.argument_size_in_bytes) / 2**20:,.0f} MiB'
        return f'compiled in {self.seconds:.1f} s; memory of a dispatch: {used}'


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


def make_trainer(config: Config, source: ImageSource) -> Trainer:
    """Build networks, step and feed, and place them on the devices; nothing is read or compiled yet.

    Raises:
        InputError: the configuration does not fit the data or the devices.
    """
    check(config)
    info = source.info
    classes = _classes(config, info)
    mesh = data_mesh(config.batch_size, config.microbatches)
    whole = replicated(mesh)
    architecture = build.architecture(
        config.model, info.size, info.channels, classes, config.dtype, config.spectral_norm
    )
    generator = build.build_generator(architecture)
    discriminator = build.build_discriminator(architecture)
    recipe = build.build_recipe(config)
    recipe = recipe._replace(latents=split_latents(recipe.latents, mesh))
    feed = open_feed(source, config.data, batch_size=step_images(config), seed=config.seed, mesh=mesh)
    total_steps = math.ceil(config.images / step_images(config))
    length = min(config.steps_per_dispatch, total_steps)

    def init() -> GanState:
        example = _example(config, info, classes)
        return init_state(jax.random.key(config.seed), generator, discriminator, recipe, example)

    @jax.named_scope('phase.data')
    def batch_of(data: Any, state: GanState, i: Any) -> Batch:
        raw = feed.batch(data, state.step, i)
        raw = {name: value for name, value in raw.items() if name == 'image' or classes}
        raw = jax.lax.with_sharding_constraint(raw, split(mesh))
        return prepare(
            named_key(jax.random.fold_in(state.key, state.step), 'data'), raw, flip=config.data.flip
        )

    placed_init = jax.jit(init, out_shardings=whole, compiler_options=compile_quickly())
    shapes = jax.eval_shape(placed_init)
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=whole), shapes)
    steps = scan_steps(build.build_step(config, generator, discriminator, recipe), batch_of, length)
    jitted = jax.jit(steps, donate_argnums=0, out_shardings=whole, compiler_options=_compiler_options(config))
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
    program = Program(lambda: jitted.lower(abstract, feed.abstract(length), count))
    return Trainer(
        config=config,
        info=info,
        feed=feed,
        init=placed_init,
        abstract=abstract,
        program=program,
        dispatch=_dispatcher(program, feed, length, whole),
        samples=_grid_sampler(config, generator, build.build_latents(config.model), classes),
        meta=functools.partial(_meta, config, info, architecture),
        total_steps=total_steps,
        length=length,
        draw=functools.partial(_drawer, generator, build.build_latents(config.model)),
        evaluator=make_evaluator(config.evaluation, config.data, source, classes),
        alarms=functools.partial(_alarms, config, source),
        source=source,
    )


def _drawer(generator: Network, latents: Sampler, state: GanState) -> Callable:
    return make_sampler(generator, latents, state.g_ema.params, state.g_ema.aux)


def _alarms(config: Config, source: ImageSource) -> Alarms:
    loss = build.LOSSES[config.loss]
    if len(source) < 2:
        return Alarms(loss, config.batch_size, None)
    images, _ = read_bytes(source, order(Reals(source, min(len(source), COMPARED))))
    return Alarms(loss, config.batch_size, distance(images))


def _dispatcher(program: Program, feed: Feed, length: int, place: Any) -> Callable[[GanState, int, int], Any]:
    @functools.cache
    def on_device(count: int) -> Any:
        return jax.device_put(np.int32(count), place)

    def dispatch(state: GanState, step: int, count: int) -> Any:
        compiled, steps = program.compiled(), on_device(count)
        with jax.profiler.TraceAnnotation('feed'):
            data = feed.take(step, length)
        with jax.transfer_guard('disallow'):
            return compiled(state, data, steps)

    return dispatch


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
