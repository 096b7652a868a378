"""Conditional batch normalization, attention and heads against closed forms in NumPy; what a configuration may ask of them."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import pair, points, recipe

from jaxgan import build, make_one_stage_step, mixes_samples
from jaxgan.config import Config, Penalty
from jaxgan.errors import InputError
from jaxgan.modelconfig import DCGAN, R3GAN
from jaxgan.models import DCGANDiscriminator, R3GANDiscriminator
from jaxgan.models.conditioning import (
    CONDITIONINGS,
    ConditionalBatchNorm,
    Head,
    SelfAttention,
    d2d_cross_entropy,
    max_pool,
)
from jaxgan.networks import from_functions, from_linen
from jaxgan.regularizers import auxiliary_real
from jaxgan.state import init_state
from jaxgan.types import Regularizer, Verdict

pytestmark = pytest.mark.slow  # compiles a network a test; the battery has the default

LABELS = np.array([0, 2, 0, 1])


def random_like(tree, seed=0):
    """The same shapes with normal values, so that nothing is hidden behind an initial zero."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), tree)


def made(module, *inputs, **options):
    variables = jax.eval_shape(lambda key: module.init(key, *inputs, **options), jax.random.key(0))
    params = random_like(variables['params'])
    stats = jax.tree.map(jnp.zeros_like, variables.get('batch_stats', {}))
    return params, {'params': params, **({'batch_stats': stats} if stats else {})}


def exact(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def samples(*shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def normalized(x):
    x = np.asarray(x, np.float64)
    return (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)


@pytest.mark.parametrize('kind', ['classes', 'vector', 'none'])
def test_conditional_batch_norm_is_its_formula(kind):
    x, vector = samples(4, 2, 2, 3), samples(4, 5, seed=2)
    condition = {'classes': LABELS, 'vector': vector, 'none': None}[kind]
    module = ConditionalBatchNorm(3 if kind == 'classes' else 0)
    condition = None if condition is None else jnp.asarray(condition)
    params, variables = made(module, x, condition)
    y, moved = jax.jit(lambda v: module.apply(v, x, condition, mutable=['batch_stats']))(variables)
    p = exact(params)
    if kind == 'none':
        expected = normalized(x) * p['BatchNorm_0']['scale'] + p['BatchNorm_0']['bias']
    else:
        gain, bias = (
            p[name]['embedding'][LABELS] if kind == 'classes' else vector @ p[name]['kernel']
            for name in ('gain', 'bias')
        )
        expected = normalized(x) * (1 + gain[:, None, None]) + bias[:, None, None]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    stats = moved['batch_stats']['BatchNorm_0']
    np.testing.assert_allclose(stats['mean'], 0.1 * np.asarray(x).mean((0, 1, 2)), rtol=1e-4, atol=1e-6)


def test_conditional_batch_norm_keeps_float32_statistics_and_starts_plain(key):
    module, x = ConditionalBatchNorm(3), jnp.asarray(samples(4, 2, 2, 3), jnp.bfloat16)
    label = jnp.asarray(LABELS)

    @jax.jit
    def run(key):
        variables = module.init(key, x, label)
        first = module.apply(variables, x, label, mutable=['batch_stats'])
        alone = module.apply(variables, x[:1], label[:1], train=False)
        return first, alone, module.apply(variables, x, label, train=False)

    (y, moved), alone, together = run(key)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(moved)} == {jnp.dtype('float32')}
    np.testing.assert_allclose(np.asarray(y, np.float64), normalized(x), rtol=0.05, atol=0.02)
    np.testing.assert_array_equal(np.asarray(alone, np.float32), np.asarray(together[:1], np.float32))


def pooled_by_two(x):
    return np.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]).max(0)


