"""Places in a generator's space, as files: what ``project`` found, and what ``vary``, ``interpolate`` and ``edit`` start from.

FOLDER/projections.json          the model, the space, and of each image: its file, SHA-256, label, figures
FOLDER/codes.safetensors         'codes' [n, ...], 'noise/LAYER' [n, h, w] where there is any, 'patch/...' of a tuned generator
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.errors import DamagedError
from jaxgan.making.records import load_record, save_record
from jaxgan.opened import Generator
from jaxgan.spaces import NAMES

RECORD, CODES = FILES = 'projections.json', 'codes.safetensors'
NAME = r'[\w+-][\w.+-]*'  # files are called so: no name leads out of a folder


class Places(NamedTuple):
    """Codes of images in one space of one generator."""

    space: str
    """'z', 'w' or 'w+'."""
    codes: np.ndarray
    """float32 [n, ...]."""
    names: tuple[str, ...]
    """A name each, good for a file's: 'seed17', or that of the picture's file."""
    labels: np.ndarray | None
    """int32 [n], of a conditional generator."""
    model: str
    """SHA-256 of the generator's weights (``Generator.digest``)."""
    origins: tuple[dict[str, Any], ...]
    """JSON objects: where each comes from ('seed', or 'file', 'source' (its SHA-256) and 'rights'), and its figures ('psnr', ...)."""
    noise: dict[str, np.ndarray] | None = None
    """Noise maps by layer, [n, h, w] each, where they were fitted, too."""
    patch: dict[str, np.ndarray] | None = None
    """What is added to the generator's parameters ('params/...', as exports name them) if it was tuned."""


def save_places(folder: str | Path, places: Places) -> None:
    """Write places into a folder, beside other files.

    Raises:
        InputError: it cannot be written.
    """
    tensors = {'codes': np.asarray(places.codes, np.float32)}
    tensors |= {f'noise/{name}': value for name, value in (places.noise or {}).items()}
    tensors |= {f'patch/{name}': value for name, value in (places.patch or {}).items()}
    record = {
        'model': places.model,
        'space': places.space,
        'images': [
            {'name': name, 'label': None if places.labels is None else int(places.labels[i]), **origin}
            for i, (name, origin) in enumerate(zip(places.names, places.origins, strict=True))
        ],
    }
    save_record(Path(folder), FILES, record, tensors)


def load_places(folder: str | Path, model: str | None = None) -> Places:
    """Read places and verify them.

    Args:
        folder: that ``save_places`` wrote.
        model: the digest of the generator for which they are wanted; None: any.

    Raises:
        InputError: there are none, or they belong to another generator.
        DamagedError: they are not what was written.
    """
    return load_record(Path(folder), FILES, 'projections', _places, model)


def open_places(folder: str | Path, generator: Generator) -> Places:
    """Read places for a generator.

    Raises:
        InputError: there are none, they belong to another generator, or it has no such space.
        DamagedError: they are not what was written, or do not fit the generator.
    """
    places = load_places(folder, generator.digest)
    space = generator.choose_space(places.space)
    z = jax.eval_shape(lambda key: generator.latents(key, 1), jax.random.key(0))
    label = jax.ShapeDtypeStruct((1,), np.int32) if generator.labels else None
    wanted = jax.eval_shape(space.encode, generator.params, generator.aux, z, label).shape[1:]
    if places.codes.shape[1:] != wanted:
        raise DamagedError(
            f'{folder} is damaged: codes of {list(places.codes.shape[1:])}, and this generator has {list(wanted)} in {space.name}'
        )
    known, count = places.labels, len(generator.labels)
    if (known is not None) != bool(count) or (
        known is not None and not (0 <= known.min() <= known.max() < count)
    ):
        told = 'no labels' if known is None else f'labels from {known.min()} to {known.max()}'
        raise DamagedError(f'{folder} is damaged: {told}, and this generator has {count} classes')
    return places


def take(places: Places, indices: Sequence[int]) -> Places:
    """Take some places, in this order; the same one may come again."""
    rows = np.asarray(indices, np.intp)
    return places._replace(
        codes=places.codes[rows],
        names=tuple(places.names[i] for i in indices),
        labels=None if places.labels is None else places.labels[rows],
        origins=tuple(places.origins[i] for i in indices),
        noise=None if places.noise is None else {name: maps[rows] for name, maps in places.noise.items()},
    )


def _places(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> Places:
    images = [dict(image) for image in record['images']]
    codes = tensors['codes']
    if not images or codes.shape[:1] != (len(images),):
        raise ValueError(f'codes {list(codes.shape)} for {len(images)} images')
    for name, value in tensors.items():
        if name.startswith('noise/') and value.shape[:1] != (len(images),):
            raise ValueError(f'{name} {list(value.shape)} for {len(images)} images')
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise ValueError(f'{name} is not all finite float32')
    labels = [image.pop('label') for image in images]
    names = tuple(str(image.pop('name')) for image in images)

    def part(prefix: str) -> dict[str, np.ndarray] | None:
        found = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
        return found or None

    for name in names:
        if not re.fullmatch(NAME, name):
            raise ValueError(f'{name!r} is no name for a file')
    if record['space'] not in NAMES or not re.fullmatch('[0-9a-f]{64}', record['model']):
        raise ValueError(f'space {record["space"]!r} or model {record["model"]!r} is none')
    known = None if None in labels else np.asarray(labels, np.int32)
    return Places(
        record['space'], codes, names, known, record['model'], tuple(images), part('noise/'), part('patch/')
    )
