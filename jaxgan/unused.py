"""Options that would have no effect: they are refused, for whoever gave them expects one."""

from typing import Any

from jaxgan.errors import InputError


def refuse(why: str, **given: Any) -> None:
    """Refuse options that were given although something else makes them meaningless.

    Args:
        why: what does, such as 'with --seeds' or 'without --tune'.
        given: options by name, and their values; None: not given.

    >>> refuse('without --dedup near', near=None, step_size=None)
    >>> refuse('without --dedup near', near=5.0)
    Traceback (most recent call last):
        ...
    jaxgan.errors.InputError: --near 5 has no meaning without --dedup near

    Raises:
        InputError: one was given.
    """
    for name, value in given.items():
        if value is not None:
            told = f'{value:g}' if isinstance(value, float) else value
            told = ' '.join(map(str, value)) if isinstance(value, tuple) else told
            raise InputError(f'--{name.replace("_", "-")} {told} has no meaning {why}')
