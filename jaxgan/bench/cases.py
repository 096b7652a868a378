"""The pairs that are measured: built from jaxgan's public parts, described to the peer in the same words."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import build
from jaxgan.bench.machine import program_facts
from jaxgan.bench.timing import parameters_of
from jaxgan.config import Config, Optimizer, PathLength, Penalty
from jaxgan.modelconfig import DCGAN, R3GAN, STYLEGAN2
from jaxgan.networks import from_functions
from jaxgan.ops import portable
from jaxgan.parallel.sharding import data_mesh, replicated, split
from jaxgan.phases import as_step, scan_steps, sequence
from jaxgan.runtime import compile_quickly, compile_well
from jaxgan.sharedfakes import shared_fakes_phase
from jaxgan.state import init_state
from jaxgan.steps import Recipe, make_train_step
from jaxgan.types import Network

MLP_SIZES = ((100, 256, 512, 1024, 784), (784, 512, 256, 1))


@dataclasses.dataclass(frozen=True)
class Case:
    """A pair of networks and a batch."""

    model: str  # 'dcgan', 'r3gan', 'stylegan2', 'mlp', or 'default': the default recipe, with its average
    batch: int
    dtype: str = 'float32'
    size: int = 64
    width: int = 64
    norm: str = 'batch'
    blocks: int = 1  # of a stage, R3GAN only
    steps: int = 1  # of a dispatch; enough for each lazy penalty to come at least once

    def asked(self) -> dict[str, Any] | None:
        """Describe the case to the peer, which does not know the default recipe."""
        if self.model == 'default':
            return None
        case = {'kind': 'lazy' if self.model == 'stylegan2' else 'step', **dataclasses.asdict(self)}
        if self.model == 'r3gan':
            widths, groups = _stages(self)
            case |= {'widths': widths, 'groups': groups}
        return case


def _stages(case: Case) -> tuple[tuple[int, ...], tuple[int, ...]]:
    stages = case.size.bit_length() - 2
    return (case.width,) * stages, (case.width // 8,) * stages  # 3x3 in groups of 16 features


def configuration(case: Case) -> Config:
    """Make the configuration that holds a case's losses and optimizers."""
    if case.model == 'default':
        return Config()
    if case.model == 'stylegan2':
        return _stylegan2(case)
    r3gan = case.model == 'r3gan'
    betas = (0.0, 0.99) if r3gan else (0.5, 0.999)
    adam = Optimizer((2e-4, 2e-4), betas[0], (betas[1], betas[1]))
    model: Any = DCGAN(latent_dim=100, width=case.width, norm='none' if case.norm == 'none' else 'batch')
    if r3gan:
        widths, groups = _stages(case)
        model = R3GAN(latent_dim=64, widths=widths, groups=groups, blocks_per_stage=case.blocks)
    return Config(
        model=model,
        loss='relativistic' if r3gan else 'non_saturating',
        penalties=(Penalty('r1'), Penalty('r2')) if r3gan else (),
        g_optimizer=adam,
        d_optimizer=adam,
        batch_size=case.batch,
    )


def _stylegan2(case: Case) -> Config:
    adam = Optimizer((2.5e-3, 2.5e-3), 0.0, (0.99, 0.99))
    model = STYLEGAN2['paper256']
    return Config(
        model=dataclasses.replace(model, channel_base=case.width * case.size),
        penalties=(Penalty('r1', every=16),),
        path_length=PathLength(weight=2.0),
        g_optimizer=adam,
        d_optimizer=adam,
        batch_size=case.batch,
    )


def networks(case: Case) -> tuple[Network, Network]:
    """Make generator and discriminator."""
    if case.model == 'mlp':
        g, d = MLP_SIZES
        return mlp_network(g, jnp.tanh), mlp_network(d, lambda x: x[:, 0])
    return build.build_networks(configuration(case).model, case.size, 3, 0, case.dtype)


def mlp_network(sizes: tuple[int, ...], last: Callable) -> Network:
    """Make linear layers with leaky ReLU (slope 0.2) between them, and ``last`` at the end."""

    def init(key: Any, x: Any, label: Any) -> list[dict[str, Any]]:
        del x, label
        keys = jax.random.split(key, len(sizes) - 1)
        return [
            {'kernel': a**-0.5 * jax.random.normal(k, (a, b)), 'bias': jnp.zeros((b,))}
            for k, (a, b) in zip(keys, itertools.pairwise(sizes), strict=True)
        ]

    def apply(params: list[dict[str, Any]], x: Any, label: Any) -> Any:
        del label
        for i, layer in enumerate(params):
            x = x @ layer['kernel'] + layer['bias'][None]
            x = jax.nn.leaky_relu(x, 0.2) if i < len(params) - 1 else x
        return last(x)

    return from_functions(init, apply)


