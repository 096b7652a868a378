"""Real images to compare with: which of a source, as a person would see them, and what an extractor sees of them."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator

import numpy as np

from jaxgan.data import ImageSource, read_many, shuffled_index
from jaxgan.data.fingerprint import fingerprint
from jaxgan.data.order import NONE_EXCLUDED
from jaxgan.errors import InputError
from jaxgan.images import to_uint8
from jaxgan.metrics.gather import Batch, Sample, gather
from jaxgan.metrics.reference import cached
from jaxgan.metrics.types import Extractor

BATCH = 64  # images that an extractor sees at once


@dataclasses.dataclass(frozen=True, eq=False)
class Reals:
    """Real images to compare with."""

    source: ImageSource
    count: int | None = None
    """How many, chosen by a fixed permutation; None: all."""
    flip: bool = False
    """Count each mirrored, too."""
    excluded: np.ndarray = dataclasses.field(default_factory=lambda: NONE_EXCLUDED)
    """Images that do not count, as ``data.exclusion`` finds them."""

    @functools.cached_property
    def fingerprint(self) -> str:
        """A SHA-256 of the source's images and labels (``data.fingerprint``), and of which of them do not count."""
        found = fingerprint(self.source)
        if not len(self.excluded):
            return found
        return hashlib.sha256(json.dumps([found, self.excluded.tolist()]).encode()).hexdigest()


class Sightings:
    """What an extractor sees of real images: looked at once, and from the cache where it is there."""

    def __init__(self, extractor: Extractor, keep: bool) -> None:
        self._extractor, self._keep = extractor, keep
        self._seen: dict[Reals, Sample] = {}

    def of(self, reals: Reals) -> Sample:
        """Look at real images."""
        if reals not in self._seen:
            identity = {'images': reals.fingerprint, 'count': reals.count, 'flip': reals.flip}
            self._seen[reals] = cached(
                self._extractor,
                identity,
                self._keep,
                lambda: gather(self._extractor, _real(reals), BATCH, self._keep),
            )
        return self._seen[reals]


def order(reals: Reals) -> np.ndarray:
    """List the places of the real images that count: all, or the first so many of a fixed permutation."""
    total = len(reals.source) - len(reals.excluded)
    if reals.count is None:
        return np.setdiff1d(np.arange(len(reals.source)), reals.excluded)
    if not 2 <= reals.count <= total:
        raise InputError(
            f'{reals.count} images of {reals.source.info.name} (allowed: 2 to {total}, which it has)'
        )
    # so many more as may fall on those that do not count
    places = np.arange(reals.count + len(reals.excluded))
    found = np.asarray(shuffled_index(0, places, len(reals.source)))
    return found[~np.isin(found, reals.excluded)][: reals.count]


def read_bytes(source: ImageSource, places: np.ndarray) -> Batch:
    """Read real images as a person would see them, uint8 [n, H, W, C], and their labels."""
    samples = read_many(source, places.tolist())
    pixels = np.stack([sample['image'] for sample in samples])
    labels = np.array([sample['label'] for sample in samples]) if source.info.classes else None
    return pixels if pixels.dtype == np.uint8 else to_uint8(pixels), labels


def _real(reals: Reals) -> Iterator[Batch]:
    places = order(reals)
    for i in range(0, len(places), BATCH):
        pixels, labels = read_bytes(reals.source, places[i : i + BATCH])
        yield pixels, labels
        if reals.flip:
            yield pixels[:, :, ::-1], labels
