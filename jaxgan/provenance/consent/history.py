"""What a run has been fed, as far as its folder says how far it has come: the order of its data, its steps, its checkpoints."""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.checkpoints.restore import load_record
from jaxgan.checkpoints.retention import found_steps
from jaxgan.config import Config, check, step_images
from jaxgan.configjson import read_config
from jaxgan.data import ImageSource, open_source
from jaxgan.data.exclusion import excluded_images
from jaxgan.data.ledger import Order, uses
from jaxgan.errors import DamagedError, InputError
from jaxgan.generatorfolder import CONFIG
from jaxgan.run.recovery import FAULTS
from jaxgan.run.rundir import BEST, CHECKPOINTS
from jaxgan.run.runlog import LINES
from jaxgan.strictjson import parse_json

MOST_USES = 1 << 24  # that are computed at once: of images and of excluded ones, one an epoch


class History(NamedTuple):
    """A run and its data. Steps are counted from 1: step n is the one that makes the state of checkpoint n."""

    run: Path
    config: Config
    source: ImageSource
    order: Order
    steps: int
    """How many have been taken, by the newest checkpoint and the newest line of metrics."""
    checkpoints: dict[int, Path]
    """Those that are there, of ``best/`` as well, oldest first."""
    undone: tuple[tuple[int, int], ...]
    """(first, last) steps behind a checkpoint to which the training has gone back: their state was thrown away."""

    @property
    def places(self) -> int:
        """Count the images that the steps took."""
        return self.steps * step_images(self.config)


class Exposure(NamedTuple):
    """How a run has seen an image."""

    image: int
    excluded: bool
    steps: np.ndarray
    """int64 [n], ascending: the step of each use; a step of several epochs may stand several times."""
    undone: int
    """How many of the uses were in steps whose state was thrown away."""
    before: int | None
    """The newest checkpoint from before its first use, of those that are there; 0: none is; None: it has not been used."""


def open_history(run: Path, until: int | None = None) -> History:
    """Open a run's folder and its data; a training may go on in it.

    Args:
        run: the folder.
        until: look at so many steps, also of those that are still to come; None: those that have been taken.

    Raises:
        InputError: it is no run, its data are not there or are more or fewer than they were, or ``until`` is below 1.
    """
    if not (run / CONFIG).is_file():
        raise InputError(f'{run} is no run: it has no {CONFIG}' if run.exists() else f'there is no run {run}')
    if until is not None and until < 1:
        raise InputError(f'until {until} must be at least 1 step')
    config = check(read_config(run / CONFIG))
    if config.dp.asked:
        raise InputError(
            f'{run} was trained privately: a secret decided which images were in which step, and nobody else is to know it; to leave an image out, '
            'train a new run with data.exclude'
        )
    longest = (2**31 - 1) // step_images(config)
    if until is not None and until > longest:
        raise InputError(f'until {until} must be at most {longest} steps, as a training is')
    source = open_source(config.data)
    checkpoints = _checkpoints(run)
    _check_count(checkpoints, source)
    excluded = excluded_images(source, config.data.exclude)
    taken = max([*checkpoints, *(line['step'] for line in _lines(run / LINES, ('step',)))], default=0)
    faults = _lines(run / FAULTS, ('step', 'restored'))
    return History(
        run=run,
        config=config,
        source=source,
        order=Order(config.seed, len(source), excluded),
        steps=min(taken, longest) if until is None else until,
        checkpoints=checkpoints,
        undone=tuple((line['restored'] + 1, line['step']) for line in faults),
    )


def expose(history: History, images: list[int]) -> list[Exposure]:
    """Compute how a run has seen images; nothing was ever logged for it, and nothing is read.

    Raises:
        InputError: the uses would be too many to list.
    """
    check_uses(history, len(images))
    found = uses(history.order, np.array(images, np.int64), history.places)
    per_step = step_images(history.config)
    barred = set(history.order.excluded.tolist())
    return [
        _exposure(history, image, image in barred, places // per_step + 1)
        for image, places in zip(images, found, strict=True)
    ]


def check_uses(history: History, images: int) -> None:
    """Check that the uses of so many images, and of those that are excluded, can be held.

    Raises:
        InputError: they cannot.
    """
    epochs = -(-history.places // len(history.source))
    found = (images + len(history.order.excluded)) * epochs
    if found > MOST_USES:
        raise InputError(
            f'{history.steps:,} steps are {epochs:,} epochs, with about {found:,} uses of the {images:,} images and of those that are '
            f'excluded; at most {MOST_USES:,} are listed: name fewer images, or fewer steps by --until'
        )


def _exposure(history: History, image: int, excluded: bool, steps: np.ndarray) -> Exposure:
    gone = np.zeros(len(steps), bool)
    for first, last in history.undone:
        gone |= (steps >= first) & (steps <= last)
    before = None
    if len(steps):
        before = max((one for one in history.checkpoints if one < steps[0]), default=0)
    return Exposure(image, excluded, steps, int(gone.sum()), before)


def _checkpoints(run: Path) -> dict[int, Path]:
    found = {
        step: run / folder / str(step) for folder in (BEST, CHECKPOINTS) for step in found_steps(run / folder)
    }
    return dict(sorted(found.items()))


def _check_count(checkpoints: dict[int, Path], source: ImageSource) -> None:
    """Compare with what the newest checkpoint that can be read says of the data: fewer images are in another order."""
    for path in reversed(checkpoints.values()):
        with contextlib.suppress(DamagedError):
            data = load_record(path, f'checkpoint {path}').meta.get('data')
            count = data.get('count') if isinstance(data, dict) else None
            if count not in (None, len(source)):
                raise InputError(
                    f'{source.info.name}, split {source.info.split}, has {len(source):,} images, and the run was trained on {count:,}: '
                    'which it has seen can only be told of the same data'
                )
            return


def _lines(path: Path, counts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read the lines of a run's file in which all these are counts; what a kill left half written is none."""
    found = []
    try:
        texts = path.read_text('utf-8', errors='replace').splitlines()
    except FileNotFoundError:
        return []
    for text in texts:
        with contextlib.suppress(InputError):
            line = parse_json(text, 'a line')
            values = [line.get(name) for name in counts] if isinstance(line, dict) else [None]
            if all(type(value) is int and 0 <= value < 2**31 for value in values):
                found.append(line)
    return found
