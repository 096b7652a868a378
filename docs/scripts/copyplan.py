"""Measure the size planner on audits that are drawn: how often its interval holds the true size, and how often it finds fault with a curve.

python docs/scripts/copyplan.py --seeds 100
"""

import argparse

import numpy as np

from jaxgan.metrics.copyplan import LAWS, Count, fit

HELD_OUT, RANK = 999, 10
BELOW = 0.01


def drawn(rng, sizes, curve, images=2000, share=1.0, spread=0.0):
    """Draw audits: the thresholds' actual false positive rates, the trainings' rates of copies, and the counts."""
    counts = []
    for size in sizes:
        false = share * rng.beta(RANK, HELD_OUT + 1 - RANK)
        copied = min(1.0, curve(size) * np.exp(spread * rng.normal() - spread**2 / 2))
        counts.append(
            Count(size, int(rng.binomial(images, copied + (1 - copied) * false)), images, RANK, HELD_OUT)
        )
    return counts


def exponential(n):
    """Fall from 60% at 50 images to 1% at 236."""
    return min(1.0, float(np.exp(np.log(0.6) - 0.022 * (n - 50))))


def power(n):
    """Fall from 60% at 50 images to 1% at 645."""
    return min(1.0, 0.6 * (n / 50) ** -1.6)


WORLDS = {
    'exponential, 5 sizes to 400': ((50, 100, 150, 200, 400), exponential, 'exponential', {}),
    'no false positives of its own': ((50, 100, 150, 200, 400), exponential, 'exponential', {'share': 0.0}),
    'half of them': ((50, 100, 150, 200, 400), exponential, 'exponential', {'share': 0.5}),
    'only to 150: extrapolated': ((50, 75, 100, 125, 150), exponential, 'exponential', {}),
    '200 samples each': ((50, 100, 150, 200, 400), exponential, 'exponential', {'images': 200}),
    'trainings vary by 30%': ((50, 75, 100, 150, 200, 300), exponential, 'exponential', {'spread': 0.3}),
    'trainings vary by 60%': ((50, 75, 100, 150, 200, 300), exponential, 'exponential', {'spread': 0.6}),
    'two sizes': ((50, 150), exponential, 'exponential', {}),
    'power law, by a power law': ((50, 100, 200, 400, 800), power, 'power', {}),
    'power law, by an exponential': ((50, 100, 200, 400, 800), power, 'exponential', {}),
}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--seeds', type=int, default=100)
    seeds = parser.parse_args().seeds
    print(f'to fewer than {BELOW:.0%}; {seeds} seeds; interval of 95%')
    print(
        f'{"world, fitted":32} {"truth":>6} {"median":>7} {"holds":>6} {"width":>6} {"p < .05":>8} {"no bound":>9}'
    )
    for name, (sizes, curve, law, others) in WORLDS.items():
        assert law in LAWS
        found = [
            fit(drawn(np.random.default_rng(seed), sizes, curve, **others), BELOW, law)
            for seed in range(seeds)
        ]
        truth = min(np.arange(1, 5000), key=lambda n: abs(np.log(curve(n) / BELOW)))
        high = np.array([np.inf if one.high is None else one.high for one in found])
        low, middle = (np.array([getattr(one, name) for one in found]) for name in ('low', 'images'))
        inside = np.mean((low <= truth + 0.5) & (truth - 0.5 <= high))
        width = np.median(high - low) / truth
        faults = np.mean([not one.holds for one in found])
        print(
            f'{name:32} {truth:6} {np.median(middle):7.0f} {inside:6.2f} {width:6.2f} {faults:8.2f} {np.mean(np.isinf(high)):9.2f}',
            flush=True,
        )


if __name__ == '__main__':
    main()
