"""Spectral normalization against numpy's singular values, the paper's algorithm and gradient, and in training."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import mlp, points, recipe

from jaxgan import (
    Network,
    Regularizer,
    from_functions,
    init_state,
    make_train_step,
    regularizers,
    spectral_norm,
)
from jaxgan.build import architecture, build_discriminator, build_generator
from jaxgan.config import Config
from jaxgan.errors import InputError
from jaxgan.modelconfig import DCGAN

pytestmark = pytest.mark.slow  # compiles a network a test

SHAPES = {'conv': (3, 3, 4, 6), 'dense': (5, 7), 'grouped': (1, 1, 2, 8)}


def kernels(key):
    keys = jax.random.split(key, len(SHAPES))
    params = {name: {'kernel': jax.random.normal(k, s)} for k, (name, s) in zip(keys, SHAPES.items())}
    params['dense']['bias'] = jnp.full(7, 3.0)
    return params | {'table': {'embedding': jnp.full((3, 4), 2.0)}}


MIRROR = from_functions(
    lambda key, *_: kernels(key), lambda params, *_: params
)  # shows the parameters it gets


def as_matrix(kernel):
    return np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1])


def largest(kernel):
    return np.linalg.svd(as_matrix(kernel), compute_uv=False)[0]


def settled(network, key, calls=100):
    """The network's parameters, and its aux after so many calls."""
    params, aux = network.init(key)
    apply = jax.jit(network.apply)
    for _ in range(calls):
        seen, aux = apply(params, aux)
    return params, aux, seen


