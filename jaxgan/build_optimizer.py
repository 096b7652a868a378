"""Make optimizers from a configuration: any of Optax's that takes a learning rate, by its name."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import optax

from jaxgan.config import Optimizer
from jaxgan.errors import InputError, unknown
from jaxgan.optimizers import clip_gradient, clip_weights, lazy_decay, lazy_rate
from jaxgan.schedules import cosine, scheduled


def _is_optimizer(value: Any) -> bool:
    """Whether Optax makes one of a learning rate alone, that needs no more than gradients (no loss, no key)."""
    parameters = list(inspect.signature(value).parameters) if inspect.isfunction(value) else []
    own = parameters[:1] == ['learning_rate'] and not value.__name__.startswith('scale_by_')
    own = own and value is not optax.rprop  # whose rates live in its state: no schedule reaches them
    return own and not {'linesearch', 'key'} & set(parameters)


def _members() -> dict[str, Callable]:
    found = {
        name: value for name, value in sorted(vars(optax).items()) if name[0] != '_' and _is_optimizer(value)
    }
    return {name: value for name, value in found.items() if f'{name}_v2' not in found}  # superseded


OPTIMIZERS: Mapping[str, Callable] = MappingProxyType(_members())
ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {'beta1': 'b1', 'beta2': 'b2', 'eps': 'eps', 'weight_decay': 'weight_decay', 'momentum': 'momentum'}
)
"""Optax's names of an optimizer's fields."""


def build_optimizer(optimizer: Optimizer, burn_in: int) -> optax.GradientTransformation:
    """Make an optimizer whose (start, final) pairs move over the first ``burn_in`` images.

    Gradients are clipped first (``clip``), parameters last (``clip_weights``).

    Raises:
        InputError: there is no such optimizer, or it does not take a field that is set.
    """
    if optimizer.name not in OPTIMIZERS:
        raise unknown('optimizer', optimizer.name, OPTIMIZERS)
    factory = OPTIMIZERS[optimizer.name]
    values = {'learning_rate': cosine(*optimizer.learning_rate, burn_in), **_taken(optimizer, factory)}
    if 'b2' in values:
        values['b2'] = cosine(*optimizer.beta2, burn_in)
    if optimizer.lazy is not None:
        values['learning_rate'] = lazy_rate(values['learning_rate'], optimizer.lazy)
        values |= {name: lazy_decay(values[name], optimizer.lazy) for name in ('b1', 'b2') if name in values}
    parts = [] if optimizer.clip is None else [clip_gradient(optimizer.clip)]
    parts.append(scheduled(factory, **values))
    parts += [] if optimizer.clip_weights is None else [clip_weights(optimizer.clip_weights)]
    return optax.chain(*parts) if len(parts) > 1 else parts[0]


def _taken(optimizer: Optimizer, factory: Callable) -> dict[str, Any]:
    """Gather the arguments that the optimizer's signature has; a field that is set and that it has not is refused."""
    takes = inspect.signature(factory).parameters
    defaults = {field.name: field.default for field in dataclasses.fields(optimizer)}
    found = {}
    for name, argument in ARGUMENTS.items():
        value = getattr(optimizer, name)
        if argument in takes and value is not None:
            found[argument] = value
        elif value != defaults[name]:
            able = [name for name, argument in ARGUMENTS.items() if argument in takes]
            raise InputError(
                f'optimizer {optimizer.name} takes no {name} (given {value}); it takes {", ".join(able) or "none such"}'
            )
    return found