def test_attention_is_its_formula():
    x = samples(2, 4, 2, 16)
    params, variables = made(SelfAttention(), x)
    p, x64 = exact(params), np.asarray(x, np.float64)
    theta, phi, g = (x64 @ p[name]['kernel'][0, 0] for name in ('theta', 'phi', 'g'))
    phi, g = (pooled_by_two(part).reshape(2, 2, -1) for part in (phi, g))
    scores = theta.reshape(2, 8, -1) @ phi.transpose(0, 2, 1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    expected = x64 + p['gamma'] * ((weights @ g).reshape(2, 4, 2, -1) @ p['out']['kernel'][0, 0])
    np.testing.assert_allclose(jax.jit(SelfAttention().apply)(variables, x), expected, rtol=1e-4, atol=1e-4)
    assert {name: p[name]['kernel'].shape[-1] for name in ('theta', 'phi', 'g', 'out')} == {
        'theta': 2,
        'phi': 2,
        'g': 8,
        'out': 16,
    }


def test_attention_starts_as_the_identity_and_refuses_what_it_cannot_do(key):
    x = samples(1, 2, 2, 8)
    y, _ = jax.jit(SelfAttention().init_with_output)(key, x)
    np.testing.assert_array_equal(y, x)
    for shape in ((1, 2, 2, 4), (1, 3, 2, 8)):
        with pytest.raises(InputError, match=r'self-attention on . features of . x . needs at least 8'):
            jax.eval_shape(SelfAttention().init, key, jnp.zeros(shape))


def test_max_pool_can_be_differentiated_twice():
    x = jnp.asarray(samples(1, 2, 2, 1))
    hessian = jax.jit(jax.hessian(lambda v: jnp.sum(max_pool(v.reshape(x.shape)) ** 2)))(x.reshape(-1))
    expected = np.zeros((4, 4))
    expected[int(jnp.argmax(x)), int(jnp.argmax(x))] = 2.0
    np.testing.assert_allclose(hessian, expected, atol=1e-6)


def linear(layer, x):
    return x @ layer['kernel'] + layer['bias']


def expected_verdict(kind, p, h, labels):
    """(logits, auxiliary) of a head, in float64."""
    logits = linear(p['Dense_0'], h)[:, 0] if kind != 'concatenation' else None
    if kind == 'projection':
        return logits + (h * p['Embed_0']['embedding'][labels]).sum(1), None
    if kind == 'concatenation':
        hidden = linear(p['join'], np.concatenate([h, p['Embed_0']['embedding'][labels]], 1))
        return linear(p['Dense_0'], np.where(hidden > 0, hidden, 0.2 * hidden))[:, 0], None
    if kind == 'auxiliary':
        scores = linear(p['classifier'], h)
        chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        return logits, -np.log(chances[np.arange(len(labels)), labels])
    return logits, expected_d2d(linear(p['embed'], h), p['Embed_0']['embedding'][labels], labels)


def expected_d2d(embedded, proxies, labels, margin=0.98, temperature=0.5):
    """Kang et al. 2021: sample by sample, with the negative margin 1 - 0.98 = 0.02."""
    f = embedded / np.linalg.norm(embedded, axis=1, keepdims=True)
    v = proxies / np.linalg.norm(proxies, axis=1, keepdims=True)
    values = []
    for i in range(len(labels)):
        near = math.exp(min(f[i] @ v[i] - margin, 0.0) / temperature)
        others = [j for j in range(len(labels)) if labels[j] != labels[i]]
        far = sum(math.exp(max(f[i] @ f[j] - (1 - margin), 0.0) / temperature) for j in others)
        values.append(-math.log(near / (near + far)))
    return np.array(values)


@pytest.mark.parametrize('kind', sorted(CONDITIONINGS))
def test_each_head_is_its_formula_with_finite_gradients(kind):
    h = samples(4, 6)
    module = Head(3, kind, embedded=5)
    params, _ = made(module, h, jnp.asarray(LABELS))
    logits, auxiliary = expected_verdict(kind, exact(params), np.asarray(h, np.float64), LABELS)

    def judged(params, h):
        found = module.apply({'params': params}, h, jnp.asarray(LABELS))
        return found if isinstance(found, Verdict) else Verdict(found, None)

    found = jax.jit(judged)(params, h)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-4)
    if auxiliary is None:
        assert found.auxiliary is None
    else:
        np.testing.assert_allclose(found.auxiliary, auxiliary, rtol=1e-4, atol=1e-4)

    @jax.jit
    def gradients(params, h):
        return jax.grad(lambda p, h: sum(jnp.sum(x) for x in judged(p, h) if x is not None), (0, 1))(
            params, h
        )

    for at in (h, jnp.zeros_like(h)):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients(params, at)))


