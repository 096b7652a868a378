"""Errors that a user can mend: one line that names the thing, the value, what is allowed and the nearest match.

Each kind has an exit code, which ``cli.main`` returns.
"""

import difflib
from collections.abc import Iterable


class Failure(Exception):
    """What ends a command with one line on standard error, and with an exit code."""

    code = 1


class InputError(Failure, ValueError):
    """Bad input: configuration, data, checkpoint, options; exit code 2."""

    code = 2


class DamagedError(InputError):
    """What is stored is not what was written; an older one may take its place."""


class MachineError(Failure):
    """The machine does not let us: disk, permission, a lock of another process, a device; exit code 3."""

    code = 3


class UnverifiedError(Failure):
    """Something that was to be verified is not what it claims to be; exit code 4."""

    code = 4


class DivergedError(Failure):
    """A training has diverged, and going back has not helped; exit code 5."""

    code = 5


def unknown(kind: str, value: object, allowed: Iterable[object]) -> InputError:
    """Make the error for a name that is not among those allowed.

    Args:
        kind: what the name stands for, such as ``'loss'``.
        value: what was given.
        allowed: the names that would have been right.

    >>> str(unknown('loss', 'hing', ['hinge', 'minimax']))
    "unknown loss 'hing'; did you mean 'hinge'? (allowed: hinge, minimax)"
    """
    names = [str(name) for name in allowed]
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f'; did you mean {close[0]!r}?' if close else ''
    return InputError(f'unknown {kind} {str(value)!r}{hint} (allowed: {", ".join(names) or "none"})')
