"""Look at every image of a data set, for its manifest."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgan.checkpoints.filetable import hash_file
from jaxgan.data import ImageSource, read_many
from jaxgan.data.exclusion import pixel_digest
from jaxgan.data.folder import FolderSource
from jaxgan.datamanifest import duplicates
from jaxgan.datamanifest.entries import Entry
from jaxgan.errors import InputError
from jaxgan.marks.hashes import phashes, to_hex
from jaxgan.rights.licences import NOT_STATED
from jaxgan.rights.statement import SILENT, Statement

PART = 128  # images that one task looks at
THREADS = 8
PROBED = 16  # images by which a manifest is known again


class _Part(NamedTuple):
    """What was seen of some images."""

    files: list[str]
    pixels: list[str]
    hashes: np.ndarray  # uint64; empty where images are no pictures
    pictures: np.ndarray


def list_images(
    source: ImageSource,
    threads: int = THREADS,
    advance: Callable[[int], Any] = lambda count: None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[Entry]:
    """List what is known of each image of a source.

    Args:
        source: the images; of a folder their files are read as well.
        threads: that read.
        advance: is told how many more are done.
        stopped: says whether nobody wants the list any more.

    Raises:
        InputError: an image cannot be read, or the list is no longer wanted.
    """
    starts = range(0, len(source), PART)

    def look(start: int) -> _Part:
        if stopped():
            raise InputError('stopped')
        return _look(source, range(start, min(start + PART, len(source))))

    parts: list[_Part] = []
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for part in pool.map(look, starts):
            parts.append(part)
            advance(len(part.pixels))
    pixels = [digest for part in parts for digest in part.pixels]
    files = [digest for part in parts for digest in part.files]
    hashes = np.concatenate([part.hashes for part in parts])
    numbers: Sequence[int | None] = [None] * len(pixels)
    if len(hashes) == len(pixels):
        numbers = duplicates.groups(pixels, hashes, np.concatenate([part.pictures for part in parts]))
    return list(_entries(source, files, pixels, hashes, numbers))


def _look(source: ImageSource, indices: range) -> _Part:
    images = np.stack([sample['image'] for sample in read_many(source, indices)])
    pixels = list(map(pixel_digest, images))
    files = [_digest(source, index) for index in indices] if isinstance(source, FolderSource) else pixels
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        return _Part(files, pixels, np.zeros(0, np.uint64), np.zeros((0, 0), np.uint8))
    return _Part(files, pixels, phashes(images), duplicates.small(images))


def _digest(source: FolderSource, index: int) -> str:
    path = source.path(index)
    try:
        return hash_file(path)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from None


def _entries(
    source: ImageSource,
    files: list[str],
    pixels: list[str],
    hashes: np.ndarray,
    numbers: Sequence[int | None],
) -> Iterator[Entry]:
    info = source.info
    of_set = Statement(licence='' if info.licence == NOT_STATED else info.licence)
    for index in range(len(pixels)):
        said = source.statements[index] if isinstance(source, FolderSource) else of_set
        yield Entry(
            index=index,
            name=source.names[index] if isinstance(source, FolderSource) else str(index),
            sha256=files[index],
            pixels=pixels[index],
            phash=to_hex(int(hashes[index])) if len(hashes) else None,
            licence=said.licence or None,
            creator=said.creator or None,
            source=said.source or (None if isinstance(source, FolderSource) else _origin(info.origin)),
            opt_outs=tuple(map(str, said.opt_outs)) if said is not SILENT else (),
            group=numbers[index],
        )


def _origin(origin: str) -> str | None:
    """Name a data set's page; a path of this machine is nobody else's business."""
    return origin if origin.startswith(('http://', 'https://')) else None


def fits(entries: Sequence[Entry], source: FolderSource) -> bool:
    """Say whether a manifest is that of a folder: the same names, what is said of them, and some of the files."""
    if [entry.name for entry in entries] != source.names:
        return False
    said = [(one.licence or None, tuple(map(str, one.opt_outs))) for one in source.statements]
    if said != [(entry.licence, entry.opt_outs) for entry in entries]:
        return False
    places = np.unique(np.linspace(0, len(entries) - 1, min(PROBED, len(entries))).astype(int))
    return all(_digest(source, int(i)) == entries[i].sha256 for i in places)


def counted(entries: Sequence[Entry], field: str) -> list[tuple[str, int]]:
    """Count what entries say in a field, the most usual first."""
    counts = collections.Counter(getattr(entry, field) or NOT_STATED for entry in entries)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
