"""Packages whose names are imported when they are first asked for, as in Scientific Python's SPEC 1; and imports that take less long.

``jaxgan COMMAND --help``, and the refusal of an option, must not wait for JAX.
"""

import contextlib
import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def attach(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``.

    Args:
        package: Its full name.
        homes: Modules of it, and the names that the package has from each.

    Returns:
        What imports a name of ``homes``, or a module of the package, when it is first asked for and keeps it; and what lists
        the names that are there already, or would come.
    """
    home = {name: module for module, names in homes.items() for name in names}
    have = vars(sys.modules[package])

    def get(name: str) -> Any:
        if name in home:
            value = getattr(importlib.import_module(f'{package}.{home[name]}'), name)
        elif not name.startswith('_') and importlib.util.find_spec(f'{package}.{name}'):
            value = importlib.import_module(f'{package}.{name}')
        else:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        have[name] = value
        return value

    return get, lambda: sorted({*have, *home})


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import without looking for garbage, and never look for any in what was imported: a start of ``train`` takes 0.4 s less."""
    known, enabled = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if enabled:
            gc.enable()
