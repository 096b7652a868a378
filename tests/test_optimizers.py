"""Optimizers by name, with the fields that they take; clipped gradients and weights; and rates for lazy penalties."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.build_optimizer import OPTIMIZERS, build_optimizer
from jaxgan.config import Config, Optimizer, check
from jaxgan.configjson import from_dict, to_dict, to_json
from jaxgan.errors import InputError
from jaxgan.optimizers import clip_gradient, clip_weights, lazy_decay, lazy_rate
from jaxgan.schedules import cosine

PARAMS = {'w': jnp.arange(12.0).reshape(3, 4) / 10, 'b': jnp.ones(4)}
GRADIENT = jax.tree.map(lambda leaf: jnp.cos(leaf) * 0.3, PARAMS)


def moved(tx, steps=2, params=PARAMS, images=0):
    tx = optax.with_extra_args_support(tx)
    state = tx.init(params)
    with jax.numpy_dtype_promotion('standard'):
        for _ in range(steps):
            updates, state = tx.update(GRADIENT, state, params, images_seen=jnp.int32(images))
            params = optax.apply_updates(params, updates)
    return params


def same(a, b, rtol=1e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol), a, b)


@pytest.mark.parametrize(
    ('fields', 'expected'),
    [
        ({}, optax.adam(1e-2, 0.0, 0.99)),
        ({'beta1': 0.5, 'beta2': (0.9, 0.9), 'eps': 1e-3}, optax.adam(1e-2, 0.5, 0.9, eps=1e-3)),
        ({'name': 'adamw', 'weight_decay': 0.1}, optax.adamw(1e-2, 0.0, 0.99, weight_decay=0.1)),
        ({'name': 'sgd'}, optax.sgd(1e-2)),
        ({'name': 'sgd', 'momentum': 0.9}, optax.sgd(1e-2, 0.9)),
        ({'name': 'rmsprop', 'eps': 1e-4}, optax.rmsprop(1e-2, eps=1e-4)),
        ({'name': 'lion', 'beta1': 0.9}, optax.lion(1e-2, 0.9, 0.99)),
        ({'lazy': 16}, optax.adam(1e-2 * 16 / 17, 0.0, 0.99 ** (16 / 17))),
        ({'lazy': 4, 'beta1': 0.5, 'clip': 0.1}, None),
    ],
    ids=lambda value: ', '.join(map(str, value.items())) if isinstance(value, dict) else '',
)
def test_a_name_and_its_fields_are_the_optimizer_of_optax(fields, expected):
    if expected is None:
        expected = optax.chain(
            optax.clip_by_global_norm(0.1), optax.adam(1e-2 * 4 / 5, 0.5 ** (4 / 5), 0.99 ** (4 / 5))
        )
    same(moved(build_optimizer(Optimizer((1e-2, 1e-2), **fields), 0)), moved(expected), rtol=1e-5)


def test_pairs_move_over_the_burn_in():
    made = build_optimizer(Optimizer((1e-2, 1e-3), name='sgd', lazy=1), 100)
    same(moved(made, 1, images=0), moved(optax.sgd(1e-2 / 2), 1))
    same(moved(made, 1, images=100), moved(optax.sgd(1e-3 / 2), 1))


@pytest.mark.parametrize('name', sorted(OPTIMIZERS))
def test_every_name_trains_with_the_defaults(name):
    """Built, initialized and traced as the step does it: the state keeps its shapes and dtypes."""
    tx = optax.with_extra_args_support(build_optimizer(Optimizer(name=name), 10))

    def step(params):
        state = tx.init(params)
        with jax.numpy_dtype_promotion('standard'):
            updates, after = tx.update(params, state, params, images_seen=jnp.int32(3))
        return optax.apply_updates(params, updates), state, after

    params, state, after = jax.eval_shape(step, PARAMS)
    assert jax.tree.structure(state) == jax.tree.structure(after)
    assert [(a.shape, a.dtype) for a in jax.tree.leaves(state)] == [
        (a.shape, a.dtype) for a in jax.tree.leaves(after)
    ]
    assert params['w'].shape == (3, 4)


def test_the_names_are_those_that_need_a_learning_rate_and_gradients_alone():
    assert {'adam', 'adamw', 'sgd', 'rmsprop', 'lion', 'adabelief', 'lamb'} <= set(OPTIMIZERS)
    assert not {'lbfgs', 'noisy_sgd', 'scale_by_learning_rate', 'chain', 'sgdr_schedule', 'rprop'} & set(
        OPTIMIZERS
    )


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'name': 'adm'}, "unknown optimizer 'adm'; did you mean 'adam'?"),
        ({'name': 'sgd', 'beta1': 0.5}, 'optimizer sgd takes no beta1 (given 0.5); it takes momentum'),
        ({'name': 'sgd', 'beta2': (0.9, 0.9)}, 'optimizer sgd takes no beta2 (given (0.9, 0.9))'),
        (
            {'weight_decay': 0.1},
            'optimizer adam takes no weight_decay (given 0.1); it takes beta1, beta2, eps',
        ),
        (
            {'name': 'sign_sgd', 'eps': 1e-8},
            'optimizer sign_sgd takes no eps (given 1e-08); it takes none such',
        ),
    ],
)
def test_what_an_optimizer_does_not_take_is_refused(fields, message):
    with pytest.raises(InputError) as error:
        build_optimizer(Optimizer(**fields), 0)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'eps': 0.0}, 'g_optimizer.eps 0.0 must be above 0'),
        ({'clip_weights': -1.0}, 'g_optimizer.clip_weights -1.0 must be above 0'),
        ({'clip_weights': float('inf')}, 'g_optimizer.clip_weights inf must be above 0'),
        ({'weight_decay': -0.1}, 'g_optimizer.weight_decay (-0.1,) must be finite and at least 0'),
        ({'lazy': 0}, 'g_optimizer.lazy 0 must be at least 1'),
    ],
)
def test_values_that_none_could_use_are_refused(fields, message):
    with pytest.raises(InputError) as error:
        check(dataclasses.replace(Config(), g_optimizer=Optimizer(**fields)))
    assert str(error.value).startswith(message)


def test_configurations_of_before_are_read_as_they_were():
    config = Config(d_optimizer=Optimizer(name='adamw', weight_decay=0.01, lazy=4))
    assert from_dict(json.loads(to_json(config))) == config
    old = to_dict(Config())
    for name in ('name', 'eps', 'weight_decay', 'momentum', 'clip_weights', 'lazy'):
        del old['g_optimizer'][name], old['d_optimizer'][name]
    for name in ('top_k', 'spectral_norm'):
        del old[name]
    for penalty in old['penalties']:
        del penalty['sigma']
    assert from_dict(old) == Config()


@pytest.mark.parametrize('limit', [0.1, 100.0])
def test_a_clipped_gradient_is_that_of_optax(limit):
    found, _ = clip_gradient(limit).update(GRADIENT, optax.EmptyState())
    expected, _ = optax.clip_by_global_norm(limit).update(GRADIENT, optax.EmptyState())
    same(found, expected)
    if limit == 100.0:
        same(found, GRADIENT, rtol=0)
    spoiled, _ = clip_gradient(limit).update({'w': jnp.array([1.0, jnp.nan])}, optax.EmptyState())
    assert jnp.isnan(spoiled['w']).all()
    with pytest.raises(ValueError, match='limit 0 must be above 0'):
        clip_gradient(0)


def test_clipped_weights_stay_within_the_limit():
    """Against clipping after each plain step, as in algorithm 1; those that start outside come in."""
    made = build_optimizer(Optimizer((0.05, 0.05), name='rmsprop', clip_weights=0.7), 0)
    expected, plain = PARAMS, optax.rmsprop(0.05)
    state = plain.init(expected)
    for _ in range(3):
        updates, state = plain.update(GRADIENT, state, expected)
        expected = jax.tree.map(
            lambda p: np.clip(np.asarray(p), -0.7, 0.7), optax.apply_updates(expected, updates)
        )
    found = moved(made, 3)
    same(found, expected, rtol=1e-5)
    assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(found)) <= 0.7 * (1 + 1e-6)
    with pytest.raises(ValueError, match='limit 0 must be above 0'):
        clip_weights(0)
    with pytest.raises(ValueError, match='needs the parameters'):
        clip_weights(1.0).update(GRADIENT, optax.EmptyState())


def test_lazy_rates_are_stylegan2s():
    """Two penalties' intervals and what NVIDIA's implementation makes of 0.0025 and 0.99."""
    assert lazy_rate(0.0025, 16) == pytest.approx(0.0025 * 16 / 17)
    assert lazy_decay(0.99, 4) == pytest.approx(0.99 ** (4 / 5)) and lazy_decay(0.0, 4) == 0.0
    moving = lazy_rate(cosine(1.0, 0.0, 100), 1)
    assert [float(moving(n)) for n in (0, 50, 100)] == pytest.approx([0.5, 0.25, 0.0], abs=1e-6)
