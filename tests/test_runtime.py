"""What the commands choose for speed, and how it gives way."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jaxgan import runtime
from jaxgan.runtime import compile_quickly, keep_programs

SETTINGS = (
    'jax_enable_compilation_cache',
    'jax_compilation_cache_dir',
    'jax_persistent_cache_min_compile_time_secs',
)


@pytest.fixture(autouse=True)
def _settings():
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update('jax_enable_compilation_cache', True)
    jax.config.update('jax_compilation_cache_dir', None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_programs_are_kept_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    found = keep_programs()
    assert found.folder is not None
    assert found.folder.parent == tmp_path / 'jaxgan' / 'xla'
    assert jax.config.jax_compilation_cache_dir == str(found.folder)
    assert not list(found.folder.iterdir())  # the probe is gone
    assert str(found) == f'kept in {found.folder}'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    jax.config.update('jax_compilation_cache_dir', None)
    assert keep_programs().folder == tmp_path / 'home' / '.cache' / 'jaxgan' / 'xla' / found.folder.name


def test_what_jax_was_told_wins(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'unused'))
    jax.config.update('jax_compilation_cache_dir', str(tmp_path / 'mine'))
    assert keep_programs().folder == tmp_path / 'mine'
    jax.config.update('jax_enable_compilation_cache', False)
    assert str(keep_programs()) == 'not kept: JAX_ENABLE_COMPILATION_CACHE is off'
    assert not (tmp_path / 'unused').exists()


def test_a_folder_that_cannot_be_written_is_said_and_no_error(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    found = keep_programs()
    assert found.folder is None
    assert str(found).startswith(f'not kept: {tmp_path / "file"}')
    assert str(found).endswith('cannot be written')
    assert jax.config.jax_compilation_cache_dir is None


def test_the_oldest_programs_go_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(runtime, 'CACHE_BYTES', 250)
    folder = keep_programs().folder
    assert isinstance(folder, Path)
    for age in range(4):
        (folder / f'{age}-cache').write_bytes(bytes(100))
        os.utime(folder / f'{age}-cache', (1000 - age, 1000 - age))
    (folder / 'other').write_bytes(bytes(1000))
    jax.config.update('jax_compilation_cache_dir', None)
    keep_programs()
    assert sorted(path.name for path in folder.iterdir()) == ['0-cache', '1-cache', 'other']


def test_what_runs_once_is_compiled_quickly_unless_the_user_chose(monkeypatch):
    backend = jax.default_backend()  # asked before: XLA reads the flags once, when it starts
    monkeypatch.setenv('XLA_FLAGS', '')
    plain = {'xla_cpu_use_fusion_emitters': False} if jax.__version__.startswith('0.10.') else {}
    quickly = {'xla_backend_optimization_level': 0} | plain
    assert compile_quickly() == (quickly if backend == 'cpu' else {})
    jax.jit(jnp.sin, compiler_options=compile_quickly())(1.0)  # XLA knows them
    monkeypatch.setenv('XLA_FLAGS', '--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false')
    assert compile_quickly() == {}
