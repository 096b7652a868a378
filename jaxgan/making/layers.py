"""Which values of a code belong to which layers of a generator."""

import re

import numpy as np

from jaxgan.errors import InputError
from jaxgan.opened import Generator


def choose_layers(generator: Generator, space: str, text: str, code: tuple[int, ...]) -> np.ndarray:
    """Turn a list of layers into truth values that broadcast to a code.

    Args:
        generator: whose layers they are.
        space: 'w+', or 'z' of a generator whose latent is cut into parts for its layers.
        text: such as '4-', '0-3', '2' or '0,2-3'.
        code: the shape of one code.

    Returns:
        [layers, 1] for w+, [Z] for z.

    Raises:
        InputError: there are no such layers.
    """
    if space == 'w+':
        return parse_layers(text, code[0])[:, None]
    if generator.parts == 1 or space != 'z':
        kind = generator.card['architecture']['kind']
        raise InputError(
            f'layers {text}: in {space} a code of this generator ({kind}) is one for all its layers'
            + ('; take --space w+' if space == 'w' else ', so leave --layers out')
        )
    return np.repeat(parse_layers(text, generator.parts), code[0] // generator.parts)


def parse_layers(text: str, count: int) -> np.ndarray:
    """Read a list of layers, numbered from 0: truth values, [count].

    >>> parse_layers('0,2-', 4).tolist()
    [True, False, True, True]

    Raises:
        InputError: the text is no such list, or names a layer that is not there.
    """
    chosen = np.zeros(count, bool)
    for part in text.split(','):
        match = re.fullmatch(r'([0-9]{1,4})(?:(-)([0-9]{1,4})?)?', part.strip())
        if not match:
            raise InputError(
                f"cannot read layers at {part!r}; wanted numbers and ranges like '0-3,6' or '4-'"
            )
        first = int(match[1])
        last = int(match[3]) if match[3] else count - 1 if match[2] else first
        if not first <= last < count:
            raise InputError(f'layers {part.strip()!r} must ascend and lie in 0..{count - 1}')
        chosen[first : last + 1] = True
    return chosen
