"""The record of what was made: ``provenance.jsonl``, a line of JSON for each file, beside the files.

It holds no time and no path of a machine. A file that was written again has a line again: the last one holds.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.credentials import Credit
from jaxgan.errors import InputError, MachineError
from jaxgan.files import Appender, reason, unwritable
from jaxgan.marks.hashes import phashes, to_hex
from jaxgan.strictjson import parse_json
from jaxgan.version import __version__

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

RECORD = 'provenance.jsonl'
FORMAT_VERSION = 1
MOST_BYTES = 2**26  # that are read: some 100,000 lines
LONGEST = 2**20  # bytes of a line
LAYERS = ('xmp', 'watermark', 'c2pa')
SHA256, PHASH = '[0-9a-f]{64}', '[0-9a-f]{16}'


def entry_of(
    name: str, digest: str, size: tuple[int, int], layers: tuple[str, ...], credit: Credit
) -> dict[str, Any]:
    """Make a record's line for one file, besides the hash of what it shows.

    Args:
        name: the file's, without folders.
        digest: SHA-256 of its bytes.
        size: height and width of what it shows.
        layers: the marks that it has.
        credit: what it says of itself, or would.
    """
    marks = credit.marks
    return {
        'file': name,
        'sha256': digest,
        'phash': None,
        'size': list(size),
        'model': credit.model,
        'data': credit.data,
        'seeds': credit.seeds,
        'index': credit.index,
        'kind': credit.kind,
        'marks': list(layers),
        'key': marks.key,
        'jaxgan': __version__,
        'details': {name: value for name, value in credit.details.items() if value},
        **({'unmarked': marks.unmarked} if marks.unmarked else {}),
    }


def with_hashes(entries: list[dict[str, Any]], images: np.ndarray) -> list[dict[str, Any]]:
    """Add to each entry the perceptual hash of its image: uint8 [n, h, w, c]."""
    return [
        entry | {'phash': to_hex(int(value))} for entry, value in zip(entries, phashes(images), strict=True)
    ]


def append(path: str | Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Add entries to a record, all or none, and wait until they are on disk; folders are made where need be.

    Several processes may add to one record. What a kill left half written is removed.

    Args:
        path: the record.
        entries: JSON objects; ``format_version`` is added.

    Raises:
        InputError: it cannot be written by that name.
        MachineError: the machine does not let us.
    """
    path = Path(path)
    lines = [
        json.dumps({'format_version': FORMAT_VERSION, **entry}, ensure_ascii=False, allow_nan=False)
        for entry in entries
    ]
    if not lines:
        return
    data = ''.join(f'{line}\n' for line in lines).encode('utf-8', 'replace')  # a lone surrogate is no text
    try:
        with contextlib.closing(Appender(path)) as file, _locked(path):
            _drop_unfinished(path)
            file.add(data)
            file.sync()
    except OSError as error:
        raise unwritable(path, error) from error


def read(path: str | Path) -> list[dict[str, Any]]:
    """Read a record.

    Returns:
        Its entries, in the order in which they were written: each has 'file' (a name without folders), 'sha256' (of the file's bytes),
        'phash' (16 hexadecimal digits; None of what is no picture), 'size' ([height, width]), 'model', 'data', 'seeds', 'index' (None
        where it is the only one), 'kind' (IPTC's digital source type), 'marks' (some of 'xmp', 'watermark', 'c2pa'), 'key' (which secret
        the watermark has; '' for none), 'jaxgan' (the version), 'details' (what else was asked for), and 'unmarked' (the reason) where
        there are no marks. A last line that a kill left unfinished is left out.

    Raises:
        InputError: it cannot be read, is too large, or a line is no such entry.
        MachineError: it may not be read.
    """
    path = Path(path)
    found = []
    for number, line in enumerate(_lines(path), 1):
        where = f'{path}, line {number},'
        if not line.endswith(b'\n') and not line.endswith(b'}'):
            break
        if line.strip():
            found.append(_checked(parse_json(line, where), where))
    return found


def newest(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Find each file's last entry, by its name."""
    return {str(entry['file']): entry for entry in entries}


def _lines(path: Path) -> Iterator[bytes]:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f'{path} cannot be read: it is no file')
        with path.open('rb') as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise InputError(f'{path} cannot be read: it is larger than {MOST_BYTES:,} bytes')
            while line := file.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise InputError(f'{path} cannot be read: a line is longer than {LONGEST:,} bytes')
                yield line
    except PermissionError:
        raise MachineError(f'{path} cannot be read: permission denied') from None
    except OSError as error:
        raise InputError(f'{path} cannot be read: {reason(error)}') from None


def _checked(entry: Any, where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise InputError(f'{where} is no JSON object')
    version = entry.get('format_version')
    if type(version) is not int or version != FORMAT_VERSION:
        raise InputError(f'{where} has format_version {version!r}; this jaxgan reads {FORMAT_VERSION}')
    for name, kind in (('file', str), ('model', str), ('kind', str), ('marks', list), ('details', dict)):
        if type(entry.get(name)) is not kind:
            raise InputError(f'{where}: {name} {_short(entry.get(name))} must be {kind.__name__}')
    if not set(map(str, entry['marks'])) <= set(LAYERS):
        raise InputError(f'{where}: marks {_short(entry["marks"])} must be some of {", ".join(LAYERS)}')
    if not re.fullmatch(SHA256, str(entry.get('sha256'))):
        raise InputError(f'{where}: sha256 {_short(entry.get("sha256"))} must be 64 hexadecimal digits')
    phash = entry.get('phash')
    if phash is not None and not (isinstance(phash, str) and re.fullmatch(PHASH, phash)):
        raise InputError(f'{where}: phash {_short(phash)} must be 16 hexadecimal digits')
    return entry


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f'{text[:37]}...'


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the record's lock, the kernel's; where the file system knows none, go on without."""
    file = os.open(path, os.O_RDWR)
    try:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _drop_unfinished(path: Path) -> None:
    """Cut off what stands behind the last whole line: it was never said to be written."""
    with path.open('r+b') as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - LONGEST)
        file.seek(start)
        tail = file.read()
        if tail and not tail.endswith(b'\n'):
            file.truncate(start + tail.rfind(b'\n') + 1)
