"""Bounds of whole numbers: below them nothing works, above them no machine has the memory, or a program the time."""

import dataclasses
from typing import Any

from jaxgan.errors import InputError

MOST = 65_536  # of what is the side of an array: four such sides still have a product below 2^64, which XLA needs
MOST_LAYERS = 128
MOST_OF_ALL = 2**53  # what a float can hold exactly
LAYERS = frozenset(
    {'depth', 'd_depth', 'mapping_layers', 'd_mapping_layers', 'blocks_per_stage', 'd_blocks_per_stage'}
)
COUNTED = frozenset(  # in images or steps: sides of no array
    {
        'ada_images',
        'apa_images',
        'burn_in',
        'images',
        'seed',
        'log_every',
        'sample_every',
        'checkpoint_every',
        'keep',
        'every',
        'lazy',
        'channel_base',
    }
)


def check_counts(prefix: str, record: Any, lowest: dict[str, int]) -> None:
    """Check every whole number of a record: at least 1, or 0 where that is the default, or what ``lowest`` says.

    Raises:
        InputError: names the first that is too small or too large.
    """
    for spec in dataclasses.fields(record):
        value = getattr(record, spec.name)
        bound = lowest.get(spec.name, 0 if spec.default == 0 else 1)
        if isinstance(value, tuple) and len(value) > MOST_LAYERS:
            raise InputError(f'{prefix}{spec.name} has {len(value)} values (at most {MOST_LAYERS})')
        for number in value if isinstance(value, tuple) else (value,):
            if type(number) is int:
                check_count(f'{prefix}{spec.name}', number, bound)


def check_count(name: str, number: int, lowest: int) -> None:
    """Check one whole number, by the last part of its name.

    Raises:
        InputError: it is too small or too large.

    >>> check_count('model.width', 10**9, 1)
    Traceback (most recent call last):
    jaxgan.errors.InputError: model.width 1000000000 must be at most 65536
    """
    if number < lowest:
        raise InputError(f'{name} {number} must be at least {lowest}')
    most = most_of(name.rsplit('.', 1)[-1])
    if number > most:
        raise InputError(f'{name} {number} must be at most {most}')


def most_of(name: str) -> int:
    """Tell the most that a whole number of this name may be."""
    if name in LAYERS:
        return MOST_LAYERS
    return MOST_OF_ALL if name in COUNTED else MOST
