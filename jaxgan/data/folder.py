"""Folders of images: sub-folders are labels, every file is checked at the start, and the order is fixed."""

import collections
import concurrent.futures
import io
import os
import pathlib
from collections.abc import Iterator
from typing import Any, SupportsIndex

import numpy as np

from jaxgan.data.chosen import Found, choose, describe_rights
from jaxgan.data.config import DataConfig, path_of
from jaxgan.data.pixels import BadImage, decode, decode_with_info, describe_changes, plan_side, to_pixels
from jaxgan.data.source import DataInfo
from jaxgan.data.splits import split_name, split_range
from jaxgan.data.subset import part
from jaxgan.errors import InputError, unknown
from jaxgan.rights.embedded import read_embedded
from jaxgan.rights.folder import Surroundings, read_bytes, whole_statement

SUFFIXES = frozenset(
    (
        '.avif',
        '.bmp',
        '.gif',
        '.heic',
        '.heif',
        '.jfif',
        '.jp2',
        '.jpe',
        '.jpeg',
        '.jpg',
        '.pbm',
        '.pgm',
        '.png',
        '.pnm',
        '.ppm',
        '.tga',
        '.tif',
        '.tiff',
        '.webp',
    )
)
_SPLITS = ('test', 'train', 'val', 'validation')  # sub-folders of these names are splits, not labels
_THREADS = 8


class FolderSource:
    """Images that are decoded from their files when they are asked for."""

    def __init__(
        self, root: pathlib.Path, found: list[Found], labels: np.ndarray, info: DataInfo, config: DataConfig
    ):
        self._root, self._labels, self.info, self._config = root, labels, info, config
        self.names = [image.name for image in found]
        self.statements = [image.statement for image in found]

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> pathlib.Path:
        """Tell where an image's file is."""
        return self._root / self.names[index]

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        path = str(self._root / self.names[index])
        pixels = to_pixels(decode(path, path), self._config, self.info.size, self.info.channels, path)
        sample = {'image': pixels}
        return sample | {'label': self._labels[index]} if self.info.classes else sample

    def file(self, index: int) -> pathlib.Path:
        """Tell the file of an image."""
        return self._root / self.names[index]

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N]; [0] if there are none."""
        return self._labels


def open_folder(config: DataConfig) -> FolderSource:
    """Open ``folder:PATH``: list its images, decode each once to be sure of it, and settle size and labels.

    Hidden files and files without the suffix of an image are left alone. A folder that links reach twice is
    read once. The order is that of the names. With a sub-folder ``train`` or ``test``, the split chooses
    among those.

    Images that say that they must not be trained on, or whose folder says so (``jaxgan.rights``), are left out, unless the config
    ignores it; so are those of other licences than it asks for.

    Raises:
        InputError: if there is no image, some cannot be read (unless they are to be skipped), or they differ
            in size and no rule was given.
    """
    whole = path_of(config.name)
    root = _split_folder(whole, config)
    names, hidden = _list_images(root)
    around = Surroundings(root, [whole] if root != whole else [])
    found, bad = _check_files(root, names, config, around)
    if not found:
        raise InputError(
            f'there is no image in {root} (looked for files ending in {" ".join(sorted(SUFFIXES))})'
        )
    readable, (found, left_out) = found, choose(found, config, root)
    classes, labels = _label(found, root, config)
    chosen = split_range(config.split, len(found))
    here = slice(chosen.start, chosen.stop)
    found, labels = found[here], labels[here]
    side = _common_side(found, root, config)  # of the whole split, so that its parts are alike
    channels = config.channels or max(image.channels for image in found)
    places = part(len(found), config.subset, f'{config.name}, split {config.split}')
    found, labels = [found[i] for i in places], labels[places] if classes else labels
    info = DataInfo(
        name=config.name,
        split=config.split,
        count=len(found),
        size=side,
        channels=channels,
        classes=classes,
        origin=str(root),
        skipped=(*bad, *left_out, *((name, 'hidden') for name in hidden)),
        resize=describe_changes({image.size for image in found}, config, side),
        **describe_rights(found, readable, around.unread, config),
    )
    return FolderSource(root, found, labels, info, config)


def _split_folder(root: pathlib.Path, config: DataConfig) -> pathlib.Path:
    if not root.is_dir():
        raise InputError(f'there is no folder {root}')
    split = split_name(config.split)
    splits = [name for name in _SPLITS if (root / name).is_dir()]
    if not {'train', 'test'} & set(splits):
        if split != 'train':
            raise InputError(
                f'{root} has no sub-folder {split!r}, so that all its images are the split train'
            )
        return root
    if split not in splits:
        raise unknown(f'split of {root}', split, splits)
    return root / split


def _list_images(root: pathlib.Path) -> tuple[list[str], list[str]]:
    """List the names of all image files below a folder, sorted: those to read, and those that are hidden."""
    names, hidden = [], []
    for name in sorted(_walk(root)):
        if os.path.splitext(name)[1].lower() in SUFFIXES:
            (hidden if os.path.basename(name).startswith('.') else names).append(name)
    return names, hidden


def _walk(root: pathlib.Path) -> Iterator[str]:
    seen = set()
    for folder, below, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # reached before through a link, perhaps one in a circle
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not name.startswith('.'))
        relative = pathlib.Path(folder).relative_to(root)
        yield from ((relative / name).as_posix() for name in files)


def _check_files(
    root: pathlib.Path, names: list[str], config: DataConfig, around: Surroundings
) -> tuple[list[Found], list[tuple[str, str]]]:
    """Read and decode every file once; a truncated one shows only then."""

    def check(name: str) -> Found | BadImage:
        path = str(root / name)
        try:
            data, whole = _read_bytes(path, name)
            image, info = decode_with_info(io.BytesIO(data) if whole else path, name)
        except BadImage as error:
            return error
        said, licence = around.of(name)
        said = whole_statement(said, read_embedded(data, info), licence)
        return Found(name, image.size, len(image.getbands()), said)

    around.prepare(names)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(check, names))
    bad = [result for result in results if isinstance(result, BadImage)]
    if bad and config.bad_images == 'fail':
        first = '; '.join(str(error) for error in bad[:3]) + ('; ...' if len(bad) > 3 else '')
        raise InputError(
            f'{len(bad)} of {len(names)} images in {root} cannot be read: {first} '
            "(data.bad_images 'skip' leaves them out)"
        )
    return [result for result in results if isinstance(result, Found)], [(e.name, e.reason) for e in bad]


def _read_bytes(path: str, name: str) -> tuple[bytes, bool]:
    """Read a file, or enough of a very large one; what is no file, a pipe perhaps, is left to the decoder's error."""
    try:
        return read_bytes(path)
    except OSError as error:
        raise BadImage(name, error.strerror or str(error)) from error


