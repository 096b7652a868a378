"""The step: purity, scanning, accumulation, labels, schedules, phases and keys."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import mlp, pair, points, recipe

from jaxgan import (
    Network,
    Recipe,
    Regularizer,
    as_step,
    discriminator_phase,
    ema_phase,
    generator_phase,
    init_state,
    make_train_step,
    regularizers,
    repeat,
    scan_steps,
    sequence,
)
from jaxgan.ema import half_life
from jaxgan.schedules import cosine, scheduled
from jaxgan.steps import mean_gradient

N = 8


def same(a, b):
    """Bit-equal trees."""
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(raw(x), raw(y)), a, b)


def near(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(raw(x), raw(y), **tolerance), a, b)


def raw(x):
    return np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)


def setup(key, classes=0, **changes):
    g, d = pair(classes=classes)
    made = recipe(**changes)
    batch = points(key, N, classes=classes)
    return make_train_step(g, d, made), init_state(key, g, d, made, batch), batch


def test_same_state_and_batch_give_the_same_bits(key):
    step, state, batch = setup(key, g_tx=optax.adam(1e-3), d_tx=optax.adam(1e-3))
    jitted = jax.jit(step)
    same(jitted(state, batch), jitted(state, batch))
    assert int(state.step) == 0  # the input is untouched


def test_a_step_counts_and_changes_what_it_should(key):
    step, state, batch = setup(key, ema=half_life(100.0))
    after, metrics = jax.jit(step)(state, batch)
    assert (int(after.step), int(after.images_seen)) == (1, N)
    same(after.key, state.key)
    for old, new in ((state.g.params, after.g.params), (state.d.params, after.d.params)):
        assert any((raw(a) != raw(b)).any() for a, b in zip(jax.tree.leaves(old), jax.tree.leaves(new)))
    decay = 0.5 ** (N / 100)
    expected = jax.tree.map(lambda o, n: decay * o + (1 - decay) * n, state.g_ema.params, after.g.params)
    near(after.g_ema.params, expected, rtol=1e-5, atol=1e-7)
    assert set(metrics) == {
        'd/loss',
        'd/real',
        'd/fake',
        'd/real_sign',
        'd/fake_sign',
        'd/r1',
        'd/r2',
        'd/grad_norm',
        'g/loss',
        'g/grad_norm',
    }


@pytest.mark.slow
def test_k_scanned_steps_equal_k_calls(key):
    step, state, _ = setup(key, g_tx=optax.adam(1e-3), d_tx=optax.adam(1e-3), ema=half_life(50.0))
    batches = jax.vmap(lambda k: points(k, N)['image'])(jax.random.split(key, 5))
    single, found = jax.jit(step), []
    expected = state
    for i in range(5):
        expected, metrics = single(expected, {'image': batches[i]})
        found.append(metrics)
    scanned, means = jax.jit(scan_steps(step, lambda data, s, i: {'image': data[i]}, 5))(state, batches)
    near(scanned, expected, rtol=1e-6, atol=1e-7)
    for name, mean in means.items():
        assert float(mean) == pytest.approx(np.mean([float(m[name]) for m in found]), rel=1e-4, abs=1e-6)


@pytest.mark.slow
def test_one_program_runs_fewer_steps_to_the_same_bits(key):
    """Three dispatches of 4, 4 and 1 steps by one program, and one of 9: equal states, and means over the steps."""
    step, state, _ = setup(key, g_tx=optax.adam(1e-3), d_tx=optax.adam(1e-3), ema=half_life(50.0))
    batches = jax.vmap(lambda k: points(k, N)['image'])(jax.random.split(key, 9))

    def batch_of(data, s, i):
        return {'image': data[s.step]}

    whole, means = jax.jit(scan_steps(step, batch_of, 9))(state, batches)
    dispatch = jax.jit(scan_steps(step, batch_of, 4))
    total = dict.fromkeys(means, 0.0)
    for count in (4, 4, 1):
        state, found = dispatch(state, batches, jnp.int32(count))
        total = {name: total[name] + float(found[name]) * count for name in means}
    jax.tree.map(np.testing.assert_array_equal, state.g, whole.g)
    jax.tree.map(np.testing.assert_array_equal, (state.d, state.g_ema), (whole.d, whole.g_ema))
    assert int(state.step) == 9
    for name, mean in means.items():
        assert total[name] / 9 == pytest.approx(float(mean), rel=1e-4, abs=1e-6)
    assert dispatch._cache_size() == 1


@pytest.mark.parametrize('parts', [2, pytest.param(8, marks=pytest.mark.slow)])
def test_accumulation_equals_the_full_batch(key, parts):
    """Latents, augmentation and penalties are drawn a sample at a time, so splitting the batch moves nothing."""

    def jitter(keys, x, state):
        return x + jax.vmap(lambda k: jax.random.normal(k, x.shape[1:]))(keys)

    penalties = tuple(Regularizer(p, 0.3) for p in (regularizers.r1, regularizers.r2, regularizers.wgan_gp))
    changes = {'augment': jitter, 'd_regularizers': penalties}
    step, state, batch = setup(key, classes=3, **changes)
    split, _, _ = setup(key, classes=3, microbatches=parts, **changes)
    whole, metrics = jax.jit(step)(state, batch)
    parted, part_metrics = jax.jit(split)(state, batch)
    near(parted, whole, rtol=2e-5, atol=2e-6)
    near(part_metrics, metrics, rtol=1e-5, atol=1e-6)


def test_accumulation_refuses_a_batch_that_does_not_divide(key):
    step, state, batch = setup(key, microbatches=3)
    with pytest.raises(ValueError, match='a batch of 8 does not divide into 3 microbatches'):
        step(state, batch)


@pytest.mark.slow
def test_the_gradient_of_the_first_discriminator_step_is_the_formula(key):
    """loss + gamma/2 |grad|^2 on real and fake, by plain autodiff written out here."""
    g, d = pair()
    gamma, rate = 0.7, 0.05
    made = recipe(d_regularizers=(Regularizer(regularizers.r1, gamma), Regularizer(regularizers.r2, gamma)))
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    phase_key = jax.random.key(7)
    after, metrics = discriminator_phase(g, d, made)(state, batch, phase_key)
    z = made.latents(jax.random.split(phase_key, 3)[0], N)
    fake = g.infer(state.g.params, {}, z, None)

    def objective(params):
        def critic(x):
            return d.infer(params, {}, x, None)

        def squared(x):
            return jnp.sum(jax.vmap(jax.grad(lambda one: critic(one[None])[0]))(x) ** 2, -1)

        adversarial = jnp.logaddexp(0.0, critic(fake) - critic(batch['image']))
        return jnp.mean(adversarial + gamma / 2 * (squared(batch['image']) + squared(fake)))

    expected = jax.tree.map(lambda p, gr: p - rate * gr, state.d.params, jax.grad(objective)(state.d.params))
    near(after.d.params, expected, rtol=1e-5, atol=1e-6)
    same(after.g, state.g)
    assert set(metrics) == {'loss', 'real', 'fake', 'real_sign', 'fake_sign', 'r1', 'r2', 'grad_norm'}


def test_labels_reach_both_networks(key):
    step, state, batch = setup(key, classes=3)
    moved, _ = jax.jit(step)(state, batch)
    other, _ = jax.jit(step)(state, batch | {'label': (batch['label'] + 1) % 3})
    for player in ('g', 'd'):
        a, b = getattr(moved, player).params, getattr(other, player).params
        assert any((raw(x) != raw(y)).any() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))


def test_lazy_penalties_count_as_much_as_often(key):
    made = recipe(d_regularizers=(Regularizer(regularizers.r1, 0.5, every=4),))
    g, d = pair()
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    eager = recipe(d_regularizers=(Regularizer(regularizers.r1, 0.5),))
    lazy_phase, phase = (jax.jit(discriminator_phase(g, d, r)) for r in (made, eager))
    for step in range(5):
        at = state.replace(step=jnp.int32(step))
        value = float(lazy_phase(at, batch, key)[1]['r1'])
        expected = 4 * float(phase(at, batch, key)[1]['r1']) if step % 4 == 0 else 0.0
        assert value == pytest.approx(expected, rel=1e-5)


def test_schedules_follow_the_images_seen_without_recompiling(key):
    g, d = pair()
    falling = cosine(1.0, 0.0, 4 * N)
    made = recipe(
        d_regularizers=(Regularizer(regularizers.r1, falling),),
        g_tx=scheduled(optax.sgd, learning_rate=falling),
    )
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    step = jax.jit(make_train_step(g, d, made))
    values = []
    for _ in range(6):
        before = state
        state, metrics = step(state, batch)
        values.append(float(metrics['d/r1']))
    assert values[0] > 0 and values[4] == values[5] == 0.0
    same(before.g.params, state.g.params)  # learning rate 0 from 4 N images on
    assert step._cache_size() == 1


@pytest.mark.slow
def test_a_new_phase_moves_nobody_elses_randomness(key):
    g, d = pair()
    made = recipe()
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    d_phase, g_phase = discriminator_phase(g, d, made), generator_phase(g, d, made)

    def idle(state, batch, key):
        return state, {'draw': jax.random.normal(key)}

    plain, _ = as_step(sequence(d=d_phase, g=g_phase))(state, batch)
    more, metrics = as_step(sequence(idle=idle, d=d_phase, g=g_phase))(state, batch)
    same(plain, more)
    assert 'idle/draw' in metrics


def test_repeat_runs_a_phase_with_fresh_keys(key):
    g, d = pair()
    made = recipe()
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    phase = discriminator_phase(g, d, made)
    expected, losses = state, []
    for i in range(3):
        expected, metrics = phase(expected, batch, jax.random.fold_in(key, i))
        losses.append(float(metrics['loss']))
    found, metrics = repeat(phase, 3)(state, batch, key)
    near(found, expected, rtol=1e-5, atol=1e-6)
    assert float(metrics['loss']) == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_average_gathers_statistics_of_its_own(key):
    """aux of g_ema comes from a pass with the averaged parameters, not from the live generator."""

    def apply(params, aux, z, label):
        out = z[:, :2] * params['scale']
        return out, {'mean': 0.5 * aux['mean'] + 0.5 * jnp.mean(out)}

    counting = Network(
        init=lambda key, z, label: ({'scale': jnp.ones(())}, {'mean': jnp.zeros(())}),
        apply=apply,
        infer=lambda params, aux, z, label: apply(params, aux, z, label)[0],
    )
    made = recipe(ema=half_life(10.0))
    state = init_state(key, counting, pair()[1], made, points(key, N))
    state = state.replace(g=state.g.replace(params={'scale': jnp.float32(3.0)}))
    after, _ = ema_phase(counting, made)(state, points(key, N), key)
    scale = after.g_ema.params['scale']
    assert float(scale) == pytest.approx(3.0 + 0.5 ** (N / 10) * (1.0 - 3.0), rel=1e-6)
    expected = 0.5 * jnp.mean(made.latents(key, N)[:, :2] * scale)
    assert float(after.g_ema.aux['mean']) == pytest.approx(float(expected), rel=1e-5)


def test_extra_state_belongs_to_phases(key):
    g, d = pair()
    made = recipe()
    state = init_state(key, g, d, made, points(key, N), extra={'count': jnp.int32(0)})

    def counting(state, batch, key):
        return state.replace(extra={'count': state.extra['count'] + 2}), {}

    after, _ = jax.jit(as_step(counting))(state, points(key, N))
    assert int(after.extra['count']) == 2


@pytest.mark.slow
def test_the_whole_step_batches_over_seeds(key):
    """vmap over initial keys trains independent runs at once."""
    g, d = pair()
    made = recipe()
    batch = points(key, N)
    keys = jax.random.split(key, 3)
    states = jax.vmap(lambda k: init_state(k, g, d, made, batch))(keys)
    step = make_train_step(g, d, made)
    together, _ = jax.jit(jax.vmap(step, (0, None)))(states, batch)
    alone, _ = jax.jit(step)(init_state(keys[1], g, d, made, batch), batch)
    near(jax.tree.map(lambda leaf: leaf[1], together).g.params, alone.g.params, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_penalty_costs_no_second_forward_pass(key):
    """XLA merges the penalties' forward passes with the loss's: the same FLOPs as the objective written by hand."""
    g, d = mlp((32, 2)), mlp((256, 256, 1), squeeze=True)
    batch = points(key, 64)

    def flops(fn, *args):
        return jax.jit(fn).lower(*args).compile().cost_analysis()['flops']

    made = recipe(d_regularizers=(Regularizer(regularizers.r1, 1.0),))
    state = init_state(key, g, d, made, batch)
    fused = flops(discriminator_phase(g, d, made), state, batch, key)
    bare = flops(discriminator_phase(g, d, made._replace(d_regularizers=())), state, batch, key)
    layers = 256 * 256 + 256 + 2 * 256
    forward = 2 * 64 * layers
    assert (
        fused - bare < 4.5 * forward
    )  # backward to the input, and the backward pass of both: no extra forward


def test_mean_gradient_carries_aux_through_the_parts():
    def loss(params, aux, x):
        return jnp.mean(params * x), (aux + jnp.sum(x), {'mean': jnp.mean(x)})

    x = jnp.arange(6.0)
    gradient, (aux, metrics) = mean_gradient(loss, jnp.float32(2.0), jnp.float32(1.0), x, microbatches=3)
    assert (float(gradient), float(aux), float(metrics['mean'])) == (2.5, 16.0, 2.5)


def test_golden_first_step(key):
    """One step of a tiny pair against stored numbers.

    A failure means that the mathematics of a step, its initialization or its randomness changed: every run would
    take another course. If that was intended, store the new numbers and say so in the changelog.
    """
    step, state, batch = setup(key, classes=3, g_tx=optax.adam(1e-2), d_tx=optax.adam(1e-2))
    _, metrics = jax.jit(step)(state, batch)
    assert {name: float(value) for name, value in metrics.items()} == pytest.approx(GOLDEN, abs=2e-4)


GOLDEN = {
    'd/loss': 0.7046,
    'd/real': -0.5004,
    'd/fake': -0.5666,
    'd/real_sign': -0.75,
    'd/fake_sign': -0.75,
    'd/r1': 0.0765,
    'd/r2': 0.0957,
    'd/grad_norm': 1.3636,
    'g/loss': 0.8126,
    'g/grad_norm': 0.6113,
}


def test_recipe_defaults_are_neutral(key):
    made = Recipe(*recipe()[:4])
    x = points(key, 3)['image']
    assert made.augment(None, x, None) is x and float(made.ema(0, 1)) == 0.0 and made.d_regularizers == ()
