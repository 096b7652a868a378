"""What a step may do besides its usual phases: memories, generator penalties and weights, several updates of D."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from battery import slow_but
from toys import mlp, pair, points, recipe

from jaxgan import (
    Extension,
    Memory,
    Regularizer,
    Verdict,
    as_step,
    discriminator_phase,
    from_functions,
    init_state,
    losses,
    make_one_stage_step,
    make_shared_fakes_step,
    make_train_step,
    sequence,
)
from jaxgan.critic import BoundCritic
from jaxgan.errors import InputError
from jaxgan.extensions import discriminator_steps

N = 8
MAKERS = {'two': make_train_step, 'shared': make_shared_fakes_step, 'one': make_one_stage_step}


def pull(critic, real, fake, keys):
    """A penalty of G on its samples: |x|^2 / 2."""
    return 0.5 * jnp.sum(fake**2, axis=-1)


def latent_pull(critic, real, fake, keys):
    """The same through the generator itself."""
    return 0.5 * jnp.sum(critic.generator.apply(critic.generator.latents) ** 2, axis=-1)


def weights(critic, real, fake, keys):
    """A penalty of the trained player's parameters: one value for all."""
    return 0.5 * optax.tree.norm(critic.trained, squared=True)


@pytest.mark.slow
@pytest.mark.parametrize('name', MAKERS)
def test_generator_penalties_add_their_gradient_in_every_training(name, key):
    g, d = pair()
    batch = points(key, N)
    moved = {}
    for label, penalties in {'none': (), 'all': (pull, latent_pull, weights)}.items():
        made = recipe(
            d_regularizers=(),
            g_regularizers=tuple(Regularizer(p, w) for p, w in zip(penalties, (1.0, 2.0, 3.0))),
        )
        state = init_state(key, g, d, made, batch)
        moved[label], metrics = jax.jit(MAKERS[name](g, d, made))(state, batch)
    for p in ('pull', 'latent_pull', 'weights'):
        assert float(metrics[f'g/{p}']) > 0
    # |G(z)|^2/2 counted 1 + 2 times, and |params|^2/2 3 times, moved by sgd's 0.05
    z = drawn_latents(name, made, key)
    expected = jax.grad(
        lambda p: (
            jnp.mean(1.5 * jnp.sum(g.apply(p, {}, z, None)[0] ** 2, -1))
            + 1.5 * optax.tree.norm(p, squared=True)
        )
    )(state.g.params)
    found = jax.tree.map(lambda a, b: (b - a) / 0.05, moved['all'].g.params, moved['none'].g.params)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(  # D does not know of it
        jax.tree.leaves(moved['all'].d.params)[0], jax.tree.leaves(moved['none'].d.params)[0]
    )


def drawn_latents(name, made, key):
    """The latents of G's phase, or those of D's where both players share them."""
    step_key = jax.random.fold_in(key, 0)
    phase_key = jax.random.fold_in(step_key, zlib.crc32(b'g' if name == 'two' else b'd'))
    return made.latents(jax.random.split(phase_key, 3)[0], N)


@pytest.mark.parametrize('name', slow_but('two', MAKERS))
def test_generator_weights_scale_its_loss(name, key):
    g, d = pair()
    batch = points(key, N)
    norms = {}
    for factor in (1.0, 2.0):
        made = recipe(
            d_regularizers=(), g_weights=lambda fake, seen, factor=factor: factor * jnp.ones_like(fake)
        )
        state = init_state(key, g, d, made, batch)
        _, norms[factor] = jax.jit(MAKERS[name](g, d, made))(state, batch)
    assert float(norms[2.0]['g/grad_norm']) == pytest.approx(2 * float(norms[1.0]['g/grad_norm']), rel=1e-5)
    assert float(norms[2.0]['d/grad_norm']) == pytest.approx(float(norms[1.0]['d/grad_norm']), rel=1e-6)


@pytest.mark.parametrize('name', slow_but('two', MAKERS))
def test_a_memory_follows_the_discriminators_metrics(name, key):
    """A regularizer reads what its memory holds, as it was before this step."""
    memory = Memory('seen', jnp.float32(0.0), lambda old, metrics, images: old + images + 0 * metrics['real'])

    def remembered(critic, real, fake, keys):
        return critic.extra['seen'] + 0.0 * critic(real)

    g, d = pair()
    made = recipe(d_regularizers=(Regularizer(remembered, 1.0, memory=memory),))
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    step = jax.jit(MAKERS[name](g, d, made))
    for expected in (0.0, N, 2 * N):
        state, metrics = step(state, batch)
        assert float(metrics['d/remembered']) == expected
    assert float(state.extra['seen']) == 3 * N


