"""Measure what measures cost, and how exact the streamed covariance is: the last table of docs/metrics.md.

    python docs/scripts/metrics.py

Features look like Inception's: none negative, 2,048 wide, varying in 256 directions and a little in all. A line tells the
wall time, the processor time (of all cores) and the load of the machine: where others use its cores, only the second counts.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgan.metrics import moments
from jaxgan.metrics.copying import copying
from jaxgan.metrics.frechet import frechet_distance, frechet_distance_of_features
from jaxgan.metrics.inception_score import inception_score
from jaxgan.metrics.kernel import kid, mmd2
from jaxgan.metrics.manifold import density_coverage, precision_recall
from jaxgan.metrics.pairwise import nearest

WIDTH = 2048


def features(count: int, seed: int) -> np.ndarray:
    """Draw features, float32 [count, WIDTH]."""
    mix = 0.06 * np.random.default_rng(0).standard_normal((256, WIDTH), np.float32)
    random = np.random.default_rng(seed)
    low = random.standard_normal((count, 256), np.float32) @ mix
    low += np.float32(0.05) * random.standard_normal((count, WIDTH), np.float32)
    low += np.float32(0.25 + 0.01 * seed)
    return np.maximum(low, 0.0, out=low)


def timed(name: str, run: Callable[[], Any]) -> Any:
    """Run, and print a line of the table."""
    wall, own = time.perf_counter(), time.process_time()
    found = run()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    print(f'| {name} | {wall:.1f} | {own:.1f} | {os.getloadavg()[0]:.1f} |', flush=True)
    return found


def streamed(x: np.ndarray, batch: int = 250) -> moments.Statistics:
    """Gather moments on the device by batches."""
    update, found = jax.jit(moments.update, donate_argnums=0), moments.init(WIDTH)
    for start in range(0, len(x), batch):
        found = update(found, x[start : start + batch])
    return moments.finish(found)


def precision(x: np.ndarray) -> None:
    """Compare the streamed covariance with one computed in float64."""
    found = timed(f'moments of {len(x):,}, by 250 on the device', lambda: streamed(x))
    expected = timed(
        f'mean and covariance of {len(x):,} in float64 on the host', lambda: moments.statistics(x)
    )
    largest = np.abs(expected.cov).max()
    print(
        f'\nmean off by at most {np.abs(found.mean - expected.mean).max():.1e}, covariance by {np.abs(found.cov - expected.cov).max() / largest:.1e} '
        f'of its largest value; Frechet distance between the two {frechet_distance(found, expected):.1e}, traces of {np.trace(expected.cov):.3g}'
    )


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--samples', type=int, default=10_000)
    parser.add_argument('--streamed', type=int, default=50_000)
    options = parser.parse_args()
    n = options.samples
    real, fake = features(n, 1), features(n, 2)
    print('| what | seconds | processor seconds | load |\n|---|---|---|---|')
    timed(f'Frechet distance, {n:,} and {n:,}', lambda: frechet_distance_of_features(real, fake))
    timed(f'Frechet distance, 500 and {n:,}', lambda: frechet_distance_of_features(real[:500], fake))
    timed('KID, 100 subsets of 1,000', lambda: kid(real, fake))
    timed(f'MMD^2, {n:,} and {n:,}', lambda: mmd2(real, fake))
    timed(f'precision and recall, {n:,} and {n:,}', lambda: precision_recall(real, fake))
    timed(f'density and coverage, {n:,} and {n:,}', lambda: density_coverage(real, fake))
    timed(f'nearest 8 of {n:,} for 64', lambda: nearest(fake[:64], real, 8))
    timed(
        f'C_T, {n:,} training, {n // 2:,} test, {n // 2:,} generated',
        lambda: copying(real, fake[: n // 2], fake[n // 2 :]),
    )
    logits = np.random.default_rng(0).standard_normal((50_000, 1000), np.float32)
    timed('Inception score, 50,000 of 1,000 classes', lambda: inception_score(logits))
    del real, fake, logits
    precision(features(options.streamed, 3))


if __name__ == '__main__':
    main()
