"""Penalties against closed forms, finite differences, and per-sample independence."""

import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import pair, points, recipe

from jaxgan import Regularizer, build, init_state, make_train_step, regularizers
from jaxgan.augment import shift_and_flip
from jaxgan.build import PENALTIES
from jaxgan.config import Penalty
from jaxgan.critic import BoundCritic, BoundGenerator
from jaxgan.errors import InputError
from jaxgan.regularizers.noise import gaussian
from jaxgan.types import StyleLatents, Verdict

B, SHAPE, DIM, LATENT = 5, (8, 2, 1), 16, 3
MEMORY = {'lecam': {'real': 0.4, 'fake': -0.3, 'weight': 0.5}}


@pytest.fixture
def inputs(key):
    a, b, c = jax.random.split(key, 3)
    return jax.random.normal(a, (B, *SHAPE)), jax.random.normal(b, (B, *SHAPE)), jax.random.split(c, B)


def flat(x):
    return x.reshape(x.shape[0], -1)


def bound(logits, generator=None, trained=None, extra=None):
    """A critic made of ``logits(samples) -> [B]``."""
    extra = jax.tree.map(jnp.float32, MEMORY) if extra is None else extra
    return BoundCritic(
        lambda x, *_, **__: (Verdict(logits(x), logits(x) ** 2), {}), generator, trained, extra
    )


def quadratic(matrix):
    """Critic x'Ax/2 with the gradient (A + A')x/2."""
    return bound(lambda x: 0.5 * jnp.einsum('bi,ij,bj->b', flat(x), matrix, flat(x)))


def linear(w):
    return bound(lambda x: flat(x) @ w)


def test_r1_and_r2_are_half_the_squared_gradient(inputs, key):
    real, fake, keys = inputs
    matrix = jax.random.normal(key, (DIM, DIM))
    symmetric = np.asarray(matrix + matrix.T, np.float64) / 2
    for penalty, x in ((regularizers.r1, real), (regularizers.r2, fake)):
        gradient = np.asarray(x, np.float64).reshape(B, DIM) @ symmetric
        np.testing.assert_allclose(
            penalty(quadratic(matrix), real, fake, keys), 0.5 * (gradient**2).sum(1), rtol=1e-5
        )


@pytest.mark.parametrize('penalty', [regularizers.wgan_gp, regularizers.dragan])
def test_the_norm_of_a_linear_critic_is_pulled_to_one(penalty, inputs):
    w = jnp.arange(1.0, DIM + 1)
    np.testing.assert_allclose(
        penalty(linear(w), *inputs), np.full(B, (np.linalg.norm(np.arange(1, DIM + 1)) - 1) ** 2), rtol=1e-6
    )


def test_wgan_gp_looks_between_real_and_fake(inputs):
    """With critic |x|^2/2 the gradient is x itself, so the penalty tells where it looked."""
    real, fake, keys = inputs
    real, fake = jnp.zeros_like(real), jnp.ones_like(fake)
    value = regularizers.wgan_gp(quadratic(jnp.eye(DIM)), real, fake, keys)
    u = jax.vmap(lambda k: jax.random.uniform(k, (1, 1)))(keys)[:, 0, 0]
    np.testing.assert_allclose(value, (np.asarray(u) * np.sqrt(DIM) - 1) ** 2, rtol=1e-5, atol=1e-6)


def test_dragan_looks_around_the_real_samples(inputs):
    real, fake, keys = inputs
    value = regularizers.dragan(quadratic(jnp.eye(DIM)), real, fake, keys, sigma=0.3)
    around = np.asarray(real) + 0.3 * np.asarray(gaussian(keys, real))
    np.testing.assert_allclose(value, (np.linalg.norm(around.reshape(B, -1), axis=1) - 1) ** 2, rtol=1e-5)


