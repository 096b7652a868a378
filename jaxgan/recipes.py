"""Recipes from files: a Python file whose ``get_config()`` returns a ``Config``, or the ``config.json`` of a run."""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxgan.config import Config
from jaxgan.configjson import from_dict, read_config, to_dict
from jaxgan.errors import InputError, unknown


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Write no ``__pycache__`` beside a recipe: a dry run writes nothing."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def load_recipe(name: str | None, folder: Path = Path('configs')) -> Config:
    """Load a recipe: the embedded default for ``None``, else a file, or a name in ``configs/``.

    Raises:
        InputError: there is no such file, it fails, or it does not return a ``Config`` of the right types.
    """
    if name is None:
        return Config()
    path = _find(name, folder)
    if path.suffix == '.json':
        return read_config(path)
    spec = importlib.util.spec_from_file_location(f'jaxgan_recipe_{path.stem}', path)
    if spec is None or spec.loader is None:
        raise InputError(f'config {path} is not a Python file')
    module = importlib.util.module_from_spec(spec)
    try:
        with _no_bytecode():
            spec.loader.exec_module(module)
            config = module.get_config()
    except (Exception, SystemExit) as error:
        raise InputError(f'config {path} failed: {type(error).__name__}: {error}') from error
    if not isinstance(config, Config):
        raise InputError(
            f'config {path}: get_config() must return a jaxgan.config.Config, not {type(config).__name__}'
        )
    try:
        return from_dict(to_dict(config))  # as strict as a run that is continued
    except InputError as error:
        raise InputError(f'config {path}: {error}') from None


def _find(name: str, folder: Path) -> Path:
    for path in (Path(name), folder / f'{name}.py'):
        with contextlib.suppress(OSError):  # a name too long to be one
            if path.is_file():
                return path
    raise unknown('config', name, sorted(p.stem for p in folder.glob('*.py')))
