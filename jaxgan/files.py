"""Files that a kill may interrupt: written whole or not at all, or a line at a time."""

import contextlib
import json
import math
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all, and make the folders that it needs.

    Yields:
        The name of a temporary file beside it, which takes its place at the end, and is gone after an error.
    """
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:8]}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # what went wrong before says more
            temporary.unlink(missing_ok=True)


def append_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add JSON objects to a file, one a line, and wait until they are on disk; its folders are made where need be."""
    text = ''.join(json.dumps(line, allow_nan=False) + '\n' for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def finite(value: float) -> float | str:
    """Return a number as JSON can hold it.

    >>> finite(1.5), finite(float('nan')), finite(-float('inf'))
    (1.5, 'nan', '-inf')
    """
    return value if math.isfinite(value) else str(value)
