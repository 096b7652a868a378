"""The data manifest: one line of JSON for each image of a data set, with its digests, licence, creator, source and opt-outs."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.errors import InputError
from jaxgan.files import replacing
from jaxgan.strictjson import parse_json

NAME = 'data_manifest.jsonl'  # in a run's folder
LONGEST = 1 << 20  # bytes of a line that is read
HEX = frozenset('0123456789abcdef')


class Entry(NamedTuple):
    """What is known of one image of a data set; None: not stated."""

    index: int
    """Its place in the source, as the training sees it."""
    name: str
    """Its file's name below the data set's folder; of arrays, its number in the split."""
    sha256: str
    """Of the file's bytes; of the pixels' bytes where there is no file."""
    pixels: str
    """SHA-256 of the pixels as the training sees them, [h, w, c]."""
    phash: str | None = None
    """The perceptual hash, 16 hexadecimal digits."""
    licence: str | None = None
    creator: str | None = None
    source: str | None = None
    opt_outs: tuple[str, ...] = ()
    """What says that it must not be trained on; it was trained on only if ``data.opt_outs`` was ``ignore``."""
    group: int | None = None
    """The number of its group of near-duplicates."""


TEXTS = ('licence', 'creator', 'source')


def write_manifest(path: Path, entries: Iterable[Entry]) -> int:
    """Write a manifest, whole or not at all, and count its lines."""
    count = 0
    with replacing(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        for entry in entries:
            file.write(json.dumps(entry._asdict(), allow_nan=False) + '\n')
            count += 1
    return count


def read_manifest(path: Path) -> list[Entry]:
    """Read a manifest; its places are 0, 1, 2, ...

    Raises:
        InputError: it cannot be read, or a line is not what a manifest holds; with the line's number.
    """
    try:
        with path.open('rb') as file:
            return list(_entries(file, path))
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from None


def _entries(file: Any, path: Path) -> Iterator[Entry]:
    index = 0
    while line := file.readline(LONGEST + 1):
        where = f'{path}, line {index + 1}'
        if len(line) > LONGEST:
            raise InputError(f'{where} cannot be read: it is longer than {LONGEST:,} bytes')
        entry = _entry(parse_json(line, where), where)
        if entry.index != index:
            raise InputError(f'{where}: index {entry.index} must be {index}')
        yield entry
        index += 1


def _entry(values: Any, where: str) -> Entry:
    """Check what a line holds; what later versions may add is left alone."""
    if not isinstance(values, dict):
        raise InputError(f'{where} must be an object')
    for name, kind in (('index', int), ('name', str), ('sha256', str), ('pixels', str)):
        if type(values.get(name)) is not kind:
            raise InputError(f'{where}: {name} {values.get(name)!r} must be {kind.__name__}')
    for name, digits in (('sha256', 64), ('pixels', 64), ('phash', 16)):
        value = values.get(name)
        if value is not None and not (
            isinstance(value, str) and len(value) == digits and HEX.issuperset(value)
        ):
            raise InputError(f'{where}: {name} {value!r} must be {digits} hexadecimal digits')
    for name in TEXTS:
        if not isinstance(values.get(name), str | None):
            raise InputError(f'{where}: {name} {values[name]!r} must be text or null')
    said = values.get('opt_outs', [])
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise InputError(f'{where}: opt_outs {said!r} must be a list of texts')
    if type(values.get('group')) not in (int, type(None)):
        raise InputError(f'{where}: group {values["group"]!r} must be int or null')
    known: dict[str, Any] = {name: value for name, value in values.items() if name in Entry._fields}
    return Entry(**{**known, 'opt_outs': tuple(said)})
