"""The measures by name: what each needs, when it cannot be taken, and how its results are called.

A new measure is a function from ``Evidence`` to ``Result``s in ``MEASURES``, with what it needs beside it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxgan.metrics.copying import copying
from jaxgan.metrics.diversity import ms_ssim, over_random_pairs, scales_of
from jaxgan.metrics.frechet import frechet_distance, frechet_distance_by_class
from jaxgan.metrics.gather import Sample
from jaxgan.metrics.inception_score import inception_score
from jaxgan.metrics.kernel import kid, mmd2
from jaxgan.metrics.manifold import density_coverage, precision_recall
from jaxgan.metrics.modes import label_modes, point_modes
from jaxgan.metrics.path_length import PathLength
from jaxgan.metrics.types import Extractor, Perceptual

PAIRS, PERCEPTUAL_PAIRS = 5_000, 1_000  # of images whose similarity is averaged
LOOKED_AT = 2_000  # images that stay as bytes, for measures that look at images
STACKED, ATTRIBUTES = 'mnist', 'pixel_avatars'  # extractors whose classes are the data's modes
LEAST_OF_CLASS = 50


class Setting(NamedTuple):
    """What is known before anything is computed, by which a measure says whether it can be taken."""

    extractor: Extractor
    heads: Mapping[str, int]
    """Classes by what the extractor tells apart."""
    size: int
    classes: tuple[str, ...]
    """Of both sets of images; empty: one of them has no labels."""
    real: int
    fake: int
    held_out: int
    """Images of the held-out split; 0: there is none."""
    centres: Any = None
    """Of known modes in a plane [modes, 2], and their standard deviation."""
    sigma: float = 0.0
    walks: bool = False
    """Whether the generator is there, and takes no labels, so that paths of its latents can be walked."""
    perceptual: Perceptual | None = None
    """A distance between images, where a measure that needs one was asked for."""


class Evidence(NamedTuple):
    """What was gathered."""

    setting: Setting
    real: Sample
    fake: Sample
    held_out: Sample | None
    held_out_is: str
    """Which images were held out: split and fingerprint."""
    images: np.ndarray
    """Generated images, uint8 [up to 2,000, H, W, C]."""
    seed: int
    walk: Callable[[Perceptual, int, int], tuple[str, PathLength]] | None = None
    """``(distance, paths, seed) -> (settings, lengths)``, along the generator's latents."""


class Result(NamedTuple):
    """A number, its name, and the settings that belong to its protocol."""

    metric: str
    value: float
    std: float | None = None
    settings: str = ''


class Measure(NamedTuple):
    """A measure. ``lacks(setting)`` says in a few words why it cannot be taken, or None."""

    take: Callable[[Evidence], Iterator[Result]]
    lacks: Callable[[Setting], str | None]
    keeps_features: bool
    usual: bool
    """Whether it is taken when nobody names measures."""
    perceptual: bool = False
    """Whether it needs a distance between images."""
    held_out: bool = False
    """Whether it needs real images that no training saw."""
    sees: Literal['features', 'images'] = 'features'
    """Features of real and generated images, or generated images alone: then no extractor plays a part."""


def called(base: str, extractor: Extractor) -> str:
    """Name a result: 'FID' only by Inception of 2015, otherwise 'FD-VGG16' and so on.

    >>> vgg = Extractor('vgg16', 'VGG16', '', '', None, None)
    >>> called('FD', vgg), called('FD', vgg._replace(label='')), called('recall', vgg._replace(label=''))
    ('FD-VGG16', 'FID', 'recall')
    """
    if extractor.label:
        return f'{base}-{extractor.label}'
    return 'FID' if base == 'FD' else base


def _enough(least: int) -> Callable[[Setting], str | None]:
    def lacks(setting: Setting) -> str | None:
        few = min(setting.real, setting.fake)
        return None if few >= least else f'it needs {least} images of each kind, and there are {few}'

    return lacks


def _fd(e: Evidence) -> Iterator[Result]:
    assert e.real.statistics is not None and e.fake.statistics is not None
    value = frechet_distance(e.real.statistics, e.fake.statistics)
    yield Result(called('FD', e.setting.extractor), value)


