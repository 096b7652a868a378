"""Strict JAX for every test: no silent promotion of dtypes or ranks.

Programs here are tiny, so compilation is nearly all of the suite's time: XLA's backend optimizes at level 0, which changes
speed and not mathematics, and before jaxlib 0.11 by its older emitters, which take a third less time (later ones know no such
flag). ``XLA_FLAGS`` in the environment wins. A program that took long is compiled once by each process of pytest: it is kept in
a folder of the process, which is empty at the start and gone at the end; processes that tests start do not see it.
"""

import gc
import importlib.metadata
import os
import re
import tempfile
from pathlib import Path

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


def pytest_configure(config):
    """Keep what took long to compile for the next test of this process."""
    folder = tempfile.TemporaryDirectory(prefix='jaxgan-tests-')
    config.add_cleanup(folder.cleanup)
    jax.config.update('jax_compilation_cache_dir', folder.name)
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)
    jax.config.update('jax_enable_compilation_cache', True)


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Import everything without looking for garbage, and never look for any in what was imported."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path, config):
    """Do not import a module of whose one mark ``-m`` wants none, unless somebody named its file."""
    wanted = config.option.markexpr
    if collection_path.suffix != '.py' or ' or ' in wanted or names(config.args, collection_path):
        return None
    text = collection_path.read_text('utf-8')
    found = re.search(r'^pytestmark = \[?pytest\.mark\.(\w+)', text, re.MULTILINE)
    return True if found and found[1] in re.findall(r'not (\w+)', wanted) else None


def names(arguments, path):
    """Whether one of pytest's arguments, such as ``tests/test_x.py::test_y``, names this file."""
    files = (Path(argument.split('::')[0]) for argument in arguments)
    return any(file.is_file() and file.samefile(path) for file in files)
