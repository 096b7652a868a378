"""The screen of copies: what it finds is what a comparison with all training images in all views finds."""

import numpy as np
import pytest
from test_copies import INDEX, TRAIN, pictures, shifted

from jaxgan.metrics import copies, copyscreen
from jaxgan.metrics.copies import MARGINS, Found
from jaxgan.metrics.copyscreen import Below, Screen, joined
from jaxgan.metrics.descriptors import FLIPPED, SOURCES, UNMIRRORED, VIEWS, compared, seen, unmirrored


def everything(images, index):
    """Ratios to all training images, in all views."""
    described = np.broadcast_to(index.features, (len(images), *index.features.shape))
    return compared(seen(images), MARGINS, described)[0] / index.own


def blends(seed, share):
    """Mixtures of training images and others: from copies to strangers."""
    return (share * TRAIN[:30] + (1 - share) * pictures(30, seed=seed)).round().astype(np.uint8)


QUERIES = np.concatenate(
    [
        shifted(TRAIN[:9], 1, -2),
        TRAIN[9:12, :, ::-1],
        blends(1, 0.7)[:, :, ::-1],
        shifted(blends(2, 0.5), 2, 1),
    ]
)


@pytest.mark.parametrize('limit', [1e-5, 0.3, 0.6, 0.73])
def test_it_finds_what_brute_force_finds(limit):
    ratios = everything(QUERIES, INDEX)
    found = Screen(INDEX, limit)(QUERIES)
    below = ratios.min(axis=1) < limit
    assert (np.isfinite(found.ratios) == below).all() and 9 <= below.sum() < len(QUERIES)
    np.testing.assert_allclose(found.ratios[below], ratios.min(axis=1)[below], atol=1e-5)
    np.testing.assert_array_equal(found.indices[below], ratios.argmin(axis=1)[below])
    assert (found.indices[~below] == -1).all()


def test_shifted_and_mirrored_copies_are_at_zero_in_all_sizes():
    for size in (16, 32, 64):
        step = max(1, size // 32)
        train = np.random.default_rng(size).integers(0, 256, (12, size, size, 3), np.uint8)
        padded = np.pad(train[:, :, ::-1], ((0, 0), (8, 8), (8, 8), (0, 0)), 'edge')
        screen = Screen(copies.build(copies.features(train)), 1e-5)
        for dy, dx in ((2, -2), (-1, 2), (0, 1)):
            y, x = 8 - dy * step, 8 - dx * step
            found = screen(padded[:, y : y + size, x : x + size])
            assert (found.ratios < 1e-6).all() and (found.indices == np.arange(12)).all()


def test_a_query_does_not_depend_on_its_neighbours_or_on_parts(monkeypatch):
    whole = Screen(INDEX, 0.6)(QUERIES[:24])
    monkeypatch.setattr(copyscreen, 'BLOCK', 7)
    monkeypatch.setattr(copyscreen, 'PART', 32)
    for one, all_ in zip(Screen(INDEX, 0.6)(QUERIES[5:15]), whole, strict=True):
        np.testing.assert_allclose(one, all_[5:15], rtol=1e-5)
    assert Screen(INDEX, 0.6)(QUERIES[:0]).ratios.shape == (0,)


def test_projections_never_lengthen():
    table = Screen(INDEX, 0.5)._tables[0]
    y = table._columns[:-2].T / 2
    whole = copies.vectors(*copies.unpacked(INDEX.features[table._order]), 0)
    near = np.linalg.norm(whole[:, None] - whole, axis=2)
    assert (np.linalg.norm(y[:, None] - y, axis=2) <= near + 1e-5).all()


def test_views_that_mirror_are_those_that_do_not_mirrored():
    whole, half = seen(QUERIES[:3]), unmirrored(QUERIES[:3])
    mirrored = unmirrored(QUERIES[:3, :, ::-1])
    for place in FLIPPED.tolist():
        view = VIEWS[place]
        other = UNMIRRORED.index(VIEWS.index(view._replace(flip=False)))
        np.testing.assert_allclose(whole.luma[:, place], mirrored.luma[:, other], atol=1)
        np.testing.assert_array_equal(whole.luma[:, place], half.luma[:, SOURCES[place], :, ::-1])


def test_what_is_nearer_comes_first():
    found = Found(*(np.array(x) for x in ([[0.5, 0.7]] * 3, [[3, 4]] * 3, [[5.0, 7.0]] * 3, [[1, 2]] * 3)))
    below = Below(*(np.array(x) for x in ([np.inf, 0.1, 0.2], [-1, 4, 9], [np.inf, 1.0, 2.0], [0, 8, 9])))
    got = joined(found, below)
    assert got.indices.tolist() == [[3, 4], [4, 3], [9, 3]]
    assert got.ratios.tolist() == [[0.5, 0.7], [0.1, 0.5], [0.2, 0.5]] and got.views[1].tolist() == [8, 1]
