"""Signs of trouble: built ones are told once, with a remedy, and healthy figures are left alone."""

import math

import numpy as np
import pytest

from jaxgan.alarms import Alarms, distance
from jaxgan.build import LOSSES

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


@pytest.mark.parametrize('name', sorted(IGNORANT))
def test_a_winner_is_told_after_three_reports_in_a_row_and_once(name):
    alarms, ignorant = Alarms(LOSSES[name], 4, None), IGNORANT[name]
    low, high, fine = 0.09 * ignorant, 1.11 * ignorant, 0.5 * ignorant
    assert signals(alarms, low, low, low, low) == [[], [], ['d_wins'], []]
    assert signals(alarms, fine, low, low, low) == [[], [], [], ['d_wins']]
    assert signals(alarms, high, high, high, high) == [[], [], ['g_wins'], []]
    assert signals(alarms, low, low, fine, low, low) == [[]] * 5


@pytest.mark.parametrize('name', sorted(LOSSES))
def test_losses_between_the_bounds_are_no_signs(name):
    alarms = Alarms(LOSSES[name], 4, None)
    scale = IGNORANT.get(name, 1.0)
    assert signals(alarms, *(share * scale for share in (0.2, 0.5, 0.9, 1.0))) == [[]] * 4


def test_the_loss_of_wasserstein_has_no_scale():
    assert signals(Alarms(LOSSES['wasserstein'], 4, None), *[-50.0] * 5, *[50.0] * 5) == [[]] * 10


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_named_at_once(value):
    (sign,) = Alarms(LOSSES['hinge'], 4, None).metrics({'d/loss': 1.0, 'g/loss': value, 'g/grad_norm': value})
    assert sign.signal == 'non_finite'
    assert sign.message.startswith('g/grad_norm, g/loss not finite: ')
    assert '--g-optimizer.clip' in sign.message


def test_the_distance_is_the_mean_over_pairs():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[1], images[2] = 255, [[[255], [255]], [[0], [0]]]
    assert distance(images) == pytest.approx((2 + 2**0.5 + 2**0.5) / 3)


def test_samples_that_are_all_alike_are_a_collapse_at_the_second_grid():
    alarms = Alarms(LOSSES['hinge'], 4, distance(REAL))
    alike = np.clip(REAL[:1].astype(int) + RANDOM.integers(-9, 10, (16, 8, 8, 3)), 0, 255).astype(np.uint8)
    assert [len(alarms.grid(grid)) for grid in (alike, alike, alike)] == [0, 1, 0]
    assert [len(alarms.grid(grid)) for grid in (REAL[:16], REAL[16:], alike, REAL[:16], alike)] == [0] * 5
    two_kinds = np.where(np.arange(16)[:, None, None, None] % 2, REAL[:1], REAL[1:2])
    assert alarms.grid(two_kinds) == []  # half the distance: not yet a sign
