"""The images of places: with the noise that was fitted to each, and by the generator as it was tuned."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.export import flatten, unflatten
from jaxgan.making.projections import Places
from jaxgan.making.starts import in_chunks
from jaxgan.opened import Generator
from jaxgan.spaces import make_space
from jaxgan.types import Network

NOISE = 'noise'  # the collection in ``aux`` that holds a generator's noise maps


def decode(generator: Generator, places: Places) -> np.ndarray:
    """Make the images of places, as floats about [-1, 1], [n, H, W, C]; one does not depend on its neighbours.

    Raises:
        InputError: the patch or the noise of the places does not fit the generator.
    """
    params = tuned(generator.params, places.patch)
    run = _decoder(generator.network, places.space, generator.layers)
    if places.noise is not None:
        check_noise(generator.aux, places.noise)
    rows = (places.codes, places.labels, places.noise)
    return in_chunks(lambda part: run(params, generator.aux, *part), rows, len(places.codes))


def tuned(params: Any, patch: Mapping[str, np.ndarray] | None) -> Any:
    """Add a patch to the parameters of a generator.

    Args:
        params: nested dicts.
        patch: what is added to 'params/...', as exports name them; None: nothing.

    Raises:
        InputError: the patch is of other parameters.
    """
    if not patch:
        return params
    tensors = flatten({'params': params})
    for name, change in patch.items():
        if name not in tensors or tensors[name].shape != change.shape:
            raise InputError(f'the patch of the projections does not fit this generator: {name}')
        tensors[name] = (tensors[name] + change).astype(tensors[name].dtype)
    return unflatten(tensors)['params']


def kept_noise(aux: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """List the noise maps that a generator keeps, by layer; empty for one without noise."""
    return flatten(dict(aux.get(NOISE, {})))


def check_noise(aux: Mapping[str, Any], noise: Mapping[str, np.ndarray]) -> None:
    """Refuse noise maps of another generator."""
    kept = kept_noise(aux)
    for name, maps in noise.items():
        if name not in kept or kept[name].shape != maps.shape[1:]:
            raise InputError(f'the noise of the projections does not fit this generator: {name}')


def with_noise(aux: Mapping[str, Any], maps: Mapping[str, Any]) -> dict[str, Any]:
    """Put noise maps in the place of those that a generator keeps; pure."""

    def replaced(tree: Any, path: str = '') -> Any:
        if isinstance(tree, Mapping):
            return {name: replaced(value, f'{path}/{name}' if path else name) for name, value in tree.items()}
        return maps.get(path, tree)

    return {**aux, NOISE: replaced(aux[NOISE])}


@functools.lru_cache(maxsize=8)
def _decoder(network: Network, name: str, layers: int) -> Callable:
    """Compile ``(params, aux, codes, labels, noise) -> images`` once a network and a space."""
    space = make_space(network, name, layers)

    @jax.jit
    def run(params: Any, aux: Any, codes: Any, labels: Any, noise: Any) -> Any:
        if noise is None:
            return space.decode(params, aux, codes, labels).astype(jnp.float32)

        def one(code: Any, label: Any, maps: Any) -> Any:
            label = None if label is None else label[None]
            return space.decode(params, with_noise(aux, maps), code[None], label)[0].astype(jnp.float32)

        return jax.vmap(one)(codes, labels, noise)

    return run
