"""Private training: the accountant is an upper bound and near references, gradients are clipped one by one, and nothing else sees real images."""

import dataclasses
import math

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import pair, recipe

from jaxgan import losses, regularizers
from jaxgan.config import Config, Penalty, check
from jaxgan.data.private import poisson_sample
from jaxgan.errors import InputError
from jaxgan.extensions import discriminator_steps
from jaxgan.privacy import accountant
from jaxgan.privacy.config import Privacy
from jaxgan.privacy.gradients import WITHIN, clipped_sum, noised_mean, norms
from jaxgan.privacy.keys import run_key, update_keys
from jaxgan.privacy.phase import PRIVATE, private_discriminator
from jaxgan.privacy.plan import describe, make_plan, why_not_continued
from jaxgan.privacy.recipe import asks_real
from jaxgan.state import init_state
from jaxgan.steps import generator_phase
from jaxgan.types import Regularizer

# dp-accounting 0.6.0: a = PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=w);
# a.compose(PoissonSampledDpEvent(q, GaussianDpEvent(sigma)), steps); a.get_epsilon(delta)
# w = 1e-4, its default, but 2e-5 for the sixth and 1e-5 for the last, where that is too coarse
REFERENCE = [  # q, sigma, steps, delta, epsilon
    (1.0, 2.0, 1, 1e-5, 1.993091407908809),
    (1.0, 5.0, 10, 1e-6, 2.921600590671766),
    (0.01, 1.0, 1000, 1e-5, 1.8282436455855091),
    (0.004, 0.6, 3000, 1e-5, 5.115658315995554),
    (0.016, 0.5, 2000, 1e-5, 28.151404792513013),
    (0.001, 1.0, 100000, 1e-6, 1.861085359146719),
    (0.05, 4.0, 5000, 1e-5, 3.88832736492499),
    (0.25, 3.0, 200, 1e-8, 7.447210412805669),
    (0.004, 0.4, 3000, 1e-5, 22.290739428268584),
    (0.004, 0.25, 1000, 1e-5, 66.8041663320209),
    (0.016, 20.0, 3000, 1e-5, 0.13886888615542028),
]


@pytest.mark.parametrize(('q', 'sigma', 'steps', 'delta', 'reference'), REFERENCE)
def test_epsilon_is_above_the_reference_and_within_a_tenth_of_a_percent(q, sigma, steps, delta, reference):
    found = accountant.epsilon(q, sigma, steps, delta)
    assert reference * (1 - 1e-6) <= found <= reference * 1.001


def phi(x):
    return math.erfc(-x / math.sqrt(2)) / 2


@pytest.mark.parametrize(('sigma', 'steps', 'epsilon'), [(2.0, 1, 1.0), (5.0, 10, 2.9), (1.0, 1, 3.0)])
def test_without_sampling_it_is_the_gaussian_mechanism(sigma, steps, epsilon):
    """Balle and Wang 2018, arXiv 1805.06530, theorem 8; n steps are one with sigma / sqrt(n)."""
    mu = math.sqrt(steps) / sigma
    exact = phi(mu / 2 - epsilon / mu) - math.exp(epsilon) * phi(-mu / 2 - epsilon / mu)
    found = accountant.delta(1.0, sigma, steps, epsilon)
    assert exact * (1 - 1e-9) <= found <= exact * 1.01


@pytest.mark.parametrize(('q', 'sigma', 'epsilon'), [(0.5, 0.5, 2.0), (0.1, 1.0, 0.3), (0.9, 2.0, 0.1)])
def test_one_step_is_the_closed_form(q, sigma, epsilon):
    """The larger of sup_S P(S) - e^eps Q(S) and its mirror image; S is a half line, for the loss is monotone."""

    def gap(p, z):  # masses of x > t under the mixture and the base
        t = z * sigma**2 + 0.5
        base, shifted = phi(-t / sigma), phi(-(t - 1) / sigma)
        return (1 - q) * base + q * shifted, base

    removed, base = gap(q, math.log((math.exp(epsilon) - 1 + q) / q))
    exact = removed - math.exp(epsilon) * base
    if math.exp(-epsilon) > 1 - q:
        mixture, base = gap(q, math.log((math.exp(-epsilon) - 1 + q) / q))
        exact = max(exact, (1 - base) - math.exp(epsilon) * (1 - mixture))
    assert exact * (1 - 1e-9) <= accountant.delta(q, sigma, 1, epsilon) <= exact * 1.01 + 1e-12


def test_more_steps_and_less_noise_spend_more():
    values = [accountant.epsilon(0.05, 2.0, steps, 1e-5) for steps in (0, 1, 10, 100)]
    assert values[0] == 0 and values == sorted(values)
    assert accountant.epsilon(0.05, 0.01, 1, 1e-5) == math.inf


