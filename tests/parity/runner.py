"""Run a PyTorch script on arrays, in the Python that has PyTorch: arrays in, arrays out, by files.

The script is called with two paths, reads the first by ``numpy.load`` and writes the second by ``numpy.savez``.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TORCH = os.environ.get('JAXGAN_TORCH_PYTHON') or (
    sys.executable if importlib.util.find_spec('torch') else None
)
FOLDER = Path(__file__).parent


def torch_run(script, arrays, folder):
    """Run ``tests/parity/<script>`` on a dict of arrays and return the dict that it answers with.

    Args:
        script: the file's name; it runs in a process of its own, so nothing of JAX's is loaded beside it.
        arrays: what it may read, by name ('params/Conv_0/kernel').
        folder: for the two files: pytest's ``tmp_path``.

    Skips the test where no Python with PyTorch is known: set JAXGAN_TORCH_PYTHON to one.
    """
    if TORCH is None:
        pytest.skip('needs PyTorch: set JAXGAN_TORCH_PYTHON to a Python that has it')
    inputs, outputs = folder / 'inputs.npz', folder / 'outputs.npz'
    np.savez(inputs, **{name: np.asarray(values) for name, values in arrays.items()})
    command = [TORCH, str(FOLDER / script), str(inputs), str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(outputs, allow_pickle=False) as found:
        return dict(found)


def flatten(tree, prefix=''):
    """Name each array of a nested dict by its path: {'a': {'b': x}} -> {'a/b': x}."""
    found = {}
    for name, value in tree.items():
        found |= flatten(value, f'{prefix}{name}/') if isinstance(value, dict) else {prefix + name: value}
    return found


def assert_same(ours, theirs, tolerance=1e-4):
    """Assert that two dicts hold the same arrays up to ``tolerance`` of each one's largest value (or of 1)."""
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        value = np.asarray(value, np.float64)
        assert value.shape == theirs[name].shape, name
        scale = max(1.0, float(np.abs(theirs[name]).max(initial=0.0)))
        worst = float(np.abs(value - theirs[name]).max(initial=0.0))
        assert worst <= tolerance * scale, f'{name}: off by {worst} where values reach {scale}'