def test_divides_by_the_largest_singular_value(key):
    network = spectral_norm(MIRROR)
    params, aux, seen = settled(network, key)
    for name in SHAPES:
        expected = np.asarray(params[name]['kernel'], np.float64) / largest(params[name]['kernel'])
        np.testing.assert_allclose(seen[name]['kernel'], expected, rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(seen['dense']['bias'], params['dense']['bias'])
    np.testing.assert_array_equal(seen['table']['embedding'], params['table']['embedding'])
    after = network.infer(params, aux)
    np.testing.assert_allclose(after['conv']['kernel'], seen['conv']['kernel'], rtol=1e-5)
    *_, seen = settled(spectral_norm(MIRROR, names=('embedding',)), key, 3)  # of rank 1
    assert largest(seen['table']['embedding']) == pytest.approx(1.0, rel=1e-5)
    assert largest(seen['conv']['kernel']) > 2.0


def test_takes_the_papers_steps(key):
    """Algorithm 1: v from u, u from v, s = v'Wu; the vectors go on from call to call, and infer keeps them."""
    network = spectral_norm(MIRROR)
    params, aux = network.init(key)
    w = as_matrix(params['conv']['kernel'])
    u = np.asarray(aux['spectral_norm']['conv']['kernel'], np.float64)
    assert np.linalg.norm(u) == pytest.approx(1.0, rel=1e-5)
    for _ in range(3):
        seen, aux = network.apply(params, aux)
        v = w @ u / np.linalg.norm(w @ u)
        u = w.T @ v / np.linalg.norm(w.T @ v)
        np.testing.assert_allclose(as_matrix(seen['conv']['kernel']), w / (v @ w @ u), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(aux['spectral_norm']['conv']['kernel'], u, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        as_matrix(network.infer(params, aux)['conv']['kernel']),
        w / np.linalg.norm(w @ u),
        rtol=1e-4,
        atol=1e-6,
    )
    both, _ = spectral_norm(MIRROR, iterations=3).apply(*spectral_norm(MIRROR).init(key))
    np.testing.assert_allclose(both['conv']['kernel'], seen['conv']['kernel'], rtol=1e-4, atol=1e-6)


def test_the_gradient_is_that_of_the_divided_kernel(key):
    """Equation 12, and finite differences of W / s(W) by numpy in float64, once the vectors have converged."""
    network = spectral_norm(MIRROR)
    params, aux, _ = settled(network, key)
    c = np.random.default_rng(0).normal(size=(5, 7))

    def total(params):
        return jnp.sum(jnp.asarray(c, jnp.float32) * network.apply(params, aux)[0]['dense']['kernel'])

    found = jax.jit(jax.grad(total))(params)['dense']['kernel']
    w = as_matrix(params['dense']['kernel'])
    left, s, right = np.linalg.svd(w)
    formula = c / s[0] - (c * w).sum() / s[0] ** 2 * np.outer(left[:, 0], right[0])
    np.testing.assert_allclose(found, formula, rtol=1e-3, atol=1e-4)
    for i, j in ((0, 0), (2, 5), (4, 3)):
        step = np.zeros_like(w)
        step[i, j] = 1e-5
        up, down = ((c * m).sum() / largest(m) for m in (w + step, w - step))
        assert float(found[i, j]) == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-4)


def test_a_kernel_of_zeros_stays_and_learns(key):
    """As residual branches begin: neither 0/0 now, nor a vector that is lost for later."""
    network = spectral_norm(from_functions(lambda key: {'kernel': jnp.zeros((4, 3))}, lambda p: p['kernel']))
    params, aux = network.init(key)
    seen, new = network.apply(params, aux)
    assert not np.asarray(seen).any()
    np.testing.assert_array_equal(new['spectral_norm']['kernel'], aux['spectral_norm']['kernel'])
    gradient = jax.grad(lambda p: jnp.sum(network.apply(p, aux)[0]))(params)['kernel']
    np.testing.assert_array_equal(gradient, np.ones((4, 3)))


def test_mapping_and_synthesis_are_divided_too(key):
    network = Network(
        init=MIRROR.init,
        apply=MIRROR.apply,
        infer=MIRROR.infer,
        mapping=lambda params, aux, z, label: params,
        synthesis=lambda params, aux, w: params,
    )
    worn = spectral_norm(network)
    params, aux = worn.init(key)
    expected = worn.infer(params, aux)['dense']['kernel']
    for seen in (worn.mapping(params, aux, None, None), worn.synthesis(params, aux, None)):
        np.testing.assert_array_equal(seen['dense']['kernel'], expected)
    assert spectral_norm(MIRROR).mapping is None and spectral_norm(MIRROR).synthesis is None


def test_what_cannot_be_divided_is_refused(key):
    with pytest.raises(InputError, match='iterations 0 must be at least 1'):
        spectral_norm(MIRROR, iterations=0)
    with pytest.raises(InputError, match='no parameter named weight of rank 2'):
        spectral_norm(MIRROR, names=('weight',)).init(key)


@pytest.mark.slow
def test_in_training_the_average_has_vectors_of_its_own(key):
    """Both networks wear it, with R1 through it; the average's u follows the average's kernels, not the live ones."""
    g, d = (spectral_norm(net, names=('w',)) for net in (mlp((8, 2)), mlp((8, 1), squeeze=True)))
    r1 = Regularizer(regularizers.r1, 0.5)
    made = recipe(ema=lambda seen, batch: jnp.float32(0.5), g_tx=optax.sgd(0.5), d_regularizers=(r1,))
    batch = points(key, 8)
    old = init_state(key, g, d, made, batch)
    new, metrics = jax.jit(make_train_step(g, d, made))(old, batch)
    assert all(np.isfinite(float(value)) for value in metrics.values())
    for average, before, after in (
        (True, old.g_ema, new.g_ema),
        (False, old.g, new.g),
    ):
        for layer in range(2):
            # the live one's step was taken before its update, the average's with the new average
            w = np.asarray((after if average else before).params[layer]['w'], np.float64)
            u = np.asarray(before.aux['spectral_norm'][str(layer)]['w'], np.float64)
            v = w @ u / np.linalg.norm(w @ u)
            np.testing.assert_allclose(
                after.aux['spectral_norm'][str(layer)]['w'],
                w.T @ v / np.linalg.norm(w.T @ v),
                rtol=1e-4,
                atol=1e-5,
            )
    leaf = old.d.aux['spectral_norm']['0']['w'] - new.d.aux['spectral_norm']['0']['w']
    assert float(jnp.max(jnp.abs(leaf))) > 0


@pytest.mark.parametrize('value', ['none', 'discriminator', 'both'])
def test_an_architecture_says_who_wears_it(value, key):
    card = json.loads(json.dumps(architecture(DCGAN(width=4), 16, 3, 2, 'float32', value)))
    label = jnp.zeros((2,), jnp.int32)
    g = jax.eval_shape(build_generator(card).init, key, jnp.zeros((2, 64)), label)
    d = jax.eval_shape(build_discriminator(card).init, key, jnp.zeros((2, 16, 16, 3)), label)
    worn = [aux.get('spectral_norm') for _, aux in (g, d)]
    assert [found is not None for found in worn] == [value == 'both', value != 'none']
    if worn[0]:
        assert 'batch_stats' in g[1] and 'Embed_0' not in worn[0] and worn[0]['Dense_0']['kernel'].ndim == 1
    if worn[1]:
        assert worn[1]['Embed_0']['embedding'].shape == (8,)
    older = {name: entry for name, entry in card.items() if name != 'spectral_norm'}
    assert (
        'spectral_norm' not in jax.eval_shape(build_generator(older).init, key, jnp.zeros((2, 64)), label)[1]
    )
    assert dataclasses.replace(Config(), spectral_norm=value).spectral_norm == value
