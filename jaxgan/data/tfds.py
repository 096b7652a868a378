"""Data sets of tensorflow-datasets, read from prepared ArrayRecord without TensorFlow or network."""

import functools
import importlib.util
import io
import operator
import pathlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from jaxgan.data.config import DataConfig
from jaxgan.data.pixels import BadImage, decode, describe_changes, plan_side, to_pixels
from jaxgan.data.prepared import (
    data_root,
    find_prepared,
    known_names,
    locate,
    prepare_command,
    split_name,
    unknown_name,
)
from jaxgan.data.source import DataInfo
from jaxgan.data.tfrecord import convert
from jaxgan.errors import InputError, unknown

_CHUNK = 1024  # records read at once for their labels
_proto: Any = tf_example_pb2  # its classes come into being on import


class TfdsSource:
    """A prepared data set, read record by record."""

    def __init__(self, folder: pathlib.Path, config: DataConfig, label: str | None):
        builder = _array_record_builder(folder, config)
        self._config, self._label = config, label
        self._image = image_feature(builder)
        self._records = _open_split(builder, config.split)
        feature = builder.info.features[self._image]
        self._stored = stored_pixels(feature)
        self._side, self._channels, changes = self._plan(feature.shape)
        self.info = DataInfo(
            name=config.name,
            split=config.split,
            count=len(self._records),
            size=self._side,
            channels=self._channels,
            classes=tuple(builder.info.features[label].names) if label else (),
            licence=builder.info.as_proto.redistribution_info.license or 'not stated',
            origin=builder.info.homepage or str(folder),
            resize=changes,
        )

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        return self._sample(index, self._records[operator.index(index)])

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[dict[str, Any]]:
        """Read several images, which is quicker than one by one."""
        records = self._records.__getitems__([operator.index(index) for index in indices])
        return [self._sample(index, record) for index, record in zip(indices, records)]

    def _sample(self, index: SupportsIndex, record: bytes) -> dict[str, Any]:
        features, name = _features(record), self._name(index)
        values = features[self._image].bytes_list.value
        if not values:
            raise BadImage(name, f'the record has no {self._image!r}')
        pixels = self._read(values[0], name)
        return {'image': pixels} | ({'label': np.int32(_label(features, self._label))} if self._label else {})

    def _read(self, data: bytes, name: str) -> np.ndarray:
        if self._stored is None:  # a file; TFDS's own decoding takes palettes for grey, and CMYK for RGBA
            image = decode(io.BytesIO(data), name)
        else:
            try:
                pixels = self._stored(data)
            except (ValueError, zlib.error) as error:
                raise BadImage(name, str(error)) from error
            if pixels.shape == (self._side, self._side, self._channels):
                return pixels
            image = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
        return to_pixels(image, self._config, self._side, self._channels, name)

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N]; [0] if there are none."""
        if self._label is None:
            return np.zeros(0, np.int32)
        labels = np.empty(len(self), np.int32)
        for start in range(0, len(self), _CHUNK):
            indices = range(start, min(start + _CHUNK, len(self)))
            for index, record in zip(indices, self._records.__getitems__(list(indices))):
                labels[index] = _label(_features(record), self._label)
        return labels

    def _name(self, index: SupportsIndex) -> str:
        return f'image {operator.index(index)} of {self._config.name}, split {self._config.split}'

    def _plan(self, shape: tuple[int | None, ...]) -> tuple[int, int, str]:
        """Settle the size and the channels: from the declared shape, never by reading every image."""
        height, width, depth = shape
        channels = self._config.channels or (1 if depth == 1 else 3)
        if height is not None and width is not None:
            side = plan_side(width, height, self._config, f'every image of {self._config.name}')
            return side, channels, describe_changes({(width, height)}, self._config, side)
        if self._config.size is None or self._config.crop == 'none':
            raise InputError(
                f"the images of {self._config.name} differ in size; state data.size and data.crop 'center'"
            )
        changes = f'cropped to the central square, resized ({self._config.resize})'
        return self._config.size, channels, changes


def open_tfds(config: DataConfig) -> TfdsSource:
    """Open a prepared data set by its TFDS name.

    Raises:
        InputError: if it is unknown, not prepared, prepared in another format, or has no such split or label.
    """
    folder = find_prepared(config.name, config.data_dir)
    return TfdsSource(folder, config, label_feature(_array_record_builder(folder, config), config))


def prepare(name: str, data_dir: str | None = None) -> pathlib.Path:
    """Prepare a data set as ArrayRecord: convert what lies there as TFRecord, or else download it.

    Downloading a stock data set is the one thing that needs network and TensorFlow.

    Args:
        name: a TFDS name, with a config if it has several.
        data_dir: where to put it (default: TFDS's default).

    Returns:
        The folder with the prepared data.

    Raises:
        InputError: if there is no such data set, TensorFlow is missing, or the download fails.
    """
    base, _, _ = split_name(name)
    if base == 'pixel_avatars':
        from jaxgan.data.pixel_avatars.builder import prepared_folder

        return prepared_folder(data_dir)
    folder = locate(name, data_dir)
    if folder is None:
        return _download(name, data_dir)
    formats = _formats(_builder(folder))
    if formats == {'tfrecord'}:
        convert(folder)
    elif 'array_record' not in formats:
        raise InputError(f'{name!r} is prepared as {", ".join(sorted(formats))} in {folder}; delete it first')
    return folder


def _download(name: str, data_dir: str | None) -> pathlib.Path:
    base, root = split_name(name)[0], data_root(data_dir)
    if base not in known_names():
        raise unknown_name(name)
    if tfds.builder_cls(base).__module__.startswith('tensorflow_datasets.') and not _has_tensorflow():
        raise InputError(f"preparing {name!r} needs TensorFlow, this once: pip install 'jaxgan[prepare]'")
    try:
        builder = tfds.builder(name, data_dir=root, file_format='array_record')
        # Google's storage has some data sets prepared, but as TFRecord.
        options = tfds.download.DownloadConfig(try_download_gcs=False)
        builder.download_and_prepare(file_format='array_record', download_config=options)
    except Exception as error:  # whatever the network, the disk or the data set's own code comes up with
        raise InputError(f'could not prepare {name!r} in {root}: {_reason(error)}') from error
    return pathlib.Path(builder.data_dir)


def image_feature(builder: Any) -> str:
    """Name the feature that holds the image: the only one, or the one called ``image``.

    An ``Image``, or where there is none a ``Tensor`` of bytes [height, width, 1 or 3] that are stored as they are or by zlib.
    """
    features = builder.info.features
    images = [key for key, feature in features.items() if type(feature) is tfds.features.Image]
    images = images or [key for key, feature in features.items() if _holds_pixels(feature)]
    images = images if len(images) == 1 else [key for key in images if key == 'image']
    if not images:
        raise InputError(
            f'{builder.info.full_name} has no image to train on; its features: {", ".join(sorted(features))}'
        )
    if features[images[0]].np_dtype not in (np.uint8, np.uint16):
        raise InputError(
            f'the images of {builder.info.full_name} are {features[images[0]].np_dtype}, not uint8'
        )
    return images[0]


def _holds_pixels(feature: Any) -> bool:
    shape: tuple[int | None, ...] = feature.shape
    if not isinstance(feature, tfds.features.Tensor) or feature.np_dtype != np.uint8:
        return False
    fixed = None not in shape and len(shape) == 3 and shape[2] in (1, 3)
    return fixed and feature.to_json_content().encoding in ('bytes', 'zlib')


def label_feature(builder: Any, config: DataConfig) -> str | None:
    """Name the feature that is the label: the one asked for, or ``label`` if it is a class, or none."""
    features = builder.info.features
    classes = sorted(key for key in features if isinstance(features[key], tfds.features.ClassLabel))
    if config.label == 'none' or (config.label is None and 'label' not in classes):
        return None
    label = config.label or 'label'
    if label not in classes:
        raise unknown(f'label of {builder.info.full_name}', label, [*classes, 'none'])
    return label


def _array_record_builder(folder: pathlib.Path, config: DataConfig) -> Any:
    builder = _builder(folder)
    formats = _formats(builder)
    if 'array_record' not in formats:
        command = prepare_command(config.name, config.data_dir)
        raise InputError(
            f'{config.name!r} is prepared as {", ".join(sorted(formats))} in {folder}, which has no random access: '
            f'run "{command}" once, which converts it'
        )
    return builder


def _builder(folder: pathlib.Path) -> Any:
    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as error:  # files are missing or garbled
        raise InputError(
            f'{folder} does not hold a whole data set ({_reason(error)}); delete it and prepare it anew'
        ) from error


def _formats(builder: Any) -> set[str]:
    return {form.value for form in builder.info.available_file_formats()}


def _open_split(builder: Any, split: str) -> Any:
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    try:
        records = builder.as_data_source(split, deserialize_method=raw, file_format='array_record')
        if len(records) > 0:
            return records
        reason = 'it is empty'
    except Exception as error:  # what TFDS raises for a split that it cannot read differs
        reason = _reason(error)
    splits = ', '.join(f'{key} ({value.num_examples})' for key, value in builder.info.splits.items())
    raise InputError(
        f'cannot open the split {split!r} of {builder.info.full_name}: {reason} (splits: {splits})'
    )


def _features(record: bytes) -> Any:
    """Parse a record: a map of features. TFDS's own parser takes seven times as long."""
    return _proto.Example.FromString(record).features.feature


def _label(features: Any, name: str) -> int:
    return features[name].int64_list.value[0]


def stored_pixels(feature: Any) -> Callable[[bytes], np.ndarray] | None:
    """Give the function that reads pixels stored as they are, in a ``Tensor``; None for image files."""
    if type(feature) is tfds.features.Image:
        return None
    unpack = zlib.decompress if feature.to_json_content().encoding == 'zlib' else bytes
    return lambda data: np.frombuffer(unpack(data), np.uint8).reshape(feature.shape)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


@functools.cache
def _has_tensorflow() -> bool:
    return importlib.util.find_spec('tensorflow') is not None
