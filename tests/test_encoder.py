"""The encoder: a phase that learns the way back, alone or beside a GAN, and moves nothing but its own state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Recipe, from_functions, init_state, losses, make_train_step
from jaxgan.inversion.encoder import (
    NAME,
    alone,
    encode,
    encoder_extension,
    encoder_phase,
    init_encoder,
    make_encoder,
    scaled,
    unscaled,
)  # fmt: skip
from jaxgan.latents import normal
from jaxgan.phases import as_step, sequence
from jaxgan.spaces import Statistics, make_space

PAINT = jax.random.normal(jax.random.key(9), (3, 4 * 4 * 1)) / 2
GENERATOR = from_functions(
    lambda key, z, label: {'paint': PAINT},
    lambda params, z, label: (z @ params['paint']).reshape(-1, 4, 4, 1),
)
DISCRIMINATOR = from_functions(
    lambda key, x, label: {'w': jnp.ones((16,))}, lambda params, x, label: x.reshape(-1, 16) @ params['w']
)
SPREAD = Statistics(jnp.zeros(3), jnp.ones(3))
TX, NETWORK = optax.adam(1e-2), make_encoder((3,), width=4)
SPACE, BATCH = make_space(GENERATOR, 'z'), {'image': jnp.ones((16, 4, 4, 1))}


def player():
    return init_encoder(jax.random.key(1), NETWORK, TX, BATCH['image'])


def phase(**weights):
    return encoder_phase(SPACE, NETWORK, normal(3), SPREAD, TX, **weights)


@pytest.fixture(scope='module')
def trained():
    step = jax.jit(as_step(sequence(encoder=phase())))
    state = alone(jax.random.key(0), {'paint': PAINT}, {}, player())
    first = None
    for _ in range(150):
        state, metrics = step(state, BATCH)
        first = metrics if first is None else first
    return state, first, metrics


def test_it_learns_the_way_back(trained):
    state, first, last = trained
    z = normal(3)(jax.random.key(5), 8)
    images = GENERATOR.infer({'paint': PAINT}, {}, z, None)
    found = encode(NETWORK, state.extra[NAME], images, None, SPREAD)
    assert float(jnp.mean(jnp.square(found - z))) < 0.1  # a guess of the mean: 1
    assert last['encoder/code'] < first['encoder/code'] / 5
    assert last['encoder/image'] < first['encoder/image'] / 5
    assert last['encoder/real'] == 0


def test_the_generator_stays(trained):
    assert (trained[0].g_ema.params['paint'] == PAINT).all()


@pytest.mark.slow
def test_beside_a_gan_it_moves_nobody_else():
    recipe = Recipe(losses.hinge, optax.sgd(0.1), optax.sgd(0.1), normal(3))
    extended = recipe._replace(extensions=(encoder_extension(phase(), player()),))
    ends = []
    for chosen in (recipe, extended):
        state = init_state(jax.random.key(0), GENERATOR, DISCRIMINATOR, chosen, BATCH)
        state, _ = jax.jit(make_train_step(GENERATOR, DISCRIMINATOR, chosen))(state, BATCH)
        ends.append(state)
    for name in ('g', 'd', 'g_ema'):
        jax.tree.map(np.testing.assert_array_equal, getattr(ends[0], name), getattr(ends[1], name))
    before, after = player().params, ends[1].extra[NAME].params
    assert any((a != b).any() for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))


def test_real_images_count_where_asked_for():
    state = alone(jax.random.key(0), {'paint': PAINT}, {}, player())
    _, metrics = jax.jit(phase(real_weight=2.0))(state, BATCH, jax.random.key(3))
    assert metrics['real'] > 0
    total = metrics['code'] + metrics['image'] + 2 * metrics['real']
    np.testing.assert_allclose(metrics['loss'], total, rtol=1e-6)


def test_codes_are_measured_in_deviations():
    spread = Statistics(jnp.asarray([1.0, 2]), jnp.asarray([2.0, 4]))
    codes = jnp.asarray([[3.0, 2]])
    np.testing.assert_array_equal(scaled(codes, spread), [[1, 0]])
    np.testing.assert_array_equal(unscaled(scaled(codes, spread), spread), codes)
