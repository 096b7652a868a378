"""Variations of codes and ways between them: exact ends, lengths kept, directions shared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import variation
from jaxgan.variation import along, around, directions, even, lerp, mix, on_shell, slerp, squared_speed

A, B = (directions(jax.random.key(seed), 3, 16) for seed in (0, 1))


def test_a_direction_depends_on_key_and_place_alone():
    assert (directions(jax.random.key(0), 5, 16)[:3] == A).all()
    assert (A[0] != A[1]).all()


@pytest.mark.parametrize('move', [around, on_shell])
def test_strength_0_is_the_code_itself(move):
    assert (move(A, B, 0.0) == A).all()
    assert (move(A, B, 0.1) != A).all()


def test_a_shell_is_kept():
    b = B - A * jnp.sum(A * B, axis=1, keepdims=True) / jnp.sum(A * A, axis=1, keepdims=True)
    b = b * jnp.linalg.norm(A, axis=1, keepdims=True) / jnp.linalg.norm(b, axis=1, keepdims=True)
    for strength in (0.3, 0.8, 1.0):
        moved = on_shell(A, b, strength)
        np.testing.assert_allclose(jnp.linalg.norm(moved, axis=1), jnp.linalg.norm(A, axis=1), rtol=1e-5)
    assert (on_shell(A, b, 1.0) == b).all()


def test_deviations_scale_each_value():
    deviation = jnp.arange(16.0)[None]
    np.testing.assert_allclose(around(A, B, 0.5, deviation), A + 0.5 * deviation * B, rtol=1e-6)


@pytest.mark.parametrize('between', [lerp, slerp])
def test_ends_are_exact(between):
    t = jnp.asarray([0.0, 1.0, 0.5])
    found = between(A, B, t)
    assert (found[0] == A[0]).all() and (found[1] == B[1]).all()
    assert (found[2] != A[2]).all() and (found[2] != B[2]).all()
    path = along(jnp.stack([A[0], B[0], A[1]]), jnp.asarray([0.0, 1.0, 1.5, 2.0]), between)
    assert (path[0] == A[0]).all() and (path[1] == B[0]).all() and (path[3] == A[1]).all()
    np.testing.assert_allclose(path[2], between(B[:1], A[1:2], 0.5)[0], rtol=1e-6)


def test_an_arc_turns_and_grows_evenly():
    a, b = jnp.asarray([[1.0, 0.0]]), jnp.asarray([[0.0, 3.0]])
    third = np.pi / 6
    expected = (2 / 3 * 1 + 1 / 3 * 3) * np.asarray([[np.cos(third), np.sin(third)]])
    np.testing.assert_allclose(slerp(a, b, 1 / 3), expected, rtol=1e-6)


def test_where_there_is_no_arc_the_way_is_straight():
    np.testing.assert_allclose(slerp(A, 2 * A, 0.5), 1.5 * A, rtol=1e-5)
    np.testing.assert_allclose(slerp(A, -A, 0.25), 0.5 * A, rtol=1e-5, atol=1e-6)
    assert jnp.isfinite(slerp(A * 0, A, 0.5)).all()


def test_mixing_changes_chosen_values_only():
    chosen = jnp.arange(16) < 4
    for between in (lerp, slerp):
        whole = mix(A, B, chosen, 1.0, between)
        assert (whole[:, :4] == B[:, :4]).all() and (whole[:, 4:] == A[:, 4:]).all()
        assert (mix(A, B, chosen, 0.0, between) == A).all()


def test_even_places_cut_the_length_into_equal_parts():
    t = jnp.linspace(0, 1, 5)
    np.testing.assert_allclose(even(t, jnp.asarray([1.0, 1, 1, 3]), 4), [0, 0.5, 0.75 + 1 / 12, 1], rtol=1e-6)


def test_a_line_has_the_squared_speed_of_its_ends():
    found = squared_speed(
        lambda t: along(jnp.stack([A[0], B[0]]), t[None], lerp)[0], jnp.asarray([0.25, 0.5])
    )
    np.testing.assert_allclose(found, np.full(2, np.mean((A[0] - B[0]) ** 2)), rtol=1e-5)


def test_it_is_for_jit_and_vmap():
    many = jax.jit(jax.vmap(variation.slerp, (None, None, 0)))(A, B, jnp.asarray([0.25, 0.5]))
    np.testing.assert_allclose(many[1], slerp(A, B, 0.5), rtol=1e-5, atol=1e-6)
