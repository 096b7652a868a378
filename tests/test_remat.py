"""Rematerialization: the same parameters and gradients, of second order too, with less memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import pair, points, recipe

from jaxgan import init_state, make_one_stage_step, make_train_step, remat
from jaxgan.build import build_networks
from jaxgan.modelconfig import R3GAN

DEEP = R3GAN(latent_dim=4, widths=(8, 8, 8), groups=(1, 1, 1), blocks_per_stage=4)

KEPT = {'xla_disable_hlo_passes': 'cse_barrier_expander'}  # as the trainer says: XLA:CPU would merge it again


@pytest.mark.slow
@pytest.mark.parametrize('make', [make_train_step, make_one_stage_step])
def test_a_whole_network_has_the_same_gradients(make, key):
    """With R1 and R2, so that the checkpoint is differentiated twice."""
    g, d = pair()
    made = recipe(g_tx=optax.trace(0.0), d_tx=optax.trace(0.0))
    batch = points(key, 8)
    state = init_state(key, g, d, made, batch)
    plain, _ = jax.jit(make(g, d, made))(state, batch)
    again, _ = jax.jit(make(remat(g), remat(d), made))(state, batch)
    for a, b in zip(jax.tree.leaves((plain.g, plain.d)), jax.tree.leaves((again.g, again.d)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_blocks_have_the_same_gradients_in_less_memory(key):
    """The R3GAN discriminator with R1, at random parameters (its residual branches start at zero)."""
    images = jax.random.normal(key, (16, 16, 16, 3))
    networks = [
        build_networks(dataclasses.replace(DEEP, remat=on), 16, 3, 0, 'float32')[1] for on in (False, True)
    ]
    params, _ = jax.jit(networks[0].init)(key, images, None)
    other = jax.eval_shape(networks[1].init, key, images, None)[0]
    assert jax.tree.structure(other) == jax.tree.structure(params)
    params = jax.tree.map(
        lambda p: p + 0.1 * jnp.sin(jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape), params
    )
    found = []
    for network in networks:

        def loss(params, x):
            def critic(x, network=network):
                return network.apply(params, {}, x, None)[0]

            squared = jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(critic(x)))(x)))
            return jnp.mean(jax.nn.softplus(critic(x))) + 0.5 * squared

        program = jax.jit(jax.grad(loss)).lower(params, images).compile(KEPT)
        found.append((program(params, images), program.memory_analysis().temp_size_in_bytes))
    (plain, more), (again, less) = found
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * float(jnp.max(jnp.abs(a))))
    print(f'{more / 1e6:.1f} MB, with remat {less / 1e6:.1f} MB')
    assert less < 0.8 * more
