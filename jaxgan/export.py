"""Exports: a generator as a folder that anyone can read, without jaxgan and without pickle.

FOLDER/generator.safetensors    every leaf of params and aux, named 'params/...' and 'aux/...'
FOLDER/generator.json           the card: what the maker says of it, and what a reader verifies
FOLDER/*.stablehlo, sample.py   of ``--format jax``: programs that sample without jaxgan
FOLDER/copies.safetensors       where the run has one: the index of its training images, for ``sample --reject-copies``
FOLDER/*.onnx                   of ``--format onnx``, beside the card alone: programs that hold the weights
FOLDER/MODEL_CARD.md, dataset.croissant.json    what the run's files say of the training and its data, where the run has them
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from jaxgan.errors import DamagedError, InputError, unknown
from jaxgan.files import replacing_folder
from jaxgan.strictjson import read_json
from jaxgan.version import __version__

FORMAT_VERSION = 1
DEEPEST = 64  # parts of a name
TENSORS, CARD = 'generator.safetensors', 'generator.json'
DOCUMENTS = ('MODEL_CARD.md', 'dataset.croissant.json')
WITHOUT_DATA_CARD = 'this generator comes without a data card'
COPY_INDEX = 'copies.safetensors'
PROGRAMS = ('sample', 'generator', 'mapping', 'synthesis')
BESIDE = frozenset(  # what an export may hold besides
    {'sample.py', COPY_INDEX, *(f'{name}.{kind}' for name in PROGRAMS for kind in ('stablehlo', 'onnx'))}
)
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
DTYPES: dict[str, np.dtype] = {  # safetensors' names
    name: np.dtype(kind)
    for name, kind in {
        'BOOL': np.bool_, 'I8': np.int8, 'I16': np.int16, 'I32': np.int32, 'I64': np.int64,
        'U8': np.uint8, 'U16': np.uint16, 'U32': np.uint32, 'U64': np.uint64,
        'F16': np.float16, 'BF16': ml_dtypes.bfloat16, 'F32': np.float32, 'F64': np.float64,
    }.items()
}  # fmt: skip


class Export(NamedTuple):
    """An exported generator: nested dicts of NumPy arrays, and its card."""

    params: dict
    aux: dict
    card: dict


def save_export(
    folder: str | Path,
    params: dict,
    aux: dict,
    card: dict,
    files: Mapping[str, bytes] = NO_FILES,
    documents: Mapping[str, bytes] = NO_FILES,
) -> Path:
    """Write a generator as a folder, whole or not at all.

    Args:
        folder: is made; may be empty, or an older export, which is replaced once the new one is complete.
        params: nested dicts of arrays; empty dicts are dropped.
        aux: the same; ``{}`` for most networks.
        card: JSON of the caller's; ``format_version``, ``jaxgan``, ``sha256``, ``tensors`` and ``files`` are set here.
        files: programs that use the weights, by the names in ``BESIDE``.
        documents: for people, by the names in ``DOCUMENTS``; they may be edited later, and are not verified.

    Returns:
        The folder.

    Raises:
        InputError: the folder holds other files or cannot be written, or the trees are no dicts of arrays.
    """
    check_target(folder)
    tensors = flatten({'params': params, 'aux': aux})
    data = safetensors.numpy.save(tensors)
    full = card | {'sha256': hashlib.sha256(data).hexdigest(), 'tensors': _describe(tensors)}
    return save_files(folder, full, {TENSORS: data, **documents}, files)


def save_files(
    folder: str | Path, card: dict, weights: Mapping[str, bytes], files: Mapping[str, bytes]
) -> Path:
    """Write files and their card as a folder, whole or not at all; the card lists the SHA-256 of ``files`` alone."""
    target = Path(folder).absolute()
    check_target(target)
    full = {name: value for name, value in card.items() if name != 'files'}
    full |= {'format_version': FORMAT_VERSION, 'jaxgan': __version__}
    if files:
        full['files'] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    text = json.dumps(full, indent=2, allow_nan=False) + '\n'
    with _one_line(f'export {target} cannot be written'), replacing_folder(target) as temporary:
        for name, content in {**weights, **files, CARD: text.encode()}.items():
            (temporary / name).write_bytes(content)
    return target


def load_export(folder: str | Path) -> Export:
    """Read an exported generator and verify it.

    Raises:
        InputError: there is none, its format is another, or its files are not what was saved.
    """
    folder = Path(folder).absolute()
    name = f'export {folder}'
    if (folder / 'generator.onnx').is_file() and not (folder / TENSORS).exists():
        raise InputError(
            f'{folder} is an export to ONNX, for other programs: jaxgan reads runs, and exports to safetensors or jax'
        )
    for part, kind in ((CARD, InputError), (TENSORS, DamagedError)):
        if not (folder / part).is_file():
            raise kind(f'{folder} is no exported generator: {part} is missing')
    try:
        card = read_json(folder / CARD)
    except InputError as error:
        raise DamagedError(f'{name} is damaged: {error}') from None
    with _one_line(f'{name} is damaged: it cannot be read', DamagedError):
        data = (folder / TENSORS).read_bytes()
    version = card.get('format_version') if isinstance(card, dict) else None
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise InputError(f'{name} has format_version {version!r}; this jaxgan reads {FORMAT_VERSION}')
    if hashlib.sha256(data).hexdigest() != card.get('sha256'):
        raise DamagedError(f'{name} is damaged: {TENSORS} does not match its SHA-256')
    _check_files(folder, card.get('files', {}), name)
    tensors, tree = read_tensors(data, name)
    if _describe(tensors) != card.get('tensors'):
        raise DamagedError(f'{name} is damaged: {CARD} lists other tensors than {TENSORS} holds')
    return Export(tree.get('params', {}), tree.get('aux', {}), card)


def has_data_card(folder: Path) -> bool:
    """Say whether a run's folder, or an export's, has a card for people."""
    return (folder / DOCUMENTS[0]).is_file()


def _check_files(folder: Path, digests: Any, name: str) -> None:
    """Verify the programs beside the weights, which jaxgan itself does not run."""
    if not isinstance(digests, dict) or not BESIDE.issuperset(digests):
        raise DamagedError(f'{name} is damaged: {CARD} lists files that no export has')
    for file, digest in digests.items():
        with _one_line(f'{name} is damaged: {file} cannot be read', DamagedError):
            found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        if found != digest:
            raise DamagedError(f'{name} is damaged: {file} does not match its SHA-256')


def read_tensors(data: bytes, name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Read safetensors, by name and as nested dicts.

    Raises:
        DamagedError: it is something else, or holds other things than ``params`` and ``aux``.
    """
    with _one_line(f'{name} is damaged: it cannot be read', DamagedError):
        tensors = _load(data)
        return tensors, unflatten(tensors)


