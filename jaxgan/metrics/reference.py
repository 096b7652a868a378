"""What was seen of real images, kept in the user's cache by its content, so that it is computed once.

A file's name is a digest of everything it depends on: the images and labels, the extractor and its weights, how images were resized and
mirrored. So another copy of a data set finds it, and a changed one does not.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from jaxgan.files import replacing
from jaxgan.metrics.gather import Sample
from jaxgan.metrics.moments import Statistics
from jaxgan.metrics.types import Extractor
from jaxgan.runtime import cache_folder, prune

LIMIT = 4 << 30  # bytes of the cache; the oldest go first
FORMAT = 1


def cached(extractor: Extractor, identity: dict[str, Any], keep: bool, make: Callable[[], Sample]) -> Sample:
    """Return what is known of a set of images, from the cache or made and kept there.

    Args:
        extractor: what the images were seen by.
        identity: the fingerprint, and whatever else the sample depends on; JSON.
        keep: whether features are needed; a file without them is made anew with them.
        make: computes it.

    Returns:
        The sample. Where the cache cannot be written, it is computed each time; a damaged file is replaced.
    """
    seen = {'extractor': extractor.name, 'weights': extractor.digest, 'resize': extractor.resize}
    key = hashlib.sha256(json.dumps([FORMAT, seen, identity], sort_keys=True).encode()).hexdigest()
    try:
        path = cache_folder() / 'statistics' / f'{key[:40]}-cache'
    except RuntimeError:  # no home
        return make()
    found = _read(path)
    if found is not None and (found.features is not None or not keep):
        return found
    made = make()
    with contextlib.suppress(OSError):
        _write(path, made)
        prune(path.parent, LIMIT)
    return made


def _write(path: Path, sample: Sample) -> None:
    arrays: dict[str, Any] = {'count': np.int64(sample.count)}
    if sample.statistics is not None:
        arrays |= {'mean': sample.statistics.mean, 'cov': sample.statistics.cov}
    arrays |= {f'logits/{name}': values for name, values in sample.logits.items()}
    arrays |= {
        name: getattr(sample, name) for name in ('features', 'labels') if getattr(sample, name) is not None
    }
    digest = _digest(arrays)
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **arrays, digest=np.array(digest))


def _read(path: Path) -> Sample | None:
    try:
        with path.open('rb') as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    if str(arrays.pop('digest', '')) != _digest(arrays):
        return None
    count = int(arrays['count'])
    known = Statistics(count, arrays['mean'], arrays['cov']) if 'mean' in arrays else None
    logits = {name.partition('/')[2]: value for name, value in arrays.items() if name.startswith('logits/')}
    return Sample(count, known, arrays.get('features'), logits, arrays.get('labels'))


def _digest(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f'{name} {values.dtype} {values.shape}'.encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
