"""Signs of trouble: built ones are told once, with a remedy, and healthy figures are left alone."""

import math

import numpy as np
import pytest

from jaxgan.build import LOSSES
from jaxgan.run.alarms import Alarms, distance, distances, kinds

RANDOM = np.random.default_rng(0)
REAL = RANDOM.integers(0, 256, (32, 8, 8, 3), np.uint8)
IGNORANT = {
    'non_saturating': 2 * math.log(2),
    'relativistic': math.log(2),
    'hinge': 2.0,
    'least_squares': 0.5,
}


def signals(alarms, *losses):
    return [[sign.signal for sign in alarms.metrics({'d/loss': loss, 'd/r1': 0.1})] for loss in losses]


def told(alarms, name, values):
    return [[sign.signal for sign in alarms.metrics({name: value})] for value in values]


def looks(alarms, *batches):
    return [[sign.signal for sign in alarms.images(images)] for images in batches]


@pytest.mark.parametrize('name', sorted(IGNORANT))
def test_a_winner_is_told_after_three_reports_in_a_row_and_once(name):
    alarms, ignorant = Alarms(LOSSES[name], 4, None), IGNORANT[name]
    low, high, fine = 0.09 * ignorant, 1.11 * ignorant, 0.5 * ignorant
    assert signals(alarms, low, low, low, low) == [[], [], ['d_wins'], []]
    assert signals(alarms, fine, low, low, low) == [[], [], [], ['d_wins']]
    alarms = Alarms(LOSSES[name], 4, None)
    assert signals(alarms, high, high, high, high) == [[], [], ['g_wins'], []]
    assert signals(alarms, low, low, fine, low, low) == [[]] * 5


@pytest.mark.parametrize('name', sorted(LOSSES))
def test_losses_between_the_bounds_are_no_signs(name):
    alarms = Alarms(LOSSES[name], 4, None)
    scale = IGNORANT.get(name, 1.0)
    assert signals(alarms, *(share * scale for share in (0.2, 0.5, 0.9, 1.0))) == [[]] * 4


def test_the_loss_of_wasserstein_has_no_scale():
    assert signals(Alarms(LOSSES['wasserstein'], 4, None), *[-50.0] * 5, *[50.0] * 2) == [[]] * 7


def test_a_generator_that_gets_no_gradient_is_told():
    alarms = Alarms(LOSSES['hinge'], 4, None)
    assert told(alarms, 'g/grad_norm', [1.0, 0.0, 0.0, 0.0, 1e-3]) == [[], [], ['g_stalls'], [], []]


@pytest.mark.parametrize('name', ['d/loss', 'g/loss', 'd/grad_norm', 'g/grad_norm'])
def test_a_figure_that_leaves_its_course_is_told_and_a_single_outlier_is_not(name):
    course = [1.0 + 0.1 * math.sin(i) for i in range(12)]
    alarms = Alarms(LOSSES['wasserstein'], 4, None)
    assert told(alarms, name, course) == [[]] * 12
    assert told(alarms, name, [50.0, 1.0, math.nan, 1.0]) == [[]] * 4  # what is not finite is passed over
    assert told(alarms, name, [50.0, 60.0, 70.0]) == [[], ['leap'], []]
    early = Alarms(LOSSES['wasserstein'], 4, None)
    assert told(early, name, [1.0] * 7 + [50.0]) == [[]] * 8  # no past yet


def test_the_distance_is_the_mean_over_pairs():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[1], images[2] = 255, [[[255], [255]], [[0], [0]]]
    assert distance(images) == pytest.approx((2 + 2**0.5 + 2**0.5) / 3)


def test_kinds_are_what_links_leave_apart():
    chain = np.abs(np.subtract.outer(np.arange(10.0), np.arange(10.0)))
    assert [kinds(chain, alike) for alike in (0.5, 1.0)] == [10, 1]
    assert kinds(distances(np.repeat(REAL[:4], 5, axis=0)), 0.01) == 4


def test_samples_that_are_all_alike_are_a_collapse_at_the_second_look():
    alarms = Alarms(LOSSES['hinge'], 4, REAL)
    alike = np.clip(REAL[:1].astype(int) + RANDOM.integers(-9, 10, (16, 8, 8, 3)), 0, 255).astype(np.uint8)
    assert looks(alarms, alike, alike, alike) == [[], ['collapse'], []]
    assert looks(alarms, REAL[:16], REAL[16:], alike, REAL[:16], alike) == [[]] * 5


def test_samples_of_a_few_kinds_are_told_however_far_apart_these_are():
    alarms = Alarms(LOSSES['hinge'], 4, REAL)
    four, five = REAL[np.arange(16) % 3], REAL[np.arange(16) % 5]
    assert looks(alarms, four, four, four) == [[], ['few_kinds'], []]
    assert looks(alarms, five, five, REAL) == [[], [], []]
    assert looks(Alarms(LOSSES['hinge'], 4, None), four, four) == [[], []]


def test_real_images_that_are_all_one_are_no_measure():
    alarms = Alarms(LOSSES['hinge'], 4, np.repeat(REAL[:1], 8, axis=0))
    assert looks(alarms, REAL[:8], np.repeat(REAL[:1], 8, axis=0)) == [[], []]
