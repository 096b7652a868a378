"""Pivotal tuning: move the generator's weights a little, so that the codes found give the images asked for.

References:
    Roich et al. 2021, Pivotal tuning for latent-based editing of real images, arXiv 2106.05744, equations 2 to 5.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.errors import InputError
from jaxgan.inversion.curvature import make_curvature, shorten
from jaxgan.spaces import Space, layer_of, paint_one
from jaxgan.types import Key


class Tuned(NamedTuple):
    """A tuned generator."""

    params: Any
    losses: Any  # [B]: mean squares


def make_tuner(
    space: Space,
    draw: Callable,
    *,
    steps: int = 1000,
    rate: float = 6e-4,
    locality: float = 2.0,
    others: int = 4,
    enough: float = 38.0,
    gain: float = 12.0,
) -> Callable[..., Tuned]:
    """Make a pure function that tunes all of a generator's weights towards some images, all together.

    ``mean_i |G'(w_i) - x_i|^2 + locality mean_j |G'(v_j) - G(v_j)|^2`` over pixels, by Adam, whose rate falls by a cosine to a
    tenth. The v_j are random codes, new in each step. The weights are ``F^(-1/2) y``, with ``F`` of ``make_curvature``: a
    step of y goes far where other images do not see it, so that these move little even without the second term. It ends
    when every image is as near as asked: what is not needed is not changed, and of images that are so near already, nothing.

    Args:
        space: of a generator.
        draw: ``(params, key, n) -> (codes [n, ...], labels)``, random codes.
        steps: of Adam, at most.
        rate: its learning rate: by how much a step changes random images, as the root mean square that F predicts.
        locality: what it costs to change other images; 0: nothing.
        others: how many of them in a step.
        enough: the PSNR in decibels at which it ends, of each image.
        gain: by how many decibels each must come nearer before it ends, unless it was so near at first.

    Returns:
        ``tune(params, aux, codes [B, ...], noise, targets, labels, key) -> Tuned``; ``noise`` is that of a
        ``Projection``, ``labels`` are int32 [B] or None.
    """
    curvature = make_curvature(space, draw)
    tx = optax.adam(optax.cosine_decay_schedule(1.0, steps, 0.1), b2=0.99, eps=1e-12)
    near = 4 * 10 ** (-enough / 10)  # the mean square of that PSNR: a pixel's range is 2

    def tune(params: Any, aux: Any, codes: Any, noise: Any, targets: Any, labels: Any, key: Key) -> Tuned:
        factors = curvature(params, aux, jax.random.fold_in(key, steps))
        length = rate / math.sqrt(sum(leaf.size for leaf in jax.tree.leaves(params)))

        def moved(y: Any) -> Any:
            return jax.tree.map(lambda leaf, f, change: leaf + shorten(f, change), params, factors, y)

        def errors(tuned: Any) -> Any:
            def one(code: Any, label: Any, maps: Any, target: Any) -> Any:
                return jnp.mean(jnp.square(seen(paint_one(space, tuned, aux, code, label, maps), target)))

            return jax.vmap(one)(codes, labels, noise, targets)

        def change(tuned: Any, key: Key) -> Any:
            there, chosen = draw(params, key, others)
            before = jax.lax.stop_gradient(space.decode(params, aux, there, chosen))
            return jnp.mean(jnp.square(seen(space.decode(tuned, aux, there, chosen), before)))

        def loss(y: Any, key: Key) -> Any:
            tuned = moved(y)
            found = errors(tuned)
            total = jnp.mean(found)
            return (total + locality * change(tuned, key) if locality else total), jnp.max(found / wanted)

        def step(carry: Any) -> Any:
            i, y, opt, _ = carry
            slopes, worst = jax.grad(loss, has_aux=True)(y, jax.random.fold_in(key, i))
            with jax.numpy_dtype_promotion('standard'):  # Optax takes powers of a float by its integer count
                updates, opt = tx.update(slopes, opt, y)
            return i + 1, jax.tree.map(lambda a, u: a + length * u, y, updates), opt, worst

        def goes_on(carry: Any) -> Any:
            return (carry[0] < steps) & (carry[3] > 1)

        first, start = errors(params), jax.tree.map(jnp.zeros_like, params)
        wanted = jnp.where(first <= near, near, jnp.minimum(near, first * 10 ** (-gain / 10)))
        begin = (jnp.int32(0), start, tx.init(start), jnp.max(first / wanted))
        tuned = moved(jax.lax.while_loop(goes_on, step, begin)[1])
        return Tuned(tuned, errors(tuned))

    return tune


def seen(images: Any, before: Any) -> Any:
    """Subtract images [...] from others; what is whiter than white, or blacker than black, and was so before, has not changed.

    >>> seen(jnp.array([1.5, 1.5, -2.0]), jnp.array([1.0, 0.5, -1.0])).tolist()
    [0.0, 1.0, 0.0]
    """
    beyond = (jnp.minimum(images, before) >= 1) | (jnp.maximum(images, before) <= -1)
    return jnp.where(beyond, 0.0, images - before)


def drift(images: Any, before: Any) -> Any:
    """Measure how much images have changed: the mean absolute difference as a part of the range, which is 2."""
    return jnp.mean(jnp.abs(images - before)) / 2


def patch_of(params: Any, tuned: Any) -> dict[str, np.ndarray]:
    """List what tuning has added to parameters, by the names that exports give them; what did not change is left out."""
    new, old = _named(tuned), _named(params)
    changes = {name: np.asarray(new[name]) - np.asarray(old[name]) for name in old}
    return {name: change for name, change in changes.items() if np.any(change)}


def apply_patch(params: Any, patch: Mapping[str, Any]) -> Any:
    """Add a patch to a generator's parameters; what it does not name stays.

    Raises:
        InputError: it names a parameter that is not there, or has another shape.
    """
    known = _named(params)
    for name, change in patch.items():
        if name not in known or np.shape(known[name]) != np.shape(change):
            raise InputError(f'the patch does not fit this generator: {name} {list(np.shape(change))}')

    def patched(path: Any, leaf: Any) -> Any:
        name = f'params/{layer_of(path)}'
        return (leaf + patch[name]).astype(leaf.dtype) if name in patch else leaf

    return jax.tree_util.tree_map_with_path(patched, params)


def _named(params: Any) -> dict[str, Any]:
    return {f'params/{layer_of(path)}': leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
