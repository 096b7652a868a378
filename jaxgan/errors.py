"""Errors that a user can mend: one line that names the thing, the value, what is allowed and the nearest match."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input from the person who runs the program; the command line prints it and exits with code 2."""


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
