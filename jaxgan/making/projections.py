"""Places in a generator's space, as files: what ``project`` found, and what ``vary``, ``interpolate`` and ``edit`` start from.

FOLDER/projections.json          the model, the space, and of each image: its file, SHA-256, label, figures
FOLDER/codes.safetensors         'codes' [n, ...], 'noise/LAYER' [n, h, w] where there is any, 'patch/...' of a tuned generator
"""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.errors import DamagedError, InputError
from jaxgan.files import replacing
from jaxgan.spaces import NAMES
from jaxgan.strictjson import read_json

RECORD, CODES = 'projections.json', 'codes.safetensors'
FORMAT = 1


class Places(NamedTuple):
    """Codes of images in one space of one generator."""

    space: str
    """'z', 'w' or 'w+'."""
    codes: np.ndarray
    """float32 [n, ...]."""
    names: tuple[str, ...]
    """A name each, good for a file's: 'seed17', or that of the picture's file."""
    labels: np.ndarray | None
    """int32 [n], of a conditional generator."""
    model: str
    """SHA-256 of the generator's weights (``Generator.digest``)."""
    origins: tuple[dict[str, Any], ...]
    """JSON objects: where each comes from ('seed', or 'file', 'source' (its SHA-256) and 'rights'), and its figures ('psnr', ...)."""
    noise: dict[str, np.ndarray] | None = None
    """Noise maps by layer, [n, h, w] each, where they were fitted, too."""
    patch: dict[str, np.ndarray] | None = None
    """What is added to the generator's parameters ('params/...', as exports name them) if it was tuned."""


def save_places(folder: str | Path, places: Places) -> None:
    """Write places into a folder, beside other files.

    Raises:
        InputError: it cannot be written.
    """
    folder = Path(folder)
    tensors = {'codes': np.ascontiguousarray(places.codes, np.float32)}
    tensors |= {f'noise/{name}': np.ascontiguousarray(value) for name, value in (places.noise or {}).items()}
    tensors |= {f'patch/{name}': np.ascontiguousarray(value) for name, value in (places.patch or {}).items()}
    data = safetensors.numpy.save(tensors)
    record = {
        'format_version': FORMAT,
        'model': places.model,
        'space': places.space,
        'sha256': hashlib.sha256(data).hexdigest(),
        'images': [
            {'name': name, 'label': None if places.labels is None else int(places.labels[i]), **origin}
            for i, (name, origin) in enumerate(zip(places.names, places.origins, strict=True))
        ],
    }
    text = json.dumps(record, indent=2, allow_nan=False) + '\n'
    try:
        for name, content in ((CODES, data), (RECORD, text.encode())):
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f'cannot write {folder}: {error.strerror or error}') from error


def load_places(folder: str | Path, model: str | None = None) -> Places:
    """Read places and verify them.

    Args:
        folder: that ``save_places`` wrote.
        model: the digest of the generator for which they are wanted; None: any.

    Raises:
        InputError: there are none, or they belong to another generator.
        DamagedError: they are not what was written.
    """
    folder = Path(folder)
    if not (folder / RECORD).is_file():
        raise InputError(f'{folder} holds no projections: {RECORD} is missing')
    try:
        record = read_json(folder / RECORD)
        data = (folder / CODES).read_bytes()
        if record['format_version'] != FORMAT:
            raise InputError(
                f'{folder} has format_version {record["format_version"]!r}; this jaxgan reads {FORMAT}'
            )
        if hashlib.sha256(data).hexdigest() != record['sha256']:
            raise DamagedError(f'{folder} is damaged: {CODES} does not match its SHA-256')
        found = _places(record, safetensors.numpy.load(data))
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        safetensors.SafetensorError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise DamagedError(
            f'{folder} is damaged: {type(error).__name__}: {str(error).splitlines()[0]}'
        ) from None
    if model is not None and found.model != model:
        raise InputError(
            f'{folder} has projections of another generator: of {found.model[:8]}, and this is {model[:8]}'
        )
    return found


def take(places: Places, indices: Sequence[int]) -> Places:
    """Take some places, in this order; the same one may come again."""
    rows = np.asarray(indices, np.intp)
    return places._replace(
        codes=places.codes[rows],
        names=tuple(places.names[i] for i in indices),
        labels=None if places.labels is None else places.labels[rows],
        origins=tuple(places.origins[i] for i in indices),
        noise=None if places.noise is None else {name: maps[rows] for name, maps in places.noise.items()},
    )


def _places(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> Places:
    images = [dict(image) for image in record['images']]
    codes = tensors['codes']
    if len(codes) != len(images) or not np.isfinite(codes).all():
        raise ValueError(f'{len(codes)} codes for {len(images)} images, or not all finite')
    labels = [image.pop('label') for image in images]
    names = tuple(str(image.pop('name')) for image in images)

    def part(prefix: str) -> dict[str, np.ndarray] | None:
        found = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
        return found or None

    if record['space'] not in NAMES or not re.fullmatch('[0-9a-f]{64}', record['model']):
        raise ValueError(f'space {record["space"]!r} or model {record["model"]!r} is none')
    known = None if None in labels else np.asarray(labels, np.int32)
    return Places(
        record['space'], codes, names, known, record['model'], tuple(images), part('noise/'), part('patch/')
    )
