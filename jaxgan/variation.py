"""Variations of codes and ways between them: pure functions of arrays, whatever space the codes are from.

A code's neighbours are found in one direction each, at any strength; codes are mixed by layers; paths lead through codes, and say how fast their images change.

References:
    Shoemake 1985, Animating rotation with quaternion curves (slerp); White 2016, Sampling generative networks, arXiv 1609.04468,
    section 2 (for latents); Karras, Laine and Aila 2019, arXiv 1812.04948, sections 3.1 (mixing) and 4.1 (path lengths).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.latents import normal
from jaxgan.types import Key

PARALLEL = (
    1e-4  # radians: codes at a smaller angle lie on a line, as do opposite ones, which have no shortest arc
)


def directions(key: Key, n: int, size: int) -> Any:
    """Draw n directions of N(0, 1) values, [n, size]: the i-th depends on the key and on i alone, bit for bit on every device."""
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n, dtype=jnp.uint32))
    return jax.vmap(lambda own: normal(size)(own, 1)[0])(keys)


def around(codes: Any, direction: Any, strength: Any, deviation: Any = 1.0) -> Any:
    """Move codes away: ``code + strength deviation direction``; at strength 0 they are as they were.

    Args:
        codes: [B, ...], of a space of styles.
        direction: [B, ...], or what broadcasts to it; of ``directions``: the same for all strengths.
        strength: 1: as far as two random codes lie from their mean.
        deviation: of the space's codes (``spaces.Statistics``).
    """
    strength = jnp.asarray(strength, codes.dtype)
    return jnp.where(strength == 0, codes, codes + strength * deviation * direction)


def on_shell(z: Any, direction: Any, strength: Any) -> Any:
    """Move latents of N(0, I) so that they stay such: ``sqrt(1 - strength^2) z + strength direction``.

    In many dimensions normal latents lie near a sphere, off which a generator has seen nothing.

    Args:
        z: [B, Z].
        direction: [B, Z], of ``directions``.
        strength: 0: as they were, to 1: new ones.
    """
    strength = jnp.asarray(strength, z.dtype)
    moved = jnp.sqrt(jnp.maximum(1 - strength**2, 0)) * z + strength * direction
    return jnp.where(strength == 0, z, moved)


def lerp(a: Any, b: Any, t: Any) -> Any:
    """Go the part t of the line from a to b: ``a + t (b - a)``; 0 and 1 are a and b bit for bit.

    Args:
        a: [B, ...].
        b: [B, ...].
        t: a number, or one each, [B].
    """
    t = _each(t, a)
    return _with_ends(a, b, t, a + t * (b - a))


def slerp(a: Any, b: Any, t: Any) -> Any:
    """Go the part t of the arc from a to b, the length changing evenly; 0 and 1 are a and b bit for bit.

    ``|x| (sin((1 - t) angle) a / |a| + sin(t angle) b / |b|) / sin(angle)`` with ``|x| = (1 - t) |a| + t |b|``. Codes in one or in opposite
    directions are joined by a line.

    Args:
        a: [B, ...]; the angle is that of all values of a code.
        b: [B, ...].
        t: a number, or one each, [B].
    """
    t = _each(t, a)
    axes = tuple(range(1, a.ndim))
    length_a, length_b = _length(a, axes), _length(b, axes)
    tiny = jnp.finfo(a.dtype).tiny
    unit_a, unit_b = a / jnp.maximum(length_a, tiny), b / jnp.maximum(length_b, tiny)
    # by half angles: an arc cosine knows small angles badly
    angle = 2 * jnp.arctan2(_length(unit_a - unit_b, axes), _length(unit_a + unit_b, axes))
    sine = jnp.sin(angle)
    straight = sine < PARALLEL
    weighted = jnp.sin((1 - t) * angle) * unit_a + jnp.sin(t * angle) * unit_b
    arc = ((1 - t) * length_a + t * length_b) * weighted / jnp.where(straight, 1, sine)
    return _with_ends(a, b, t, jnp.where(straight, a + t * (b - a), arc))


def mix(codes: Any, others: Any, chosen: Any, strength: Any = 1.0, between: Callable = lerp) -> Any:
    """Move chosen values of codes towards those of others: the whole way at strength 1, which is style mixing for layers of w+.

    Args:
        codes: [B, ...].
        others: [B, ...].
        chosen: truth values that broadcast to a code: [layers, 1] for w+, [Z] for parts of a latent.
        strength: 0: ``codes``, to 1.
        between: ``lerp``, or ``slerp`` for latents: it sees zeros where nothing is chosen.
    """
    zero = jnp.zeros((), codes.dtype)
    part = between(jnp.where(chosen, codes, zero), jnp.where(chosen, others, zero), strength)
    return jnp.where(chosen, part, codes)


def along(points: Any, t: Any, between: Callable) -> Any:
    """Go through codes in turn: at t = i the path is at point i, bit for bit.

    Args:
        points: [K, ...], K >= 2.
        t: [B], from 0 to K - 1.
        between: ``lerp`` or ``slerp``.

    Returns:
        [B, ...].
    """
    first = jnp.clip(jnp.floor(t), 0, points.shape[0] - 2).astype(jnp.int32)
    return between(points[first], points[first + 1], t - first.astype(t.dtype))


def even(t: Any, steps: Any, count: int) -> Any:
    """Find the places on a path between which images change equally much.

    Args:
        t: [N], ascending places at which the path was tried.
        steps: [N - 1], how far the images of neighbours lie apart.
        count: of places wanted, at least 2.

    Returns:
        [count], the first and the last being those of ``t``.
    """
    length = jnp.concatenate([jnp.zeros((1,), t.dtype), jnp.cumsum(steps).astype(t.dtype)])
    wanted = jnp.linspace(0, 1, count, dtype=t.dtype) * length[-1]
    return jnp.interp(wanted, length, t).at[0].set(t[0]).at[-1].set(t[-1])


def squared_speed(seen: Callable, t: Any) -> Any:
    """Measure how fast what is seen on a path changes: ``mean((d seen / d t)^2)``, exactly, by forward differentiation.

    Its mean over t is a perceptual path length with the mean squared difference as its distance d, since ``d(x(t), x(t + e)) / e^2`` tends to it.

    Args:
        seen: ``t [] -> an array or a tree of them``: an image, or features of one; a tree counts each of its arrays alike.
        t: [B], none of them an end of a piece of the path, where ``lerp`` and ``slerp`` are constants.

    References:
        Karras, Laine and Aila 2019, arXiv 1812.04948, section 4.1, equations 2 and 3.
    """

    def one(place: Any) -> Any:
        _, speed = jax.jvp(seen, (place,), (jnp.ones_like(place),))
        parts = [jnp.mean(jnp.square(leaf)) for leaf in jax.tree.leaves(speed)]
        return jnp.mean(jnp.stack(parts))

    return jax.vmap(one)(t)


def _each(t: Any, codes: Any) -> Any:
    t = jnp.asarray(t, codes.dtype)
    return t.reshape(-1, *[1] * (codes.ndim - 1)) if t.ndim else t.reshape((1,) * codes.ndim)


def _length(x: Any, axes: tuple[int, ...]) -> Any:
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axes, keepdims=True))


def _with_ends(a: Any, b: Any, t: Any, inner: Any) -> Any:
    return jnp.where(t == 0, a, jnp.where(t == 1, b, inner))