def test_two_memories_of_one_name_are_refused(key):
    g, d = pair()
    made = recipe(memories=(Memory('a', jnp.zeros(())), Memory('a', jnp.ones(()))))
    with pytest.raises(ValueError, match="two memories are called 'a'"):
        init_state(key, g, d, made, points(key, N))


def test_signs_of_the_logits_are_metrics(key):
    g, d = pair()
    made = recipe(d_regularizers=())
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    _, metrics = jax.jit(make_train_step(g, d, made))(state, batch)
    real = d.infer(state.d.params, {}, batch['image'], None)
    assert float(metrics['d/real_sign']) == pytest.approx(float(jnp.mean(jnp.sign(real))))


@pytest.mark.slow
def test_a_verdict_brings_an_auxiliary_loss(key):
    """D's own further loss reaches its parameters through a penalty that asks for it, and nothing else does."""
    plain = mlp((8, 1), squeeze=True)
    judging = from_functions(
        lambda key, x, label: plain.init(key, x)[0],
        lambda p, x, label: Verdict(plain.apply(p, {}, x)[0], jnp.sum(x, -1) * jnp.sum(p[0]['w'])),
    )

    def auxiliary(critic, real, fake, keys):
        return critic.auxiliary(real)

    g, _ = pair()
    batch = points(key, N)
    after = {}
    for name, penalties in {'with': (Regularizer(auxiliary, 1.0),), 'without': ()}.items():
        made = recipe(loss=losses.hinge, d_regularizers=penalties)
        state = init_state(key, g, judging, made, batch)
        after[name], metrics = discriminator_phase(g, judging, made)(state, batch, key)
    difference = (after['with'].d.params[0]['w'] - after['without'].d.params[0]['w']) / -0.05
    np.testing.assert_allclose(
        difference, np.full(difference.shape, np.mean(np.sum(batch['image'], -1))), rtol=1e-3, atol=1e-5
    )
    assert 'auxiliary' not in metrics
    with pytest.raises(InputError, match='auxiliary loss of the discriminator, and this one has none'):
        BoundCritic(lambda x, **_: (Verdict(x, None), {})).auxiliary(batch['image'])


@pytest.mark.slow
def test_each_update_of_the_discriminator_sees_images_of_its_own(key):
    """Three steps of D on thirds of the batch equal three calls of its phase, and G takes one."""
    g, d = pair()
    made = recipe(extensions=(discriminator_steps(3),))
    batch = points(key, 3 * N)
    state = init_state(key, g, d, made, batch)
    after, metrics = jax.jit(make_train_step(g, d, made))(state, batch)
    d_key = jax.random.fold_in(jax.random.fold_in(key, 0), zlib.crc32(b'd'))
    phase, expected, found = jax.jit(discriminator_phase(g, d, made)), state, []
    for i in range(3):
        part = {'image': batch['image'][i::3]}
        expected, values = phase(expected, part, jax.random.fold_in(d_key, i))
        found.append(float(values['loss']))
    for a, b in zip(jax.tree.leaves(after.d.params), jax.tree.leaves(expected.d.params)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert float(metrics['d/loss']) == pytest.approx(np.mean(found), rel=1e-5)
    assert (int(after.step), int(after.images_seen)) == (1, 3 * N)
    with pytest.raises(ValueError, match='does not divide into 3 parts'):
        make_train_step(g, d, made)(state, points(key, N))
    with pytest.raises(ValueError, match='need a phase of its own for the generator'):
        make_one_stage_step(g, d, made)


@pytest.mark.slow
def test_an_extension_may_add_a_phase(key):
    def watch(state, batch, key):
        seen = state.extra['watched'] + 1
        return state.replace(extra={**state.extra, 'watched': seen}), {'times': seen}

    extension = Extension(lambda phases, *_: {**phases, 'watch': watch}, (Memory('watched', jnp.int32(0)),))
    g, d = pair()
    made = recipe(extensions=(extension,))
    batch = points(key, N)
    state = init_state(key, g, d, made, batch)
    step = jax.jit(make_train_step(g, d, made))
    plain, _ = jax.jit(make_train_step(g, d, recipe()))(init_state(key, g, d, recipe(), batch), batch)
    state, metrics = step(state, batch)
    assert int(metrics['watch/times']) == 1
    for a, b in zip(jax.tree.leaves(state.g.params), jax.tree.leaves(plain.g.params)):
        np.testing.assert_array_equal(a, b)  # nobody else's randomness moved


def test_metrics_of_a_phase_for_several_keep_their_names(key):
    phase = sequence(d=lambda state, batch, key: (state, {'g/loss': jnp.zeros(()), 'loss': jnp.ones(())}))
    g, d = pair()
    _, metrics = as_step(phase)(init_state(key, g, d, recipe(), points(key, 2)), points(key, 2))
    assert set(metrics) == {'g/loss', 'd/loss'}