@pytest.mark.parametrize('penalty', [regularizers.wgan_gp, regularizers.dragan])
def test_the_gradient_is_finite_where_the_critic_is_flat(penalty, inputs):
    def total(scale):
        return jnp.sum(penalty(bound(lambda x: scale * flat(x)[:, 0]), *inputs))

    assert float(total(0.0)) == B and np.isfinite(float(jax.grad(total)(0.0)))


def test_approximations_of_a_linear_critic_are_its_slope_along_the_noise(inputs, key):
    real, fake, keys = inputs
    w = jax.random.normal(key, (DIM,))
    slope = np.asarray(flat(gaussian(keys, real)), np.float64) @ np.asarray(w, np.float64)
    for penalty in (regularizers.approximate_r1, regularizers.approximate_r2):
        for sigma in (0.01, 0.5):
            np.testing.assert_allclose(
                penalty(linear(w), real, fake, keys, sigma=sigma), slope**2, rtol=1e-2, atol=1e-3
            )


def test_approximations_are_twice_the_penalties_in_the_mean(key):
    """Over 4,096 draws; the standard error of the mean of a chi-square is 2%."""
    x = jnp.broadcast_to(jax.random.normal(key, (1, *SHAPE)), (4096, *SHAPE))
    other, keys = x + 1.0, jax.random.split(key, 4096)
    critic = bound(lambda x: jnp.sum(jnp.sin(flat(x)), axis=1))
    for near, exact in (('approximate_r1', 'r1'), ('approximate_r2', 'r2')):
        mean = float(jnp.mean(PENALTIES[near](critic, x, other, keys)))
        assert mean == pytest.approx(2 * float(PENALTIES[exact](critic, x, other, keys)[0]), rel=0.1)


def test_consistency_is_the_squared_move_of_the_logit(inputs, key):
    real, fake, keys = inputs
    w = jax.random.normal(key, (DIM,))

    def double(keys, x):
        return 3.0 * x

    moves = [2.0 * np.asarray(flat(x), np.float64) @ np.asarray(w, np.float64) for x in (real, fake)]
    cr = regularizers.cr(linear(w), real, fake, keys, augment=double)
    np.testing.assert_allclose(cr, moves[0] ** 2, rtol=1e-4)
    bcr = regularizers.bcr(linear(w), real, fake, keys, augment=double)
    np.testing.assert_allclose(bcr, moves[0] ** 2 + moves[1] ** 2, rtol=1e-4)


def test_what_the_augmentation_leaves_alone_costs_nothing(inputs):
    real, fake, keys = inputs
    sums = bound(lambda x: jnp.sum(x, axis=(1, 2, 3)))
    flipped = regularizers.bcr(sums, real, fake, keys, augment=lambda keys, x: jnp.flip(x, axis=2))
    np.testing.assert_allclose(flipped, np.zeros(B), atol=1e-9)


def test_views_are_the_image_or_its_mirror_shifted_by_up_to_an_eighth(key):
    images = jax.random.normal(key, (64, 16, 16, 1))
    seen = set()
    for image, view in zip(np.asarray(images), np.asarray(shift_and_flip(jax.random.split(key, 64), images))):
        padded = {f: np.pad(np.flip(image, 1) if f else image, ((2, 2), (2, 2), (0, 0))) for f in (0, 1)}
        seen |= {
            (f, y, x)
            for f in (0, 1)
            for y in range(5)
            for x in range(5)
            if np.array_equal(padded[f][y : y + 16, x : x + 16], view)
        }
    assert len(seen) > 20 and {s[0] for s in seen} == {0, 1}


