"""A run's folder: whether it can hold a run, whose it is, and whether there is room."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan.checkpoints.filetable import check_files
from jaxgan.checkpoints.restore import load_record, newest
from jaxgan.checkpoints.retention import found_steps
from jaxgan.checkpoints.storage import check_path
from jaxgan.config import Config
from jaxgan.configjson import differences, from_dict, read_config, to_json
from jaxgan.errors import InputError, MachineError
from jaxgan.files import is_temporary, or_machine_error, replacing
from jaxgan.generatorfolder import CONFIG
from jaxgan.run.lock import LOCK

PROFILE = 'profile'  # a run's folder may hold it before the run
CHECKPOINTS = 'checkpoints'
BEST = 'best'  # the checkpoint that evaluation found best
AUDIT, REMOVALS = 'audit.json', 'removals.jsonl'  # what commands that look at a run write beside it
SAMPLES = 'samples'
PER_LEAF, PER_CHECKPOINT = 1024, 1 << 16  # bytes of names, digests and folders beside the arrays


def open_run(workdir: Path, config: Config) -> None:
    """Check that a folder can hold this run, before anything is written.

    Raises:
        InputError: the folder holds another run, or other files.
        MachineError: it may not be read.
    """
    check_name(workdir)
    check_path(workdir.absolute())
    with or_machine_error(f'run {workdir} cannot be read'):
        saved = _saved_config(workdir)
        if saved is None:
            if workdir.exists() and not (workdir.is_dir() and all(map(_may_be_there, workdir.iterdir()))):
                raise InputError(f'workdir {workdir} exists and holds no run; give another --workdir')
            return
    changed = differences(saved, config)
    if changed:
        removal = any(text.startswith('data.exclude: ') for text in changed)
        advice = 'jaxgan remove makes a run that has not seen an image, or give' if removal else 'give'
        raise InputError(f'{workdir} holds a run with another configuration ({"; ".join(changed[:3])}); '
                         f'{advice} another --workdir')  # fmt: skip


def check_name(workdir: Path) -> None:
    """Check that a folder of this name could be made.

    Raises:
        InputError: the name has a zero byte or is too long, or what should hold the folder is none.
    """
    if '\0' in str(workdir):
        raise InputError(f'workdir {workdir} has a zero byte in its name')
    if any(len(os.fsencode(part)) > 255 for part in workdir.parts):
        raise InputError(f'workdir {workdir} has a name of more than 255 bytes')
    beyond = next((parent for parent in workdir.parents if parent.exists()), workdir)
    if not beyond.is_dir():
        raise InputError(f'workdir {workdir} cannot be made: {beyond} is no folder')


def remove_left(workdir: Path) -> None:
    """Delete what a kill left of files that were being written; ``open_run`` has agreed, and the lock is held."""
    for folder in (workdir, workdir / SAMPLES):
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            if is_temporary(path.name):
                path.unlink(missing_ok=True)


def write_config(workdir: Path, config: Config, say: Callable[[str], None]) -> None:
    """Write ``config.json``, if it is not there as it should be; ``open_run`` has agreed.

    Raises:
        MachineError: it cannot be written.
    """
    path, text = workdir / CONFIG, to_json(config)
    there = path.read_bytes() if path.exists() else None
    if there == text.encode():
        return
    if (there is None and (workdir / CHECKPOINTS).is_dir()) or (there is not None and _parsed(path) is None):
        say(f'warning: {path} was missing or damaged; it is made anew, as the checkpoints have it')
    with or_machine_error(f'{path} cannot be written'), replacing(path) as temporary:
        temporary.write_text(text, 'utf-8')


def check_there(workdir: Path) -> None:
    """Check that nobody has deleted a run's folder, which would be made anew by the next file.

    Raises:
        MachineError: it is gone.
    """
    if not (workdir / CONFIG).exists():
        raise MachineError(
            f'run {workdir} is gone: its {CONFIG} is no longer there, and nothing can be saved'
        )


def checkpoint_bytes(state: Any) -> int:
    """Estimate what a checkpoint of a state takes on the disk, from its shapes; compression may make it less."""
    leaves = jax.tree.leaves(state)
    return sum(_leaf_bytes(leaf) for leaf in leaves) + PER_LEAF * len(leaves) + PER_CHECKPOINT


def check_start(workdir: Path, state: Any) -> None:
    """Check that there is room for two checkpoints, one of which may be there already.

    Raises:
        MachineError: there is not.
    """
    wanted = 1 if found_steps(workdir / CHECKPOINTS) else 2
    check_room(workdir, wanted * checkpoint_bytes(state), ('a checkpoint', 'two checkpoints')[wanted - 1])


def check_room(folder: Path, need: int, what: str) -> None:
    """Check that a folder's disk has room.

    Raises:
        MachineError: it has not; with what is needed and what is free.
    """
    with or_machine_error(f'the disk of {folder} cannot be asked for its free space'):
        free = shutil.disk_usage(folder).free
    if free < need:
        raise MachineError(f'{folder} has no room for {what}: {_mib(need)} are needed, {_mib(free)} are free')


def _leaf_bytes(leaf: Any) -> int:
    is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return 64 if is_key else int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize


def _mib(count: int) -> str:
    return f'{count / 2**20:,.1f} MiB'


def _may_be_there(path: Path) -> bool:
    return path.name in (PROFILE, LOCK) or is_temporary(path.name)


def _saved_config(workdir: Path) -> Config | None:
    """Read whose run a folder holds: by its configuration, or where that is lost by its newest checkpoint.

    Raises:
        InputError: neither can be read.
    """
    path = workdir / CONFIG
    saved = _parsed(path) if path.exists() else None
    if saved is not None:
        return saved
    try:
        _, config, _ = newest(workdir / CHECKPOINTS, _config_of)
        return from_dict(config)
    except InputError as error:
        if not path.exists():
            return None
        raise InputError(
            f'{path} cannot be read, and no checkpoint says what it was: {_problem(path) or error}'
        ) from None


def _config_of(checkpoint: Path) -> Any:
    record = load_record(checkpoint, f'checkpoint {checkpoint}')
    if record.schema:
        check_files(checkpoint, f'checkpoint {checkpoint}')
    return record.meta.get('config')


def _parsed(path: Path) -> Config | None:
    return None if _problem(path) else read_config(path)


def _problem(path: Path) -> str:
    """Say why a configuration cannot be read; nothing, if it can."""
    try:
        read_config(path)
    except InputError as error:
        return str(error).removeprefix(f'{path} cannot be read: ')
    return ''
