"""Pivotal tuning: move the generator's weights a little, so that the codes found give the images asked for.

References:
    Roich et al. 2021, Pivotal tuning for latent-based editing of real images, arXiv 2106.05744, equations 2 to 5.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.errors import InputError
from jaxgan.spaces import Space, layer_of, paint_one
from jaxgan.types import Key

LEAST = 0.01  # so that tensors of zeros move, too


class Tuned(NamedTuple):
    """A tuned generator."""

    params: Any
    images: Any  # [B, H, W, C] of the pivots
    losses: Any  # [B]: mean squares


def make_tuner(
    space: Space,
    draw: Callable,
    *,
    steps: int = 350,
    rate: float = 1e-2,
    locality: float = 1.0,
    others: int = 16,
) -> Callable[..., Tuned]:
    """Make a pure function that tunes all of a generator's weights towards some images, all together.

    ``mean_i |G'(w_i) - x_i|^2 + locality mean_j |G'(v_j) - G(v_j)|^2`` over pixels, by Adam, whose rate falls by a cosine to a
    twentieth. The v_j are random codes, new in each step. Pixels alone: coarse averages, which help to find a code from afar,
    slow what is left at the pivot (docs/studio.md); what a discriminator sees was not tried here.

    Args:
        space: of a generator.
        draw: ``(params, key, n) -> (codes [n, ...], labels)``, random codes.
        steps: of Adam.
        rate: its learning rate, as a part of each tensor's root mean square (at least ``LEAST``): equalized weights are
            large, and those that are not are small.
        locality: what it costs to change other images; 0: nothing.
        others: how many of them in a step.

    Returns:
        ``tune(params, aux, codes [B, ...], noise, targets, labels, key) -> Tuned``; ``noise`` is that of a
        ``Projection``, ``labels`` are int32 [B] or None.
    """
    tx = optax.adam(optax.cosine_decay_schedule(rate, steps, 0.05))

    def tune(params: Any, aux: Any, codes: Any, noise: Any, targets: Any, labels: Any, key: Key) -> Tuned:
        def paint(tuned: Any) -> Any:
            def one(code: Any, label: Any, maps: Any) -> Any:
                return paint_one(space, tuned, aux, code, label, maps)

            return jax.vmap(one)(codes, labels, noise)

        def change(tuned: Any, key: Key) -> Any:
            there, chosen = draw(params, key, others)
            before = jax.lax.stop_gradient(space.decode(params, aux, there, chosen))
            return jnp.mean(jnp.square(space.decode(tuned, aux, there, chosen) - before))

        def loss(tuned: Any, key: Key) -> Any:
            total = jnp.mean(jnp.square(paint(tuned) - targets))
            return total + locality * change(tuned, key) if locality else total

        def step(i: Any, carry: Any) -> Any:
            tuned, opt = carry
            slopes = jax.grad(loss)(tuned, jax.random.fold_in(key, i))
            with jax.numpy_dtype_promotion('standard'):  # Optax takes powers of a float by its integer count
                updates, opt = tx.update(slopes, opt, tuned)
            return optax.apply_updates(tuned, jax.tree.map(jnp.multiply, updates, sizes)), opt

        sizes = jax.tree.map(lambda leaf: jnp.maximum(jnp.sqrt(jnp.mean(jnp.square(leaf))), LEAST), params)
        tuned, _ = jax.lax.fori_loop(0, steps, step, (params, tx.init(params)))
        images = paint(tuned)
        return Tuned(tuned, images, jnp.mean(jnp.square(images - targets), axis=(1, 2, 3)))

    return tune


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
