"""Images whose codes are wanted: picture files, images of the data, the generator's own; all as the generator's are."""

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jaxgan.configjson import from_dict
from jaxgan.data import DataConfig, open_source, shuffled_index
from jaxgan.data.config import with_split
from jaxgan.data.exclusion import excluded_images
from jaxgan.data.pixels import decode, describe_changes, to_pixels
from jaxgan.errors import InputError
from jaxgan.images import repeats
from jaxgan.opened import Generator, choose_labels
from jaxgan.realimages import read_bytes

RESERVED = ('projections', 'codes')


class Targets(NamedTuple):
    """Images to project."""

    pixels: np.ndarray
    """uint8 [n, H, W, C], of the generator's shape."""
    names: tuple[str, ...]
    """A file's name each, without a suffix."""
    origins: tuple[dict[str, Any], ...]
    """Where each comes from."""


def read_pictures(paths: Sequence[str | Path], generator: Generator, rights: str | None) -> Targets:
    """Read picture files, and make them as the data of the training were made.

    Args:
        paths: of at least one picture.
        generator: whose images' shape they get.
        rights: what their user says of the rights in them.

    Raises:
        InputError: a file is no picture, nothing was said of the rights, or the generator makes no pictures.
    """
    if not (rights or '').strip():
        raise InputError(
            'a picture that is varied is somebody\'s: say what allows it with --source-rights, such as "my own drawing"'
        )
    config = _preparation(generator)
    pixels, origins = [], []
    for path in map(Path, paths):
        found, told = read_picture(path, config, generator.shape)
        pixels.append(found)
        origins.append({'file': path.name, **told, 'rights': rights})
    return Targets(np.stack(pixels), unique([Path(path).stem for path in paths]), tuple(origins))


def read_picture(
    path: Path, config: DataConfig, shape: tuple[int, int, int]
) -> tuple[np.ndarray, dict[str, str]]:
    """Read a picture as uint8 [H, W, C]; with it its SHA-256 and what was done to it.

    Raises:
        InputError: it is no picture.
    """
    size, _, channels = shape
    if channels not in (1, 3):
        raise InputError(f'this generator makes images of {channels} channels: no picture has as many')
    if not path.is_file():
        raise InputError(f'{path} {"is no file" if path.exists() else "does not exist"}')
    image = decode(str(path), str(path))
    times = repeats(np.asarray(image), size)
    changes = []
    if times > 1:
        changes = [f'each {times}x{times} block of one colour taken as a pixel']
        image = image.resize((image.width // times, image.height // times), Image.Resampling.NEAREST)
    changed = describe_changes({image.size}, config, size)
    if not times > 1 or image.size != (size, size):
        changes.append(changed)
    told = {'source': hashlib.sha256(path.read_bytes()).hexdigest(), 'prepared': ', '.join(changes)}
    return to_pixels(image, config, size, channels, str(path)), told


def read_mask(path: Path, generator: Generator) -> np.ndarray:
    """Read a mask: float32 [H, W, 1], 1 where pixels are known (white), 0 where they are to be made (black).

    Raises:
        InputError: it is no picture, or all black.
    """
    size = generator.shape[0]
    found, _ = read_picture(path, _preparation(generator), (size, size, 1))
    known = (found >= 128).astype(np.float32)
    if not known.any():
        raise InputError(f'{path} is black: no pixel is known')
    return known


def of_data(generator: Generator, split: str, n: int) -> Targets:
    """Take images of the data on which the generator was trained: the first ``n`` of a fixed permutation of a split.

    Raises:
        InputError: the data are not here, or are fewer.
    """
    config = with_split(_preparation(generator), split)
    source = open_source(config)
    excluded, info = excluded_images(source, config.exclude), source.info
    if (info.size, info.size, info.channels) != generator.shape:
        raise InputError(f'{info.name} has other images than the generator')
    most = len(source) - len(excluded)
    if not 1 <= n <= most:
        raise InputError(f'n {n} of {info.name}, split {split} (allowed: 1 to {most}, which it has)')
    found = np.asarray(shuffled_index(0, np.arange(n + len(excluded)), len(source)))
    places = found[~np.isin(found, excluded)][:n]
    pixels, _ = read_bytes(source, places)
    origins = tuple(
        {
            'data': info.name,
            'split': split,
            'index': int(i),
            'source': hashlib.sha256(one.tobytes()).hexdigest(),
            'rights': info.licence,
        }
        for i, one in zip(places, pixels, strict=True)
    )
    kind = re.sub(r'\W+', '-', split).strip('-')
    return Targets(pixels, tuple(f'{kind}{i}' for i in places), origins)


def of_own(generator: Generator, seeds: Sequence[int]) -> Targets:
    """Make samples of the generator itself; each class in turn."""
    draw = generator.sampler()
    pixels = draw(seeds, choose_labels(generator.card, None, len(seeds)))
    return Targets(pixels, tuple(f'seed{seed}' for seed in seeds), tuple({'seed': seed} for seed in seeds))


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Make names that files can have, no two alike.

    >>> unique(['a b', 'a?b', 'projections'])
    ('a-b', 'a-b-2', 'projections-2')
    """
    found: list[str] = []
    for name in names:
        plain = re.sub(r'[^\w.-]+', '-', name).strip('-.') or 'picture'
        taken, number = {*RESERVED, *(other.lower() for other in found)}, 2
        chosen = plain
        while chosen.lower() in taken:
            chosen, number = f'{plain}-{number}', number + 1
        found.append(chosen)
    return tuple(found)


def _preparation(generator: Generator) -> DataConfig:
    """Say how the data of the training were made, for pictures of any size: cut to a square, and resized."""
    data, size = generator.card['data'], generator.shape[0]
    kept = data.get('config')  # exports before this was kept have none
    config = from_dict(kept, DataConfig) if kept else DataConfig(data['name'])
    return dataclasses.replace(config, size=size, crop='center')
