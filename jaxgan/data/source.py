"""Sources of images: what every kind of data set looks like to the rest of the library."""

import concurrent.futures
import dataclasses
import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from rich.table import Table
from rich.text import Text

from jaxgan.data.config import DataConfig
from jaxgan.errors import InputError
from jaxgan.rights.licences import allowed

# How a name starts -> the function that opens it. A new kind of source is one more line.
_KINDS = {
    'folder:': 'jaxgan.data.folder:open_folder',
    'npz:': 'jaxgan.data.npz:open_npz',
    'pixel_avatars': 'jaxgan.data.pixel_avatars.builder:open_avatars',
    'points:': 'jaxgan.data.points:open_points',
    'stacked': 'jaxgan.data.stacked:open_stacked',
    '': 'jaxgan.data.tfds:open_tfds',
}
_CHUNK = 256  # images a task: small enough to share the work evenly, large enough that tasks cost nothing
_COUNTED = 200_000  # images whose labels a summary counts: it may have to read all of them
_SHOWN = 10  # classes, or skipped files, in a summary


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """What a source holds, in words and numbers that can be printed and stored."""

    name: str
    split: str
    count: int
    size: int  # pixels a side
    channels: int
    classes: tuple[str, ...] = ()  # empty: no labels
    licence: str = 'not stated'
    origin: str = 'not stated'  # a URL or a path
    skipped: tuple[tuple[str, str], ...] = ()  # (file, reason)
    resize: str = 'as they are'
    dtype: str = 'uint8'  # or float32, in [-1, 1]
    opted_out: int = 0  # images that were left out because they say so, or the files around them
    opt_outs_ignored: int = 0  # images that say so, and are used all the same
    opt_out_reason: str | None = None  # why
    licences: tuple[tuple[str, int], ...] = ()  # of single images, and of how many: the most usual ones
    unread: tuple[tuple[str, str], ...] = ()  # (file, what stands there of rights and could not be read)


@runtime_checkable
class ImageSource(Protocol):
    """Images by index, all of one size; safe to read from several threads."""

    info: DataInfo

    def __len__(self) -> int:
        """Count the images."""
        ...

    def __getitem__(self, index: SupportsIndex, /) -> dict[str, Any]:
        """Read {'image': [H, W, C] of ``info.dtype``} and, if there are classes, 'label': int32 scalar."""
        ...

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N], without decoding an image; [0] if there are no classes."""
        ...


def open_source(config: DataConfig) -> ImageSource:
    """Open the images that a config names.

    Raises:
        InputError: if there are none by that name, or they do not fit the config.
    """
    kind = next(kind for kind in _KINDS if config.name.startswith(kind))
    module, function = _KINDS[kind].split(':')
    source = getattr(importlib.import_module(module), function)(config)
    if kind == 'folder:':  # which looks at each image, and knows what is said of each
        return source
    if config.licences:
        _check_licence(source.info, config)
    return source if config.subset is None else _part(source, config.subset)


def _part(source: ImageSource, subset: int) -> ImageSource:
    from jaxgan.data.subset import Subset, part

    return Subset(source, part(len(source), subset, f'{source.info.name}, split {source.info.split}'))


def _check_licence(info: DataInfo, config: DataConfig) -> None:
    if not allowed(info.licence, config.licences):
        raise InputError(
            f'the licence of {info.name} is {info.licence!r}, and data.licences asks for {", ".join(config.licences)}'
        )


def read_all(source: ImageSource, threads: int | None = None) -> dict[str, np.ndarray]:
    """Read a whole source into memory.

    Args:
        source: the images.
        threads: how many to read with (default: 8, but 1 for images up to 64 pixels a side: with those,
            threads only wait for each other, because Python is busier than the decoder).

    Returns:
        'image': [N, H, W, C] of ``info.dtype`` and, if there are classes, 'label': int32 [N].

    Raises:
        InputError: if an image cannot be read.
    """
    info = source.info
    arrays: dict[str, np.ndarray] = {
        'image': np.empty((len(source), info.size, info.size, info.channels), info.dtype)
    }
    if info.classes:
        arrays['label'] = np.empty(len(source), np.int32)

    def fill(start: int) -> None:
        indices = range(start, min(start + _CHUNK, len(source)))
        for index, sample in zip(indices, read_many(source, indices)):
            for key, value in sample.items():
                arrays[key][index] = value

    with concurrent.futures.ThreadPoolExecutor(threads or (1 if info.size <= 64 else 8)) as pool:
        for _ in pool.map(fill, range(0, len(source), _CHUNK)):
            pass
    return arrays


def read_many(source: ImageSource, indices: Sequence[int]) -> list[dict[str, Any]]:
    """Read several images: at once, where the source has ``__getitems__``, as TFDS sources have."""
    together = getattr(source, '__getitems__', None)
    return together(indices) if together else [source[index] for index in indices]


def summary(source: ImageSource) -> Table:
    """Describe a source on one screen, as a table that rich prints."""
    info = source.info
    rows = [
        ('images', f'{info.count:,}, {info.size}x{info.size} pixels, {_channels(info)}'),
        ('pixels', info.resize),
        ('labels', _count_labels(source) if info.classes else 'none'),
        ('licence', info.licence),
        ('origin', info.origin),
        *_rights(info),
        ('skipped', f'{len(info.skipped):,} files' if info.skipped else 'none'),
        *(('', f'{file}: {reason}') for file, reason in info.skipped[:_SHOWN]),
    ]
    table = Table(
        show_header=False, box=None, title=Text(f'{info.name}, split {info.split}'), title_justify='left'
    )
    for row in rows:
        table.add_row(*map(Text, row))  # as text, because brackets in a file name are no markup
    return table


def _rights(info: DataInfo) -> Iterator[tuple[str, str]]:
    """Say what was found of opt-outs; nothing where there is nothing."""
    if info.opted_out:
        yield 'opted out', f'{info.opted_out:,} of the images, left out'
    if info.opt_outs_ignored:
        yield (
            'opted out',
            f'{info.opt_outs_ignored:,} of the images, used all the same: {info.opt_out_reason}',
        )
    for i, (file, reason) in enumerate(info.unread[:_SHOWN]):
        yield f'unread: {len(info.unread):,}' if i == 0 else '', f'{file}: {reason}'


def _channels(info: DataInfo) -> str:
    named = {1: 'grey', 3: 'colour'} if info.dtype == 'uint8' else {}
    return named.get(info.channels, f'{info.channels} channels of {info.dtype}')


def _count_labels(source: ImageSource) -> str:
    classes = source.info.classes
    if len(source) > _COUNTED:
        return (
            f'{len(classes)} classes: {", ".join(classes[:_SHOWN])}{", ..." if len(classes) > _SHOWN else ""}'
        )
    counts = np.bincount(source.labels(), minlength=len(classes))
    shown = ', '.join(f'{name} {count:,}' for name, count in list(zip(classes, counts))[:_SHOWN])
    rest = f', and {len(classes) - _SHOWN} more' if len(classes) > _SHOWN else ''
    return f'{len(classes)} classes: {shown}{rest}'
