"""The index of a training's images, by which copies of them are found without them: small, and with no image inside.

FILE.safetensors holds 'features' uint8 [n, 288] and 'own' float32 [n], which are those of ``metrics.copies.Index``, 'pixels' uint8
[n, 4] (the first bytes of the SHA-256 of each image's pixels), 'excluded' int32 [k] (places of the source that have no row), and as
metadata what ``About`` lists, with a SHA-256 of all of it.
"""

import dataclasses
import functools
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.configjson import from_dict, to_dict
from jaxgan.data.config import Filter
from jaxgan.data.exclusion import pixel_digest
from jaxgan.data.order import NONE_EXCLUDED
from jaxgan.errors import DamagedError, InputError, unknown
from jaxgan.export import COPY_INDEX
from jaxgan.files import read_bounded, reason, replacing, unwritable
from jaxgan.metrics import copies
from jaxgan.metrics.descriptors import THOROUGH, WIDTH
from jaxgan.strictjson import parse_json

NAME = COPY_INDEX  # in a run's folder, or an export's
FORMAT_VERSION = 1
PROTOCOL = 'jaxgan-copies-1'  # the features and the search of metrics.copies; a change of either is another
PREFIX = 4  # bytes of a digest: with equal features beside them enough
MOST_BYTES = 2**29  # about two million images
MOST_WORDS = 2**16  # bytes of the metadata
RATES = (0.001, 0.01, 0.05)  # of fresh images that count as copies, for which thresholds are set
RATE = 0.01  # the usual one
DTYPES = {
    'features': ('U8', np.uint8),
    'own': ('F32', np.float32),
    'pixels': ('U8', np.uint8),
    'excluded': ('I32', np.int32),
}


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A ratio below which an image counts as a copy, and the share of fresh images that fall below it."""

    fpr: float
    ratio: float


@dataclasses.dataclass(frozen=True)
class About:
    """What an index says of itself."""

    format_version: int
    jaxgan: str
    finder: str
    """Name and version of the features and of the search (``PROTOCOL``)."""
    data: str
    """The data set as others may read it, without folders."""
    split: str
    fingerprint_of: str
    """Whether all bytes of the data entered the fingerprint, or some images (``run.origin``)."""
    fingerprint: str
    size: int
    channels: int
    held_out: str
    """On which images the thresholds were set."""
    held_out_count: int
    thresholds: tuple[Threshold, ...]
    licence: str
    resize: Filter
    """The filter by which the data were resized, and pictures of strangers are."""


@dataclasses.dataclass(frozen=True, eq=False)
class CopyIndex:
    """An index: rows are the training images in the order of their source, but for those that the training excluded."""

    features: np.ndarray
    """uint8 [n, d]."""
    own: np.ndarray
    """float32 [n]."""
    pixels: np.ndarray
    """uint8 [n, 4]."""
    about: About
    excluded: np.ndarray = dataclasses.field(default_factory=lambda: NONE_EXCLUDED)
    """Places of images that the training never saw, int32 [k], ascending."""

    @property
    def count(self) -> int:
        """How many images it describes."""
        return len(self.own)

    @functools.cached_property
    def find(self) -> Callable[..., copies.Found]:
        """``find(images, k=1)``: the search of ``metrics.copies``, thorough; its indices are places in the source."""
        search = search_in(copies.Index(self.features, self.own, np.arange(self.count)))

        def find(images: np.ndarray, k: int = 1) -> copies.Found:
            found = search(images, k)
            return found._replace(indices=self.places[found.indices])

        return find

    @functools.cached_property
    def places(self) -> np.ndarray:
        """The place of each row in the source, [n], ascending."""
        return np.setdiff1d(np.arange(self.source_count), self.excluded)

    @property
    def source_count(self) -> int:
        """How many images the source has, excluded ones as well."""
        return self.count + len(self.excluded)

    def prefix_at(self, place: int) -> bytes:
        """Return the first bytes of the SHA-256 of the pixels of the image at a place."""
        return self.pixels[np.searchsorted(self.places, place)].tobytes()

    @property
    def digest(self) -> str:
        """SHA-256 of tensors and words."""
        return _digest(_words(self.about), _tensors(self))

    @property
    def bytes_per_image(self) -> int:
        """How much of the file an image takes."""
        return sum(array[0].nbytes for array in (self.features, self.own, self.pixels))

    def rate(self, wanted: float | None = None) -> float:
        """Return a false-positive rate for which there is a threshold: the one wanted; None: 0.01, or the nearest to it."""
        known = [one.fpr for one in self.about.thresholds]
        return min(known, key=lambda one: abs(one - RATE)) if wanted is None else wanted

    def threshold(self, fpr: float) -> float:
        """Return the ratio below which so many of fresh images fall.

        Raises:
            InputError: it was not set for this rate.
        """
        known = {one.fpr: one.ratio for one in self.about.thresholds}
        if fpr not in known:
            raise unknown('false-positive rate of the index', f'{fpr:g}', [f'{one:g}' for one in known])
        return known[fpr]


def search_in(index: copies.Index) -> Callable[..., copies.Found]:
    """Prepare the search that indexes are made for, and their thresholds set with."""
    return copies.make_finder(index, THOROUGH)


def prefix(pixels: np.ndarray) -> bytes:
    """Return the first bytes of the SHA-256 of an image's pixels, uint8 [h, w, c]."""
    return bytes.fromhex(pixel_digest(pixels))[:PREFIX]


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
    return safetensors.numpy.save(_tensors(index), metadata)


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
            raise _Newer(f'{name} has format_version {version}; this jaxgan reads {FORMAT_VERSION}')
        about = from_dict(found, About, 'about')
        if _digest(_words(about), tensors) != words['sha256']:
            raise ValueError('it does not match its SHA-256')
        return _checked(CopyIndex(**tensors, about=about))
    except _Newer:
        raise
    except (ValueError, LookupError, TypeError, safetensors.SafetensorError) as error:
        raise DamagedError(f'{name} is no index of images, or damaged: {reason(error)}') from None


class _Newer(InputError):
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
    return index


def _tensors(index: CopyIndex) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(index, name), order='C') for name in DTYPES}


def _words(about: About) -> bytes:
    return json.dumps(to_dict(about), sort_keys=True, allow_nan=False).encode()


def _digest(words: bytes, tensors: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(words + b'\0' + safetensors.numpy.save(tensors)).hexdigest()