def test_a_head_without_classes_is_linear_and_an_unknown_one_is_refused(key):
    h = samples(4, 6)
    params, variables = made(Head(), h)
    np.testing.assert_allclose(
        Head().apply(variables, h),
        linear(exact(params)['Dense_0'], np.asarray(h))[:, 0],
        rtol=1e-4,
        atol=1e-5,
    )
    with pytest.raises(InputError, match="unknown conditioning 'projektion'; did you mean 'projection'"):
        Head(3, 'projektion').init(key, h, jnp.asarray(LABELS))
    for kind in CONDITIONINGS:
        with pytest.raises(ValueError, match='conditional on 3 classes and was given no label'):
            jax.eval_shape(Head(3, kind).init, key, h)


def test_d2d_cross_entropy_leaves_easy_pairs_alone():
    """A sample at its proxy, orthogonal or opposite to all others: no gradient, and the value log(1 + others)."""
    embedded = jnp.eye(3)
    both = jax.jit(jax.value_and_grad(lambda e, y: jnp.sum(d2d_cross_entropy(e, jnp.eye(3), y))))
    value, gradient = both(embedded, jnp.arange(3))
    np.testing.assert_allclose(gradient, np.zeros((3, 3)), atol=1e-6)
    assert float(value) == pytest.approx(3 * math.log(3))
    assert float(both(embedded, jnp.zeros(3, jnp.int32))[0]) == pytest.approx(0.0, abs=1e-6)


SMALL = {
    'dcgan': lambda **more: DCGANDiscriminator(16, width=2, norm='none', classes=3, **more),
    'r3gan': lambda **more: R3GANDiscriminator(16, widths=(4, 4, 4), groups=(2, 2, 2), classes=3, **more),
}


@pytest.mark.parametrize('kind', sorted(CONDITIONINGS))
@pytest.mark.parametrize('name', sorted(SMALL))
def test_the_older_discriminators_take_every_head(name, kind):
    network = from_linen(SMALL[name](conditioning=kind))
    x, label = jnp.zeros((4, 16, 16, 3)), jnp.asarray(LABELS)
    found = jax.eval_shape(
        lambda key: network.apply(*network.init(key, x, label), x, label)[0], jax.random.key(0)
    )
    module = SMALL[name](conditioning=kind)
    assert isinstance(found, Verdict) == module.returns_auxiliary == (kind in ('auxiliary', 'd2d_ce'))
    assert all(leaf.shape == (4,) and leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(found))
    assert module.mixes_samples == (kind == 'd2d_ce')


def test_dcgan_keeps_its_parameters_names():
    x, label = jnp.zeros((2, 16, 16, 3)), jnp.zeros((2,), jnp.int32)
    params, _ = jax.eval_shape(from_linen(SMALL['dcgan']()).init, jax.random.key(0), x, label)
    shapes = jax.tree.map(lambda leaf: leaf.shape, params)
    assert shapes == {
        'Conv_0': {'kernel': (4, 4, 3, 2), 'bias': (2,)},
        'Conv_1': {'kernel': (4, 4, 2, 4), 'bias': (4,)},
        'Dense_0': {'kernel': (64, 1), 'bias': (1,)},
        'Embed_0': {'embedding': (3, 4)},
    }


REAL, FAKE = Penalty('auxiliary_real'), Penalty('auxiliary_fake')


