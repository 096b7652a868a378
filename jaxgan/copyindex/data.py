"""The data of which an index is, opened again, and proved to be those."""

from pathlib import Path
from typing import Any

from jaxgan.configjson import from_dict
from jaxgan.copyindex.index import About
from jaxgan.data import DataConfig, ImageSource, open_source
from jaxgan.errors import InputError
from jaxgan.export import CARD
from jaxgan.generatorfolder import CONFIG, kind_of
from jaxgan.run.rundata import look
from jaxgan.strictjson import read_json


def open_indexed_data(
    folder: Path, about: About, name: str | None = None, data_dir: str | None = None
) -> ImageSource:
    """Open the data that an index describes.

    Args:
        folder: of the run or the export beside which the index lies, whose configuration names the data.
        about: what the index says of them.
        name: where the data lie now; None: where they lay in training.
        data_dir: where TFDS data sets lie now.

    Raises:
        InputError: nothing says where they are, they are not here, or they are others.
    """
    config = _config_beside(folder)
    if config is None and name is None:
        raise InputError(f'nothing beside {folder} says where the data lie: give --data')
    changes = {field: value for field, value in (('name', name), ('data_dir', data_dir)) if value is not None}
    like = {'name': '', 'split': about.split, 'size': about.size, 'resize': about.resize}
    chosen = from_dict({**(like if config is None else config), **changes}, DataConfig, f'{folder}: data')
    source = open_source(chosen)
    if look(source, about.fingerprint_of)['sha256'] != about.fingerprint:
        raise InputError(f'{chosen.name}, split {chosen.split}, holds other data than the index was made of')
    return source


def _config_beside(folder: Path) -> dict[str, Any] | None:
    """Read how the data were opened: from a run's configuration, or an export's card."""
    kind = kind_of(folder)
    if not kind:
        return None
    found = read_json(folder / (CONFIG if kind == 'run' else CARD))
    for part in ('data',) if kind == 'run' else ('data', 'config'):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None
