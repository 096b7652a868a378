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


def _wins(scores: np.ndarray, against: np.ndarray) -> np.ndarray:
    """Compute each score's share of those that it is above; equal ones count half."""
    ordered = np.sort(against)
    below = np.searchsorted(ordered, scores, side='left')
    return (below + np.searchsorted(ordered, scores, side='right')) / (2 * len(against))
