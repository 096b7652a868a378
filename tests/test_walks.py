"""A walk meets its codes, keeps latents on their shell, comes back where it says so, and can be made in any parts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import walks
from jaxgan.latents import normal, with_signs
from jaxgan.walks import PATHS

K, Z = 4, 32
NAMES = sorted(PATHS)


@pytest.fixture(scope='module')
def codes():
    return normal(Z)(jax.random.key(1), K)


@functools.cache
def compiled(name, shell=True, signs=0):
    return jax.jit(functools.partial(walks.walk, PATHS[name], shell=shell, signs=signs))


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('shell', [True, False])
def test_a_path_meets_its_codes(codes, name, shell):
    t = jnp.arange(K, dtype=jnp.float32)
    np.testing.assert_allclose(compiled(name, shell)(codes, t), codes, atol=1e-5)
    if PATHS[name].closed:
        np.testing.assert_allclose(compiled(name, shell)(codes, t[:1] + K), codes[:1], atol=1e-5)


@pytest.mark.parametrize('name', NAMES)
def test_latents_stay_near_their_shell(codes, name):
    """The length changes evenly between those of the codes, while a straight line would cut the corner."""
    t = jnp.linspace(0, K - 1, 61)
    lengths = jnp.linalg.norm(codes, axis=1)
    wanted = jnp.interp(t, jnp.arange(K, dtype=jnp.float32), lengths)
    np.testing.assert_allclose(jnp.linalg.norm(compiled(name)(codes, t), axis=1), wanted, rtol=1e-4)
    line = walks.straight(PATHS['spline'], codes, t)
    assert float(jnp.min(jnp.linalg.norm(line, axis=1))) < 0.85 * float(jnp.min(lengths))


@pytest.mark.parametrize('name', ['loop', 'spline'])
def test_a_spline_has_no_corner(codes, name):
    """Speed before and after a code agrees, and a spherical walk turns there."""

    def turn(kind):
        t = jnp.asarray([0.995, 1.0, 1.005])
        a, b, c = compiled(kind)(codes, t)
        return float(jnp.linalg.norm((c - b) - (b - a)) / jnp.linalg.norm(b - a))

    assert turn(name) < 0.1 < 0.5 < turn('spherical')


def test_a_spline_is_exact_on_a_line():
    line = jnp.arange(5, dtype=jnp.float32)[:, None] * jnp.asarray([[1.0, -2.0]])
    t = jnp.linspace(0, 4, 17)
    found = walks.spline(line, t, shell=False)
    np.testing.assert_allclose(found, t[:, None] * jnp.asarray([[1.0, -2.0]]), atol=1e-5)


def test_a_closed_walk_leaves_out_its_end(codes):
    """The step from the last frame to the first is a step like all others."""
    t = walks.places(PATHS['loop'], K, 40)
    np.testing.assert_allclose(t, np.arange(40) * 0.1, rtol=1e-6)
    found = compiled('loop')(codes, t)
    steps = walks.apart(jnp.concatenate([found, found[:1]]))
    # symmetric in time: the loop backwards is the loop of the codes backwards
    back = compiled('loop')(codes[::-1], walks.places(PATHS['loop'], K, 40))
    np.testing.assert_allclose(found[(30 - np.arange(40)) % 40], back, atol=1e-4)
    assert float(steps[-1]) < 2 * float(jnp.median(steps))
    np.testing.assert_allclose(walks.places(PATHS['spline'], K, 4), [0, 1, 2, 3])


@pytest.mark.parametrize('name', NAMES)
def test_a_frame_does_not_depend_on_the_others(codes, name):
    t = walks.places(PATHS[name], K, 12)
    whole = np.asarray(compiled(name)(codes, t))
    parts = [np.asarray(compiled(name)(codes, t[i : i + 4])) for i in range(0, 12, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_allclose(jax.vmap(lambda one: compiled(name)(codes, one[None])[0])(t), whole, atol=1e-5)


def test_codes_of_any_shape(codes):
    """w+ codes walk as their values do where no shell joins these."""
    wide = codes.reshape(K, 4, 8)
    t = jnp.linspace(0, 2.9, 7)
    found = compiled('spline', False)(wide, t)
    np.testing.assert_allclose(found.reshape(7, -1), compiled('spline', False)(codes, t), atol=1e-6)


@pytest.mark.parametrize('name', NAMES)
def test_an_even_walk_changes_evenly(codes, name):
    """Codes that lie unevenly apart are passed at uneven speed, unless asked otherwise."""
    uneven = codes.at[1].set(0.97 * codes[0] + 0.03 * codes[1])
    path, go = PATHS[name], compiled(name)

    def spread(t):
        steps = walks.apart(go(uneven, t))
        return float(jnp.std(steps) / jnp.mean(steps))

    even = walks.even_places(path, K, 24, lambda t: walks.apart(go(uneven, t)))
    assert even.shape == (24,) and float(even[0]) == 0
    assert spread(even) < 0.2 < 0.4 < spread(walks.places(path, K, 24))
    wrapped = jnp.concatenate([even, jnp.float32([K])]) if path.closed else even
    assert float(wrapped[-1]) == (K if path.closed else K - 1)
    assert spread(wrapped) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_signs_are_those_of_the_nearest_code(name):
    z = with_signs(8, 3)(jax.random.key(5), K)
    t = jnp.asarray([0.0, 0.3, 0.49, 0.51, 1.0, 1.6])
    found = compiled(name, signs=3)(z, t)
    np.testing.assert_array_equal(found[:, 5:], z[jnp.asarray([0, 0, 0, 1, 1, 2])][:, 5:])
    np.testing.assert_allclose(found[:, :5], compiled(name)(z[:, :5], t), atol=1e-6)
    assert np.asarray(walks.nearest(PATHS[name], K, jnp.float32([K - 0.4]))).tolist() == [
        0 if PATHS[name].closed else K - 1
    ]


def test_what_belongs_to_codes_is_led_straight():
    maps = jnp.arange(3, dtype=jnp.float32)[:, None, None] * jnp.ones((1, 2, 2))
    found = walks.straight(PATHS['loop'], maps, jnp.asarray([0.5, 2.0, 2.5]))
    np.testing.assert_allclose(found[:, 0, 0], [0.5, 2.0, 1.0])
