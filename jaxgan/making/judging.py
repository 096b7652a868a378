"""A run's discriminator as a judge of images: what ``jaxgan.rejection`` needs of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.errors import InputError
from jaxgan.generatorfolder import CONFIG
from jaxgan.making.labelling import Labelling
from jaxgan.making.options.sample import SampleOptions
from jaxgan.opened import Generator
from jaxgan.rejection import RATIOS, make_score
from jaxgan.strictjson import read_json
from jaxgan.unused import refuse

CALIBRATION = np.arange(2_048, dtype=np.uint32) + np.uint32(2**32 - 2**20)
"""Seeds of the images with which others are compared; no request that starts from 0 comes near."""


class Judge(NamedTuple):
    """A discriminator's score of images."""

    score: Callable  # (*weights, images, labels) -> [B]
    weights: tuple[Any, Any, Any]  # parameters, aux, and images that stand beside each


class Judging(NamedTuple):
    """How images are judged."""

    percentile: float = 80.0  # of DRS
    steps: int = 50  # of DDLS
    step_size: float = 0.01


def read_judging(options: SampleOptions) -> Judging:
    """Read what needs no generator; what is not given is as usual.

    Raises:
        InputError: a number is out of range, or options do not go together.
    """
    given = {name: getattr(options, name) for name in Judging._fields}
    judging = Judging(**{name: value for name, value in given.items() if value is not None})
    if not 0 < judging.percentile <= 100:
        raise InputError(f'percentile {judging.percentile:g} must be above 0 and at most 100')
    if not 1 <= judging.steps <= 100_000:
        raise InputError(f'steps {judging.steps} must be in 1..100000')
    if not 0 < judging.step_size <= 1:
        raise InputError(f'step-size {judging.step_size:g} must be above 0 and at most 1')
    if options.reject != 'drs':
        refuse('without --reject drs', percentile=options.percentile)
    if options.reject != 'ddls':
        refuse('without --reject ddls', steps=options.steps, step_size=options.step_size)
    if options.reject == 'ddls' and options.temperature not in (None, 1.0):
        raise InputError(
            f'temperature {options.temperature:g} does not go with --reject ddls, which draws latents of its own deviation'
        )
    return judging


def open_judge(found: Generator, run: Path, labelling: Labelling, reject: str) -> Judge:
    """Read the discriminator that was trained with a generator.

    Raises:
        InputError: there is none, or its logits are no ratio of densities, or the images are mixtures of classes.
    """
    if found.checkpoint is None:
        raise InputError(
            f'--reject {reject} asks the discriminator, and the export {run} has none: sample from the run'
        )
    if labelling.parts:
        raise InputError(f'--reject {reject}: the discriminator knows no mixtures such as {labelling.text!r}')
    config = read_json(run / CONFIG)
    loss = str(config.get('loss')) if isinstance(config, dict) else ''
    if loss not in RATIOS:
        raise InputError(
            f'--reject {reject}: logits of a training with loss {loss} are no ratio of densities '
            f'(those of {", ".join(RATIOS)} are)'
        )
    judge = found.discriminator()
    assert judge is not None
    network, params, aux = judge
    n, beside = companions(found)
    return Judge(make_score(network, RATIOS[loss], n), (params, aux, beside))


def companions(found: Generator) -> tuple[int, Any]:
    """Make the images that a discriminator with minibatch deviation sees beside each: the generator's, as in training.

    Returns:
        How many they are; and images with labels, or None where it sees none.
    """
    n = found.card['architecture'].get('d_deviation_group', 1) - 1
    if not n:
        return 0, None
    labels = np.arange(n, dtype=np.int32) % len(found.labels) if found.labels else None
    draw = found.sampler()
    return n, (to_floats(draw(CALIBRATION[:n], labels)), labels)


def to_floats(pixels: Any) -> Any:
    """Convert bytes to floats in [-1, 1]."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def judged(judge: Judge) -> Callable:
    """Compile ``(weights, bytes, labels) -> [B]``."""
    return jax.jit(lambda weights, pixels, labels: judge.score(*weights, to_floats(pixels), labels))
