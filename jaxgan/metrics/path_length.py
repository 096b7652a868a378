"""Perceptual path length: how much an image changes for a small step of its latent.

References:
    Karras et al. 2019, arXiv 1812.04948, section 4.1; Karras et al. 2020, arXiv 1912.04958, section 3.1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgan.errors import InputError, unknown
from jaxgan.metrics.checks import whole
from jaxgan.metrics.types import Perceptual
from jaxgan.types import Key

SPACES = ('w', 'z')
SAMPLINGS = ('full', 'end')
LARGEST = 256  # pixels that the distance is to see


class PathLength(NamedTuple):
    """The mean of the lengths that were kept, and all of them."""

    mean: float
    kept: int
    lengths: Float[np.ndarray, ' n']


def path_length(
    mapping: Callable,
    synthesis: Callable,
    params: Any,
    latents: Callable,
    perceptual: Perceptual,
    count: int = 50_000,
    space: str = 'w',
    sampling: str = 'end',
    epsilon: float = 1e-4,
    trim: bool = True,
    seed: int = 0,
    batch: int = 16,
) -> PathLength:
    """Measure the perceptual path length: ``E[ d(G(x(t)), G(x(t + epsilon))) / epsilon^2 ]``.

    x(t) leads from one random latent to another: in w along the line from ``mapping(z_1)`` to ``mapping(z_2)``, in z
    along the arc between the directions of z_1 and z_2. Images above 256 pixels are averaged down to 256, as in the
    paper's program; a crop of faces to their middle, which it has for one data set, is the caller's ``synthesis``.

    Args:
        mapping: ``(params, z [B, Z]) -> w [B, ...]``. A generator without styles has one that returns z, and space 'z'.
        synthesis: ``(params, w) -> images``, floats [B, H, W, C] in [-1, 1], with the same noise in each call.
        params: what both need, a tree of arrays; given to the compiled program, and not baked into it.
        latents: ``(key, n) -> z [n, Z]``. Sample i has keys of its own, so the batch size changes nothing.
        perceptual: the distance d.
        count: paths; 50,000 in Karras et al. 2020, 100,000 in 2019.
        space: 'w' or 'z'.
        sampling: 'full', t uniform in [0, 1); or 'end', t = 0.
        epsilon: the step; 1e-4 in the papers. Rounding of float32 images is divided by its square too.
        trim: leave out lengths below the 1% and above the 99% quantile, as the paper's program does.
        seed: of the paths.
        batch: paths at once.

    Raises:
        InputError: a name or a number is not among those allowed, or a length is not finite.

    References:
        Karras et al. 2019, arXiv 1812.04948, equations 2 and 3 (z and w); Karras et al. 2020, arXiv 1912.04958, section
        3.1 and appendix A (end points only, no crop); Shoemake 1985, Animating rotation with quaternion curves (arcs).
    """
    _check(space, sampling, epsilon, count, batch)

    def ends(key: Key) -> tuple[Any, Any, Any]:
        first, second, place = jax.random.split(key, 3)
        t = jax.random.uniform(place) if sampling == 'full' else jnp.float32(0.0)
        return latents(first, 1)[0], latents(second, 1)[0], t

    @jax.jit
    def lengths(params: Any, of_distance: Any, indices: Any) -> Any:
        z_1, z_2, t = jax.vmap(ends)(jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(indices))
        step = jnp.float32(epsilon)
        if space == 'w':
            a, b = mapping(params, z_1), mapping(params, z_2)
            here, there = between(a, b, t), between(a, b, t + step)
        else:
            here, there = (mapping(params, along_arc(z_1, z_2, place)) for place in (t, t + step))
        images = [shrunk(synthesis(params, x)) for x in (here, there)]
        return perceptual.apply(of_distance, *images) / step**2

    found = [
        np.asarray(lengths(params, perceptual.params, jnp.arange(i, i + batch, dtype=jnp.uint32)))
        for i in range(0, count, batch)
    ]
    return summary(np.concatenate(found)[:count], trim)


def between(a: Float[Array, 'b *shape'], b: Float[Array, 'b *shape'], t: Float[Array, ' b']) -> Any:
    """Go by t from a to b on the line: ``a + t (b - a)``."""
    return a + t.reshape(-1, *[1] * (a.ndim - 1)) * (b - a)


def along_arc(a: Float[Array, 'b z'], b: Float[Array, 'b z'], t: Float[Array, ' b']) -> Float[Array, 'b z']:
    """Go by t from a to b on the unit sphere, and give the length ``sqrt(Z)`` that a normal latent has.

    The direction is ``a cos(t angle) + c sin(t angle)``, c the part of b that is at right angles to a.
    """
    a, b = _unit(a), _unit(b)
    cosine = jnp.sum(a * b, axis=1, keepdims=True)
    angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0)) * t[:, None]
    c = _unit(b - cosine * a)
    return np.float32(a.shape[1] ** 0.5) * _unit(a * jnp.cos(angle) + c * jnp.sin(angle))


def shrunk(images: Float[Array, 'b h w c']) -> Float[Array, 'b h2 w2 c']:
    """Average squares of pixels until a side is at most 256.

    Raises:
        InputError: a larger side is no multiple of 256.
    """
    b, height, width, c = images.shape
    factor = max(1, height // LARGEST)
    if height % factor or width % factor:
        raise InputError(
            f'images of {height}x{width} pixels for a path length (allowed: up to 256, or its multiples)'
        )
    return images.reshape(b, height // factor, factor, width // factor, factor, c).mean(axis=(2, 4))


def summary(lengths: Float[np.ndarray, ' n'], trim: bool) -> PathLength:
    """Average lengths; with ``trim`` those between the lower 1% and the upper 99% quantile, both of them included.

    >>> summary(np.arange(1000.0), True)[:2]
    (499.5, 982)

    Raises:
        InputError: a length is not finite.
    """
    wrong = int(np.count_nonzero(~np.isfinite(lengths)))
    if wrong:
        raise InputError(f'{wrong} of {len(lengths)} path lengths are not finite (allowed: finite numbers)')
    kept = np.asarray(lengths, np.float64)
    if trim:
        low, high = np.percentile(kept, 1, method='lower'), np.percentile(kept, 99, method='higher')
        kept = kept[(kept >= low) & (kept <= high)]
    return PathLength(float(kept.mean()), len(kept), lengths)


def _unit(x: Any) -> Any:
    return x / jnp.sqrt(jnp.sum(jnp.square(x), axis=1, keepdims=True))


def _check(space: str, sampling: str, epsilon: float, count: int, batch: int) -> None:
    if space not in SPACES:
        raise unknown('space of a path length', space, SPACES)
    if sampling not in SAMPLINGS:
        raise unknown('sampling of a path length', sampling, SAMPLINGS)
    if not 0.0 < epsilon < 1.0:
        raise InputError(f'epsilon {epsilon} of a path length (allowed: above 0, below 1)')
    whole('count', count, 1, 1 << 31, 'a number of paths')
    whole('batch', batch, 1, 1 << 20, 'paths at once')
