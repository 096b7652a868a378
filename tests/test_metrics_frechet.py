"""Moments and Frechet distances: streams equal tables, closed forms, high precision, and covariances of few samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from peers import peer_numbers

from jaxgan.errors import InputError
from jaxgan.metrics import moments
from jaxgan.metrics.frechet import (
    frechet_distance,
    frechet_distance_by_class,
    frechet_distance_of_features,
)
from jaxgan.metrics.moments import Statistics, statistics

UPDATE = jax.jit(moments.update, donate_argnums=0)


def normal(n, d, seed=0, offset=0.0):
    """Features of decaying variance, in float32 as extractors give them."""
    random = np.random.default_rng(seed)
    scales = np.arange(1, d + 1) ** -0.5
    return (random.normal(size=(n, d)) * scales + offset).astype(np.float32)


def streamed(x, batch):
    """Moments by batches of one size, the last filled up with values that do not count."""
    found = moments.init(x.shape[1])
    for start in range(0, len(x), batch):
        part = x[start : start + batch]
        filled = np.full((batch, x.shape[1]), np.nan, np.float32)
        filled[: len(part)] = part
        found = UPDATE(found, jnp.asarray(filled), jnp.arange(batch) < len(part))
    return found


@pytest.mark.parametrize('offset', [0.0, 1000.0])
def test_streams_of_any_batch_size_equal_the_table(offset):
    """An offset of a thousand deviations would leave a plain sum of squares in float32 no digit."""
    x = normal(1000, 4, offset=offset)
    expected = statistics(x)
    np.testing.assert_allclose(expected.cov, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-9)
    for batch in (64, 7):
        found = moments.finish(streamed(x, batch))
        assert found.count == 1000
        np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(found.cov, expected.cov, rtol=0, atol=2e-7)


def test_many_batches_do_not_add_up_their_rounding():
    """A plain float32 sum of 4,000 batches is off by 1e-5 here, growing with their number."""
    x = normal(4000, 2, offset=3.0)
    run = jax.jit(
        lambda x: jax.lax.scan(lambda m, row: (moments.update(m, row[None]), None), moments.init(2), x)[0]
    )
    found = moments.finish(run(x))
    np.testing.assert_allclose(found.cov, statistics(x).cov, rtol=1e-7, atol=1e-8)


def test_parts_merge_in_any_order():
    x = normal(300, 4, offset=5.0)
    parts = [streamed(x[a:b], 64) for a, b in ((0, 10), (10, 10), (10, 200), (200, 300))]
    merge = jax.jit(moments.merge)
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = merge(forward, part)
    for part in parts[-2::-1]:
        backward = merge(part, backward)
    for found in (moments.finish(forward), moments.finish(backward)):
        np.testing.assert_allclose(found.mean, statistics(x).mean, rtol=1e-8)
        np.testing.assert_allclose(found.cov, statistics(x).cov, rtol=0, atol=2e-7)
        assert found.count == 300


def test_too_few_samples_have_no_covariance():
    with pytest.raises(InputError, match=r'moments of 1 samples .*at least 2'):
        moments.finish(streamed(normal(1, 4), 7))
    with pytest.raises(InputError, match='given features of 1 samples'):
        statistics(np.ones((1, 3)))


def of_normal(mean, cov):
    return Statistics(None, np.asarray(mean, float), np.asarray(cov, float))


def test_closed_forms():
    one = of_normal([1.0, 2.0, 3.0], np.diag([1.0, 4.0, 9.0]))
    other = of_normal([1.0, 0.0, 0.0], np.diag([4.0, 4.0, 0.0]))
    assert frechet_distance(one, other) == pytest.approx(13.0 + 1.0 + 0.0 + 9.0, rel=1e-14)
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-13)
    a, b = (
        np.array([[2.0, 1.0], [1.0, 2.0]]),
        np.array([[2.0, -1.0], [-1.0, 2.0]]),
    )  # they commute: 3 1 and 1 3
    expected = 2 * (np.sqrt(3) - 1) ** 2
    assert frechet_distance(of_normal([0, 0], a), of_normal([0, 0], b)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(('n', 'm'), [(200, 300), (9, 300), (9, 8), (2, 2)])
def test_the_distance_is_symmetric_and_no_rotation_changes_it(n, m):
    x, y = normal(n, 24), 0.5 + 2 * normal(m, 24, seed=1)
    found = frechet_distance_of_features(x, y)
    assert frechet_distance_of_features(y, x) == pytest.approx(found, rel=1e-12)
    assert frechet_distance(statistics(x), statistics(y)) == pytest.approx(found, rel=1e-10)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(24, 24)))[0]
    assert frechet_distance_of_features(x @ turn + 7, y @ turn + 7) == pytest.approx(found, rel=1e-6)
    assert frechet_distance_of_features(x, x) == pytest.approx(0.0, abs=1e-12)


def test_features_that_never_vary_are_no_trouble():
    x, y = np.ones((10, 4)), np.full((10, 4), 3.0)
    assert frechet_distance_of_features(x, y) == pytest.approx(16.0)
    assert frechet_distance(statistics(x), statistics(y)) == pytest.approx(16.0)


@pytest.mark.parametrize('case', ['full', 'few', 'few_and_many', 'ill', 'ill_and_few', 'offset', 'close'])
def test_distances_equal_those_of_sixty_digits(case):
    """Of ``ill`` the covariances' eigenvalues reach from 1 to 1e-12; ``close`` is a distance of 2e-6 of one of 7."""
    peers = peer_numbers()
    x, y = peers[f'exact/{case}/x'], peers[f'exact/{case}/y']
    expected = float(peers[f'exact/{case}/distance'])
    tolerance = 1e-6 if case.startswith('ill') else 1e-8
    assert frechet_distance_of_features(x, y) == pytest.approx(expected, rel=tolerance)
    assert frechet_distance(statistics(x), statistics(y)) == pytest.approx(expected, rel=tolerance)
    unknown = [statistics(side)._replace(count=None) for side in (x, y)]
    assert frechet_distance(*unknown) == pytest.approx(expected, rel=1e-6)


