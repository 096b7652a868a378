"""Build six collapses and train healthy recipes, and say which alarms each raises and how near the others came.

    python docs/scripts/alarms.py --mnist mnist.npz           (a quarter of an hour on two cores)

Everything is trained by the real loop for 504 steps of eight a dispatch, with a report each 125 steps, as the default recipe has
it. The figures are what ``jaxgan.run.alarms`` compares with its thresholds: of the loss the smallest and the largest part of
that of a D that knows nothing, of the images the smallest parts of what real ones have.
"""

import argparse
import dataclasses
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan import build, kernels
from jaxgan.config import Config, Optimizer, Penalty
from jaxgan.data import DataConfig, open_source
from jaxgan.modelconfig import DCGAN, MLP
from jaxgan.run.alarms import WARNINGS, Alarms
from jaxgan.run.trainer import make_trainer
from jaxgan.run.training import train
from jaxgan.runtime import keep_freed_memory
from jaxgan.types import Network

STEPS, EVERY = 504, 125
replace = dataclasses.replace


def squashed(squash: Callable) -> Callable:
    """Make a change of a generator: it sees ``squash(z)``."""

    def change(network: Network) -> Network:
        return network._replace(
            apply=lambda p, a, z, label: network.apply(p, a, squash(z), label),
            infer=lambda p, a, z, label: network.infer(p, a, squash(z), label),
        )

    return change


def one_of_four(z: Any) -> Any:
    """Replace each latent by one of four."""
    four = jnp.asarray(np.random.default_rng(0).standard_normal((4, z.shape[-1])), z.dtype)
    return four[jnp.argmax(z[:, :4], axis=1)]


def dead(network: Network) -> Network:
    """Begin with ReLUs that no latent reaches: the biases before them are far below 0."""

    def init(*inputs: Any) -> tuple[Any, Any]:
        params, aux = network.init(*inputs)
        sunk = {
            name: {**layer, 'bias': jnp.full_like(layer['bias'], -20.0)}
            if name.startswith('BatchNorm')
            else layer
            for name, layer in params.items()
        }
        assert any(name.startswith('BatchNorm') for name in params)
        return sunk, aux

    return network._replace(init=init)


def faster(optimizer: Optimizer, factor: float) -> Optimizer:
    """Multiply a learning rate."""
    first, last = optimizer.learning_rate
    return replace(optimizer, learning_rate=(factor * first, factor * last))


def collapses(base: Config, relu: Config) -> dict[str, tuple[Config, Callable]]:
    """Name what goes wrong: a configuration, and a change of its generator."""
    g, d, as_is = base.g_optimizer, base.d_optimizer, lambda network: network
    return {
        'constant G': (base, squashed(jnp.zeros_like)),
        '4-mode G': (base, squashed(one_of_four)),
        'D learning rate x 100': (replace(base, d_optimizer=faster(d, 100)), as_is),
        'G learning rate x 100': (replace(base, g_optimizer=faster(g, 100)), as_is),
        'D frozen': (replace(base, d_optimizer=faster(d, 0)), as_is),
        'dead ReLU in G': (relu, dead),
    }


