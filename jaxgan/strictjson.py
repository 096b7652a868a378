"""JSON from files that somebody else may have written: strict, and one line of error whatever is wrong with it."""

import json
from pathlib import Path
from typing import Any

from jaxgan.errors import InputError
from jaxgan.files import read_bounded

MOST_BYTES = 2**26  # no file of ours that is one JSON value comes near


def read_json(path: Path) -> Any:
    """Read a file that holds one JSON value.

    Raises:
        InputError: it cannot be read, is larger than 64 MB, or is not strict JSON in UTF-8.
        MachineError: it may not be read.
    """
    return parse_json(read_bounded(path, MOST_BYTES), str(path))


def parse_json(data: bytes | str, where: str) -> Any:
    """Parse one JSON value; numbers that JSON has none for, and keys that stand twice in an object, are errors.

    Args:
        data: the text, or its UTF-8 bytes.
        where: what holds it, for the message.

    Raises:
        InputError: it is not strict JSON.

    >>> parse_json('{"a": [1, 2]}', 'x.json')
    {'a': [1, 2]}
    >>> parse_json('{"a": 1, "a": 2}', 'x.json')
    Traceback (most recent call last):
    jaxgan.errors.InputError: x.json cannot be read: the key 'a' stands twice in one object
    """
    try:
        text = data.decode('utf-8') if isinstance(data, bytes) else data
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        reason = 'it is nested too deeply'
    except ValueError as error:  # of UTF-8, of JSON, of a number with too many digits, or ours
        reason = str(error)
    raise InputError(f'{where} cannot be read: {reason}')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f'the key {twice!r} stands twice in one object')
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f'{name} is no number in JSON')
