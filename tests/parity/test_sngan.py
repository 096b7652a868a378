"""SNGAN's blocks and 32-pixel pair, and DCGAN's pair, against PyTorch: same weights, same inputs, same outputs and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runner import assert_same, flatten, torch_run

from jaxgan.models import DCGANDiscriminator, DCGANGenerator, SNGANDiscriminator, SNGANGenerator
from jaxgan.models.resblocks import DownBlock, UpBlock

LABEL = np.array([0, 2, 1, 2])

CASES = {  # PyTorch's function: (module, shape of the input, whether it takes labels)
    'up_block': (UpBlock(5, classes=3), (4, 4, 4, 6), True),
    'down_block': (DownBlock(5, 6), (4, 4, 4, 6), False),
    'same_block': (DownBlock(6, 6, down=False), (4, 4, 4, 6), False),
    'first_block': (DownBlock(5, 5, first=True), (4, 4, 4, 3), False),
    'sngan_generator': (SNGANGenerator(32, width=2, classes=3), (4, 8), True),
    'sngan_discriminator': (SNGANDiscriminator(32, width=3, classes=3), (4, 32, 32, 3), True),
    'dcgan_generator': (DCGANGenerator(16, width=4), (4, 8), False),
    'dcgan_discriminator': (DCGANDiscriminator(16, width=4, classes=3), (4, 16, 16, 3), True),
}


def scattered(tree, seed):
    """Kernels of unit gain, and values around those that biases and gains start with: nothing is hidden behind a zero."""
    rng = np.random.default_rng(seed)

    def leaf(path, x):
        name = jax.tree_util.keystr(path)
        spread = np.prod(x.shape[:-1]) ** -0.5 if 'kernel' in name else 0.3
        return jnp.asarray(rng.normal('scale' in name, spread, x.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(leaf, tree)


@pytest.mark.parity
@pytest.mark.parametrize('case', sorted(CASES))
def test_same_outputs_and_gradients(case, tmp_path):
    module, shape, labelled = CASES[case]
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    label = (jnp.asarray(LABEL),) if labelled else ()
    params = scattered(jax.eval_shape(module.init, jax.random.key(0), x, *label)['params'], 1)

    def apply(params, x):
        return module.apply({'params': params}, x, *label, mutable=['batch_stats'])[0]

    cotangent = jnp.asarray(rng.normal(size=jax.eval_shape(apply, params, x).shape), jnp.float32)

    @jax.jit
    def both(params, x, cotangent):
        output, pull = jax.vjp(apply, params, x)
        return output, pull(cotangent)

    output, (for_params, for_x) = both(params, x, cotangent)
    ours = {'output': output, 'gradient/input': for_x} | flatten({'gradient': for_params})
    arrays = {'case': case, 'label': LABEL, 'input': x, 'cotangent': cotangent} | flatten({'params': params})
    assert_same(ours, torch_run('torch_resnets.py', arrays, tmp_path))
