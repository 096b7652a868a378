"""Errors that a user can mend: one line that names the thing, the value, what is allowed and the nearest match.

Each kind has an exit code, which ``cli.main`` returns.
"""

import difflib
import errno
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


NAMES = (errno.ENAMETOOLONG, errno.ELOOP)
"""Errors of the system that lie in a name that was given; the others lie in the machine."""


def as_failure(error: BaseException) -> Failure | None:
    """Take what the system or a device says of a name, a disk or its memory as a failure; ``None``: it is a fault of ours.

    >>> as_failure(PermissionError(13, 'Permission denied', 'a.npz'))
    MachineError('a.npz: Permission denied')
    """
    if isinstance(error, Failure):
        return error
    if isinstance(error, OSError) and error.strerror:
        kind = InputError if error.errno in NAMES else MachineError
        return kind(f'{error.filename}: {error.strerror}' if error.filename else error.strerror)
    if isinstance(error, MemoryError) or 'RESOURCE_EXHAUSTED' in str(error):  # the latter by XLA
        reason = (str(error).splitlines() or [''])[0]
        return MachineError(f'the memory does not suffice{f": {reason}" if reason else ""}')
    return None


LONGEST = 1_200  # characters of a message


def one_line(error: object) -> str:
    """Write what is wrong as one line that a terminal can show: no control characters, and not endless.

    >>> one_line('a\\nb\\x1b[31m')
    'a b\\\\x1b[31m'
    """
    text = ' '.join(str(error).split())
    if len(text) > LONGEST:
        text = f'{text[: LONGEST - 300]} ... {text[-200:]}'
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
