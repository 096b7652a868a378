"""Thresholds, rates and attacks: exact values, and coverage over many draws."""

import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.metrics import copyrate
from jaxgan.metrics.copyrate import (
    Threshold,
    calibrate,
    clopper_pearson,
    copy_rate,
    fewest,
    p_values,
    rate_interval,
    smallest_fpr,
)
from jaxgan.metrics.membership import auc, control


@pytest.mark.parametrize(
    ('count', 'total', 'low', 'high'),
    [(0, 10, 0, 1 - 0.025**0.1), (10, 10, 0.025**0.1, 1), (5, 10, 0.187086, 0.812914), (1, 1000, 2.5317e-5, 5.5589e-3)],
)  # fmt: skip
def test_clopper_pearson(count, total, low, high):
    np.testing.assert_allclose(clopper_pearson(count, total), (low, high), rtol=1e-4, atol=1e-12)


def test_clopper_pearson_refuses_what_is_no_share():
    with pytest.raises(InputError, match='11 of 10'):
        clopper_pearson(11, 10)


def test_a_threshold_is_a_rank_and_says_when_there_are_too_few():
    ratios = np.random.default_rng(0).permutation(999) + 1.0
    assert calibrate(ratios, 0.001)[:3] == (1.0, 0.001, 1)
    assert calibrate(ratios, 0.01).value == 10 and calibrate(ratios, 0.01).fpr == 0.01
    with pytest.raises(InputError, match=r'998 held-out images .* 0.001: at least 999 are needed'):
        calibrate(ratios[:998], 0.001)
    assert calibrate(ratios[:99], smallest_fpr(99)).rank == 1
    with pytest.raises(InputError, match='finite'):
        calibrate(np.array([np.nan] * 10), 0.5)


def test_twins_do_not_set_the_threshold_and_count_as_false_positives():
    ratios = np.concatenate([np.zeros(3), np.arange(1.0, 100.0)])
    found = calibrate(ratios, 0.02, ratios == 0)
    assert (found.value, found.rank, found.twins, found.held_out) == (2.0, 5, 3, 102)
    assert found.fpr == 5 / 103


def test_fresh_images_count_as_often_as_was_asked_for():
    rng = np.random.default_rng(1)
    rates = [np.mean(rng.random(2000) < calibrate(rng.random(199), 0.05).value) for _ in range(300)]
    assert abs(np.mean(rates) - 0.05) < 0.003  # rank 10 of 200


def test_with_confidence_the_rate_of_nearly_every_draw_is_kept():
    rng = np.random.default_rng(4)
    actual = [
        calibrate(rng.random(400), 0.05, confidence=0.95).value for _ in range(500)
    ]  # uniform: the rate itself
    kept = np.mean(np.array(actual) <= 0.05)
    assert 0.93 <= kept <= 0.99
    assert np.mean([calibrate(rng.random(400), 0.05).value <= 0.05 for _ in range(500)]) < 0.65
    assert (fewest(0.05), fewest(0.05, 0.95), fewest(0.001, 0.95)) == (19, 59, 2995)
    with pytest.raises(InputError, match='at least 59 are needed'):
        calibrate(np.arange(58.0), 0.05, confidence=0.95)


def test_the_rate_of_a_clean_generator_is_rarely_called_too_high():
    rng = np.random.default_rng(2)
    rates = [copy_rate(rng.random(3000), calibrate(rng.random(999), 0.005)) for _ in range(100)]
    assert np.mean([rate.corrected_interval.low > 0 for rate in rates]) <= 0.025
    assert np.mean([rate.p_value < 0.05 for rate in rates]) < 0.085
    assert np.mean([rate.p_value < 0.05 for rate in rates]) > 0.02


def chances(images, rank, held_out):
    """Tell how probable each count is of images like the held-out ones: beta-binomial."""
    tails = [copyrate._at_least(k, images, rank, held_out + 1 - rank) for k in range(images + 1)]
    return -np.diff([*tails, 0.0])


