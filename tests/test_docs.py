"""Every example in the documentation runs, in the docs folder and in each module's docstrings."""

import doctest
import importlib
import pkgutil
import re
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


LONG = ('extractors.md', 'research.md', 'studio.md')  # examples that compile much
PAGES = [
    pytest.param(path, marks=pytest.mark.slow) if path.name in LONG else path
    for path in sorted(ROOT.glob('docs/*.md'))
]


@pytest.mark.parametrize('path', PAGES, ids=lambda path: path.name)
def test_pages(path):
    failed, _ = doctest.testfile(str(path), module_relative=False, optionflags=FLAGS)
    assert failed == 0


@pytest.mark.slow
def test_docstrings():
    tried = 0
    for name in MODULES:
        failed, found = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
        assert failed == 0, name
        tried += found
    assert tried >= 25  # the finder works


def test_each_promise_names_tests_that_there_are():
    text = (ROOT / 'docs/reliability.md').read_text()
    named = re.findall(r'`(test_\w+\.py)?(?:::(Test\w+))?(?:::(test_\w+))?`', text)
    file, checked = '', 0
    for module, group, function in named:
        if not (module or function):
            continue
        file = module or file  # '::test_b' goes on with the file before
        source = (ROOT / 'tests' / file).read_text()
        assert not group or f'class {group}' in source, (file, group)
        assert not function or f'def {function}(' in source, (file, function)
        checked += 1
    assert checked > 40
