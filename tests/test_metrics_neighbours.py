"""Neighbours: exact values of precision, recall, density, coverage and realism, tiles, nearest rows, and copies."""

import math

import numpy as np
import pytest
from peers import peer_numbers

from jaxgan.errors import InputError
from jaxgan.metrics.copying import copying, rank_score
from jaxgan.metrics.manifold import density_coverage, precision_recall, realism
from jaxgan.metrics.pairwise import nearest
from jaxgan.metrics.partition import cell_of, k_means, principal

TILE = 256  # of all tests, so that each fold is compiled once for a width; 64 makes three tiles of either set


def drawn(n, seed, d=4):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


REAL, FAKE = drawn(190, 0), drawn(150, 1)


def distances(a, b):
    return np.linalg.norm(a[:, None].astype(np.float64) - b[None].astype(np.float64), axis=-1)


def reach(x, k):
    return np.sort(distances(x, x), axis=1)[:, k]


def test_the_formulas():
    between, of_real, of_fake = distances(REAL, FAKE), reach(REAL, 3), reach(FAKE, 3)
    expected = (between <= of_real[:, None]).any(0).mean(), (between <= of_fake).any(1).mean()
    assert precision_recall(REAL, FAKE, k=3, tile=TILE) == pytest.approx(expected, abs=0)
    within = between < of_real[:, None]
    expected = within.sum() / 3 / 150, (between.min(1) < of_real).mean()
    assert density_coverage(REAL, FAKE, k=3, tile=TILE) == pytest.approx(expected, rel=1e-15)
    kept = of_real <= np.median(of_real)
    expected = (of_real[kept, None] / between[kept]).max(0)
    np.testing.assert_allclose(realism(REAL, FAKE, k=3, tile=TILE), expected, rtol=1e-4)


def test_tiles_and_offsets_change_nothing():
    def both(real, fake, tile):
        return precision_recall(real, fake, tile=tile), density_coverage(real, fake, k=3, tile=tile)

    found = both(REAL, FAKE, TILE)
    assert both(REAL, FAKE, 64) == found
    offset = np.float32(500.0)
    assert both(REAL + offset, FAKE + offset, TILE) == found


def test_stored_numbers_of_other_packages():
    tile = 512
    peers = peer_numbers()
    real, fake = peers['real'], peers['fake']
    for k in (3, 5):
        found = (
            precision_recall(real, fake, k, tile)._asdict() | density_coverage(real, fake, k, tile)._asdict()
        )
        for name, value in found.items():
            assert value == pytest.approx(float(peers[f'prdc/{k}/{name}']), rel=1e-6), (k, name)
    found = precision_recall(real, fake, tile=tile)
    assert found == pytest.approx(
        [float(peers[f'torch-fidelity/{name}']) for name in found._fields], rel=1e-6
    )


def test_the_same_samples_in_another_order():
    other = REAL[np.random.default_rng(2).permutation(190)]
    assert precision_recall(REAL, other, tile=TILE) == (1.0, 1.0)
    assert density_coverage(REAL, other, k=3, tile=TILE) == (1.0, 1.0)
    assert np.isinf(realism(REAL, REAL[:1], tile=TILE)[0]) or reach(REAL, 3)[0] > np.median(reach(REAL, 3))


def test_disjoint_sets_share_nothing():
    assert precision_recall(REAL, FAKE + 100, tile=TILE) == (0.0, 0.0)
    assert density_coverage(REAL, FAKE + 100, k=3, tile=TILE) == (0.0, 0.0)
    assert (realism(REAL, FAKE + 100, tile=TILE) < 0.1).all()


def test_repeated_samples_lower_coverage_and_recall_but_not_precision():
    few = np.repeat(REAL[:10], 15, axis=0)
    found = precision_recall(REAL, few, tile=TILE)
    assert found.precision == 1.0 and found.recall == 10 / 190
    varied = density_coverage(REAL, FAKE, k=3, tile=TILE).coverage
    assert density_coverage(REAL, few, k=3, tile=TILE).coverage < 0.4 < 0.7 < varied


def test_fresh_samples_cover_as_the_paper_expects():
    """Of equal distributions the expected coverage is 1 - (N-1)...(N-k) / ((M+N-1)...(M+N-k))."""
    found = [density_coverage(drawn(200, 2 * i), drawn(150, 2 * i + 1), k=3, tile=TILE) for i in range(12)]
    expected = 1 - math.prod((200 - i) / (350 - i) for i in range(1, 4))
    assert np.mean([one.coverage for one in found]) == pytest.approx(expected, abs=0.02)
    assert np.mean([one.density for one in found]) == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize('measure', [precision_recall, density_coverage, realism])
def test_too_many_neighbours_are_refused(measure):
    with pytest.raises(InputError, match=r'k 10 \(allowed: 1 to 9, below the number of real samples\)'):
        measure(REAL[:10], FAKE, k=10)
    with pytest.raises(InputError, match='k 0'):
        measure(REAL, FAKE, k=0)
    with pytest.raises(InputError, match='real features are 4 wide and fake 3'):
        measure(REAL, FAKE[:, :3])
    with pytest.raises(InputError, match=r'tile 2 \(allowed: 5 to'):
        measure(REAL, FAKE, k=5, tile=2)


