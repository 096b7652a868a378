"""Strict JAX for every test: no silent promotion of dtypes or ranks.

Programs here are tiny and compiled once, so compilation is nearly all of the suite's time: XLA's backend optimizes
at level 0, which changes speed and not mathematics, and before jaxlib 0.11 by its older emitters, which take a third
less time (later ones know no such flag). ``XLA_FLAGS`` in the environment wins.
"""

import importlib.metadata
import os

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('JAX_ENABLE_COMPILATION_CACHE', 'false')  # nothing in the home of who runs the tests
os.environ.setdefault(
    'XLA_FLAGS',
    '--xla_backend_optimization_level=0'
    + (
        ' --xla_cpu_use_fusion_emitters=false'
        if importlib.metadata.version('jaxlib').startswith('0.10.')
        else ''
    ),
)
os.environ.setdefault('JAXGAN_KERNELS', 'off')  # tests/test_native.py loads them itself

import jax
import pytest

jax.config.update('jax_numpy_dtype_promotion', 'strict')
jax.config.update('jax_numpy_rank_promotion', 'raise')


@pytest.fixture
def key():
    return jax.random.key(0)
