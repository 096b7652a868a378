"""SNGAN and BigGAN: published and derived parameter counts, shapes at every size, blocks and wiring against NumPy."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import build
from jaxgan.errors import InputError
from jaxgan.modelconfig import SNGAN, BigGAN, BigGANDeep
from jaxgan.models import (
    BigGANDeepDiscriminator,
    BigGANDeepGenerator,
    BigGANDiscriminator,
    BigGANGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
)
from jaxgan.models.biggan_deep import DeepDownBlock, DeepUpBlock
from jaxgan.models.resblocks import DownBlock, UpBlock, average_pool, upsample
from jaxgan.networks import from_linen

pytestmark = pytest.mark.slow  # networks beyond the default; the battery has them all in short


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def parameters(model, size, classes, dtype='float32'):
    """Numbers of parameters of a configured pair, without making any; what it makes has the right shapes."""
    card = build.architecture(model, size, 3, classes, dtype)
    label = jnp.zeros((2,), jnp.int32) if classes else None
    counts = []
    for player, given, made in (
        (0, (2, model.latent_dim), (2, size, size, 3)),
        (1, (2, size, size, 3), (2,)),
    ):
        module, inputs = build._module(card, player), jax.ShapeDtypeStruct(given, jnp.float32)
        output, variables = jax.eval_shape(module.init_with_output, jax.random.key(0), inputs, label)
        assert (output.shape, output.dtype) == (made, jnp.float32)
        counts.append(count(variables['params']))
    return tuple(counts)


def conv(side, inputs, outputs, bias=True):
    return side * side * inputs * outputs + bias * outputs


def attention(features):
    """theta and phi: an eighth, g: half, back: all, without biases; gamma."""
    return 2 * features * features // 8 + 2 * features * features // 2 + 1


def up_block(inputs, outputs, condition):
    """Two conditional normalizations (gains and biases linear in the condition), 3x3 and 3x3, 1x1 shortcut."""
    norms = 2 * condition * inputs + 2 * condition * outputs
    return norms + conv(3, inputs, outputs) + conv(3, outputs, outputs) + conv(1, inputs, outputs)


def down_block(inputs, hidden, outputs, down):
    shortcut = conv(1, inputs, outputs) if down or inputs != outputs else 0
    return conv(3, inputs, hidden) + conv(3, hidden, outputs) + shortcut


def image_layer(features):
    return 2 * features + conv(3, features, 3)


def test_biggan_128_has_the_published_number_of_parameters():
    """Brock et al. 2018, appendix B: 70.4M and 88.0M with ch = 96; table 4 layer by layer."""
    ch, chunk, shared, classes = 96, 20, 128, 1000
    widths = [16 * ch, 16 * ch, 8 * ch, 4 * ch, 2 * ch, ch]
    g = classes * shared + (chunk + 1) * 16 * widths[0]
    g += sum(up_block(a, b, shared + chunk) for a, b in itertools.pairwise(widths))
    g += attention(2 * ch) + image_layer(ch)
    widths = [3, ch, 2 * ch, 4 * ch, 8 * ch, 16 * ch, 16 * ch]
    d = sum(down_block(a, b, b, i < 5) for i, (a, b) in enumerate(itertools.pairwise(widths)))
    d += attention(ch) + 16 * ch + 1 + classes * 16 * ch
    assert parameters(BigGAN(), 128, classes) == (g, d) == (70_433_988, 87_982_370)
    assert (round(g / 1e6, 1), round(d / 1e6, 1)) == (70.4, 88.0)


def deep_up(inputs, outputs, condition):
    hidden = inputs // 4
    norms = 2 * condition * (inputs + 3 * hidden)
    return norms + conv(1, inputs, hidden) + 2 * conv(3, hidden, hidden) + conv(1, hidden, outputs)


def deep_down(inputs, outputs):
    hidden = outputs // 4
    others = conv(1, inputs, outputs - inputs) if outputs > inputs else 0
    return conv(1, inputs, hidden) + 2 * conv(3, hidden, hidden) + conv(1, hidden, outputs) + others


def test_biggan_deep_128_has_the_published_number_of_parameters():
    """Brock et al. 2018, appendix B: 50.4M and 34.6M with ch = 128; table 7 layer by layer.

    The released generator's last convolution has ch outputs, of which the first three are the image; the table has
    three. The published total counts the others too.
    """
    ch, condition, classes = 128, 128 + 128, 1000
    widths = [16 * ch, 16 * ch, 8 * ch, 4 * ch, 2 * ch, ch]
    g = classes * 128 + (condition + 1) * 16 * widths[0]
    g += sum(deep_up(a, a, condition) + deep_up(a, b, condition) for a, b in itertools.pairwise(widths))
    g += attention(2 * ch) + image_layer(ch)
    widths = [ch, 2 * ch, 4 * ch, 8 * ch, 16 * ch, 16 * ch]
    d = conv(3, 3, ch) + sum(deep_down(a, b) + deep_down(b, b) for a, b in itertools.pairwise(widths))
    d += attention(2 * ch) + 16 * ch + 1 + classes * 16 * ch
    assert parameters(BigGANDeep(), 128, classes) == (g, d) == (50_244_484, 34_590_210)
    unused = conv(3, ch, ch - 3)
    assert (round((g + unused) / 1e6, 1), round(d / 1e6, 1)) == (50.4, 34.6)


@pytest.mark.parametrize(
    ('size', 'published'), [(256, 55.9), pytest.param(512, 56.2, marks=pytest.mark.slow)]
)
def test_the_larger_biggan_deep_generators_have_the_released_number_of_parameters(size, published):
    g, _ = parameters(BigGANDeep(), size, 1000)
    assert round((g + conv(3, 128, 125)) / 1e6, 1) == published


def test_sngan_32_has_the_papers_layers():
    """Miyato et al. 2018, table 4: 4x4x256 and three blocks of 256; 128, 128 halving, 128, 128 not."""
    g = 129 * 16 * 256 + 3 * (up_block(256, 256, 1)) + image_layer(256)
    d = down_block(3, 128, 128, True) + down_block(128, 128, 128, True) + 2 * down_block(128, 128, 128, False)
    assert parameters(SNGAN(), 32, 0) == (g, d + 129)
    conditional = 129 * 16 * 256 + 3 * (up_block(256, 256, 10)) + image_layer(256), d + 129 + 10 * 128
    assert parameters(SNGAN(), 32, 10) == conditional


@pytest.mark.parametrize(
    ('size', 'g_widths', 'd_widths', 'downs'),
    [
        (48, (6, 512, 256, 128, 64), (64, 128, 256, 512, 1024), 4),
        (64, (4, 1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024), 5),
        (128, (4, 1024, 1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024, 1024), 5),
    ],
)
def test_larger_sngans_have_the_papers_layers(size, g_widths, d_widths, downs):
    side, *widths = g_widths
    g = 129 * side * side * widths[0] + sum(up_block(a, b, 1) for a, b in itertools.pairwise(widths))
    inputs = (3, *d_widths[:-1])
    d = sum(down_block(a, a if i else b, b, i < downs) for i, (a, b) in enumerate(zip(inputs, d_widths)))
    assert parameters(SNGAN(), size, 0) == (g + image_layer(64), d + 1025)


CIFAR = {  # SPECS of the public CIFAR-10 runs: (model, widths of G's blocks, of D's blocks)
    'cifar10_biggan': (BigGAN(80, 96, attention=(16,)), 384, 192),
    'small batches': (
        BigGAN(128, 64, 128, (), None, False, 'normal'),
        256,
        256,
    ),
}


@pytest.mark.parametrize('name', sorted(CIFAR))
def test_the_cifar_variants_have_their_widths(name):
    model, g_width, d_width = CIFAR[name]
    hierarchical, classes = model.hierarchical, 10
    condition = 128 + 20 if hierarchical else classes
    g = classes * 128 * hierarchical + (21 if hierarchical else 129) * 16 * g_width
    g += 3 * up_block(g_width, g_width, condition) + image_layer(g_width)
    d = down_block(3, d_width, d_width, True) + down_block(d_width, d_width, d_width, True)
    d += 2 * down_block(d_width, d_width, d_width, False) + d_width * (1 + classes) + 1
    if hierarchical:
        g, d = g + attention(g_width), d + attention(d_width)
    assert parameters(model, 32, classes) == (g, d)


OTHERS = [  # sizes that no other test here makes, and bfloat16
    (SNGAN(8, 8, conditioning='concatenation'), 32),
    (BigGAN(8, 8, attention=(8, 16)), 32),
    (BigGAN(10, 8, attention=(32,)), 64),
    (BigGAN(14, 8), 256),
    (BigGAN(16, 8), 512),
    (BigGANDeep(8, 8, attention=(16,)), 32),
    (BigGANDeep(8, 8, attention=(32,)), 64),
]


@pytest.mark.slow
@pytest.mark.parametrize(('model', 'size'), OTHERS)
def test_the_other_sizes_map_latents_to_images_to_logits(model, size):
    unconditional = parameters(model, size, 0, 'bfloat16')
    if size == 32:
        conditional = parameters(model, size, 3, 'bfloat16')
        assert all(more > fewer for more, fewer in zip(conditional, unconditional))


TINY = {
    'sngan': (SNGANGenerator(32, width=2, classes=3), SNGANDiscriminator(32, width=2, classes=3)),
    'biggan': (
        BigGANGenerator(32, width=2, attention=(8,), shared=4, classes=3),
        BigGANDiscriminator(32, width=4, attention=(8,), classes=3),
    ),
    'biggan_deep': (
        BigGANDeepGenerator(32, width=2, attention=(8,), shared=4, classes=3),
        BigGANDeepDiscriminator(32, width=2, attention=(8,), classes=3),
    ),
}


def moved(leaf):
    """Away from the zeros of the initialization, behind which attention's projections would be silent."""
    return leaf + 0.1 * jnp.sin(jnp.arange(1, leaf.size + 1, dtype=jnp.float32)).reshape(leaf.shape)


