"""ADA: draws against their distributions, the warp against SciPy, filters in closed form, derivatives; its controller; APA."""

import dataclasses
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from toys import mlp, pair, points, recipe

from jaxgan import build, init_state, losses, make_train_step
from jaxgan.augment import ada, ada_pipeline, controller, strengths
from jaxgan.augment.affine import warp
from jaxgan.augment.controller import both_signs, fake_sign
from jaxgan.augment.draws import COLOR, GEOMETRY, SPECTRUM, Luck, gains, gated, roll
from jaxgan.augment.names import GROUPS, SETS, TRANSFORMATIONS
from jaxgan.augment.wavelets import LOW, SYM2, band_matrices, bank
from jaxgan.config import Config, check
from jaxgan.errors import InputError
from jaxgan.extensions import apa
from jaxgan.schedules import cosine
from jaxgan.state import memories

STATE = SimpleNamespace(images_seen=jnp.int32(0), extra={})
N = 4000


@pytest.fixture(scope='module')
def drawn():
    """Each transformation at full strength, N times, for images of 24 rows and 16 columns: one program for all."""

    @jax.jit
    @jax.vmap
    def draw(key):
        luck = roll(key, 14)
        matrices = {name: f(luck.of(i), (24, 16)) for i, (name, f) in enumerate(GEOMETRY)}
        matrices |= {name: f(luck.of(8 + i)) for i, (name, f) in enumerate(COLOR.items())}
        rows = Luck(*(values[3:7] for values in luck))
        chance = gated(luck.of(13), 0.3, jnp.ones(()), jnp.zeros(()))
        return matrices | {'gains': gains(rows, 1.0), 'some_gains': gains(rows, 0.3), 'gate': chance}

    return {k: np.asarray(v, np.float64) for k, v in draw(jax.random.split(jax.random.key(3), N)).items()}


