"""StyleGAN2: each layer against its formula, styles, noise, truncation, and path lengths against Jacobians."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from runs import make_data, tiny
from toys import mlp, recipe

from jaxgan import build, init_state, make_train_step
from jaxgan.config import Config, PathLength, Penalty, check
from jaxgan.data import open_source
from jaxgan.errors import InputError
from jaxgan.extensions import discriminator_steps, path_length
from jaxgan.extensions.path_length import path_length_phase
from jaxgan.latents import normal, of_keys, styled
from jaxgan.modelconfig import STYLEGAN2, StyleGAN2
from jaxgan.models import StyleGAN2Discriminator, StyleGAN2Generator
from jaxgan.models.equalized import EqualConv, EqualDense, minibatch_deviation, modulated_conv, normalized
from jaxgan.networks import from_linen
from jaxgan.run.trainer import make_trainer
from jaxgan.sampling import make_sampler
from jaxgan.types import Network, StyleLatents

pytestmark = pytest.mark.slow  # networks beyond the default; the battery has them all in short

SMALL = {'size': 8, 'channels': 2, 'channel_base': 64, 'mapping_layers': 2}
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


@pytest.fixture(scope='module')
def made():
    """A small generator for both kinds of latents, compiled once."""
    g = from_linen(StyleGAN2Generator(**SMALL, w_dim=8))
    sampler = styled(6, 0.5)
    params, aux = jax.jit(lambda key: g.init(key, sampler(key, 4), None))(jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # noise strengths begin at 0
    return g, sampler, params, aux, jax.jit(g.apply), jax.jit(g.infer)


def correlate(x, w, stride=1, padding=0):
    return lax.conv_general_dilated(
        x, w, (stride, stride), [(padding, padding)] * 2, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )


def smoothed(w, gain=1.0):
    """A 3x3 kernel, smoothed: the 6x6 kernel of both convolutions together."""
    out = np.zeros((6, 6, *w.shape[2:]), np.float32)
    for i in range(4):
        for j in range(4):
            out[i : i + 3, j : j + 3] += gain * FILTER[i, j].astype(np.float32) * np.asarray(w)
    return jnp.asarray(out)


def spread(x):
    """Zeros between and after the pixels."""
    out = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2], x.shape[3]), np.float32)
    out[:, ::2, ::2] = x
    return jnp.asarray(out)


@pytest.mark.parametrize('up', [False, True])
@pytest.mark.parametrize('demodulate', [True, False])
def test_modulated_convolution_is_one_with_a_kernel_a_sample(up, demodulate, key):
    a, b, c = jax.random.split(key, 3)
    x, w = jax.random.normal(a, (3, 4, 4, 5)), jax.random.normal(b, (3, 3, 5, 2))
    style = 1 + jax.random.normal(c, (3, 5))
    found = modulated_conv(x, w, style, demodulate, up)
    for i in range(3):
        own = np.asarray(w) * np.asarray(style)[i][None, None, :, None]
        if demodulate:
            own = own / np.sqrt((own**2).sum((0, 1, 2)) + 1e-8)
        one = x[i : i + 1]
        # rows of the 6x6 kernel reach 3 before and 2 after an even place
        expected = (
            lax.conv_general_dilated(
                spread(one),
                smoothed(own, 4.0),
                (1, 1),
                [(3, 2)] * 2,
                dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
            )
            if up
            else correlate(one, jnp.asarray(own), padding=1)
        )
        np.testing.assert_allclose(found[i], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_modulated_convolution_below_float32_and_its_gradients(key):
    """Scaling style and kernel first changes neither the result nor a gradient, beyond rounding."""
    a, b, c = jax.random.split(key, 3)
    x, w = jax.random.normal(a, (2, 4, 4, 16)), jax.random.normal(b, (3, 3, 16, 4))
    style = 1 + 0.3 * jax.random.normal(c, (2, 16))

    def loss(dtype, w, style):
        y = modulated_conv(x.astype(dtype), w, style).astype(jnp.float32)
        return jnp.mean(jnp.sin(y) * jnp.arange(4.0)[None, None, None]), y

    @jax.jit
    def both(w, style):
        return [
            jax.value_and_grad(functools.partial(loss, dtype), (0, 1), has_aux=True)(w, style)
            for dtype in (jnp.float32, jnp.bfloat16)
        ]

    full, half = both(w, style)
    for low, high in zip(jax.tree.leaves(half), jax.tree.leaves(full)):
        assert float(jnp.abs(low - high).max()) < 0.05 * float(jnp.abs(high).max()) + 1e-3
    huge = modulated_conv((x * 256).astype(jnp.float16), w * 100, style * 100)
    np.testing.assert_allclose(huge.astype(jnp.float32) / 256, full[0][1], atol=0.05)


@pytest.mark.slow
def test_equalized_layers_scale_their_parameters_when_used(key):
    x = jax.random.normal(key, (2, 8, 8, 50))
    dense = EqualDense(40, activate=True, lr_multiplier=0.01, bias=0.5)
    params = jax.jit(dense.init)(key, x)['params']
    assert float(params['kernel'].std()) == pytest.approx(100, rel=0.05)
    np.testing.assert_allclose(params['bias'], 50.0)
    y = x @ (params['kernel'] * 0.01 / math.sqrt(50)) + 0.5
    np.testing.assert_allclose(
        dense.apply({'params': params}, x), math.sqrt(2) * jnp.where(y > 0, y, 0.2 * y), rtol=1e-4, atol=1e-4
    )
    conv = EqualConv(4, down=True, gain=0.5, clamp=0.3)
    params = jax.jit(conv.init)(key, x)['params']
    assert float(params['kernel'].std()) == pytest.approx(1, rel=0.05)
    y = correlate(x, smoothed(params['kernel'] / math.sqrt(450)), 2, 2)
    expected = 0.5 * jnp.clip(math.sqrt(2) * jnp.where(y > 0, y, 0.2 * y), -0.3, 0.3)
    np.testing.assert_allclose(conv.apply({'params': params}, x), expected, rtol=1e-4, atol=1e-5)
    unit = normalized(x)
    np.testing.assert_allclose(jnp.mean(unit**2, -1), 1.0, rtol=1e-4)


def test_minibatch_deviation_is_its_formula(key):
    x = np.asarray(jax.random.normal(key, (6, 2, 2, 4)))
    found = np.asarray(minibatch_deviation(jnp.asarray(x), 3, 2))
    np.testing.assert_array_equal(found[..., :4], x)
    for i in range(6):
        group = x[i // 3 * 3 : i // 3 * 3 + 3]
        for run in range(2):
            part = group[..., 2 * run : 2 * run + 2]
            expected = np.sqrt(part.var(0) + 1e-8).mean()
            np.testing.assert_allclose(found[i, ..., 4 + run], expected, rtol=1e-5)
    same = minibatch_deviation(jnp.ones((2, 2, 2, 4)), 8)  # a small batch is one group
    np.testing.assert_allclose(same[..., 4], 1e-4, rtol=1e-5)
    with pytest.raises(InputError, match='a batch of 6 does not divide into groups of 4'):
        minibatch_deviation(jnp.asarray(x), 4)
    with pytest.raises(InputError, match='4 features do not divide into 3 runs'):
        minibatch_deviation(jnp.asarray(x), 3, 3)


@pytest.mark.slow
def test_styles_mix_at_the_crossover(made, key):
    g, _, params, aux, *_ = made
    layers = 4
    z, other = normal(6)(key, 6), normal(6)(jax.random.fold_in(key, 1), 6)
    place = jnp.array([0.0, 0.3, 0.34, 0.67, 0.999, 1.0])  # 1 + floor(3 place) layers have z's style
    keys = jax.random.split(key, 6)
    own, second = g.mapping(params, aux, z, None), g.mapping(params, aux, other, None)
    mixed = g.mapping(params, aux, StyleLatents(z, other, place, keys), None)
    assert own.shape == (6, layers, 8)
    for i, first in enumerate([1, 1, 2, 3, 3, 4]):
        np.testing.assert_allclose(mixed[i, :first], own[i, :first], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mixed[i, first:], second[i, first:], rtol=1e-5, atol=1e-6)
        assert first == layers or not np.allclose(own[i, -1], second[i, -1])
    plain = g.mapping(params, aux, StyleLatents(z, None, None, keys), None)
    np.testing.assert_array_equal(plain, own)


@pytest.mark.slow
def test_latents_of_training_extend_those_of_sampling(key):
    """z is the seed's; styles mix with the given probability, anywhere; each sample depends on its own key alone."""
    found = jax.jit(lambda key: styled(6, 0.9)(key, 2000))(key)
    np.testing.assert_array_equal(found.z, normal(6)(key, 2000))
    mixed = np.asarray(found.crossover) < 1
    assert mixed.mean() == pytest.approx(0.9, abs=0.03)
    inner = np.asarray(found.crossover)[mixed]
    np.testing.assert_allclose(np.quantile(inner, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.05)
    assert abs(np.corrcoef(np.asarray(found.z)[:, 0], np.asarray(found.other)[:, 0])[0, 1]) < 0.1
    again = jax.jit(lambda key: of_keys(styled(6, 0.9), key[None]))(jax.random.fold_in(key, 7))
    alone = jax.eval_shape(lambda key: styled(6)(key, 3), key)
    assert (alone.other, alone.crossover, alone.noise.shape) == (None, None, (3,))
    assert again.other.shape == (1, 6)
    with pytest.raises(InputError, match=r'mixing 1\.5 must be in'):
        styled(6, 1.5)


def test_synthesis_of_mapping_is_the_image(made, key):
    g, _, params, aux, _, infer = made
    z = normal(6)(key, 4)
    image = infer(params, aux, z, None)
    assert image.shape == (4, 8, 8, 2)
    split = jax.jit(lambda z: g.synthesis(params, aux, g.mapping(params, aux, z, None)))(z)
    np.testing.assert_allclose(split, image, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_synthesis_sees_the_noise_of_training(made, key):
    g, sampler, params, aux, apply, _ = made
    latents = sampler(key, 4)
    image = jax.jit(lambda x: g.synthesis(params, aux, g.mapping(params, aux, x, None), x))(latents)
    np.testing.assert_allclose(image, apply(params, aux, latents, None)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_noise_is_the_samples_own_and_reproducible(made, key):
    _, _, params, aux, apply, infer = made
    z = jnp.broadcast_to(normal(6)(key, 1), (4, 6))
    keys = jax.random.split(key, 3)[jnp.array([0, 1, 2, 0])]
    images, _ = apply(
        params, aux, StyleLatents(z, z, jnp.ones(4), keys), None
    )  # as for the average: one program
    np.testing.assert_array_equal(images[0], images[3])  # whatever stands beside it
    assert float(jnp.abs(images[0] - images[1]).max()) > 1e-3
    fixed = infer(params, aux, z, None)
    np.testing.assert_array_equal(fixed[0], fixed[1])
    np.testing.assert_array_equal(fixed, infer(params, aux, z, None))
    moved = {**aux, 'noise': jax.tree.map(lambda leaf: leaf + 1, aux['noise'])}
    assert float(jnp.abs(infer(params, moved, z, None) - fixed).max()) > 1e-3


@pytest.mark.slow
def test_only_training_moves_the_average_style(made, key):
    g, sampler, params, aux, apply, _ = made
    np.testing.assert_array_equal(aux['averages']['w'], 0)
    latents = sampler(key, 4)
    expected = np.zeros(8)
    for _ in range(2):
        before = jax.tree.map(np.asarray, aux)
        _, aux = apply(params, aux, latents, None)
        expected = 0.995 * expected + 0.005 * np.asarray(g.mapping(params, aux, latents.z, None))[:, 0].mean(
            0
        )
        np.testing.assert_allclose(aux['averages']['w'], expected, rtol=1e-4)
        jax.tree.map(np.testing.assert_array_equal, aux['noise'], before['noise'])


def counted(name, size, classes=0, **changes):
    model = dataclasses.replace(STYLEGAN2[name], **changes)
    g, d = build.build_networks(model, size, 3, classes, 'bfloat16')
    label = jnp.zeros((4,), jnp.int32) if classes else None
    latents = build.build_training_latents(model)
    made = (
        jax.eval_shape(lambda key: g.init(key, latents(key, 4), label), jax.random.key(0)),
        jax.eval_shape(lambda key: d.init(key, jnp.zeros((4, size, size, 3)), label), jax.random.key(0)),
    )
    return tuple(sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) for params, _ in made)


def test_the_papers_networks_have_the_numbers_of_parameters_that_its_logs_print():
    """StyleGAN2 at 1024: its training logs print G 30,370,060 and D 29,012,513 (also as 30 M in the paper)."""
    assert counted('paper1024', 1024) == (30_370_060, 29_012_513)


def test_the_cifar_networks_have_the_numbers_of_parameters_that_their_description_gives():
    """ADA's CIFAR-10 settings, class-conditional: 512 features everywhere, D without skips, all counted by hand."""
    n, classes = 512, 10
    dense = n * n + n
    embedding = classes * n + n
    mapping = embedding + (2 * n * n + n) + dense
    convs = 7 * (
        9 * n * n + n + dense + 1
    )  # one at 4x4, two at 8, 16 and 32: kernel, bias, style, noise strength
    images = 4 * (3 * n + 3 + dense)
    generator = mapping + 16 * n + convs + images
    blocks = 3 * n + n + 3 * 2 * (9 * n * n + n)  # from RGB; two convolutions at 32, 16 and 8
    end = 9 * (n + 1) * n + n + (16 * n * n + n) + dense
    discriminator = blocks + end + embedding + 8 * dense
    assert counted('cifar', 32, classes) == (generator, discriminator) == (20_215_315, 23_089_664)


@pytest.mark.parametrize('architecture', ['residual', 'skip', 'orig'])
def test_the_discriminators_architectures_have_their_parts(architecture, key):
    d = from_linen(StyleGAN2Discriminator(8, architecture=architecture))
    params, aux = jax.eval_shape(lambda: d.init(key, jnp.zeros((4, 8, 8, 3)), None))
    assert aux == {}
    images = {name for name in params if name.startswith('from_image')}
    assert images == {'from_image_8', *(['from_image_4'] if architecture == 'skip' else [])}
    assert ('skip' in params['block_8']) == (architecture == 'residual')


@pytest.mark.slow
def test_a_logit_depends_on_the_samples_of_its_group(key):
    module = StyleGAN2Discriminator(**SMALL, classes=3, deviation_group=2)
    assert module.mixes_samples
    assert not StyleGAN2Discriminator(8, deviation_group=1).mixes_samples
    d = from_linen(module)
    images, label = jax.random.normal(key, (4, 8, 8, 2)), jnp.array([0, 1, 2, 0])

    @jax.jit
    def run(key, *views):
        params, aux = d.init(key, images, label)
        return [d.infer(params, aux, view, label) for view in views]

    logits, moved = run(key, images, images.at[1].add(1.0))
    assert logits.shape == (4,)
    assert float(moved[0]) != float(logits[0])
    np.testing.assert_allclose(moved[2:], logits[2:], rtol=1e-5)


def warped():
    """A generator with an image of 2x2x1 that is not linear in w, whose w has two layers of 3."""

    def init(key, z, label):
        a, b = jax.random.split(key)
        return {'map': jax.random.normal(a, (4, 3)), 'paint': jax.random.normal(b, (6, 4))}, {}

    def mapping(params, aux, z, label):
        w = jnp.tanh(z @ params['map'])
        return jnp.stack([w, w], axis=1)

    def synthesis(params, aux, w, latents=None):
        return jnp.sin(w.reshape(-1, 6) @ params['paint']).reshape(-1, 2, 2, 1)

    def infer(params, aux, z, label):
        return synthesis(params, aux, mapping(params, aux, z, label))

    return Network(init, lambda p, aux, *inputs: (infer(p, aux, *inputs), aux), infer, mapping, synthesis)


@pytest.fixture(scope='module')
def path_lengths():
    """A phase ``g_path_length`` of that generator, compiled once, and a state and batch for it."""
    g, key = warped(), jax.random.key(1)
    extension = path_length(weight=2.0, every=2, decay=0.25, shrink=4)
    made = recipe(d_regularizers=(), latents=normal(4), extensions=(extension,))
    batch = {'image': jax.random.normal(key, (8, 2, 2, 1))}
    critic = mlp((1,), squeeze=True)
    state = jax.jit(lambda: init_state(key, g, critic, made, batch))()
    assert float(state.extra['path_length']) == 0.0
    usual = {name: lambda state, batch, key: (state, {}) for name in ('d', 'g', 'ema')}
    found = extension.phases(usual, g, critic, made)
    assert list(found) == ['d', 'g', 'g_path_length', 'ema']  # the average is of what G has become
    state = state.replace(extra={'path_length': jnp.float32(0.3)})
    return g, made, state, batch, jax.jit(found['g_path_length'])


@pytest.mark.slow
def test_path_length_is_that_of_the_jacobian_and_takes_a_step_of_its_own(path_lengths, key):
    """From explicit Jacobians: the lengths, the mean that is remembered, and the step down the penalty's gradient."""
    g, _, start, batch, phase = path_lengths
    after, metrics = phase(start, batch, key)

    @jax.jit
    def explicit(params):
        latent_key, noise_key = jax.random.split(key)
        w = g.mapping(params, {}, normal(4)(latent_key, 2), None)
        noise = jnp.stack([jax.random.normal(k, (2, 2, 1)) / 2 for k in jax.random.split(noise_key, 2)])
        jacobian = jax.vmap(jax.jacobian(lambda w: g.synthesis(params, {}, w[None])[0]))(w)
        pulled = jnp.einsum('bhwclk,bhwc->blk', jacobian, noise)  # layers l, values k
        lengths = jnp.sqrt(jnp.mean(jnp.sum(pulled**2, axis=2), axis=1))
        return 2.0 * 2 * jnp.mean((lengths - 0.3) ** 2), jnp.mean(lengths)

    (penalty, length), gradient = jax.value_and_grad(explicit, has_aux=True)(start.g.params)
    assert float(metrics['loss']) == pytest.approx(float(penalty), rel=1e-4)
    assert float(metrics['length']) == pytest.approx(float(length), rel=1e-4)
    mean = 0.3 + 0.25 * (float(length) - 0.3)
    assert float(after.extra['path_length']) == pytest.approx(mean, rel=1e-4)
    for old, new, slope in zip(
        *(jax.tree.leaves(tree) for tree in (start.g.params, after.g.params, gradient))
    ):
        np.testing.assert_allclose((old - new) / 0.05, slope, rtol=1e-2, atol=1e-4)

    between, metrics = phase(start.replace(step=jnp.int32(1)), batch, key)
    assert float(metrics['loss']) == 0.0 and float(metrics['length']) == pytest.approx(0.3)
    jax.tree.map(np.testing.assert_array_equal, (between.g, between.extra), (start.g, start.extra))


@pytest.mark.slow
def test_path_length_of_the_parts_of_a_batch_is_that_of_the_batch(path_lengths, key):
    g, made, state, batch, whole = path_lengths
    parts = jax.jit(path_length_phase(g, made._replace(microbatches=2), 2.0 * 2, 0.25, 4))
    for a, b in zip(*(jax.tree.leaves(phase(state, batch, key)) for phase in (whole, parts))):
        if jnp.issubdtype(a.dtype, jnp.floating):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    odd = path_length_phase(g, made, 2.0, 0.01, 3)
    with pytest.raises(InputError, match='a batch of 8 does not divide by shrink 3'):
        jax.eval_shape(odd, state, batch, key)


def test_with_several_steps_of_the_discriminator_it_sees_as_many_images_as_the_generator(path_lengths, key):
    seen = {}

    def watch(name):
        def phase(state, batch, key):
            seen[name] = batch['image'].shape[0]
            return state, {}

        return phase

    g, made, state, batch, _ = path_lengths
    phases = {name: watch(name) for name in ('d', 'g', 'g_path_length')}
    for name, phase in discriminator_steps(4).phases(phases, g, g, made).items():
        if name != 'd':
            phase(state, batch, key)
    assert seen == {'g': 2, 'g_path_length': 2}


def test_path_length_needs_styles():
    g, d = mlp((4, 2)), mlp((4, 1), squeeze=True)
    with pytest.raises(InputError, match='path_length needs a generator with styles w'):
        make_train_step(g, d, recipe(extensions=(path_length(),)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'every': 0}, 'path_length.every 0 must be at least 1'),
        ({'weight': -1.0}, r'path_length.weight \(-1.0,\) must be finite'),
        ({'decay': 0.0}, r'path_length.decay 0.0 must be in \(0, 1\]'),
    ],
)
def test_values_of_path_length_that_make_no_sense_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        check(dataclasses.replace(Config(), path_length=PathLength(**change)))


