"""What there is to choose from: every family's members with a line on each, read from the registries.

A line is the first of a docstring. Losses and other tuples have none of their own: theirs stands below their
assignment in the source, where ``ast`` finds it.
"""

import ast
import functools
import inspect
import itertools
import sys
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from jaxgan import build, modelconfig
from jaxgan.errors import InputError, unknown

Rows = dict[str, str]


def families(recipes: Path = Path('configs')) -> dict[str, Rows]:
    """List every family: ``{family: {member: line}}``; recipes are files in a folder, and are not run."""
    return {
        'models': {name: first_line(inspect.getdoc(cls)) for name, cls in modelconfig.KINDS.items()},
        'conditioning': _conditioning(),
        'losses': describe(build.LOSSES),
        'penalties': describe(build.PENALTIES),
        'augment': describe(build.AUGMENTATIONS),
        'ada': _ada(),
        'optimizers': describe(build.OPTIMIZERS),
        'trainings': describe(build.STEPS),
        'extensions': describe(build.EXTENSIONS),
        'recipes': {path.stem: first_line(_module_doc(path)) for path in sorted(recipes.glob('*.py'))},
    }


def choose(family: str | None, recipes: Path = Path('configs')) -> dict[str, Rows]:
    """List the families that have members, or one of them.

    Raises:
        InputError: there is no such family, or it has no members here.
    """
    found = families(recipes)
    if family is None:
        return {name: rows for name, rows in found.items() if rows}
    if family not in found:
        raise unknown('family', family, found)
    if not found[family]:
        where = f' in {recipes}/ of this folder' if family == 'recipes' else ''
        raise InputError(f'family {family} has no members{where}')
    return {family: found[family]}


def describe(members: Mapping[str, Any]) -> Rows:
    """Say each member's line."""
    return {name: first_line(documentation(name, value)) for name, value in members.items()}


def documentation(name: str, value: Any) -> str | None:
    """Find a member's docstring: its own, or what stands below its assignment in the module of its functions."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return inspect.getdoc(value)
    modules = dict.fromkeys(getattr(part, '__module__', None) for part in _parts(value) if callable(part))
    found = (_attribute_docs(module).get(name) for module in modules if module)
    return next((text for text in found if text), None)


def first_line(text: str | None) -> str:
    """Take the first line of a docstring; '' where there is none.

    >>> first_line('Flip.' + chr(10) + 'More.')
    'Flip.'
    """
    return next(iter((text or '').strip().splitlines()), '')


def _parts(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


@functools.cache
def _attribute_docs(module: str) -> dict[str, str]:
    """Read ``name = ...`` followed by a string, from a module's source; nothing where there is no source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError, SyntaxError):
        return {}
    found = {}
    for node, after in itertools.pairwise(tree.body):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(after, ast.Expr):
            continue
        text = after.value.value if isinstance(after.value, ast.Constant) else None
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(text, str):
            found |= {target.id: inspect.cleandoc(text) for target in targets if isinstance(target, ast.Name)}
    return found


def _ada() -> Rows:
    """List the names that ``Config.ada`` takes: sets of groups, groups of transformations, and these alone."""
    sets = {name: f'The groups {", ".join(groups)}.' for name, groups in build.ADA_SETS.items()}
    groups = {
        name: f'The transformations {", ".join(members)}.' for name, members in build.ADA_GROUPS.items()
    }
    alone = {
        name: f'Of the group {group}.' for group, members in build.ADA_GROUPS.items() for name in members
    }
    return sets | alone | groups


def _conditioning() -> Rows:
    """List what models may choose for their ``conditioning``, with the models that have it."""
    able: dict[str, list[str]] = {}
    for kind, cls in modelconfig.KINDS.items():
        for hint in _flat(typing.get_type_hints(cls).get('conditioning')):
            able.setdefault(hint, []).append(kind)
    return {name: f'of {", ".join(kinds)}' for name, kinds in able.items()}


def _flat(hint: Any) -> list[str]:
    """List the strings in a ``Literal``, also inside a union."""
    if typing.get_origin(hint) is Literal:
        return [str(value) for value in typing.get_args(hint)]
    return [value for part in typing.get_args(hint) for value in _flat(part)]


def _module_doc(path: Path) -> str | None:
    try:
        return ast.get_docstring(ast.parse(path.read_text('utf-8')))
    except (OSError, SyntaxError, ValueError):
        return None
