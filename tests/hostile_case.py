"""One hostile input: what makes it, the command or function that reads it, and the words that its one line of error needs."""

import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jaxgan.cli import main
from jaxgan.errors import Failure

SECONDS = 5.0  # of the processor: other programs do not count
GIVE_UP = 30  # seconds after which a case is interrupted: it should never have run so long
TINY = (
    '--model.width',
    '4',
    '--model.latent-dim',
    '4',
    '--model.refine',
    '0',
    '--batch-size',
    '4',
    '--steps',
    '1',
)


class Case(NamedTuple):
    """A file or an option from a stranger."""

    name: str
    make: Callable[[Path], 'list[str] | Callable[[], object]']
    """Makes the files in the folder that it is given, the working directory; returns arguments of jaxgan, or a call."""
    words: tuple[str, ...]
    """What the message must hold: the thing's name, the value."""
    code: int = 2
    """0: not an error; the words are looked for in what is printed."""


class Outcome(NamedTuple):
    """What came of a case."""

    code: int
    output: str
    error: str
    seconds: float
    changed: list[str]
    """Files that are there now and were not, or are gone, or are others."""


def argv(name: str, *arguments: str, words: tuple[str, ...], code: int = 2) -> Case:
    """Make a case of options alone."""
    return Case(name, lambda folder: list(arguments), words, code)


def train(*arguments: str) -> list[str]:
    """Arguments of a training that would be over at once, if it were begun."""
    return ['train', '--workdir', 'run', '--dry-run', *TINY, *arguments]


def play(case: Case, folder: Path) -> Outcome:
    """Run a case in an empty folder, which is the home and the working directory, too."""
    folder.mkdir(parents=True)
    before = Path.cwd()
    home = {name: os.environ.get(name) for name in ('HOME', 'JAXGAN_CACHE', 'TFDS_DATA_DIR')}
    os.chdir(folder)
    os.environ |= {
        'HOME': str(folder),
        'JAXGAN_CACHE': str(folder / 'cache'),
        'TFDS_DATA_DIR': str(folder / 'tfds'),
    }
    try:
        made = case.make(folder)
        files = listing(folder)
        output, error = io.StringIO(), io.StringIO()
        started = time.process_time()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error), _alarm():
            code = main(made) if isinstance(made, list) else _call(made)
        seconds = time.process_time() - started
        changed = sorted(name for name, _ in files ^ listing(folder))
        return Outcome(code, output.getvalue(), error.getvalue(), seconds, changed)
    finally:
        os.chdir(before)
        for name, value in home.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def faults(case: Case, outcome: Outcome) -> list[str]:
    """Say what is wrong with an outcome; nothing, as it should be."""
    found = []
    lines = outcome.error.splitlines()
    if outcome.code != case.code:
        found.append(f'exit code {outcome.code} instead of {case.code}')
    if case.code and (len(lines) != 1 or not lines[0].startswith('error: ')):
        found.append(f'{len(lines)} lines of error')
    if len(outcome.error) > 2_000:
        found.append(f'a message of {len(outcome.error):,} characters')
    text = outcome.error if case.code else ' '.join(outcome.output.split())
    found += [f'{word!r} is not said' for word in case.words if word not in text]
    if any(ord(character) < 32 and character != '\n' for character in outcome.error):
        found.append('control characters in the message')
    if outcome.seconds > SECONDS:
        found.append(f'{outcome.seconds:.1f} s')
    if case.code and outcome.changed:
        found.append(f'changed {outcome.changed[:3]}')
    return [f'{case.name}: {fault} ({(outcome.error or outcome.output)[-300:]!r})' for fault in found]


def listing(folder: Path) -> set[tuple[str, tuple]]:
    """List all that lies below a folder, with sizes and times of change; no link is followed."""
    found = set()
    for path in folder.rglob('*'):
        status = path.lstat()
        whole = (status.st_size, status.st_mtime_ns) if path.is_file() and not path.is_symlink() else ()
        found.add((str(path.relative_to(folder)), (status.st_mode, *whole)))
    return found


def _call(function: Callable[[], object]) -> int:
    """Call a function as ``main`` calls a command."""
    try:
        function()
    except Failure as error:
        print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
        return error.code
    return 0


@contextlib.contextmanager
def _alarm():
    def stop(*_):
        raise TimeoutError(f'after {GIVE_UP} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(GIVE_UP)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
