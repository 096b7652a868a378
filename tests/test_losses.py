"""Losses against closed forms in float64 NumPy, and what they share."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.build import LOSSES, build_recipe
from jaxgan.config import Config
from jaxgan.schedules import cosine


def log1pexp(x):
    return np.logaddexp(0.0, x)


def average(r, f):
    return log1pexp(f.mean() - r) + log1pexp(f - r.mean())


def average_hinge(r, f):
    return np.maximum(0, 1 - (r - f.mean())) + np.maximum(0, 1 + (f - r.mean()))


def dual_contrastive(r, f):
    """As cross-entropies: the real sample among all fake ones, and the fake among all real ones, by -D."""
    real = [-np.log(np.exp(x) / (np.exp(x) + np.exp(f).sum())) for x in r]
    fake = [-np.log(np.exp(-x) / (np.exp(-x) + np.exp(-r).sum())) for x in f]
    return np.array(real) + np.array(fake)


CLOSED = {
    'relativistic_average': (average, lambda r, f: average(f, r)),
    'relativistic_average_hinge': (average_hinge, lambda r, f: average_hinge(f, r)),
    'dual_contrastive': (dual_contrastive, lambda r, f: dual_contrastive(f, r)),
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
            value, expected(REAL.astype(np.float64), FAKE.astype(np.float64)), rtol=2e-6, atol=1e-6
        )


@pytest.mark.parametrize('name', sorted(LOSSES))
def test_the_players_pull_the_fake_logit_apart(name):
    """At logits near zero the discriminator lowers the fake logit and the generator raises it."""
    real, fake = jnp.array([0.1]), jnp.array([-0.1])
    d = jax.grad(lambda f: LOSSES[name].discriminator(real, f)[0])(fake)
    g = jax.grad(lambda f: LOSSES[name].generator(real, f)[0])(fake)
    assert (float(d[0]) > 0 or name == 'least_squares') and float(g[0]) < 0


@pytest.mark.parametrize('name', sorted(name for name in LOSSES if 'relativistic' in name or 'dual' in name))
def test_relativistic_losses_see_only_differences(name):
    real, fake = jnp.array([1.0, 0.5]), jnp.array([0.5, -0.25])
    a = LOSSES[name].discriminator(real, fake)
    b = LOSSES[name].discriminator(real + 100.0, fake + 100.0)
    np.testing.assert_allclose(a, b, rtol=1e-4)


def test_top_k_counts_the_largest_logits_alone():
    fake = jnp.array([0.5, -3.0, 2.0, 0.7, 0.1, 2.5])
    np.testing.assert_allclose(losses.top_k(0.5)(fake, 0), [0.0, 0.0, 2.0, 2.0, 0.0, 2.0])
    np.testing.assert_allclose(losses.top_k(1.0)(fake, 0), np.ones(6))
    np.testing.assert_allclose(losses.top_k(0.01)(fake, 0), [0, 0, 0, 0, 0, 6.0])  # never none
    tied = losses.top_k(1 / 3)(jnp.zeros(6), 0)
    assert float(jnp.mean(tied)) == 1.0 and int(jnp.sum(tied > 0)) == 2


def test_top_k_follows_a_schedule_in_one_program():
    weights = jax.jit(losses.top_k(cosine(1.0, 0.5, 100)))
    fake = jnp.arange(8.0)
    counts = [int(jnp.sum(weights(fake, jnp.int32(n)) > 0)) for n in (0, 50, 100, 10_000)]
    assert counts == [8, 6, 4, 4]
    made = build_recipe(dataclasses.replace(Config(), top_k=(1.0, 0.5), burn_in=100))
    np.testing.assert_allclose(made.g_weights(fake, jnp.int32(100)), [0, 0, 0, 0, 2, 2, 2, 2])


def test_saturation_is_the_difference_between_minimax_and_non_saturating():
    fake, real = jnp.array([-20.0]), jnp.array([0.0])
    slopes = {
        n: float(jax.grad(lambda f: LOSSES[n].generator(real, f)[0])(fake)[0])
        for n in ('minimax', 'non_saturating')
    }
    assert abs(slopes['minimax']) < 1e-8 and slopes['non_saturating'] == pytest.approx(-1.0)
