"""Inversion on toys: a linear generator, whose codes are known, and what must not depend on neighbours."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import inversion
from jaxgan.errors import InputError
from jaxgan.inversion.curvature import make_curvature, shorten
from jaxgan.inversion.projector import ramps
from jaxgan.networks import from_functions
from jaxgan.spaces import Space, Statistics, make_space

SIDE, DIM = 8, 4
SETTINGS = inversion.Settings(steps=300, rate=0.1, jitter=0.05)


def paint(params, z, label=None):
    images = z @ params['basis']
    if label is not None:
        images = images + params['classes'][label]
    return images.reshape(-1, SIDE, SIDE, 1)


@pytest.fixture(scope='module')
def toy():
    keys = jax.random.split(jax.random.key(1), 3)
    params = {
        'basis': jax.random.normal(keys[0], (DIM, SIDE * SIDE)) / 4,
        'classes': jax.random.normal(keys[1], (3, SIDE * SIDE)),
    }
    codes = jax.random.normal(keys[2], (3, DIM))
    return params, codes


@pytest.fixture(scope='module')
def project():
    network = from_functions(lambda key, z, label: {}, paint)
    space = make_space(network, 'z')
    run = jax.jit(inversion.make_projector(space, inversion.make_objective(), SETTINGS))
    spread = Statistics(jnp.zeros(DIM), jnp.ones(DIM))
    return lambda params, targets, starts, labels=None, mask=None, seed=0: run(
        params, {}, None, spread, targets, starts, labels, jax.random.key(seed), mask
    )


def starts_for(n, starts=2):
    return jnp.broadcast_to(jnp.arange(starts, dtype=jnp.float32)[None, :, None], (n, starts, DIM))


def test_codes_of_a_linear_generator_are_found(toy, project):
    params, codes = toy
    found = project(params, paint(params, codes), starts_for(3))
    np.testing.assert_allclose(found.codes, codes, atol=2e-3)
    np.testing.assert_allclose(found.images, paint(params, codes), atol=3e-3)
    assert found.noise is None


def test_an_image_does_not_depend_on_its_neighbours_and_a_seed_is_exact(toy, project):
    params, codes = toy
    targets = paint(params, codes)
    together = project(params, targets, starts_for(3))
    other = project(params, targets.at[1:].set(-0.5), starts_for(3))
    np.testing.assert_array_equal(together.codes[0], other.codes[0])
    assert together.steps[0] == other.steps[0] and other.steps[1] != other.steps[0]
    again = project(params, targets, starts_for(3))
    np.testing.assert_array_equal(together.codes, again.codes)
    assert np.any(np.asarray(project(params, targets, starts_for(3), seed=1).codes) != together.codes)


def test_the_best_start_gives_the_label(toy, project):
    params, codes = toy
    labels = jnp.array([2, 0, 1])
    found = project(
        params, paint(params, codes, labels), starts_for(3, 3), jnp.broadcast_to(jnp.arange(3), (3, 3))
    )
    np.testing.assert_array_equal(found.starts, labels)
    np.testing.assert_allclose(found.codes, codes, atol=2e-3)


def test_masked_pixels_do_not_matter(toy, project):
    params, codes = toy
    mask = jnp.zeros((3, SIDE, SIDE, 1)).at[:, : SIDE // 2].set(1)
    spoiled = jnp.where(mask > 0, paint(params, codes), 5.0)
    found = project(params, spoiled, starts_for(3), None, mask)
    np.testing.assert_allclose(found.images, paint(params, codes), atol=1e-2)


def test_an_image_that_cannot_be_made_better_stops_early(toy, project):
    params, _ = toy
    found = project(params, jnp.zeros((3, SIDE, SIDE, 1)).at[:, 0, 0].set(3.0), starts_for(3))
    assert np.all(np.asarray(found.steps) < SETTINGS.steps)


@pytest.mark.slow
def test_every_layer_is_found_in_a_space_of_layers_and_differences_cost():
    def decode(params, aux, codes, label):
        return jnp.concatenate([codes.reshape(-1, 2, 2, 1)] * 2, axis=2)

    space = Space('w+', lambda params, aux, z, label: z, decode)
    target = decode(None, None, jnp.array([[[1.0, -1.0], [0.5, 0.0]]]), None)
    spread = Statistics(jnp.zeros((2, 2)), jnp.ones((2, 2)))
    arguments = ({}, {}, None, spread, target, jnp.zeros((1, 1, 2, 2)), None, jax.random.key(0))
    spreads = []
    for between in (0.0, 100.0):
        settings = inversion.Settings(steps=150, jitter=0.0, between=between)
        found = jax.jit(inversion.make_projector(space, inversion.make_objective(), settings))(*arguments)
        spreads.append(float(jnp.var(found.codes, axis=1).sum()))
    assert spreads[0] > 0.05 and spreads[1] < 0.01


@pytest.mark.slow
def test_noise_maps_are_fitted_one_an_image_and_stay_white():
    def decode(params, aux, codes, label):
        return (codes[:, :1, None, None] + aux['noise']['layer']['image'][None, :, :, None]).astype(
            jnp.float32
        )

    space = Space('w', lambda params, aux, z, label: z, decode)
    keys = jax.random.split(jax.random.key(3), 3)
    wanted = jax.random.normal(keys[0], (2, 8, 8))
    wanted = (wanted - wanted.mean((1, 2), keepdims=True)) / wanted.std((1, 2), keepdims=True)
    aux = {'noise': {'layer': {'image': jax.random.normal(keys[1], (8, 8))}}}
    spread = Statistics(jnp.zeros(1), jnp.ones(1))
    settings = inversion.Settings(steps=300, jitter=0.0, noise=0.0)
    project = jax.jit(inversion.make_projector(space, inversion.make_objective(), settings))
    found = project({}, aux, None, spread, wanted[..., None] + 0.3, jnp.zeros((2, 1, 1)), None, keys[2])
    maps = found.noise['layer/image']
    np.testing.assert_allclose(maps, wanted, atol=0.05)
    np.testing.assert_allclose(maps.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose((maps**2).mean((1, 2)), 1, atol=1e-4)


def test_autocorrelation_knows_stripes_from_noise(key):
    white = jax.random.normal(key, (16, 16))
    stripes = jnp.broadcast_to(jnp.sign((jnp.arange(16) % 4).astype(jnp.float32) - 1.5), (16, 16))
    assert inversion.autocorrelation(stripes) > 10 * inversion.autocorrelation(white)


def test_the_rate_goes_up_and_down():
    found = np.asarray(ramps(jnp.array([0, 49, 500, 749, 875, 1000]), 1000))
    np.testing.assert_allclose(found, [0.02, 1, 1, 1, 0.5, 0], atol=0.01)


def test_distances():
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 3, 16, 16, 3)).astype(np.float32)
    a, b = jnp.asarray(a), jnp.asarray(b)
    pyramid = jax.jit(inversion.pyramid_distance, static_argnames='coarse')
    np.testing.assert_array_equal(pyramid(a, a), 0)
    # a constant difference d costs d^2 at each of three levels: 16, 8 and 4 blocks a side
    np.testing.assert_allclose(pyramid(a + 0.5, a), 0.75, rtol=1e-5)
    np.testing.assert_allclose(pyramid(a + 0.5, a, coarse=4), 0.25, rtol=1e-5)
    mask = jnp.zeros((3, 16, 16, 1)).at[:, 3:9, :7].set(1)
    np.testing.assert_allclose(pyramid(a + 0.5 * mask, a, mask), 0.75, rtol=1e-4)
    np.testing.assert_allclose(pyramid(a * mask + b * (1 - mask), a, mask), 0, atol=1e-9)
    seen, scaled = {'x': a, 'y': b}, {'x': 3 * a, 'y': 2 * b}
    np.testing.assert_allclose(inversion.deep_distance(seen, scaled), 0, atol=1e-5)
    np.testing.assert_allclose(inversion.deep_distance({'x': a}, {'x': -a}), 4, rtol=1e-5)
    with pytest.raises(InputError, match='blocks of 3 pixels do not divide an image of 16x16'):
        inversion.coarsened(a, 3)


def test_psnr_and_ssim_have_their_known_values(key):
    a = jax.random.randint(key, (2, 16, 16, 3), 0, 200).astype(jnp.uint8)
    np.testing.assert_allclose(inversion.psnr(a, a), 99)
    np.testing.assert_allclose(inversion.psnr(a + jnp.uint8(10), a), 20 * np.log10(255 / 10), rtol=1e-5)
    ssim = jax.jit(inversion.ssim)
    np.testing.assert_allclose(ssim(a, a), 1, rtol=1e-5)
    flat = jnp.full((2, 16, 16, 3), 100, jnp.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    np.testing.assert_allclose(ssim(flat, flat + jnp.uint8(20)), expected, rtol=1e-3)
    assert ssim(a, 199 - a)[0] < 0


@pytest.mark.slow
def test_what_a_discriminator_sees_does_not_depend_on_neighbours():
    from jaxgan.models.dcgan import DCGANDiscriminator
    from jaxgan.networks import from_linen

    network = from_linen(DCGANDiscriminator(16, 3, width=4, norm='none', classes=2))
    images = jax.random.uniform(jax.random.key(5), (3, 16, 16, 3), minval=-1.0)
    eye = jax.jit(network.init)(jax.random.key(6), images, jnp.zeros((3,), jnp.int32))
    distance = jax.jit(inversion.discriminator_distance(network, labelled=True))
    found = distance(eye, images, images[::-1])
    np.testing.assert_allclose(found[1], 0, atol=1e-6)
    assert found[0] > 0
    np.testing.assert_array_equal(distance(eye, images.at[1:].set(0), images[::-1])[0], found[0])


def test_the_nearest_candidates_come_first(key):
    images = jax.random.uniform(key, (6, 8, 8, 1))
    found = jax.jit(partial(inversion.nearest, n=2))(images, images[jnp.array([4, 1])] + 0.001)
    np.testing.assert_array_equal(found[:, 0], [4, 1])
    mask = jnp.zeros((1, 8, 8, 1)).at[:, :4].set(1)
    mixed = jnp.where(mask > 0, images[2:3], images[5:6])
    np.testing.assert_array_equal(inversion.nearest(images, mixed, 1, mask), [[2]])


@pytest.mark.slow
def test_tuning_reaches_the_picture_and_the_local_term_keeps_others(toy):
    params, codes = toy
    network = from_functions(lambda key, z, label: {}, paint)
    space = make_space(network, 'z')
    params = {'basis': params['basis'], 'classes': params['classes']}
    target = paint(params, codes[:1]).at[0, 2, 2].add(1.0)

    def draw(params, key, n):
        return jax.random.normal(key, (n, DIM)), None

    drifts, errors, patches = [], [], []
    fresh = jax.random.normal(jax.random.key(8), (64, DIM))
    for locality, enough in ((0.0, 60.0), (10.0, 60.0), (0.0, 30.0), (0.0, 15.0)):
        tune = inversion.make_tuner(
            space, draw, steps=150, rate=0.02, locality=locality, enough=enough, gain=6.0
        )
        found = jax.jit(tune)(params, {}, codes[:1], None, target, None, jax.random.key(7))
        drifts.append(float(inversion.drift(paint(found.params, fresh), paint(params, fresh))))
        errors.append(float(found.losses[0]))
        patches.append(inversion.patch_of(params, found.params))
        again = inversion.apply_patch(params, patches[-1])
        np.testing.assert_allclose(again['basis'], found.params['basis'], atol=1e-6)
    assert errors[0] < 1e-3 * float(jnp.mean(jnp.square(paint(params, codes[:1]) - target)))
    assert drifts[1] < 0.5 * drifts[0]
    assert 1e-4 < errors[2] < 4e-3  # it ends where it is near enough, at 4 10^-3
    assert not patches[3]  # and what is so near already needs nothing
    assert list(patches[0]) == ['params/basis']  # what did not move is left out
    with pytest.raises(InputError, match='the patch does not fit this generator: params/other'):
        inversion.apply_patch(params, {'params/other': np.zeros(2)})


@pytest.mark.slow
def test_curvature_tells_how_much_a_change_moves_images(toy):
    params, _ = toy
    space = make_space(from_functions(lambda key, z, label: {}, paint), 'z')
    scales = jnp.array([0.3, 1.0, 2.0, 4.0])  # of a code's values

    def draw(params, key, n):
        return jax.random.normal(key, (n, DIM)) * scales[None], None

    factors = jax.jit(make_curvature(space, draw, n=4096, batch=64, damping=0.0))(
        params, {}, jax.random.key(0)
    )
    fresh, _ = draw(params, jax.random.key(1), 1000)
    for seed in range(3):
        y = jax.random.normal(jax.random.key(seed), params['basis'].shape)
        change = shorten(factors['basis'], y / jnp.linalg.norm(y))
        moved = paint({'basis': change}, fresh)
        assert float(jnp.mean(jnp.square(moved))) == pytest.approx(1.0, rel=0.25)
        assert float(jnp.linalg.norm(change[0]) / jnp.linalg.norm(change[3])) == pytest.approx(
            4 / 0.3, rel=0.4
        )
    still = shorten(factors['classes'], jnp.ones_like(params['classes']))
    assert not still.any()  # no image shows it
