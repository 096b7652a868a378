"""Who holds the rights in training images, as the data manifest of a run says it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxgan.errors import InputError
from jaxgan.files import reason
from jaxgan.provenance.copyindex import About
from jaxgan.strictjson import parse_json

MANIFEST = 'data_manifest.jsonl'
NOT_STATED = 'not stated'
FIELDS = ('name', 'licence', 'creator', 'source')


class Rights(NamedTuple):
    """What is known of a training image."""

    name: str = NOT_STATED
    licence: str = NOT_STATED
    creator: str = NOT_STATED
    source: str = NOT_STATED


def rights_of(folder: Path, places: Sequence[int], about: About) -> dict[int, Rights]:
    """Look training images up in the manifest beside a run; without one the licence is that of the whole data set.

    Args:
        folder: a run's, or an export's.
        places: of the images in their source.
        about: what the index says of the data.

    Raises:
        InputError: the manifest cannot be read.
    """
    licence = about.licence
    whole = Rights(licence=licence if licence == NOT_STATED else f'{licence} (the whole data set)')
    found = dict.fromkeys(places, whole)
    path = folder / MANIFEST
    if not path.is_file():
        return found
    wanted = set(places)
    try:
        with path.open('rb') as file:
            for number, line in enumerate(file, 1):
                entry = parse_json(line, f'{path}, line {number}')
                if isinstance(entry, dict) and type(entry.get('index')) is int and entry['index'] in wanted:
                    found[entry['index']] = Rights(**{name: _text(entry.get(name)) for name in FIELDS})
    except OSError as error:
        raise InputError(f'{path} cannot be read: {reason(error)}') from None
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.strip() else NOT_STATED