def step_function(
    case: Case, config: Config | None = None, phase: Any = None
) -> tuple[Callable, Network, Network, Recipe]:
    """Make the step: both updates, on the same fakes as the peer's; for the default recipe, its own and its average.

    Args:
        case: what is trained.
        config: instead of the case's own.
        phase: ``(generator, discriminator, recipe) -> phase``, instead of the two updates.
    """
    generator, discriminator = networks(case)
    recipe = build.build_recipe(config or configuration(case))
    if phase is not None:
        return as_step(phase(generator, discriminator, recipe)), generator, discriminator, recipe
    if case.model == 'default':
        return make_train_step(generator, discriminator, recipe), generator, discriminator, recipe
    phases = {'d': shared_fakes_phase(generator, discriminator, recipe)}
    for extension in recipe.extensions:
        phases = extension.phases(phases, generator, discriminator, recipe)
    return as_step(sequence(**phases)), generator, discriminator, recipe


def lazy_parts(config: Config) -> tuple[Config, list[tuple[Config, int]]]:
    """Split a configuration: without what comes only each so many steps, and with each of that alone, and how many steps."""
    always = tuple(penalty for penalty in config.penalties if penalty.every == 1)
    base = dataclasses.replace(config, penalties=always, path_length=PathLength())
    parts = [
        (dataclasses.replace(base, penalties=(*always, penalty)), penalty.every)
        for penalty in config.penalties
        if penalty.every > 1
    ]
    if config.path_length.weight:
        parts.append((dataclasses.replace(base, path_length=config.path_length), config.path_length.every))
    return base, parts


def counted_flops(case: Case, phase: Any = None) -> float:
    """Count a step's operations as XLA does for its own convolutions, the mean over the steps between lazy penalties.

    Args:
        case: what is trained.
        phase: instead of the usual two updates; see ``Training``.
    """

    def count(config: Config) -> float:
        step, generator, discriminator, recipe = step_function(case, config, phase)
        batch = jax.eval_shape(lambda: real_batch(case))
        init = functools.partial(init_state, jax.random.key(0), generator, discriminator, recipe)
        with portable():  # XLA cannot count what a compiled kernel does
            lowered = jax.jit(step).lower(jax.eval_shape(init, batch), batch)
        return float((lowered.cost_analysis() or {}).get('flops', 0.0))

    base, parts = lazy_parts(configuration(case))
    least = count(base)
    return least + sum((count(part) - least) / every for part, every in parts)


def real_batch(case: Case) -> dict[str, Any]:
    """Draw a batch of noise in [-1, 1]: a step costs the same whatever it sees."""
    shape = (case.batch, 784) if case.model == 'mlp' else (case.batch, case.size, case.size, 3)
    return {'image': jax.random.uniform(jax.random.key(1), shape, minval=-1.0, maxval=1.0)}


class Training:
    """A compiled step with its state: each call is one dispatch."""

    def __init__(
        self,
        case: Case,
        *,
        steps: int | None = None,
        donate: bool = True,
        phase: Any = None,
        spread: bool = False,
    ):
        """Build and compile.

        Args:
            case: what to train.
            steps: of one dispatch (default: the case's).
            donate: let the new state take the old one's memory.
            phase: ``(generator, discriminator, recipe) -> phase``, instead of the usual two updates.
            spread: split the batch over all devices.
        """
        step, generator, discriminator, recipe = step_function(case, phase=phase)
        steps = steps or case.steps
        self.case, self.steps = case, steps
        self.batch = real_batch(case)
        dispatch = step if steps == 1 else scan_steps(step, lambda data, state, i: data, steps)
        init = functools.partial(init_state, jax.random.key(0), generator, discriminator, recipe)
        whole, parts = None, None
        if spread:
            mesh = data_mesh(case.batch)
            whole, parts = replicated(mesh), split(mesh)
            self.batch = jax.device_put(self.batch, parts)
        start = jax.jit(init, out_shardings=whole, compiler_options=compile_quickly())
        self.state = start(self.batch)
        options = {'donate_argnums': (0,) if donate else (), 'compiler_options': compile_well()}
        program = jax.jit(dispatch, out_shardings=whole, **options)
        self.program = program.lower(self.state, self.batch).compile()
        self.flops = counted_flops(case, phase)

    def __call__(self) -> Any:
        """Run one dispatch."""
        self.state, metrics = self.program(self.state, self.batch)
        return self.state, metrics

    def facts(self) -> dict[str, Any]:
        """Tell a step's operations, as XLA counts its own convolutions, and the memory that a dispatch needs."""
        return program_facts(self.program) | {'flops': self.flops}

    def parameters(self) -> list[int]:
        """Count the parameters of generator and discriminator."""
        return parameters_of((self.state.g.params, self.state.d.params))
