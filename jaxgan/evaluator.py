"""Evaluation in training: the averaged generator measured every so many images, the best kept, a stop where nothing improves.

A missing file of weights never stops a training: it is said once, and the training goes on without numbers.
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import DataConfig, ImageSource
from jaxgan.evaluate import Fakes, Findings, choose_extractor, measure, plan
from jaxgan.metrics.assets import MissingAsset
from jaxgan.metrics.config import Evaluation
from jaxgan.metrics.measures import called
from jaxgan.metrics.protocol import EVALUATIONS, Measurement, from_line, to_line
from jaxgan.realimages import Reals, open_held_out

NEAREST = 'nearest.npz'
BEST = 'best'


class Evaluator(NamedTuple):
    """What a training asks."""

    measure: Callable[[Callable], Findings] | None
    """``measure(draw)``, ``draw(seeds, labels) -> uint8 images``; None: nothing is evaluated."""
    best: str
    """The name of the number by which the best checkpoint is chosen; empty: none is."""
    note: str
    """What a user should know before the training, on one line; empty: nothing."""


def make_evaluator(evaluation: Evaluation, data: DataConfig, source: ImageSource, classes: int) -> Evaluator:
    """Prepare evaluation; real images are looked at when it is first asked for.

    Args:
        evaluation: the configuration.
        data: of the training, of which ``source`` is made.
        source: the training's images.
        classes: labels that the generator takes; 0: none.

    Raises:
        InputError: a measure or an extractor does not exist, or does not go with the data.
    """
    if not evaluation.every:
        return Evaluator(None, '', '')
    try:
        extractor = choose_extractor(data.name, source.info.size, evaluation.extractor, None, False)
    except MissingAsset as error:
        return Evaluator(None, '', f'nothing is evaluated: {error}')
    info = source.info
    reals = Reals(source, evaluation.real, data.flip)
    held_out = open_held_out(data, None) if 'copying' in evaluation.measures else None

    def fakes(draw: Callable) -> Fakes:
        return Fakes(draw, evaluation.n, info.size, info.channels, classes, 'average')

    made = plan(extractor, reals, fakes(_undrawn), held_out, evaluation.measures)
    best = '' if evaluation.best == 'none' else called(evaluation.best.upper(), extractor)
    note = (
        f'evaluation: {", ".join(evaluation.measures)} by {extractor.name} every {evaluation.every:,} images'
    )
    return Evaluator(lambda draw: measure(made, reals, fakes(draw), held_out), best, note)


def _undrawn(numbers: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    raise AssertionError('a plan draws no images')


class Record:
    """The evaluations of a run, those before it was resumed included."""

    def __init__(self, folder: Path, best: str, patience: int | None):
        """Read what a run's folder has."""
        self._path, self._name, self._patience = folder / EVALUATIONS, best, patience
        self._values: list[float] = []
        if self._path.exists():
            for text in self._path.read_text('utf-8').splitlines():
                self._note([from_line(json.loads(text))])

    def add(self, found: Sequence[Measurement], seconds: float) -> bool:
        """Write measurements down, and say whether they are the best so far."""
        append(self._path, found, seconds)
        before = min(self._values, default=math.inf)
        return self._note(found) and self._values[-1] < before

    def _note(self, found: Sequence[Measurement]) -> bool:
        values = [one.value for one in found if one.metric == self._name]
        self._values += values
        return bool(values)

    @property
    def exhausted(self) -> bool:
        """Whether as many evaluations as patience allows have passed since the best one."""
        if self._patience is None or not self._values:
            return False
        smallest = min(value if math.isfinite(value) else math.inf for value in self._values)
        at = next((i for i, value in enumerate(self._values) if value == smallest), 0)
        return len(self._values) - 1 - at >= self._patience


def append(path: Path, measurements: Sequence[Measurement], seconds: float = 0.0) -> None:
    """Add measurements to a file of lines, each whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(to_line(one) | {'seconds': round(seconds, 3)}, allow_nan=False) for one in measurements
    ]
    with path.open('a', encoding='utf-8') as file:
        file.write(''.join(line + '\n' for line in lines))
        file.flush()
        os.fsync(file.fileno())


def write_nearest(path: Path, nearest: dict[str, Any] | None) -> None:
    """Write generated images and their nearest real ones, whole or not at all."""
    if nearest is None:
        return
    temporary = path.with_name(f'.{path.name}.tmp.npz')
    np.savez_compressed(temporary, **nearest)
    temporary.replace(path)