@pytest.mark.slow
@pytest.mark.parametrize('kind', sorted(TINY))
def test_gradients_are_finite_and_reach_every_parameter(kind, key):
    """Through D into G at once."""
    g, d = (from_linen(module) for module in TINY[kind])
    z, label = jax.random.normal(key, (4, 8)), jnp.array([0, 1, 2, 1])

    @jax.jit
    def gradients(key):
        params, g_aux = g.init(key, z, label)
        d_params, d_aux = d.init(key, jnp.zeros((4, 32, 32, 3)), label)
        both = jax.tree.map(moved, (params, d_params))

        def total(both):
            fake, _ = g.apply(both[0], g_aux, z, label)
            return jnp.sum(jnp.tanh(d.apply(both[1], d_aux, fake, label)[0]))

        return jax.grad(total)(both)

    found = jax.tree.leaves_with_path(gradients(key))
    assert all(np.isfinite(leaf).all() for _, leaf in found)
    silent = [jax.tree_util.keystr(path) for path, leaf in found if not np.any(leaf)]
    assert silent == []


def exact_conv(x, layer):
    kernel, bias = (np.asarray(layer[name], np.float64) for name in ('kernel', 'bias'))
    k = kernel.shape[0] // 2
    padded, out = np.pad(x, ((0, 0), (k, k), (k, k), (0, 0))), np.zeros(())
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            out = out + padded[:, i : i + x.shape[1], j : j + x.shape[2]] @ kernel[i, j]
    return out + bias


