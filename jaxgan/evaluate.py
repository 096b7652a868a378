"""Measuring a generator against a data set: what to compare with what, by which protocol.

``jaxgan.metrics`` has the measures; this is the shell around them, for the command line and for evaluation in training.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import ImageSource, shuffled_index
from jaxgan.data.points import SIGMA, centres
from jaxgan.errors import InputError, unknown
from jaxgan.metrics.assets import MissingAsset
from jaxgan.metrics.gather import Batch, gather, heads
from jaxgan.metrics.measures import LOOKED_AT, MEASURES, Evidence, Measure, Setting
from jaxgan.metrics.pairwise import nearest
from jaxgan.metrics.path_length import PathLength, path_length
from jaxgan.metrics.protocol import Measurement, Protocol
from jaxgan.metrics.types import Extractor, Perceptual
from jaxgan.realimages import BATCH, Reals, Sightings, fingerprint_of, order, read_bytes
from jaxgan.types import Network, Sampler

SHOWN, NEIGHBOURS = 24, 4  # generated images beside which their nearest real ones are shown


class Fakes(NamedTuple):
    """Generated images."""

    draw: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    """``(numbers [n], labels [n] or None) -> uint8 [n, H, W, C]``: image i is always the same."""
    count: int
    size: int
    channels: int
    classes: int
    """Labels that ``draw`` takes; 0: none."""
    origin: str
    """'average' for the averaged weights of a generator, 'files' for images as they were found."""
    first: int = 0
    """The seed of the first."""
    walk: Callable[[Perceptual, int, int], tuple[str, PathLength]] | None = None
    """Paths along the latents of a generator without labels."""


class Plan(NamedTuple):
    """What will be measured, and what will not, with the reason."""

    setting: Setting
    chosen: dict[str, Measure]
    skipped: dict[str, str]


class Findings(NamedTuple):
    """Numbers, and real images beside generated ones."""

    measurements: list[Measurement]
    nearest: dict[str, np.ndarray] | None
    """As ``nearest.npz`` holds them; None: no measure kept features."""


def plan(
    extractor: Extractor,
    reals: Reals,
    fakes: Fakes,
    held_out: ImageSource | None,
    names: Sequence[str] | None,
) -> Plan:
    """Choose measures.

    Args:
        extractor: from images to features.
        reals: real images.
        fakes: generated images.
        held_out: real images that no training saw; None: there are none.
        names: in ``MEASURES``; None: all usual ones that can be taken.

    Raises:
        InputError: the images do not match, or a measure has no such name or cannot be taken.
    """
    info = reals.source.info
    if (info.size, info.channels) != (fakes.size, fakes.channels):
        raise InputError(
            f'generated images are {fakes.size}x{fakes.size} with {fakes.channels} channels, {info.name} '
            f'{info.size}x{info.size} with {info.channels}: they do not compare'
        )
    points = info.name.startswith('points:')
    setting = Setting(
        extractor=extractor,
        heads=heads(extractor, (info.size, info.size, info.channels)),
        size=info.size,
        classes=info.classes if fakes.classes == len(info.classes) else (),
        real=(reals.count or len(reals.source)) * (2 if reals.flip else 1),
        fake=fakes.count,
        held_out=len(held_out) if held_out is not None else 0,
        centres=centres(info.name) if points else None,
        sigma=SIGMA if points else 0.0,
        walks=fakes.walk is not None,
        perceptual=_perceptual(names),
    )
    for name in names or ():
        if name not in MEASURES:
            raise unknown('measure', name, MEASURES)
        if reason := MEASURES[name].lacks(setting):
            raise InputError(f'measure {name} cannot be taken: {reason}')
    wanted = {name: measure for name, measure in MEASURES.items() if measure.usual} if names is None else {
        name: MEASURES[name] for name in names
    }  # fmt: skip
    reasons = {name: measure.lacks(setting) for name, measure in wanted.items()}
    return Plan(
        setting,
        {name: measure for name, measure in wanted.items() if reasons[name] is None},
        {name: reason for name, reason in reasons.items() if reason is not None},
    )


def _perceptual(names: Sequence[str] | None) -> Perceptual | None:
    if not any(MEASURES[name].perceptual for name in names or () if name in MEASURES):
        return None
    from jaxgan.metrics.extractors import load_perceptual

    return load_perceptual('lpips-vgg')


def walks(network: Network, params: Any, aux: Any, latents: Sampler) -> Callable:
    """Make ``walk(distance, paths, seed)`` of a generator without labels: in w where it has styles, else in z."""
    styles = network.mapping is not None

    def mapping(both: Any, z: Any) -> Any:
        return network.mapping(*both, z, None) if network.mapping else z

    def synthesis(both: Any, w: Any) -> Any:
        return network.synthesis(*both, w) if network.synthesis else network.infer(*both, w, None)

    def walk(perceptual: Perceptual, count: int, seed: int) -> tuple[str, PathLength]:
        space = 'w' if styles else 'z'
        found = path_length(
            mapping, synthesis, (params, aux), latents, perceptual, count=count, space=space, seed=seed
        )
        return f'{space}, ends, epsilon 1e-4, 1% trimmed on each side, {count} paths', found

    return walk


def measure(made: Plan, reals: Reals, fakes: Fakes, held_out: ImageSource | None, seed: int = 0) -> Findings:
    """Gather what the chosen measures need, and take them.

    Args:
        made: by ``plan`` of the same images.
        reals: real images; what was seen of them is cached.
        fakes: generated images.
        held_out: real images that no training saw.
        seed: of the choice of pairs.

    Raises:
        InputError: a measure cannot be computed from what was gathered.
    """
    extractor = made.setting.extractor
    keep = any(one.keeps_features for one in made.chosen.values())
    seen = Sightings(extractor, keep)
    labels = _labels(fakes, reals.source)
    kept: list[np.ndarray] = []
    fake = gather(extractor, _kept(_drawn(fakes, labels), kept), BATCH, keep)
    evidence = Evidence(
        setting=made.setting,
        real=seen.of(reals),
        fake=fake,
        held_out=seen.of(Reals(held_out)) if held_out is not None and 'copying' in made.chosen else None,
        images=np.concatenate(kept),
        seed=seed,
        walk=fakes.walk,
    )
    protocol = _protocol(extractor, reals, fakes)
    found = [
        Measurement(
            result.metric,
            result.value,
            result.std,
            dataclasses.replace(protocol, settings=result.settings),
        )
        for one in made.chosen.values()
        for result in one.take(evidence)
    ]
    return Findings(found, _nearest(evidence, reals) if keep else None)


def choose_extractor(data: str, size: int, name: str, path: str | None, download: bool) -> Extractor:
    """Load the extractor named; 'auto': the one made for such data, else Inception, else VGG16, whichever is here.

    Raises:
        MissingAsset: none of them is on this machine.
        InputError: there is no such extractor, or its weights are not its own.
    """
    from jaxgan.metrics.extractors import load  # networks that most trainings do not need

    if name != 'auto':
        return load(name, path, download)
    if path is not None:
        raise InputError(f'weights {path} are of which extractor? Give --extractor')
    for start, own in (
        ('pixel_avatars', 'pixel_avatars'),
        ('stacked', 'mnist'),
        ('mnist', 'mnist'),
        ('points:', 'pixels'),
    ):
        if data.startswith(start):
            return load(own)
    missing = []
    for fallback in ('inception-2015', 'vgg16-64' if size <= 64 else 'vgg16'):
        try:
            return load(fallback, None, download)
        except MissingAsset as error:
            missing.append(str(error))
    raise MissingAsset('; or '.join(missing))


def _drawn(fakes: Fakes, labels: np.ndarray | None) -> Iterator[Batch]:
    for i in range(0, fakes.count, BATCH):
        numbers = np.arange(fakes.first + i, fakes.first + min(i + BATCH, fakes.count))
        part = None if labels is None else labels[i : i + BATCH]
        yield fakes.draw(numbers, part), part


def _kept(batches: Iterator[Batch], kept: list[np.ndarray]) -> Iterator[Batch]:
    """Pass batches on, and keep the images of the first ones."""
    for images, labels in batches:
        if sum(map(len, kept)) < LOOKED_AT:
            kept.append(images[: LOOKED_AT - sum(map(len, kept))])
        yield images, labels


def _labels(fakes: Fakes, source: ImageSource) -> np.ndarray | None:
    """Choose labels: those of real images in a fixed order, or each class in turn where the data have others."""
    if not fakes.classes:
        return None
    numbers = np.arange(fakes.count)
    if len(source.info.classes) != fakes.classes:
        return (numbers % fakes.classes).astype(np.int32)
    return source.labels()[np.asarray(shuffled_index(fakes.first, numbers, len(source)))].astype(np.int32)


def _protocol(extractor: Extractor, reals: Reals, fakes: Fakes) -> Protocol:
    info = reals.source.info
    matched = len(info.classes) == fakes.classes
    return Protocol(
        extractor=extractor.name,
        weights=extractor.digest[:16],
        resize=extractor.resize,
        data=info.name,
        split=info.split,
        fingerprint=fingerprint_of(reals.source)[:16],
        pixels=info.size,
        real=len(order(reals)) * (2 if reals.flip else 1),
        flip=reals.flip,
        fake=fakes.count,
        generator=fakes.origin,
        labels=('data' if matched else 'each in turn') if fakes.classes else 'none',
        seed=None if fakes.origin == 'files' else fakes.first,
    )


def _nearest(e: Evidence, reals: Reals) -> dict[str, np.ndarray]:
    shown = min(SHOWN, len(e.images))
    k = min(NEIGHBOURS, e.real.count)
    found = nearest(e.fake.table[:shown], e.real.table, k)
    places = order(reals)
    if reals.flip:  # each batch is followed by its mirror image
        places = np.concatenate([np.tile(places[i : i + BATCH], 2) for i in range(0, len(places), BATCH)])
    pixels, _ = read_bytes(reals.source, places[np.asarray(found.indices).ravel()])
    about = {
        'extractor': e.setting.extractor.name,
        'weights': e.setting.extractor.digest[:16],
        'data': reals.source.info.name,
        'split': reals.source.info.split,
        'searched': e.real.count,
    }
    return {
        'generated': e.images[:shown],
        'real': pixels.reshape(shown, k, *pixels.shape[1:]),
        'distances': np.asarray(found.distances, np.float32),
        'about': np.array(json.dumps(about)),
    }
