"""Diversity (MS-SSIM, distances of pairs) and path lengths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.metrics.diversity import WEIGHTS, ms_ssim, over_random_pairs, scales_of
from jaxgan.metrics.path_length import along_arc, between, path_length, shrunk, summary
from jaxgan.metrics.types import Perceptual

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 32, 36, 2), np.uint8)
COMPARE = jax.jit(ms_ssim)


def window():
    line = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    return np.outer(line, line) / line.sum() ** 2


def similarities(x, y):
    """Means of CS and SSIM of two grey images, window by window, in float64."""
    found = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            mean_a, mean_b = (window() * a).sum(), (window() * b).sum()
            var_a, var_b = (window() * (a - mean_a) ** 2).sum(), (window() * (b - mean_b) ** 2).sum()
            cov = (window() * (a - mean_a) * (b - mean_b)).sum()
            cs = (2 * cov + 58.5225) / (var_a + var_b + 58.5225)
            found.append((cs, cs * (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)))
    return np.mean(found, axis=0)


def halved(x):
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).mean((1, 3))


def blend(image, other, part):
    return np.round((1 - part) * image + part * other.astype(float)).astype(np.uint8)


def test_ms_ssim_is_its_formula():
    a, b = IMAGES[:1], blend(IMAGES[:1], IMAGES[1:2], 0.3)
    first = np.mean([similarities(a[0, ..., c].astype(float), b[0, ..., c].astype(float)) for c in (0, 1)], 0)
    last = np.mean([similarities(halved(a[0, ..., c]), halved(b[0, ..., c])) for c in (0, 1)], 0)
    weights = np.array(WEIGHTS[:2]) / sum(WEIGHTS[:2])
    assert scales_of(32, 36) == 2
    assert float(COMPARE(a, b)[0]) == pytest.approx(first[0] ** weights[0] * last[1] ** weights[1], rel=1e-4)


def test_ms_ssim_of_equal_and_of_ever_more_different_images():
    a = IMAGES[:1]
    found = [float(COMPARE(a, blend(a, IMAGES[1:2], part))[0]) for part in (0.0, 0.2, 0.5, 1.0)]
    assert found[0] == pytest.approx(1.0, abs=1e-5) and found == sorted(found, reverse=True)
    assert float(COMPARE(a, 255 - a)[0]) == 0.0  # a negative mean
    assert abs(sum(WEIGHTS) - 1.0) < 2e-4
    with pytest.raises(InputError, match=r'images of 10x64 pixels for MS-SSIM .*at least 11x11'):
        ms_ssim(jnp.zeros((1, 10, 64, 1), jnp.uint8), jnp.zeros((1, 10, 64, 1), jnp.uint8))


def pixels(a, b):
    return jnp.mean(jnp.abs(a.astype(jnp.float32) - b.astype(jnp.float32)), axis=(1, 2, 3))


def test_random_pairs_depend_on_the_seed_alone():
    values = over_random_pairs(IMAGES, pixels, 50, batch=8)
    np.testing.assert_array_equal(over_random_pairs(IMAGES, pixels, 50, batch=50), values)
    np.testing.assert_array_equal(over_random_pairs(IMAGES, pixels, 20, batch=8), values[:20])
    assert values.shape == (50,) and values.min() > 0  # never an image with itself
    assert (over_random_pairs(IMAGES, pixels, 50, seed=1, batch=8) != values).any()
    assert over_random_pairs(np.repeat(IMAGES[:1], 5, 0), pixels, 9, batch=8).max() == 0.0
    with pytest.raises(InputError, match=r'images 1 .*to make pairs'):
        over_random_pairs(IMAGES[:1], pixels, 5)


def test_a_perceptual_distance_gets_floats_and_its_parameters():
    scaled = Perceptual('scaled', '', jnp.float32(255.0), lambda scale, a, b: scale / 2.0 * pixels(a, b))
    expected = over_random_pairs(IMAGES, pixels, 20, batch=8)
    np.testing.assert_allclose(over_random_pairs(IMAGES, scaled, 20, batch=8), expected, rtol=1e-5)
    floats = IMAGES.astype(np.float32) / 127.5 - 1.0
    np.testing.assert_allclose(over_random_pairs(floats, scaled, 20, batch=8), expected, rtol=1e-5)


def test_all_pairs_of_images_are_drawn_alike():
    table = np.arange(3.0, dtype=np.float32)
    values = over_random_pairs(table, lambda a, b: 3 * a + b, 6000, batch=6000)
    counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(counts[0], [1, 2, 3, 5, 6, 7])
    assert np.abs(counts[1] - 1000).max() < 120


SQUARE = Perceptual('square', '', (), lambda params, a, b: jnp.sum(jnp.square(a - b), axis=(1, 2, 3)))
MATRIX = jnp.asarray(RANDOM.normal(size=(6, 12)), jnp.float32)


def latents(key, n):
    return jax.random.uniform(key, (n, 6), minval=-2.0, maxval=2.0)


def mapping(params, z):
    return 3.0 * z


def synthesis(params, w):
    return (w @ params).reshape(-1, 2, 2, 3)


def ends(seed, count):
    """Both latents of each path, [count, 2, 6]."""

    def of_one(i):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), i), 3)[:2]
        return jnp.stack([latents(key, 1)[0] for key in keys])

    return np.asarray(jax.jit(jax.vmap(of_one))(jnp.arange(count, dtype=jnp.uint32)))


def lengths_of_lines(seed, count):
    z = ends(seed, count)
    return np.sum(((3 * (z[:, 1] - z[:, 0])) @ np.asarray(MATRIX)) ** 2, axis=1)


def measured(**changes):
    options = {'count': 24, 'batch': 8, 'trim': False, 'epsilon': 1e-2} | changes
    return path_length(mapping, synthesis, MATRIX, latents, SQUARE, **options)


@pytest.mark.slow
def test_the_length_of_a_linear_generator_in_w_is_known():
    """``|3 (z_2 - z_1) A|^2`` wherever on the path, for a squared distance."""
    found = measured(sampling='full', seed=1)
    expected = lengths_of_lines(1, 24)
    np.testing.assert_allclose(found.lengths, expected, rtol=1e-3)
    assert found.mean == pytest.approx(expected.mean(), rel=1e-3) and found.kept == 24
    again = measured(sampling='full', seed=1, batch=5, count=7)
    np.testing.assert_array_equal(again.lengths, found.lengths[:7])


def test_a_step_in_z_turns_the_latent():
    """The latent keeps its length sqrt(Z) = sqrt(6), so the step is the angle's part of it."""
    constant = path_length(
        lambda params, z: z,
        lambda params, w: w[:, None, None],
        (),
        latents,
        SQUARE,
        8,
        'z',
        'end',
        1e-2,
        False,
        0,
        8,
    )
    z = ends(0, 8)
    z = z / np.linalg.norm(z, axis=2, keepdims=True)
    angle = np.arccos(np.sum(z[:, 0] * z[:, 1], axis=1))
    np.testing.assert_allclose(constant.lengths, 6 * angle**2, rtol=2e-3)