def test_latent_steps_move_the_logit_and_the_samples(inputs, key):
    """A linear generator and critic: the squared step of the logit, and minus the mean square of the sample's."""
    _, _, keys = inputs
    a, w, z = (jax.random.normal(key, s) for s in ((LATENT, DIM), (DIM,), (B, LATENT)))

    def apply(z):
        return (z @ a).reshape(B, *SHAPE)

    critic = linear(w)._replace(generator=BoundGenerator(apply, z))
    step = gaussian(jax.vmap(lambda k: jax.random.fold_in(k, 0))(keys), z)
    moved = 0.2 * np.asarray(step, np.float64) @ np.asarray(a, np.float64)
    zcr = regularizers.zcr(critic, apply(z), apply(z), keys, sigma=0.2)
    np.testing.assert_allclose(zcr, (moved @ np.asarray(w, np.float64)) ** 2, rtol=1e-3)
    diversity = regularizers.latent_diversity(critic, apply(z), apply(z), keys, sigma=0.2)
    np.testing.assert_allclose(diversity, -(moved**2).mean(1), rtol=1e-4)


def test_a_step_of_style_latents_leaves_crossover_and_noise(inputs):
    real, fake, keys = inputs
    seen = []

    def apply(latents):
        seen.append(latents)
        return fake

    for other in (jnp.zeros((B, LATENT)), None):
        latents = StyleLatents(jnp.zeros((B, LATENT)), other, jnp.linspace(0.0, 1.0, B), keys)
        critic = linear(jnp.ones(DIM))._replace(generator=BoundGenerator(apply, latents))
        regularizers.zcr(critic, real, fake, keys, sigma=0.2)
        np.testing.assert_array_equal(seen[-1].crossover, latents.crossover)
        assert seen[-1].noise is keys and (seen[-1].other is None) == (other is None)
        moved = [seen[-1].z] if other is None else [seen[-1].z, seen[-1].other]
        assert all(float(jnp.std(leaf)) == pytest.approx(0.2, rel=0.5) for leaf in moved)


def test_latents_may_be_a_tree_with_choices(inputs):
    real, fake, keys = inputs
    seen = {}
    latents = {'z': jnp.zeros((B, LATENT)), 'where': jnp.arange(B)}

    def apply(latents):
        seen.update(latents)
        return fake

    critic = linear(jnp.ones(DIM))._replace(generator=BoundGenerator(apply, latents))
    assert float(jnp.max(jnp.abs(regularizers.zcr(critic, real, fake, keys)))) == 0.0
    assert (seen['where'] == latents['where']).all() and float(jnp.std(seen['z'])) > 0
    with pytest.raises(InputError, match='this critic knows no generator'):
        regularizers.zcr(linear(jnp.ones(DIM)), real, fake, keys)


@pytest.mark.slow
def test_lecam_remembers_what_the_discriminator_said(key):
    """With players that stand still on fixed latents: before the first step the anchors are 0, then the means."""
    g, d = pair()
    z = jax.random.normal(key, (8, 4))
    still = {'g_tx': optax.sgd(0.0), 'd_tx': optax.sgd(0.0), 'latents': lambda key, n: z}
    made = recipe(d_regularizers=(regularizers.lecam._replace(weight=0.3),), **still)
    batch = points(key, 8)
    state = init_state(key, g, d, made, batch)
    step = jax.jit(make_train_step(g, d, made))
    real = np.asarray(d.infer(state.d.params, {}, batch['image']), np.float64)
    fake = np.asarray(d.infer(state.d.params, {}, g.infer(state.g.params, {}, z)), np.float64)
    for anchors in ((0.0, 0.0), (fake.mean(), real.mean()), (fake.mean(), real.mean())):
        state, metrics = step(state, batch)
        expected = ((real - anchors[0]) ** 2).mean() + ((fake - anchors[1]) ** 2).mean()
        assert float(metrics['d/lecam']) == pytest.approx(0.3 * expected, rel=1e-4)
    kept = state.extra['lecam']
    assert float(kept['weight']) == pytest.approx(1 - 0.99**3) and float(kept['real']) == pytest.approx(
        (1 - 0.99**3) * real.mean(), rel=1e-4
    )


