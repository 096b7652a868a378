"""What the files around an image say of it, and all that is said of an image in a folder.

Read are, for FOLDER/a/b.png: ``b.png.json`` and ``b.json``; ``b.png.headers``; ``b.png.xmp`` and ``b.xmp``; and in its folder and in
those above it, up to the one that is the data set: metadata.jsonl, metadata.csv, manifest.csv (rows by ``file_name``), tdmrep.json,
.well-known/tdmrep.json, ai.txt, robots.txt (each of the files below), and a LICENSE.
"""

import functools
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.rights import licences, records, siterules, xmp
from jaxgan.rights.statement import SILENT, OptOut, Statement, short, united
from jaxgan.strictjson import parse_json

TABLES = ('metadata.jsonl', 'metadata.csv', 'manifest.csv')
LICENCES = ('LICENSE', 'LICENSE.txt', 'LICENSE.md', 'LICENCE', 'LICENCE.txt', 'LICENCE.md', 'COPYING')
LARGEST_TABLE, LARGEST = 64 << 20, 1 << 20  # bytes of a table, of another file
WHOLE = 32 << 20  # bytes of an image file that are searched: from its beginning, and as many to its end


class _Place(NamedTuple):
    """What one folder says of the images in it and below it."""

    names: frozenset[str]
    tables: tuple[Mapping[str, Statement], ...]
    judges: tuple[siterules.Judge, ...]
    licence: str


class Surroundings:
    """The folders of a data set, each read once."""

    def __init__(self, root: Path, above: Iterable[Path] = ()) -> None:
        """Begin with nothing read.

        Args:
            root: the folder in which images have their names.
            above: folders that hold it and belong to the data set, the nearest first.
        """
        self._root, self._above = root, tuple(above)
        self.unread: dict[str, str] = {}
        """Files that could not be read, so that they count as saying nothing: their names, and why."""
        self._place = functools.lru_cache(maxsize=None)(self._read_place)

    def prepare(self, names: Iterable[str]) -> None:
        """Read the folders of these images, before threads ask for them."""
        for folder in sorted({posixpath.dirname(name) for name in names}):
            for place, _ in self._chain(folder):
                self._place(place)

    def of(self, name: str) -> tuple[Statement, str]:
        """Tell what the files around an image say of it, the nearest first, and the licence of its folder."""
        folder, base = posixpath.split(name)
        here = self._place(self._path(folder))
        found = self._beside(here.names, self._path(folder), base)
        licence = ''
        for path, below in self._chain(folder):
            place = self._place(path)
            relative = f'{below}{base}'
            found += [table[relative] for table in place.tables if relative in table]
            said = [one for judge in place.judges if (one := judge(f'/{relative}'))]
            found.append(Statement(opt_outs=tuple(said)))
            licence = licence or place.licence
        return united(found), licence

    def _path(self, folder: str) -> str:
        return os.path.join(self._root, folder) if folder else str(self._root)

    def _chain(self, folder: str) -> list[tuple[str, str]]:
        """List a folder and those above it: (path, names between it and the image, with '/')."""
        parts = folder.split('/') if folder else []
        found = [
            (self._path('/'.join(parts[:n])), ''.join(f'{part}/' for part in parts[n:]))
            for n in range(len(parts), -1, -1)
        ]
        below = ''.join(f'{part}/' for part in parts)
        for path in self._above:
            inside = self._root.relative_to(path).as_posix()
            found.append((str(path), f'{inside}/{below}'))
        return found

    def _beside(self, names: frozenset[str], folder: str, base: str) -> list[Statement]:
        stem = os.path.splitext(base)[0]
        readers: tuple[tuple[str, Callable[[str, str], Statement]], ...] = (
            (f'{base}.json', records.read_sidecar),
            (f'{stem}.json', records.read_sidecar),
            (f'{base}.headers', records.read_headers),
            (f'{base}.xmp', _read_xmp),
            (f'{stem}.xmp', _read_xmp),
        )
        found = []
        for name, reader in readers:
            if name in names:
                found.append(self._read(os.path.join(folder, name), name, reader, LARGEST) or SILENT)
        return found

    def _read_place(self, folder: str) -> _Place:
        names = frozenset(os.listdir(folder))
        tables = [
            self._read(os.path.join(folder, name), name, records.read_table, LARGEST_TABLE)
            for name in TABLES
            if name in names
        ]
        rules: tuple[tuple[str, Callable[[str, str], siterules.Judge]], ...] = (
            ('tdmrep.json', _read_tdmrep),
            ('.well-known/tdmrep.json', _read_tdmrep),
            ('ai.txt', siterules.read_ai_txt),
            ('.well-known/ai.txt', siterules.read_ai_txt),
            ('robots.txt', siterules.read_robots_txt),
        )
        judges = []
        for name, reader in rules:
            path = os.path.join(folder, name)
            if name in names or ('/' in name and '.well-known' in names and os.path.isfile(path)):
                judges.append(self._read(path, name, reader, LARGEST))
        licence = next((name for name in LICENCES if name in names), None)
        told = licence and self._read(os.path.join(folder, licence), licence, _read_licence, LARGEST)
        return _Place(
            names, tuple(one for one in tables if one), tuple(one for one in judges if one), told or ''
        )

    def _read(self, path: str, name: str, reader: Callable[[str, str], Any], largest: int) -> Any:
        """Read a file; one that cannot be read is listed, and says nothing."""
        try:
            if not os.path.isfile(path):
                raise ValueError('it is no file')
            with open(path, 'rb') as file:
                data = file.read(largest + 1)
            if len(data) > largest:
                raise ValueError(f'it is larger than {largest:,} bytes')
            return reader(data.decode('utf-8-sig'), name)
        except (OSError, ValueError) as error:
            reason = 'it is no UTF-8' if isinstance(error, UnicodeError) else str(error)
            self.unread[os.path.relpath(path, self._root)] = short(reason)
            return None


