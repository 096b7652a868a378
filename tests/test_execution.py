"""Nothing in a file is ever run: read from the syntax tree of every module, recipe and script that users start."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PEERS = ROOT / 'jaxgan/bench/peers'  # programs for a Python with PyTorch: no part of the package
FILES = [
    *sorted(path for path in (ROOT / 'jaxgan').rglob('*.py') if path.parent != PEERS),
    *sorted((ROOT / 'configs').glob('*.py')),
    ROOT / 'train.py',
    ROOT / 'sample.py',
]
MODULES = {
    'pickle',
    'cPickle',
    '_pickle',
    'pickletools',
    'marshal',
    'shelve',
    'dill',
    'cloudpickle',
    'joblib',
    'torch',
    'tensorflow',
}
BUILTINS = {'eval', 'exec', 'compile', '__import__'}
ATTRIBUTES = {
    'extractall',
    'exec_module',
    'load_module',
    'run_path',
    'unpack_archive',
    'LOAD_TRUNCATED_IMAGES',
}
DOTTED = {
    'os.system',
    'os.popen',
    'torch.load',
    'yaml.load',
    'yaml.unsafe_load',
    'yaml.full_load',
    'pickle.load',
    'pickle.loads',
}
ALLOWED = {
    ('jaxgan/metrics/pickles.py', 'pickletools'): 'parses opcodes and runs none; the interpreter is our own',
    ('jaxgan/bench/run.py', 'import_module'): 'one of the names in its own table',
    ('jaxgan/lazy.py', 'import_module'): "a name of a package's own table, or a module of that package",
    ('jaxgan/recipes.py', 'exec_module'): 'a recipe is a program that its user asks to run',
}  # fmt: skip


def hits(text):
    """All that could run what a file says, by name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (a.name.split('.')[0] for a in node.names if a.name.split('.')[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from {(node.module or '').split('.')[0]} & MODULES
            yield from {alias.name for alias in node.names} & (MODULES | ATTRIBUTES)
        elif isinstance(node, ast.Attribute):
            yield from {node.attr} & ATTRIBUTES
            yield from {ast.unparse(node)} & DOTTED
        elif isinstance(node, ast.Call):
            yield from called(node)


def called(node):
    if isinstance(node.func, ast.Name):
        yield from {node.func.id} & BUILTINS
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ''
    if name == 'import_module' and not isinstance(node.args[0], ast.Constant | ast.Name):
        yield 'import_module'
    for keyword in node.keywords:
        off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg in ('allow_pickle', 'shell') and not off:
            yield keyword.arg


def test_nothing_executes_what_a_file_says():
    found = {(path.relative_to(ROOT).as_posix(), hit) for path in FILES for hit in hits(path.read_text())}
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    'text',
    [
        'import pickle',
        'import os, marshal as m',
        'from dill import load',
        'from six.moves import cPickle',
        'import torch.hub',
        'eval("1")',
        'exec(compile("x", "y", "exec"))',
        '__import__("os")',
        'import yaml\nyaml.load(f)',
        'np.load(f, allow_pickle=True)',
        'np.load(f, allow_pickle=flag)',
        'archive.extractall()',
        'import os\nos.system("x")',
        'subprocess.run("x", shell=True)',
        'ImageFile.LOAD_TRUNCATED_IMAGES = True',
        'from PIL.ImageFile import LOAD_TRUNCATED_IMAGES',
        'importlib.import_module(f["module"])',
        'spec.loader.exec_module(m)',
    ],
)
def test_each_way_would_be_found(text):
    assert list(hits(text))


def test_arrays_are_loaded_without_objects():
    assert not list(hits('np.load(f, allow_pickle=False)\nsubprocess.run(["x"])\nre.compile("x")'))
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'np.load':
                assert 'allow_pickle' in [keyword.arg for keyword in node.keywords], path
