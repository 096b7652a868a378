"""The index of a training's images, by which copies of them are found without them: small, and with no image inside.

FILE.safetensors holds 'features' uint8 [n, 288] and 'own' float32 [n], which are those of ``metrics.copies.Index``, 'pixels' uint8
[n, 4] (the first bytes of the SHA-256 of each image's pixels), 'excluded' int32 [k] (places of the source that have no row), and as
metadata what ``About`` lists, with a SHA-256 of all of it.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable

import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.configjson import to_dict
from jaxgan.data.config import Filter
from jaxgan.data.exclusion import pixel_digest
from jaxgan.data.order import NONE_EXCLUDED
from jaxgan.errors import unknown
from jaxgan.export import COPY_INDEX
from jaxgan.metrics import copies
from jaxgan.metrics.copyscreen import Below, Screen, joined
from jaxgan.metrics.descriptors import THOROUGH

NAME = COPY_INDEX  # in a run's folder, or an export's
FORMAT_VERSION = 2
PROTOCOL = 'jaxgan-copies-2'  # the features and the search of metrics.copies; a change of either is another
PREFIX = 4  # bytes of a digest: with equal features beside them enough
RATES = (0.001, 0.01, 0.05)  # of fresh images that count as copies, for which thresholds are set
EXACT = 1e-5  # ratios of exact copies, but for rounding
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
class Planted:
    """How many of some training images are found once they are changed."""

    change: str
    found: tuple[float, ...]
    """The share below each of the thresholds, in their order."""


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
    confidence: float = 0.0
    """With which the rates of the thresholds are kept, whatever images were held out; 0: on average."""
    planted: tuple[Planted, ...] = ()
    """By which changes copies are still told from other images of this set."""


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
        search = search_in(self._searched)

        def find(images: np.ndarray, k: int = 1) -> copies.Found:
            found = search(images, k)
            return found._replace(indices=self.places[found.indices])

        return find

    def screen(self, limit: float) -> Callable[[np.ndarray], Below]:
        """Prepare ``screen(images)``: which are below a ratio, of all training images (``metrics.copyscreen``).

        Exact copies (at 0) are, whatever the limit. Indices are places in the source.
        """
        screen = Screen(self._searched, max(limit, EXACT))

        def below(images: np.ndarray) -> Below:
            found = screen(images)
            return found._replace(indices=np.where(found.indices < 0, -1, self.places[found.indices]))

        return below

    def find_with(
        self, screen: Callable[[np.ndarray], Below], images: np.ndarray, k: int = 1
    ) -> copies.Found:
        """Find as ``find`` does; what a screen finds nearer comes first."""
        return joined(self.find(images, k), screen(images))

    @property
    def _searched(self) -> copies.Index:
        return copies.Index(self.features, self.own, np.arange(self.count))

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
        return digest_of(words_of(self.about), tensors_of(self))

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
        return self.about.thresholds[self.place(fpr)].ratio

    def place(self, fpr: float) -> int:
        """Return the place of a rate among the thresholds.

        Raises:
            InputError: there is none for this rate.
        """
        known = [one.fpr for one in self.about.thresholds]
        if fpr not in known:
            raise unknown('false-positive rate of the index', f'{fpr:g}', [f'{one:g}' for one in known])
        return known.index(fpr)


def search_in(index: copies.Index) -> Callable[..., copies.Found]:
    """Prepare the search that indexes are made for, and their thresholds set with."""
    return copies.make_finder(index, THOROUGH)


def prefix(pixels: np.ndarray) -> bytes:
    """Return the first bytes of the SHA-256 of an image's pixels, uint8 [h, w, c]."""
    return bytes.fromhex(pixel_digest(pixels))[:PREFIX]


def tensors_of(index: CopyIndex) -> dict[str, np.ndarray]:
    """List the tensors of an index by their names in its file."""
    return {name: np.asarray(getattr(index, name), order='C') for name in DTYPES}


def words_of(about: About) -> bytes:
    """Write what an index says of itself, to be digested."""
    return json.dumps(to_dict(about), sort_keys=True, allow_nan=False).encode()


def digest_of(words: bytes, tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of words and tensors."""
    return hashlib.sha256(words + b'\0' + safetensors.numpy.save(tensors)).hexdigest()
