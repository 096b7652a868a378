"""What commands hand to each other: a folder with a JSON file that describes the tensors in another, and has their SHA-256."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.errors import DamagedError, InputError
from jaxgan.files import replacing, unwritable
from jaxgan.strictjson import read_json

FORMAT = 1
MOST_BYTES = 2**32  # of tensors, which are read as a whole


def save_record(
    folder: Path,
    names: tuple[str, str],
    record: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
) -> None:
    """Write a description and its tensors into a folder, beside other files; the description last.

    Args:
        folder: made where need be.
        names: of the two files.
        record: JSON; format_version and sha256 are added.
        tensors: arrays by name.

    Raises:
        InputError: it cannot be written by that name.
        MachineError: the machine does not let us.
    """
    data = safetensors.numpy.save({name: np.ascontiguousarray(value) for name, value in tensors.items()})
    whole = {'format_version': FORMAT, **record, 'sha256': hashlib.sha256(data).hexdigest()}
    text = json.dumps(whole, indent=2, allow_nan=False) + '\n'
    try:
        for name, content in ((names[1], data), (names[0], text.encode())):
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise unwritable(folder, error) from error


def load_record(folder: Path, names: tuple[str, str], kind: str, read: Any, model: str | None) -> Any:
    """Read what ``save_record`` wrote, and verify it.

    Args:
        folder: that was written.
        names: of the two files.
        kind: what they hold, such as 'projections'.
        read: ``(record, tensors) -> found``; that it raises ``ValueError`` or fails otherwise on what is no such record is a damage.
        model: the digest of the generator for which they are wanted; None: any.

    Raises:
        InputError: there are none, or they belong to another generator.
        DamagedError: they are not what was written.
    """
    file, tensors = (folder / name for name in names)
    if not file.is_file():
        raise InputError(f'{folder} holds no {kind}: {names[0]} is missing')
    try:
        record = read_json(file)
        if record['format_version'] != FORMAT:
            raise InputError(
                f'{folder} has format_version {record["format_version"]!r}; this jaxgan reads {FORMAT}'
            )
        owner, data = str(record['model']), _read(tensors)
        if hashlib.sha256(data).hexdigest() != record['sha256']:
            raise DamagedError(f'{folder} is damaged: {names[1]} does not match its SHA-256')
        found = read(record, safetensors.numpy.load(data))
    except InputError:
        raise
    except (
        OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, safetensors.SafetensorError,
    ) as error:  # fmt: skip
        reason = (str(error).splitlines() or [''])[0]
        raise DamagedError(f'{folder} is damaged: {type(error).__name__}: {reason}') from None
    if model is not None and owner != model:
        raise InputError(f'{folder} has {kind} of another generator: of {owner[:8]}, and this is {model[:8]}')
    return found


def _read(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f'{path.name} is larger than {MOST_BYTES:,} bytes')
    return path.read_bytes()
