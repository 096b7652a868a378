"""``jaxgan report``: read, render, write."""

from pathlib import Path

from jaxgan.errors import InputError, unknown
from jaxgan.files import replacing
from jaxgan.report.facts import size_text
from jaxgan.report.gather import gather
from jaxgan.report.page import render


def report_command(run: str, out: str | None) -> int:
    """Write a run's page and say where it is."""
    path = write_report(Path(run), None if out is None else Path(out))
    print(f'wrote {path}: {size_text(path.stat().st_size)}, one file that opens in any browser')
    return 0


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write a run's page, whole or not at all.

    Args:
        run: the run's folder; only read, but for the page.
        out: the file (default: ``report.html`` in the run's folder); its folder is made where need be.

    Returns:
        The file.

    Raises:
        InputError: there is no such run, or the file cannot be written.
    """
    path = run / 'report.html' if out is None else out
    if path.suffix not in ('.html', '.htm'):  # so that no slip of the hand replaces a run's own files
        raise unknown('kind of report', path.suffix or path.name, ('.html', '.htm'))
    text = render(gather(run))
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(text.encode('utf-8', 'replace'))  # JSON may hold half a surrogate pair
    except OSError as error:
        raise InputError(f'cannot write {path}: {error.strerror or error}') from error
    return path
