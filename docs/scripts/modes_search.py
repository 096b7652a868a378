"""Other networks and settings for the ablation of ``jaxgan bench modes``: what docs/results/modes.md reports beside it.

    python docs/scripts/modes_search.py mnist.npz --network residual --width 16 --gamma 0.02 0.02 --steps 4000
    python docs/scripts/modes_search.py mnist.npz --network dcgan --width 8 --gamma 0.1 0.01 --rate 1e-3 1e-3 --steps 3000

Three digits a stack, 1,000 modes. A line each 500 or 1,000 steps: modes and KL of the averaged and of the newest generator.
"""

import argparse
import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import build, kernels
from jaxgan.bench import suite_modes as suite
from jaxgan.bench.digits import fit, open_digits
from jaxgan.config import Optimizer, Penalty
from jaxgan.metrics.modes import label_modes, stacked_modes
from jaxgan.modelconfig import DCGAN
from jaxgan.models.layers import Conv, Dense, leaky_relu
from jaxgan.networks import from_linen
from jaxgan.phases import scan_steps
from jaxgan.state import init_state

DIGITS, SIDE, BATCH = 3, 16, 32


class Block(nn.Module):
    """A pre-activation residual block of two 3x3 convolutions, without normalization, its branch not zero at the start."""

    features: int
    up: bool = False
    down: bool = False

    @nn.compact
    def __call__(self, x):
        """Map [B, H, W, C] to [B, H', W', features]."""
        y = leaky_relu(x)
        if self.up:
            x, y = (v.repeat(2, 1).repeat(2, 2) for v in (x, y))
        y = Conv(self.features, (3, 3))(leaky_relu(Conv(self.features, (3, 3))(y)))
        if self.down:
            x, y = (nn.avg_pool(v, (2, 2), (2, 2)) for v in (x, y))
        return x + y


class ResidualGenerator(nn.Module):
    """Latents to 4x4, two blocks that double the side, and an image."""

    width: int

    @nn.compact
    def __call__(self, z, label=None, *, train=True):
        """Map latents [B, Z] to images [B, 16, 16, DIGITS]."""
        x = Dense(16 * self.width)(z).reshape(-1, 4, 4, self.width)
        for _ in range(2):
            x = Block(self.width, up=True)(x)
        return Conv(DIGITS, (3, 3))(leaky_relu(x))


class ResidualDiscriminator(nn.Module):
    """Two blocks that halve the side, one more, and a logit."""

    width: int

    @nn.compact
    def __call__(self, x, label=None, *, train=True):
        """Map images to logits [B]."""
        x = Conv(self.width, (3, 3))(x)
        for _ in range(2):
            x = Block(self.width, down=True)(x)
        x = leaky_relu(Block(self.width)(x))
        return Dense(1)(x.reshape(x.shape[0], -1))[:, 0]


def parts(arguments, name):
    """Make generator, discriminator, recipe and step of one loss."""
    _, penalties = suite.LOSSES[name]
    adam = Optimizer(tuple(arguments.rate), 0.0, (0.99, 0.99))
    width = arguments.width
    config = dataclasses.replace(
        suite.configuration(name, suite.Form(arguments.steps)),
        model=DCGAN(64, width, d_width=width, norm='none'),
        penalties=tuple(Penalty(penalty, tuple(arguments.gamma)) for penalty in penalties),
        g_optimizer=adam,
        d_optimizer=adam,
        burn_in=arguments.steps * BATCH,
        seed=arguments.seed,
    )
    g, d = build.build_networks(config.model, SIDE, DIGITS, 0, 'float32')
    if arguments.network == 'residual':
        g, d = from_linen(ResidualGenerator(width)), from_linen(ResidualDiscriminator(width))
    recipe = build.build_recipe(config)
    return g, d, recipe, build.build_step(config, g, d, recipe)


def judge(generator, player, recipe, classifier, count):
    """Say how many modes samples of a generator show, and their KL to uniform."""
    draw = jax.jit(lambda key: generator.infer(player.params, player.aux, recipe.latents(key, 200), None))
    keys = jax.random.split(jax.random.key(9), count // 200)
    samples = np.concatenate([np.asarray(draw(key)) for key in keys])
    found = label_modes(stacked_modes(samples, classifier), 10**DIGITS)
    return f'{found.covered} modes, KL {found.kl:.3f}'


def main():
    """Train with each loss and print what it covers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data')
    parser.add_argument('--network', choices=('dcgan', 'residual'), default='residual')
    parser.add_argument('--width', type=int, default=16)
    parser.add_argument('--gamma', type=float, nargs=2, default=(0.02, 0.02))
    parser.add_argument('--rate', type=float, nargs=2, default=(1e-3, 1e-3))
    parser.add_argument('--steps', type=int, default=4000)
    parser.add_argument('--every', type=int, default=1000)
    parser.add_argument('--samples', type=int, default=13_000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--losses', nargs='+', choices=tuple(suite.LOSSES), default=tuple(suite.LOSSES))
    arguments = parser.parse_args()
    kernels.enable()
    suite.DIGITS = DIGITS
    train, test = open_digits(arguments.data)
    classifier, _ = fit(train, test)
    images = jnp.asarray(train.images)
    for name in arguments.losses:
        g, d, recipe, step = parts(arguments, name)
        start = functools.partial(init_state, generator=g, discriminator=d, recipe=recipe)
        state = jax.jit(start)(
            jax.random.key(arguments.seed), batch={'image': jnp.zeros((BATCH, SIDE, SIDE, DIGITS))}
        )
        dispatch = jax.jit(
            scan_steps(step, suite.stacks(BATCH, len(images)), arguments.every), donate_argnums=0
        )
        for done in range(arguments.every, arguments.steps + 1, arguments.every):
            state, metrics = dispatch(state, images)
            found = [
                judge(g, player, recipe, classifier, arguments.samples) for player in (state.g_ema, state.g)
            ]
            gap, norm = float(metrics['d/real'] - metrics['d/fake']), float(metrics['g/grad_norm'])
            print(
                f'{name} {done}: average {found[0]}; newest {found[1]}; gap {gap:.2f}; gradient {norm:.1f}',
                flush=True,
            )


if __name__ == '__main__':
    main()
