"""Every example in the documentation runs, in the docs folder and in each module's docstrings."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import jaxgan

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(jaxgan.__path__, 'jaxgan.')
    if not module.name.endswith(('__main__', '.render'))
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize('path', sorted(ROOT.glob('docs/*.md')), ids=lambda path: path.name)
def test_pages(path):
    failed, _ = doctest.testfile(str(path), module_relative=False, optionflags=FLAGS)
    assert failed == 0


def test_docstrings():
    tried = 0
    for name in MODULES:
        failed, found = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
        assert failed == 0, name
        tried += found
    assert tried >= 25  # the finder works
