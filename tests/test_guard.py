"""The guard: what is not finite is stopped by the phase that makes it, at that very step, and nothing of it is taken."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import mlp, points, recipe

from jaxgan import Extension, Network, init_state, make_train_step, scan_steps
from jaxgan.guard import all_finite
from jaxgan.state import memories

N, LENGTH = 4, 6
SITES = ('batch', 'loss', 'gradient', 'update')  # of D, and the batch that it sees
HEALTHY = {'at': jnp.int32(-1), 'site': jnp.int32(0), 'value': jnp.float32(0.0)}


@jax.custom_vjp
def faulty_backward(x, amount):
    return x


faulty_backward.defvjp(
    lambda x, amount: (x, amount), lambda amount, g: (g + amount.astype(g.dtype), jnp.zeros_like(amount))
)


def fallible(network, dtype):
    """Add what ``aux`` says to the outputs, and to their gradients, and compute in a dtype."""

    def apply(params, aux, x, label):
        params, x = jax.tree.map(lambda leaf: leaf.astype(dtype), (params, x))
        logits, _ = network.apply(params, {}, x, label)
        return faulty_backward(logits.astype(jnp.float32) + aux['loss'][None], aux['gradient']), aux

    def init(key, x, label):
        return network.init(key, x, label)[0], {'loss': jnp.float32(0.0), 'gradient': jnp.float32(0.0)}

    return Network(init, apply, lambda params, aux, x, label: apply(params, aux, x, label)[0])


def amount(state, site):
    here = (state.step == state.extra['at']) & (state.extra['site'] == SITES.index(site))
    return jnp.where(here, state.extra['value'], 0.0)


def failing_update(phases, generator, discriminator, made):
    """Let D meet a fault where the state's ``extra`` says so."""
    del generator, discriminator, made

    def phase(state, batch, key):
        aux = {name: amount(state, name) for name in ('loss', 'gradient')}
        new, metrics = phases['d'](state.replace(d=state.d.replace(aux=aux)), batch, key)
        spoiled = jax.tree.map(lambda leaf: leaf + amount(state, 'update'), new.d.params)
        return new.replace(d=new.d.replace(params=spoiled, aux=state.d.aux)), metrics

    return {**phases, 'd': phase}


@pytest.fixture(scope='module', params=['float32', pytest.param('bfloat16', marks=pytest.mark.slow)])
def training(request):
    """One compiled dispatch for all sites, steps and values: they are in the state."""
    dtype = jnp.dtype(request.param)
    made = recipe(d_regularizers=(), extensions=(Extension(failing_update),), d_tx=optax.adam(1e-2))
    networks = (mlp((8, 2)), fallible(mlp((8, 1), squeeze=True), dtype))
    batches = jnp.stack([points(jax.random.key(i), N)['image'] for i in range(LENGTH)])

    def batch_of(data, state, i):
        del i
        return {'image': data[state.step] + amount(state, 'batch')}

    step = make_train_step(*networks, made)
    dispatch = jax.jit(scan_steps(step, batch_of, LENGTH))
    state = init_state(jax.random.key(0), *networks, made, {'image': batches[0]}, extra=HEALTHY)
    assert not memories(made)
    return step, lambda state, count=LENGTH: dispatch(state, batches, jnp.int32(count)), state


def bare(state):
    return state.replace(key=jax.random.key_data(state.key), fault=0, extra={})


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, bare(a), bare(b))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('at', [0, 2, LENGTH - 1])
@pytest.mark.parametrize('site', SITES)
def test_a_fault_stops_the_step_in_which_it_is(training, site, at, value):
    step, dispatch, start = training
    fault = {'at': jnp.int32(at), 'site': jnp.int32(SITES.index(site)), 'value': jnp.float32(value)}
    after, metrics = dispatch(start.replace(extra=fault))
    assert list(step.phases)[int(after.fault) - 1] == 'd'
    assert (int(after.step), int(after.images_seen)) == (at, N * at)
    healthy, means = dispatch(start, at) if at else (start, metrics)
    same(after, healthy)  # as the phase met it
    for name in means:
        np.testing.assert_array_equal(metrics[name], means[name])  # of the steps that did not fail
    again, failed = dispatch(after.replace(fault=jnp.int32(0)), 1)  # the phase on that state fails again
    assert int(again.fault) == 1
    assert site == 'update' or not bool(all_finite(failed))
    same(again, after)
    stays, _ = dispatch(after)
    same(stays, after)
    assert int(stays.fault) == 1
    goes_on, _ = dispatch(after.replace(fault=jnp.int32(0), extra=HEALTHY), LENGTH - at)
    same(goes_on, dispatch(start)[0])


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('at', [0, 2, LENGTH - 1])
def test_parameters_of_g_that_are_not_finite_stop_the_next_phase(training, at, value):
    """As a flipped bit would make them: D's phase is the first that meets them."""
    step, dispatch, start = training
    healthy = dispatch(start, at)[0] if at else start
    params = healthy.g.params
    spoiled = [{**params[0], 'w': params[0]['w'].at[0, 0].set(value)}, *params[1:]]
    broken = healthy.replace(g=healthy.g.replace(params=spoiled))
    after, _ = dispatch(broken)
    assert (list(step.phases)[int(after.fault) - 1], int(after.step)) == ('d', at)
    same(after, broken)


@pytest.mark.slow
def test_a_phase_without_metrics_is_guarded(key):
    """The average: its decay is not finite."""
    networks = (mlp((4, 2)), mlp((4, 1), squeeze=True))
    made = recipe(d_regularizers=(), ema=lambda seen, size: jnp.where(seen == N, jnp.nan, 0.5))
    batch = points(key, N)
    step = make_train_step(*networks, made)
    state = init_state(key, *networks, made, batch)
    run = jax.jit(scan_steps(step, lambda data, state, i: data, 3))
    after, _ = run(state, batch)
    assert (list(step.phases)[int(after.fault) - 1], int(after.step)) == ('ema', 1)
    one, _ = run(state, batch, 1)
    jax.tree.map(np.testing.assert_array_equal, after.g_ema, one.g_ema)
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), after.g.params, one.g.params)
    assert any(jax.tree.leaves(moved))  # D and G had moved before the average failed
