"""One-stage training: its gradients are the simultaneous ones, and networks that mix samples are refused."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from battery import slow_but
from toys import mlp, pair, points, recipe

from jaxgan import (
    Loss,
    Regularizer,
    from_functions,
    from_linen,
    init_state,
    make_one_stage_step,
    make_train_step,
    mixes_samples,
    regularizers,
)
from jaxgan.augment import diffaugment
from jaxgan.build import LOSSES, build_networks
from jaxgan.errors import InputError
from jaxgan.modelconfig import DCGAN, R3GAN
from jaxgan.onestage import one_stage_phase
from jaxgan.phases import named_key
from jaxgan.steps import draw_inputs

N = 8
NAMES = sorted(LOSSES)
R1_R2 = (Regularizer(regularizers.r1, 0.5), Regularizer(regularizers.r2, 0.3))
ALL = (*R1_R2, Regularizer(regularizers.wgan_gp, 0.1))


def jitter(keys, x, state):
    return x * jax.vmap(lambda k: 1.0 + 0.5 * jax.random.normal(k, x.shape[1:]))(keys)


def scaled(network, factor):
    """The network with its logits multiplied, so that they lie on both sides of the hinge's margins, and far off."""

    def init(key, *x):
        return {'net': network.init(key, *x)[0], 'factor': jnp.float32(factor)}

    return from_functions(init, lambda p, *x: p['factor'] * (0.75 + network.infer(p['net'], {}, *x)))


@functools.cache
def networks(classes=3, factor=1.0):
    """Made once: whether a network mixes samples is found by a program of its own, once a network."""
    g, d = pair(classes=classes)
    return g, scaled(d, factor)


def any_loss(i):
    """All losses as one, chosen by a traced number (a name's place), so that one program tests them all."""
    made = [LOSSES[name] for name in NAMES]
    return Loss(
        lambda real, fake: jax.lax.switch(i, [loss.discriminator for loss in made], real, fake),
        lambda real, fake: jax.lax.switch(i, [loss.generator for loss in made], real, fake),
    )


def two_passes(g, d, made, state, batch, key):
    """Gradients of both players' losses at the same parameters, each by its own plain differentiation."""
    x = draw_inputs(batch, key, made)

    def view(samples):
        return made.augment(x['view_keys'], samples, state)

    def d_loss(params):
        fake = g.infer(state.g.params, {}, x['latents'], x['label'])

        def critic(samples):
            return d.infer(params, {}, view(samples), x['label'])

        value = jnp.mean(made.loss.discriminator(critic(x['real']), critic(fake)))
        for r in made.d_regularizers:
            value += r.weight * jnp.mean(r.penalty(critic, x['real'], fake, x['penalty_keys']))
        return value

    def g_loss(params):
        def logits(samples):
            return d.infer(state.d.params, {}, view(samples), x['label'])

        fake = g.infer(params, {}, x['latents'], x['label'])
        return jnp.mean(made.loss.generator(logits(x['real']), logits(fake)))

    return jax.grad(g_loss)(state.g.params), jax.grad(d_loss)(state.d.params)


def close(found, expected, tolerance=1e-5):
    """Equal to a relative distance, over the whole tree and leaf by leaf."""
    error = optax.tree.norm(jax.tree.map(jnp.subtract, found, expected))
    assert float(error) <= tolerance * float(optax.tree.norm(expected))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=10 * tolerance * float(jnp.max(jnp.abs(b))) + 1e-12)


def setup(key, classes=3, factor=1.0, **changes):
    g, d = networks(classes, factor)
    unit = {'g_tx': optax.trace(0.0), 'd_tx': optax.trace(0.0)}  # their memory is the last gradient
    made = recipe(**unit, **changes)
    batch = points(key, N, classes=classes)
    return g, d, made, init_state(key, g, d, made, batch), batch


@pytest.fixture(scope='module')
def both_ways():
    """One-stage training, and plain differentiation, of any loss: two programs."""
    g, d, made, state, batch = setup(jax.random.key(0), factor=6.0, d_regularizers=ALL, augment=jitter)

    @jax.jit
    def one_pass(i, state, key):
        return one_stage_phase(g, d, made._replace(loss=any_loss(i)))(state, batch, key)

    @jax.jit
    def plain(i, state, key):
        return two_passes(g, d, made._replace(loss=any_loss(i)), state, batch, key)

    return (g, d, made, state, batch), one_pass, plain


