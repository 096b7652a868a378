"""Configurations as JSON: exact, strict, and comparable."""

import dataclasses
import json
import types
import typing
from typing import Any, Literal

from jaxgan.config import Config
from jaxgan.errors import InputError, unknown
from jaxgan.modelconfig import DCGAN, KINDS, Model

PRESENTATION = frozenset(
    {
        'images',
        'log_every',
        'sample_every',
        'checkpoint_every',
        'keep',
        'keep_every',
        'steps_per_dispatch',
        'evaluation',
    }
)
"""Fields that may change when a run continues: they do not touch what a step computes."""


def to_dict(config: Any) -> Any:
    """Turn a configuration into JSON values; a model carries its ``kind``."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        kind = dict([('kind', name) for name, cls in KINDS.items() if type(config) is cls])
        return kind | {f.name: to_dict(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, tuple):
        return [to_dict(item) for item in config]
    return config


def to_json(config: Config) -> str:
    """Write a configuration as JSON text."""
    return json.dumps(to_dict(config), indent=2) + '\n'


def from_dict(values: Any, cls: Any = Config, where: str = 'config') -> Any:
    """Read a configuration back from JSON values; ``from_dict(to_dict(c)) == c``.

    Raises:
        InputError: an unknown key, a missing model kind, or a value of another type, with where it stands.
    """
    if isinstance(cls, types.UnionType) and DCGAN in typing.get_args(cls):
        return _model(values, where)
    if dataclasses.is_dataclass(cls):
        return _record(values, cls, where)
    origin, args = typing.get_origin(cls), typing.get_args(cls)
    if origin is tuple:
        return _sequence(values, args, where)
    if origin in (types.UnionType, typing.Union):
        return (
            None if values is None else from_dict(values, next(a for a in args if a is not type(None)), where)
        )
    if origin is Literal:
        if values not in args:
            raise unknown(where, values, args)
        return values
    if cls is float and type(values) is int:
        return float(values)
    if type(values) is not cls:
        raise InputError(f'{where} {values!r} must be {getattr(cls, "__name__", cls)}')
    return values


def _model(values: Any, where: str) -> Model:
    if not isinstance(values, dict) or values.get('kind') not in KINDS:
        found = values.get('kind') if isinstance(values, dict) else values
        raise unknown(f'{where} kind', found, KINDS)
    rest = {name: value for name, value in values.items() if name != 'kind'}
    return _record(rest, KINDS[values['kind']], where)


def _record(values: Any, cls: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise InputError(f'{where} {values!r} must be an object')
    hints = typing.get_type_hints(cls)
    for name in values:
        if name not in hints:
            raise unknown(f'{where} key', name, hints)
    return cls(**{name: from_dict(value, hints[name], f'{where}.{name}') for name, value in values.items()})


def _sequence(values: Any, args: tuple, where: str) -> tuple:
    if not isinstance(values, list | tuple):
        raise InputError(f'{where} {values!r} must be a list')
    if args[-1] is Ellipsis:
        args = (args[0],) * len(values)
    if len(values) != len(args):
        raise InputError(f'{where} {list(values)!r} must have {len(args)} values')
    return tuple(from_dict(v, a, f'{where}[{i}]') for i, (v, a) in enumerate(zip(values, args, strict=True)))


def differences(old: Config, new: Config) -> list[str]:
    """List the fields in which two configurations differ and that may not change in a run: ``name: old -> new``."""
    a, b = _flat(to_dict(old)), _flat(to_dict(new))
    names = [
        name for name in {**a, **b} if name.split('.')[0] not in PRESENTATION and a.get(name) != b.get(name)
    ]
    return [f'{name}: {a.get(name)} -> {b.get(name)}' for name in names]


def _flat(values: Any, prefix: str = '') -> dict[str, Any]:
    if isinstance(values, dict):
        parts = [_flat(value, f'{prefix}.{name}' if prefix else name) for name, value in values.items()]
        return {name: value for part in parts for name, value in part.items()}
    return {prefix: values}
