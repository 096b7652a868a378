"""Faults of the file system, made on purpose: a small preloaded library (faults.c), what it recorded, and what a crash leaves.

A crash leaves more than a kill does: what was written and not synced may be gone, and so may a new name whose folder
was not synced. ``crash_states`` makes, from the record of a process, every folder that may be found afterwards.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from jaxgan.files import append_lines

SOURCE = Path(__file__).with_name('faults.c')
NIGHTLY = bool(os.environ.get('JAXGAN_NIGHTLY'))  # all points instead of a spread of them
FIGURES = os.environ.get('JAXGAN_FIGURES')  # a file for lines that say what was tried

Tree = dict[str, 'Tree | bytes']  # a folder


def library(folder: Path) -> Path:
    """Compile faults.c, or skip where that is not possible."""
    compiler = shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')
    if compiler is None or not Path('/proc/self/fd').exists():
        pytest.skip('faults are injected by a preloaded library: this takes Linux and a C compiler')
    path = folder / 'faults.so'
    subprocess.run([compiler, '-O1', '-fPIC', '-shared', '-o', path, SOURCE, '-lpthread'], check=True)
    return path


def environment(library: Path, under: Path, **options: object) -> dict[str, str]:
    """Return what a process must find in its environment to be watched; ``options`` are those of faults.c."""
    named = {f'FAULTS_{name.upper()}': str(value) for name, value in options.items() if value is not None}
    return {'LD_PRELOAD': str(library), 'FAULTS_UNDER': str(under), **named}


def arm(at: int, do: object, calls: str = '', match: str = '*', once: bool = True) -> int:
    """Disturb this process, which is watched, from its next call on; returns how many calls there were since the last time."""
    function = ctypes.CDLL(None).faults_arm
    function.restype = ctypes.c_long
    return function(*(str(word).encode() for word in (calls, match, at, do)), int(once))


def tally(fault: str, tried: int, wrong: int = 0) -> None:
    """Write down how often something was tried, where figures are collected."""
    if FIGURES:
        append_lines(Path(FIGURES), [{'fault': fault, 'tried': tried, 'wrong': wrong}])


class Call(NamedTuple):
    """A call to the file system as it was made."""

    name: str
    thread: int
    error: int
    path: str
    other: str  # where a rename goes
    offset: int
    data: bytes


def read_calls(log: Path) -> list[Call]:
    """Read a record."""
    text, calls, at = log.read_bytes(), [], 0
    while at < len(text):
        end = text.index(b'\n', at)
        name, thread, error, path, other, offset, length = text[at:end].decode().split('\t')
        at = end + 1 + int(length)
        calls.append(
            Call(
                name, int(thread), int(error), path, other, int(offset), text[end + 1 : end + 1 + int(length)]
            )
        )
    return calls


def read_tree(folder: Path) -> Tree:
    """Read a folder."""
    return {
        path.name: read_tree(path) if path.is_dir() else path.read_bytes()
        for path in sorted(folder.iterdir())
    }


def write_tree(tree: Tree, folder: Path) -> Path:
    """Write a folder that does not exist."""
    folder.mkdir(parents=True)
    for name, entry in tree.items():
        if isinstance(entry, bytes):
            (folder / name).write_bytes(entry)
        else:
            write_tree(entry, folder / name)
    return folder


class Operation(NamedTuple):
    """A call in terms of files, which keep their identity whatever they are called."""

    kind: str  # 'link', 'unlink', 'move', 'write', 'cut' or 'sync'
    file: int  # 0 is the folder that is watched
    folder: int = 0
    name: str = ''
    new_folder: int = 0
    new_name: str = ''
    offset: int = 0
    data: bytes = b''
    is_folder: bool = False


def operations(calls: Iterable[Call], under: Path) -> list[Operation]:
    """Say what calls that succeeded did to files; the folder is empty or missing before them."""
    names: dict[int, dict[str, int]] = {0: {}}
    found: list[Operation] = []

    def parts(path: str) -> list[str]:
        return [part for part in path.removeprefix(str(under)).split('/') if part]

    def look(path: list[str]) -> int:
        file = 0
        for part in path:
            file = names[file][part]
        return file

    for call in calls:
        path = parts(call.path)
        if call.error or (call.name == 'mkdir' and not path) or call.name == 'open':
            continue
        if call.name in ('write', 'truncate', 'fsync'):
            kind = {'write': 'write', 'truncate': 'cut', 'fsync': 'sync'}[call.name]
            found.append(Operation(kind, look(path), offset=call.offset, data=call.data))
            continue
        folder, name = look(path[:-1]), path[-1]
        if call.name in ('create', 'mkdir'):
            file = len(found) + 1
            names[folder][name], names[file] = file, {}
            found.append(Operation('link', file, folder, name, is_folder=call.name == 'mkdir'))
        elif call.name == 'rename':
            other = parts(call.other)
            file, new_folder = names[folder].pop(name), look(other[:-1])
            names[new_folder][other[-1]] = file
            found.append(Operation('move', file, folder, name, new_folder, other[-1]))
        else:
            found.append(Operation('unlink', names[folder].pop(name), folder, name))
    return found


def replay(done: Iterable[Operation], missing: Collection[int] = ()) -> Tree:
    """Return the folder that operations leave, but for those of the numbers ``missing``."""
    folders: dict[int, dict[str, int]] = {0: {}}
    contents: dict[int, bytearray] = {}
    for number, one in enumerate(done):
        if one.kind == 'link' and one.is_folder:
            folders[one.file] = {}
        elif one.kind == 'link':
            contents[one.file] = bytearray()
        if number in missing:
            continue
        if one.kind == 'link':
            folders[one.folder][one.name] = one.file
        elif one.kind == 'unlink':
            folders[one.folder].pop(one.name, None)
        elif one.kind == 'move':
            folders[one.folder].pop(one.name, None)
            folders[one.new_folder][one.new_name] = one.file
        elif one.kind == 'write':
            content = contents[one.file]
            content.extend(bytes(max(0, one.offset - len(content))))
            content[one.offset : one.offset + len(one.data)] = one.data
        elif one.kind == 'cut':
            del contents[one.file][one.offset :]

    def tree(folder: int) -> Tree:
        names = sorted(folders[folder].items())
        return {name: tree(file) if file in folders else bytes(contents[file]) for name, file in names}

    return tree(0)


def unsynced(done: list[Operation]) -> tuple[set[int], set[int]]:
    """Return which operations a crash may undo: those on names, and those on contents."""
    synced: dict[int, int] = {}
    for number, one in enumerate(done):
        if one.kind == 'sync':
            synced[one.file] = number
    names = {
        number
        for number, one in enumerate(done)
        if one.kind in ('link', 'unlink', 'move')
        and (
            number > synced.get(one.folder, -1)
            or (one.kind == 'move' and number > synced.get(one.new_folder, -1))
        )
    }
    contents = {
        number
        for number, one in enumerate(done)
        if one.kind in ('write', 'cut') and number > synced.get(one.file, -1)
    }
    return names, contents


def crash_states(done: list[Operation], begin: int, singly: bool = False) -> Iterator[tuple[str, Tree]]:
    """Yield every different folder that a kill or a crash may leave, and what led to it.

    Args:
        done: what was done, from an empty folder.
        begin: the first so many operations have all happened.
        singly: also those in which any one operation alone is lost that a crash may undo, or all but one.
    """
    seen: set[str] = set()
    for end in range(begin, len(done) + 1):
        names, contents = unsynced(done[:end])
        lost = {
            'nothing': set(),
            'contents': contents,
            'names': names,
            'contents and names': names | contents,
        }
        if singly:
            pending = names | contents
            lost |= {f'operation {number}': {number} for number in pending}
            lost |= {f'all but {number}': pending - {number} for number in pending}
        for what, missing in lost.items():
            tree = replay(done[:end], missing)
            digest = hashlib.sha256(repr(tree).encode()).hexdigest()
            if digest not in seen:
                seen.add(digest)
                yield f'after {end} of {len(done)} operations, without {what}', tree
