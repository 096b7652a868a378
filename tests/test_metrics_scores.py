"""KID, the Inception score, and counts of modes."""

import math

import numpy as np
import pytest
from peers import peer_numbers

from jaxgan import images
from jaxgan.data import DataConfig, open_source, read_all
from jaxgan.data.points import SIGMA, centres
from jaxgan.errors import InputError
from jaxgan.metrics.frechet import frechet_distance_of_features
from jaxgan.metrics.gather import Sample
from jaxgan.metrics.inception_score import inception_score
from jaxgan.metrics.kernel import kid, mmd2
from jaxgan.metrics.measures import MEASURES, Evidence, Setting
from jaxgan.metrics.modes import label_modes, point_modes, stacked_modes
from jaxgan.metrics.types import Extractor


def drawn(n, seed, d=8):
    return np.random.default_rng(seed).normal(1.0, 0.5, size=(n, d)).astype(np.float32)


def formula(x, y):
    """The unbiased MMD^2 in float64, as the paper writes it."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    xx, yy, xy = (((a @ b.T) / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    return (
        (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()
    )


def test_the_full_estimate_is_its_formula_at_any_tile():
    x, y = drawn(120, 0), 1.1 * drawn(100, 1)
    for tile in (64, 128):
        assert mmd2(x, y, tile=tile) == pytest.approx(formula(x, y), rel=1e-6)
    assert mmd2(y, x, tile=64) == pytest.approx(formula(x, y), rel=1e-6)


def test_float32_keeps_a_distance_that_is_a_millionth_of_the_kernels():
    """Kernels are about 40 here, whose last float32 digit is 4e-6."""
    x, y = drawn(120, 0) * 0.1 + 2.0, drawn(100, 1) * 0.1 + 2.0
    assert abs(formula(x, y)) < 2e-2
    assert mmd2(x, y, tile=64) == pytest.approx(formula(x, y), abs=2e-7)


def test_the_estimate_is_unbiased():
    """Between sets of one distribution it is 0 on average, and below 0 about as often as above."""
    found = [mmd2(drawn(60, 2 * i), drawn(40, 2 * i + 1), tile=128) for i in range(100)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 10
    assert 30 < np.sum(np.array(found) < 0) < 80


def test_blocks_of_everything_are_the_full_estimate():
    x, y = drawn(100, 3), drawn(100, 4)
    found = kid(x, y, subsets=2, size=100)
    assert found.mean == pytest.approx(formula(x, y), abs=1e-7)  # kernels are about 10
    assert found.std == pytest.approx(0.0, abs=1e-7)


def test_a_deviation_over_subsets_is_not_given_where_all_of_them_are_everything():
    def measured(n, m):
        extractor = Extractor('pixels', 'Pixels', '', '', None, None)
        real, fake = (Sample(len(x), None, x, {}, None) for x in (drawn(n, 3), drawn(m, 4)))
        setting = Setting(extractor, {}, 8, (), n, m, 0)
        (found,) = MEASURES['kid'].take(
            Evidence(setting, real, fake, None, '', np.zeros((2, 8, 8, 3), np.uint8), 0)
        )
        return found

    found = measured(100, 100)
    assert (found.metric, found.std, found.settings) == ('KID-Pixels', None, 'all 100')
    assert found.value == pytest.approx(formula(drawn(100, 3), drawn(100, 4)), abs=1e-7)
    found = measured(120, 100)
    assert found.std is not None
    assert found.std > 0
    assert found.settings == '100 subsets of 100'


def test_stored_numbers_of_other_packages():
    peers = peer_numbers()
    real, fake, logits = peers['real'], peers['fake'], peers['logits']
    theirs = 'torch-fidelity/kernel_inception_distance'
    expected = float(peers[f'{theirs}_mean']), float(peers[f'{theirs}_std'])
    assert kid(real, fake, subsets=10, size=100) == pytest.approx(expected, rel=1e-5)
    assert kid(real, fake, subsets=10, size=100, seed=1) != pytest.approx(expected, rel=1e-2)
    score = 'torch-fidelity/inception_score'
    expected = float(peers[f'{score}_mean']), float(peers[f'{score}_std'])
    assert inception_score(logits, splits=7) == pytest.approx(expected, rel=1e-9)
    for name in ('pytorch-fid/fid', 'torch-fidelity/frechet_inception_distance'):
        assert frechet_distance_of_features(real, fake) == pytest.approx(float(peers[name]), rel=1e-5)


def test_what_blocks_cannot_be():
    x = drawn(50, 0)
    with pytest.raises(InputError, match=r'size 1000 \(allowed: 2 to 40, of 50 real and 40 fake samples\)'):
        kid(x, x[:40])
    with pytest.raises(InputError, match='subsets 0'):
        kid(x, x, subsets=0, size=10)


def test_scores_lie_between_one_and_the_number_of_classes():
    sure = 50.0 * np.eye(7)[np.arange(70) % 7]
    assert inception_score(sure, splits=1, seed=None).mean == pytest.approx(7.0)
    assert inception_score(sure[::7], splits=1).mean == pytest.approx(1.0)
    assert inception_score(np.zeros((20, 7)), splits=4) == pytest.approx((1.0, 0.0))
    found = inception_score(np.random.default_rng(0).normal(size=(500, 7)))
    assert 1.0 < found.mean < 7.0 and found.std > 0
    same = inception_score(np.random.default_rng(0).normal(size=(500, 7)) + 1e4)  # softmax knows no offset
    assert same == pytest.approx(found, rel=1e-6)


def test_parts_are_of_the_order_given_where_no_seed_is():
    logits = 50.0 * np.eye(2)[np.r_[np.zeros(10, int), np.ones(10, int)]]
    assert inception_score(logits, splits=2, seed=None) == pytest.approx((1.0, 0.0))
    assert inception_score(logits, splits=2).mean > 1.5
    assert inception_score(np.array([[0.0, -2000.0], [0.0, -2000.0]]), splits=1).mean == 1.0
    with pytest.raises(InputError, match=r'splits 21 \(allowed: 1 to 20'):
        inception_score(logits, splits=21)


def test_labelled_modes_are_their_formula():
    modes = np.array([0] * 6 + [1] * 2 + [-1] * 5)
    found = label_modes(modes, 4)
    assert found.covered == 2 and found.kl == pytest.approx(0.75 * np.log(3.0))
    assert label_modes(modes, 4, known=[3, 1, 0, 0]) == (2, 0.0)
    assert label_modes(modes, 4, known=[1, 0, 1, 0]) == (2, math.inf)
    assert label_modes(np.array([-1, -1]), 4) == (0, math.inf)


@pytest.mark.parametrize(
    ('modes', 'known', 'message'),
    [
        (np.array([0, 4]), None, 'mode 4 of 4'),
        (np.array([0.5]), None, r'float64 \(allowed: integers'),
        (np.array([0]), [1, 2], 'allowed: 4 probabilities'),
        (np.array([0]), [1, 1, 1, -1], 'allowed: 4 probabilities'),
    ],
)
def test_what_are_no_modes(modes, known, message):
    with pytest.raises(InputError, match=message):
        label_modes(modes, 4, known)


def test_stacks_are_numbers_and_what_is_not_finite_is_none():
    samples = np.zeros((3, 2, 2, 3), np.float32)
    samples[0] = [1.0, 2.0, 3.0]
    samples[1] = [0.0, 0.0, 9.0]
    samples[2, 0, 0, 0] = np.nan
    found = stacked_modes(samples, lambda layer: layer.mean(axis=(1, 2)).round().astype(int))
    assert found.tolist() == [123, 9, -1]


def test_points_belong_to_near_modes():
    modes = np.array([[-0.5, 0.0], [0.5, 0.0]])
    points = np.concatenate(
        [np.repeat([[-0.5, 0.0]], 19, 0), [[-0.5, 0.059]], [[0.5, 0.061]], np.zeros((4, 2))]
    )
    assert point_modes(points, modes, SIGMA, least=20) == (1, 20 / 25, pytest.approx(np.log(2)))
    assert point_modes(points, modes, SIGMA, least=21) == (0, 20 / 25, pytest.approx(np.log(2)))
    found = point_modes(points, modes, SIGMA, sigmas=4.0)
    assert found[:2] == (2, 21 / 25) and 0 < found.kl < np.log(2)
    written = images.to_uint8(points).reshape(-1, 1, 1, 2)
    assert point_modes(written, modes, SIGMA, least=20, sigmas=4.0)[:2] == (1, 21 / 25)
    assert point_modes(np.zeros((4, 2)), modes, SIGMA) == (0, 0.0, math.inf)
    with pytest.raises(InputError, match=r'points of shape \(5, 3\)'):
        point_modes(np.zeros((5, 3)), modes, SIGMA)


def test_the_mixture_covers_itself():
    points = read_all(open_source(DataConfig('points:ring25', split='test')))['image'][:2500]
    found = point_modes(points, centres('points:ring25'), SIGMA, least=20)
    assert found.covered == 25 and found.kl < 1e-4
    assert found.quality == pytest.approx(1 - np.exp(-4.5), abs=0.005)
