"""Read what ``torch.save`` wrote, in both its formats: a zip file (PyTorch 1.6 and later), and the run of pickles before.

In each a pickle names tensors as views of numbered runs of numbers, which lie beside it as plain bytes.
"""

import io
import math
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import InputError
from jaxgan.metrics.pickles import DTYPES, MOST_AXES, Word, flat, interpret, is_size

LEGACY = (
    b'\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.'  # the older format begins with this pickle
)
PROTOCOL = 1001

_STORAGES = {
    f'torch.{name}Storage': DTYPES[kind]
    for name, kind in {
        'Double': 'F64', 'Float': 'F32', 'Half': 'F16', 'BFloat16': 'BF16',
        'Long': 'I64', 'Int': 'I32', 'Byte': 'U8', 'Bool': 'BOOL',
    }.items()
}  # fmt: skip


class _Storage(NamedTuple):
    """A run of numbers in the file, by the name that its pickle gives it."""

    key: str
    dtype: np.dtype
    count: int


class _Tensor(NamedTuple):
    """Which numbers of a storage make a tensor."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_zip(data: bytes) -> dict[str, np.ndarray]:
    """Read the zip format.

    Raises:
        InputError: it is another zip file, or damaged, or compressed (so a small file cannot grow).
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if sum(entry.file_size for entry in entries.values()) > len(data):
            raise InputError('its parts are larger than the file')
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise InputError('its parts are compressed, which torch.save never does')
        folder = next((name.removesuffix('data.pkl') for name in entries if name.endswith('/data.pkl')), None)
        if folder is None:
            raise InputError('it is a zip file without data.pkl: not of torch.save')
        if f'{folder}byteorder' in entries and archive.read(f'{folder}byteorder') != b'little':
            raise InputError('it was saved on a machine whose byte order is not little-endian')
        tree = _torch_tree(io.BytesIO(archive.read(f'{folder}data.pkl')))

        def numbers(storage: _Storage) -> bytes:
            name = f'{folder}data/{storage.key}'
            if name not in entries:
                raise InputError(f'{name} is missing')
            return archive.read(name)

        return _views(tree, numbers)


def read_legacy(data: bytes) -> dict[str, np.ndarray]:
    """Read the older format: pickles of a magic number, a protocol, a machine, the state dict and its runs; then the runs.

    Raises:
        InputError: it is damaged, or of another protocol or byte order.
    """
    stream = io.BytesIO(data)
    _, protocol, machine = (interpret(stream, {}) for _ in range(3))
    if protocol != PROTOCOL or not isinstance(machine, dict) or machine.get('little_endian') is not True:
        raise InputError(f'its protocol of torch.save is not {PROTOCOL}, or its byte order not little-endian')
    storages: dict[str, _Storage] = {}
    tree = _torch_tree(stream, storages)
    parts: dict[str, bytes] = {}
    keys = interpret(stream, {})
    if not isinstance(keys, list):
        raise InputError('it does not list its runs of numbers')
    for key in keys:
        if not isinstance(key, str) or key not in storages:
            raise InputError('it holds numbers that no tensor uses')
        count = int.from_bytes(stream.read(8), 'little')
        if count != storages[key].count:
            raise InputError(f'its numbers {key!r} are {count}, and {storages[key].count} were announced')
        parts[key] = stream.read(count * storages[key].dtype.itemsize)
    return _views(tree, lambda storage: parts.get(storage.key, b''))


def _torch_tree(stream: io.BytesIO, storages: dict[str, _Storage] | None = None) -> Any:
    """Read the pickle of a state dict; tensors become ``_Tensor``."""

    def storage(identifier: Any) -> _Storage:
        kind, word, key, _, count, *_ = identifier
        if kind != 'storage' or not isinstance(word, Word) or not isinstance(key, str) or not is_size(count):
            raise ValueError('a storage without name or size')
        made = _Storage(key, _STORAGES[word.name], count)
        return made if storages is None else storages.setdefault(made.key, made)

    calls = {
        'collections.OrderedDict': lambda *items: dict(*items),
        'torch._utils._rebuild_tensor_v2': _tensor,
        'torch._utils._rebuild_parameter': lambda data, *_: data,
    }
    return interpret(stream, calls, _STORAGES, storage)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage) or not is_size(offset):
        raise ValueError('a tensor without numbers')
    if not (
        isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides) <= MOST_AXES
    ):
        raise ValueError('a tensor without shape and strides')
    if not all(map(is_size, (*shape, *strides))):
        raise ValueError('a tensor whose shape or strides are no sizes')
    return _Tensor(storage, offset, shape, strides)


def _views(tree: Any, numbers: Callable[[_Storage], bytes]) -> dict[str, np.ndarray]:
    """Look at the numbers as tensors; each lies within its storage, or it is an error."""
    found: dict[str, np.ndarray] = {}
    runs: dict[_Storage, np.ndarray] = {}
    for name, tensor in flat(tree, _Tensor).items():
        storage, offset, shape, strides = tensor
        if storage not in runs:
            data = numbers(storage)
            if len(data) != storage.count * storage.dtype.itemsize:
                raise InputError(
                    f'the numbers of {name} are {len(data):,} bytes, and {storage.count:,} of {storage.dtype} were announced'
                )
            runs[storage] = np.frombuffer(data, storage.dtype)
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
        if math.prod(shape) > storage.count or (math.prod(shape) and last >= storage.count):
            raise InputError(f'{name} {shape} reaches beyond its {storage.count:,} numbers')
        bytes_apart = [step * storage.dtype.itemsize for step in strides]
        found[name] = np.lib.stride_tricks.as_strided(
            runs[storage][offset:], shape, bytes_apart, writeable=False
        )
    return found