def test_the_noise_that_is_found_is_the_least_on_its_grid():
    sigma = accountant.noise_for(1.0, 0.05, 100, 1e-5)
    assert accountant.epsilon(0.05, sigma, 100, 1e-5) <= 1.0
    assert accountant.epsilon(0.05, sigma * math.exp(-1.1 / 500), 100, 1e-5) > 1.0


def plan_of(**changes):
    values = {'dp': Privacy(noise=1.0, key='k'), 'images': 1000, 'batch_size': 50, 'updates': 100}
    return make_plan(**(values | changes))


def test_a_plan_leaves_room_for_nearly_every_sample_and_counts_the_rest():
    plan = plan_of()
    assert plan.chance == pytest.approx(0.05) and plan.chance <= 0.05
    assert plan.capacity % 8 == 0 and 50 < plan.capacity < 200
    assert 0 < plan.overflow(100) <= 100 * 1e-20 and plan.overflow(200) == pytest.approx(
        2 * plan.overflow(100)
    )
    exact = accountant.epsilon(plan.chance, 1.0, 100, plan.delta - plan.overflow(100))
    assert exact <= plan.spent(100) <= exact * 1.001
    assert plan.delta == pytest.approx(1e-4)
    everything = plan_of(batch_size=1000)
    assert everything.chance == 1 and everything.capacity == 1000 and everything.overflow(100) == 0


def test_a_plan_that_cannot_be_is_refused_in_a_line():
    with pytest.raises(InputError, match=r'dp.delta 0.001 must be below 1 / 1,000'):
        plan_of(dp=Privacy(noise=1.0, delta=1e-3, key='k'))
    with pytest.raises(InputError, match='batch_size 2000 is more than the 1,000 images'):
        plan_of(batch_size=2000)
    with pytest.raises(InputError, match=r'dp.noise 1.0 spends epsilon .* and dp.epsilon allows 0.1'):
        plan_of(dp=Privacy(noise=1.0, epsilon=0.1, key='k'))


def test_a_training_goes_on_with_its_noise_alone():
    plan = plan_of(dp=Privacy(epsilon=5.0, key='k'))
    there = describe(plan, 40)
    assert there['epsilon'] < 5.0 and why_not_continued(plan, there, 40) == ''
    longer = plan_of(dp=Privacy(epsilon=5.0, key='k'), updates=200)
    assert 'chosen for 100 updates of D, and 200 are asked for' in why_not_continued(longer, there, 40)
    assert why_not_continued(plan, None, 40) == 'it was not trained privately'
    fixed = plan_of(updates=300)  # with noise given, a longer training spends more, and says so
    assert why_not_continued(fixed, describe(plan_of(), 40), 40) == ''


PRIVATE_CONFIG = Config(loss='hinge', dp=Privacy(epsilon=1.0, key='secret'))
REFUSED = [
    ({'dp': Privacy(clip=2.0)}, '^dp.clip 2.0 has no effect without dp.epsilon or dp.noise'),
    ({'dp': Privacy(epsilon=1.0)}, 'dp needs dp.key'),
    ({'dp': Privacy(epsilon=-1.0, key='k')}, 'dp.epsilon -1.0 must be from 0.001 to 1000'),
    ({'dp': Privacy(noise=math.inf, key='k')}, 'dp.noise inf must be from'),
    ({'dp': Privacy(noise=1.0, clip=0.0, key='k')}, 'dp.clip 0.0 must be from'),
    ({'dp': Privacy(noise=1.0, delta=1e-300, key='k')}, 'dp.delta 1e-300 must be from'),
    ({'dp': Privacy(noise=1.0, at_once=0, key='k')}, 'dp.at_once 0 must be from 1 to 4096'),
    ({'training': 'one_stage'}, 'dp needs training two_stage'),
    ({'training': 'shared_fakes'}, 'dp needs training two_stage'),
    ({'conditional': True}, 'dp needs conditional False'),
    ({'microbatches': 2}, 'dp needs microbatches 1'),
    ({'ada': ('b',)}, "dp cannot be together with ada's ada_target 0.6:"),
    ({'apa_target': 0.6}, 'dp cannot be together with apa_target 0.6:'),
    ({'penalties': (Penalty('lecam'),)}, 'dp cannot be together with penalties lecam:'),
    ({'g_penalties': (Penalty('wgan_gp'),)}, 'dp cannot be together with g_penalties wgan_gp:'),
    ({'fingerprint': 'file'}, 'dp needs fingerprint None'),
    ({'evaluation': dataclasses.replace(Config().evaluation, every=100)}, 'dp needs evaluation.every 0'),
    ({'sharding': 'fsdp'}, 'dp needs sharding data'),
    ({'data': dataclasses.replace(Config().data, residence='stream')}, 'dp needs data.residence auto'),
    (
        {'data': dataclasses.replace(Config().data, name='stacked:mnist')},
        'dp cannot be together with data.name stacked:mnist:',
    ),
]


