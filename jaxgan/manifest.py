"""Manifests: the name, form and SHA-256 of each leaf of a tree, to say exactly what is wrong with a stored one."""

import hashlib
import json
from typing import Any

import jax
import numpy as np

from jaxgan.errors import InputError

Manifest = dict[str, list]  # leaf name -> [dtype, shape, SHA-256]
SHOWN = 3  # leaves that an error names


def leaves_on_host(tree: Any) -> dict[str, tuple[list, np.ndarray]]:
    """Fetch the leaves of a tree: name -> ``[dtype, shape]`` and the values (of a typed key, its numbers)."""
    return {name: (_form(leaf), _values(leaf)) for name, leaf in named_leaves(tree).items()}


def make_record(leaves: dict[str, tuple[list, np.ndarray]], meta: dict) -> dict:
    """Put together what is stored beside a tree: its manifest, and ``meta`` (JSON) with a SHA-256 of its own."""
    manifest = {name: [*form, _digest(values)] for name, (form, values) in leaves.items()}
    return {'meta': meta, 'meta_sha256': _digest_json(meta), 'leaves': manifest}


def read_record(record: Any, name: str) -> tuple[dict, Manifest]:
    """Take a record apart into its meta, verified, and its manifest.

    Raises:
        InputError: it is not what was written.
    """
    try:
        meta, digest, manifest = record['meta'], record['meta_sha256'], record['leaves']
        whole = isinstance(meta, dict) and digest == _digest_json(meta)
        whole = whole and all(len(entry) == 3 for entry in manifest.values())
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise InputError(f'{name} is damaged: its meta data are not what was saved')
    return meta, manifest


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
        InputError: names the first leaf that differs.
    """
    for leaf, value in named_leaves(tree).items():
        if _digest(_values(value)) != manifest[leaf][2]:
            raise InputError(f'{name} is damaged: the bytes of {leaf} do not match their SHA-256')


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
