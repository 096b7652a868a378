"""A checkpoint of another network, resolution, dtype, number of classes or optimizer is refused, never half loaded."""

import itertools
import re

import faults
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import tiny

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.manifest import named_leaves
from jaxgan.config import Optimizer
from jaxgan.data import open_source
from jaxgan.errors import InputError
from jaxgan.modelconfig import DCGAN, R3GAN
from jaxgan.run.trainer import make_trainer

LEAF = r'\S+ is (missing|\w+(<\w+>)? \[[\d, ]*\]) there, (missing|\w+(<\w+>)? \[[\d, ]*\]) here'


def data(folder, size, classes):
    path = folder / f'{size}-{classes}.npz'
    images = np.random.default_rng(0).integers(0, 256, (24, size, size, 3), np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(24) % classes)
    return path


def shapes(folder):
    """The states of eight configurations, as shapes."""
    base = data(folder, 16, 3)
    wide = DCGAN(latent_dim=8, width=6, norm='none', output='tanh')
    batch = DCGAN(latent_dim=8, width=4, norm='batch', output='tanh')
    sgd = Optimizer(learning_rate=(1e-3, 1e-3), name='sgd')
    configs = {
        'dcgan': tiny(base),
        'wider': tiny(base, model=wide),
        'batch norm': tiny(base, model=batch),
        'r3gan': tiny(base, model=R3GAN(8, (8, 8, 8), (2, 2, 2), 1)),
        '32 pixels': tiny(data(folder, 32, 3)),
        '3 classes': tiny(base, conditional=True),
        '5 classes': tiny(data(folder, 16, 5), conditional=True),
        'sgd': tiny(base, g_optimizer=sgd, d_optimizer=sgd),
    }
    found = {
        name: make_trainer(config, open_source(config.data)).abstract for name, config in configs.items()
    }
    return found | {'bfloat16': jax.tree.map(half, found['dcgan'])}


def half(like):
    return jax.ShapeDtypeStruct(like.shape, jnp.bfloat16 if like.dtype == jnp.float32 else like.dtype)


def zeros(like):
    is_key = jax.dtypes.issubdtype(like.dtype, jax.dtypes.prng_key)
    return jax.random.key(0) if is_key else jax.device_put(np.zeros(like.shape, like.dtype))


@pytest.mark.slow
def test_every_checkpoint_fits_its_own_configuration_and_no_other(tmp_path):
    states = shapes(tmp_path)
    for name, like in states.items():
        with Checkpoints(tmp_path / name) as checkpoints:
            checkpoints.save(1, jax.tree.map(zeros, like), {'of': name})
    tried = 0
    for there, here in itertools.permutations(states, 2):
        with Checkpoints(tmp_path / there) as checkpoints, pytest.raises(InputError) as info:
            checkpoints.restore(states[here])
        text = str(info.value)
        assert '\n' not in text and f'{tmp_path / there / "1"} does not fit: ' in text
        named = re.findall(LEAF, text.split('does not fit: ')[1])
        assert 1 <= len(named) <= 3, text
        tried += 1
    faults.tally('a checkpoint of another configuration', tried)
    assert tried >= 30
    for name, like in states.items():
        with Checkpoints(tmp_path / name) as checkpoints:
            state, meta = checkpoints.restore(like)
        assert meta == {'of': name}
        assert {leaf: (x.shape, x.dtype) for leaf, x in named_leaves(state).items()} == {
            leaf: (x.shape, x.dtype) for leaf, x in named_leaves(like).items()
        }
