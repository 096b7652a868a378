"""The file of an index of training images: written whole, and read as anybody may have written it."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.configjson import from_dict, to_dict
from jaxgan.copyindex.index import (
    DTYPES,
    FORMAT_VERSION,
    PREFIX,
    PROTOCOL,
    About,
    CopyIndex,
    digest_of,
    tensors_of,
    words_of,
)
from jaxgan.errors import DamagedError, InputError
from jaxgan.files import read_bounded, reason, replacing, unwritable
from jaxgan.metrics.descriptors import WIDTH
from jaxgan.strictjson import parse_json

MOST_BYTES = 2**29  # about two million images
MOST_WORDS = 2**16  # bytes of the metadata


def save_index(path: Path, index: CopyIndex) -> None:
    """Write an index, whole or not at all.

    Raises:
        InputError: it cannot be written there, or is too large.
    """
    data = to_bytes(index)
    if len(data) > MOST_BYTES:
        raise InputError(
            f'an index of {index.count:,} images has {len(data):,} bytes; at most {MOST_BYTES:,}'
        )
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise unwritable(path, error) from error


def load_index(path: Path) -> CopyIndex:
    """Read an index that anybody may have written.

    Raises:
        InputError: there is none, it is too large, or of another version.
        DamagedError: it is not what was written.
        MachineError: it may not be read.
    """
    return from_bytes(read_bounded(path, MOST_BYTES), str(path))


def to_bytes(index: CopyIndex) -> bytes:
    """Write an index as a file's bytes, the same each time."""
    metadata = {'index': json.dumps({'sha256': index.digest, 'about': to_dict(index.about)}, allow_nan=False)}
    return safetensors.numpy.save(tensors_of(index), metadata)


def from_bytes(data: bytes, name: str) -> CopyIndex:
    """Read an index from a file's bytes.

    Raises:
        InputError: it is of another version.
        DamagedError: it is not what was written; the message begins with the name.
    """
    try:
        words, tensors = _read(data, name)
        found = words['about']
        version = found.get('format_version') if isinstance(found, dict) else None
        if type(version) is int and version > FORMAT_VERSION:
            raise _OtherVersion(f'{name} has format_version {version}; this jaxgan reads {FORMAT_VERSION}')
        if version == 1:
            raise _OtherVersion(
                f'{name} has format_version 1, whose descriptions this jaxgan no longer compares: write it anew with jaxgan index RUN'
            )
        about = from_dict(found, About, 'about')
        if digest_of(words_of(about), tensors) != words['sha256']:
            raise ValueError('it does not match its SHA-256')
        return _checked(CopyIndex(**tensors, about=about))
    except _OtherVersion:
        raise
    except (ValueError, LookupError, TypeError, safetensors.SafetensorError) as error:
        raise DamagedError(f'{name} is no index of images, or damaged: {reason(error)}') from None


class _OtherVersion(InputError):
    pass


def _read(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take a file apart: what it says, and its tensors."""
    (length,) = struct.unpack('<Q', data[:8]) if len(data) >= 8 else (0,)
    if not 2 <= length <= min(MOST_WORDS, len(data) - 8):
        raise ValueError('it has no header of safetensors')
    header = parse_json(data[8 : 8 + length], name)
    words = parse_json(header['__metadata__']['index'], name)
    if set(header) != {'__metadata__', *DTYPES} or set(words) != {'sha256', 'about'}:
        raise ValueError('it holds other things')
    tensors = {}
    for part, entry in safetensors.deserialize(data):
        kind, dtype = DTYPES[part]
        if entry['dtype'] != kind:
            raise ValueError(f'{part} is {entry["dtype"]}, and should be {kind}')
        tensors[part] = np.frombuffer(entry['data'], dtype).reshape(entry['shape'])
    return words, tensors


def _checked(index: CopyIndex) -> CopyIndex:
    """Check what a SHA-256 does not: whoever wrote the file may have written anything.

    Raises:
        ValueError: says what is wrong.
    """
    features, own, pixels, about = index.features, index.own, index.pixels, index.about
    n = len(own) if own.ndim == 1 else 0
    if n < 2 or features.ndim != 2 or len(features) != n or pixels.shape != (n, PREFIX):
        shapes = ', '.join(str(array.shape) for array in (features, own, pixels))
        raise ValueError(f'features, own and pixels of shapes {shapes} do not go together')
    excluded = index.excluded
    if (
        excluded.ndim != 1
        or np.any(np.diff(excluded) <= 0)
        or np.any((excluded < 0) | (excluded >= index.source_count))
    ):
        raise ValueError('the excluded places do not ascend within the source')
    if not (np.isfinite(own).all() and (own > 0).all()):
        raise ValueError('the distances are not all finite and above 0')
    if about.finder != PROTOCOL:
        raise ValueError(
            f'it is made for the finder {about.finder!r}, and this jaxgan has {PROTOCOL!r}: write it anew'
        )
    if features.shape[1] != WIDTH:
        raise ValueError(f'features have {features.shape[1]} bytes, and should have {WIDTH}')
    if about.size < 1 or about.channels not in (1, 3):
        raise ValueError(f'images of {about.size} pixels a side and {about.channels} channels')
    rates = [one.fpr for one in about.thresholds]
    if not rates or len(set(rates)) < len(rates):
        raise ValueError('it has no thresholds, or a rate twice')
    if not all(0 < one.fpr < 1 and one.ratio >= 0 for one in about.thresholds):
        raise ValueError('thresholds must be at least 0, for rates between 0 and 1')
    if not 0 <= about.confidence < 1:
        raise ValueError(f'a confidence of {about.confidence}')
    for one in about.planted:
        if len(one.found) != len(rates) or not all(0 <= share <= 1 for share in one.found):
            raise ValueError('the shares of planted copies are no shares, or not one for each threshold')
    return index
