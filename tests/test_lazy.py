"""Packages import what they name when it is asked for: the same objects under the same names, and no JAX before one is needed."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import jaxgan
import jaxgan.data

ROOT = Path(__file__).parent.parent
PACKAGES = {'jaxgan': jaxgan, 'jaxgan.data': jaxgan.data}

COMMANDS = """
import contextlib, io, sys
from jaxgan.cli import COMMANDS, main

def answer(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code or 0
    return code, out.getvalue(), err.getvalue()

assert answer()[0] == answer('smaple')[0] == 2 and answer('--help')[0] == 0
for command in COMMANDS:
    code, out, _ = answer(command, '--help')
    assert code == 0 and out.startswith(f'usage: jaxgan {command}'), (command, code, out)
    code, _, err = answer(command, '--nonsense')
    assert code == 2 and err.startswith('error: ') and err.count('\\n') == 1, (command, code, err)
    slow = {'jax', 'numpy'} & set(sys.modules)
    assert not slow, (command, slow)
"""


def homes(name):
    """What a package's source says, as a table, and as imports for type checkers: each name's module."""
    tree = ast.parse(Path(PACKAGES[name].__file__).read_text())
    call = next(
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'attach'
    )
    table = {public: home for home, names in ast.literal_eval(call.args[1]).items() for public in names}
    block = next(n for n in tree.body if isinstance(n, ast.If))
    typed = {alias.name: n.module.removeprefix(f'{name}.') for n in block.body for alias in n.names}
    return table, typed


@pytest.mark.parametrize('name', PACKAGES)
class TestNames:
    def test_type_checkers_and_all_see_what_there_is(self, name):
        table, typed = homes(name)
        assert table == typed
        assert sorted(table) == [n for n in sorted(PACKAGES[name].__all__) if n != '__version__']
        assert set(PACKAGES[name].__all__) <= set(dir(PACKAGES[name]))

    def test_each_is_the_object_of_its_module(self, name):
        for public, home in homes(name)[0].items():
            module = importlib.import_module(f'{name}.{home}')
            assert getattr(PACKAGES[name], public) is getattr(module, public), public
            assert getattr(PACKAGES[name], home) is module

    def test_none_is_hidden_by_a_module(self, name):
        folder = Path(PACKAGES[name].__file__).parent
        assert not {path.stem for path in folder.iterdir()} & set(homes(name)[0])

    def test_what_is_not_there_is_an_attribute_error(self, name):
        for wrong in ('nothing', '_nothing', '__main__', '__wrapped__'):
            with pytest.raises(AttributeError, match=f"module '{name}' has no attribute '{wrong}'"):
                getattr(PACKAGES[name], wrong)


@pytest.mark.multiprocess
def test_help_and_wrong_options_answer_without_jax():
    subprocess.run([sys.executable, '-c', COMMANDS], cwd=ROOT, check=True, timeout=120)


@pytest.mark.multiprocess
def test_a_star_and_a_module_come_when_asked_for():
    code = 'import sys, jaxgan; assert "jax" not in sys.modules; jaxgan.losses.hinge; from jaxgan import *; make_train_step, Recipe'
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, timeout=120)
