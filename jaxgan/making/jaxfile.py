"""A generator as programs of ``jax.export`` (StableHLO for CPU, CUDA and TPU), which sample without jaxgan, checked against it."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.export
import numpy as np

from jaxgan.errors import InputError, UnverifiedError
from jaxgan.making.programs import Program, abstract, make_programs, weights_of
from jaxgan.opened import Generator
from jaxgan.ops import uncompiled

PLATFORMS = ('cpu', 'cuda', 'tpu')
SCRIPT = Path(__file__).parent / 'exported_sample.py'
CHECKED = 32  # seeds that are compared
NEAR = 1  # levels of 255 by which a pixel may differ, where the compiler sums in another order


def to_programs(found: Generator, psi: float | None = None) -> dict[str, bytes]:
    """Export a generator's programs, for batches of any size; their first argument is the weights, a dict by name.

    Args:
        found: the generator.
        psi: pull all styles towards their mean by so much; None: as they are.

    Returns:
        'sample.stablehlo', 'generator.stablehlo' and, of a generator with styles, 'mapping.stablehlo' and
        'synthesis.stablehlo', as ``programs.make_programs`` says; and 'sample.py', which uses them with jax and numpy alone.

    Raises:
        InputError: psi has no meaning, or the package flatbuffers is not here.
    """
    if importlib.util.find_spec('flatbuffers') is None:
        raise InputError('--format jax needs the package flatbuffers: pip install flatbuffers')
    weights = weights_of(found)
    made = {
        f'{name}.stablehlo': export(program, weights) for name, program in make_programs(found, psi).items()
    }
    return {**made, 'sample.py': SCRIPT.read_bytes()}


def export(program: Program, weights: Mapping[str, np.ndarray]) -> bytes:
    """Lower a program for all platforms, and serialize it: without compiled kernels, whatever this process has enabled."""
    shapes = {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in weights.items()}
    with uncompiled():
        exported = jax.export.export(jax.jit(program.function), platforms=PLATFORMS)(
            shapes, *abstract(program)
        )
    return bytes(exported.serialize())


def check_programs(found: Generator, files: Mapping[str, bytes], psi: float | None = None) -> int:
    """Compare the bytes that 'sample.stablehlo' makes with those of jaxgan, on this machine.

    Returns:
        How many levels of 255 differ at most: 0 or 1.

    Raises:
        UnverifiedError: more than one.
    """
    program = make_programs(found, psi)['sample']
    seeds = np.arange(CHECKED, dtype=np.uint32)
    labels = [np.arange(CHECKED, dtype=np.int32) % len(found.labels)] if found.labels else []
    weights = weights_of(found)
    wanted = np.asarray(jax.jit(program.function)(weights, seeds, *labels))
    loaded = jax.export.deserialize(bytearray(files['sample.stablehlo']))
    made = np.asarray(jax.jit(loaded.call)(weights, seeds, *labels))
    difference = int(np.abs(made.astype(int) - wanted).max())
    if difference > NEAR:
        raise UnverifiedError(
            f'sample.stablehlo: its pixels differ by {difference} of 255 from jaxgan, and {NEAR} is allowed: nothing was written'
        )
    return difference
