"""Temperature and truncation, from options to the arrays that ``jaxgan.sampling`` takes."""

from typing import Any

import jax
import numpy as np

from jaxgan import build
from jaxgan.errors import InputError
from jaxgan.making.labelling import Labelling
from jaxgan.making.options.sample import SampleOptions
from jaxgan.opened import CENTER_SEED, Generator
from jaxgan.sampling import Asked
from jaxgan.spaces import cluster, count_layers, spaces_of

MOST = 1000  # of psi and of a temperature
CODES = 10_000  # of which centres are found


def ask(options: SampleOptions, found: Generator, labelling: Labelling) -> Asked:
    """Make what the compiled program is asked for.

    Raises:
        InputError: a number is out of range, or this generator has no such thing.
    """
    check_options(options)
    scale = None
    if options.temperature not in (None, 1.0):
        scale = build.build_temperatures(found.card['architecture'], options.temperature)
    if options.psi is None:
        return Asked(scale)
    if 'w' not in spaces_of(found.network):
        raise InputError(
            f'psi {options.psi:g}: this generator has no styles, only latents, whose centre is 0 for all classes, so that psi '
            f'would be a temperature: take --temperature {options.psi:g}'
        )
    layers = count_layers(found.network, found.latents, found.params, found.aux, bool(found.labels))
    if options.cutoff is not None and options.cutoff > layers:
        raise InputError(f'cutoff {options.cutoff} must be in 1..{layers}, the layers of this generator')
    if options.psi == 1:
        return Asked(scale)
    cutoff = None if options.cutoff is None else np.int32(options.cutoff)
    return Asked(scale, np.float32(options.psi), cutoff, **_centers(options, found, labelling))


def check_options(options: SampleOptions) -> None:
    """Check what needs no generator.

    Raises:
        InputError: a number is out of range, or an option has no meaning without another.
    """
    if options.temperature is not None and not 0 <= options.temperature <= MOST:
        raise InputError(f'temperature {options.temperature:g} must be at least 0, and at most {MOST}')
    check_psi(options.psi)
    for name in ('cutoff', 'toward', 'clusters'):
        if getattr(options, name) is not None and options.psi is None:
            raise InputError(f'--{name} {getattr(options, name)} says how to truncate: give --psi, too')
    if options.cutoff is not None and options.cutoff < 1:
        raise InputError(f'cutoff {options.cutoff} must be at least 1')
    if options.clusters is not None and options.toward != 'cluster':
        raise InputError(f'--clusters {options.clusters} needs --toward cluster')
    if options.clusters is not None and not 1 <= options.clusters <= 256:
        raise InputError(f'clusters {options.clusters} must be in 1..256')


def check_psi(psi: float | None) -> None:
    """Check how far codes are pulled.

    Raises:
        InputError: it is no number, or so large that the codes may not be finite.
    """
    if psi is not None and not abs(psi) <= MOST:
        raise InputError(f'psi {psi:g} must be a number from -{MOST} to {MOST}')


def _centers(options: SampleOptions, found: Generator, labelling: Labelling) -> dict[str, Any]:
    """Find the centres, the same for the same generator each time."""
    space = found.choose_space('w')
    if options.toward == 'class' and not found.labels:
        raise InputError('--toward class: this generator has no classes; take mean or cluster')
    if options.toward in (None, 'mean'):
        return {'centers': found.center(space).mean[None]}
    key = jax.random.key(CENTER_SEED)

    @jax.jit
    def codes(params: Any, aux: Any, labels: Any) -> Any:
        return space.encode(params, aux, found.latents(key, CODES), labels)

    if options.toward == 'class':
        used = {labelling.of(np.zeros(1, np.int32))[0]} if labelling.text and not labelling.parts else None
        used = used or {index for index, _ in labelling.parts} or range(len(found.labels))
        centers = np.zeros((len(found.labels), *found.center(space, 0, 1).mean.shape), np.float32)
        for label in used:
            centers[label] = codes(found.params, found.aux, np.full(CODES, label, np.int32)).mean(axis=0)
        return {'classes': centers}
    labels = np.arange(CODES, dtype=np.int32) % len(found.labels) if found.labels else None
    every = codes(found.params, found.aux, labels)
    return {'centers': np.asarray(jax.jit(cluster, static_argnums=2)(every, key, options.clusters or 16))}


def told(options: SampleOptions, labelling: Labelling) -> dict[str, str | None]:
    """Say what was asked for, for credits and traces; what has no effect on the images is left out."""
    psi = None if options.psi in (None, 1.0) else options.psi
    temperature = None if options.temperature in (None, 1.0) else options.temperature
    toward = options.toward or 'mean'
    return {
        'label': labelling.text,
        'temperature': None if temperature is None else str(temperature),
        'psi': None if psi is None else str(psi),
        'toward': None
        if psi is None
        else f'{options.clusters or 16} clusters'
        if toward == 'cluster'
        else toward,
        'cutoff': None if psi is None or options.cutoff is None else str(options.cutoff),
    }