def _label(found: list[Found], root: pathlib.Path, config: DataConfig) -> tuple[tuple[str, ...], np.ndarray]:
    """Take the first folder on the way to each image as its label."""
    if config.label not in (None, 'none'):
        raise unknown('label of a folder, whose sub-folders are the labels', config.label, ['none'])
    loose = [image.name for image in found if '/' not in image.name]
    if config.label == 'none' or len(loose) == len(found):
        return (), np.zeros(0, np.int32)
    if loose:
        raise InputError(
            f'{len(loose)} of {len(found)} images in {root} lie outside the sub-folders that are the labels, '
            f"such as {loose[0]}; move them, or set data.label 'none'"
        )
    firsts = [image.name.split('/')[0] for image in found]
    classes = sorted(set(firsts))
    codes = {name: code for code, name in enumerate(classes)}
    return tuple(classes), np.array([codes[first] for first in firsts], np.int32)


def _common_side(found: list[Found], root: pathlib.Path, config: DataConfig) -> int:
    sides = collections.Counter()
    examples = {}
    for image in found:
        side = plan_side(*image.size, config, str(root / image.name))
        sides[side] += 1
        examples.setdefault(side, image.name)
    if len(sides) > 1:
        (usual, _), *_, (rare, number) = sides.most_common()
        raise InputError(
            f'the images in {root} come in {len(sides)} sizes, such as {usual}x{usual} ({examples[usual]}) '
            f'and {rare}x{rare} ({number} times; {examples[rare]}); state one with data.size'
        )
    return next(iter(sides))
