"""Reading checkpoints back: verified, and an older one where the newest is damaged."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from jaxgan.checkpoints import storage
from jaxgan.checkpoints.filetable import check_files
from jaxgan.checkpoints.manifest import RECORD, Record, check_fit, differing, read_record, verify
from jaxgan.checkpoints.retention import found_steps
from jaxgan.errors import DamagedError, InputError, MachineError
from jaxgan.files import or_machine_error, reason
from jaxgan.state import GanState

T = TypeVar('T')


def warn(text: str) -> None:
    """Print a warning."""
    print(f'warning: {text}', file=sys.stderr, flush=True)


def restore_state(path: Path, like: Any) -> tuple[GanState, dict]:
    """Read one checkpoint, verified; see ``Checkpoints.restore``."""
    name, like, complete = f'checkpoint {path}', stored(like), like
    with or_machine_error(f'{name} cannot be read'):
        record = load_record(path, name)
        check_fit(record.leaves, like, name)
        if record.schema:
            check_whole(path, record, name)
    try:
        state = storage.read_state(path, like)
    except storage.StorageError as error:
        kind = (
            InputError if record.schema else DamagedError
        )  # its files are what was written, or nobody knows
        raise kind(f'{name} is damaged or incomplete (Orbax: {error})') from None
    verify(state, record.leaves, name)
    return _healthy(state, complete), record.meta


def stored(state: Any) -> Any:
    """Return what a checkpoint holds of a state: all but its ``fault``, for only healthy states are saved."""
    if not isinstance(state, GanState):
        return state
    return {name: value for name, value in vars(state).items() if name != 'fault'}


def _healthy(state: Any, like: Any) -> Any:
    if not isinstance(like, GanState):
        return state
    return GanState(**state, fault=jax.device_put(np.int32(0), getattr(like.fault, 'sharding', None)))


def check_whole(path: Path, record: Record, name: str) -> None:
    """Check a checkpoint's files, and name the leaves that suffer from one that is not what was written.

    Raises:
        DamagedError: names the file, and leaves if they can be told.
    """
    try:
        check_files(path, name)
    except DamagedError as error:
        try:
            wrong = differing(storage.read_arrays(path), record.leaves)
        except (storage.StorageError, ValueError):
            wrong = []
        if not wrong:
            raise
        more = f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''
        raise DamagedError(f'{error} (leaf {wrong[0]}{more})') from None


def restore_average(
    folder: str | Path, step: int | None = None, say: Callable[[str], None] = warn
) -> tuple[Any, Any, int, dict]:
    """Read only the averaged generator, without the networks or the optimizers that made it.

    It only reads: a run may go on saving into the folder.

    Args:
        folder: as ``Checkpoints`` takes it.
        step: which checkpoint; the newest whose average is whole by default.
        say: is told what is wrong with a checkpoint that is passed over.

    Returns:
        ``(params, aux, step, meta)``; params and aux are nested dicts of NumPy arrays.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    return _read(folder, step, say, lambda path: _restore_player(path, 'g_ema'))


def restore_discriminator(folder: str | Path, step: int) -> tuple[Any, Any]:
    """Read only the discriminator of a checkpoint.

    Returns:
        ``(params, aux)``, nested dicts of NumPy arrays.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    return _read(folder, step, warn, lambda path: _restore_player(path, 'd'))[:2]


def _restore_player(path: Path, part: str) -> tuple[Any, Any, int, dict]:
    name = f'checkpoint {path}'
    record = load_record(path, name)
    try:
        arrays = storage.read_arrays(path, part)
    except storage.StorageError as error:
        raise DamagedError(f'{name} is damaged or incomplete (Orbax: {error})') from None
    manifest = {leaf: entry for leaf, entry in record.leaves.items() if leaf.startswith(f'{part}/')}
    check_fit(manifest, arrays, name)
    verify(arrays, manifest, name)
    return arrays[part]['params'], arrays[part].get('aux', {}), int(path.name), record.meta


def read_meta(
    folder: str | Path, step: int | None = None, say: Callable[[str], None] = warn
) -> tuple[int, Record]:
    """Read what stands beside a checkpoint, without its arrays; arguments and errors are those of ``restore_average``."""
    return _read(folder, step, say, lambda path: (int(path.name), load_record(path, f'checkpoint {path}')))


def _read(folder: str | Path, step: int | None, say: Callable[[str], None], read: Callable[[Path], T]) -> T:
    folder = Path(folder).absolute()
    if step is not None:
        choose_step(folder, step)
        return read(folder / str(step))
    found, result, damaged = newest(folder, read)
    for _, error in damaged:
        say(f'{error}; taking {found}')
    return result


def newest(folder: Path, read: Callable[[Path], T]) -> tuple[int, T, list[tuple[int, DamagedError]]]:
    """Read the newest checkpoint that is not damaged.

    Returns:
        Its step, what ``read`` made of it, and newer ones with what is wrong with each.

    Raises:
        DamagedError: all are damaged.
        InputError: there is none.
    """
    choose_step(folder, None)
    damaged: dict[int, DamagedError] = {}
    while steps := [step for step in found_steps(folder) if step not in damaged]:  # a run may go on saving
        try:
            return steps[-1], read(folder / str(steps[-1])), _still_there(folder, damaged)
        except DamagedError as error:
            damaged[steps[-1]] = error
    first, *others = damaged.values()
    raise DamagedError(f'{first}{f"; so are the {len(others)} older ones" if others else ""}')


def _still_there(folder: Path, damaged: dict[int, DamagedError]) -> list[tuple[int, DamagedError]]:
    """Leave out those that a run has deleted while they were read."""
    return [(step, error) for step, error in damaged.items() if (folder / str(step)).is_dir()]


def choose_step(folder: Path, step: int | None) -> int:
    """Return ``step``, or the newest, if it is there.

    Raises:
        InputError: it is not there, or there are none.
    """
    steps = found_steps(folder)
    if not steps:
        raise InputError(f'no checkpoint in {folder}')
    if step is not None and step not in steps:
        raise InputError(f'no checkpoint {step} in {folder} (there are: {", ".join(map(str, steps))})')
    return steps[-1] if step is None else step


def load_record(path: Path, name: str) -> Record:
    """Read the record of a checkpoint.

    Raises:
        DamagedError: it is not what was written.
        InputError: a newer jaxgan wrote it.
        MachineError: it may not be read.
    """
    try:
        text = (path / storage.META / RECORD).read_text('utf-8')
    except PermissionError as error:
        raise MachineError(f'{name} cannot be read: {reason(error)}') from None
    except (OSError, ValueError) as error:
        what = 'is missing' if isinstance(error, FileNotFoundError) else f'cannot be read ({reason(error)})'
        raise DamagedError(f'{name} is damaged: its {RECORD} {what}') from None
    return read_record(text, name)
