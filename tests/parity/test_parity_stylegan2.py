"""StyleGAN2 against a PyTorch module written from the papers: same weights, same outputs, same gradients."""

import jax
import jax.numpy as jnp
import pytest
from runner import assert_same, flatten, torch_run

from jaxgan.models import StyleGAN2Discriminator, StyleGAN2Generator
from jaxgan.networks import from_linen

pytestmark = pytest.mark.parity
SMALL = {'channel_base': 64, 'channel_max': 12, 'mapping_layers': 2, 'classes': 3, 'clamp': None}


@pytest.mark.parametrize(('architecture', 'size'), [('residual', 16), ('skip', 8), ('orig', 8)])
def test_images_logits_and_gradients(architecture, size, key, tmp_path):
    """Also the gradient of R1, a second derivative through D and its minibatch deviation."""
    g = from_linen(StyleGAN2Generator(size, **SMALL, w_dim=10))
    d = from_linen(StyleGAN2Discriminator(size, **SMALL, architecture=architecture, deviation_group=2))
    keys = jax.random.split(key, 4)
    z, images = jax.random.normal(keys[0], (4, 7)), jax.random.normal(keys[1], (4, size, size, 3))
    label = jnp.array([0, 2, 1, 2])

    def moved(params, key):
        """Leave no parameter at a value that hides it (noise strengths and biases begin at 0)."""
        leaves, tree = jax.tree.flatten(params)
        draws = [
            jax.random.normal(k, leaf.shape) for k, leaf in zip(jax.random.split(key, len(leaves)), leaves)
        ]
        return jax.tree.unflatten(tree, [leaf + 0.3 * draw for leaf, draw in zip(leaves, draws)])

    def losses(params, images, noise):
        def critic(x):
            return d.apply(params['d'], {}, x, label)[0]

        fake = g.infer(params['g'], noise, z, label)
        logits, slope = critic(images), jax.grad(lambda x: jnp.sum(critic(x)))(images)
        penalty = 0.5 * jnp.mean(jnp.sum(slope**2, axis=(1, 2, 3)))
        loss = jnp.mean(jax.nn.softplus(-logits)) + jnp.mean(jax.nn.softplus(critic(fake))) + penalty
        return loss, {'image': fake, 'logits': logits, 'loss': loss, 'penalty': penalty}

    @jax.jit
    def run(keys):
        g_params, aux = g.init(keys[0], z, label)
        d_params, _ = d.init(keys[1], images, label)
        params = {'g': moved(g_params, keys[0]), 'd': moved(d_params, keys[1])}
        gradient, outputs = jax.grad(losses, has_aux=True)(params, images, aux)
        return params, aux, gradient, outputs

    params, aux, gradient, outputs = run(keys[2:])
    given = flatten(params) | flatten(aux['noise'], 'noise/') | {'z': z, 'label': label, 'images': images}
    theirs = torch_run('torch_stylegan2.py', given, tmp_path)
    ours = outputs | {f'gradient/{name}': values for name, values in flatten(gradient).items()}
    assert_same(ours, theirs)
