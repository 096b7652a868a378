"""The pixel avatars as a TFDS data set, cut from the sheets in the package: no network, no TensorFlow."""

import contextlib
import io
import pathlib
import shutil
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from jaxgan.data.config import DataConfig
from jaxgan.data.pixel_avatars.sheet import SIZE, SPLITS, attribute_names, read_codes, read_images
from jaxgan.data.prepared import data_root
from jaxgan.data.tfds import TfdsSource, open_tfds
from jaxgan.errors import InputError, unknown

SOURCE = 'https://www.figma.com/community/file/1198754108850888330'
LICENCE = 'CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/)'
DESCRIPTION = (
    '18,000 distinct pixel-art faces at 16x16 on white, with their attributes. "Pixel Art" by DiceBear.'
)
_TEMPORARY = '.pixel_avatars-'


class PixelAvatars(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Pixel-art faces at 16x16, and what each is made of."""

    # TFDS looks prepared data up by this number: raise the first part with every change of the sheets or the attributes,
    # the last one where only their storage changes.
    VERSION = tfds.core.Version('1.0.1')

    def _info(self) -> tfds.core.DatasetInfo:
        features: dict[str, Any] = {
            # 768 bytes as they are: decoding 16,000 PNG files takes ten times as long as reading these
            'image': tfds.features.Tensor(shape=(SIZE, SIZE, 3), dtype=np.uint8, encoding='bytes')
        }
        for attribute, names in attribute_names().items():
            features[attribute] = tfds.features.ClassLabel(names=list(names))
        return self.dataset_info_from_configs(
            description=DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            homepage=SOURCE,
            license=LICENCE,
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split):
        attributes = list(attribute_names())
        for index, (pixels, codes) in enumerate(zip(read_images(split), read_codes(split))):
            yield index, {'image': pixels, **dict(zip(attributes, codes.tolist()))}


def open_avatars(config: DataConfig) -> TfdsSource:
    """Open the pixel avatars; ``pixel_avatars/ATTRIBUTE`` takes that attribute as the label.

    Raises:
        InputError: if there is no such attribute or split, or the data folder cannot be written.
    """
    name, _, attribute = config.name.partition('/')
    allowed = list(attribute_names())
    if name != 'pixel_avatars':
        return open_tfds(config)
    if config.name != name and attribute not in allowed:
        raise unknown('attribute of pixel_avatars', attribute, allowed)
    label = config.label or attribute or 'none'
    if attribute and label != attribute:
        raise InputError(
            f'{config.name} takes {attribute!r} as the label, data.label says {label!r}: state one'
        )
    if label not in (*allowed, 'none'):
        raise unknown('attribute of pixel_avatars', label, [*allowed, 'none'])
    return TfdsSource(prepared_folder(config.data_dir), config, None if label == 'none' else label)


def prepared_folder(data_dir: str | None) -> pathlib.Path:
    """Find the avatars prepared in the data folder, or prepare them there, which takes some seconds once.

    They are written to a temporary folder and moved into place whole, so that a process that is killed or
    that works at the same time does no harm.

    Raises:
        InputError: if the folder cannot be written.
    """
    root = data_root(data_dir)
    folder = root / PixelAvatars.name / str(PixelAvatars.VERSION)
    if is_whole(folder):
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_stale(root)
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=root) as temporary:
            _move(_write(temporary), folder, pathlib.Path(temporary) / 'broken')
    except OSError as error:
        raise InputError(
            f'cannot prepare pixel_avatars in {root}: {error.strerror or error}; '
            'name another folder with data.data_dir'
        ) from error
    return folder


def is_whole(folder: pathlib.Path) -> bool:
    """Tell whether a folder holds all avatars, by reading the first and the last of each split."""
    try:
        builder: Any = tfds.builder_from_directory(str(folder))
        for split in SPLITS:
            raw = tfds.decode.DeserializeMethod.RAW_BYTES
            records = builder.as_data_source(split, deserialize_method=raw)
            if len(records) != len(read_codes(split)):
                return False
            _ = records[0], records[len(records) - 1]
    except Exception:  # a missing, short or garbled file: each fails in its own way
        return False
    return True


def _write(data_dir: str) -> pathlib.Path:
    builder: Any = PixelAvatars(data_dir=data_dir, file_format='array_record')
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        builder.download_and_prepare()
    return pathlib.Path(builder.data_dir)


def _move(new: pathlib.Path, folder: pathlib.Path, aside: pathlib.Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    try:
        new.rename(folder)
    except OSError:
        if not is_whole(folder):  # else another process was faster, and its data are the same
            folder.rename(aside)
            new.rename(folder)


def _remove_stale(root: pathlib.Path) -> None:
    for left in root.glob(f'{_TEMPORARY}*'):
        if time.time() - left.stat().st_mtime > 3600:  # a killed process left it: preparing takes seconds
            shutil.rmtree(left, ignore_errors=True)
