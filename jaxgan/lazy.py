"""Packages whose names are imported when they are first asked for, as in Scientific Python's SPEC 1.

``jaxgan COMMAND --help``, and the refusal of an option, must not wait for JAX.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
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
