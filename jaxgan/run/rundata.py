"""The data of a run, opened again, and proved to be those on which it was trained."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.checkpoints.restore import read_meta
from jaxgan.configjson import read_config
from jaxgan.data import DataConfig, ImageSource, open_source, read_all
from jaxgan.data.exclusion import excluded_images
from jaxgan.data.fingerprint import fingerprint_arrays, glance
from jaxgan.errors import InputError
from jaxgan.generatorfolder import CONFIG
from jaxgan.run.rundir import CHECKPOINTS


class RunData(NamedTuple):
    """The data of a training."""

    config: DataConfig
    source: ImageSource
    fingerprint: dict[str, str]
    """'of': all or some of the images; 'sha256'; as a checkpoint has it."""
    excluded: np.ndarray
    """Images that the training does not see, as ``data.exclusion`` finds them."""


def open_run_data(run: Path, name: str | None = None, data_dir: str | None = None) -> RunData:
    """Open the data of a run, and compare their fingerprint with that of its newest checkpoint.

    Args:
        run: its folder.
        name: where the data lie now, as ``data.name`` says it; None: where they lay.
        data_dir: where TFDS data sets lie now.

    Raises:
        InputError: the folder is no run, the data are not here, or they are others.
    """
    meta = read_run(run)
    changes = {field: value for field, value in (('name', name), ('data_dir', data_dir)) if value is not None}
    config = dataclasses.replace(read_config(run / CONFIG).data, **changes)
    source = open_source(config)
    there = fingerprint_of(meta)
    found = look(source, there['of'])
    if there['sha256'] not in ('', found['sha256']):
        raise InputError(
            f'{config.name}, split {config.split}, holds other data than {run} was trained on: bring those back'
        )
    return RunData(config, source, found, excluded_images(source, config.exclude))


def read_run(run: Path) -> dict[str, Any]:
    """Read what stands beside the newest checkpoint of a run.

    Raises:
        InputError: the folder is no run.
    """
    if not (run / CONFIG).exists():
        kind = 'is no run' if run.exists() else 'does not exist'
        raise InputError(f'{run} {kind} (a run has config.json)')
    return read_meta(run / CHECKPOINTS)[1].meta


def fingerprint_of(meta: dict[str, Any]) -> dict[str, str]:
    """Return the fingerprint of a checkpoint's data; older ones have none: its 'sha256' is empty."""
    found = meta.get('fingerprint')
    found = found if isinstance(found, dict) else {}
    return {'of': str(found.get('of', 'all')), 'sha256': str(found.get('sha256', ''))}


def look(source: ImageSource, of: str) -> dict[str, str]:
    """Compute a fingerprint as ``run.origin.look`` does in training."""
    found = fingerprint_arrays(read_all(source)) if of == 'all' else glance(source)
    return {'of': of, 'sha256': found}
