"""Suite ``startup``: from the start of a process to its first step, without and with a compilation cache."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxgan.bench.peer import Peer
from jaxgan.bench.session import Row, Session
from jaxgan.bench.timing import SideError, ratio, summarize

NAMES = ('train', 'dcgan64', 'mlp')
SECOND = ('dcgan64',)  # measured by --quick only by name
PATIENCE = 600.0  # seconds for one start
FIRST_STEP = """
import sys
import jax
from jaxgan.bench.cases import Case, Training
jax.block_until_ready(Training(Case(sys.argv[1], 64))())
"""


def run(session: Session) -> Iterator[Row]:
    """Measure starts with an empty cache folder, then again with what they left in it."""
    for name in NAMES:
        if session.wants(name, quickly=name not in SECOND):
            try:
                yield from both(session, name)
            except SideError as error:
                session.say(f'{name}: {error}')
    session.tell_left_out(SECOND)


def both(session: Session, name: str) -> Iterator[Row]:
    """Measure cold and warm starts of one program."""
    starts = 1 if session.quick else 3
    peers, reason = peer_starts(session, name, starts)
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / 'warm'
        caches = {'cold': [Path(folder) / f'cold{i}' for i in range(starts)], 'warm': [warm] * starts}
        start(name, warm)
        for temperature, places in caches.items():
            row: Row = {'name': f'{name}, {temperature} cache'}
            times = [[start(name, place)] for place in places]
            row['ours'] = summarize(times)
            row['cached_files'] = sum(path.is_file() for path in places[0].rglob('*'))
            if peers:
                row |= {'peers': {'eager': summarize(peers)}, 'best_peer': 'eager', **ratio(times, peers)}
            elif reason:
                row['refused'] = {'eager': reason}
            yield row


def peer_starts(session: Session, name: str, starts: int) -> tuple[list[list[float]], str]:
    """Time a new PyTorch process up to the first step of the same pair; it has no cache in eager mode."""
    if session.peer is None or name == 'train':
        return [], ''
    case = {'kind': 'step', 'model': 'mlp' if name == 'mlp' else 'dcgan', 'batch': 64}
    times = []
    try:
        for _ in range(starts):
            before = time.perf_counter()
            with Peer(session.peer.python, session.peer.device) as peer:
                peer.ask(case=case, seconds=0, calls=1)
                times.append([time.perf_counter() - before])
    except SideError as error:
        session.say(f'{name}: PyTorch: {error}')
        return [], str(error)
    return times, ''


def start(name: str, cache: Path) -> float:
    """Start a process and wait for its first step; return the seconds that it took.

    ``train`` is the default recipe by ``jaxgan train``, up to its first line of metrics, after one dispatch of eight
    steps; the others are a process that builds the pair and makes one step.
    """
    environment = {
        **os.environ,
        'JAX_COMPILATION_CACHE_DIR': str(cache),
        'XDG_CACHE_HOME': str(cache),
        'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
    }
    if name != 'train':
        script = [sys.executable, '-c', FIRST_STEP, 'mlp' if name == 'mlp' else 'dcgan']
        environment['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.1'
        return _until(script, environment, None)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / 'run'
        command = [sys.executable, '-m', 'jaxgan', 'train', '--workdir', str(run)]
        return _until([*command, '--steps', '8', '--log-every', '128'], environment, run / 'metrics.jsonl')


def _until(command: Sequence[str], environment: dict[str, str], lines: Path | None) -> float:
    """Run a command to its end, or until a file has a line; return the seconds."""
    before = time.perf_counter()
    with tempfile.TemporaryFile('w+') as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            while process.poll() is None and time.perf_counter() - before < PATIENCE:
                if lines is not None and lines.exists() and lines.read_text().count('\n'):
                    return time.perf_counter() - before
                time.sleep(0.005)
            seconds = time.perf_counter() - before
            if process.poll() != 0 or (lines is not None and not lines.exists()):
                said.seek(0)
                last = (said.read().strip().splitlines() or ['it said nothing'])[-1]
                shown = ' '.join(' '.join(command).split())
                raise SideError(f'{shown[:80]} did not make a step: {last}')
            return seconds
        finally:
            process.kill()
            process.wait()
