"""What ``jaxgan reproduce`` does: a failed step again, from its file alone."""

from pathlib import Path

import jax

from jaxgan import kernels
from jaxgan.errors import UnverifiedError
from jaxgan.run.diagnosis import diagnose
from jaxgan.run.faultfile import read_fault


def reproduce_command(file: str | Path) -> int:
    """Run the phase that failed once more, and print what is not finite.

    Raises:
        InputError: the file cannot be read.
        UnverifiedError: everything is finite this time.
    """
    path = Path(file)
    kernels.enable()
    fault, about = read_fault(path)
    there = ', '.join(str(about.get(name, '?')) for name in ('jaxgan', 'jax', 'backend'))
    finding = diagnose(fault)
    print(f'written: {about.get("found", "")} (jaxgan, jax, backend: {there})')
    name = f'step {fault.step:,}, phase {fault.phase}'
    if not finding.first:
        here = f'jax {jax.__version__} on {jax.default_backend()}'
        raise UnverifiedError(f'{path} does not fail here: {name}: {finding} ({here})')
    print(f'{name}: {finding}')
    return 0
