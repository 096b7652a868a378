"""Files of JSON lines, which a kill may have left half written: what can be read is read, the rest is counted."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from jaxgan.files import finite
from jaxgan.report.types import Value

T = TypeVar('T')
NOT_FINITE = ('nan', 'inf', '-inf')


def read_lines(path: Path, parse: Callable[[dict], T | None], notes: list[str]) -> list[T]:
    """Read a file of JSON objects, one a line; an absent file has none.

    Args:
        path: the file.
        parse: turns an object into what is wanted; ``None``: the line is no such thing.
        notes: receives a sentence if lines or the file cannot be read.
    """
    if not path.is_file():
        if path.exists():
            notes.append(f'{path.name} is no file, and is left out.')
        return []
    found, broken = [], 0
    try:
        for value in _objects(path):
            parsed = None if value is None else parse(value)
            if parsed is None:
                broken += 1
            else:
                found.append(parsed)
    except OSError as error:
        notes.append(f'{path.name} cannot be read: {error.strerror or error}.')
    if broken:
        left = (
            '1 line could not be read and is'
            if broken == 1
            else f'{broken:,} lines could not be read and are'
        )
        notes.append(f'{path.name}: {left} left out.')
    return found


def _objects(path: Path) -> Iterator[dict | None]:
    with path.open(encoding='utf-8', errors='replace') as file:
        for text in filter(str.strip, file):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                value = None
            yield value if isinstance(value, dict) else None


def as_value(value: Any) -> Value | None:
    """Take a number as ``metrics.jsonl`` holds it; ``None``: it is none.

    >>> as_value(2), as_value('nan'), as_value(float('inf')), as_value('2'), as_value(True)
    (2.0, 'nan', 'inf', None, None)
    """
    if isinstance(value, str):
        return value if value in NOT_FINITE else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return finite(float(value))
    except OverflowError:  # a whole number that no float can hold
        return None


def as_count(value: Any) -> int | None:
    """Take a number of images or steps; ``None``: it is none.

    >>> as_count(64), as_count(64.0), as_count(-1), as_count('64'), as_count(1e400)
    (64, 64, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return int(value) if math.isfinite(value) else None
