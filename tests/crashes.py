"""A tiny real training as a process, for tests that end it in all sorts of ways and compare what it comes to."""

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from runs import make_data

from jaxgan.marks import record

ROOT = Path(__file__).parent.parent
STEPS = 32
LEFT = re.compile('tmp|[.](saving|deleted|damaged)')  # what nothing may leave
TIMES = ('seconds', 'images_per_second')  # what differs between two runs


def crowd():
    """How many others want each core, if any: what may take a second takes so many then."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Training:
    """``train.py`` on sixteen-pixel images, which saves every two steps; its programs are compiled once for all."""

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self.data = make_data(self.folder)

    def command(self, workdir: Path, *options: object) -> list[str]:
        fixed = (
            '--data.name', f'npz:{self.data}', '--workdir', workdir, '--model.width', 4, '--batch-size', 8, '--steps', STEPS,
            '--steps-per-dispatch', 2, '--log-every', 16, '--sample-every', 64, '--checkpoint-every', 16, '--grid', 4,
        )  # fmt: skip
        return [sys.executable, '-u', str(ROOT / 'train.py'), *map(str, (*fixed, *options))]

    def start(self, workdir: Path, *options: object, env: dict | None = None) -> 'Process':
        cached = {key: value for key, value in os.environ.items() if key != 'JAX_ENABLE_COMPILATION_CACHE'}
        cached |= {'PYTHONPATH': str(ROOT), 'XDG_CACHE_HOME': str(self.folder / 'cache')}
        return Process(self.command(workdir, *options), cached | (env or {}))

    def run(self, workdir: Path, *options: object, env: dict | None = None) -> 'Process':
        return self.start(workdir, *options, env=env).finish()


class Process:
    """A process whose lines of output can be waited for."""

    def __init__(self, command: list[str], env: dict):
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: dict[str, list[str]] = {'stdout': [], 'stderr': []}
        self._readers = [threading.Thread(target=self._read, args=(name,)) for name in self.lines]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        for line in getattr(self.process, name):
            self.lines[name].append(line)

    @property
    def out(self) -> str:
        return ''.join(self.lines['stdout'])

    @property
    def err(self) -> str:
        return ''.join(self.lines['stderr'])

    @property
    def code(self) -> int | None:
        return self.process.returncode

    def until(self, happened, seconds: float = 120) -> bool:
        """Wait until something has happened; False: the process ended before."""
        deadline = time.monotonic() + seconds
        while not happened():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, (self.out, self.err)
            time.sleep(0.002)
        return True

    def says(self, text: str, seconds: float = 120) -> bool:
        return self.until(lambda: text in self.out, seconds)

    def after(self, seconds: float) -> bool:
        """Wait for a time; False: the process ended before."""
        moment = time.monotonic() + seconds
        return self.until(lambda: time.monotonic() >= moment)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def finish(self, seconds: float = 240) -> 'Process':
        try:
            self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            for reader in self._readers:
                reader.join()
            self.process.stdout.close()
            self.process.stderr.close()
        return self


def logged_step(workdir: Path) -> int:
    """The last step with a line of metrics."""
    try:
        lines = (workdir / 'metrics.jsonl').read_text().splitlines()
        return json.loads(lines[-1])['step'] if lines else 0
    except (OSError, ValueError):
        return 0


def saved_steps(workdir: Path) -> list[int]:
    """The checkpoints that a run has."""
    return sorted(int(path.name) for path in (workdir / 'checkpoints').glob('*') if path.name.isdecimal())


def outcome(workdir: Path) -> dict:
    """Everything that a finished run must have in common with one that was never interrupted."""
    made = json.loads((workdir / 'checkpoints' / str(STEPS) / 'meta' / 'record.json').read_text())
    lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    return {
        'state': made['leaves'],  # with a SHA-256 of each
        'metrics': [{name: value for name, value in line.items() if name not in TIMES} for line in lines],
        'samples': {path.name: path.read_bytes() for path in (workdir / 'samples').glob('*.png')},
        'recorded': {  # a grid that was made again has a line again, the same
            json.dumps(line) for line in record.read(workdir / 'samples' / 'provenance.jsonl')
        },
        'checkpoints': saved_steps(workdir),
        'temporary': [str(path) for path in workdir.rglob('*') if LEFT.search(path.name)],
    }


def kill_moments(number: int, seed: int) -> list[tuple[str, int, float]]:
    """Draw moments: two of five within start-up, the others within training and saving."""
    draw = random.Random(seed)
    training = [('training', draw.randrange(0, 7), draw.uniform(0, 0.15)) for _ in range(number)]
    return [
        ('start', 0, draw.uniform(0, 4)) if draw.random() < 0.4 else training[place]
        for place in range(number)
    ]


def reach(process: Process, workdir: Path, moment: tuple[str, int, float]) -> bool:
    """Wait for a moment; False: the process ended before."""
    kind, steps, delay = moment
    if kind == 'training':
        begun = max(saved_steps(workdir), default=0)
        if not process.says('compiled in') or not process.until(lambda: logged_step(workdir) > begun + steps):
            return False
    return process.after(delay)
