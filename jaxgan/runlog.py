"""The record of a run (``metrics.jsonl``, TensorBoard events) and what the person at the terminal sees."""

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from tensorboardX import SummaryWriter

from jaxgan.files import Appender, finite, reason, replacing

LINES = 'metrics.jsonl'
MOST_WAITING = 1 << 24  # bytes of events that wait for room on the disk
QUIET_SECONDS = 10.0  # between two lines where there is no terminal

# what a line of progress shows, in this order, of the metrics that there are
SHOWN = {'d/loss': 'D loss', 'g/loss': 'G loss', 'd/real': 'D(real)', 'd/fake': 'D(fake)'}


class RunLog:
    """What a run writes down, each step once, however often it is killed and resumed.

    A line of ``metrics.jsonl`` is an object with ``step``, ``images_seen``, ``seconds`` (of training, all its
    parts together) and the metrics; what JSON has no number for are the strings 'nan', 'inf' and '-inf'. On
    TensorBoard's x axis are images seen.
    """

    def __init__(self, folder: str | Path, resume_step: int):
        """Open the record of a run that continues after ``resume_step``; lines of later steps are dropped."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        kept, dropped = rewind(folder / LINES, resume_step)
        last = kept[-1] if kept else None
        self._started = time.monotonic() - (last.get('seconds', 0.0) if last else 0.0)
        self._file, self._unwritten = Appender(folder / LINES), b''
        self._board = SummaryWriter(
            str(folder / 'tensorboard'),
            flush_secs=10,
            purge_step=_purge_from(last or dropped, resume_step),
            filename_suffix=f'.{resume_step}',  # a clock that was set back must not overwrite a file
        )
        _survive(self._board, self._trouble)
        self.say: Callable[[str], None] = print
        self._said = False

    def __enter__(self) -> 'RunLog':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def scalars(self, step: int, images_seen: int, values: dict[str, Any]) -> None:
        """Write one line of metrics.

        Args:
            step: the training step.
            images_seen: real images used so far.
            values: name -> number.
        """
        numbers = {name: float(value) for name, value in values.items()}
        head = {'step': step, 'images_seen': images_seen, 'seconds': round(self.seconds(), 3)}
        line = json.dumps(head | {name: finite(value) for name, value in numbers.items()}, allow_nan=False)
        self._unwritten += f'{line}\n'.encode()
        self._write()
        self.board(images_seen, numbers)

    def board(self, images_seen: int, values: dict[str, float]) -> None:
        """Write numbers to TensorBoard alone."""
        for name, value in values.items():
            if math.isfinite(value):  # TensorBoard draws nothing else, and tensorboardX warns
                self._board.add_scalar(name, value, images_seen)

    def image(self, name: str, images_seen: int, array: np.ndarray) -> None:
        """Write an image, uint8 [H, W, c], to TensorBoard."""
        self._board.add_image(name, array, images_seen, dataformats='HWC')
        self._board.flush()

    def seconds(self) -> float:
        """Return how long the run has trained, the time before it was resumed included."""
        return time.monotonic() - self._started

    def close(self) -> None:
        """Write out what is still in memory."""
        self._write()
        self._file.close()
        self._board.close()

    def _write(self) -> None:
        """Write the lines that are not on the disk yet; where it is full they wait for the next time."""
        try:
            self._file.add(self._unwritten)
            self._unwritten = b''
        except OSError as error:
            self._trouble(error)

    def _trouble(self, error: OSError) -> None:
        """Say, once, that something cannot be written."""
        if not self._said:
            self._said = True
            self.say(
                f'warning: {LINES} or tensorboard cannot be written: {reason(error)}; the training goes on'
            )


class _Events:
    """TensorBoard's file, as tensorboardX writes to it: a full disk must not end its thread, for which the training would wait."""

    def __init__(self, path: Path, trouble: Callable[[OSError], None]) -> None:
        self._file, self._trouble, self._waiting = Appender(path), trouble, b''

    def write(self, data: bytes) -> None:
        self._waiting += data

    def flush(self) -> None:
        try:
            self._file.add(self._waiting)
            self._waiting = b''
        except OSError as error:
            self._trouble(error)
            self._waiting = self._waiting if len(self._waiting) < MOST_WAITING else b''

    def close(self) -> None:
        self.flush()
        self._file.close()


