"""What files beside an image say of it: FILE.json as programs write that collect images, and tables with a row for each file."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jaxgan.rights.statement import SILENT, OptOut, Statement, directives, plus, reserved, short, united

_LICENCES = ('licence', 'license', 'licence-url', 'license-url', 'license-name', 'rights', 'copyright')
_CREATORS = ('creator', 'author', 'artist', 'photographer', 'owner', 'byline', 'credit', 'attribution')
_SOURCES = ('source', 'url', 'source-url', 'image-url', 'original-url', 'page-url', 'link')
_DIRECTIVES = ('x-robots-tag', 'robots', 'directives')
_FLAGS = ('noai', 'noimageai', 'opt-out', 'optout', 'opted-out', 'ai-opt-out', 'do-not-train', 'donottrain')
_MINING = ('datamining', 'data-mining', 'plus:datamining', 'xmp:datamining', 'xmp-plus:datamining')
_FILES = ('file-name', 'filename', 'file', 'image', 'path', 'name')
DEPTH, NODES = 5, 5_000  # of what is looked at in a record


def read_record(record: Any, where: str) -> Statement:
    """Read a record: fields by their names in any writing (``License``, ``license_url``), headers among them or one level below.

    Args:
        record: a JSON value, or a row of a table.
        where: the name of the file that holds it.
    """
    fields: dict[str, str] = {}
    said: list[OptOut] = []
    mining: list[str] = []
    for name, value in _walk(record):
        text = str(value).strip()
        for field, names in (('licence', _LICENCES), ('creator', _CREATORS), ('source', _SOURCES)):
            if name in names and isinstance(value, str) and text:
                fields.setdefault(f'{field} {names.index(name):02}', short(text))
        if name in _DIRECTIVES:
            said += [OptOut('noai', where, f'{name}: {word}') for word in directives(text)]
        elif name in _FLAGS and text.lower() in ('1', 'true', 'yes', 'y', '1.0'):
            said.append(OptOut('flag', where, f'{name}: {short(text)}'))
        elif name == 'tdm-reservation' and (reserved(value) or value is True):
            said.append(OptOut('tdmrep', where, 'tdm-reservation 1'))
        elif name in _MINING and text:
            mining.append(text)
    licence, creator, source = (
        next((fields[key] for key in sorted(fields) if key.startswith(field)), '')
        for field in ('licence', 'creator', 'source')
    )
    told = Statement(licence, creator, source, tuple(dict.fromkeys(said)))
    return united([told, plus(mining, where)])


def _walk(record: Any) -> Iterator[tuple[str, Any]]:
    """List names and values of a record, those below it too; a list of pairs is taken for headers."""
    stack: list[tuple[Any, int]] = [(record, 0)]
    seen = 0
    while stack and seen < NODES:
        value, depth = stack.pop()
        if isinstance(value, Mapping):
            pairs = list(value.items())
        elif isinstance(value, list):
            pairs = [tuple(one) for one in value if isinstance(one, list) and len(one) == 2]
            stack += [(one, depth + 1) for one in value if isinstance(one, dict) and depth < DEPTH]
        else:
            continue
        for name, inner in pairs[:NODES]:
            seen += 1
            key = str(name).strip().lower().replace('_', '-').replace(' ', '-')
            if isinstance(inner, Mapping | list) and depth < DEPTH:
                stack.append((inner, depth + 1))
                if isinstance(inner, list) and key in (*_DIRECTIVES, *_CREATORS):
                    yield key, ', '.join(str(one) for one in inner[:100])
            elif isinstance(inner, str) and key in ('headers', 'http-headers', 'response-headers'):
                yield from _header_lines(inner)
            else:
                yield key, inner


def _header_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines()[:200]:
        name, colon, value = line.partition(':')
        if colon:
            yield name.strip().lower(), value.strip()


def read_headers(text: str, where: str) -> Statement:
    """Read headers of a response as they were sent, one a line."""
    return read_record(dict(_header_lines(text)), where)


def read_sidecar(text: str, where: str) -> Statement:
    """Read a file of JSON beside an image.

    Raises:
        ValueError: it is no JSON.
    """
    return read_record(_json(text), where)


def read_table(text: str, name: str) -> dict[str, Statement]:
    """Read a table of files: JSON objects, one a line, or CSV with names in its first line.

    Args:
        text: what it holds.
        name: of its file; .csv says that it is CSV.

    Returns:
        What it says, by the name of the image.

    Raises:
        ValueError: a line cannot be read, or no field names the image.
    """
    found: dict[str, Statement] = {}
    for number, row in enumerate(_rows(text, name), 1):
        plain = {str(key).strip().lower().replace('_', '-'): value for key, value in row.items() if key}
        image = next((plain[key] for key in _FILES if isinstance(plain.get(key), str) and plain[key]), None)
        if image is None:
            raise ValueError(f'its record {number} names no file (file_name)')
        image = image.replace('\\', '/').removeprefix('./')
        found[image] = united([found.get(image, SILENT), read_record(plain, name)])
    return found


def _rows(text: str, name: str) -> Iterator[dict[Any, Any]]:
    if name.endswith('.csv'):
        try:
            yield from csv.DictReader(io.StringIO(text, newline=''), strict=True)
        except csv.Error as error:
            raise ValueError(f'it is no CSV: {error}') from None
        return
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            row = _json(line, f'its line {number}')
            if not isinstance(row, dict):
                raise ValueError(f'its line {number} is no object')
            yield row


def _json(text: str, what: str = 'it') -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f'{what} is no JSON') from None
