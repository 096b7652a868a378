"""What directions are, how they are told apart, and how a code moves along one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgan.errors import InputError, unknown

HIGHEST = 'highest'  # products of matrices in full float32 also where an accelerator would round


class Directions(NamedTuple):
    """Directions in the space z or w of one generator; those of w also move w+, some of its layers or all."""

    space: str
    """'z' or 'w'."""
    vectors: Any
    """[k, D]: unit vectors; orthogonal to each other too, unless they come from labels."""
    scales: Any
    """[k]: the standard deviation of the codes along each."""
    center: Any
    """[D]: the mean code."""
    names: tuple[str, ...]
    """A name each."""
    layers: tuple[int, ...] | None = None
    """The styles that they move, numbered from 0; None: all."""


def position(directions: Directions, which: int | str) -> int:
    """Find a direction by its number from 0, or by its name.

    >>> found = Directions('z', None, None, None, ('hat', 'beard'))
    >>> position(found, 'beard'), position(found, '0')
    (1, 0)

    Raises:
        InputError: there is no such direction.
    """
    names = directions.names
    if which in names:
        return names.index(str(which))
    if not str(which).isdecimal():
        raise unknown('direction', which, names)
    if len(str(which)) > 10 or int(which) >= len(names):
        raise InputError(f'direction {which} is out of range: there are 0..{len(names) - 1}')
    return int(which)


def edit(
    codes: Any, directions: Directions, which: int | str, amount: Any, layers: Sequence[int] | None = None
) -> Any:
    """Move codes along a direction: ``code + amount scale direction``; an amount of 0 changes no bit.

    Args:
        codes: [B, D], or styles [B, layers, D].
        directions: of the same generator and space.
        which: the direction's number or name.
        amount: in standard deviations of the codes along the direction; a number, or one for each code, [B].
        layers: the styles that move, numbered from 0; None: those of the directions.

    Raises:
        InputError: there is no such direction or layer, or codes with one style cannot have some of their layers moved.

    References:
        Harkonen et al. 2020, arXiv 2004.02546 (edits, of some layers).
    """
    k = position(directions, which)
    step = directions.vectors[k] * directions.scales[k]
    return move(codes, step, amount, directions.layers if layers is None else layers)


def move(codes: Any, step: Any, amount: Any, layers: Sequence[int] | None = None) -> Any:
    """Add ``amount`` times a step [D] to codes [B, D], or to some or all layers of styles [B, layers, D].

    Raises:
        InputError: these codes do not have such layers.
    """
    codes = jnp.asarray(codes)
    by_code = jnp.broadcast_to(jnp.asarray(amount, codes.dtype), codes.shape[:1])
    by_code = by_code.reshape(-1, *(1,) * (codes.ndim - 1))
    step = jnp.asarray(step, codes.dtype).reshape((1,) * (codes.ndim - 1) + (-1,))
    moves = by_code != 0  # -0.0 + 0.0 is another number
    if layers is not None:
        moves = moves & _chosen(codes, layers)[None, :, None]
    return jnp.where(moves, codes + by_code * step, codes)


def _chosen(codes: Any, layers: Sequence[int]) -> Any:
    told = ','.join(map(str, layers))
    if codes.ndim != 3:
        raise InputError(f'layers {told} of codes {list(codes.shape)}: only w+ has layers, [B, layers, W]')
    if not layers or min(layers) < 0 or max(layers) >= codes.shape[1]:
        raise InputError(f'layers {told or "none"} are out of range: there are 0..{codes.shape[1] - 1}')
    return jnp.zeros(codes.shape[1], bool).at[jnp.asarray(layers)].set(True)


def fix_signs(vectors: Any) -> Any:
    """Turn each vector [k, D] so that its component of largest magnitude, the first of equal ones, is positive.

    >>> fix_signs(jnp.asarray([[1.0, -2.0], [3.0, 0.0]])).tolist()
    [[-1.0, 2.0], [3.0, 0.0]]
    """
    largest = jnp.take_along_axis(vectors, jnp.argmax(jnp.abs(vectors), axis=1)[:, None], axis=1)
    return jnp.where(largest < 0, -vectors, vectors)


def orthonormal(vectors: Any) -> Any:
    """Make vectors [k, D], k <= D, orthonormal in their order (Gram and Schmidt), and fix their signs."""
    columns, _ = jnp.linalg.qr(vectors.T)
    return fix_signs(columns.T)


def measure(codes: Any, vectors: Any) -> tuple[Any, Any]:
    """Measure the mean code [D] of codes [n, D], and their standard deviation along each of the vectors [k, D]."""
    center = jnp.mean(codes, axis=0)
    return center, jnp.std(jnp.matmul(codes - center[None], vectors.T, precision=HIGHEST), axis=0)