def _survive(board: SummaryWriter, trouble: Callable[[OSError], None]) -> None:
    """Let a board write through ``_Events``, which tensorboardX has no way to ask for."""
    writer: Any = board._get_file_writer()
    events = writer.event_writer._ev_writer
    records = events._py_recordio_writer
    with events._lock:  # its thread may be writing
        records._writer.close()
        records._writer = _Events(Path(records.path), trouble)


def rewind(path: Path, step: int) -> tuple[list[dict], dict | None]:
    """Drop lines of later steps from a metrics file, and whatever a kill left half written; atomically.

    Returns:
        The lines that stay, and the first of those that went, if there was one.
    """
    if not path.exists():
        return [], None
    lines = [line for line in map(_parse, path.read_text('utf-8', errors='replace').splitlines()) if line]
    kept = [line for line in lines if line['step'] <= step]
    dropped = next((line for line in lines if line['step'] > step), None)
    with replacing(path) as temporary:
        temporary.write_text(''.join(json.dumps(line) + '\n' for line in kept), 'utf-8')
    return kept, dropped


def _parse(text: str) -> dict | None:
    try:
        line = json.loads(text)
        counts = [line['step'], line['images_seen']]
    except (ValueError, KeyError, TypeError):
        return None
    return line if all(isinstance(count, int | float) for count in counts) else None


def _purge_from(line: dict | None, resume_step: int) -> int | None:
    """Return the first count of images after the step: a step sees equally many images in all of a run."""
    if line is None or not line['step']:
        return None
    return resume_step * line['images_seen'] // line['step'] + 1


class Progress:
    """How far training is: a bar in a terminal, otherwise plain lines, one each ten seconds."""

    def __init__(self, total_images: int, images_seen: int = 0):
        """Show progress from ``images_seen`` to ``total_images``."""
        self._total, self._seen = total_images, images_seen
        self._printed = -math.inf
        self._bar: RichProgress | None = None
        if sys.stdout.isatty() and os.environ.get('TERM') != 'dumb':
            self._bar = RichProgress(
                BarColumn(bar_width=24), TextColumn('{task.description}', markup=False), console=Console()
            )
            self._task = self._bar.add_task('starting', total=total_images, completed=images_seen)

    def __enter__(self) -> 'Progress':
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, images_seen: int, images_per_second: float | int, metrics: dict[str, Any]) -> None:
        """Show where training stands.

        Args:
            images_seen: real images used so far.
            images_per_second: the present speed.
            metrics: name -> number; the losses and mean logits among them are shown.
        """
        text = describe(images_seen, self._total, images_per_second, metrics)
        if self._bar:
            self._bar.update(self._task, completed=images_seen, description=text)
            return
        now = time.monotonic()
        if now - self._printed >= QUIET_SECONDS or images_seen >= self._total:
            self._printed = now
            print(text, flush=True)

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, flush=True)


def describe(images_seen: int, total: int, images_per_second: float | int, metrics: dict[str, Any]) -> str:
    """Put progress into one line.

    >>> describe(6400, 12800, 640.0, {'d/loss': 0.7, 'd/real': 1.0})
    '6,400/12,800 images (50%), 0:10 left, 640 images/s, D loss 0.700, D(real) 1.000'
    """
    values = [f'{name} {float(metrics[key]):.3f}' for key, name in SHOWN.items() if key in metrics]
    share = min(100 * images_seen // max(total, 1), 100)
    left = duration((total - images_seen) / images_per_second) if images_per_second > 0 else 'unknown time'
    head = f'{images_seen:,}/{total:,} images ({share}%), {left} left, {images_per_second:,.0f} images/s'
    return ', '.join([head, *values])  # what matters most comes first: a narrow terminal cuts the end


def duration(seconds: float | int) -> str:
    """Write a time as minutes or hours.

    >>> duration(75), duration(3725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes}:{rest:02}'