def _kid(e: Evidence) -> Iterator[Result]:
    size = min(1000, e.real.count, e.fake.count)
    name = called('KID', e.setting.extractor)
    if size == e.real.count == e.fake.count:  # each subset would be all, and a deviation of 0 say nothing
        yield Result(name, mmd2(e.real.table, e.fake.table), settings=f'all {size}')
        return
    found = kid(e.real.table, e.fake.table, subsets=100, size=size)
    settings = f'100 subsets of {size}'
    yield Result(name, found.mean, found.std, settings)


def _inception_score(e: Evidence) -> Iterator[Result]:
    found = inception_score(e.fake.logits[_scored(e.fake.logits) or ''], splits=10)
    yield Result(called('IS', e.setting.extractor), found.mean, found.std, '10 splits')


def _scored(heads: Mapping[str, Any]) -> str | None:
    """Choose the classification that is scored: 'class', as Inception has it without a bias, or the only one there is."""
    return 'class' if 'class' in heads else next(iter(heads), None) if len(heads) == 1 else None


def _lacks_one_head(setting: Setting) -> str | None:
    if _scored(setting.heads) is None:
        return f'the extractor tells {len(setting.heads) or "no"} kinds of classes apart, and it needs one'
    return _enough(10)(setting)


def _precision_recall(e: Evidence) -> Iterator[Result]:
    found = precision_recall(e.real.table, e.fake.table, k=3)
    yield Result(called('precision', e.setting.extractor), found.precision, settings='k=3')
    yield Result(called('recall', e.setting.extractor), found.recall, settings='k=3')


def _density_coverage(e: Evidence) -> Iterator[Result]:
    found = density_coverage(e.real.table, e.fake.table, k=5)
    yield Result(called('density', e.setting.extractor), found.density, settings='k=5')
    yield Result(called('coverage', e.setting.extractor), found.coverage, settings='k=5')


def _by_class(e: Evidence) -> Iterator[Result]:
    assert e.real.labels is not None and e.fake.labels is not None
    found = frechet_distance_by_class(
        e.real.table, e.real.labels, e.fake.table, e.fake.labels, least=LEAST_OF_CLASS
    )
    name, settings = called('FD', e.setting.extractor), f'classes of at least {LEAST_OF_CLASS}'
    for label, distance in found.distances.items():
        yield Result(f'{name} of {e.setting.classes[label]}', distance, settings=settings)
    mean = float(np.mean(list(found.distances.values())))
    yield Result(
        f'{name} by class',
        mean,
        settings=f'{settings}: {len(found.distances)} of {len(e.setting.classes)}',
    )


def _lacks_labels(setting: Setting) -> str | None:
    return None if setting.classes else 'it needs labels of real and generated images'


def _modes(e: Evidence) -> Iterator[Result]:
    if e.setting.centres is not None:
        found = point_modes(e.images, e.setting.centres, e.setting.sigma)
        settings = f'{len(e.images)} points, of quality within 3 deviations'
        yield Result(f'modes of {len(e.setting.centres)}', found.covered, settings=settings)
        yield Result('high quality', found.quality, settings=settings)
        yield Result('KL of modes', found.kl, settings=settings)
        return
    name = e.setting.extractor.label
    settings = f'classes by {e.setting.extractor.name}, against those of the real images'
    if e.setting.extractor.name == STACKED:
        yield from _combined_modes(e, name, settings)
    else:
        yield from _modes_of_attributes(e, name, settings)


def _combined_modes(e: Evidence, name: str, settings: str) -> Iterator[Result]:
    """A mode is a combination of the classes that all heads tell, as three digits are one of 1,000."""
    total = math.prod(values.shape[1] for values in e.fake.logits.values())
    real, fake = (_mode_numbers(sample.logits) for sample in (e.real, e.fake))
    known = np.bincount(real, minlength=total)
    found = label_modes(np.where(known[fake] > 0, fake, -1), total, known)
    yield Result(f'modes of {np.count_nonzero(known)}-{name}', found.covered, settings=settings)
    yield Result(f'KL of modes-{name}', found.kl, settings=settings)


