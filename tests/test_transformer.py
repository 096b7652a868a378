"""The transformer pair: attention, normalization and modulation against NumPy; the paper's sizes by derived counts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.modelconfig import TRANSFORMERS
from jaxgan.models.transformer import (
    Attention,
    ModulatedBlock,
    ScaledBlock,
    TransformerDiscriminator,
    TransformerGenerator,
    join_patches,
    rms_norm,
    sinusoids,
    split_patches,
)
from jaxgan.networks import from_linen

pytestmark = pytest.mark.slow  # networks beyond the default; the battery has them all in short

TINY = {'size': 16, 'patch': 4, 'width': 16, 'depth': 1, 'heads': 2}


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def float64(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def random_like(tree):
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape), jnp.float32), tree)


def rms(x):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)


def attend(p, x, heads):
    """Head by head and token by token."""
    qkv = x @ p['qkv']['kernel'] + p['qkv']['bias']
    d, out = x.shape[-1] // heads, np.zeros_like(x)
    q, k, v = np.split(qkv, 3, axis=-1)
    for b in range(x.shape[0]):
        for head in range(heads):
            own = slice(head * d, (head + 1) * d)
            for t in range(x.shape[1]):
                weights = np.exp(k[b, :, own] @ q[b, t, own] / math.sqrt(d))
                out[b, t, own] = weights @ v[b, :, own] / weights.sum()
    return out @ p['out']['kernel'] + p['out']['bias']


def gated(p, x):
    a, b = np.split(x @ p['in']['kernel'] + p['in']['bias'], 2, axis=-1)
    return (a / (1 + np.exp(-a)) * b) @ p['out']['kernel'] + p['out']['bias']


def test_attention_is_its_formula(key):
    x = jax.random.normal(key, (2, 5, 8))
    module = Attention(2)
    params = jax.jit(module.init)(key, x)['params']
    expected = attend(float64(params), np.asarray(x, np.float64), 2)
    np.testing.assert_allclose(jax.jit(module.apply)({'params': params}, x), expected, rtol=1e-4, atol=1e-5)


def test_a_modulated_block_is_its_formula(key):
    x, style = jax.random.normal(key, (2, 5, 8)), jax.random.normal(jax.random.key(1), (2, 6))
    block = ModulatedBlock(2)
    params = random_like(jax.jit(block.init)(key, x, style)['params'])
    p, y = float64(params), np.asarray(x, np.float64)
    modulation = np.asarray(style, np.float64) @ p['modulation']['kernel'] + p['modulation']['bias']
    scale_1, gate_1, scale_2, gate_2 = np.split(modulation[:, None], 4, axis=-1)
    y = y + gate_1 * attend(p['attention'], rms(y) * (1 + scale_1), 2)
    y = y + gate_2 * gated(p['swiglu'], rms(y) * (1 + scale_2))
    np.testing.assert_allclose(jax.jit(block.apply)({'params': params}, x, style), y, rtol=1e-3, atol=1e-3)


def test_a_scaled_block_is_its_formula_and_starts_near_the_identity(key):
    x = jax.random.normal(key, (2, 5, 8))
    block = ScaledBlock(2)
    params = jax.jit(block.init)(key, x)['params']
    np.testing.assert_array_equal(params['scale_1'], np.full(8, 0.1, np.float32))
    p, y = float64(random_like(params)), np.asarray(x, np.float64)
    y = y + p['scale_1'] * attend(p['attention'], rms(y) * p['norm_1']['scale'], 2)
    y = y + p['scale_2'] * gated(p['swiglu'], rms(y) * p['norm_2']['scale'])
    found = jax.jit(block.apply)({'params': jax.tree.map(jnp.float32, p)}, x)
    np.testing.assert_allclose(found, y, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_modulation_at_initialization(key):
    """Its kernel has a tenth of the usual scale and no bias, so gates start near 0; at 0 a block is the identity."""
    x, style = jax.random.normal(key, (4, 3, 64)), jax.random.normal(jax.random.key(1), (4, 256))
    block = ModulatedBlock(4)
    params = jax.jit(block.init)(key, x, style)['params']
    apply = jax.jit(block.apply)
    assert float(params['modulation']['kernel'].std()) == pytest.approx(0.1 / 16, rel=0.02)
    assert (params['modulation']['bias'] == 0).all()
    changed = apply({'params': params}, x, style) - x
    assert 0 < float(changed.std()) < 0.3
    closed = {**params, 'modulation': jax.tree.map(jnp.zeros_like, params['modulation'])}
    np.testing.assert_array_equal(apply({'params': closed}, x, style), x)


def test_rms_norm():
    x = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    np.testing.assert_allclose(rms_norm(x), rms(x), rtol=1e-5)
    assert rms_norm(jnp.ones((2, 4), jnp.bfloat16)).dtype == jnp.bfloat16


def test_patches_hold_their_pixels_and_join_again():
    x = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    patches = split_patches(jnp.asarray(x), 2)
    np.testing.assert_array_equal(patches[1, 3], x[1, 2:, 2:].ravel())
    np.testing.assert_array_equal(patches[0, 1], x[0, :2, 2:].ravel())
    np.testing.assert_array_equal(join_patches(patches, 2), x)


def test_positions_start_as_sinusoids():
    table = sinusoids(3, 8)
    row, column = 2, 1
    expected = [
        f(v * 10_000 ** (-i / 2)) for v in (row, column) for f in (math.sin, math.cos) for i in (0, 1)
    ]
    np.testing.assert_allclose(table[3 * row + column], expected, rtol=1e-6)
    assert len(np.unique(table, axis=0)) == 9


def expected_counts(width, depth, size=32, patch=2, channels=3, z=64):
    tokens, values, hidden = (size // patch) ** 2, patch**2 * channels, 8 * width // 3
    block = 3 * width * (width + 1) + width * (width + 1) + 2 * hidden * (width + 1) + width * (hidden + 1)
    square = width * (width + 1)
    g = (
        width * (z + 1)
        + square
        + tokens * width
        + depth * (block + 4 * square)
        + square
        + values * (width + 1)
    )
    d = width * (values + 1) + tokens * width + width + depth * (block + 4 * width) + width + width + 1
    return g, d


@pytest.mark.parametrize(
    ('name', 'millions'),
    [
        ('S', (28.8, 21.4)),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [('B', (114.8, 85.3)), ('L', (405.4, 302.6)), ('XL', (598.0, 446.7))]
        ),
    ],
)
def test_the_papers_sizes_by_their_counts(name, millions, key):
    model = TRANSFORMERS[name]
    options = {'size': 32, 'width': model.width, 'depth': model.depth, 'heads': model.heads}
    inputs = (TransformerGenerator, jnp.zeros((1, 64))), (TransformerDiscriminator, jnp.zeros((1, 32, 32, 3)))
    found = [
        count(jax.eval_shape(from_linen(module(**options)).init, key, x, None)[0]) for module, x in inputs
    ]
    assert tuple(found) == expected_counts(model.width, model.depth)
    assert [round(n / 1e6, 1) for n in found] == list(millions)


@pytest.mark.slow
@pytest.mark.parametrize('classes', [0, pytest.param(3, marks=pytest.mark.slow)])
def test_a_pair_maps_latents_to_images_to_logits(classes, key):
    g = from_linen(TransformerGenerator(**TINY, classes=classes))
    d = from_linen(TransformerDiscriminator(**TINY, classes=classes))
    z, label = jax.random.normal(key, (4, 8)), jnp.array([0, 1, 2, 1]) if classes else None

    @jax.jit
    def run(key):
        fake = g.infer(*g.init(key, z, label), z, label)
        params, aux = d.init(key, fake, label)

        def gradient(x):
            return jax.grad(lambda x: jnp.sum(d.infer(params, aux, x, label)))(x)

        twice = jax.grad(lambda x: jnp.sum(jnp.square(gradient(x))))(fake)
        return (
            fake,
            d.infer(params, aux, fake, label),
            d.infer(params, aux, fake[:1], None if label is None else label[:1]),
            twice,
        )

    fake, logits, alone, twice = run(key)
    assert fake.shape == (4, 16, 16, 3)
    assert logits.shape == (4,)
    assert np.ptp(fake, axis=0).max() > 1e-2  # different latents, different images
    assert np.isfinite(logits).all()
    assert np.isfinite(twice).all() and float(jnp.abs(twice).max()) > 0
    np.testing.assert_allclose(logits[:1], alone, rtol=1e-4, atol=1e-5)  # samples do not mix


@pytest.mark.slow
@pytest.mark.parametrize('module', [TransformerGenerator, TransformerDiscriminator])
def test_bfloat16_and_rematerialization_give_nearly_the_same(module, key):
    shape = (2, 8) if module is TransformerGenerator else (2, 16, 16, 3)
    inputs = jax.random.normal(key, shape)
    full, again, half = (
        from_linen(module(**TINY, **changes)) for changes in ({}, {'remat': True}, {'dtype': jnp.bfloat16})
    )
    shapes = [jax.eval_shape(net.init, key, inputs, None) for net in (full, again, half)]
    assert shapes[0] == shapes[1] == shapes[2]  # one tree of parameters, float32

    @jax.jit
    def run(key):
        params, aux = full.init(key, inputs, None)
        return [net.infer(params, aux, inputs, None) for net in (full, again, half)]

    found, same, low = run(key)
    np.testing.assert_allclose(found, same, rtol=1e-5, atol=1e-6)
    assert low.dtype == jnp.float32
    assert float(jnp.abs(low - found).max() / jnp.abs(found).max()) < 0.1


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'size': 15}, 'model.patch 4 does not divide the image size 15'),
        ({'heads': 3}, 'model.width 16 must be a multiple of 4 and of model.heads 3'),
        ({'width': 18}, 'model.width 18 must be a multiple of 4 and of model.heads 2'),
    ],
)
def test_what_does_not_divide_is_refused(changes, message, key):
    with pytest.raises(InputError, match=message):
        jax.eval_shape(from_linen(TransformerGenerator(**TINY | changes)).init, key, jnp.zeros((1, 8)), None)
