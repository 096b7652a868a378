"""Measure projection and tuning: ``python docs/scripts/inversion.py RUN --own 16 --held-out 4`` prints the tables of docs/studio.md.

Own samples are what a perfect search finds exactly (D1); held-out images are projected, and then tuned one by one, without
and with the local term (D3). Times are of the machine on which it runs, compilation left out of tuning's only.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from jaxgan import kernels
from jaxgan.making.inverting import Inverter, Way
from jaxgan.making.project import search
from jaxgan.making.targets import Targets, of_data, of_own
from jaxgan.making.tuned import Tuning, measure_drift, tune_found
from jaxgan.opened import open_generator


def own(inverter, n):
    """Project own samples."""
    found = search(inverter, of_own(inverter.generator, range(5000, 5000 + n))).places.origins
    psnr = np.array([one['psnr'] for one in found])
    print(
        f'own, {inverter.space.name}, {inverter.way.starts} starts, {inverter.way.steps} steps, n {n}: mean {psnr.mean():.1f} dB, '
        f'median {np.median(psnr):.1f}, >= 30 dB {np.mean(psnr >= 30):.0%}, {found[0]["seconds"]} s an image',
        flush=True,
    )


def tune(inverter, n, localities):
    """Project held-out images and tune for each alone."""
    result = search(inverter, of_data(inverter.generator, 'test', n))
    before = np.array([one['psnr'] for one in result.places.origins])
    print(f'held out, {inverter.space.name}: {np.round(before, 1)} dB', flush=True)
    for locality in localities:
        after, drifts, start = [], [], time.perf_counter()
        for i in range(n):
            one = result.places._replace(
                codes=result.places.codes[i : i + 1],
                names=result.places.names[i : i + 1],
                origins=result.places.origins[i : i + 1],
            )
            target = Targets(result.targets.pixels[i : i + 1], one.names, one.origins)
            tuned, images = tune_found(inverter, one, target.pixels, Tuning(locality=locality))
            after.append(inverter.measure(images, target.pixels, None)[0]['psnr'])
            drifts.append(measure_drift(inverter, tuned.patch or {}))
        seconds = (time.perf_counter() - start) / n
        print(
            f'tuned, locality {locality}: {np.round(after, 1)} dB, gain {np.round(after - before, 1)}, '
            f'drift {np.round(100 * np.array(drifts), 2)} % of the range, {seconds:.1f} s an image',
            flush=True,
        )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run', type=Path)
    parser.add_argument('--spaces', default='')
    parser.add_argument('--own', type=int, default=16)
    parser.add_argument('--held-out', type=int, default=4)
    parser.add_argument('--starts', type=int, default=16)
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--localities', type=float, nargs='*', default=[0.0, 1.0])
    options = parser.parse_args()
    kernels.enable()
    generator = open_generator(options.run)
    for space in options.spaces.split(',') if options.spaces else [None]:
        inverter = Inverter(generator, Way(space, options.starts, steps=options.steps))
        if options.own:
            own(inverter, options.own)
        if options.held_out:
            tune(inverter, options.held_out, options.localities)


if __name__ == '__main__':
    main()
