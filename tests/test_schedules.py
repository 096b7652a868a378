"""Schedules, scheduled optimizers, averages and latents: exact values."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.ema import half_life
from jaxgan.errors import InputError
from jaxgan.latents import normal, normal_quantiles, of_keys, with_signs
from jaxgan.schedules import cosine, scheduled

TABLE_DIGEST = '1cfbba1e07e34386'
LATENT_BYTES = 'a359a83f5bcfabbe6489c3bee3ae973f1c38803f1d53b9bf2b8d34bf4f1a2a3f'


def test_cosine_starts_ends_and_stays():
    schedule = cosine(2.0, 0.2, burn_in=1000)
    expected = [0.2 + 1.8 * (1 + np.cos(np.pi * min(n, 1000) / 1000)) / 2 for n in (0, 250, 500, 1000, 5000)]
    np.testing.assert_allclose([schedule(n) for n in (0, 250, 500, 1000, 5000)], expected, rtol=1e-6)
    assert float(cosine(2.0, 0.2, burn_in=0)(0)) == pytest.approx(0.2)
    with pytest.raises(ValueError, match='burn_in -1'):
        cosine(1.0, 1.0, -1)


def test_a_changing_schedule_does_not_recompile():
    traces = []

    @jax.jit
    def value(n):
        traces.append(n)
        return cosine(1.0, 0.0, 100)(n)

    assert len({float(value(jnp.int32(n))) for n in range(0, 100, 10)}) == 10
    assert len(traces) == 1


def test_scheduled_adam_equals_adam_with_the_values_of_each_step(key):
    params = {'w': jnp.array([1.0, -2.0])}
    tx = scheduled(optax.adam, learning_rate=cosine(1e-1, 1e-2, 30), b1=0.0, b2=cosine(0.9, 0.99, 30))
    state = tx.init(params)
    nu, found = np.zeros(2), []
    for step in range(4):
        gradient = {'w': jnp.array([0.5, 1.0]) * (step + 1)}
        with jax.numpy_dtype_promotion('standard'):  # Optax needs it; the step gives it
            updates, state = tx.update(gradient, state, params, images_seen=jnp.int32(10 * step))
        g, lr = np.asarray(gradient['w'], np.float64), float(cosine(1e-1, 1e-2, 30)(10 * step))
        b2 = float(cosine(0.9, 0.99, 30)(10 * step))
        nu = b2 * nu + (1 - b2) * g**2
        expected = -lr * g / (np.sqrt(nu / (1 - b2 ** (step + 1))) + 1e-8)
        found.append((np.asarray(updates['w']), expected))
    for value, expected in found:
        np.testing.assert_allclose(value, expected, rtol=2e-5)


def test_plain_optax_transformations_chain_with_scheduled_ones():
    tx = optax.chain(optax.clip_by_global_norm(1.0), scheduled(optax.sgd, learning_rate=cosine(1.0, 0.5, 10)))
    params = {'w': jnp.array([3.0, 4.0])}
    updates, _ = tx.update(params, tx.init(params), params, images_seen=jnp.int32(10))
    np.testing.assert_allclose(updates['w'], [-0.3, -0.4], rtol=1e-6)


def test_half_life_halves_after_that_many_images():
    decay = half_life(1000.0)
    assert float(decay(jnp.int32(10**6), 100)) ** 10 == pytest.approx(0.5, rel=1e-5)
    assert float(half_life(0.0)(jnp.int32(5), 64)) == 0.0
    ramped = half_life(1000.0, rampup=0.05)
    assert float(ramped(jnp.int32(2000), 100)) == pytest.approx(0.5)  # half-life min(1000, 100)
    assert float(ramped(jnp.int32(0), 100)) == 0.0


@pytest.mark.slow
def test_signs_stand_behind_normal_values(key):
    drawn = np.asarray(with_signs(5, 3)(key, 4_000))
    assert set(np.unique(drawn[:, 2:])) == {-1.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(5), atol=0.1)
    assert len({tuple(row) for row in drawn[:, 2:]}) == 8
    keys = jax.random.split(key, 4)
    np.testing.assert_array_equal(of_keys(with_signs(5, 3), keys)[2], with_signs(5, 3)(keys[2], 1)[0])
    with pytest.raises(InputError, match=r'signs 6 must be in 0..5'):
        with_signs(5, 6)


def test_latents_are_normal_quantiles(key):
    table = normal_quantiles()
    assert table.dtype == np.float32 and (np.diff(table) > 0).all() and (table == -table[::-1]).all()
    assert hashlib.sha256(table.astype('<f4').tobytes()).hexdigest().startswith(TABLE_DIGEST), (
        'the table of normal quantiles changed: every seed would mean another latent'
    )
    z = np.asarray(normal(64)(key, 4096), np.float64)
    assert z.shape == (4096, 64) and abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    assert abs((z**4).mean() - 3) < 0.06


@pytest.mark.slow
def test_a_latent_depends_on_its_key_alone(key):
    keys = jax.random.split(key, 6)
    together = of_keys(normal(8), keys)
    alone = jnp.concatenate([of_keys(normal(8), keys[i : i + 1]) for i in (3, 1)])
    assert (together[jnp.array([3, 1])] == alone).all()


def test_the_latent_of_a_seed_is_pinned():
    z = of_keys(normal(4), jnp.stack([jax.random.key(0), jax.random.key(2**32 - 1)]))
    assert np.asarray(z).tobytes().hex() == LATENT_BYTES, (
        'the latents of seeds changed: saved seeds would mean others'
    )
