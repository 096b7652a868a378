"""Tuning a generator around what was found, and the patch that is kept of it."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan import inversion
from jaxgan.errors import InputError
from jaxgan.images import to_float, to_uint8
from jaxgan.making.inverting import Inverter
from jaxgan.making.projections import Places

RATE = 1e-3
DRIFT_SAMPLES = 256


class Tuning(NamedTuple):
    """How to tune."""

    steps: int = 350
    locality: float = 1.0


def tune_found(
    inverter: Inverter, places: Places, pixels: np.ndarray, tuning: Tuning
) -> tuple[Places, np.ndarray]:
    """Tune a generator towards all pictures of places together.

    Returns:
        The places, with a patch; the pictures' reconstructions by the tuned generator, uint8.

    Raises:
        InputError: steps or locality are out of range.
    """
    if tuning.steps < 1 or not 0 <= tuning.locality < np.inf:
        raise InputError(
            f'tune-steps {tuning.steps} must be at least 1, and locality {tuning.locality} at least 0'
        )
    generator, key = inverter.generator, jax.random.key(inverter.way.seed)
    tune = inversion.make_tuner(
        inverter.space,
        inverter.objective,
        inverter.draw,
        steps=tuning.steps,
        rate=RATE,
        locality=tuning.locality,
    )
    noise = None if places.noise is None else unnamed(places.noise, generator.aux['noise'])
    found = jax.jit(tune)(
        generator.params, generator.aux, inverter.eye.params, places.codes, noise, to_float(pixels), places.labels, key
    )  # fmt: skip
    patch = inversion.patch_of(generator.params, found.params)
    return places._replace(patch=patch), to_uint8(np.asarray(found.images))


def measure_drift(
    inverter: Inverter, patch: dict[str, np.ndarray], n: int = DRIFT_SAMPLES, seed: int = 1
) -> float:
    """Measure how much a patch changes random images, as a part of the range of a pixel."""
    generator = inverter.generator
    params = inversion.apply_patch(generator.params, patch)

    @jax.jit
    def compare(params: Any, tuned: Any, key: Any) -> Any:
        codes, labels = inverter.draw(params, key, n)
        decode = inverter.space.decode
        return inversion.drift(
            decode(tuned, generator.aux, codes, labels), decode(params, generator.aux, codes, labels)
        )

    return float(compare(generator.params, params, jax.random.key(seed)))


def unnamed(noise: dict[str, np.ndarray], like: Any) -> Any:
    """Put noise maps, by their layers, into the tree in which a generator keeps them."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: noise['/'.join(str(part.key) for part in path)], like
    )