@pytest.mark.slow
@pytest.mark.parametrize('name', slow_but(('hinge', 'relativistic', 'wasserstein'), NAMES))
def test_gradients_are_the_simultaneous_ones(name, key, both_ways):
    (*_, state, _), one_pass, plain = both_ways
    after, metrics = one_pass(NAMES.index(name), state, key)
    for_g, for_d = plain(NAMES.index(name), state, key)
    close(after.g.opt.trace, for_g)
    close(after.d.opt.trace, for_d)
    assert float(metrics['g/grad_norm']) == pytest.approx(float(optax.tree.norm(for_g)), rel=1e-4, abs=1e-30)
    assert float(metrics['d/grad_norm']) == pytest.approx(float(optax.tree.norm(for_d)), rel=1e-4)


@pytest.mark.slow
def test_hinge_beyond_its_margin(key, both_ways):
    """Where the discriminator's own cotangent is exactly 0, the generator still gets its whole gradient."""
    (g, d, made, state, batch), one_pass, plain = both_ways
    state = state.replace(d=state.d.replace(params=state.d.params | {'factor': jnp.float32(40.0)}))
    x = draw_inputs(batch, key, made)
    seen = jitter(x['view_keys'], g.infer(state.g.params, {}, x['latents'], x['label']), state)
    fake = d.infer(state.d.params, {}, seen, x['label'])
    assert (np.asarray(fake) < -1).any() and (np.asarray(fake) > -1).any()
    after, _ = one_pass(NAMES.index('hinge'), state, key)
    for_g, for_d = plain(NAMES.index('hinge'), state, key)
    close(after.g.opt.trace, for_g)
    close(after.d.opt.trace, for_d)


@pytest.mark.slow
def test_least_squares_where_every_logit_is_zero(key):
    """A generator of zeros: the discriminator's fake cotangents are exactly 0, the generator's are not."""
    g, d, made, state, batch = setup(key, loss=LOSSES['least_squares'], d_regularizers=())
    d = from_functions(lambda k, *x: {'w': jnp.array([1.0, -1.0])}, lambda p, x, label: x @ p['w'])
    state = init_state(key, g, d, made, batch)
    state = state.replace(g=state.g.replace(params=jax.tree.map(jnp.zeros_like, state.g.params)))
    after, metrics = jax.jit(one_stage_phase(g, d, made))(state, batch, key)
    for_g, _ = two_passes(g, d, made, state, batch, key)
    assert float(metrics['d/fake']) == 0.0 and float(optax.tree.norm(for_g)) > 0.1
    close(after.g.opt.trace, for_g)


@pytest.mark.slow
def test_images_with_convolutions_and_diffaugment(key):
    g, d = build_networks(DCGAN(latent_dim=4, width=2, norm='none'), 16, 3, 3, 'float32')
    augment = diffaugment(('translation', 'cutout'), 0.8)
    made = recipe(g_tx=optax.trace(0.0), d_tx=optax.trace(0.0), d_regularizers=R1_R2[:1], augment=augment)
    batch = {'image': jax.random.uniform(key, (4, 16, 16, 3), minval=-1.0), 'label': jnp.array([0, 1, 2, 0])}
    state = init_state(key, g, d, made, batch)
    after, _ = jax.jit(one_stage_phase(g, d, made))(state, batch, key)
    for_g, for_d = jax.jit(lambda s: two_passes(g, d, made, s, batch, key))(state)
    close(after.g.opt.trace, for_g)
    close(after.d.opt.trace, for_d)


