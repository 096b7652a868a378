"""Read files of weights without running anything they say: safetensors, PyTorch's two formats, pickles of NumPy arrays.

Nothing is copied beyond the file itself: arrays are views of its bytes, checked to lie within them, so a file cannot ask
for more memory than it is long. What it holds is checked against the names and shapes that a network needs by ``check``.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors

from jaxgan.errors import InputError, unknown
from jaxgan.metrics.pickles import DTYPES, MOST_AXES, Built, flat, interpret, is_size
from jaxgan.metrics.torchfiles import LEGACY, read_legacy, read_zip

MOST_BYTES = 2**31  # the largest file that is read; DINOv2 ViT-L/14 has 1.2 GB

_DAMAGE = (  # what the readers of zip files and of safetensors raise, with ours
    ValueError, ArithmeticError, LookupError, EOFError, OSError, RuntimeError, MemoryError,
    struct.error, zipfile.BadZipFile, safetensors.SafetensorError,
)  # fmt: skip


class Weights(NamedTuple):
    """What a file of weights holds."""

    tensors: dict[str, np.ndarray]
    """By name; those of nested dicts are joined by '/'. Read-only views of the file's bytes, in the file's dtypes."""
    digest: str
    """SHA-256 of the file, hexadecimal."""


def read_weights(path: str | Path, most_bytes: int = MOST_BYTES) -> Weights:
    """Read a file of weights in whichever of the known formats it is; nothing in it is executed.

    Args:
        path: a safetensors file, what ``torch.save`` wrote of a state dict (zip, or the older format), or a pickle of
            nested dicts of NumPy arrays.
        most_bytes: a longer file is refused unread.

    Raises:
        InputError: it cannot be read, is none of these, is damaged, or asks for more than data.
    """
    path = Path(path)
    data = _bytes_of(path, most_bytes)
    try:
        tensors = _reader(data)(data)
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise InputError(f'{path} cannot be read as weights: {reason}') from error
    if not tensors:
        raise InputError(f'{path} holds no tensors')
    return Weights(tensors, hashlib.sha256(data).hexdigest())


def check(
    tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], where: str, spare: Any = ()
) -> dict[str, np.ndarray]:
    """Check that tensors are those of a network, and finite; return them as float32.

    Args:
        tensors: what a file holds, by name.
        shapes: what the network needs, by name.
        where: the file, for messages.
        spare: endings of names that may be there and are ignored.

    Raises:
        InputError: one is missing, of another shape, not finite, no float, or not known.

    >>> sorted(check({'a': np.ones(2, np.float16), 'a.count': np.ones(1)}, {'a': (2,)}, 'x.pth', ('.count',)))
    ['a']
    >>> check({'b': np.ones(2)}, {'a': (2,)}, 'x.pth')
    Traceback (most recent call last):
    jaxgan.errors.InputError: x.pth: unknown tensor 'b' (allowed: a)
    """
    for name in tensors:
        if name not in shapes and not name.endswith(tuple(spare)):
            raise _short(InputError(f'{where}: {unknown("tensor", name, shapes)}'))
    found = {}
    for name, shape in shapes.items():
        if name not in tensors:
            raise InputError(
                f'{where} lacks {len(set(shapes) - set(tensors))} tensors, such as {name} {shape}'
            )
        value = tensors[name]
        if value.shape != shape:
            raise InputError(f'{where}: {name} has the shape {value.shape}, and {shape} is needed')
        if value.dtype.kind != 'f' and value.dtype != DTYPES['BF16']:
            raise InputError(f'{where}: {name} is {value.dtype}, and floats are needed')
        found[name] = np.asarray(value, np.float32)
        if not np.isfinite(found[name]).all():
            raise InputError(f'{where}: {name} has values that are not finite')
    return found


def _short(error: InputError) -> InputError:
    text = str(error)
    return error if len(text) <= 400 else InputError(text[:400].rsplit(', ', 1)[0] + ', ...)')


def _bytes_of(path: Path, most_bytes: int) -> bytes:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f'{path} is no file but a pipe or a device')
        size = path.stat().st_size
        if size > most_bytes:
            raise InputError(
                f'{path} has {size:,} bytes, more than the {most_bytes:,} that are read as weights'
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error


def _reader(data: bytes) -> Callable[[bytes], dict[str, np.ndarray]]:
    if data[:4] == b'PK\x03\x04':
        return read_zip
    if data.startswith(LEGACY):
        return read_legacy
    if data[8:9] == b'{':
        return _safetensors
    if data[:1] == b'\x80':
        return _numpy_pickle
    if data[257:262] == b'ustar':
        raise InputError('it is a tar archive (PyTorch before 0.1.10); load and save it with a later PyTorch')
    raise InputError('it is neither safetensors, nor of torch.save, nor a pickle of arrays')


def _safetensors(data: bytes) -> dict[str, np.ndarray]:
    found = {}
    for name, entry in safetensors.deserialize(data):
        if entry['dtype'] not in DTYPES:
            raise unknown('dtype', entry['dtype'], DTYPES)
        found[name] = np.frombuffer(entry['data'], DTYPES[entry['dtype']]).reshape(entry['shape'])
    return found


class _Dtype(Built):
    def __init__(self, code: Any, *_: Any):
        self.code, self.order = code, '|'

    def build(self, state: Any) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype:
        if not isinstance(self.code, str) or not isinstance(self.order, str):
            raise ValueError('a dtype that is no text')
        found = np.dtype(f'{self.order}{self.code}')
        if found not in DTYPES.values():
            raise unknown('dtype', found.str, [kind.str for kind in DTYPES.values()])
        return found


class _Array(Built):
    def __init__(self, *_: Any):
        self.value: np.ndarray | None = None

    def build(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Dtype) or not isinstance(data, bytes) or not _is_shape(shape):
            raise ValueError('an array that is no plain array of numbers')
        self.value = np.frombuffer(data, kind.dtype()).reshape(shape, order='F' if fortran else 'C')


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= MOST_AXES and all(map(is_size, value))


def _numpy_pickle(data: bytes) -> dict[str, np.ndarray]:
    calls: dict[str, Callable] = {'numpy.dtype': _Dtype}
    calls |= {f'numpy.{core}.multiarray._reconstruct': _Array for core in ('core', '_core')}
    tree = interpret(io.BytesIO(data), calls, ('numpy.ndarray',))
    found = {name: array.value for name, array in flat(tree, _Array).items()}
    return {name: value for name, value in found.items() if value is not None}
