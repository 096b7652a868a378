"""Two stages on shared fakes; and penalties that share the loss's backward pass: the same gradients for less work."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest
from test_onestage import ALL, NAMES, R1_R2, N, any_loss, close, jitter, setup
from toys import pair, recipe

from jaxgan import make_shared_fakes_step, make_train_step
from jaxgan.build import LOSSES
from jaxgan.config import Config, check
from jaxgan.errors import InputError
from jaxgan.sharedfakes import shared_fakes_phase
from jaxgan.steps import discriminator_phase, draw_inputs


@pytest.mark.slow
def test_the_discriminator_moves_as_in_the_usual_step(key):
    g, d, made, state, batch = setup(key, d_regularizers=R1_R2, augment=jitter)
    shared, metrics = jax.jit(make_shared_fakes_step(g, d, made))(state, batch)
    usual, names = jax.jit(make_train_step(g, d, made))(state, batch)
    close(shared.d.params, usual.d.params, 1e-6)
    assert set(metrics) == set(names)
    for name in ('d/loss', 'd/real', 'd/fake', 'd/r1', 'd/r2', 'd/grad_norm'):
        assert float(metrics[name]) == pytest.approx(float(names[name]), rel=1e-5)
    assert int(shared.step) == 1 and int(shared.images_seen) == N


@pytest.mark.slow
def test_the_generators_gradient_is_that_on_the_same_fakes_against_the_new_discriminator(key):
    g, d, made, state, batch = setup(key, d_regularizers=R1_R2, augment=jitter)
    after, metrics = jax.jit(shared_fakes_phase(g, d, made))(state, batch, key)
    x = draw_inputs(batch, key, made)

    def g_loss(params):
        def logits(samples):
            return d.infer(after.d.params, {}, made.augment(x['view_keys'], samples, state), x['label'])

        return jnp.mean(
            made.loss.generator(logits(x['real']), logits(g.infer(params, {}, x['latents'], x['label'])))
        )

    value, gradient = jax.jit(jax.value_and_grad(g_loss))(state.g.params)
    close(after.g.opt.trace, gradient)
    assert float(metrics['g/loss']) == pytest.approx(float(value), rel=1e-5)


def test_microbatches_are_refused(key):
    g, d = pair()
    with pytest.raises(InputError, match='microbatches 2 must be 1'):
        shared_fakes_phase(g, d, recipe(microbatches=2))
    with pytest.raises(InputError, match='microbatches 2 must be 1'):
        check(Config(training='shared_fakes', microbatches=2))


@functools.cache
def apart_and_shared(microbatches):
    """D's phase with penalties that start passes of their own, and with ones that share the loss's; one program."""
    g, d, made, state, batch = setup(
        jax.random.key(0), factor=6.0, d_regularizers=ALL, augment=jitter, microbatches=microbatches
    )

    @jax.jit
    def program(i, key):
        chosen = made._replace(loss=any_loss(i))
        return [
            discriminator_phase(g, d, chosen._replace(per_sample=flag))(state, batch, key)
            for flag in (False, True)
        ]

    return program


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'microbatches'),
    [
        *((name, 1) for name in NAMES),
        ('hinge', 2),
    ],
)
def test_penalties_that_share_the_backward_pass_have_the_same_gradient(name, microbatches, key):
    """Also where the loss's own cotangent is 0 (hinge beyond its margin), and for WGAN-GP, which cannot share."""
    (apart, names), (shared, metrics) = apart_and_shared(microbatches)(NAMES.index(name), key)
    close(shared.d.opt.trace, apart.d.opt.trace)
    for metric in metrics:
        assert float(metrics[metric]) == pytest.approx(float(names[metric]), rel=1e-5, abs=1e-12)


@pytest.mark.slow
def test_sharing_saves_the_penalties_first_backward_passes(key):
    """Of three linear layers: R1 and R2 apart take two more passes to the samples than together with the loss."""
    g, d, made, state, batch = setup(key, d_regularizers=R1_R2, loss=LOSSES['relativistic'])

    def flops(flag):
        phase = discriminator_phase(g, d, made._replace(per_sample=flag))
        return jax.jit(phase).lower(state, batch, key).compile().cost_analysis()['flops']

    hidden = sum(
        leaf.size for leaf in jax.tree.leaves(state.d.params) if leaf.ndim == 2 and leaf.shape[1] > 1
    )
    assert flops(False) - flops(True) > 0.5 * (
        2 * 2 * N * hidden
    )  # real and fake; 2 operations a weight and sample


@pytest.mark.slow
def test_with_the_same_latents_it_is_the_usual_step(key):
    g, d, made, state, batch = setup(key, d_regularizers=())
    fixed = jax.random.normal(key, (N, 4))
    made = made._replace(latents=lambda key, n: fixed)
    shared, _ = jax.jit(make_shared_fakes_step(g, d, made))(state, batch)
    usual, _ = jax.jit(make_train_step(g, d, made))(state, batch)
    close(shared.g.params, usual.g.params, 1e-6)
    assert float(optax.tree.norm(shared.g.opt.trace)) > 0