def close_to_normal(values, deviation):
    """Compare quantiles; their own deviation at N = 4000 is below 0.05 of the distribution's."""
    found = np.quantile(values / deviation, [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(found, [-1.2816, -0.5244, 0.0, 0.5244, 1.2816], atol=0.1)


def close_to_uniform(values, low, high):
    found = np.quantile((values - low) / (high - low), [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    np.testing.assert_allclose(found, [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0], atol=0.035)
    assert low <= values.min() and values.max() <= high


def rotations(angle):
    c, s = np.cos(angle), np.sin(angle)
    zero, one = np.zeros_like(c), np.ones_like(c)
    return np.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).reshape(-1, 3, 3)


def test_geometric_draws_are_the_matrices_of_the_paper(drawn):
    flips = drawn['xflip'][:, 0, 0]
    np.testing.assert_array_equal(np.abs(drawn['xflip']), np.broadcast_to(np.eye(3), (N, 3, 3)))
    assert abs(np.mean(flips)) < 0.06 and (drawn['xflip'][:, 1:] == np.eye(3)[1:]).all()
    quarter = np.round(np.arctan2(drawn['rotate90'][:, 1, 0], drawn['rotate90'][:, 0, 0]) / (np.pi / 2))
    np.testing.assert_array_equal(drawn['rotate90'], np.round(rotations(quarter * np.pi / 2)))
    assert all(abs(np.mean(quarter % 4 == i) - 0.25) < 0.03 for i in range(4))
    shifts = drawn['xint'][:, :2, 2]
    assert (shifts == np.round(shifts)).all() and list(np.abs(shifts).max(0)) == [2, 3]  # 16 / 8, 24 / 8
    angles = np.arctan2(drawn['rotate'][:, 1, 0], drawn['rotate'][:, 0, 0])
    close_to_uniform(angles, -np.pi, np.pi)
    np.testing.assert_allclose(drawn['rotate'], rotations(angles), atol=1e-6)
    close_to_normal(np.log2(drawn['scale'][:, 0, 0]), 0.2)
    np.testing.assert_array_equal(drawn['scale'][:, 0, 0], drawn['scale'][:, 1, 1])
    close_to_normal(np.log2(drawn['aniso'][:, 0, 0]), 0.2)
    np.testing.assert_allclose(drawn['aniso'][:, 0, 0] * drawn['aniso'][:, 1, 1], 1.0, rtol=1e-6)
    close_to_normal(drawn['xfrac'][:, 0, 2], 16 / 8)
    close_to_normal(drawn['xfrac'][:, 1, 2], 24 / 8)


def test_colour_draws_are_the_matrices_of_the_paper(drawn):
    eye, axis = np.eye(4), np.array([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)
    luma = np.outer(axis, axis)
    offset = drawn['brightness'][:, 0, 3]
    close_to_normal(offset, 0.2)
    expected = eye + offset[:, None, None] * np.outer([1, 1, 1, 0], [0, 0, 0, 1])
    np.testing.assert_allclose(drawn['brightness'], expected, atol=1e-7)
    factor = drawn['contrast'][:, 0, 0]
    close_to_normal(np.log2(factor), 0.5)
    np.testing.assert_array_equal(drawn['contrast'], [np.diag([f, f, f, 1.0]) for f in factor])
    flipped = drawn['lumaflip'][:, 0, 0] < 0.9
    assert abs(np.mean(flipped) - 0.5) < 0.03
    np.testing.assert_allclose(drawn['lumaflip'][flipped], [eye - 2 * luma] * sum(flipped), atol=1e-6)
    np.testing.assert_array_equal(drawn['lumaflip'][~flipped], [eye] * sum(~flipped))
    hue = drawn['hue']
    rotated = np.einsum('nij,nkj->nik', hue, hue)
    np.testing.assert_allclose(rotated, [eye] * N, atol=1e-5)  # orthogonal
    np.testing.assert_allclose(np.linalg.det(hue), 1.0, atol=1e-5)
    np.testing.assert_allclose(hue @ axis, [axis] * N, atol=1e-6)  # about the luma axis
    red = np.array([2.0, -1.0, -1.0, 0.0]) / math.sqrt(6)  # and by any angle: where a chroma goes
    close_to_uniform(np.arctan2(hue @ red @ [0, 1, -1, 0] / math.sqrt(2), hue @ red @ red), -np.pi, np.pi)
    chroma = drawn['saturation'] @ red @ red
    close_to_normal(np.log2(chroma), 1.0)
    expected = luma + (eye - luma) * chroma[:, None, None]
    np.testing.assert_allclose(drawn['saturation'][:, :3], expected[:, :3], rtol=1e-5, atol=1e-5)


def test_gates_and_band_gains(drawn):
    assert abs(np.mean(drawn['gate']) - 0.3) < 0.03
    untouched = (drawn['some_gains'] == 1.0).all(1)
    assert abs(np.mean(untouched) - 0.7**4) < 0.03
    # with all four drawn: independent factors 2^N(0, 1), each followed by the same factor for all bands
    ratio = np.log2(drawn['gains'][:, 1] / drawn['gains'][:, 2])
    close_to_normal(ratio, math.sqrt(2.0))
    only = (drawn['some_gains'][:, 1:] == drawn['some_gains'][:, 1:2]).all(1) & ~untouched  # the lowest alone
    power = np.sum(SPECTRUM * drawn['some_gains'][only] ** 2, 1)
    np.testing.assert_allclose(power, 1.0, rtol=1e-5)
    assert only.sum() > 100


def scipy_warp(image, inverse):
    """The paper's procedure with SciPy: reflect, double with zeros and sym6, interpolate, filter, halve."""
    h, w, _ = image.shape
    pad = 6 * max(h, w)
    y, x = np.meshgrid(*[np.arange(-10, 2 * n + 20) / 2 for n in (h, w)], indexing='ij')
    centred = np.stack([x - (w - 1) / 2, y - (h - 1) / 2, np.ones_like(x)], -1) @ inverse.T
    out = np.zeros_like(image)
    for c in range(image.shape[2]):
        wide = np.pad(image[..., c], pad, mode='reflect')
        fine = np.zeros([2 * n for n in wide.shape])
        fine[::2, ::2] = wide
        for axis in (0, 1):  # convolve1d centres 12 taps at the 7th; f's centre is the 6th
            fine = scipy.ndimage.convolve1d(fine, 2 * LOW, axis=axis, origin=-1)
        at = [2 * (centred[..., 1] + (h - 1) / 2 + pad), 2 * (centred[..., 0] + (w - 1) / 2 + pad)]
        sampled = scipy.ndimage.map_coordinates(fine, at, order=1)
        for axis in (0, 1):
            sampled = scipy.ndimage.correlate1d(sampled, LOW, axis=axis, origin=-1)
        out[..., c] = sampled[10 : 10 + 2 * h : 2, 10 : 10 + 2 * w : 2]
    return out


def test_the_warp_is_the_papers_at_any_reach():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(5, 14, 10, 2)).astype(np.float32)
    inverse = np.stack([np.eye(3)] * 5)
    inverse[1, :2] = [[0.0, -1.0, 2.0], [1.0, 0.0, -1.0]]
    inverse[2, :2] = [[0.9, 0.5, 1.3], [-0.4, 1.1, -2.7]]
    inverse[3, :2] = [[2.5, 1.0, 13.0], [-1.0, 2.5, 17.0]]  # reaches several reflections away
    inverse[4, :2, 2] = [20.25, -31.5]
    found = jax.jit(warp)(images, jnp.float32(inverse))
    for i in range(5):
        np.testing.assert_allclose(found[i], scipy_warp(images[i], inverse[i]), atol=2e-4)
    np.testing.assert_allclose(found[0], images[0], atol=1e-5)  # perfect reconstruction


def test_the_band_filters_are_the_octaves_of_sym2():
    filters = bank()
    np.testing.assert_allclose(filters.sum(0), np.eye(43)[21], atol=1e-10)  # perfect reconstruction at gain 1
    np.testing.assert_allclose(filters, filters[:, ::-1], atol=1e-12)  # no shift
    frequency = np.linspace(0, np.pi, 64)
    at = np.exp(-1j * np.outer(frequency, np.arange(-21, 22)))
    response = (at @ filters.T).real

    def low(angle):
        return np.abs(np.exp(-1j * np.outer(angle, np.arange(4))) @ SYM2) ** 2 / 2

    high = low(frequency + np.pi)
    np.testing.assert_allclose(response[:, 3], high, atol=1e-9)
    np.testing.assert_allclose(response[:, 2], low(frequency) * low(2 * frequency + np.pi), atol=1e-9)
    np.testing.assert_allclose(
        response[:, 0], low(frequency) * low(2 * frequency) * low(4 * frequency), atol=1e-9
    )
    line = np.random.default_rng(0).normal(size=12)
    for band in range(4):
        wide = np.pad(line, 21, mode='reflect')
        expected = np.correlate(wide, filters[band], 'valid')
        np.testing.assert_allclose(band_matrices(12)[band] @ line, expected, atol=1e-5)


@pytest.fixture(scope='module')
def everything():
    """The whole pipeline and its derivatives in the images, one program: p is an argument."""

    @jax.jit
    def run(keys, images, p):
        def augment(images):
            return ada_pipeline('bgcfnc', 'here')(keys, images, SimpleNamespace(extra={'here': {'p': p}}))

        def penalty(images):
            gradient = jax.grad(lambda x: jnp.sum(jnp.tanh(augment(x))))(images)
            return jnp.sum(jnp.square(gradient))

        direction = jnp.cos(jnp.arange(images.size, dtype=jnp.float32)).reshape(images.shape)
        value, second = jax.value_and_grad(penalty)(images)
        along = jax.jvp(penalty, (images,), (direction,))[1]
        return augment(images), value, second, jnp.vdot(second, direction), along

    return run


@pytest.fixture(scope='module')
def images():
    return jax.random.uniform(jax.random.key(8), (6, 16, 16, 3), minval=-1.0, maxval=1.0)


@pytest.mark.slow
def test_at_probability_0_every_bit_stays(everything, images, key):
    out, *_ = everything(jax.random.split(key, 6), images, 0.0)
    np.testing.assert_array_equal(out, images)


@pytest.mark.slow
def test_shape_purity_and_own_keys(everything, images, key):
    keys, order = jax.random.split(key, 6), jnp.array([4, 2, 5, 0, 1, 3])
    out = everything(keys, images, 0.8)[0]
    assert out.shape == images.shape and out.dtype == images.dtype and np.isfinite(out).all()
    assert (out != images).any((1, 2, 3)).all()
    np.testing.assert_array_equal(everything(keys, images, 0.8)[0], out)
    np.testing.assert_allclose(everything(keys[order], images[order], 0.8)[0], out[order], atol=1e-5)


@pytest.mark.slow
def test_derivatives_of_both_orders(everything, images, key):
    """Reverse over reverse agrees with forward over reverse, and with a difference quotient."""
    keys = jax.random.split(key, 6)
    _, value, second, reverse, forward = everything(keys, images, 0.8)
    assert np.isfinite(second).all() and float(jnp.abs(second).max()) > 0
    assert float(forward) == pytest.approx(float(reverse), rel=1e-3)
    step = 1e-2 * jnp.cos(jnp.arange(images.size, dtype=jnp.float32)).reshape(images.shape)
    quotient = (everything(keys, images + step, 0.8)[1] - everything(keys, images - step, 0.8)[1]) / 2e-2
    assert float(quotient) == pytest.approx(float(reverse), rel=0.03)
    assert float(value) > 0


@pytest.mark.slow
def test_the_warp_vmaps_and_grey_images_keep_one_channel(images, key):
    """vmap over two runs equals each alone; the colours of grey images are ``a x + b``, a and b a sample's own."""
    matrices = jnp.eye(3)[None, None] + 0.2 * jax.random.normal(key, (2, 3, 3, 3)).at[:, :, 2].set(0.0)
    both = jax.jit(jax.vmap(warp))(images.reshape(2, 3, 16, 16, 3), matrices)
    np.testing.assert_allclose(both[1], jax.jit(warp)(images[3:], matrices[1]), atol=1e-5)
    grey, keys = (
        jnp.broadcast_to(jnp.arange(3.0)[None, :, None, None], (9, 3, 1, 1)),
        jax.random.split(key, 9),
    )
    out = np.asarray(ada_pipeline('color', 1.0)(keys, grey, STATE))[:, :, 0, 0]
    np.testing.assert_allclose(out[:, 2] - out[:, 1], out[:, 1] - out[:, 0], rtol=1e-4)
    assert (
        len(set(np.sign(out[:, 1] - out[:, 0]))) == 2 and len(np.unique(out[:, 0])) == 9
    )  # also turned around


@pytest.mark.slow
def test_noise_and_cutout_do_what_they_say(key):
    keys = jax.random.split(key, 800)
    ones = jnp.ones((800, 16, 16, 1))

    def run(parts, p):
        return ada_pipeline(parts, p)(keys, ones, STATE)

    hole = np.asarray(run('cutout', 1.0))[..., 0] == 0
    rows, columns = hole.any(2).sum(1), hole.any(1).sum(1)
    np.testing.assert_array_equal(hole.sum((1, 2)), rows * columns)
    assert rows.max() == columns.max() == 8 and 4 <= rows.min() < 8 and (rows != columns).any()
    deviation = np.asarray(run('noise', 1.0) - ones).std((1, 2, 3))
    np.testing.assert_allclose(np.quantile(deviation, [0.3, 0.5, 0.7]), [0.0385, 0.0674, 0.1036], rtol=0.15)
    touched = np.asarray(run('noise', 0.25) != ones).any((1, 2, 3))
    assert abs(touched.mean() - 0.25) < 0.05


def test_probability_from_a_schedule_and_multipliers(key):
    """Single brightness: the share of images moved is p times its multiplier."""
    keys, ones = jax.random.split(key, 1000), jnp.ones((1000, 2, 2, 3))
    augment = jax.jit(
        lambda seen: ada_pipeline('brightness:0.5', cosine(0.0, 1.0, 100))(
            keys, ones, SimpleNamespace(images_seen=seen)
        )
    )
    share = [float((augment(jnp.int32(n)) != ones).any((1, 2, 3)).mean()) for n in (0, 50, 100)]
    np.testing.assert_allclose(share, [0.0, 0.25, 0.5], atol=0.05)


def test_names():
    assert tuple(strengths('bgcfnc')) == TRANSFORMATIONS and len(TRANSFORMATIONS) == 15
    assert set(strengths('bg')) == set(GROUPS['blit'] + GROUPS['geometric'])
    assert [len(strengths(name)) for name in SETS] == [3, 7, 12, 13, 14, 15]
    r3gan = strengths(('bg', 'color:0.5', 'cutout'))
    assert r3gan == {name: 0.5 if name in GROUPS['color'] else 1.0 for name in r3gan} and len(r3gan) == 13
    assert strengths({'hue': 1, 'color': 0.25}) == dict.fromkeys(GROUPS['color'], 0.25)
    for bad, message in {
        'colour': "unknown augmentation 'colour'; did you mean 'color'?",
        'hue:2': 'augmentation hue: multiplier 2.0 must be in [0, 1]',
        'hue:x': 'augmentation hue: multiplier nan must be in [0, 1]',
    }.items():
        with pytest.raises(InputError) as error:
            strengths(bad)
        assert str(error.value).startswith(message)
    with pytest.raises(InputError, match='images of 2 channels have no colours'):
        ada_pipeline('color', 1.0)(jax.random.split(jax.random.key(0), 1), jnp.ones((1, 4, 4, 2)), STATE)
    with pytest.raises(InputError, match='images of 1 x 4 must have sides of at least 2 to be warped'):
        ada_pipeline('b', 1.0)(jax.random.split(jax.random.key(0), 1), jnp.ones((1, 1, 4, 3)), STATE)


def path(signs, target, batch, images, every=4):
    """The controller in plain Python."""
    p, found, block = 0.0, [], []
    for sign in signs:
        block.append(sign)
        if len(block) == every:
            p += float(np.sign(np.float32(np.mean(block)) - np.float32(target))) * batch * every / images
            p, block = min(max(p, 0.0), 1.0), []
        found.append(p)
    return found


def test_the_controller_follows_its_closed_form():
    rng = np.random.default_rng(0)
    signs = np.concatenate([rng.uniform(-1, 1, 20), np.full(60, 0.9), np.full(40, 0.1)])
    memory = controller('x', target=0.6, images=1000)
    update = jax.jit(lambda old, sign: memory.update(old, {'real_sign': sign}, 20))
    value, found = memory.initial, []
    for sign in signs:
        value = update(value, jnp.float32(sign))
        found.append(float(memory.report(value)['p']))
    np.testing.assert_allclose(found, path(signs, 0.6, 20, 1000), atol=1e-5)
    assert max(found) == 1.0 and 0.0 < found[-1] < 1.0  # it reaches the bound and comes back
    metrics = {'real_sign': jnp.float32(0.5), 'fake_sign': jnp.float32(-0.25)}
    assert (float(fake_sign(metrics)), float(both_signs(metrics))) == (0.25, 0.375)


def as_images(network):
    """Let a network of flat vectors judge or make images [B, 4, 4, 1]."""
    return network._replace(
        init=lambda key, x, label: network.init(key, x.reshape(x.shape[0], -1), label),
        apply=lambda p, aux, x, label: network.apply(p, aux, x.reshape(x.shape[0], -1), label),
    )


def test_a_state_with_memories_can_be_donated(key):
    """Each leaf of a state has a buffer of its own, also apart from the recipe's, which serves more than one run."""
    _, memory = ada(('xflip',), 0.6, 1000)
    made = recipe(memories=(memory,), extensions=(apa(0.6, 1000),))
    state = init_state(key, *pair(), made, points(key, 8))
    own, shared = (
        [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)]
        for tree in (state.replace(key=0), [one.initial for one in memories(made)])
    )
    assert len(set(own)) == len(own) > 10 and not set(own) & set(shared)


@pytest.mark.slow
def test_ada_adapts_in_a_training(key):
    """p in the state is the closed form of the signs that were logged, and the log shows it."""
    generator, critic = mlp((16,)), as_images(mlp((16, 1), squeeze=True))
    made = generator._replace(
        apply=lambda p, aux, z, label: (generator.apply(p, aux, z, label)[0].reshape(-1, 4, 4, 1), aux)
    )
    augment, memory = ada('color', target=0.0, images=100)
    whole = recipe(loss=losses.non_saturating, augment=augment, memories=(memory,))
    batch = {'image': jax.random.normal(key, (8, 4, 4, 1)) + 1.0}
    state = init_state(key, made, critic, whole, batch)
    step, signs, found = jax.jit(make_train_step(made, critic, whole)), [], []
    for _ in range(12):
        state, metrics = step(state, batch)
        signs.append(float(metrics['d/real_sign']))
        found.append(float(metrics['ada/p']))
    np.testing.assert_allclose(found, path(signs, 0.0, 8, 100), atol=1e-6)
    assert found[3] in (0.0, pytest.approx(0.32)) and float(state.extra['ada']['p']) == found[-1]
    assert max(found) > 0


@pytest.mark.slow
def test_apa_shows_generated_images_as_real_ones(key):
    """At p = 1/4 a quarter of D's real images is G's; at 0 the step is the usual one; p follows the signs."""
    generator, critic = pair()
    batch = {'image': jnp.full((2000, 2), 50.0)}  # G makes no such points

    def watch(phases, *_):
        def d(state, batch, key):
            state, metrics = phases['d'](state, batch, key)
            return state, metrics | {'kept': jnp.mean(jnp.all(batch['image'] == 50.0, -1))}

        return {**phases, 'd': d}

    extension = apa(target=-0.9, images=32_000)
    watched = extension._replace(phases=lambda phases, *rest: extension.phases(watch(phases), *rest))
    changes = {'loss': losses.non_saturating, 'd_regularizers': ()}
    whole = recipe(**changes, extensions=(watched,))
    state = init_state(key, generator, critic, whole, batch)
    step = jax.jit(make_train_step(generator, critic, whole))
    plain, _ = jax.jit(make_train_step(generator, critic, recipe(**changes)))(state, batch)
    after, metrics = step(state, batch)
    assert float(metrics['apa/share']) == 0.0 and float(metrics['d/kept']) == 1.0
    for a, b in zip(jax.tree.leaves(after.d.params), jax.tree.leaves(plain.d.params)):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    signs, found = [], []
    for _ in range(8):
        kept = float(state.extra['apa']['p'])
        state, metrics = step(state, batch)
        assert float(metrics['d/kept']) == pytest.approx(1 - float(metrics['apa/share']))
        assert float(metrics['apa/share']) == pytest.approx(kept, abs=0.03)
        signs.append(float(metrics['d/real_sign']))
        found.append(float(metrics['apa/p']))
    np.testing.assert_allclose(found, path(signs, -0.9, 2000, 32_000), atol=1e-6)
    assert max(found) >= 0.25


def test_configurations_build_what_they_say():
    config = dataclasses.replace(Config(), loss='non_saturating', ada=('bg', 'color:0.5'), apa_target=0.5)
    made = build.build_recipe(check(config))
    assert [memory.name for memory in made.memories] == ['ada'] and len(made.extensions) == 1
    fixed = dataclasses.replace(Config(), ada=('b',), ada_target=None, augment_p=(0.0, 0.5))
    assert build.build_recipe(check(fixed)).memories == ()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'ada': ('bgx',)}, "unknown augmentation 'bgx'; did you mean 'bg'?"),
        ({'ada': ('b',), 'augment': ('color',)}, "augment ('color',) and ada ('b',) exclude each other"),
        ({'ada': ('b',), 'augment_p': (0.0, 0.5)}, 'augment_p (0.0, 0.5) has no effect while ada_target 0.6'),
        ({'ada_target': 1.0}, 'ada_target 1.0 must be between -1 and 1'),
        ({'ada_images': 0}, 'ada_images 0 must be at least 1'),
        ({'ada': ('b',), 'loss': 'relativistic'}, 'ada_target needs a loss for which the sign of a logit'),
        ({'apa_target': 0.6, 'loss': 'wasserstein'}, 'apa_target needs a loss for which the sign of a logit'),
    ],
)
def test_configurations_that_cannot_be_are_refused(change, message):
    with pytest.raises(InputError) as error:
        build.build_recipe(check(dataclasses.replace(Config(loss='hinge'), **change)))
    assert str(error.value).startswith(message)
