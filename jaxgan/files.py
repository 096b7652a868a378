"""Files that a kill or a full disk may interrupt: written whole or not at all, or a line at a time."""

import contextlib
import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgan.errors import Failure, InputError, MachineError

UNSYNCED = (
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EBADF,
    errno.EACCES,
)  # of folders, where the file system has no such thing


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all, also where the power fails, and make the folders that it needs.

    Yields:
        The name of a temporary file beside it, which takes its place at the end, and is gone after an error.
    """
    temporary = path.with_name(f'.{uuid.uuid4().hex[:8]}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        with contextlib.suppress(OSError):  # what went wrong before says more
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Write a folder whole or not at all, also where the power fails, and make the folders that it needs.

    Yields:
        A temporary folder beside it, which takes its place at the end; an older one is deleted after that.
    """
    temporary = target.with_name(f'.{target.name}.{uuid.uuid4().hex[:8]}.tmp')
    try:
        temporary.mkdir(parents=True)
        yield temporary
        sync_tree(temporary)
        _exchange(temporary, target)
        sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, target: Path) -> None:
    """Put ``new`` at ``target``; what was there is deleted after that, or is back after an error."""
    if not target.exists() or not any(target.iterdir()):
        new.rename(target)
        return
    old = target.with_name(f'{new.name}.old')
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)


def is_temporary(name: str) -> bool:
    """Say whether a name is one that ``replacing`` gives, and a kill may leave.

    >>> is_temporary('.0123abcd.tmp'), is_temporary('letter.txt')
    (True, False)
    """
    return name.startswith('.') and name.endswith('.tmp')


class Appender:
    """A file that grows by whole pieces: where a piece does not fit on the disk, none of it stays."""

    def __init__(self, path: Path) -> None:
        """Open a file to add to it; its folders are made where need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)

    def add(self, data: bytes) -> None:
        """Write a piece.

        Raises:
            OSError: it could not be written; the file is as it was.
        """
        before = os.fstat(self._file).st_size
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, before)
            raise

    def end_line(self) -> None:
        """Begin a new line after what a kill left half written."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b'\n':
            self.add(b'\n')

    def sync(self) -> None:
        """Wait until what was added is on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def append_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add JSON objects to a file, one a line, and wait until they are on disk; its folders are made where need be."""
    text = ''.join(json.dumps(line, allow_nan=False) + '\n' for line in lines)
    with contextlib.closing(Appender(path)) as file:
        file.end_line()
        file.add(text.encode())
        file.sync()


def read_bounded(path: Path, most: int, what: str = '') -> bytes:
    """Read a file that somebody else may have written.

    Args:
        path: the file.
        most: bytes that it may have.
        what: its name in messages; empty: its path.

    Raises:
        InputError: it cannot be read, is no file (a pipe would be waited for), or is larger.
        MachineError: it may not be read.
    """
    what = what or str(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f'{what} cannot be read: it is no file')
        with path.open('rb') as file:
            data = file.read(most + 1)
    except PermissionError:
        raise MachineError(f'{what} cannot be read: permission denied') from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise InputError(f'{what} cannot be read: {reason(error)}') from None
    if len(data) > most:
        raise InputError(f'{what} cannot be read: it is larger than {most:,} bytes')
    return data


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk; where a folder cannot be synced, go on."""
    folder = path.is_dir()
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        if folder:  # Windows opens none
            return
        raise
    try:
        os.fsync(file)
    except OSError as error:
        if not folder or error.errno not in UNSYNCED:
            raise
    finally:
        os.close(file)


def sync_tree(folder: Path) -> None:
    """Wait until a folder and all that is in it are on the disk, its files first."""
    for path in sorted(folder.iterdir()):
        sync_tree(path) if path.is_dir() and not path.is_symlink() else sync(path)
    sync(folder)


def reason(error: BaseException) -> str:
    """Say in a few words why something failed.

    >>> reason(OSError(28, 'No space left on device', 'x')), reason(ValueError('a\\nb'))
    ('No space left on device', 'a')
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


BY_NAME = (
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENOENT,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EINVAL,
)


def unwritable(path: Path, error: OSError) -> Failure:
    """Say that a file cannot be written: the name's fault, or the machine's (its disk is full, it does not let us).

    >>> unwritable(Path('a.png'), OSError(28, 'No space left on device'))
    MachineError('cannot write a.png: No space left on device')
    """
    kind = InputError if error.errno is None or error.errno in BY_NAME else MachineError
    return kind(f'cannot write {path}: {reason(error)}')


def check_file(path: str | Path) -> Path:
    """Tell that a file may be written by this name.

    Raises:
        InputError: it is a folder, or lies below a file.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f'cannot write {path}: it is a folder')
    check_above(path)
    return path


def check_above(path: Path) -> None:
    """Tell that folders can be made for a file or a folder.

    Raises:
        InputError: one of them is a file.
    """
    for folder in path.parents:
        if folder.exists():
            if not folder.is_dir():
                raise InputError(f'cannot write {path}: {folder} is a file')
            return


@contextlib.contextmanager
def or_machine_error(problem: str) -> Iterator[None]:
    """Turn what the file system refuses into one line and exit code 3."""
    try:
        yield
    except OSError as error:
        raise MachineError(f'{problem}: {reason(error)}') from error


def finite(value: float) -> float | str:
    """Return a number as JSON can hold it.

    >>> finite(1.5), finite(float('nan')), finite(-float('inf'))
    (1.5, 'nan', '-inf')
    """
    return value if math.isfinite(value) else str(value)
