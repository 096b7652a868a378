"""What a failed step is said to have failed of: batch, parameters of G, gradients of D or the loss, in both dtypes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_faults import BATCH, points

from jaxgan import build
from jaxgan.data import open_source
from jaxgan.run.assembly import assemble, initial_state
from jaxgan.run.diagnosis import Fault, diagnose, phase_names
from jaxgan.run.faultfile import read_fault, write_fault
from jaxgan.types import Loss

pytestmark = pytest.mark.slow


def plain(real, fake):
    return jax.nn.softplus(fake - real)


def no_number(real, fake):
    return plain(real, fake) + jnp.nan


def no_gradient(real, fake):
    return plain(real, fake) + jnp.sqrt(0.0 * real)  # 0, and its derivative infinity times 0


@pytest.fixture(params=['float32', 'bfloat16'])
def fault(request):
    config = points(dtype=request.param)
    info = open_source(config.data).info
    state = jax.jit(lambda: initial_state(config, info, assemble(config, info)))()
    state = state.replace(step=jnp.int32(3), images_seen=jnp.int32(3 * BATCH))
    batch = {'image': np.linspace(-1, 1, BATCH * 2, dtype=np.float32).reshape(BATCH, 1, 1, 2)}
    return Fault(4, 'd', config, info, state, batch)


def test_the_order_of_the_phases_is_that_of_the_numbers(fault):
    assert phase_names(fault.config, fault.info) == ('d', 'g', 'ema')


def test_nothing_is_found_where_all_is_finite(fault):
    for phase in ('d', 'g', 'ema'):
        assert diagnose(fault._replace(phase=phase)).first == ''


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_batch(fault, value):
    batch = {'image': fault.batch['image'].copy()}
    batch['image'][2] = value
    found = diagnose(fault._replace(batch=batch))
    assert found.first == 'batch/image'
    assert 'd/loss' in found.metrics


def test_parameters_of_g(fault):
    params = jax.tree.map(jnp.copy, fault.state.g.params)
    params['Dense_1'] = {**params['Dense_1'], 'kernel': params['Dense_1']['kernel'].at[0, 0].set(jnp.nan)}
    state = fault.state.replace(g=fault.state.g.replace(params=params))
    for phase in ('d', 'g', 'ema'):
        assert diagnose(fault._replace(state=state, phase=phase)).first == 'g/params/Dense_1/kernel'


@pytest.mark.parametrize(
    ('loss', 'first', 'text'),
    [
        (no_number, 'd/loss', 'd/loss is nan'),
        (no_gradient, 'gradient of d/params/', 'd/grad_norm is nan; first not finite: gradient of d/params/'),
    ],
)
def test_a_loss_and_its_gradient(fault, monkeypatch, tmp_path, loss, first, text):
    monkeypatch.setattr(build, 'LOSSES', {**build.LOSSES, loss.__name__: Loss(loss, plain)})
    fault = fault._replace(config=dataclasses.replace(fault.config, loss=loss.__name__))
    found = diagnose(fault)
    assert found.first.startswith(first)
    assert str(found).startswith(text)
    write_fault(tmp_path / 'f.npz', fault, found)
    again, about = read_fault(tmp_path / 'f.npz')
    assert (about['found'], about['first']) == (str(found), found.first)
    assert str(diagnose(again)) == str(found)