def exact_norm(x, layer, condition):
    x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    gain, bias = (condition @ np.asarray(layer[name]['kernel'], np.float64) for name in ('gain', 'bias'))
    return x * (1 + gain[:, None, None]) + bias[:, None, None]


def relu(x):
    return np.maximum(x, 0)


def twice(x):
    return x.repeat(2, 1).repeat(2, 2)


def halved(x):
    return sum(x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4


def run_block(module, x, *conditions):
    """Apply a block with random parameters; return them in float64 with the result."""
    inputs = tuple(jnp.asarray(value, jnp.float32) for value in (x, *conditions))
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)['params']
    rng = np.random.default_rng(3)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), shapes)
    apply = jax.jit(lambda params: module.apply({'params': params}, *inputs, mutable=['batch_stats'])[0])
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params), apply(params)


def normal(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32).astype(np.float64)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_the_up_block_is_its_formula():
    """As published: the shortcut is convolved after its up-sampling, which gives the same."""
    x, c = normal(2, 2, 2, 4), normal(2, 3)
    p, y = run_block(UpBlock(5), x, c)
    h = exact_conv(twice(relu(exact_norm(x, p['ConditionalBatchNorm_0'], c))), p['Conv_0'])
    h = exact_conv(relu(exact_norm(h, p['ConditionalBatchNorm_1'], c)), p['Conv_1'])
    close(y, h + exact_conv(twice(x), p['Conv_2']))


