"""R3GAN against a PyTorch module written from the paper: outputs, gradients, and gradients of R1 and R2."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runner import assert_same, flatten, torch_run

from jaxgan import losses, regularizers
from jaxgan.build import build_networks
from jaxgan.modelconfig import R3GAN

B, SIZE = 3, 16
MODEL = R3GAN(latent_dim=5, widths=(8, 8, 4), groups=(4, 2, 2), blocks_per_stage=2)


def random_like(shapes, seed):
    """Values of which none is zero, as those of the last convolution of a block are at the start."""
    random = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            random.normal(0.0, max(np.prod(leaf.shape[:-1]), 1) ** -0.5, leaf.shape), leaf.dtype
        ),
        shapes,
    )


@pytest.mark.parity
@pytest.mark.parametrize('classes', [0, 3])
def test_the_pair_is_the_papers(classes, tmp_path):
    g, d = build_networks(MODEL, SIZE, 3, classes, 'float32')
    random = np.random.default_rng(1)
    z = jnp.asarray(random.normal(size=(B, 5)), jnp.float32)
    real = jnp.asarray(random.uniform(-1, 1, (B, SIZE, SIZE, 3)), jnp.float32)
    label = jnp.array([2, 0, 1]) if classes else None
    g_params, d_params = (
        random_like(jax.eval_shape(net.init, jax.random.key(0), x, label)[0], seed)
        for seed, (net, x) in enumerate(((g, z), (d, real)))
    )

    keys = jax.random.split(jax.random.key(0), B)

    @jax.jit
    def ours(g_params, d_params):
        fake = g.apply(g_params, {}, z, label)[0]

        def critic(params, x):
            return d.apply(params, {}, x, label)[0]

        def g_loss(params):
            made = g.apply(params, {}, z, label)[0]
            return jnp.mean(losses.relativistic.generator(critic(d_params, real), critic(d_params, made)))

        def d_loss(params):
            return jnp.mean(losses.relativistic.discriminator(critic(params, real), critic(params, fake)))

        def penalty(function):
            return jax.grad(lambda p: jnp.mean(function(lambda x: critic(p, x), real, fake, keys)))(d_params)

        found = {'fake': fake, 'real_logits': critic(d_params, real), 'fake_logits': critic(d_params, fake)}
        return found | {
            'g_loss': jax.grad(g_loss)(g_params),
            'd_loss': jax.grad(d_loss)(d_params),
            'r1': penalty(regularizers.r1),
            'r2': penalty(regularizers.r2),
        }

    arrays = {
        'z': z,
        'real': real,
        'groups': np.array(MODEL.groups),
        'blocks': np.array(MODEL.blocks_per_stage),
    }
    arrays |= {} if label is None else {'label': label}
    arrays |= flatten({'g': g_params, 'd': d_params})
    theirs = torch_run('r3gan_torch.py', arrays, tmp_path)
    assert_same(flatten(ours(g_params, d_params)), theirs)
