"""Codes whose images have labels: by the classifier that goes with the data, by a table of the user's, or by folders of pictures."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.choices import made_for
from jaxgan.data.pixel_avatars.sheet import attribute_names
from jaxgan.errors import InputError, unknown
from jaxgan.making.projections import RECORD, open_places, take
from jaxgan.making.starts import in_space, seeded
from jaxgan.metrics.types import Extractor
from jaxgan.opened import Generator, choose_labels

FIRST_SEED = 2**31  # of samples from which directions are learned: no sheet shows these
AT_ONCE = 512  # images in memory
MOST_ROWS = 1_000_000


class Attribute(NamedTuple):
    """What a label says of each image."""

    name: str
    values: tuple[str, ...]
    labels: np.ndarray
    """int32 [n], into ``values``; -1: unknown."""


class Labelled(NamedTuple):
    """Codes and what their images show."""

    codes: np.ndarray
    """float32 [n, D]."""
    attributes: tuple[Attribute, ...]


def classifier_of(generator: Generator) -> Extractor | None:
    """Load the classifier that goes with a generator's data; None: there is none."""
    from jaxgan.metrics.extractors import load
    from jaxgan.metrics.extractors.small import ARCHITECTURES

    name = made_for(generator.card['data']['name'])
    return load(name) if name in ARCHITECTURES else None


def classify(
    generator: Generator, extractor: Extractor, seeds: Sequence[int], label: str | None = None
) -> dict[str, np.ndarray]:
    """Tell by a classifier what the images of seeds show: a class number [n] for each of its heads."""
    draw = generator.sampler()
    labels = choose_labels(generator.card, label, len(seeds))
    parts = []
    for start in range(0, len(seeds), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        parts.append(tell(extractor, draw(seeds[rows], None if labels is None else labels[rows])))
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}


def tell(extractor: Extractor, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Tell what images show, uint8 [n, H, W, C], n up to ``AT_ONCE``: int32 [n] by head."""
    padded = np.concatenate([pixels, np.zeros((AT_ONCE - len(pixels), *pixels.shape[1:]), np.uint8)])
    logits = jax.jit(extractor.apply)(extractor.params, padded).logits
    return {head: np.asarray(x)[: len(pixels)].argmax(1).astype(np.int32) for head, x in logits.items()}


def check_attributes(names: Sequence[str], known: Sequence[str]) -> None:
    """Check that attributes are known; 'all' is any.

    Raises:
        InputError: one is not.
    """
    for name in names:
        if name not in (*known, 'all'):
            raise unknown('attribute', name, (*known, 'all'))


def heads_of(extractor: Extractor, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """Name what a classifier tells, without running it, of images [h, w, c]."""
    images = jax.ShapeDtypeStruct((1, *shape), np.uint8)
    return tuple(jax.eval_shape(extractor.apply, extractor.params, images).logits)


def by_classifier(
    generator: Generator, space: str, samples: int, label: str | None = None, wanted: Sequence[str] = ()
) -> tuple[Labelled, Extractor]:
    """Label samples of the generator by the classifier that goes with its data.

    Args:
        generator: of the samples.
        space: of the codes.
        samples: how many.
        label: the class of all; None: each in turn.
        wanted: attributes that it must tell.

    Raises:
        InputError: no classifier goes with it, or it does not tell what is wanted.
    """
    extractor = classifier_of(generator)
    if extractor is None:
        raise InputError(
            f'attributes: no classifier goes with the data {generator.card["data"]["name"]!r}: give --labels FILE.csv, '
            'or --projections FOLDER'
        )
    check_attributes(wanted, heads_of(extractor, generator.shape))
    seeds = range(FIRST_SEED, FIRST_SEED + samples)
    found = classify(generator, extractor, seeds, label)
    codes = seeded(generator, seeds, space, label).codes
    return Labelled(
        codes, tuple(kinds(head, values_of(extractor, head), x) for head, x in found.items())
    ), extractor


def values_of(extractor: Extractor, head: str) -> tuple[str, ...]:
    """Name the classes of a classifier's head."""
    if head in attribute_names() and extractor.name == 'pixel_avatars':
        return attribute_names()[head]
    return tuple(str(i) for i in range(10))


def kinds(name: str, values: Sequence[str], labels: np.ndarray) -> Attribute:
    """Take values that differ only in a number at their end for one kind, where that leaves two kinds or more.

    >>> kinds('hat', ['none', 'cap01', 'cap02'], np.asarray([2, 0, 1])).values
    ('none', 'cap')
    """
    stems = [re.sub(r'\d+$', '', value) for value in values]
    found = tuple(dict.fromkeys(stems))
    if len(found) < 2 or '' in found or any(value.startswith('#') for value in values):
        return Attribute(name, tuple(values), labels)
    table = np.asarray([found.index(stem) for stem in stems], np.int32)
    return Attribute(name, found, table[labels])


def by_table(
    generator: Generator,
    space: str,
    path: str | Path,
    projections: str | None = None,
    label: str | None = None,
) -> Labelled:
    """Read labels from a table: its first column 'seed' or 'name' (of a place in a folder of projections), an attribute in each other.

    Raises:
        InputError: it is no such table, or names what there is not.
    """
    head, rows = read_table(path)
    keys = [row[0] for row in rows]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f'{path}: {head[0]} {twice!r} stands twice')
    if head[0] == 'seed':
        if projections is not None:
            raise InputError(
                f'{path} labels seeds, and --projections has names: its first column must be name'
            )
        codes = seeded(generator, [_seed(key, path) for key in keys], space, label).codes
    else:
        if projections is None:
            raise InputError(f'{path} labels names: of which folder? Give --projections FOLDER')
        places = in_space(generator, open_places(projections, generator), space)
        missing = [key for key in keys if key not in places.names]
        if missing:
            raise InputError(f'{path}: {projections} has no place {missing[0]!r}')
        codes = take(places, [places.names.index(key) for key in keys]).codes
    columns = [[row[i].strip() for row in rows] for i in range(1, len(head))]
    return Labelled(codes, tuple(named(name, column) for name, column in zip(head[1:], columns, strict=True)))


