"""Measure what edits along attribute directions do: the tables of directions in docs/studio.md.

    python docs/scripts/directions.py runs/pixel_avatars

Directions are learned from 10,000 seeds. Then other seeds' images move by 3 standard deviations along each that is told with a
held-out AUC of at least 0.9, and the classifier that goes with the data is asked again: of the images that did not show the
value, how many do now (hit), and what part of the other attributes has changed (spill).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan import kernels
from jaxgan.images import to_uint8
from jaxgan.making.attributes import AT_ONCE, Attribute, by_classifier, classifier_of, kinds, tell, values_of
from jaxgan.making.direction_sheets import edited
from jaxgan.making.finding import Found, by_components, by_factors, by_labels
from jaxgan.making.painting import decode
from jaxgan.making.projections import Places
from jaxgan.making.starts import seeded
from jaxgan.metrics.types import Extractor
from jaxgan.opened import Generator, open_generator

WAYS = {  # how directions are set apart: the attributes taken out, and the ridge
    'plain': ((), 1.0),
    'projected': (('all',), 0.0),
    'ridge 0.3': (('all',), 0.3),
    'ridge 1': (('all',), 1.0),
    'ridge 3': (('all',), 3.0),
}
CLEAR = 0.9  # AUC


def told(generator: Generator, extractor: Extractor, places: Places) -> tuple[Attribute, ...]:
    """Ask the classifier what the images of places show."""
    pixels = to_uint8(decode(generator, places))
    parts = [tell(extractor, pixels[i : i + AT_ONCE]) for i in range(0, len(pixels), AT_ONCE)]
    return tuple(
        kinds(head, values_of(extractor, head), np.concatenate([part[head] for part in parts]))
        for head in parts[0]
    )


def hit_and_spill(
    generator: Generator,
    extractor: Extractor,
    places: Places,
    found: Found,
    chosen: Sequence[int],
    amount: float,
) -> np.ndarray:
    """Measure each chosen direction: [k, 2]."""
    before = told(generator, extractor, places)
    rows = []
    for k in chosen:
        after = told(generator, extractor, edited(places, found, k, [amount]))
        changed = {}
        hit = 0.0
        for old, new in zip(before, after, strict=True):
            if old.name == found.facts[k]['attribute']:
                value = old.values.index(found.facts[k]['value'])
                hit = float(np.mean(new.labels[old.labels != value] == value))
            else:
                changed[old.name] = float(np.mean(new.labels != old.labels))
        rows.append((hit, np.mean(list(changed.values()))))
    return np.asarray(rows)


def unrelated(found: Found) -> Found:
    """Replace directions by random ones of the same number."""
    drawn = np.random.default_rng(0).standard_normal(found.directions.vectors.shape, np.float32)
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found._replace(directions=found.directions._replace(vectors=vectors))


def orthogonality(found: Found) -> str:
    """Say how far directions are from orthonormal, and what they explain."""
    vectors = found.directions.vectors.astype(np.float64)
    error = np.abs(vectors @ vectors.T - np.eye(len(vectors))).max()
    return f'{found.method}: {len(vectors)} directions, |V V^T - I| <= {error:.1e}'


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run')
    parser.add_argument('--images', type=int, default=512)
    parser.add_argument('--amount', type=float, default=3.0)
    options = parser.parse_args()
    kernels.enable()
    generator = open_generator(Path(options.run))
    for found in (by_components(generator), by_factors(generator)):
        again = by_components(generator) if found.method == 'ganspace' else by_factors(generator)
        same = np.array_equal(found.directions.vectors, again.directions.vectors)
        print(f'{orthogonality(found)}; again {"the same bits" if same else "other bits"}', flush=True)
    extractor = classifier_of(generator)
    assert extractor is not None, 'no classifier goes with these data'
    space = generator.choose_space(None).name
    labelled, _ = by_classifier(generator, space, 10_000)
    places = seeded(generator, range(options.images), space)
    found = {way: by_labels(labelled, space, None, *setting) for way, setting in WAYS.items()}
    facts = found['plain'].facts
    clear = [k for k, fact in enumerate(facts) if fact['auc'] >= CLEAR]
    print(f'{len(clear)} of {len(facts)} directions have an AUC of at least {CLEAR}')
    found['random'] = unrelated(found['plain'])
    results = {}
    for way, one in found.items():
        results[way] = hit_and_spill(generator, extractor, places, one, clear, options.amount)
        hit, spill = results[way].mean(axis=0)
        print(f'| {way} | {hit:.2f} | {spill:.2f} |', flush=True)
    print('| direction | AUC | plain | ridge 1 |')
    for row, k in enumerate(clear):
        cells = [f'{a:.2f} / {b:.2f}' for a, b in (results['plain'][row], results['ridge 1'][row])]
        print(f'| {found["plain"].directions.names[k]} | {facts[k]["auc"]:.3f} | {" | ".join(cells)} |')
    for name in dict.fromkeys(fact['attribute'] for fact in facts):
        own = [fact for fact in facts if fact['attribute'] == name]
        accuracy, auc = (np.mean([fact[figure] for fact in own]) for figure in ('accuracy', 'auc'))
        best = max(fact['auc'] for fact in own)
        print(f'| {name} | {len(own)} | {accuracy:.3f} | {auc:.3f} | {best:.3f} |')


if __name__ == '__main__':
    main()