def small_run(key):
    """A configuration, its recipe with plain gradient steps, its networks at 8x8, and a batch."""
    model = StyleGAN2(
        latent_dim=6, w_dim=8, mapping_layers=1, d_mapping_layers=1, channel_base=32, d_deviation_group=2
    )
    config = dataclasses.replace(
        Config(), model=model, path_length=PathLength(2.0), penalties=(), loss='non_saturating'
    )
    made = build.build_recipe(config)._replace(g_tx=optax.sgd(0.01), d_tx=optax.sgd(0.01))
    batch = {'image': jax.random.normal(key, (4, 8, 8, 1)), 'label': jnp.array([0, 1, 1, 0])}
    return config, made, build.build_networks(model, 8, 1, 2, 'float32'), batch


@pytest.mark.slow
def test_build_makes_what_a_configuration_asks_for(key):
    """Training draws styles and noise, sampling does not, though from the same z."""
    config, made, (g, d), batch = small_run(key)
    assert made.per_sample is False
    drawn = jax.eval_shape(lambda key: made.latents(key, 2), key)
    assert (drawn.z.shape, drawn.other.shape) == ((2, 6), (2, 6))
    sampled = jax.eval_shape(lambda key: build.build_latents(config.model)(key, 2), key)
    assert sampled.shape == (2, 6)
    state = jax.eval_shape(lambda: init_state(key, g, d, made, batch))
    after, metrics = jax.eval_shape(build.build_step(config, g, d, made), state, batch)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
    assert {'g_path_length/loss', 'g_path_length/length'} <= set(metrics)


