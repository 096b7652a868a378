"""Penalties against closed forms, finite differences, and per-sample independence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import regularizers
from jaxgan.build import PENALTIES

B = 5


@pytest.fixture
def inputs(key):
    a, b, c = jax.random.split(key, 3)
    return jax.random.normal(a, (B, 3, 2)), jax.random.normal(b, (B, 3, 2)), jax.random.split(c, B)


def quadratic(matrix):
    """Critic x'Ax/2 with the gradient (A + A')x/2."""
    return lambda x: (
        0.5 * jnp.einsum('bi,ij,bj->b', x.reshape(x.shape[0], -1), matrix, x.reshape(x.shape[0], -1))
    )


def test_r1_and_r2_are_half_the_squared_gradient(inputs, key):
    real, fake, keys = inputs
    matrix = jax.random.normal(key, (6, 6))
    symmetric = np.asarray(matrix + matrix.T, np.float64) / 2
    for penalty, x in ((regularizers.r1, real), (regularizers.r2, fake)):
        gradient = np.asarray(x, np.float64).reshape(B, 6) @ symmetric
        np.testing.assert_allclose(
            penalty(quadratic(matrix), real, fake, keys), 0.5 * (gradient**2).sum(1), rtol=1e-5
        )


def test_wgan_gp_of_a_linear_critic_is_its_norm_minus_one(inputs):
    w = jnp.arange(1.0, 7.0)
    value = regularizers.wgan_gp(lambda x: x.reshape(B, -1) @ w, *inputs)
    np.testing.assert_allclose(value, np.full(B, (np.sqrt(91.0) - 1) ** 2), rtol=1e-6)


def test_wgan_gp_looks_between_real_and_fake(inputs):
    """With critic |x|^2/2 the gradient is x itself, so the penalty tells where it looked."""
    real, fake, keys = inputs
    real, fake = jnp.zeros_like(real), jnp.ones_like(fake)
    value = regularizers.wgan_gp(lambda x: 0.5 * jnp.sum(x**2, (1, 2)), real, fake, keys)
    u = jax.vmap(lambda k: jax.random.uniform(k, (1, 1)))(keys)[:, 0, 0]
    np.testing.assert_allclose(value, (np.asarray(u) * np.sqrt(6.0) - 1) ** 2, rtol=1e-5)


def test_wgan_gp_has_a_finite_gradient_where_the_critic_is_flat(inputs):
    def total(scale):
        return jnp.sum(regularizers.wgan_gp(lambda x: scale * x.reshape(B, -1)[:, 0], *inputs))

    assert float(total(0.0)) == B and np.isfinite(float(jax.grad(total)(0.0)))


@pytest.mark.parametrize('name', sorted(PENALTIES))
def test_gradient_of_the_penalty_agrees_with_finite_differences(name, inputs, key):
    real, fake, keys = inputs
    base = jax.random.normal(key, (6,))

    def total(t):
        return jnp.sum(
            PENALTIES[name](lambda x: jnp.sin(x.reshape(B, -1) @ (base + t)) * 2.0, real, fake, keys)
        )

    slope, step = float(jax.grad(total)(0.0)), 1e-2
    numeric = float(total(step) - total(-step)) / (2 * step)
    assert slope == pytest.approx(numeric, rel=5e-3, abs=5e-3)


@pytest.mark.parametrize('name', sorted(PENALTIES))
def test_a_value_belongs_to_one_sample(name, inputs):
    real, fake, keys = inputs

    def critic(x):
        return jnp.sum(jnp.sin(x), (1, 2))

    whole = PENALTIES[name](critic, real, fake, keys)
    parts = jnp.concatenate(
        [PENALTIES[name](critic, real[i : i + 1], fake[i : i + 1], keys[i : i + 1]) for i in range(B)]
    )
    np.testing.assert_allclose(whole, parts, rtol=1e-6)
