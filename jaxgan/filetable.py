"""The table of a checkpoint's files: bytes and SHA-256 of each, so that no changed byte goes unseen, used or not.

It is written last, when all other files are complete. Its form is that of every schema, so that damage is told from
a checkpoint of a newer jaxgan.
"""

import hashlib
import json
import stat
from pathlib import Path, PurePosixPath

from jaxgan.errors import DamagedError
from jaxgan.files import reason

TABLE = 'files.json'
PART = 1 << 20  # bytes that are hashed at once

Files = dict[str, list]  # path in the checkpoint -> [bytes, SHA-256]


def write_table(folder: Path) -> None:
    """Write down the bytes and the SHA-256 of every file of a folder."""
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    files = {path.relative_to(folder).as_posix(): [path.stat().st_size, hash_file(path)] for path in paths}
    (folder / TABLE).write_text(_text(files), 'utf-8')


def check_files(folder: Path, name: str) -> Files:
    """Compare every file of a folder with its table, byte for byte; files that the table does not have do not matter.

    Raises:
        DamagedError: names the first file that is not what was written.
    """
    files = _read_table(folder, name)
    for relative, (size, digest) in files.items():
        wrong = _compare(folder, relative, size, digest)
        if wrong:
            raise DamagedError(f'{name} is damaged: its {relative} {wrong}')
    return files


def hash_file(path: Path) -> str:
    """Compute the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()


def _compare(folder: Path, relative: str, size: int, digest: str) -> str:
    """Say what is wrong with a file, if anything; a link is none, wherever it leads."""
    pure = PurePosixPath(relative)
    if pure.is_absolute() or '..' in pure.parts:
        return 'lies outside the checkpoint'
    path = folder / pure
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return 'is no file'
        if found.st_size != size:
            return f'has {found.st_size:,} bytes, not {size:,}'
        return '' if hash_file(path) == digest else 'does not match its SHA-256'
    except FileNotFoundError:
        return 'is missing'
    except PermissionError:
        raise  # nothing is wrong with the checkpoint
    except OSError as error:
        return f'cannot be read ({reason(error)})'


def _read_table(folder: Path, name: str) -> Files:
    try:
        text = (folder / TABLE).read_text('utf-8')
        files = json.loads(text)['files']
        whole = text == _text(files) and all(
            isinstance(size, int) and isinstance(digest, str) for size, digest in files.values()
        )
    except FileNotFoundError:
        raise DamagedError(f'{name} is damaged: its {TABLE} is missing') from None
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole, files = False, {}
    if not whole:
        raise DamagedError(f'{name} is damaged: its {TABLE} is not what was written')
    return files


def _text(files: Files) -> str:
    """Write a table in the one form that it may have."""
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return json.dumps({'files': files, 'sha256': digest}, sort_keys=True) + '\n'