@pytest.mark.parametrize(('rank', 'held_out', 'images'), [(1, 99, 60), (5, 60, 60)])
def test_the_interval_of_a_rate_contains_that_of_fresh_images_by_exact_probability(rank, held_out, images):
    threshold = Threshold(1.0, 0.5, rank, held_out)
    chance = chances(images, rank, held_out)
    assert chance.sum() == pytest.approx(1)
    bounds = [rate_interval(k, images, threshold) for k in range(images + 1)]
    inside = np.array([low <= threshold.fpr <= high for low, high in bounds])
    assert 0.95 <= chance[inside].sum() < 0.995
    plain = [clopper_pearson(k, images) for k in range(images + 1)]
    assert chance[[low <= threshold.fpr <= high for low, high in plain]].sum() < 0.95, 'the draw counts'


def test_the_interval_of_a_rate_is_clopper_and_pearsons_where_no_draw_is_left():
    sure = Threshold(1.0, 0.5, 10**7, 2 * 10**7)
    for count, total in ((0, 10), (3, 10), (10, 10), (480, 1000)):
        np.testing.assert_allclose(
            rate_interval(count, total, sure), clopper_pearson(count, total), atol=1e-3
        )
    with pytest.raises(InputError, match='11 of 10'):
        rate_interval(11, 10, sure)


def test_planted_copies_are_counted():
    rng = np.random.default_rng(3)
    threshold = calibrate(rng.uniform(0.5, 1.5, 1999), 0.001)
    ratios = np.concatenate([np.zeros(50), rng.uniform(0.5, 1.5, 9950)])
    rate = copy_rate(ratios, threshold)
    assert 50 <= rate.copies <= 80 and rate.p_value < 1e-3
    assert 0 < rate.corrected_interval.low < 0.005 < rate.corrected_interval.high
    assert rate.corrected == pytest.approx((rate.raw - 0.001) / 0.999)
    assert copy_rate(np.ones(10) * 2, threshold)[:3] == (0, 10, 0.0)


def test_p_values_are_those_of_conformal_prediction():
    assert p_values(np.array([0.0, 1.0, 9.0]), np.arange(1.0, 5.0)).tolist() == [0.2, 0.4, 1.0]


def test_auc_of_all_pairs():
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 6, 40).astype(float), rng.integers(0, 5, 30).astype(float)
    pairs = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    found = auc(a, b)
    assert found.auc == pytest.approx(pairs.mean())
    assert found.low < found.auc < found.high
    assert auc(b, a).auc == pytest.approx(1 - found.auc)
    assert auc(a + 10, b)[:3] == pytest.approx((1, 0.9, 1))
    with pytest.raises(InputError, match='at least two finite scores'):
        auc(a[:1], b)


def test_the_interval_of_an_attack_covers():
    rng = np.random.default_rng(5)
    true = 0.7602499  # of normal scores one deviation apart
    found = [auc(rng.normal(1, 1, 80), rng.normal(0, 1, 60)) for _ in range(400)]
    assert 0.92 < np.mean([one.low < true < one.high for one in found]) < 0.98
    chance = [auc(rng.normal(size=2000), rng.normal(size=2000)).auc for _ in range(20)]
    assert max(abs(one - 0.5) for one in chance) < 0.04


def test_random_labels_give_one_half_with_the_error_that_theory_has():
    rng = np.random.default_rng(6)
    scores = rng.normal(size=(2, 200)).round(1)  # with ties
    found = control(scores[0], scores[1] + 1, repeats=400)
    assert abs(found.mean - 0.5) < 3 * found.error_of_mean < 0.006
    assert found.error == pytest.approx(np.sqrt(401 / (12 * 200 * 200)), rel=0.12)
    assert found.p_value == 1 / 401, 'none of the repeats is as far'
    assert found.error_of_mean == pytest.approx(found.error / 20)


def test_the_p_value_of_an_attack_that_knows_nothing_is_uniform():
    rng = np.random.default_rng(7)
    found = [control(*rng.normal(size=(2, 12)), repeats=99).p_value for _ in range(200)]
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.09
    assert 0.4 < np.mean(found) < 0.6
