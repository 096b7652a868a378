"""Explanations of images: what made each, as lines of JSON from which it can be made again."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.files import finite, replacing, unwritable
from jaxgan.types import Mixture

Trace = Callable[[dict[str, Any], list[str] | None], None]
"""``trace(results, names)``: explain some more images, from what their programs returned (rows of the images alone)."""


@contextlib.contextmanager
def open_trace(out: str | None, common: dict[str, Any]) -> Iterator[Trace]:
    """Open what explains images, each by a line.

    Args:
        out: a file, written whole or not at all; '-': standard output; None: nothing is explained.
        common: what holds for every image.

    Raises:
        InputError: the file cannot be written.
    """
    if out is None:
        yield lambda results, names: None
    elif out == '-':
        yield lambda results, names: _write(sys.stdout, results, names, common)
    else:
        try:
            with replacing(Path(out)) as temporary, temporary.open('w') as file:
                yield lambda results, names: _write(file, results, names, common)
        except OSError as error:
            if error.filename is None or '.tmp' not in str(error.filename):
                raise
            raise unwritable(Path(out), error) from error


def _write(file: Any, results: dict[str, Any], names: list[str] | None, common: dict[str, Any]) -> None:
    for i, seed in enumerate(results['seeds']):
        line = {
            'seed': int(seed),
            'class': names[i] if names else None,
            'label': _label(results['labels'], i),
        }
        line |= {name: _numbers(results[name][i].tolist()) for name in ('z', 'w') if name in results} | common
        line |= {
            name: _numbers(float(results[name][i]))
            for name in ('score', 'probability', 'chance', 'copy_ratio')
            if name in results
        }
        line |= {'copy_nearest': int(results['copy_nearest'][i])} if 'copy_nearest' in results else {}
        file.write(json.dumps(line, allow_nan=False) + '\n')


def _numbers(values: Any) -> Any:
    """Write numbers, or lists of them, as JSON can hold them."""
    if isinstance(values, list):
        return [_numbers(value) for value in values]
    return finite(values) if isinstance(values, float) else values


def _label(labels: Any, i: int) -> Any:
    if isinstance(labels, Mixture):
        return {str(int(c)): float(w) for c, w in zip(labels.classes[i], labels.weights[i], strict=True)}
    return None if labels is None else int(np.asarray(labels)[i])
