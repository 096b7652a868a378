"""The copy finder: planted copies, duplicates, ties, and what is refused."""

import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.metrics import copies, descriptors
from jaxgan.metrics.descriptors import VIEWS, View, undone


def pictures(n, seed=0, size=32, channels=3):
    """Smooth random pictures, each unlike the others."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (n, 8, 8, channels))
    large = coarse.repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    for axis in (1, 2):
        large = (np.roll(large, 1, axis) + large + np.roll(large, -1, axis)) / 3
    return large.round().astype(np.uint8)


TRAIN = pictures(60)
INDEX = copies.build(copies.features(TRAIN))


def shifted(images, y, x):
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), 'edge')
    return padded[:, 2 - y : 34 - y, 2 - x : 34 - x]


@pytest.mark.parametrize('planted', ['exact', 'flip'])
def test_copies_as_they_are_and_mirrored_are_at_zero(planted):
    queries = TRAIN if planted == 'exact' else TRAIN[:, :, ::-1]
    found = copies.find(queries, INDEX)
    assert (found.ratios == 0).all()
    assert (found.indices[:, 0] == np.arange(60)).all()
    assert all(VIEWS[v].flip == (planted == 'flip') for v in found.views[:, 0])


@pytest.mark.parametrize('change', ['shift', 'flip and shift', 'brighter', 'crop'])
def test_changed_copies_are_nearer_than_fresh_images(change):
    queries = {
        'shift': lambda: shifted(TRAIN, 2, -1),
        'flip and shift': lambda: shifted(TRAIN[:, :, ::-1], -2, 2),
        'brighter': lambda: np.minimum(TRAIN * 0.8 + 40, 255).round().astype(np.uint8),
        'crop': lambda: TRAIN[:, 3:-3, 3:-3][:, (np.arange(32) * 26 + 13) // 32][:, :, (np.arange(32) * 26 + 13) // 32],
    }[change]()  # fmt: skip
    fresh = copies.find(pictures(60, seed=1), INDEX)
    found = copies.find(queries, INDEX)
    assert (found.indices[:, 0] == np.arange(60)).all()
    assert found.ratios.max() < fresh.ratios.min()
    shift = {VIEWS[v][2:4] for v in found.views[:, 0]}
    assert change != 'shift' or shift == {(2, -1)}


def test_a_query_does_not_depend_on_its_neighbours_or_their_number(monkeypatch):
    queries = pictures(9, seed=2)
    together = copies.find(queries, INDEX, k=8)
    monkeypatch.setattr(copies, 'BLOCK', 4)
    monkeypatch.setattr(copies, 'WIDE', 4)
    for one, all_ in zip(copies.find(queries[3:5], INDEX, k=8), together):
        np.testing.assert_allclose(one, all_[3:5], rtol=1e-5)
    assert copies.find(queries[:0], INDEX).ratios.shape == (0, 1)


def test_equal_ratios_go_to_the_lower_index():
    doubled = np.concatenate([TRAIN[:5], TRAIN[:5]])
    found = copies.find(TRAIN[:5], copies.build(copies.features(doubled)), k=2)
    assert found.indices.tolist() == [[i, i + 5] for i in range(5)]


def test_twins_are_grouped_and_do_not_spoil_their_own_distance():
    rng = np.random.default_rng(3)
    nearly = np.clip(TRAIN[4] + rng.integers(-1, 2, TRAIN[4].shape), 0, 255).astype(np.uint8)
    index = copies.build(
        copies.features(np.concatenate([TRAIN, TRAIN[3:4], nearly[None], TRAIN[4:5, :, ::-1]]))
    )
    assert index.groups[60:].tolist() == [3, 4, 4]
    assert (index.groups[:60] == np.arange(60)).all()
    np.testing.assert_allclose(index.own[60], INDEX.own[3])
    np.testing.assert_allclose(index.own[:60], INDEX.own, rtol=0.1)
    assert index.own.min() > index.near > 0


def test_own_distances_are_those_of_all_pairs():
    described = copies.features(TRAIN)
    queries = descriptors.seen_described(described)
    everyone = np.broadcast_to(described, (60, *described.shape))
    distances, _ = descriptors.compared(queries, np.zeros(2, int), everyone)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(INDEX.own, distances.min(axis=1), rtol=1e-6)


def test_joined_follows_chains():
    assert copies._joined(6, np.array([5, 3, 1]), np.array([3, 1, 4])).tolist() == [0, 1, 2, 1, 1, 1]


def test_features_are_means_of_cells():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    assert copies.features(grey)[0, :256].tolist() == list(range(256))
    assert (copies.features(grey)[0, 256:] == 128).all()
    colour = np.zeros((1, 64, 64, 3), np.uint8)
    colour[..., 0] = 255
    found = copies.features(colour)[0]
    assert (found[:256] == 76).all()  # 0.299 x 255
    assert (found[256:272] == 85).all() and (
        found[272:] == 255
    ).all()  # 128 - 0.564 x 76.2; 128 + 0.713 x 178.8, clipped
    assert copies.features(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 288)


@pytest.mark.parametrize('size', [8, 16, 28, 40])
def test_any_size_can_be_described_and_found(size):
    images = np.random.default_rng(0).integers(0, 256, (6, size, size, 1), np.uint8)
    found = copies.find(images, copies.build(copies.features(images)))
    assert (found.ratios == 0).all() and found.indices[:, 0].tolist() == list(range(6))


def test_undone_lays_a_training_image_as_the_query_lies():
    image = TRAIN[0]
    view = View(True, 1.0, 2, 1, 2)
    assert (undone(image, view)[2:, 1:-1] == shifted(image[None], 2, 1)[0][:, ::-1][2:, 1:-1]).all()
    assert (undone(image, VIEWS[12]) == image).all() and VIEWS[12][:4] == (False, 1.0, 0, 0)


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(InputError, match='one or three channels'):
        copies.find(np.zeros((2, 8, 8, 2), np.uint8), INDEX)
    with pytest.raises(InputError, match='k must be from 1 to 8, not 9'):
        copies.find(TRAIN, INDEX, k=9)
    with pytest.raises(InputError, match='all alike'):
        copies.build(copies.features(TRAIN[[0, 0, 0]]))


def test_images_of_one_colour_each_are_duplicates_and_no_ratio_is_undefined():
    greys = np.zeros((12, 32, 32, 3), np.uint8) + np.arange(100, 220, 10, dtype=np.uint8)[:, None, None, None]
    with pytest.raises(InputError, match='all near duplicates'):
        copies.build(copies.features(greys))
    index = copies.build(copies.features(np.concatenate([greys, pictures(4, seed=3)])))
    assert index.groups[:12].tolist() == [0] * 12 and (index.own > 0).all()
    assert np.isfinite(copies.find(greys, index).ratios).all()
