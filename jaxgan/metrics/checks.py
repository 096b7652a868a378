"""What measures accept: tables of features, finite, of one width, with enough rows."""

from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int

from jaxgan.errors import InputError

Table = Float[Array | np.ndarray, '_ _']  # features [N, D], on the host or on a device
Labels = Int[Array | np.ndarray, ' _']


def table(name: str, features: Any, least: int = 1) -> np.ndarray:
    """Take features to the host as they are: floats [N, D], finite, with at least ``least`` rows.

    >>> table('real', np.zeros((3, 2))).shape
    (3, 2)

    Raises:
        InputError: they are not of that kind; ``name`` says whose they are.
    """
    found = np.asarray(features)
    if found.ndim != 2 or not found.shape[1]:
        raise InputError(f'{name} features of shape {found.shape} (allowed: [samples, features])')
    if len(found) < least:
        raise InputError(f'{name} features of {len(found)} samples (allowed: at least {least})')
    wrong = found.size - np.count_nonzero(np.isfinite(found))
    if wrong:
        raise InputError(f'{name} features have {wrong} values that are not finite (allowed: finite numbers)')
    return found


def pair(real: Any, fake: Any, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Take two tables of one width to the host.

    Raises:
        InputError: one of them is no table of features, or their widths differ.
    """
    real, fake = table('real', real, least), table('fake', fake, least)
    if real.shape[1] != fake.shape[1]:
        raise InputError(
            f'real features are {real.shape[1]} wide and fake {fake.shape[1]} (allowed: one width, of one extractor)'
        )
    return real, fake


def whole(name: str, value: int, least: int, most: int, why: str) -> None:
    """Refuse a number that is not within ``least`` and ``most``.

    Raises:
        InputError: it is not; ``why`` says where the limits come from.
    """
    if not least <= value <= most:
        raise InputError(f'{name} {value} (allowed: {least} to {most}, {why})')
