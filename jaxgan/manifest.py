"""Manifests: the name, form and SHA-256 of each leaf of a tree, to say exactly what is wrong with a stored one."""

import hashlib
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import DamagedError, DivergedError, InputError
from jaxgan.version import __version__

RECORD = 'record.json'
SCHEMA = 1  # of what is stored beside a tree; every older one can be read

Manifest = dict[str, list]  # leaf name -> [dtype, shape, SHA-256]
SHOWN = 3  # leaves that an error names


class Record(NamedTuple):
    """What is stored beside a tree."""

    schema: int
    meta: dict
    leaves: Manifest


def leaves_on_host(tree: Any) -> dict[str, tuple[list, np.ndarray]]:
    """Fetch the leaves of a tree: name -> ``[dtype, shape]`` and the values (of a typed key, its numbers)."""
    return {name: (_form(leaf), _values(leaf)) for name, leaf in named_leaves(tree).items()}


def make_record(leaves: dict[str, tuple[list, np.ndarray]], meta: dict) -> dict:
    """Put together what is stored beside a tree: its manifest, ``meta`` (JSON), and a SHA-256 over all of it."""
    manifest = {name: [*form, _digest(values)] for name, (form, values) in leaves.items()}
    record = {'schema': SCHEMA, 'jaxgan': __version__, 'meta': meta, 'leaves': manifest}
    return record | {'sha256': _digest_json(record)}


def read_record(text: str, name: str) -> Record:
    """Take a record apart, verified.

    Records without a schema, which have a digest of ``meta`` alone, are those of jaxgan 0.1.0 before it counted them.

    Raises:
        DamagedError: it is not what was written.
        InputError: a newer jaxgan wrote it.
    """
    try:
        record = json.loads(text)
        schema = record.get('schema', 0)
        if 'sha256' in record:
            content = {key: value for key, value in record.items() if key != 'sha256'}
            whole = record['sha256'] == _digest_json(content) and type(schema) is int
            newer = whole and schema > SCHEMA
        else:
            whole, newer = record['meta_sha256'] == _digest_json(record['meta']), False
        if not newer:
            whole = (
                whole and isinstance(record['meta'], dict) and all(map(_is_entry, record['leaves'].values()))
            )
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise DamagedError(f'{name} is damaged: its {RECORD} cannot be read') from None
    if not whole:
        raise DamagedError(f'{name} is damaged: its {RECORD} is not what was saved')
    if newer:
        raise InputError(
            f'{name} was written by jaxgan {record.get("jaxgan")} in schema {schema}; '
            f'this jaxgan {__version__} reads up to {SCHEMA}'
        )
    return Record(schema, record['meta'], record['leaves'])


def check_finite(leaves: dict[str, tuple[list, np.ndarray]], name: str) -> None:
    """Refuse a tree with a number that is not finite.

    Raises:
        DivergedError: names the first leaf that has one.
    """
    for leaf, (form, values) in leaves.items():
        if jnp.issubdtype(values.dtype, jnp.inexact) and not np.isfinite(values).all():
            raise DivergedError(f'{name} is not saved: {leaf} ({_show(form)}) has values that are not finite')


def check_fit(manifest: Manifest, like: Any, name: str) -> None:
    """Check that a stored tree has the leaves of ``like``, and no others, in their shapes and dtypes.

    Raises:
        InputError: names up to three leaves that differ, as they are there and here.
    """
    here = {leaf: _form(value) for leaf, value in named_leaves(like).items()}
    there = {leaf: entry[:2] for leaf, entry in manifest.items()}
    wrong = [leaf for leaf in here | there if here.get(leaf) != there.get(leaf)]
    if wrong:
        pairs = [(leaf, _show(there.get(leaf)), _show(here.get(leaf))) for leaf in wrong[:SHOWN]]
        shown = '; '.join(f'{leaf} is {stored} there, {wanted} here' for leaf, stored, wanted in pairs)
        more = f'; and {len(wrong) - SHOWN} more' if len(wrong) > SHOWN else ''
        raise InputError(f'{name} does not fit: {shown}{more}')


def verify(tree: Any, manifest: Manifest, name: str) -> None:
    """Compare every leaf with its SHA-256.

    Raises:
        DamagedError: names the first leaf that differs.
    """
    wrong = differing(tree, manifest)
    if wrong:
        raise DamagedError(f'{name} is damaged: the bytes of {wrong[0]} do not match their SHA-256')


def differing(tree: Any, manifest: Manifest) -> list[str]:
    """List the leaves that do not match their SHA-256, or that the manifest does not have."""
    return [
        leaf
        for leaf, value in named_leaves(tree).items()
        if leaf not in manifest or _digest(_values(value)) != manifest[leaf][2]
    ]


def named_leaves(tree: Any) -> dict[str, Any]:
    """Name the leaves of a tree by their path, attributes and keys and indices alike.

    >>> named_leaves({'params': [{'w': 1}, {'w': 2}]})
    {'params/0/w': 1, 'params/1/w': 2}
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = {jax.tree_util.keystr(path, simple=True, separator='/'): leaf for path, leaf in leaves}
    if len(named) != len(leaves):
        raise ValueError("two leaves have one name: the keys of a tree may not contain '/'")
    return named


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 3


def _form(leaf: Any) -> list:
    return [str(leaf.dtype), list(leaf.shape)]


def _show(form: list | None) -> str:
    return 'missing' if form is None else f'{form[0]} {form[1]}'


def _values(leaf: Any) -> np.ndarray:
    is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.ascontiguousarray(jax.random.key_data(leaf) if is_key else leaf)


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.reshape(-1).view(np.uint8).data).hexdigest()


def _digest_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
