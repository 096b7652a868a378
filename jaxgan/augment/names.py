"""The names of ADA's transformations, of their groups and of the sets of groups that the paper abbreviates."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jaxgan.errors import InputError, unknown

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        'blit': ('xflip', 'rotate90', 'xint'),
        'geometric': ('scale', 'rotate', 'aniso', 'xfrac'),
        'color': ('brightness', 'contrast', 'lumaflip', 'hue', 'saturation'),
        'filter': ('imgfilter',),
        'noise': ('noise',),
        'cutout': ('cutout',),
    }
)
TRANSFORMATIONS: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)
SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        'b': ('blit',),
        'bg': ('blit', 'geometric'),
        'bgc': ('blit', 'geometric', 'color'),
        'bgcf': ('blit', 'geometric', 'color', 'filter'),
        'bgcfn': ('blit', 'geometric', 'color', 'filter', 'noise'),
        'bgcfnc': ('blit', 'geometric', 'color', 'filter', 'noise', 'cutout'),
    }
)


def strengths(parts: str | Sequence[str] | Mapping[str, float | int]) -> dict[str, float]:
    """Read which transformations are wanted, and by what each one's probability is multiplied.

    Args:
        parts: names of transformations, of groups or of sets, each as it is or with a multiplier after a colon; or a
            mapping from such names to multipliers. A later part overrides an earlier one.

    Returns:
        Multipliers of the transformations named, in [0, 1].

    Raises:
        InputError: a name is unknown, or a multiplier is no number in [0, 1].

    >>> strengths(['xflip', 'color:0.5', 'hue:0'])  # doctest: +NORMALIZE_WHITESPACE
    {'xflip': 1.0, 'brightness': 0.5, 'contrast': 0.5, 'lumaflip': 0.5, 'hue': 0.0, 'saturation': 0.5}
    """
    if isinstance(parts, Mapping):
        pairs = [(name, float(multiplier)) for name, multiplier in parts.items()]
    else:
        pairs = [_parse(part) for part in ([parts] if isinstance(parts, str) else parts)]
    found: dict[str, float] = {}
    for name, multiplier in pairs:
        if not 0.0 <= multiplier <= 1.0:
            raise InputError(f'augmentation {name}: multiplier {multiplier} must be in [0, 1]')
        found |= dict.fromkeys(_members(name), multiplier)
    return found


def _parse(part: str) -> tuple[str, float]:
    name, colon, multiplier = part.partition(':')
    try:
        return name, float(multiplier) if colon else 1.0
    except ValueError:
        return name, math.nan


def _members(name: str) -> tuple[str, ...]:
    groups = SETS.get(name, (name,))
    found = tuple(member for group in groups for member in GROUPS.get(group, (group,)))
    if not set(found) <= set(TRANSFORMATIONS):
        raise unknown('augmentation', name, dict.fromkeys((*SETS, *GROUPS, *TRANSFORMATIONS)))
    return found
