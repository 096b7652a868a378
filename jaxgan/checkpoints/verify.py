"""``jaxgan verify-checkpoint``: is everything that a run, or an export, holds what was written?"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan.checkpoints import storage
from jaxgan.checkpoints.manifest import named_leaves, verify
from jaxgan.checkpoints.restore import check_whole, choose_step, load_record
from jaxgan.checkpoints.retention import found_steps
from jaxgan.errors import DamagedError, InputError, UnverifiedError
from jaxgan.export import load_export
from jaxgan.files import or_machine_error
from jaxgan.generatorfolder import kind_of
from jaxgan.run.rundir import BEST, CHECKPOINTS


class Finding(NamedTuple):
    """What was found of a checkpoint or an export."""

    path: Path
    about: str  # what is in it
    wrong: str  # nothing: it is what was written

    def __str__(self) -> str:
        return f'{self.path}: {self.wrong or f"{self.about}; verified"}'


def verify_command(run: str, step: int | None) -> int:
    """Verify every checkpoint of a run, or one, or an export, and print a line for each.

    Raises:
        UnverifiedError: something is damaged.
        InputError: there is nothing to verify.
    """
    path = Path(run)
    if kind_of(path) == 'export':
        if step is not None:
            raise InputError(f'{path} is an export: it has no checkpoint {step}')
        found = [verify_export(path)]
        print(found[0])
    else:
        found = []
        for checkpoint in _checkpoints(path, step):
            found.append(verify_checkpoint(checkpoint))
            print(found[-1], flush=True)
    damaged = [str(one.path) for one in found if one.wrong]
    if damaged:
        raise UnverifiedError(f'{len(damaged)} of {len(found)} verified are damaged: {", ".join(damaged)}')
    return 0


def verify_checkpoint(path: Path) -> Finding:
    """Compare all files and all leaves of a checkpoint with their digests.

    Raises:
        InputError: a newer jaxgan wrote it.
        MachineError: it may not be read.
    """
    path = path.absolute()
    name = f'checkpoint {path}'
    try:
        with or_machine_error(f'{name} cannot be read'):
            record = load_record(path, name)
            if record.schema:
                check_whole(path, record, name)
        arrays = storage.read_arrays(path)
        verify(arrays, record.leaves, name)
        missing = sorted(set(record.leaves) - set(named_leaves(arrays)))
        if missing:
            raise DamagedError(f'{name} is damaged: {missing[0]} is missing')
    except DamagedError as error:
        return Finding(path, '', str(error).removeprefix(f'{name} is '))
    except storage.StorageError as error:
        return Finding(path, '', f'damaged: it cannot be restored (Orbax: {error})')
    size = sum(np.asarray(value).nbytes for value in named_leaves(arrays).values())
    seen = record.meta.get('images_seen')
    seen = f'{seen:,} images seen, ' if isinstance(seen, int) else ''
    digests = '' if record.schema else ', of an older jaxgan that lists no files'
    return Finding(path, f'{seen}{len(record.leaves)} leaves, {size:,} bytes{digests}', '')


def verify_export(path: Path) -> Finding:
    """Compare an export's tensors with their digest and their list.

    Raises:
        InputError: its format is another.
    """
    try:
        found = load_export(path)
    except DamagedError as error:
        return Finding(path, '', str(error).removeprefix(f'export {path.absolute()} is '))
    leaves = named_leaves({'params': found.params, 'aux': found.aux})
    return Finding(path, f'{len(leaves)} leaves, {sum(leaf.nbytes for leaf in leaves.values()):,} bytes', '')


def _checkpoints(path: Path, step: int | None) -> Iterator[Path]:
    """List the checkpoints of a run, those in ``best/`` included, or of a folder of checkpoints.

    Raises:
        InputError: there are none, or not this one.
    """
    if not path.exists():
        raise InputError(f'{path} does not exist')
    is_run = (path / CHECKPOINTS).is_dir()
    folder = path / CHECKPOINTS if is_run else path
    if not found_steps(folder):
        raise InputError(f'{path} holds no checkpoints, and no export')
    if step is not None:
        yield folder / str(choose_step(folder, step))
        return
    yield from (folder / str(found) for found in found_steps(folder))
    if is_run:
        yield from (path / BEST / str(found) for found in found_steps(path / BEST))
