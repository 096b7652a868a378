"""Losses against closed forms in float64 NumPy, and what they share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.build import LOSSES


def log1pexp(x):
    return np.logaddexp(0.0, x)


CLOSED = {
    'minimax': (lambda r, f: log1pexp(-r) + log1pexp(f), lambda r, f: -log1pexp(f)),
    'non_saturating': (lambda r, f: log1pexp(-r) + log1pexp(f), lambda r, f: log1pexp(-f)),
    'least_squares': (lambda r, f: ((r - 1) ** 2 + f**2) / 2, lambda r, f: (f - 1) ** 2 / 2),
    'hinge': (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda r, f: -f),
    'wasserstein': (lambda r, f: f - r, lambda r, f: -f),
    'relativistic': (lambda r, f: log1pexp(f - r), lambda r, f: log1pexp(r - f)),
}
REAL = np.array([-40.0, -1.5, 0.0, 0.3, 2.0, 60.0], np.float32)
FAKE = np.array([50.0, 0.7, 0.0, -2.0, 1.0, -80.0], np.float32)


@pytest.mark.parametrize('name', sorted(LOSSES))
def test_equals_the_closed_form_for_each_sample(name):
    for found, expected in zip(LOSSES[name], CLOSED[name]):
        value = found(jnp.asarray(REAL), jnp.asarray(FAKE))
        assert value.shape == (6,)
        np.testing.assert_allclose(
            value, expected(REAL.astype(np.float64), FAKE.astype(np.float64)), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize('name', sorted(LOSSES))
def test_the_players_pull_the_fake_logit_apart(name):
    """At logits near zero the discriminator lowers the fake logit and the generator raises it."""
    real, fake = jnp.array([0.1]), jnp.array([-0.1])
    d = jax.grad(lambda f: LOSSES[name].discriminator(real, f)[0])(fake)
    g = jax.grad(lambda f: LOSSES[name].generator(real, f)[0])(fake)
    assert (float(d[0]) > 0 or name == 'least_squares') and float(g[0]) < 0


def test_relativistic_sees_only_the_difference():
    a = LOSSES['relativistic'].discriminator(jnp.array([1.0]), jnp.array([0.5]))
    b = LOSSES['relativistic'].discriminator(jnp.array([101.0]), jnp.array([100.5]))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_saturation_is_the_difference_between_minimax_and_non_saturating():
    fake, real = jnp.array([-20.0]), jnp.array([0.0])
    slopes = {
        n: float(jax.grad(lambda f: LOSSES[n].generator(real, f)[0])(fake)[0])
        for n in ('minimax', 'non_saturating')
    }
    assert abs(slopes['minimax']) < 1e-8 and slopes['non_saturating'] == pytest.approx(-1.0)
