"""Directions, as files.

FOLDER/directions.json           the model, the space, the method, and of each direction: its name and figures
FOLDER/directions.safetensors    'vectors' [k, D], 'scales' [k], 'center' [D]
FOLDER/NAME.png                  a sheet each, unless there are none
"""

from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.directions import Directions
from jaxgan.making.finding import METHODS, Found
from jaxgan.making.records import load_record, save_record

RECORD, TENSORS = FILES = 'directions.json', 'directions.safetensors'


def save_directions(folder: str | Path, found: Found, model: str) -> None:
    """Write directions into a folder, beside other files.

    Raises:
        InputError: it cannot be written.
    """
    directions = found.directions
    arrays = {
        name: np.asarray(getattr(directions, name), np.float32) for name in ('vectors', 'scales', 'center')
    }
    record = {
        'model': model,
        'space': directions.space,
        'layers': directions.layers,
        'method': found.method,
        'settings': found.settings,
        'directions': [
            {'name': name, 'scale': float(scale), **fact}
            for name, scale, fact in zip(directions.names, directions.scales, found.facts, strict=True)
        ],
    }
    save_record(Path(folder), FILES, record, arrays)


def load_directions(folder: str | Path, model: str | None = None) -> Found:
    """Read directions and verify them.

    Args:
        folder: that ``save_directions`` wrote.
        model: the digest of the generator for which they are wanted; None: any.

    Raises:
        InputError: there are none, or they belong to another generator.
        DamagedError: they are not what was written.
    """
    return load_record(Path(folder), FILES, 'directions', _found, model)


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
    if not names:
        raise ValueError('there is no direction')
    layers = None if record['layers'] is None else tuple(map(int, record['layers']))
    if record['space'] not in ('z', 'w') or record['method'] not in METHODS or len(set(names)) < len(names):
        raise ValueError(f'space {record["space"]!r}, method {record["method"]!r}, or a name twice')
    directions = Directions(record['space'], vectors, scales, center, names, layers)
    return Found(directions, record['method'], tuple(facts), dict(record['settings']))