@pytest.mark.slow
def test_accumulation_equals_the_full_batch(key, both_ways):
    (g, d, made, state, batch), one_pass, _ = both_ways
    whole, metrics = one_pass(NAMES.index('relativistic'), state, key)
    parts = made._replace(loss=LOSSES['relativistic'], microbatches=4)
    split, part_metrics = jax.jit(one_stage_phase(g, d, parts))(state, batch, key)
    close(split.g.opt.trace, whole.g.opt.trace)
    close(split.d.opt.trace, whole.d.opt.trace)
    for name, value in metrics.items():
        assert float(part_metrics[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6)


@pytest.mark.slow
def test_metrics_and_the_discriminators_first_step_are_those_of_two_stages(key):
    """The same draws and losses: D takes the very step it takes in two stages; G moves against the old D."""
    g, d = networks(0)
    made = recipe()
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    one, found = jax.jit(make_one_stage_step(g, d, made))(state, batch)
    two, expected = jax.jit(make_train_step(g, d, made))(state, batch)
    assert set(found) == set(expected)
    assert (int(one.step), int(one.images_seen)) == (1, N)
    for name in ('d/loss', 'd/real', 'd/fake', 'd/r1', 'd/r2', 'd/grad_norm'):
        assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), one.d, two.d)
    fake_key = named_key(jax.random.fold_in(state.key, 0), 'd')
    x = draw_inputs(batch, fake_key, made)
    fake = g.infer(state.g.params, {}, x['latents'], None)
    logits = [d.infer(state.d.params, {}, samples, None) for samples in (x['real'], fake)]
    assert float(found['g/loss']) == pytest.approx(float(jnp.mean(made.loss.generator(*logits))), rel=1e-5)


@pytest.mark.slow
def test_it_batches_over_seeds(key):
    g, d = pair()
    made = recipe()
    batch = points(key, N)
    keys = jax.random.split(key, 3)
    states = jax.vmap(lambda k: init_state(k, g, d, made, batch))(keys)
    step = make_one_stage_step(g, d, made)
    together, _ = jax.jit(jax.vmap(step, (0, None)))(states, batch)
    alone, _ = jax.jit(step)(init_state(keys[1], g, d, made, batch), batch)
    close(jax.tree.map(lambda leaf: leaf[1], together).g.params, alone.g.params)


class MinibatchDeviation(nn.Module):
    """Karras et al. 2018: the deviation over groups of 4, as one more feature."""

    @nn.compact
    def __call__(self, x, label=None, *, train=True):
        groups = x.reshape(-1, min(4, x.shape[0]), x.shape[-1])
        deviation = jnp.sqrt(jnp.var(groups, axis=1, keepdims=True) + 1e-8).mean(-1, keepdims=True)
        feature = jnp.broadcast_to(deviation, (*groups.shape[:2], 1)).reshape(-1, 1)
        # zero weights at first: only other weights show that samples mix
        return nn.Dense(1, kernel_init=nn.initializers.zeros)(jnp.concatenate([x, feature], -1))[:, 0]


def test_mixing_is_seen_even_behind_zero_weights(key):
    x = jax.random.normal(key, (N, 6))
    assert mixes_samples(from_linen(MinibatchDeviation()), x)
    assert not mixes_samples(mlp((8, 1), squeeze=True), x)
    images = jax.random.normal(key, (4, 16, 16, 3))
    labels = jnp.zeros((4,), jnp.int32)
    sizes = {'widths': (8, 8, 8), 'groups': (2, 2, 2), 'blocks_per_stage': 1}
    for model, mixes in (
        (DCGAN(width=4), True),
        (DCGAN(width=4, norm='none'), False),
        (R3GAN(**sizes), False),
    ):
        d = build_networks(model, 16, 3, 2, 'float32')[1]
        assert mixes_samples(d, images, labels) == mixes


@pytest.mark.slow
def test_networks_that_mix_samples_are_refused_with_the_reason(key):
    g, d = pair()[0], from_linen(MinibatchDeviation())
    made = recipe()
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    with pytest.raises(InputError, match=r'does not mix samples.*batch normalization, minibatch deviation'):
        jax.jit(make_one_stage_step(g, d, made))(state, batch)


@pytest.mark.slow
def test_it_evaluates_less(key):
    """Counted by the compiler: at most 3/4 of the two-stage step's operations without penalties."""
    g, d = mlp((256, 256, 256)), mlp((256, 256, 1), squeeze=True)
    batch = points(key, 64, data=256)
    made = recipe(d_regularizers=(), latents=lambda k, n: jax.random.normal(k, (n, 256)))
    state = init_state(key, g, d, made, batch)

    def flops(make):
        return jax.jit(make(g, d, made)).lower(state, batch).compile().cost_analysis()['flops']

    assert flops(make_one_stage_step) < 0.75 * flops(make_train_step)
