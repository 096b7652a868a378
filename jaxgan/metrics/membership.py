"""Can a training image be told from a held-out one? Attacks as scores, and how well they do.

References:
    Hayes, Melis, Danezis and De Cristofaro 2019, LOGAN, arXiv 1705.07663 (the discriminator's score); Chen, Yu, Zhang and
    Fritz 2020, GAN-Leaks, arXiv 1909.03935 (the distance to the nearest generated image); DeLong, DeLong and
    Clarke-Pearson 1988, Comparing the areas under two or more correlated receiver operating characteristic curves,
    Biometrics 44.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxgan.errors import InputError


class Attack(NamedTuple):
    """How well a score tells members from others."""

    auc: float
    """The probability that a member's score is above another's; 0.5: not at all."""
    low: float
    high: float
    """Of the interval of 95% by DeLong's variance."""
    members: int
    others: int


def auc(members: np.ndarray, others: np.ndarray) -> Attack:
    """Compute the area under the ROC curve, and its interval.

    ``A = mean over pairs of [a > b] + [a = b] / 2``; its variance is ``var(P_a) / m + var(P_b) / n``, where ``P`` is each
    one's share of the pairs that it wins. The interval is that of the logit of A, so that it stays within 0 and 1; at 0
    or 1 it reaches to what ``3 / min(m, n)`` allows.

    Args:
        members: scores [m] of training images, higher meaning more surely a member; at least 2.
        others: scores [n] of held-out images; at least 2.

    Raises:
        InputError: there are fewer, or scores are not finite.

    >>> auc(np.array([3.0, 2.0]), np.array([1.0, 2.0])).auc
    0.875
    """
    if min(len(members), len(others)) < 2 or not (np.isfinite(members).all() and np.isfinite(others).all()):
        raise InputError('an attack needs at least two finite scores of members, and of others')
    of_members, of_others = _wins(members, others), 1 - _wins(others, members)
    area = float(of_members.mean())
    variance = of_members.var(ddof=1) / len(members) + of_others.var(ddof=1) / len(others)
    if not 0 < area < 1:
        slack = 3 / min(len(members), len(others))  # the rule of three
        low, high = max(0.0, area - slack), min(1.0, area + slack)
    else:
        logit = math.log(area / (1 - area))
        width = 1.959964 * math.sqrt(variance) / (area * (1 - area))
        low, high = (1 / (1 + math.exp(-min(max(x, -700), 700))) for x in (logit - width, logit + width))
    return Attack(area, low, high, len(members), len(others))


class Control(NamedTuple):
    """The same scores with labels at random: what an attack that knows nothing gets."""

    mean: float
    """AUC, of all repeats; 0.5 is expected."""
    error_of_mean: float
    error: float
    """The standard error of one AUC of so many scores without any difference: with m and n of them about ``sqrt((m + n + 1) / 12mn)``."""
    p_value: float
    """How probable it is that one is as far from 0.5, on either side, as the attack's; at least ``1 / (repeats + 1)``."""
    repeats: int


def control(members: np.ndarray, others: np.ndarray, repeats: int = 1_000, seed: int = 0) -> Control:
    """Repeat an attack with random labels.

    The rank sum's form: ``A = (sum of the members' midranks - m (m + 1) / 2) / (m n)``, so that a repeat costs a permutation.

    Args:
        members: as ``auc`` has them.
        others: as ``auc`` has them.
        repeats: how many, at least 2.
        seed: of the labels.

    References:
        Mann and Whitney 1947, Annals of Mathematical Statistics 18; Ernst 2004, Permutation methods, Statistical Science 19.

    >>> found = control(np.arange(50.0), np.arange(50.0) + 0.5)
    >>> round(found.mean, 2), round(found.error, 2), found.p_value > 0.5
    (0.5, 0.06, True)
    """
    m, n = len(members), len(others)
    both, rng = np.concatenate([members, others]), np.random.default_rng(seed)
    ranks = _wins(both, both) * (m + n) + 0.5
    areas = np.array([rng.permutation(ranks)[:m].sum() for _ in range(repeats)])
    own, areas = ((x - m * (m + 1) / 2) / (m * n) for x in (ranks[:m].sum(), areas))
    error = float(areas.std(ddof=1))
    as_far = int(np.sum(abs(areas - 0.5) >= abs(own - 0.5) - 1e-12))
    return Control(
        float(areas.mean()), error / math.sqrt(repeats), error, (1 + as_far) / (repeats + 1), repeats
    )


def _wins(scores: np.ndarray, against: np.ndarray) -> np.ndarray:
    """Compute each score's share of those that it is above; equal ones count half."""
    ordered = np.sort(against)
    below = np.searchsorted(ordered, scores, side='left')
    return (below + np.searchsorted(ordered, scores, side='right')) / (2 * len(against))