def test_lecams_average_is_the_moving_average(inputs):
    memory = regularizers.make_lecam(0.9).memory
    old, values = memory.initial, [1.0, -2.0, 5.0]
    for value in values:
        old = memory.update(old, {'real': jnp.float32(value), 'fake': jnp.float32(2 * value)}, 8)
    weights = np.array([0.81, 0.9, 1.0]) * 0.1
    assert float(old['real']) == pytest.approx((weights * values).sum(), rel=1e-5)
    real, fake, keys = inputs
    critic = bound(lambda x: flat(x)[:, 0], extra={'lecam': old})
    mean = (weights * values).sum() / weights.sum()
    expected = (np.asarray(flat(real))[:, 0] - 2 * mean) ** 2 + (np.asarray(flat(fake))[:, 0] - mean) ** 2
    np.testing.assert_allclose(
        regularizers.make_lecam(0.9).penalty(critic, real, fake, keys), expected, rtol=1e-4
    )


def test_orthogonal_counts_the_products_of_different_filters(inputs, key):
    kernels = {'a': {'kernel': jax.random.normal(key, (3, 3, 2, 5))}, 'b': [{'kernel': jnp.ones((4, 2))}]}
    params = kernels | {'bias': jnp.ones(3), 'table': {'embedding': jnp.ones((3, 3))}}
    matrix = np.asarray(kernels['a']['kernel'], np.float64).reshape(18, 5)
    gram = matrix.T @ matrix
    expected = ((gram * (1 - np.eye(5))) ** 2).sum() + 2 * 4.0**2
    value = regularizers.orthogonal(bound(None, trained=params), *inputs)
    assert value.shape == () and float(value) == pytest.approx(expected, rel=1e-5)
    rotation = np.linalg.qr(matrix)[0] * np.arange(1, 6)  # orthogonal filters of any length
    free = regularizers.orthogonal(bound(None, trained={'kernel': jnp.float32(rotation)}), *inputs)
    assert float(free) == pytest.approx(0.0, abs=1e-8)
    with pytest.raises(InputError, match='no parameter named kernel of rank 2'):
        regularizers.orthogonal(bound(None, trained={'kernel': jnp.ones(3)}), *inputs)


def test_every_penalty_of_the_package_is_registered():
    for module in pkgutil.iter_modules(regularizers.__path__, 'jaxgan.regularizers.'):
        for name, value in vars(importlib.import_module(module.name)).items():
            first = next(iter(inspect.signature(value).parameters), '') if inspect.isfunction(value) else ''
            if name[0] != '_' and (first == 'critic' or isinstance(value, Regularizer)):
                assert name in PENALTIES and name in regularizers.__all__


def test_a_configuration_fills_in_what_a_penalty_takes(inputs):
    made = build._regularizer(Penalty('dragan', (10.0, 10.0), sigma=0.25), 0)
    assert made.penalty.__name__ == 'dragan' and made.penalty.keywords == {'sigma': 0.25}
    assert build._regularizer(Penalty('r1'), 0).penalty is regularizers.r1
    assert build._regularizer(Penalty('bcr'), 0).penalty.keywords == {'augment': shift_and_flip}
    assert build._regularizer(Penalty('lecam', (0.3, 0.3)), 0).memory is regularizers.lecam.memory
    with pytest.raises(
        InputError, match=r'penalty r1: it takes no sigma \(given 0.1\); these do: approximate_r1'
    ):
        build._regularizer(Penalty('r1', sigma=0.1), 0)


def test_the_auxiliary_penalties_are_the_critics_own_loss(inputs):
    real, fake, keys = inputs
    critic = bound(lambda x: jnp.sin(flat(x)).sum(-1))
    for penalty, x in ((regularizers.auxiliary_real, real), (regularizers.auxiliary_fake, fake)):
        np.testing.assert_allclose(
            penalty(critic, real, fake, keys), np.sin(flat(np.asarray(x))).sum(-1) ** 2, rtol=1e-4
        )