def healthy(mnist: str | None) -> dict[str, Config]:
    """Name what goes right."""
    base = Config()
    slow, adam = (Optimizer((1e-4, 1e-4), 0.0, (0.9, 0.9)), Optimizer((2e-4, 2e-4), 0.5, (0.999, 0.999)))
    points = Config(
        data=DataConfig('points:ring25'),
        model=MLP(latent_dim=12, signs=10, width=128, depth=3, d_fourier=32),
        penalties=(Penalty('r1', (0.02, 0.02)), Penalty('r2', (0.02, 0.02))),
        g_optimizer=Optimizer((1e-3, 1e-4)),
        d_optimizer=Optimizer((1e-3, 1e-4)),
        burn_in=3_000_000,
        batch_size=256,
    )
    found = {
        'avatars': base,
        'avatars, seed 1': replace(base, seed=1),
        'avatars, seed 2': replace(base, seed=2),
        'avatars, non_saturating': replace(base, loss='non_saturating'),
        'avatars, hinge': replace(base, loss='hinge'),
        'avatars, shared_fakes': replace(base, training='shared_fakes'),
        'avatars, augmented': replace(base, augment=('color', 'translation', 'cutout')),
        'avatars, wasserstein': replace(
            base,
            loss='wasserstein',
            penalties=(Penalty('wgan_gp', (10.0, 10.0)),),
            g_optimizer=slow,
            d_optimizer=slow,
        ),
        'ring25': points,
        'grid25': replace(points, data=DataConfig('points:grid25'), seed=3),
    }
    if mnist:
        found['mnist, batch norm'] = Config(
            data=DataConfig(f'npz:{mnist}', size=16),
            model=DCGAN(latent_dim=64, width=32, norm='batch', output='tanh'),
            loss='non_saturating',
            penalties=(),
            g_optimizer=adam,
            d_optimizer=adam,
            batch_size=32,
        )
        found['stacked mnist'] = replace(
            base,
            data=DataConfig(f'stacked:npz:{mnist}', size=16),
            model=DCGAN(latent_dim=64, width=32, norm='none', refine=16, d_refine=0),
            batch_size=32,
            training='shared_fakes',
        )
    return found


class Watching(Alarms):
    """Keeps what was compared at each look."""

    def __init__(self, *arguments: Any) -> None:
        """Begin."""
        super().__init__(*arguments)
        self.seen: list[dict[str, float]] = []

    def metrics(self, means: Any) -> Any:
        """Look at a report."""
        return self._kept(super().metrics(means))

    def images(self, images: Any) -> Any:
        """Look at images."""
        return self._kept(super().images(images))

    def _kept(self, found: Any) -> Any:
        self.seen.append(dict(self.figures))
        return found


def watch(config: Config, change: Callable, folder: Path) -> tuple[list[tuple[int, str]], dict[str, float]]:
    """Train, and return the alarms as (step, signal), and the figures that came nearest to one."""
    size = config.batch_size
    config = replace(
        config,
        images=STEPS * size,
        log_every=EVERY * size,
        sample_every=10**9,
        checkpoint_every=10**9,
        steps_per_dispatch=8,
    )
    original, made = build.build_generator, []
    build.build_generator = lambda card: change(original(card))
    try:
        trainer = make_trainer(config, open_source(config.data))
    finally:
        build.build_generator = original

    def alarms() -> Alarms:
        plain = trainer.alarms()
        plain.__class__, plain.seen = Watching, []  # type: ignore[attr-defined]
        made.append(plain)
        return plain

    assert train(trainer._replace(alarms=alarms), folder) == 0
    path = folder / WARNINGS
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    seen = made[0].seen
    worst: dict[str, float] = {}
    for name, most in (
        ('loss', min),
        ('loss', max),
        ('norm', min),
        ('leap', max),
        ('distance', min),
        ('kinds', min),
    ):
        values = [row[name] for row in seen if math.isfinite(row.get(name, math.nan))]
        worst[f'{most.__name__} {name}'] = most(values) if values else math.nan
    return [(line['step'], line['signal']) for line in lines], worst


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--mnist', help='an .npz of MNIST, for two more healthy runs')
    parser.add_argument('--only', help='part of a name')
    arguments = parser.parse_args()
    keep_freed_memory()
    kernels.enable()
    relu = replace(Config(), model=DCGAN(width=48, norm='batch', output='tanh', refine=32, d_refine=0))
    runs = collapses(Config(), relu) | {
        name: (config, lambda n: n) for name, config in healthy(arguments.mnist).items()
    }
    print(
        '| run | alarms (step) | D loss, least and most | G gradient norm, least | leap, most | distance, least | kinds, least |'
    )
    print('|---|---|---|---|---|---|---|')
    for name, (config, change) in runs.items():
        if arguments.only and arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found, worst = watch(config, change, Path(folder) / 'run')
        text = ', '.join(f'{signal} ({step})' for step, signal in found) or 'none'
        low, high, *rest = (f'{value:.2g}' for value in worst.values())
        print(f'| {name} | {text} | {low} to {high} | {" | ".join(rest)} |', flush=True)


if __name__ == '__main__':
    main()
