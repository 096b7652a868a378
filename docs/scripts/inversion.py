"""Measure inversion: ``python docs/scripts/inversion.py RUN own gap tuning warm`` prints the tables of docs/studio.md.

own: the generator's own samples, which a perfect search finds exactly. gap: images of the training beside held-out ones. tuning:
held-out images, tuned one by one, without and with the local term. warm: an encoder's start against the nearest random image's.
Times are of the machine on which it runs, with compilation, and say little where it has other work.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from jaxgan import kernels
from jaxgan.images import to_uint8
from jaxgan.making.encoding import load_encoder
from jaxgan.making.inverting import Inverter, Way
from jaxgan.making.painting import decode
from jaxgan.making.project import search
from jaxgan.making.projections import take
from jaxgan.making.shown import GOOD, kolmogorov_smirnov
from jaxgan.making.targets import of_data, of_own
from jaxgan.making.tuned import Tuning, measure_drift, tune_found
from jaxgan.making.warming import of_encoder
from jaxgan.opened import open_generator
from jaxgan.runtime import keep_programs

SEED = 5000  # of the first own sample
HEAD = '| images | space | starts, steps | n | mean dB | median | at 30 dB or more | SSIM | features | s an image |'


def row(name, inverter, origins):
    """Print a row of projections."""
    psnr = np.array([one['psnr'] for one in origins])
    means = [
        f'{np.mean([one[key] for one in origins]):.3f}' if key in origins[0] else '-'
        for key in ('ssim', 'features')
    ]
    way = inverter.way
    print(
        f'| {name} | {inverter.space.name} | {way.starts}, {way.steps} | {len(psnr)} | {psnr.mean():.1f} | {np.median(psnr):.1f} | '
        f'{np.mean(psnr >= GOOD):.0%} | {" | ".join(means)} | {origins[0]["seconds"]:.1f} |',
        flush=True,
    )
    return psnr


def head(text):
    """Begin a table."""
    print(f'\n{text}\n|{"---|" * (text.count("|") - 1)}', flush=True)


def own(generator, way, n):
    """Project own samples."""
    inverter = Inverter(generator, way)
    row('own', inverter, search(inverter, of_own(generator, range(SEED, SEED + n))).places.origins)


def gap(generator, way, n):
    """Project images of the training and others."""
    inverter = Inverter(generator, way)
    found = [
        row(split, inverter, search(inverter, of_data(generator, split, n)).places.origins)
        for split in ('train', 'test')
    ]
    print(
        f'\nKS p of train against test, {inverter.space.name}: {kolmogorov_smirnov(*found)[1]:.2g}',
        flush=True,
    )


def tuning(generator, way, n, steps, localities):
    """Project held-out images and tune for each alone."""
    inverter = Inverter(generator, way)
    result = search(inverter, of_data(generator, 'test', n))
    before = np.array([one['psnr'] for one in result.places.origins])
    for locality in localities:
        after, drifts, start = [], [], time.perf_counter()
        for i in range(n):
            pixels = result.targets.pixels[i : i + 1]
            tuned = tune_found(inverter, take(result.places, [i]), pixels, Tuning(steps, locality))
            images = to_uint8(decode(generator, tuned))
            after.append(inverter.measure(images, pixels, None)[0]['psnr'])
            drifts.append(100 * measure_drift(inverter, tuned.patch or {}))
        seconds = (time.perf_counter() - start) / n
        gain = after - before
        print(
            f'| {inverter.space.name} | {locality:g} | {n} | {before.mean():.1f} | {np.mean(after):.1f} | '
            f'{gain.min():.1f} to {gain.max():.1f} | {min(drifts):.1f} to {max(drifts):.1f} % | {seconds:.1f} |',
            flush=True,
        )


def warm(generator, encoder, n, steps):
    """Compare starts: an encoder's, and the nearest of random images."""
    groups = {'own': of_own(generator, range(SEED, SEED + n)), 'test': of_data(generator, 'test', n)}
    encode = load_encoder(encoder, generator, generator.choose_space(None).name)
    for count in steps:
        inverter = Inverter(generator, Way(starts=1, steps=count))
        for name, targets in groups.items():
            row(f'{name}, nearest', inverter, search(inverter, targets).places.origins)
            row(
                f'{name}, encoder',
                inverter,
                search(inverter, targets, warm=of_encoder(encode)).places.origins,
            )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run', type=Path)
    parser.add_argument('tables', nargs='+', choices=('own', 'gap', 'tuning', 'warm'))
    parser.add_argument('--spaces', default='')
    parser.add_argument('--n', type=int, default=16)
    parser.add_argument('--starts', type=int, default=Way.starts)
    parser.add_argument('--steps', type=int, default=Way.steps)
    parser.add_argument('--features', default=Way.features, help='what looks besides pixels; none: faster')
    parser.add_argument('--tune-steps', type=int, default=Tuning().steps)
    parser.add_argument('--localities', type=float, nargs='*', default=[0.0, Tuning().locality])
    parser.add_argument('--encoder', type=Path, help="what jaxgan encoder wrote (default: the run's)")
    parser.add_argument('--warm-steps', type=int, nargs='*', default=[100, 200, 500])
    options = parser.parse_args()
    keep_programs()
    kernels.enable()
    generator = open_generator(options.run)
    ways = [
        Way(space or None, options.starts, steps=options.steps, features=options.features)
        for space in options.spaces.split(',')
    ]
    for table in options.tables:
        if table == 'tuning':
            head('| space | locality | n | before | after, mean dB | gain | drift | s an image |')
        else:
            head(HEAD)
        for way in ways if table != 'warm' else ():
            if table == 'own':
                own(generator, way, options.n)
            elif table == 'gap':
                gap(generator, way, options.n)
            else:
                tuning(generator, way, options.n, options.tune_steps, options.localities)
        if table == 'warm':
            warm(generator, options.encoder or options.run / 'encoder', options.n, options.warm_steps)


if __name__ == '__main__':
    main()
