"""Directions, as files.

FOLDER/directions.json           the model, the space, the method, and of each direction: its name and figures
FOLDER/directions.safetensors    'vectors' [k, D], 'scales' [k], 'center' [D]
FOLDER/NAME.png                  a sheet each, unless there are none
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.directions import Directions
from jaxgan.errors import DamagedError, InputError
from jaxgan.files import replacing
from jaxgan.making.finding import METHODS, Found
from jaxgan.strictjson import read_json

RECORD, TENSORS = 'directions.json', 'directions.safetensors'
FORMAT = 1


def save_directions(folder: str | Path, found: Found, model: str) -> None:
    """Write directions into a folder, beside other files.

    Raises:
        InputError: it cannot be written.
    """
    folder, directions = Path(folder), found.directions
    arrays = {name: getattr(directions, name) for name in ('vectors', 'scales', 'center')}
    data = safetensors.numpy.save(
        {name: np.ascontiguousarray(value, np.float32) for name, value in arrays.items()}
    )
    record = {
        'format_version': FORMAT,
        'model': model,
        'space': directions.space,
        'layers': directions.layers,
        'method': found.method,
        'settings': found.settings,
        'sha256': hashlib.sha256(data).hexdigest(),
        'directions': [
            {'name': name, 'scale': float(scale), **fact}
            for name, scale, fact in zip(directions.names, directions.scales, found.facts, strict=True)
        ],
    }
    text = json.dumps(record, indent=2, allow_nan=False) + '\n'
    try:
        for name, content in ((TENSORS, data), (RECORD, text.encode())):
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f'cannot write {folder}: {error.strerror or error}') from error


def load_directions(folder: str | Path, model: str | None = None) -> Found:
    """Read directions and verify them.

    Args:
        folder: that ``save_directions`` wrote.
        model: the digest of the generator for which they are wanted; None: any.

    Raises:
        InputError: there are none, or they belong to another generator.
        DamagedError: they are not what was written.
    """
    folder = Path(folder)
    if not (folder / RECORD).is_file():
        raise InputError(f'{folder} holds no directions: {RECORD} is missing')
    try:
        record = read_json(folder / RECORD)
        data = (folder / TENSORS).read_bytes()
        if record['format_version'] != FORMAT:
            raise InputError(
                f'{folder} has format_version {record["format_version"]!r}; this jaxgan reads {FORMAT}'
            )
        if hashlib.sha256(data).hexdigest() != record['sha256']:
            raise DamagedError(f'{folder} is damaged: {TENSORS} does not match its SHA-256')
        owner, found = str(record['model']), _found(record, safetensors.numpy.load(data))
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
    if model is not None and owner != model:
        raise InputError(
            f'{folder} has directions of another generator: of {owner[:8]}, and this is {model[:8]}'
        )
    return found


def _found(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> Found:
    facts = [dict(fact) for fact in record['directions']]
    names = tuple(str(fact.pop('name')) for fact in facts)
    vectors, scales, center = (tensors[name] for name in ('vectors', 'scales', 'center'))
    if vectors.shape != (len(names), len(center)) or scales.shape != (len(names),):
        raise ValueError(f'{len(names)} names for vectors {vectors.shape} and scales {scales.shape}')
    if not all(x.dtype == np.float32 and np.isfinite(x).all() for x in (vectors, scales, center)):
        raise ValueError('the vectors are not all finite float32')
    for fact in facts:
        del fact['scale']
    layers = None if record['layers'] is None else tuple(map(int, record['layers']))
    if record['space'] not in ('z', 'w') or record['method'] not in METHODS or len(set(names)) < len(names):
        raise ValueError(f'space {record["space"]!r}, method {record["method"]!r}, or a name twice')
    directions = Directions(record['space'], vectors, scales, center, names, layers)
    return Found(directions, record['method'], tuple(facts), dict(record['settings']))