def flatten(tree: dict, prefix: str = '') -> dict[str, np.ndarray]:
    """Name the leaves of nested dicts by their path.

    >>> list(flatten({'params': {'dense': {'bias': np.zeros(2)}}}))
    ['params/dense/bias']

    Raises:
        InputError: a node is no dict with string keys, or a leaf no array of numbers.
    """
    found: dict[str, np.ndarray] = {}
    for key, value in tree.items():
        path = f'{prefix}{key}'
        if not isinstance(key, str) or not key or '/' in key:
            raise InputError(f"cannot export {path}: names must be strings without '/'")
        if isinstance(value, dict):
            found |= flatten(value, f'{path}/')
            continue
        dtype = getattr(value, 'dtype', None)
        if dtype is None or dtype not in DTYPES.values():
            kind = type(value).__name__ if dtype is None else dtype
            raise InputError(f'cannot export {path}: {kind} is neither a dict nor an array of numbers')
        # C order: safetensors writes the memory as it lies
        found[path] = np.asarray(value, order='C')
    return found


def unflatten(tensors: dict[str, Any]) -> dict:
    """Undo ``flatten``.

    >>> unflatten({'params/dense/bias': 0})
    {'params': {'dense': {'bias': 0}}}

    Raises:
        ValueError: one name is both a leaf and a part of another.
    """
    tree: dict = {}
    for path, value in tensors.items():
        *parents, last = path.split('/')
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ValueError(f'{parent} in {path} is a tensor and a folder of tensors')
        if last in node:
            raise ValueError(f'{path} is a tensor and a folder of tensors')
        node[last] = value
    return tree


def _load(data: bytes) -> dict[str, np.ndarray]:
    """Read safetensors; its own reader for NumPy does not know bfloat16."""
    found = {}
    for name, entry in safetensors.deserialize(data):
        if entry['dtype'] not in DTYPES:
            raise unknown(f'dtype of {name}', entry['dtype'], DTYPES)
        parts = name.split('/')
        if parts[0] not in ('params', 'aux') or not 1 < len(parts) <= DEEPEST:
            raise ValueError(f'the tensor {name!r} belongs to neither params nor aux')
        found[name] = np.frombuffer(entry['data'], DTYPES[entry['dtype']]).reshape(entry['shape'])
    return found


def _describe(tensors: dict[str, np.ndarray]) -> dict[str, dict]:
    return {
        name: {'shape': list(value.shape), 'dtype': value.dtype.name}
        for name, value in sorted(tensors.items())
    }


def check_target(folder: str | Path) -> None:
    """Check that a folder may become an export.

    Raises:
        InputError: it is a file, or holds other files.
    """
    target = Path(folder).absolute()
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f'cannot export to {target}: it is a file')
    names = {path.name for path in target.iterdir()}
    whole = CARD in names and names & {TENSORS, 'generator.onnx'}
    if names and not (whole and names <= BESIDE | {TENSORS, CARD, *DOCUMENTS}):
        raise InputError(f'cannot export to {target}: it holds other files; name a new folder')


@contextlib.contextmanager
def _one_line(problem: str, kind: type[InputError] = InputError) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise kind(f'{problem}: {reason.splitlines()[0]}') from error
