"""DiffAugment: what each transformation may do, gates, schedules and per-sample keys."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.augment import diffaugment
from jaxgan.augment.diffaugment import color, cutout, translation
from jaxgan.schedules import cosine

STATE = SimpleNamespace(images_seen=jnp.int32(0))
SIDE = 16


@pytest.fixture
def images(key):
    return jax.random.uniform(key, (8, SIDE, SIDE, 3), minval=-1.0, maxval=1.0)


def test_color_is_affine_in_the_pixels_and_its_ranges_hold(images, key):
    image, grey = images[0], jnp.full((4, 4, 3), 0.25)
    keys = jax.random.split(key, 500)
    shifted = jax.vmap(color, (0, None))(keys, grey) - 0.25  # a grey image: only brightness acts
    assert np.ptp(shifted, axis=(1, 2, 3)).max() < 1e-6
    brightness = np.asarray(shifted[:, 0, 0, 0])
    assert -0.5 <= brightness.min() < -0.48 and 0.48 < brightness.max() <= 0.5
    out = jax.vmap(color, (0, None))(keys, image)
    contrast = np.asarray(
        out.mean(-1).std((1, 2)) / image.mean(-1).std()
    )  # saturation keeps the mean of channels
    assert 0.5 <= contrast.min() < 0.52 and 1.48 < contrast.max() <= 1.5 + 1e-5
    chroma = np.asarray(jnp.abs(out - out.mean(-1, keepdims=True)).mean((1, 2, 3))) / contrast
    base = float(jnp.abs(image - image.mean(-1, keepdims=True)).mean())
    assert chroma.min() / base < 0.05 and 1.9 < chroma.max() / base <= 2.0 + 1e-4


def test_translation_moves_whole_pixels_up_to_an_eighth(images, key):
    image, found = images[0], set()
    for k in jax.random.split(key, 200):
        out, reach = np.asarray(translation(k, image)), 2
        padded = np.pad(np.asarray(image), ((reach, reach), (reach, reach), (0, 0)))
        hits = [
            (y, x)
            for y in range(2 * reach + 1)
            for x in range(2 * reach + 1)
            if (padded[y : y + SIDE, x : x + SIDE] == out).all()
        ]
        assert len(hits) == 1
        found.update(hits)
    assert len(found) == 25  # every shift occurs


def test_cutout_zeroes_at_most_a_square_of_half_the_side(key):
    image = jnp.ones((SIDE, SIDE, 3))
    areas = []
    for k in jax.random.split(key, 200):
        hole = np.asarray(cutout(k, image))[..., 0] == 0
        rows, columns = hole.any(1).sum(), hole.any(0).sum()
        assert hole.sum() == rows * columns and rows <= SIDE // 2 and columns <= SIDE // 2
        areas.append(hole.sum())
    assert max(areas) == (SIDE // 2) ** 2 and min(areas) < max(areas)


def test_probability_follows_its_schedule(images, key):
    augment = diffaugment(('cutout',), cosine(0.0, 1.0, 100))
    many, keys = jnp.ones((400, 8, 8, 1)), jax.random.split(key, 400)
    touched = [
        int((augment(keys, many, SimpleNamespace(images_seen=jnp.int32(n))) == 0).any((1, 2, 3)).sum())
        for n in (0, 50, 100)
    ]
    assert touched[0] == 0 and 150 < touched[1] < 250 and touched[2] > 380
    assert (diffaugment((), 1.0)(keys, many, STATE) == many).all()


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"'colour'.*color, translation, cutout"):
        diffaugment(('colour',))
