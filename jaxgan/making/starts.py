"""Where a command starts: a seed, a place that ``project`` wrote, or a picture file; one text names either.

17, seed:17, seed:0-3      the images of seeds
FOLDER                     all that ``project`` or ``vary`` wrote there
FOLDER#NAME, FOLDER#0      one of them, by its name or its place in the list
FILE.png                   a picture, which is projected first
"""

import functools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan.errors import InputError, unknown
from jaxgan.making.painting import in_chunks
from jaxgan.making.project import project_files
from jaxgan.making.projections import RECORD, Places, open_places, take
from jaxgan.opened import Generator, choose_labels
from jaxgan.sampling import parse_seeds, seed_latents
from jaxgan.spaces import make_space
from jaxgan.types import Network

MOST = 10_000  # seeds to start from


def find_start(
    text: str,
    generator: Generator,
    space: str | None = None,
    label: str | None = None,
    rights: str | None = None,
) -> Places:
    """Find the places that a text names.

    Args:
        text: see above.
        generator: to whose spaces they belong.
        space: of the codes; None: a folder's own, else the generator's default.
        label: the class of seeds and pictures of a conditional generator; None: each in turn. Places of a folder have their own.
        rights: what the user says of the rights in a picture file; needed for one, and for nothing else.

    Raises:
        InputError: there is no such thing, or it does not suit the generator or the space.
    """
    if re.fullmatch(r'seed:.*|[0-9]+', text):
        seeds = parse_seeds(text.removeprefix('seed:'))
        if len(seeds) > MOST:
            raise InputError(f'{text}: {len(seeds):,} seeds are more than {MOST:,}: ask for fewer at a time')
        return seeded(generator, seeds, space, label)
    path, name = _split(text)
    if path.is_dir():
        if label is not None:
            raise InputError(f'label {label!r}: the places in {path} have labels of their own')
        found = open_places(path, generator)
        return in_space(generator, found if name is None else select(found, name, path), space)
    if path.is_file():
        return project_files(generator, [path], rights, space=space, label=label, say=_say)
    raise InputError(
        f'{text!r} is no place to start from: it is no seed (17 or seed:17), and there is no such folder or file'
    )


def find_one(text: str, generator: Generator, **options: Any) -> Places:
    """Find a start that is one place.

    Raises:
        InputError: there are several, or as ``find_start``.
    """
    found = find_start(text, generator, **options)
    if len(found.codes) != 1:
        raise InputError(
            f'{text} names {len(found.codes)} places, and one is wanted: {text}#{found.names[0]}, for instance'
        )
    return found


def seeded(
    generator: Generator, seeds: Sequence[int], space: str | None = None, label: str | None = None
) -> Places:
    """Make places of seeds: their codes do not depend on how many there are."""
    chosen = generator.choose_space(space)
    labels = choose_labels(generator.card, label, len(seeds))
    z = np.asarray(seed_latents(generator.latents, list(seeds)), np.float32)
    return Places(
        chosen.name,
        _encoded(generator, chosen.name, z, labels),
        tuple(f'seed{seed}' for seed in seeds),
        labels,
        generator.digest,
        tuple({'seed': int(seed)} for seed in seeds),
    )


def select(places: Places, name: str, folder: str | Path = '') -> Places:
    """Take one place, by its name or else its number from 0.

    Raises:
        InputError: there is no such place.
    """
    if name in places.names:
        return take(places, [places.names.index(name)])
    if re.fullmatch('[0-9]{1,10}', name) and int(name) < len(places.names):
        return take(places, [int(name)])
    raise unknown(f'place in {folder}', name, (*places.names, f'0..{len(places.names) - 1}'))


def in_space(generator: Generator, places: Places, space: str | None) -> Places:
    """Carry places into another space: z to w or w+, w to w+; their images stay.

    Raises:
        InputError: there is no way back, or no such space.
    """
    if space is None or space == places.space:
        return places
    generator.choose_space(space)  # it has it
    if places.space == 'z':
        return places._replace(space=space, codes=_encoded(generator, space, places.codes, places.labels))
    if (places.space, space) != ('w', 'w+'):
        raise InputError(f'space {space}: these places lie in {places.space}, from which no way leads there')
    return places._replace(space=space, codes=np.repeat(places.codes[:, None], generator.layers, axis=1))


def _say(text: str) -> None:
    print(f'projecting: {text}', file=sys.stderr)


def _split(text: str) -> tuple[Path, str | None]:
    """Tell folder and name; a folder may have a # in its own name."""
    folder, mark, name = text.rpartition('#')
    if not mark or (Path(text) / RECORD).is_file() or not folder:
        return Path(text), None
    return Path(folder), name


def _encoded(generator: Generator, space: str, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    if space == 'z':
        return z
    encode = _encoder(generator.network, space)
    return in_chunks(lambda rows: encode(*generator.on_device, *rows), (z, labels), len(z))


@functools.lru_cache(maxsize=8)
def _encoder(network: Network, space: str) -> Callable:
    return jax.jit(make_space(network, space, layers=1).encode)  # encoding to w needs no number of layers