def test_nearest_rows_are_those_of_all_distances():
    found = nearest(FAKE, REAL, 3, tile=TILE)
    expected = distances(FAKE, REAL)
    np.testing.assert_array_equal(found.indices, np.argsort(expected, axis=1)[:, :3])
    np.testing.assert_allclose(found.distances, np.sort(expected, axis=1)[:, :3], rtol=1e-6)
    smaller = nearest(FAKE, REAL, 3, tile=64)
    np.testing.assert_array_equal(smaller.indices, found.indices)
    np.testing.assert_array_equal(smaller.distances, found.distances)


def test_a_copy_is_at_distance_zero_and_the_first_of_equals_is_named():
    reference = np.concatenate([REAL, REAL]) + np.float32(300.0)
    found = nearest(reference[[7, 250]], reference, 3, tile=TILE)
    np.testing.assert_array_equal(found.indices[:, :2], [[7, 197], [60, 250]])
    np.testing.assert_array_equal(found.distances[:, :2], 0.0)
    assert nearest(REAL[:3], REAL[:2], 2).indices.shape == (3, 2)
    with pytest.raises(InputError, match=r'k 3 \(allowed: 1 to 2, the reference has 2 samples\)'):
        nearest(REAL, REAL[:2], 3)
    with pytest.raises(InputError, match=r'tile 2 \(allowed: 5'):
        nearest(REAL, REAL, 5, tile=2)


def test_cells_are_the_clusters():
    places = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    x = places[np.arange(90) % 3] + 0.3 * drawn(90, 3, 2)
    for seed in range(4):
        centres = k_means(x, 3, seed)
        cells = cell_of(x, centres)
        assert len(set(cells[:3])) == 3
        np.testing.assert_array_equal(cells, cells[np.arange(90) % 3])
        np.testing.assert_allclose(centres[cells[:3]], [x[i::3].mean(0) for i in range(3)])
    assert len(k_means(np.ones((5, 2)), 3, 0)) == 1  # there is one place only


def test_principal_components_keep_the_directions_that_vary():
    x = drawn(100, 4, 6) * np.array([0.1, 3.0, 0.1, 0.1, 2.0, 0.1])
    mine, same = principal(x, 2, x[:5])
    np.testing.assert_allclose(same, mine[:5])
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(mine), np.abs(u * s)[:, :2], rtol=1e-6, atol=1e-9)


def test_rank_scores_are_those_of_counted_pairs():
    a, b = np.array([1.0, 2.0, 2.0, 7.0]), np.array([2.0, 3.0, 5.0])
    u = sum(float(x > y) + 0.5 * float(x == y) for x in a for y in b)
    assert rank_score(a, b) == pytest.approx((u - 6) / math.sqrt(12 * 8 / 12))
    assert rank_score(b, a) == pytest.approx(-rank_score(a, b))
    assert rank_score(a, a) == 0.0


TRAIN, TEST = drawn(600, 10), drawn(200, 11)


def test_copies_are_found_and_fresh_samples_are_not():
    noise = 0.01 * drawn(200, 13)
    assert copying(TRAIN, TEST, TRAIN[:200] + noise).value < -8
    assert copying(TRAIN, TEST, np.concatenate([TRAIN[:100], drawn(100, 12)])).value < -3
    assert copying(TRAIN, TEST, 1.5 * drawn(200, 12)).value > 3
    fresh = [copying(TRAIN, drawn(200, 20 + i), drawn(200, 40 + i), seed=i).value for i in range(8)]
    assert abs(np.mean(fresh)) < 0.75 and np.max(np.abs(fresh)) < 2.5


def test_the_statistic_is_the_mean_of_its_cells():
    found = copying(TRAIN, TEST, FAKE, cells=4, enough=30)
    assert sum(cell.train for cell in found.cells) == 600
    assert sum(cell.generated for cell in found.cells) == 150
    counted = [cell for cell in found.cells if cell.counted]
    assert all(cell.generated > 30 for cell in counted) and counted
    expected = sum(cell.test * cell.z for cell in counted) / sum(cell.test for cell in counted)
    assert found.value == pytest.approx(expected)
    centres = k_means(TRAIN, 4, 0)
    train, test, made = (x[cell_of(x, centres) == 0] for x in (TRAIN, TEST, FAKE))
    assert found.cells[0].z == pytest.approx(
        rank_score(distances(made, train).min(1), distances(test, train).min(1)), abs=1e-6
    )
    assert copying(TRAIN, TEST, FAKE, cells=4, enough=30) == found


def test_wide_features_are_reduced_and_cells_without_samples_are_named():
    wide = drawn(100, 5, 70)
    assert copying(wide, drawn(60, 6, 70), wide[:60], cells=1).value < -5
    with pytest.raises(
        InputError, match=r'no cell has test samples and more than 500 .*of each: \[\(200, 150\)\]'
    ):
        copying(TRAIN, TEST, FAKE, cells=1, enough=500)
    with pytest.raises(InputError, match=r'cells 0 \(allowed: 1 to 600'):
        copying(TRAIN, TEST, FAKE, cells=0)
    with pytest.raises(InputError, match=r'components 64 \(allowed: 1 to 19'):
        copying(wide[:20], wide, wide)
