"""Networks: published parameter counts, initialization, shapes, labels, dtypes, resampling and Flax's parameters."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import DCGANDiscriminator, DCGANGenerator, R3GANDiscriminator, R3GANGenerator
from jaxgan.models.layers import Conv, ConvTranspose, Dense, leaky_gain, resolutions
from jaxgan.models.r3gan import R3GANBlock
from jaxgan.networks import from_linen

PUBLISHED = {  # Huang et al. 2025, table 9: (arguments, generator, discriminator)
    'stacked_mnist': ({'size': 32}, 20_732_160, 20_683_776),
    'cifar10': ({'size': 32, 'classes': 10}, 20_781_952, 21_280_512),
    'ffhq64': (
        {'size': 64, 'widths': (768,) * 4 + (384,), 'groups': (96,) * 4 + (48,)},
        22_429_824,
        22_381_440,
    ),
    'ffhq256': (
        {'size': 256, 'widths': (768,) * 4 + (384, 192, 96), 'groups': (96,) * 4 + (48, 24, 12)},
        23_057_952,
        23_009_568,
    ),
    'imagenet32': (
        {'size': 32, 'widths': (1536,) * 4, 'groups': (96,) * 4, 'classes': 1000},
        82_914_304,
        86_548_992,
    ),
    'imagenet64': (
        {'size': 64, 'widths': (1536,) * 5, 'groups': (96,) * 5, 'classes': 1000},
        103_570_432,
        107_205_120,
    ),
}
SMALL = {'widths': (16, 16, 8), 'groups': (4, 4, 2)}
PAIRS = {
    'dcgan': (DCGANGenerator, DCGANDiscriminator, {'width': 8}),
    'dcgan_plain': (
        DCGANGenerator,
        DCGANDiscriminator,
        {'width': 8, 'norm': 'none', 'output': 'linear', 'refine': 4},
    ),
    'r3gan': (R3GANGenerator, R3GANDiscriminator, SMALL),
}
G_ONLY = {'output'}


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def made(kind, player, **changes):
    generator, discriminator, arguments = PAIRS[kind]
    arguments = {'size': 16} | arguments | changes
    if player == 'd':
        arguments = {name: value for name, value in arguments.items() if name not in G_ONLY}
    return from_linen((generator if player == 'g' else discriminator)(**arguments))


@pytest.mark.parametrize('name', sorted(PUBLISHED))
def test_r3gan_has_the_published_number_of_parameters(name):
    arguments, g_count, d_count = PUBLISHED[name]
    label = jnp.zeros((1,), jnp.int32) if 'classes' in arguments else None
    z, x = jnp.zeros((1, 64)), jnp.zeros((1, arguments['size'], arguments['size'], 3))
    for module, inputs, expected in (
        (R3GANGenerator(**arguments), z, g_count),
        (R3GANDiscriminator(**arguments), x, d_count),
    ):
        params, aux = jax.eval_shape(from_linen(module).init, jax.random.key(0), inputs, label)
        assert count(params) == expected
        assert aux == {}


@pytest.mark.parametrize('size', [16, 32, 128])
def test_dcgan_makes_any_power_of_two(size):
    z = jax.ShapeDtypeStruct((2, 64), jnp.float32)
    g, d = from_linen(DCGANGenerator(size, 1)), from_linen(DCGANDiscriminator(size, 1))
    x, _ = jax.eval_shape(lambda k, z: g.apply(*g.init(k, z, None), z, None), jax.random.key(0), z)
    assert x.shape == (2, size, size, 1)
    y, _ = jax.eval_shape(lambda k, x: d.apply(*d.init(k, x, None), x, None), jax.random.key(0), x)
    assert y.shape == (2,)


def test_dcgan_64_is_the_papers():
    """Radford et al. 2015, figure 1 with a latent of 100: kernels of 4x4 instead of 5x5, widths from 1024 to 3."""
    z = jax.ShapeDtypeStruct((2, 100), jnp.float32)
    params, _ = jax.eval_shape(
        from_linen(DCGANGenerator(64, width=128, max_width=1024)).init, jax.random.key(0), z, None
    )
    kernels = sorted(leaf.shape for path, leaf in jax.tree.leaves_with_path(params) if 'kernel' in str(path))
    assert kernels == [
        (4, 4, 128, 3),
        (4, 4, 256, 128),
        (4, 4, 512, 256),
        (4, 4, 1024, 512),
        (100, 16 * 1024),
    ]


@pytest.mark.parametrize('size', [8, 24, 48])
def test_sizes_that_are_no_power_of_two_are_refused(size):
    with pytest.raises(ValueError, match=f'image size {size} must be a power of two'):
        resolutions(size)


def test_stages_must_match_the_size(key):
    with pytest.raises(ValueError, match=r'widths .* must name 3 stages'):
        made('r3gan', 'g', widths=(8, 8)).init(key, jnp.zeros((1, 8)), None)


def test_a_conditional_network_needs_its_label(key):
    with pytest.raises(ValueError, match='conditional on 3 classes'):
        made('r3gan', 'g', classes=3).init(key, jnp.zeros((1, 8)), None)


def test_r3gan_initialization(key):
    """Fix-up: W3 is 0, W1 and W2 have gain sqrt(2 / 1.04) L^(-1/4), the others 1; so a block starts as the identity."""
    block = R3GANBlock(groups=4, blocks=8)
    x = jax.random.normal(key, (2, 8, 8, 64))
    params = block.init(key, x)['params']
    np.testing.assert_array_equal(block.apply({'params': params}, x), x)
    gain = math.sqrt(2 / 1.04) * 8**-0.25
    for name, fan_in in (('Conv_0', 64), ('Conv_1', 9 * 32)):
        kernel = np.asarray(params[name]['kernel'])
        assert kernel.std() == pytest.approx(gain / math.sqrt(fan_in), rel=0.05)
        assert (np.asarray(params[name]['bias']) == 0).all()
    assert (np.asarray(params['Conv_2']['kernel']) == 0).all()
    assert 'bias' not in params['Conv_2']


def test_r3gan_block_is_its_formula(key):
    """x + W3 a(b2 + W2 * a(b1 + W1 x)) with NumPy loops over groups and taps."""
    block = R3GANBlock(groups=2, blocks=1)
    x = jax.random.normal(key, (1, 4, 4, 4))
    params = block.init(key, x)['params']
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    params = jax.tree.unflatten(tree, [jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves)])
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def act(v):
        return np.where(v > 0, v, 0.2 * v)

    h = act(np.asarray(x, np.float64) @ p['Conv_0']['kernel'][0, 0] + p['Conv_0']['bias'])
    padded, out = np.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0))), np.zeros_like(h)
    for group in range(2):
        own = slice(4 * group, 4 * group + 4)
        for i in range(3):
            for j in range(3):
                out[..., own] += padded[:, i : i + 4, j : j + 4, own] @ p['Conv_1']['kernel'][i, j][:, own]
    expected = np.asarray(x) + act(out + p['Conv_1']['bias']) @ p['Conv_2']['kernel'][0, 0]
    np.testing.assert_allclose(block.apply({'params': params}, x), expected, rtol=1e-4, atol=1e-4)


def test_logits_start_near_unit_scale(key):
    """He initialization keeps the scale through both plain networks, so that penalties start where they should."""
    z, x = jax.random.normal(key, (64, 64)), jax.random.normal(key, (64, 16, 16, 3))
    g, d = made('dcgan_plain', 'g', width=32), made('dcgan_plain', 'd', width=32)
    images, _ = jax.jit(lambda k: g.apply(*g.init(k, z, None), z, None))(key)
    logits, _ = jax.jit(lambda k: d.apply(*d.init(k, x, None), x, None))(key)
    assert 0.2 < float(images.std()) < 2.0
    assert 0.2 < float(logits.std()) < 2.0


PARITY = {
    'conv': (Conv(6, (3, 3)), nn.Conv(6, (3, 3))),
    'conv_stride': (Conv(6, (4, 4), 2, 1), nn.Conv(6, (4, 4), 2, padding=1)),
    'conv_groups': (Conv(6, (3, 3), feature_group_count=2), nn.Conv(6, (3, 3), feature_group_count=2)),
    'transpose': (ConvTranspose(6), nn.ConvTranspose(6, (4, 4), (2, 2), padding='SAME')),
    'dense': (Dense(6), nn.Dense(6)),
}


@pytest.mark.parametrize('name', sorted(PARITY))
def test_layers_exchange_parameters_with_flax(name, key):
    ours, flax = PARITY[name]
    x = jax.random.normal(key, (2, 8, 8, 4))
    variables = flax.init(key, x)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, ours.init(key, x))
    np.testing.assert_allclose(ours.apply(variables, x), flax.apply(variables, x), rtol=1e-4, atol=1e-5)


def test_leaky_gain():
    x = np.random.default_rng(0).normal(size=200_000)
    assert np.mean(np.where(x > 0, x, 0.2 * x) ** 2) * leaky_gain() ** 2 == pytest.approx(1.0, rel=0.02)


@pytest.mark.slow
def test_batch_norm_keeps_running_statistics(key):
    g = made('dcgan', 'g')
    z = jax.random.normal(key, (8, 8))
    params, aux = g.init(key, z, None)
    _, moved = g.apply(params, aux, z, None)
    assert set(aux) == {'batch_stats'}
    changed = [bool((a != b).any()) for a, b in zip(jax.tree.leaves(aux), jax.tree.leaves(moved))]
    assert all(changed)
    one = g.infer(params, moved, z[:1], None)  # running statistics: a sample does not see its neighbours
    np.testing.assert_allclose(g.infer(params, moved, z, None)[:1], one, rtol=1e-4, atol=1e-5)
