"""Fingerprints of data sets: a SHA-256 by which one is told from another, whatever it is called and wherever it lies."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxgan.data.source import ImageSource, read_many

WHOLE = 256 << 20  # bytes of images up to which a fingerprint reads all
PROBED, PART = 4_096, 256  # images that it reads of a larger set, and at once
GLANCED = 256  # images of a set that is not read as a whole


def fingerprint(source: ImageSource) -> str:
    """Compute a SHA-256 of a set of images: their number, size, channels, resizing, labels, and the images.

    All images enter up to 256 MiB of pixels, of larger sets 4,096, evenly spread: a change of few of the others is not seen. A
    data set's name and place do not enter, so that a copy has the same.
    """
    info = source.info
    digest = _begin(source)
    digest.update(np.ascontiguousarray(source.labels(), np.int32).tobytes())
    whole = len(source) * info.size**2 * info.channels <= WHOLE
    for sample in _probe(source, len(source) if whole else PROBED):
        digest.update(np.ascontiguousarray(sample['image']).tobytes())
    return digest.hexdigest()


def glance(source: ImageSource) -> str:
    """Compute a SHA-256 of 256 images of a set, evenly spread, and their labels: for sets too large to be read as a whole."""
    digest = _begin(source)
    for sample in _probe(source, GLANCED):
        for _, value in sorted(sample.items()):
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def fingerprint_arrays(arrays: Mapping[str, Any]) -> str:
    """Compute a SHA-256 of arrays: of their names, their forms and all of their bytes."""
    digest = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        digest.update(json.dumps([name, str(values.dtype), list(values.shape)]).encode())
        digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _begin(source: ImageSource) -> Any:
    info = source.info
    return hashlib.sha256(json.dumps([len(source), info.size, info.channels, info.resize]).encode())


def _probe(source: ImageSource, most: int) -> Iterator[dict[str, Any]]:
    """Read at most so many images, evenly spread."""
    places = np.unique(np.linspace(0, len(source) - 1, min(most, len(source))).astype(int))
    for i in range(0, len(places), PART):
        yield from read_many(source, places[i : i + PART].tolist())
