"""The images of places: with the noise that was fitted to each, and by the generator as it was tuned.

Every command that shows a place shows these: what ``project`` writes is bit for bit what ``vary`` and ``interpolate`` start from.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxgan.errors import InputError
from jaxgan.making.projections import Places
from jaxgan.opened import Generator
from jaxgan.sampling import CHUNK
from jaxgan.spaces import kept_noise, make_space, paint_one
from jaxgan.types import Network


def decode(generator: Generator, places: Places) -> np.ndarray:
    """Make the images of places, as floats about [-1, 1], [n, H, W, C]; one does not depend on its neighbours.

    Raises:
        InputError: the patch or the noise of the places does not fit the generator.
    """
    params, (_, aux) = tuned(generator, places), generator.on_device
    run = _decoder(generator.network, places.space, generator.layers)
    rows = (places.codes, places.labels, places.noise)
    return in_chunks(lambda part: run(params, aux, *part), rows, len(places.codes))


def tuned(generator: Generator, places: Places) -> Any:
    """Return the generator's parameters as they were tuned for places, on the device.

    Raises:
        InputError: the patch or the noise of the places is of another generator.
    """
    kept = kept_noise(generator.aux)
    for name, maps in (places.noise or {}).items():
        if name not in kept or kept[name].shape != maps.shape[1:]:
            raise InputError(f'the noise of the projections does not fit this generator: {name}')
    return generator.tuned(places.patch) if places.patch else generator.on_device[0]


def concatenate(generator: Generator, parts: Sequence[Places]) -> Places:
    """Put places of one space and patch together; where some have noise of their own, the others get what the generator keeps."""
    kept = kept_noise(generator.aux)

    def maps(part: Places, name: str) -> np.ndarray:
        if part.noise and name in part.noise:
            return part.noise[name]
        return np.repeat(np.asarray(kept[name])[None], len(part.codes), axis=0)

    fitted = dict.fromkeys(name for part in parts for name in part.noise or {})
    labels = [part.labels for part in parts if part.labels is not None]
    return parts[0]._replace(
        codes=np.concatenate([part.codes for part in parts]),
        names=tuple(name for part in parts for name in part.names),
        labels=np.concatenate(labels) if labels else None,
        origins=tuple(origin for part in parts for origin in part.origins),
        noise={name: np.concatenate([maps(part, name) for part in parts]) for name in fitted} or None,
    )


def in_chunks(function: Callable, rows: Any, n: int) -> np.ndarray:
    """Apply a compiled function to rows, ``CHUNK`` at a time, so that a row's result does not depend on its neighbours.

    Args:
        function: of a tree of arrays [CHUNK, ...], to an array [CHUNK, ...].
        rows: a tree of arrays [n, ...].
        n: how many rows there are, at least 1.
    """

    def part(values: Any, start: int) -> np.ndarray:
        values = np.asarray(values[start : start + CHUNK])
        return np.concatenate([values, np.repeat(values[-1:], CHUNK - len(values), axis=0)])

    done = [
        np.asarray(function(jax.tree.map(functools.partial(part, start=i), rows))) for i in range(0, n, CHUNK)
    ]
    return np.concatenate(done)[:n]


@functools.lru_cache(maxsize=8)
def _decoder(network: Network, name: str, layers: int) -> Callable:
    """Compile ``(params, aux, codes, labels, noise) -> images`` once a network and a space."""
    space = make_space(network, name, layers)

    @jax.jit
    def run(params: Any, aux: Any, codes: Any, labels: Any, noise: Any) -> Any:
        if noise is None:  # at once: one by one is slower for some layers
            return space.decode(params, aux, codes, labels).astype('float32')

        def one(code: Any, label: Any, maps: Any) -> Any:
            return paint_one(space, params, aux, code, label, maps)

        return jax.vmap(one)(codes, labels, noise)

    return run