@pytest.mark.parametrize(
    ('features', 'down', 'first'), [(5, True, True), (5, True, False), (5, False, False), (4, False, False)]
)
def test_the_down_block_is_its_formula(features, down, first):
    """As published: inner blocks pool their shortcut after its convolution, which gives the same."""
    x = normal(2, 4, 4, 4)
    p, y = run_block(DownBlock(features, 3, down, first), x)
    h = exact_conv(relu(exact_conv(x if first else relu(x), p['Conv_0'])), p['Conv_1'])
    shortcut = exact_conv(x, p['Conv_2']) if down or features != 4 else x
    assert ('Conv_2' in p) == (down or features != 4)
    close(y, halved(h) + halved(shortcut) if down else h + shortcut)


@pytest.mark.parametrize(('features', 'up'), [(8, False), (4, True)])
def test_the_deep_up_block_is_its_formula(features, up):
    x, c = normal(2, 2, 2, 8), normal(2, 3)
    p, y = run_block(DeepUpBlock(features, up, jax.nn.initializers.zeros), x, c)
    resize = twice if up else lambda x: x
    h = x
    for i in range(4):
        h = relu(exact_norm(h, p[f'ConditionalBatchNorm_{i}'], c))
        h = exact_conv(resize(h) if i == 1 else h, p[f'Conv_{i}'])
    close(y, h + resize(x[..., :features]))


@pytest.mark.parametrize(('features', 'down'), [(8, False), (12, True)])
def test_the_deep_down_block_is_its_formula(features, down):
    x = normal(2, 4, 4, 8)
    p, y = run_block(DeepDownBlock(features, down, jax.nn.initializers.zeros), x)
    resize = halved if down else lambda x: x
    h = x
    for i in range(3):
        h = exact_conv(relu(h), p[f'Conv_{i}'])
    h, shortcut = exact_conv(resize(relu(h)), p['Conv_3']), resize(x)
    if features > 8:
        shortcut = np.concatenate([shortcut, exact_conv(shortcut, p['Conv_4'])], axis=-1)
    close(y, h + shortcut)


def test_resampling_repeats_and_averages():
    x = jnp.asarray(normal(1, 2, 4, 3), jnp.float32)
    np.testing.assert_array_equal(upsample(x), twice(np.asarray(x)))
    np.testing.assert_allclose(average_pool(x), halved(np.asarray(x)), rtol=1e-6)


def test_each_part_of_a_latent_reaches_its_own_block():
    """By shapes: the linear layer sees one part of four, each normalization the shared embedding and one part."""
    g = BigGANGenerator(32, width=8, attention=(16,), shared=4, classes=3)
    shapes, _ = jax.eval_shape(
        from_linen(g).init, jax.random.key(0), jnp.zeros((2, 20)), jnp.zeros((2,), jnp.int32)
    )
    assert shapes['Dense_0']['kernel'].shape == (5, 16 * 32)
    for i in range(3):
        assert shapes[f'UpBlock_{i}']['ConditionalBatchNorm_0']['gain']['kernel'].shape == (4 + 5, 32)


def test_kernels_start_orthogonal(key):
    """Rows or columns of the flattened kernel are orthonormal."""
    kernel = np.asarray(
        jax.jit(UpBlock(4).init)(key, jnp.zeros((1, 2, 2, 3)))['params']['Conv_0']['kernel'], np.float64
    ).reshape(-1, 4)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(4), atol=1e-5)


@pytest.mark.parametrize(
    ('model', 'size', 'classes', 'message'),
    [
        (SNGAN(), 256, 0, 'image size 256 must be one of [32, 48, 64, 128] for SNGAN; give --data.size'),
        (
            BigGAN(),
            48,
            0,
            'image size 48 must be one of [32, 64, 128, 256, 512] for BigGAN; give --data.size',
        ),
        (BigGANDeep(), 16, 0, 'image size 16 must be one of [32, 64, 128, 256, 512] for BigGAN'),
        (BigGAN(), 32, 0, 'model.attention (64,) must be among the sides [8, 16] of images of 32'),
        (BigGAN(100), 128, 0, 'model.latent_dim 100 must be a multiple of 6: a part for the linear layer'),
        (BigGAN(shared=None), 128, 5, 'model.shared None needs --model.no-hierarchical'),
    ],
)
def test_what_an_architecture_cannot_make_is_refused(model, size, classes, message):
    g, _ = build.build_networks(model, size, 3, classes, 'float32')
    label = jnp.zeros((1,), jnp.int32) if classes else None
    with pytest.raises(InputError) as error:
        jax.eval_shape(g.init, jax.random.key(0), jnp.zeros((1, model.latent_dim)), label)
    assert str(error.value).startswith(message)
