"""Measure how often ``jaxgan verify`` finds a mark where there is none: images times keys, by detection, search and batches.

    python docs/scripts/verify_rates.py DATA... [--images 1000] [--keys 1000] [--marked] [--searches 0] [--batches 0]

DATA are names as ``--data.name`` takes them, such as pixel_avatars or npz:emoji.npz. Prints a table in Markdown: of all trials the
share whose p-value is at most t, divided by t: at most about 1 where p-values are honest.

A detection's scores are read once an image, by the function that ``detect`` reads them with, and correlated with all keys at once; the
p-value is computed by ``detect``'s own function wherever the statistic is above 1.5 deviations, and counts as 1 below.
"""

import argparse
import os

import numpy as np

from jaxgan import watermark
from jaxgan.data import DataConfig, open_source
from jaxgan.watermark.detection import read_scores
from jaxgan.watermark.pattern import tile_signs
from jaxgan.watermark.pvalues import log_p_value

AT = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
LOOKED_AT = 1.5  # deviations


def _read(name, n):
    source = open_source(DataConfig(name))
    places = np.random.default_rng(0).permutation(len(source))[:n]
    return np.stack([source[int(i)]['image'] for i in places])


def _keys(n):
    return [watermark.model_key(os.urandom(32).hex()) for _ in range(n)]


def _marked(images):
    pattern = watermark.make_pattern(_keys(1)[0], *images.shape[1:3])
    return watermark.embed(images, pattern)


def _detections(images, keys):
    """Give the p-values of all images times all keys."""
    scores = read_scores(images)
    rows, columns = scores.shape[1:3]
    flat = scores.reshape(len(images), -1)
    sizes = np.maximum(np.linalg.norm(flat, axis=1), 1e-30)
    found = np.ones((len(images), len(keys)))
    for k, key in enumerate(keys):
        signs = tile_signs(key)[:rows, :columns].ravel()
        values = flat @ signs
        for i in np.flatnonzero(values / sizes > LOOKED_AT):
            found[i, k] = np.exp(log_p_value(flat[i], float(values[i])))
    return found.ravel()


def _check(images, keys):
    """Assure that this is what ``detect`` finds."""
    quick = _detections(images[:20], keys[:20])
    slow = np.asarray([watermark.detect(image, key).p_value for image in images[:20] for key in keys[:20]])
    assert np.allclose(quick[quick < 1], slow[quick < 1], rtol=1e-3)


def _row(name, p_values):
    shares = [np.sum(p_values <= t) / len(p_values) / t for t in AT]
    hits = int(np.sum(p_values <= AT[-1]))
    print(
        f'| {name} | {len(p_values):,} | ' + ' | '.join(f'{s:.2f}' for s in shares) + f' | {hits} |',
        flush=True,
    )


def _measure(name, options):
    images = _read(name, options.images)
    if options.marked:
        images = _marked(images)
    keys = _keys(options.keys)
    _check(images, keys)
    label = f'{name}{", marked by another model" if options.marked else ""}'
    _row(f'{label}: detect', _detections(images, keys))
    if options.batches:
        random = np.random.default_rng(1)
        some = [
            images[random.permutation(len(images))[: min(200, len(images) // 2)]]
            for _ in range(options.batches)
        ]
        found = [watermark.batch(batch, key).p_value for batch in some for key in _keys(options.keys // 10)]
        _row(f'{label}: batches of {len(some[0])}', np.asarray(found))
    if options.searches:
        found = [
            watermark.search(images[i % len(images)], _keys(1)[0]).p_value for i in range(options.searches)
        ]
        _row(f'{label}: search', np.asarray(found))


def main():
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', nargs='+')
    parser.add_argument('--images', type=int, default=1000)
    parser.add_argument('--keys', type=int, default=1000)
    parser.add_argument('--marked', action='store_true')
    parser.add_argument('--batches', type=int, default=0)
    parser.add_argument('--searches', type=int, default=0)
    options = parser.parse_args()
    print(
        '| images | trials | '
        + ' | '.join(f'p <= {t:g}' for t in AT)
        + ' | hits at 1e-6 |\n|---|---|'
        + '---|' * (len(AT) + 1)
    )
    for name in options.data:
        _measure(name, options)


if __name__ == '__main__':
    main()