def test_lines_and_arcs_begin_and_end_where_they_should():
    a, b = jnp.asarray(RANDOM.normal(size=(2, 5, 6)), jnp.float32)
    unit = [np.sqrt(6) * x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    go = jax.jit(lambda t: (between(a, b, t), along_arc(a, b, t)))
    for t, line, arc in ((0.0, a, unit[0]), (1.0, b, unit[1])):
        on_line, on_arc = go(np.full(5, t, np.float32))
        np.testing.assert_allclose(on_line, line, atol=1e-6)
        np.testing.assert_allclose(on_arc, arc, atol=1e-5)
    middle = np.asarray(go(np.full(5, 0.5, np.float32))[1])
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), np.sqrt(6), rtol=1e-5)
    np.testing.assert_allclose(np.sum(middle * unit[0], 1), np.sum(middle * unit[1], 1), rtol=1e-4)


def test_large_images_are_averaged_down():
    image = jnp.asarray(RANDOM.normal(size=(1, 512, 512, 1)), jnp.float32)
    np.testing.assert_allclose(shrunk(image)[0, 0, 0], image[0, :2, :2].mean((0, 1)), rtol=1e-5)
    assert shrunk(image).shape == (1, 256, 256, 1) and shrunk(image[:, :250, :250]).shape == (1, 250, 250, 1)
    with pytest.raises(InputError, match='images of 513x512 pixels'):
        shrunk(jnp.zeros((1, 513, 512, 1)))


def test_outliers_are_trimmed_and_what_is_not_finite_is_refused():
    values = np.r_[np.full(198, 2.0), -50.0, 90.0]
    assert summary(values, trim=True)[:2] == (2.0, 198)
    assert summary(values, trim=False)[:2] == (pytest.approx(436 / 200), 200)
    with pytest.raises(InputError, match='1 of 2 path lengths are not finite'):
        summary(np.array([1.0, np.nan]), trim=True)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'space': 'y'}, "unknown space of a path length 'y'"),
        ({'sampling': 'ends'}, "did you mean 'end'"),
        ({'epsilon': 0.0}, 'epsilon 0.0'),
        ({'count': 0}, 'count 0'),
    ],
)
def test_what_a_path_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        measured(**changes)
