"""Measuring a generator against a data set: what to compare with what, by which protocol.

``jaxgan.metrics`` has the measures; this is the shell around them, for the command line and for evaluation in training.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgan.credentials import Credit
from jaxgan.data import DataInfo, ImageSource, shuffled_index
from jaxgan.data.points import SIGMA, centres
from jaxgan.errors import InputError, unknown
from jaxgan.metrics.gather import Batch, Sample, gather, heads
from jaxgan.metrics.measures import LOOKED_AT, MEASURES, Evidence, Measure, Setting
from jaxgan.metrics.pairwise import nearest
from jaxgan.metrics.path_length import PathLength
from jaxgan.metrics.protocol import Measurement, Protocol
from jaxgan.metrics.types import Extractor, Perceptual
from jaxgan.realimages import BATCH, Reals, Sightings, order, read_bytes

NOTHING = Sample(0, None, None, {}, None)
LEAST_HELD_OUT = 1_000  # held-out images that are looked at, where there are as many
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
    names: tuple[str, ...] | None = None
    """Of the classes; None: not known."""
    credit: Credit | None = None
    """What they say of themselves where they are written; None: they are files already."""

    def knows(self, classes: tuple[str, ...]) -> bool:
        """Whether the classes of the data are those of the generator, in its order."""
        return self.classes == len(classes) and self.names in (None, classes)


class Plan(NamedTuple):
    """What will be measured, and what will not, with the reason."""

    setting: Setting
    reals: Reals
    held_out: Reals | None
    """None: there are none, or no measure needs any."""
    chosen: dict[str, Measure]
    skipped: dict[str, str]
    seen: Sightings


class Findings(NamedTuple):
    """Numbers, and real images beside generated ones."""

    measurements: list[Measurement]
    failed: dict[str, str]
    """Measures that could not be computed from what was gathered, and why."""
    nearest: dict[str, Any] | None
    """The arrays of ``nearest.npz``, and what to say ``about`` them; None: no measure kept features."""


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
    _check(reals, fakes, names)
    held = None if held_out is None else min(len(held_out), max(fakes.count, LEAST_HELD_OUT))
    points = info.name.startswith('points:')
    setting = Setting(
        extractor=extractor,
        heads=_heads(extractor, info),
        size=info.size,
        classes=info.classes if fakes.knows(info.classes) else (),
        real=len(order(reals)) * (2 if reals.flip else 1),
        fake=fakes.count,
        held_out=held or 0,
        centres=centres(info.name) if points else None,
        sigma=SIGMA if points else 0.0,
        walks=fakes.walk is not None,
        perceptual=_perceptual(names),
    )
    wanted = [name for name, one in MEASURES.items() if (one.usual if names is None else name in names)]
    reasons = {name: MEASURES[name].lacks(setting) for name in wanted}
    chosen = {name: MEASURES[name] for name, reason in reasons.items() if reason is None}
    skipped = {name: reason for name, reason in reasons.items() if reason is not None}
    for name in names or ():
        if name in skipped:
            raise InputError(f'measure {name} cannot be taken: {skipped[name]}')
    wants_held_out = any(one.held_out for one in chosen.values())
    return Plan(
        setting=setting,
        reals=reals,
        held_out=Reals(held_out, held) if held_out is not None and wants_held_out else None,
        chosen=chosen,
        skipped=skipped,
        seen=Sightings(extractor, any(one.keeps_features for one in chosen.values())),
    )


def _check(reals: Reals, fakes: Fakes, names: Sequence[str] | None) -> None:
    info = reals.source.info
    if (info.size, info.channels) != (fakes.size, fakes.channels):
        raise InputError(
            f'generated images are {fakes.size}x{fakes.size} with {fakes.channels} channels, {info.name} '
            f'{info.size}x{info.size} with {info.channels}: they do not compare'
        )
    if reals.flip and info.size == 1:
        raise InputError(f'flip: {info.name} has no images to mirror')
    check_measures(names)


def check_measures(names: Sequence[str] | None) -> None:
    """Check the names of measures; ``None`` stands for all that apply.

    Raises:
        InputError: there are none, or one does not exist.
    """
    if names is not None and not names:
        raise InputError(f'no measures are named (allowed: {", ".join(MEASURES)})')
    for name in names or ():
        if name not in MEASURES:
            raise unknown('measure', name, MEASURES)


def _heads(extractor: Extractor, info: DataInfo) -> dict[str, int]:
    try:
        return heads(extractor, (info.size, info.size, info.channels))
    except TypeError:
        raise InputError(
            f'extractor {extractor.name} takes images of 1 or 3 channels, and {info.name} has {info.channels}'
        ) from None


def _perceptual(names: Sequence[str] | None) -> Perceptual | None:
    if not any(MEASURES[name].perceptual for name in names or () if name in MEASURES):
        return None
    from jaxgan.metrics.extractors import load_perceptual

    return load_perceptual('lpips-vgg')


def measure(made: Plan, fakes: Fakes, seed: int = 0) -> Findings:
    """Gather what the chosen measures need, and take them.

    Args:
        made: by ``plan``, of generated images of the same form. What was seen of real images stays in it.
        fakes: generated images.
        seed: of the choice of pairs, and of paths.

    Raises:
        InputError: an image cannot be read.
    """
    of_features = any(one.sees == 'features' for one in made.chosen.values())
    real = made.seen.of(made.reals) if of_features else NOTHING  # first: it may be refused
    held_out = None if made.held_out is None else made.seen.of(made.held_out)
    kept: list[np.ndarray] = []
    drawn = _kept(_drawn(fakes, labels_for(fakes, made.reals)), kept)
    keep = any(one.keeps_features for one in made.chosen.values())
    fake = gather(made.setting.extractor, drawn, BATCH, keep) if of_features else _looked_at(drawn, kept)
    evidence = Evidence(
        setting=made.setting,
        real=real,
        fake=fake,
        held_out=held_out,
        held_out_is='' if made.held_out is None else _which(made.held_out),
        images=np.concatenate(kept),
        seed=seed,
        walk=fakes.walk,
    )
    found, failed = [], {}
    for name, one in made.chosen.items():
        protocol = _protocol(made, fakes, one)
        try:
            found += [
                Measurement(
                    result.metric,
                    result.value,
                    result.std,
                    dataclasses.replace(protocol, settings=result.settings),
                )
                for result in one.take(evidence)
            ]
        except InputError as error:
            failed[name] = str(error)
    return Findings(found, failed, _nearest(evidence, made.reals) if keep else None)


def _looked_at(drawn: Iterator[Batch], kept: list[np.ndarray]) -> Sample:
    """Draw as many images as measures look at, for those that need no features."""
    for _ in drawn:
        if sum(map(len, kept)) >= LOOKED_AT:
            break
    return NOTHING


def _which(reals: Reals) -> str:
    return f'{reals.source.info.split}@{reals.fingerprint[:16]}'


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


def labels_for(fakes: Fakes, reals: Reals) -> np.ndarray | None:
    """Choose labels: those of real images in a fixed order, or each class in turn where the data have others."""
    if not fakes.classes:
        return None
    numbers, source = np.arange(fakes.count), reals.source
    if not fakes.knows(source.info.classes):
        return (numbers % fakes.classes).astype(np.int32)
    return source.labels()[
        np.asarray(shuffled_index(fakes.first, numbers, len(source), reals.excluded))
    ].astype(np.int32)


def _protocol(made: Plan, fakes: Fakes, one: Measure) -> Protocol:
    """Say on what a number depends: not on extractor and real images, where a measure looks at generated ones alone."""
    extractor, reals, info = made.setting.extractor, made.reals, made.reals.source.info
    matched = fakes.knows(info.classes)
    by_features = one.sees == 'features'
    return Protocol(
        extractor=extractor.name if by_features else 'none',
        weights=extractor.digest[:16] if by_features else 'none',
        resize=extractor.resize if by_features else 'none',
        data=info.name,
        split=info.split,
        fingerprint=reals.fingerprint[:16],
        pixels=info.size,
        real=made.setting.real if by_features else 0,
        flip=reals.flip and by_features,
        fake=fakes.count,
        generator=fakes.origin,
        labels=('data' if matched else 'each in turn') if fakes.classes else 'none',
        seed=None if fakes.origin == 'files' else fakes.first,
    )


def _nearest(e: Evidence, reals: Reals) -> dict[str, Any]:
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
        'about': about,
    }