@pytest.mark.parametrize(('changes', 'message'), REFUSED)
def test_recipes_that_show_real_images_otherwise_are_refused(changes, message):
    check(PRIVATE_CONFIG)
    with pytest.raises(InputError, match=message) as caught:
        check(dataclasses.replace(PRIVATE_CONFIG, **changes))
    assert '\n' not in str(caught.value)


@pytest.mark.slow
def test_losses_whose_generator_sees_real_logits_are_found():
    private = {
        name for name, loss in vars(losses).items() if isinstance(loss, losses.Loss) and not asks_real(loss)
    }
    assert private == {'minimax', 'non_saturating', 'least_squares', 'hinge', 'wasserstein'}


def test_keys_are_of_the_secret_the_run_and_the_update():
    one = run_key(b's' * 16, 'run')
    assert one != run_key(b't' * 16, 'run') and one != run_key(b's' * 16, 'other')
    keys = [update_keys(one, n) for n in range(3)]
    assert all(key.shape == (3, 2) and key.dtype == np.uint32 for key in keys)
    assert len({tuple(row) for key in keys for row in key.tolist()}) == 9
    np.testing.assert_array_equal(update_keys(one, 1), keys[1])


@pytest.mark.slow
def test_a_poisson_sample_has_each_image_with_its_chance_and_none_that_is_barred():
    plan, barred = plan_of(), np.zeros(1000, bool)
    barred[:100] = True
    draw = jax.jit(jax.vmap(lambda key: poisson_sample(key, plan, barred)))
    keys = np.stack([update_keys(b'k' * 32, n)[0] for n in range(400)])
    index, count = map(np.asarray, draw(keys))
    seen = np.concatenate([row[:n] for row, n in zip(index, count, strict=True)])
    assert seen.min() >= 100 and all(
        np.all(np.diff(row[:n].astype(int)) > 0) for row, n in zip(index, count, strict=True)
    )
    assert abs(count.mean() - 45) < 4 * math.sqrt(45 * 0.95 / 400)  # binomial, not always 45
    assert abs(count.var() - 45 * 0.95) < 15
    full, places = poisson_sample(keys[0], plan._replace(capacity=8), barred)  # cut off: the first ones
    assert int(places) == 8
    np.testing.assert_array_equal(full, index[0][:8])


@pytest.mark.slow
def test_sums_are_of_clipped_gradients_of_those_that_are_there():
    samples = jnp.array([[3.0, 4.0], [0.3, 0.4], [jnp.nan, 1.0], [6.0, 8.0], [5.0, 5.0], [jnp.inf, 0.0]])
    present = jnp.array([True, True, True, True, False, True])

    def gradient(x):
        return {'a': x[:, :1], 'b': x[:, 1]}

    wanted = np.array([0.6, 0.8]) * WITHIN + np.array([0.3, 0.4]) + np.array([0.6, 0.8]) * WITHIN
    for at_once in (1, 2, 6):
        found = clipped_sum(gradient, samples, present, 1.0, at_once)
        np.testing.assert_allclose([found['a'][0], found['b']], wanted, rtol=1e-6)
    nothing = clipped_sum(gradient, samples, jnp.zeros(6, bool), 1.0, 2)
    assert float(nothing['a'][0]) == 0 == float(nothing['b'])


@pytest.mark.slow
def test_no_norm_is_too_small_however_many_small_numbers_stand_behind_a_large_one():
    """In one running sum of float32 each of these squares would vanish, and the norm be 1 instead of 1.02."""
    leaf = np.full((1, 1024, 1024), 2.0**-12.4, np.float32)
    leaf[0, 0, 0] = 1
    leaf = np.concatenate([leaf, np.zeros_like(leaf)])
    found = np.asarray(jax.jit(norms)({'a': jnp.array(leaf), 'b': jnp.zeros((2, 3))}))
    exact = np.linalg.norm(leaf[0].astype(np.float64))
    assert exact > 1.01 and found[0] / exact > WITHIN and found[1] < 1e-15
    program = str(jax.jit(norms).lower({'a': jnp.array(leaf)}).compile().as_text())
    assert not [line for line in program.splitlines() if ' reduce(' in line and 'dimensions={1,2}' in line]


def test_clipped_gradients_are_added_without_the_short_numbers_of_accelerators():
    def total(x):
        return clipped_sum(lambda some: {'a': some}, x, jnp.ones(4, bool), 1.0, 2)

    told = str(jax.make_jaxpr(total)(jnp.ones((4, 3))))
    assert told.count('dot_general') == told.count('HIGHEST, Precision.HIGHEST') == 1