def _read_tdmrep(text: str, name: str) -> siterules.Judge:
    return siterules.read_tdmrep(parse_json(text, 'it'), name)


def _read_xmp(text: str, name: str) -> Statement:
    found = xmp.read_packet(text.encode())
    if found.unread:
        raise ValueError(found.unread[0])
    return found._replace(opt_outs=tuple(OptOut(one.kind, name, one.words) for one in found.opt_outs))


def _read_licence(text: str, name: str) -> str:
    """Name the licence of a licence's file, by how it begins."""
    return licences.known(text[:2000]) or f'see {name}'


def read_bytes(path: str) -> tuple[bytes, bool]:
    """Read an image file for its statements: of a very large one its beginning and its end.

    Returns:
        The bytes, and whether they are all; of a pipe or a device none.

    Raises:
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        return b'', False
    file = os.open(path, os.O_RDONLY | getattr(os, 'O_BINARY', 0))  # a third of the time that open() takes
    try:
        size = os.fstat(file).st_size
        data = _read_from(file, 0, min(size, WHOLE))
        if size > WHOLE:
            data += _read_from(file, max(WHOLE, size - WHOLE), WHOLE)
        return data, size <= WHOLE
    finally:
        os.close(file)


def _read_from(file: int, start: int, count: int) -> bytes:
    os.lseek(file, start, os.SEEK_SET)
    data = os.read(file, count)
    while len(data) < count and (more := os.read(file, count - len(data))):
        data += more
    return data


def whole_statement(around: Statement, own: Statement, folder: str = '') -> Statement:
    """Unite what stands around an image, in it, and over its folder.

    Of each field the first counts, but a licence that is known by name before free text; of opt-outs all count.
    """
    if around == own == SILENT and not folder:
        return SILENT
    told = united([around, own, Statement(licence=folder)])
    by_name = next(
        (one for one in (around.licence, own.licence, folder) if licences.known(one)), told.licence
    )
    return told._replace(licence=licences.normal(by_name))
