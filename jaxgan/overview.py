"""What ``jaxgan --help`` prints: every command by what it is for, with the first clause of its options' docstring."""

import re
import shutil
import textwrap
from collections.abc import Mapping

GROUPS: dict[str, tuple[str, ...]] = {
    'Data and training': ('train', 'prepare', 'manifest', 'zoo'),
    'Images of a trained generator': (
        'sample',
        'vary',
        'interpolate',
        'walk',
        'canvas',
        'project',
        'encoder',
        'directions',
        'edit',
        'studio',
        'export',
    ),
    'Measures and records': ('evaluate', 'compare', 'report', 'card', 'bench'),
    'Honest images': ('verify', 'audit', 'plan', 'index', 'attribute', 'exposure', 'remove'),
    'When something went wrong': ('verify-checkpoint', 'reproduce'),
}
INDENT = 21  # the longest name, and two spaces on each side


def overview(documents: Mapping[str, str], width: int | None = None) -> str:
    """Lay out the list of commands.

    Args:
        documents: of each command, its options' docstring.
        width: of a line; None: the terminal's, at most 120.
    """
    width = width or min(shutil.get_terminal_size().columns, 120)
    lines = [
        'usage: jaxgan COMMAND ...   (jaxgan COMMAND --help lists its options; --debug shows tracebacks)'
    ]
    for title, names in GROUPS.items():
        lines += ['', f'{title}:']
        for name in names:
            lines += textwrap.wrap(
                first_clause(documents[name]),
                max(width, 2 * INDENT),
                initial_indent=f'  {name}'.ljust(INDENT),
                subsequent_indent=' ' * INDENT,
            )
    return '\n'.join(lines)


def first_clause(document: str) -> str:
    """Take what stands before the first full stop, colon or semicolon.

    >>> first_clause('Measure speed: of steps. Exit code 0.')
    'Measure speed'
    """
    return re.split(r'[.:;](?:\s|$)', ' '.join(document.split()))[0].replace('``', '')
