"""Checkpoints: the whole state of a run, written while training goes on, and verified when it is read.

Orbax writes the arrays. Beside them lie a record, with a SHA-256 of each leaf and of itself, and a table of all files
with theirs. A checkpoint gets its name only when it is whole, on the disk, and has been read back; before that it is
``STEP.saving``, and older ones are deleted after that only. Nothing that does not match is handed out: where the
newest is damaged, the newest that is whole takes its place.
"""

import concurrent.futures
import contextlib
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from jaxgan.checkpoints import retention, storage
from jaxgan.checkpoints.filetable import check_files, write_table
from jaxgan.checkpoints.manifest import check_finite, leaves_on_host, make_record, verify
from jaxgan.checkpoints.restore import choose_step, load_record, newest, restore_state, stored, warn
from jaxgan.errors import DamagedError, Failure, InputError, MachineError
from jaxgan.files import or_machine_error, reason, sync, sync_tree
from jaxgan.state import GanState


class Checkpoints:
    """The checkpoints of one run; a context manager that waits for the last save on exit.

    One process at a time may write to a folder: of several processes of a training the first one, which holds the arrays.
    """

    def __init__(
        self,
        folder: str | Path,
        keep: int = 3,
        stretch: Callable[[int], int] = lambda step: 0,
        say: Callable[[str], None] = warn,
    ):
        """Open a folder, make it where it does not exist, and remove what a killed save left.

        Args:
            folder: holds one folder a step.
            keep: the newest so many checkpoints stay; at least 1.
            stretch: the number of the stretch in which a step lies, whose first checkpoint stays for good; 0: none does.
            say: is told what is wrong with a checkpoint that is passed over.

        Raises:
            InputError: Orbax could not read from the folder.
            MachineError: the folder cannot be made or written to.
        """
        if keep < 1:
            raise InputError(f'cannot keep {keep} checkpoints; at least 1')
        self.folder = Path(folder).absolute()  # Orbax refuses relative paths
        self._keep, self._stretch, self._say = keep, stretch, say
        storage.check_path(self.folder)
        with or_machine_error(f'checkpoint folder {self.folder} cannot be opened'):
            self.folder.mkdir(parents=True, exist_ok=True)
            retention.remove_left(self.folder)
        self._writer = storage.Writer()
        self._pool = concurrent.futures.ThreadPoolExecutor(1, 'checkpoint')
        self._saving: concurrent.futures.Future[None] | None = None

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except MachineError:
            if kind is None:  # an error that is on its way out says more than the one it may have caused
                raise
        finally:
            self._pool.shutdown()
            self._writer.close()

    def save(self, step: int, state: GanState, meta: dict) -> None:
        """Save a state; the writing goes on in the background, and ``state`` may be donated at once.

        Args:
            step: names the checkpoint; larger than all that are there.
            state: a tree of arrays.
            meta: whatever belongs to it, as JSON: data position, configuration, versions.

        Raises:
            InputError: the step is not newer than the newest checkpoint.
            DivergedError: a leaf is not finite.
            MachineError: this or the save before failed; nothing is left of it.
        """
        self.wait()
        name = f'checkpoint {step} in {self.folder}'
        latest = self.latest()
        if latest is not None and step <= latest:
            raise InputError(f'checkpoint {step} is not newer than {latest}, the newest in {self.folder}')
        meta = json.loads(json.dumps(meta))
        state = stored(state)
        leaves = leaves_on_host(state)  # now: the state may be donated as soon as this returns
        check_finite(leaves, name)
        target = self.folder / f'{step}{retention.SAVING}'
        try:
            if not self.folder.is_dir():  # Orbax would make it anew
                raise MachineError(f'{name} was not saved: the folder is gone')
            retention.discard(self.folder, step)  # what an earlier try could not take away
            self._writer.start(target, state, functools.partial(make_record, leaves, meta))
        except (storage.StorageError, MachineError) as error:
            raise self._failed(step, error) from None
        self._saving = self._pool.submit(self._finish, step, target)

    def _finish(self, step: int, target: Path) -> None:
        """Read a checkpoint back when it is written, give it its name, and delete what it makes superfluous."""
        try:
            self._writer.wait()
            publish(target, self.folder / str(step))
            self._delete_surplus()
        except (storage.StorageError, Failure, OSError) as error:
            raise self._failed(step, error) from None

    def _failed(self, step: int, error: Exception) -> MachineError:
        retention.discard(self.folder, step)
        if isinstance(error, MachineError):
            return error
        return MachineError(f'checkpoint {step} in {self.folder} was not saved: {reason(error)}')

    def _delete_surplus(self) -> None:
        for step in retention.surplus(self.steps(), self._keep, self._stretch):
            try:
                retention.remove(self.folder / str(step))
            except OSError as error:  # the save itself has succeeded
                self._say(f'checkpoint {step} in {self.folder} cannot be deleted: {reason(error)}')

    def latest(self) -> int | None:
        """Return the newest step, or ``None`` where there is none."""
        return max(self.steps(), default=None)

    def steps(self) -> list[int]:
        """Return the steps that there are, oldest first; a save in progress is none yet."""
        return retention.found_steps(self.folder)

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints of later steps, which a run that continues here will not have had."""
        for later in [found for found in self.steps() if found > step]:
            with or_machine_error(f'checkpoint {later} in {self.folder} cannot be deleted'):
                retention.remove(self.folder / str(later))

    def restore(self, like: Any, step: int | None = None) -> tuple[GanState, dict]:
        """Read a state back, and verify every file and every leaf of it.

        Without a step the newest that is whole is read; newer ones, which are damaged, are renamed, so that none of
        them counts any more and each is kept.

        Args:
            like: a state, or its tree of ``jax.ShapeDtypeStruct``; where a leaf has a sharding, the restored
                one has it too, otherwise it is put on the first device.
            step: which checkpoint; the newest that is whole by default.

        Returns:
            The state and its meta.

        Raises:
            InputError: there is no such checkpoint, it does not fit ``like``, or it is damaged, as all others are.
            MachineError: it may not be read.
        """
        self.wait()
        if step is not None:
            choose_step(self.folder, step)
            return restore_state(self.folder / str(step), like)
        found, result, damaged = newest(self.folder, lambda path: restore_state(path, like))
        for later, error in damaged:
            self._say(f'{error}; continuing from {found}')
            with or_machine_error(f'checkpoint {self.folder / str(later)} cannot be renamed'):
                retention.set_aside(self.folder / str(later))
        return result

    def wait(self) -> None:
        """Wait until the last save is on disk.

        Raises:
            MachineError: it failed.
        """
        saving, self._saving = self._saving, None
        if saving is not None:
            saving.result()


def publish(target: Path, final: Path) -> None:
    """Verify what was written, bring it to the disk, and only then give it its name.

    Raises:
        DamagedError: what can be read back is not what was to be written.
        OSError, storage.StorageError: the machine refuses.
    """
    name = f'checkpoint {final}'
    verify(storage.read_arrays(target), load_record(target, name).leaves, name)
    write_table(target)
    sync_tree(target)
    target.rename(final)
    try:
        sync(final.parent)
        _forget(final)
        check_files(final, name)
    except (DamagedError, OSError):  # it may not keep its name
        with contextlib.suppress(OSError):
            retention.remove(final)
        raise


def _forget(folder: Path) -> None:
    """Let the system drop what it remembers of files, so that the disk is read the next time."""
    if not hasattr(os, 'posix_fadvise'):
        return
    for path in folder.rglob('*'):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            with contextlib.suppress(OSError):
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
