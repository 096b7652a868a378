"""In float64, with eight virtual devices: what the tests of placement run in a process of its own.

Every ``jnp.float32`` of the package becomes float64 before it is imported, so sums over a batch differ between ways of
splitting it by 1e-16, and what is wrong stands out by ten orders of magnitude.
"""

import dataclasses
import os
import sys
import tempfile
from pathlib import Path

os.environ['XLA_FLAGS'] = (
    f'--xla_force_host_platform_device_count={sys.argv[3]} --xla_backend_optimization_level=0'
)
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax
import jax.numpy as jnp
import numpy as np

WIDE = sys.argv[1] == 'float64'
if WIDE:
    jax.config.update('jax_enable_x64', True)
    jnp.float32 = jnp.float64

from jaxgan.config import Config, Ema, Optimizer, PathLength, Penalty
from jaxgan.data import DataConfig, open_source
from jaxgan.manifest import named_leaves
from jaxgan.modelconfig import DCGAN, MLP, R3GAN, SNGAN, BigGAN, FastGAN, StyleGAN2, Transformer
from jaxgan.trainer import make_trainer

R1, R2, GP = (Penalty(name, (0.5, 0.5)) for name in ('r1', 'r2', 'wgan_gp'))
DIFF = ('color', 'translation', 'cutout')
CASES = {
    'dcgan': (16, {'model': DCGAN(8, 4), 'penalties': (R1, R2), 'augment': DIFF, 'conditional': True}),
    'dcgan-parts': (16, {'model': DCGAN(8, 4), 'penalties': (GP,), 'loss': 'wasserstein', 'microbatches': 2, 'batch_size': 32}),
    'stylegan2': (
        16,
        {
            'model': StyleGAN2(8, 8, 1, 1, 64, 8, d_deviation_group=2),
            'loss': 'non_saturating',
            'penalties': (Penalty('r1', (0.5, 0.5), 2),),
            'path_length': PathLength(2.0, every=2),
            'ada': ('bgc',),
            'ada_images': 100,
        },
    ),
    'r3gan': (16, {'model': R3GAN(8, (8, 8, 8), (2, 2, 2), 1), 'penalties': (R1, R2), 'training': 'one_stage'}),
    'sngan': (32, {'model': SNGAN(8, 2), 'conditional': True, 'loss': 'hinge', 'penalties': (), 'spectral_norm': 'discriminator', 'd_steps': 2}),
    'biggan': (32, {'model': BigGAN(8, 2, attention=(16,), shared=4), 'conditional': True, 'loss': 'hinge', 'penalties': (), 'spectral_norm': 'both'}),
    'fastgan': (32, {'model': FastGAN(8, 8, max_width=16), 'loss': 'hinge', 'penalties': (Penalty('auxiliary_real'),), 'augment': DIFF, 'training': 'shared_fakes'}),
    'transformer': (16, {'model': Transformer(8, 4, 16, None, 1, None, 2), 'penalties': (R1,), 'loss': 'relativistic'}),
    'mlp': (16, {'model': MLP(8, 16, depth=2), 'loss': 'hinge', 'penalties': (Penalty('lecam'), Penalty('r1')), 'apa_target': 0.6, 'apa_images': 100}),
}  # fmt: skip


def data(folder, size, n=40):
    path = folder / f'data{size}.npz'
    if not path.exists():
        images = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8)
        np.savez(path, x_train=images, y_train=np.arange(n) % 4)
    return path


def config(folder, name, **changes):
    size, own = CASES[name]
    adam = Optimizer((1e-3, 1e-3), eps=1e-3)
    made = Config(
        data=DataConfig(f'npz:{data(folder, size)}', flip=True),
        dtype=sys.argv[1],
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema((100.0, 100.0)),
        batch_size=16,
        steps_per_dispatch=2,
        images=10_000,
        burn_in=100,
    )
    return dataclasses.replace(made, **own | changes)


def trainer(config, devices=8, **more):
    return make_trainer(config, open_source(config.data), devices=jax.devices()[:devices], **more)


def run(made, steps, state=None):
    state = made.init() if state is None else state
    first = int(state.step)
    for step in range(first, first + steps, made.length):
        state, _ = made.dispatch(state, step, min(made.length, first + steps - step))
    return state


def values(state):
    return {
        name: np.asarray(jax.random.key_data(leaf) if name == 'key' else leaf)
        for name, leaf in named_leaves(state).items()
    }


def distance(a, b):
    """The relative distance of two states: of all their numbers together, and of the worst leaf that is not nearly 0."""
    a, b = ({k: np.asarray(v, np.float64) for k, v in values(s).items()} for s in (a, b))
    norm = np.sqrt(sum(np.sum(np.square(v)) for v in a.values()))
    return float(np.sqrt(sum(np.sum(np.square(a[k] - b[k])) for k in a)) / norm)


def equivalence(names, steps):
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            made = config(Path(folder), name)
            one = run(trainer(made, 1), steps)
            for sharding in ('data', 'fsdp'):
                many = run(trainer(dataclasses.replace(made, sharding=sharding)), steps)
                split = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(many))
                print('RESULT', name, sharding, distance(one, many), split, flush=True)


if __name__ == '__main__':
    equivalence(sys.argv[4].split(','), int(sys.argv[5]))