def test_each_class_by_itself():
    x, labels = normal(300, 3), np.arange(300) % 3
    y = normal(200, 3, seed=1)
    y_labels = np.r_[np.zeros(100, int), np.ones(95, int), np.full(5, 4)]
    found = frechet_distance_by_class(x, labels, y, y_labels, least=20)
    assert set(found.distances) == {0, 1} and found.skipped == {2: (100, 0), 4: (0, 5)}
    assert found.distances[1] == frechet_distance_of_features(x[labels == 1], y[y_labels == 1])
    with pytest.raises(InputError, match=r'no class has 101 real .*0: \(100, 100\)'):
        frechet_distance_by_class(x, labels, y, y_labels, least=101)
    with pytest.raises(InputError, match=r'fake labels of shape \(3,\) for 200'):
        frechet_distance_by_class(x, labels, y, y_labels[:3])
    with pytest.raises(InputError, match='least 1'):
        frechet_distance_by_class(x, labels, y, y_labels, least=1)


def test_what_is_no_pair_of_tables_is_refused():
    x = normal(5, 3)
    bad = x.copy()
    bad[2, 1], bad[3, 0] = np.nan, np.inf
    with pytest.raises(InputError, match='fake features have 2 values that are not finite'):
        frechet_distance_of_features(x, bad)
    with pytest.raises(InputError, match='real features are 3 wide and fake 2'):
        frechet_distance_of_features(x, x[:, :2])
    with pytest.raises(InputError, match='real features of 1 samples'):
        frechet_distance_of_features(x[:1], x)
    with pytest.raises(InputError, match='real statistics are 3 wide and fake 2'):
        frechet_distance(statistics(x), statistics(x[:, :2]))
    with pytest.raises(InputError, match='fake statistics hold values that are not finite'):
        frechet_distance(statistics(x), of_normal([0, 0, np.nan], np.eye(3)))
    with pytest.raises(InputError, match=r'real statistics of shapes \(3,\) and \(2, 2\)'):
        frechet_distance(of_normal([0, 0, 0], np.eye(2)), statistics(x))
    with pytest.raises(TypeCheckError):
        frechet_distance_of_features(x[0], x)
