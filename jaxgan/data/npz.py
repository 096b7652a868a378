"""Images from an ``.npz`` file of uint8 arrays.

For a split such as ``train`` the images are ``x_train``; without it, and for ``train`` only, ``image``,
``images`` or ``x``. Labels are ``y_train``, or ``label``, ``labels`` or ``y``, and may be missing; names of
the classes are ``classes``. Images are [N, H, W] (grey) or [N, H, W, C] with 1 or 3 channels.
"""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any, SupportsIndex

import numpy as np
from PIL import Image

from jaxgan.bounds import MOST
from jaxgan.data.config import DataConfig, path_of
from jaxgan.data.pixels import describe_changes, plan_side, to_pixels
from jaxgan.data.source import DataInfo
from jaxgan.data.splits import split_name, split_range
from jaxgan.errors import InputError, unknown

_IMAGES = ('image', 'images', 'x')
HARMLESS = 2**26  # bytes that any file may unpack to
MOST_GROWTH = 100
_LABELS = ('label', 'labels', 'y')


class ArraySource:
    """Images that are in memory already."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, info: DataInfo, config: DataConfig):
        self._images, self._labels, self.info, self._config = images, labels, info, config

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        pixels, info = self._images[index], self.info
        if pixels.shape != (info.size, info.size, info.channels):
            image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
            pixels = to_pixels(image, self._config, info.size, info.channels, f'image {index} of {info.name}')
        sample = {'image': pixels}
        return sample | {'label': self._labels[index]} if info.classes else sample

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N]; [0] if there are none."""
        return self._labels


def open_npz(config: DataConfig) -> ArraySource:
    """Open ``npz:PATH``.

    Raises:
        InputError: if there is no such file, or its arrays are missing, or not of the dtype and shape they
            need.
    """
    path = path_of(config.name)
    images, labels, classes = _read(path, split_name(config.split), config.label)
    _, height, width, channels = images.shape
    side = plan_side(width, height, config, f'every image of {path}')
    chosen = split_range(config.split, len(images))
    info = DataInfo(
        name=config.name,
        split=config.split,
        count=len(chosen),
        size=side,
        channels=config.channels or channels,
        classes=classes,
        origin=str(path),
        resize=describe_changes({(width, height)}, config, side),
    )
    here = slice(chosen.start, chosen.stop)
    return ArraySource(images[here], labels[here], info, config)


def _read(
    path: pathlib.Path, split: str, label: str | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read images [N, H, W, C], labels (or none) and the names of the classes."""
    with _open(path) as file:
        images = _images(file, _image_key(file, split, path), path)
        key = _label_key(file, split, label)
        if key is None:
            return images, np.zeros(0, np.int32), ()
        labels = _labels(file, key, len(images), path)
        return images, labels, _class_names(file, labels, path)


@contextlib.contextmanager
def _open(path: pathlib.Path) -> Iterator[Any]:
    try:
        handle = path.open('rb') if not path.exists() or path.is_file() or path.is_dir() else None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise InputError(f'cannot open {path}: {getattr(error, "strerror", None) or error}') from error
    if handle is None:
        raise InputError(f'cannot open {path}: it is no file but a pipe or a device')
    with handle:  # our own, because NumPy leaves the file open if it turns out not to be one
        try:
            file = np.load(handle, allow_pickle=False)
        except Exception as error:  # by zipfile, zlib and NumPy, of all kinds
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(f'cannot read {path} as npz: {reason}') from error
        if isinstance(file, np.ndarray):
            raise InputError(f'{path} holds a single array, as npy; an npz with named arrays is needed')
        yield file


def _image_key(file: Any, split: str, path: pathlib.Path) -> str:
    names = [f'x_{split}', *(_IMAGES if split == 'train' else ())]
    if found := [name for name in names if name in file.files]:
        return found[0]
    held = ', '.join(file.files)
    raise InputError(
        f'{path} has no images for the split {split!r}: looked for {", ".join(names)}, it holds {held}'
    )


def _label_key(file: Any, split: str, label: str | None) -> str | None:
    if label == 'none':
        return None
    if label is not None:
        if label not in file.files:
            raise unknown('array of labels', label, [*file.files, 'none'])
        return label
    names = [f'y_{split}', *(_LABELS if split == 'train' else ())]
    return next((name for name in names if name in file.files), None)


def _array(file: Any, key: str, path: pathlib.Path) -> np.ndarray:
    _refuse_bomb(file, key, path)
    try:
        found = file[key]
    except Exception as error:  # cut short, garbled, or a pickled object
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f'cannot read {key!r} in {path}: {reason}') from error
    if not isinstance(found, np.ndarray):  # NumPy hands out the bytes of what is no array
        raise InputError(f'{key!r} in {path} is no array')
    return found


def _refuse_bomb(file: Any, key: str, path: pathlib.Path) -> None:
    """Refuse what a small file unpacks into much memory; no images of use compress so well."""
    for entry in file.zip.infolist():
        grown = entry.file_size / max(entry.compress_size, 1)
        if entry.filename in (key, f'{key}.npy') and entry.file_size > HARMLESS and grown > MOST_GROWTH:
            raise InputError(
                f'{key!r} in {path} would unpack to {entry.file_size:,} bytes, {grown:,.0f} times what it takes in the '
                f'file (at most {MOST_GROWTH} times)'
            )


def _images(file: Any, key: str, path: pathlib.Path) -> np.ndarray:
    images = _array(file, key, path)
    images = images[..., None] if images.ndim == 3 else images
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise InputError(
            f'{key!r} in {path} is {images.dtype} {list(images.shape)}; images are uint8 [N, H, W] '
            'or [N, H, W, 1 or 3]'
        )
    return images


def _labels(file: Any, key: str, count: int, path: pathlib.Path) -> np.ndarray:
    labels = _array(file, key, path)
    fits = np.issubdtype(labels.dtype, np.integer) and labels.shape == (count,)
    for label in (int(labels.min()), int(labels.max())) if fits else ():
        if not 0 <= label < MOST:
            raise InputError(
                f'{key!r} in {path} holds the label {label}; labels are integers from 0 to {MOST - 1}'
            )
    if not fits:
        raise InputError(
            f'{key!r} in {path} is {labels.dtype} {list(labels.shape)}; '
            f'labels are integers [{count}] from 0 on'
        )
    return labels.astype(np.int32)


def _class_names(file: Any, labels: np.ndarray, path: pathlib.Path) -> tuple[str, ...]:
    needed = int(labels.max()) + 1
    if 'classes' not in file.files:
        return tuple(map(str, range(needed)))
    found = _array(file, 'classes', path)
    if found.ndim != 1 or found.dtype.kind not in 'USiu':
        raise InputError(
            f"'classes' in {path} is {found.dtype} {list(found.shape)}; names are a list of texts"
        )
    if found.dtype.kind == 'S':
        found = np.char.decode(found, 'utf-8', 'replace')
    names = tuple(str(name) for name in found)
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"'classes' in {path} has the name {name!r} more than once")
    if len(names) < needed:
        raise InputError(f"'classes' in {path} names {len(names)} classes, the labels need {needed}")
    return names
