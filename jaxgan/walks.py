"""Walks through codes: where a film is at each of its frames. Pure functions of arrays, whatever space the codes are from.

A path is a function ``(codes [K, ...], t [n]) -> [n, ...]``: at t = i it is at code i, and what it is at t depends on nothing else. So
the frames of a film can be made in any parts. A closed path comes back: at t = K it is at code 0 again.

References:
    Catmull and Rom 1974, A class of local interpolating splines; White 2016, Sampling generative networks, arXiv 1609.04468,
    section 2 (spherical walks).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgan.variation import along, even, slerp

DENSE = 8  # places at which a path is tried for each frame of a film whose images change evenly


class Path(NamedTuple):
    """A kind of path."""

    place: Callable
    """``(codes [K, ...], t [n], shell) -> [n, ...]``; ``shell``: codes are latents, which lie near a sphere and shall stay there."""
    closed: bool
    """Whether it comes back to code 0, at t = K; else it ends at t = K - 1."""


def spherical(codes: Any, t: Any, shell: bool = True) -> Any:
    """Go from code to code on arcs, with a corner at each: ``slerp`` between neighbours.

    Args:
        codes: [K, ...], K >= 2.
        t: [n], from 0 to K - 1.
        shell: makes no difference.
    """
    del shell
    return along(codes, t, slerp)


def spline(codes: Any, t: Any, shell: bool = True) -> Any:
    """Go through codes without corners: a Catmull-Rom spline, whose ends are led on straight.

    With p, q, r, s four neighbours and u the part of the way from q to r: ``q + u (r - p) / 2 + u^2 (2 p - 5 q + 4 r - s) / 2 +
    u^3 (3 (q - r) + s - p) / 2``.

    Args:
        codes: [K, ...], K >= 2.
        t: [n], from 0 to K - 1.
        shell: keep the direction, and take the length that changes evenly from code to code.
    """
    before, after = 2 * codes[:1] - codes[1:2], 2 * codes[-1:] - codes[-2:-1]
    return _spline(jnp.concatenate([before, codes, after]), t, shell)


def loop(codes: Any, t: Any, shell: bool = True) -> Any:
    """Go round through codes without corners: the periodic spline; two codes make a way there and back.

    Args:
        codes: [K, ...], K >= 2.
        t: [n], from 0 to K.
        shell: as ``spline``'s.
    """
    return _spline(jnp.concatenate([codes[-1:], codes, codes[:1], codes[1:2]]), t, shell)


PATHS: Mapping[str, Path] = MappingProxyType(
    {'loop': Path(loop, True), 'spline': Path(spline, False), 'spherical': Path(spherical, False)}
)
"""The kinds of paths by name."""


def walk(path: Path, codes: Any, t: Any, shell: bool = True, signs: int = 0) -> Any:
    """Find the codes of a path's places.

    Args:
        path: one of ``PATHS``.
        codes: [K, ...].
        t: [n].
        shell: see ``Path``.
        signs: so many last values of a code are choices, -1 or 1 (``latents.with_signs``). Between two they mean nothing: they are
            those of the nearest code, and where these differ the film jumps halfway.
    """
    if not signs:
        return path.place(codes, t, shell)
    body = path.place(codes[..., :-signs], t, shell)
    return jnp.concatenate([body, codes[nearest(path, len(codes), t)][..., -signs:]], axis=-1)


def nearest(path: Path, count: int, t: Any) -> Any:
    """Find the nearest of ``count`` codes; halfway, the later one: integers [n]."""
    index = jnp.floor(t + 0.5).astype(jnp.int32)
    return index % count if path.closed else jnp.clip(index, 0, count - 1)


def straight(path: Path, values: Any, t: Any) -> Any:
    """Lead what belongs to the codes (fitted noise) along a path on straight lines; [K, ...] to [n, ...]."""
    closed = jnp.concatenate([values, values[:1]]) if path.closed else values
    return along(closed, t, lambda a, b, part: a + part.reshape(-1, *[1] * (a.ndim - 1)) * (b - a))


def places(path: Path, count: int, frames: int) -> Any:
    """Divide a path through ``count`` codes evenly among frames, as ``t`` [frames].

    A closed one leaves out its end, which is its beginning: the first frame follows the last as every frame the one before it.
    """
    if path.closed:
        return jnp.arange(frames, dtype=jnp.float32) * (count / frames)
    return jnp.linspace(0, count - 1, frames, dtype=jnp.float32)


def even_places(path: Path, count: int, frames: int, steps: Callable) -> Any:
    """Divide a path among frames so that as much changes from each to the next.

    Args:
        path: one of ``PATHS``.
        count: of codes.
        frames: at least 2.
        steps: ``t [n] -> [n - 1]``: how far what is seen at neighbouring places lies apart: codes (``code_steps``), or images.

    Returns:
        [frames].
    """
    t = jnp.linspace(0, count if path.closed else count - 1, DENSE * frames + 1, dtype=jnp.float32)
    return even(t, steps(t), frames + 1)[:-1] if path.closed else even(t, steps(t), frames)


def apart(values: Any) -> Any:
    """Measure how far neighbours lie apart: the root of the mean squared difference; [n, ...] to [n - 1]."""
    difference = values[1:] - values[:-1]
    return jnp.sqrt(jnp.mean(jnp.square(difference), axis=tuple(range(1, values.ndim))))


def _spline(points: Any, t: Any, shell: bool) -> Any:
    """Go through all but the first and the last of the points; t = 0 is the second."""
    first = jnp.clip(jnp.floor(t), 0, points.shape[0] - 4).astype(jnp.int32)
    p, q, r, s = (points[first + i] for i in range(4))
    u = (t - first.astype(t.dtype)).reshape(-1, *[1] * (points.ndim - 1))
    x = q + u * (0.5 * (r - p) + u * (0.5 * (2 * p - 5 * q + 4 * r - s) + u * (0.5 * (3 * (q - r) + s - p))))
    if not shell:
        return x
    axes = tuple(range(1, points.ndim))
    a, b, length = (jnp.sqrt(jnp.sum(jnp.square(v), axis=axes, keepdims=True)) for v in (q, r, x))
    return x * ((a + u * (b - a)) / jnp.maximum(length, 1e-12))