@pytest.mark.slow
def test_noise_has_its_deviation_and_is_divided_by_what_is_expected(key):
    noise = noised_mean({'a': jnp.full(4000, 8.0)}, key, 2.0, 4)['a']
    assert abs(float(noise.mean()) - 2.0) < 0.03 and abs(float(noise.std()) - 0.5) < 0.02


def test_noise_goes_farther_than_one_number_of_23_bits(key, monkeypatch):
    largest = math.sqrt(2) * 3.655  # of jax.random.normal in float32: erfinv(1 - 2^-22)
    monkeypatch.setattr(jax.random, 'normal', lambda key, shape, dtype: jnp.full(shape, largest, dtype))
    noise = noised_mean({'a': jnp.zeros(3)}, key, 2.0, 4)['a']
    np.testing.assert_allclose(noise, 2 * largest * 2.0 / 4, rtol=1e-6)


def unused(state, batch, key):
    """A phase that is replaced."""
    raise AssertionError


def private_batch(real, index, capacity, expected):
    """A batch as the private feed makes it, its places filled up with other images."""
    rows = np.zeros((capacity, 2), np.float32) + 9
    rows[: len(index)] = real[list(index)]
    numbers = np.zeros(capacity, np.uint32)
    numbers[: len(index)] = index
    inside = {
        'image': jnp.array(rows),
        'present': jnp.arange(capacity) < len(index),
        'index': jnp.array(numbers),
        'keys': jnp.array(update_keys(b'k' * 32, 0)[None, 1:]),
    }
    return {'image': jnp.zeros((expected, 2)), PRIVATE: inside}


@pytest.mark.slow
def test_an_image_moves_the_update_by_its_own_clipped_gradient_alone(key):
    """Also with augmentation keys, latents and interpolates: those of others do not depend on it. The rest of the step sees no image."""
    networks = pair()
    made = recipe(
        loss=losses.non_saturating,
        d_regularizers=(Regularizer(regularizers.wgan_gp, 1.0),),
        per_sample=True,
        d_tx=optax.sgd(1.0),
    )
    real = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    state = init_state(key, *networks, made, {'image': jnp.zeros((4, 2))})
    extension = private_discriminator(0.5, 0.0, 4.0, 2)
    phase = jax.jit(extension.phases({'d': unused}, *networks, made)['d'])

    def moved(index, capacity=8):
        new, metrics = phase(state, private_batch(real, index, capacity, 4), key)
        assert set(metrics) == {'grad_norm'}
        flat = [jax.flatten_util.ravel_pytree(tree)[0] for tree in (state.d.params, new.d.params)]
        return np.asarray(flat[0] - flat[1]) * 4  # the sum of clipped gradients

    every = moved((0, 1, 2, 3, 4))
    alone = [moved((i,)) for i in range(5)]
    assert all(0 < np.linalg.norm(one) <= 0.5 for one in alone)
    np.testing.assert_allclose(every, sum(alone), atol=1e-5)
    np.testing.assert_allclose(every - moved((0, 1, 3, 4)), alone[2], atol=1e-5)
    np.testing.assert_allclose(moved((0, 1, 2, 3, 4), capacity=6), every, atol=1e-6)
    assert not np.any(moved(()))

    generate = jax.jit(generator_phase(*networks, made))
    others = [generate(state, private_batch(real, index, 8, 4), key)[0] for index in ((0, 1), (3,))]
    jax.tree.map(np.testing.assert_array_equal, others[0].g.params, others[1].g.params)


@pytest.mark.slow
def test_several_updates_have_samples_of_their_own(key):
    networks, real = pair(), np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    made = recipe(loss=losses.hinge, per_sample=True)
    state = init_state(key, *networks, made, {'image': jnp.zeros((4, 2))})
    phases = private_discriminator(0.5, 1.0, 4.0, 2).phases({'d': unused, 'ema': unused}, *networks, made)
    one = jax.jit(phases['d'])
    both = jax.jit(
        discriminator_steps(2).phases({**phases, 'g': generator_phase(*networks, made)}, *networks, made)['d']
    )
    batches = [private_batch(real, index, 4, 4) for index in ((0, 1), (2, 3, 4))]
    batches[1][PRIVATE]['keys'] = jnp.array(update_keys(b'k' * 32, 1)[None, 1:])
    joined = jax.tree.map(lambda *rows: jnp.stack(rows, 1).reshape(-1, *rows[0].shape[1:]), *batches)
    wanted = state
    for batch in batches:
        wanted, _ = one(wanted, batch, key)
    found, _ = both(state, joined, key)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found.d.params, wanted.d.params
    )
