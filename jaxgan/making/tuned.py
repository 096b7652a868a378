"""Tuning a generator around what was found, and the patch that is kept of it."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan import inversion
from jaxgan.errors import InputError
from jaxgan.images import to_float
from jaxgan.making.inverting import Inverter
from jaxgan.making.projections import Places
from jaxgan.unused import refuse

DRIFT_SAMPLES = 256


class Tuning(NamedTuple):
    """How to tune."""

    steps: int = 1000
    """At most."""
    locality: float = 2.0


def choose_tuning(tune: bool, steps: int | None, locality: float | None) -> Tuning | None:
    """Say how to tune, if at all; None: the usual steps and weights.

    Raises:
        InputError: they are out of range, or there is nothing that they say.
    """
    if not tune:
        refuse('without --tune', tune_steps=steps, locality=locality)
        return None
    usual = Tuning()
    tuning = Tuning(usual.steps if steps is None else steps, usual.locality if locality is None else locality)
    if tuning.steps < 1 or not 0 <= tuning.locality < np.inf:
        raise InputError(
            f'tune-steps {tuning.steps} must be at least 1, and locality {tuning.locality} at least 0'
        )
    return tuning


def tune_found(inverter: Inverter, places: Places, pixels: np.ndarray, tuning: Tuning) -> Places:
    """Tune a generator towards all pictures of places together: the places, with a patch."""
    generator, key = inverter.generator, jax.random.key(inverter.way.seed)
    tune = inversion.make_tuner(
        inverter.space,
        inverter.draw,
        steps=tuning.steps,
        locality=tuning.locality,
    )
    found = jax.jit(tune)(
        generator.params, generator.aux, places.codes, places.noise, to_float(pixels), places.labels, key
    )  # fmt: skip
    return places._replace(patch=inversion.patch_of(generator.params, found.params))


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