def config(conditioning, **changes):
    model = DCGAN(norm='none', conditioning=conditioning)
    return dataclasses.replace(Config(), **{'model': model, 'conditional': True, 'penalties': (), **changes})


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (
            config('auxiliary', penalties=(Penalty('r1'),)),
            "model.conditioning auxiliary gives the discriminator a loss of its own, and none of its penalties ['r1'] asks",
        ),
        (config('d2d_ce', g_penalties=(FAKE,)), 'model.conditioning d2d_ce gives the discriminator a loss'),
        (
            config('auxiliary', conditional=False, penalties=(REAL,)),
            'model.conditioning auxiliary needs labels: give --conditional, or take projection',
        ),
        (
            config('d2d_ce', training='one_stage', penalties=(REAL,)),
            'training one_stage needs a discriminator that does not mix samples',
        ),
    ],
    ids=['r1 only', 'generator only', 'unconditional', 'one stage'],
)
def test_an_auxiliary_loss_is_neither_ignored_nor_asked_for_in_vain(given, message):
    with pytest.raises(InputError) as error:
        build.build_recipe(given)
    assert str(error.value).startswith(message)


def test_an_auxiliary_loss_reaches_both_players():
    """Traced: the metrics name it in both phases, and without such a head the penalty says what is missing."""
    model = DCGAN(latent_dim=4, width=2, norm='none', conditioning='auxiliary')
    given = config('auxiliary', model=model, penalties=(REAL, FAKE), g_penalties=(FAKE,))
    batch = {'image': jnp.zeros((4, 16, 16, 3)), 'label': jnp.asarray(LABELS)}

    def traced(model):
        g, d = build.build_networks(model, 16, 3, 3, 'float32')
        recipe = build.build_recipe(given)
        step = build.build_step(given, g, d, recipe)
        return jax.eval_shape(
            lambda key: step(init_state(key, g, d, recipe, batch), batch), jax.random.key(0)
        )

    _, metrics = traced(model)
    assert {'d/auxiliary_real', 'd/auxiliary_fake', 'g/auxiliary_fake'} <= set(metrics)
    with pytest.raises(InputError, match="give it conditioning 'auxiliary' or 'd2d_ce'"):
        traced(dataclasses.replace(model, conditioning='projection'))


def test_one_stage_training_takes_a_verdict(key):
    """Its check for mixing differentiates the logits, and the auxiliary loss comes by the penalties."""

    def judge(params, x, label):
        logits = jnp.tanh(x) @ params['w']
        return Verdict(logits, logits**2)

    d = from_functions(lambda key, x, label: {'w': jax.random.normal(key, (2,))}, judge)
    assert not mixes_samples(d, points(key, 4)['image'])
    g, _ = pair()
    asked = recipe(d_regularizers=(Regularizer(auxiliary_real),))
    step = make_one_stage_step(g, d, asked)
    batch = points(key, 4)
    _, metrics = jax.eval_shape(lambda key: step(init_state(key, g, d, asked, batch), batch), key)
    assert 'd/auxiliary_real' in metrics


def test_an_auxiliary_classifier_learns_its_labels(key):
    """Some steps on features that show their labels bring the cross-entropy below that of guessing."""
    h = jax.nn.one_hot(jnp.asarray(LABELS), 3)
    module = Head(3, 'auxiliary', nn.initializers.zeros)
    params = module.init(key, h, jnp.asarray(LABELS))

    def loss(params):
        return jnp.mean(module.apply(params, h, jnp.asarray(LABELS)).auxiliary)

    assert float(loss(params)) == pytest.approx(math.log(3))
    descend = jax.jit(lambda params: jax.tree.map(lambda p, g: p - g, params, jax.grad(loss)(params)))
    for _ in range(20):
        params = descend(params)
    assert float(loss(params)) < 0.3


def test_r3gan_keeps_the_papers_projection():
    """Without classes or with the paper's projection there is no term without the label and no bias."""
    x, label = jnp.zeros((2, 16, 16, 3)), jnp.zeros((2,), jnp.int32)
    params, _ = jax.eval_shape(from_linen(SMALL['r3gan']()).init, jax.random.key(0), x, label)
    assert 'head' not in params and set(params['logit']) == {'kernel'}
    assert build.mixes_samples(R3GAN(conditioning='d2d_ce'), True)
    assert not build.mixes_samples(R3GAN(conditioning='d2d_ce'), False)
