"""Measure the measure of attacks: how often DeLong's interval holds the true AUC, and what random labels give.

python docs/scripts/membership.py
"""

import math

import numpy as np
from scipy.special import ndtri  # jax depends on scipy

from jaxgan.metrics.membership import auc, control

SIZES, AREAS = (20, 50, 200, 2000), (0.5, 0.6, 0.76, 0.95, 0.985)
SEEDS = 1_000


def main():
    """Print the tables."""
    print(
        f'the interval of 95% holds the true AUC, of {SEEDS} seeds; scores normal, and rounded so that many are equal'
    )
    print('images a side', *(f'{area:>13}' for area in AREAS))
    for size in SIZES:
        print(
            f'{size:13}',
            *(f'{covered(size, area, None):6.3f} {covered(size, area, 0):6.3f}' for area in AREAS),
        )
    print('\nrandom labels, of 100 sets of scores without any difference, 1,000 repeats each')
    print('images a side   one AUC: SD, in theory   means of repeats: farthest from .5   p < .05')
    for size in SIZES:
        rng = np.random.default_rng(size)
        sets = [rng.normal(size=(2, size)) for _ in range(100)]
        found = [control(*scores) for scores in sets]
        theory = math.sqrt((2 * size + 1) / (12 * size**2))
        one = np.std([auc(*scores).auc for scores in sets])
        far = max(abs(each.mean - 0.5) for each in found)
        print(
            f'{size:13} {one:14.4f} {theory:11.4f} {far:34.4f} {np.mean([each.p_value < 0.05 for each in found]):9.2f}'
        )


def covered(size, area, decimals):
    """Compute how often the interval holds the true area."""
    shift = ndtri(area) * math.sqrt(2)
    rng = np.random.default_rng(size)
    held = 0
    for _ in range(SEEDS if size < 2000 else 300):
        members, others = rng.normal(shift, 1, size), rng.normal(0, 1, size)
        true = area
        if decimals is not None:
            members, others = members.round(decimals), others.round(decimals)
            true = rounded_area(shift)
        found = auc(members, others)
        held += found.low <= true <= found.high
    return held / (SEEDS if size < 2000 else 300)


def rounded_area(shift):
    """Compute the AUC of normal scores that are rounded to whole numbers."""
    edges = np.arange(-12.5, 13)
    below = [np.array([0.5 * math.erfc((at - edge) / math.sqrt(2)) for edge in edges]) for at in (shift, 0)]
    members, others = (np.diff(each) for each in below)
    return float(members @ (np.cumsum(others) - others / 2))


if __name__ == '__main__':
    main()