def read_table(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Read a table of labels: its head and its rows, all of one length.

    Raises:
        InputError: it cannot be read, or is no such table.
    """
    try:
        with Path(path).open(encoding='utf-8-sig', newline='') as file:
            rows = [row for row, _ in zip(csv.reader(file, strict=True), range(MOST_ROWS + 1))]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f'{path} cannot be read: {getattr(error, "strerror", None) or error}') from None
    rows = [row for row in rows if row]
    head = [name.strip() for name in rows[0]] if rows else []
    if len(head) < 2 or head[0] not in ('seed', 'name') or len(set(head)) < len(head) or not all(head):
        raise InputError(
            f'{path} must begin with a line like seed,label or name,label; got {",".join(head)!r}'
        )
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(head):
            raise InputError(f'{path}: row {number} has {len(row)} fields, and the first has {len(head)}')
    if not 1 < len(rows) <= MOST_ROWS:
        raise InputError(f'{path} must have 1 to {MOST_ROWS:,} rows of labels')
    return head, rows[1:]


def by_folders(generator: Generator, space: str, folder: str) -> Labelled:
    """Take each folder of projections in a folder for a value: its name is the label of all that lie there.

    Raises:
        InputError: there are less than two.
    """
    inner = sorted(path.parent for path in Path(folder).glob(f'*/{RECORD}'))
    if len(inner) < 2:
        raise InputError(
            f'{folder} holds {len(inner)} folders of projections, and two or more tell something apart; or give --labels FILE.csv'
        )
    found = [in_space(generator, open_places(path, generator), space) for path in inner]
    names = [path.name for path, places in zip(inner, found, strict=True) for _ in places.names]
    return Labelled(np.concatenate([places.codes for places in found]), (named('label', names),))


def named(name: str, values: Sequence[str]) -> Attribute:
    """Number the values of an attribute, in their alphabetical order; empty ones are unknown."""
    known = tuple(sorted(set(values) - {''}))
    return Attribute(name, known, np.asarray([known.index(x) if x else -1 for x in values], np.int32))


def _seed(text: str, path: Any) -> int:
    if not re.fullmatch('[0-9]{1,10}', text.strip()):
        raise InputError(f'{path}: {text!r} is no seed')
    return int(text)
