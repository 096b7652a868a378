"""The lock of a run's folder: one training at a time, however it ends.

The kernel holds it (``flock``) and lets go of it when the process is gone, so none is ever stale. What is written in
the file is for people.
"""

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxgan.errors import MachineError
from jaxgan.files import or_machine_error, reason

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = '.lock'
BUSY = (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)

_held: set[Path] = set()  # by this process


@contextlib.contextmanager
def hold(workdir: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a run's folder, which is made where need be; within the same process once is enough.

    Folders that were made for the lock and have nothing else in them at the end are gone again.

    Args:
        workdir: the folder.
        say: is told where the file system knows no locks.

    Raises:
        MachineError: another process holds it, or the folder cannot be made or written to.
    """
    key = workdir.absolute()
    if key in _held:
        yield
        return
    with or_machine_error(f'run {workdir} cannot be written'):
        made = [folder for folder in (key, *key.parents) if not folder.exists()]
        workdir.mkdir(parents=True, exist_ok=True)
        file = _lock(workdir, say)
    _held.add(key)
    try:
        yield
    finally:
        _held.discard(key)
        _remove_empty(workdir, made)
        os.close(file)


def check_free(workdir: Path) -> None:
    """Refuse at once what ``hold`` would refuse; nothing is written, and nothing held.

    Raises:
        MachineError: another process holds the lock.
    """
    with contextlib.suppress(OSError):
        file = os.open(workdir / LOCK, os.O_RDWR)
        try:
            _take(file, workdir, lambda _: None)
        finally:
            os.close(file)


def _lock(workdir: Path, say: Callable[[str], None]) -> int:
    path = workdir / LOCK
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _take(file, workdir, say)
            if _is_at(file, path):  # who held it before may have removed it
                about = {'pid': os.getpid(), 'host': socket.gethostname(), 'since': _now()}
                os.ftruncate(file, 0)
                os.pwrite(file, (json.dumps(about) + '\n').encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _take(file: int, workdir: Path, say: Callable[[str], None]) -> None:
    try:
        if fcntl is None:
            raise OSError(errno.ENOSYS, 'this system has no flock')
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in BUSY:
            raise MachineError(f'run {workdir} is in use by {_holder(file)}') from None
        say(
            f'warning: {workdir} cannot be locked ({reason(error)}): see to it that one training at a time uses it'
        )


def _holder(file: int) -> str:
    try:
        about = json.loads(os.pread(file, 1000, 0))
        return f'process {about["pid"]} on {about["host"]} since {about["since"]}'
    except (OSError, ValueError, KeyError, TypeError):
        return 'another process'


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _now() -> str:
    return time.strftime('%Y-%m-%d %H:%M:%S')


def _remove_empty(workdir: Path, made: list[Path]) -> None:
    """Remove the folders that were made for the lock, if there is nothing else in them."""
    with contextlib.suppress(OSError):
        if made and [path.name for path in workdir.iterdir()] == [LOCK]:
            (workdir / LOCK).unlink()
            for folder in made:
                folder.rmdir()
