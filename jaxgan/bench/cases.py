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
from jaxgan.config import Config, Optimizer, Penalty
from jaxgan.modelconfig import DCGAN, R3GAN
from jaxgan.networks import from_functions
from jaxgan.ops import portable
from jaxgan.parallel.sharding import data_mesh, replicated, split
from jaxgan.phases import as_step, scan_steps
from jaxgan.sharedfakes import shared_fakes_phase
from jaxgan.state import init_state
from jaxgan.steps import Recipe, make_train_step
from jaxgan.types import Network

MLP_SIZES = ((100, 256, 512, 1024, 784), (784, 512, 256, 1))


@dataclasses.dataclass(frozen=True)
class Case:
    """A pair of networks and a batch."""

    model: str  # 'dcgan', 'r3gan', 'mlp', or 'default': the default recipe, with its average
    batch: int
    dtype: str = 'float32'
    size: int = 64
    width: int = 64
    norm: str = 'batch'

    def asked(self) -> dict[str, Any] | None:
        """Describe the case to the peer, which does not know the default recipe."""
        if self.model == 'default':
            return None
        case = {'kind': 'step', **dataclasses.asdict(self)}
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
    r3gan = case.model == 'r3gan'
    betas = (0.0, 0.99) if r3gan else (0.5, 0.999)
    adam = Optimizer((2e-4, 2e-4), betas[0], (betas[1], betas[1]))
    model: Any = DCGAN(latent_dim=100, width=case.width, norm='none' if case.norm == 'none' else 'batch')
    if r3gan:
        widths, groups = _stages(case)
        model = R3GAN(latent_dim=64, widths=widths, groups=groups, blocks_per_stage=1)
    return Config(
        model=model,
        loss='relativistic' if r3gan else 'non_saturating',
        penalties=(Penalty('r1'), Penalty('r2')) if r3gan else (),
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


def step_function(case: Case) -> tuple[Callable, Network, Network, Recipe]:
    """Make the step: both updates, on the same fakes as the peer's; for the default recipe, its own and its average."""
    generator, discriminator = networks(case)
    recipe = build.build_recipe(configuration(case))
    if case.model == 'default':
        return make_train_step(generator, discriminator, recipe), generator, discriminator, recipe
    return as_step(shared_fakes_phase(generator, discriminator, recipe)), generator, discriminator, recipe


def real_batch(case: Case) -> dict[str, Any]:
    """Draw a batch of noise in [-1, 1]: a step costs the same whatever it sees."""
    shape = (case.batch, 784) if case.model == 'mlp' else (case.batch, case.size, case.size, 3)
    return {'image': jax.random.uniform(jax.random.key(1), shape, minval=-1.0, maxval=1.0)}


class Training:
    """A compiled step with its state: each call is one dispatch."""

    def __init__(
        self, case: Case, *, steps: int = 1, donate: bool = True, phase: Any = None, spread: bool = False
    ):
        """Build and compile.

        Args:
            case: what to train.
            steps: of one dispatch.
            donate: let the new state take the old one's memory.
            phase: ``(generator, discriminator, recipe) -> phase``, instead of the usual two updates.
            spread: split the batch over all devices.
        """
        step, generator, discriminator, recipe = step_function(case)
        if phase is not None:
            step = as_step(phase(generator, discriminator, recipe))
        self.case, self.steps = case, steps
        self.batch = real_batch(case)
        dispatch = step if steps == 1 else scan_steps(step, lambda data, state, i: data, steps)
        init = functools.partial(init_state, jax.random.key(0), generator, discriminator, recipe)
        whole, parts = None, None
        if spread:
            mesh = data_mesh(case.batch)
            whole, parts = replicated(mesh), split(mesh)
            self.batch = jax.device_put(self.batch, parts)
        # initialization runs once: at the usual level LLVM spends longer on it than on the step
        hasty: Any = {'xla_backend_optimization_level': 1} if jax.default_backend() == 'cpu' else {}
        start = jax.jit(init, out_shardings=whole).lower(self.batch).compile(compiler_options=hasty)
        self.state = start(self.batch)
        program = jax.jit(dispatch, donate_argnums=(0,) if donate else (), out_shardings=whole)
        self.program = program.lower(self.state, self.batch).compile()
        with portable():  # XLA cannot count what a compiled kernel does
            self.counted = jax.jit(dispatch).lower(self.state, self.batch).cost_analysis() or {}

    def __call__(self) -> Any:
        """Run one dispatch."""
        self.state, metrics = self.program(self.state, self.batch)
        return self.state, metrics

    def facts(self) -> dict[str, Any]:
        """Tell a dispatch's operations, as XLA counts its own convolutions, and the memory it needs."""
        return program_facts(self.program) | {'flops': float(self.counted.get('flops', 0.0))}

    def parameters(self) -> list[int]:
        """Count the parameters of generator and discriminator."""
        return parameters_of((self.state.g.params, self.state.d.params))