@pytest.mark.slow
def test_a_step_moves_every_parameter(key):
    config, made, (g, d), batch = small_run(key)
    state = jax.jit(lambda: init_state(key, g, d, made, batch))()
    after, metrics = jax.jit(build.build_step(config, g, d, made))(state, batch)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((after.g, after.d, after.g_ema, metrics)))
    still = {
        jax.tree_util.keystr(path)
        for (path, a), b in zip(
            jax.tree.leaves_with_path((state.g.params, state.d.params)),
            jax.tree.leaves((after.g.params, after.d.params)),
        )
        if np.array_equal(a, b)
    }
    assert still == set()
    assert float(metrics['g_path_length/loss']) > 0
    assert float(jnp.abs(after.g_ema.aux['averages']['w']).max()) > 0


@pytest.mark.slow
def test_a_run_trains_and_its_grid_is_what_its_seeds_give(tmp_path):
    """Through data, loop, checkpoint and sampling: the grid is of plain latents, without noise drawn anew."""
    model = StyleGAN2(
        latent_dim=6, w_dim=8, mapping_layers=1, d_mapping_layers=1, channel_base=64, d_deviation_group=2
    )
    config = tiny(
        make_data(tmp_path),
        model=model,
        penalties=(Penalty('r1', (0.1, 0.1), 2),),
        loss='non_saturating',
        path_length=PathLength(2.0),
        dtype='bfloat16',
    )
    trainer = make_trainer(config, open_source(config.data))
    state = trainer.init()
    state, metrics = trainer.dispatch(state, 0, 2)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.g.params, metrics)))
    grid = trainer.samples(state)
    np.testing.assert_array_equal(grid, trainer.samples(state))
    card = build.architecture(model, 16, 3, 0, 'bfloat16')
    draw = make_sampler(
        build.build_generator(card), build.build_latents(card), state.g_ema.params, state.g_ema.aux
    )
    np.testing.assert_array_equal(draw(np.arange(4)), grid)