def _modes_of_attributes(e: Evidence, name: str, settings: str) -> Iterator[Result]:
    """A mode is a value of one attribute: how many values occur in all, and the mean of the attributes' KL."""
    covered, possible, divergences = 0, 0, []
    for head, logits in e.fake.logits.items():
        known = np.bincount(np.argmax(e.real.logits[head], axis=1), minlength=logits.shape[1])
        fake = np.argmax(logits, axis=1)
        found = label_modes(np.where(known[fake] > 0, fake, -1), logits.shape[1], known)
        covered, possible = covered + found.covered, possible + int(np.count_nonzero(known))
        divergences.append(found.kl)
    yield Result(f'attribute values of {possible}-{name}', covered, settings=settings)
    yield Result(f'KL of attributes-{name}', float(np.mean(divergences)), settings=settings)


def _mode_numbers(logits: Mapping[str, np.ndarray]) -> np.ndarray:
    """Number the combination of classes that each sample shows, the first head's first."""
    numbers = np.zeros(len(next(iter(logits.values()))), np.int64)
    for values in logits.values():
        numbers = numbers * values.shape[1] + np.argmax(values, axis=1)
    return numbers


def _lacks_modes(setting: Setting) -> str | None:
    if setting.centres is not None or (setting.heads and setting.extractor.name in (STACKED, ATTRIBUTES)):
        return None
    return 'the data have no known modes that the extractor tells apart'


def _copying(e: Evidence) -> Iterator[Result]:
    assert e.held_out is not None
    found = copying(e.real.table, e.held_out.table, e.fake.table)
    components = min(64, e.real.table.shape[1])
    settings = f'against {e.held_out.count} of {e.held_out_is}; 3 cells, {components} components'
    yield Result(called('C_T', e.setting.extractor), found.value, settings=settings)


def _lacks_held_out(setting: Setting) -> str | None:
    if setting.held_out < 2:
        return 'it needs held-out real images, 2 or more: give --held-out SPLIT'
    return _enough(100)(setting)


def _ms_ssim(e: Evidence) -> Iterator[Result]:
    values = over_random_pairs(e.images, ms_ssim, PAIRS, seed=e.seed)
    settings = f'{PAIRS} pairs of {len(e.images)}, {scales_of(*e.images.shape[1:3])} scales'
    yield Result('MS-SSIM', float(values.mean()), settings=settings)


def _lacks_scales(setting: Setting) -> str | None:
    if not scales_of(setting.size, setting.size):
        return f'images of {setting.size} pixels are too small for its window of 11'
    return _enough(2)(setting)


def _lpips(e: Evidence) -> Iterator[Result]:
    found = e.setting.perceptual
    assert found is not None
    values = over_random_pairs(e.images, found, PERCEPTUAL_PAIRS, seed=e.seed)
    settings = f'{PERCEPTUAL_PAIRS} pairs of {len(e.images)}; {_named(found)}'
    yield Result('LPIPS of pairs', float(values.mean()), settings=settings)


def _ppl(e: Evidence) -> Iterator[Result]:
    assert e.walk is not None and e.setting.perceptual is not None
    settings, found = e.walk(e.setting.perceptual, e.setting.fake, e.seed)
    yield Result('PPL', found.mean, settings=f'{settings}; {_named(e.setting.perceptual)}')


def _named(perceptual: Perceptual) -> str:
    return f'{perceptual.name}@{perceptual.digest[:16]}'


def _lacks_room(setting: Setting) -> str | None:
    small = f'images of {setting.size} pixels are too small for the network of LPIPS, which halves them four times'
    return small if setting.size < 16 else _enough(2)(setting)


def _lacks_walks(setting: Setting) -> str | None:
    if not setting.walks:
        return 'it needs a generator without labels, not images'
    return _lacks_room(setting)


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        'fd': Measure(_fd, _enough(2), False, True),
        'kid': Measure(_kid, _enough(10), True, True),
        'is': Measure(_inception_score, _lacks_one_head, False, True),
        'precision_recall': Measure(_precision_recall, _enough(4), True, True),
        'density_coverage': Measure(_density_coverage, _enough(6), True, True),
        'fd_by_class': Measure(_by_class, _lacks_labels, True, False),
        'modes': Measure(_modes, _lacks_modes, False, True),
        'copying': Measure(_copying, _lacks_held_out, True, True, held_out=True),
        'ms_ssim': Measure(_ms_ssim, _lacks_scales, False, True, sees='images'),
        'lpips': Measure(_lpips, _lacks_room, False, False, perceptual=True, sees='images'),
        'ppl': Measure(_ppl, _lacks_walks, False, False, perceptual=True, sees='images'),
    }
)
