"""What a command has to say besides its result: once, on standard error, and behind it, so that a failure stays one line."""

_WAITING: dict[str, None] = {}


def notice(text: str) -> None:
    """Have a text said when the command has succeeded; the same text again is said once."""
    _WAITING[text] = None


def take() -> list[str]:
    """Take what waits to be said."""
    found = list(_WAITING)
    _WAITING.clear()
    return found
