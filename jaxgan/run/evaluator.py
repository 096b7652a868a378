"""Evaluation in training: the averaged generator measured every so many images, the best kept, a stop where nothing improves.

A missing file of weights never stops a training: it is said once, and the training goes on without numbers.
"""

import contextlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.checkpoints.filetable import hash_file
from jaxgan.choices import choose_extractor, open_held_out
from jaxgan.credentials import Credit
from jaxgan.data import DataConfig, ImageSource
from jaxgan.data.order import NONE_EXCLUDED
from jaxgan.errors import InputError
from jaxgan.evaluate import Fakes, Findings, Plan, check_measures, measure, plan
from jaxgan.files import append_lines, replacing
from jaxgan.marks import record
from jaxgan.marks.pictures import record_path
from jaxgan.marks.watermarking import mark
from jaxgan.metrics.assets import MissingAsset
from jaxgan.metrics.config import Evaluation
from jaxgan.metrics.measures import MEASURES, called
from jaxgan.metrics.protocol import EVALUATIONS, Measurement, differences, from_line, to_line
from jaxgan.metrics.types import Extractor
from jaxgan.realimages import Reals
from jaxgan.strictjson import parse_json

NEAREST = 'nearest.npz'
TRAINING = 'training'


class Evaluator(NamedTuple):
    """What a training asks."""

    measure: Callable[[Callable], Findings] | None
    """``measure(draw)``, ``draw(seeds, labels) -> uint8 images``; None: nothing is evaluated."""
    best: str
    """The name of the number by which the best checkpoint is chosen; empty: none is."""
    note: str
    """What a user should know before the training, on one line; empty: nothing."""


def make_evaluator(
    evaluation: Evaluation,
    data: DataConfig,
    source: ImageSource,
    classes: int,
    excluded: np.ndarray = NONE_EXCLUDED,
) -> Evaluator:
    """Prepare evaluation; real images are looked at when it is first asked for.

    Args:
        evaluation: the configuration.
        data: of the training, of which ``source`` is made.
        source: the training's images.
        classes: labels that the generator takes; 0: none.
        excluded: images that the training does not see, and with which nothing is compared.

    Raises:
        InputError: a measure or an extractor does not exist, or does not go with the data.
    """
    if not evaluation.every:
        return Evaluator(None, '', '')
    check_measures(evaluation.measures)  # also where their weights are missing
    try:
        extractor = choose_extractor(data.name, source.info.size, evaluation.extractor, None, False)
        reals = Reals(source, evaluation.real, data.flip, excluded)
        made, notes = _plan(evaluation, data, reals, classes, extractor)
    except MissingAsset as error:
        return Evaluator(None, '', f'nothing is evaluated: {error}')
    best = '' if evaluation.best == 'none' else called(evaluation.best.upper(), extractor)
    note = (
        f'evaluation: {", ".join(made.chosen)} by {extractor.name} every {evaluation.every:,} images{notes}'
    )
    return Evaluator(lambda draw: measure(made, _fakes(evaluation, source, classes, draw)), best, note)


def _plan(
    evaluation: Evaluation, data: DataConfig, reals: Reals, classes: int, extractor: Extractor
) -> tuple[Plan, str]:
    """Plan the measures; those whose weights are not here are left out, and said."""
    wanted = any(MEASURES[name].held_out for name in evaluation.measures)
    held_out = open_held_out(data, None) if wanted else None
    fakes = _fakes(evaluation, reals.source, classes, _undrawn)
    try:
        return plan(extractor, reals, fakes, held_out, evaluation.measures), ''
    except MissingAsset as error:
        names = [name for name in evaluation.measures if not MEASURES[name].perceptual]
        if not names:
            raise
        return plan(extractor, reals, fakes, held_out, names), f'; the others are not measured: {error}'


def _fakes(evaluation: Evaluation, source: ImageSource, classes: int, draw: Callable) -> Fakes:
    info = source.info
    return Fakes(draw, evaluation.n, info.size, info.channels, classes, 'average')


def _undrawn(numbers: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    raise AssertionError('a plan draws no images')


class Record:
    """The evaluations of a training, those before it was resumed included, and not those of ``jaxgan evaluate``."""

    def __init__(self, folder: Path, best: str, patience: int | None):
        """Read what a run's folder has; lines that are no measurements are left alone."""
        self._path, self._name, self._patience = folder / EVALUATIONS, best, patience
        self._found: list[Measurement] = []
        self._steps: set[int | None] = set()
        for text in self._path.read_text('utf-8').splitlines() if self._path.exists() else ():
            with contextlib.suppress(InputError):
                line = parse_json(text, 'a line')
                if isinstance(line, dict) and line.get('origin') == TRAINING:
                    self._note([from_line(line)])

    def improves(self, found: Sequence[Measurement]) -> bool:
        """Say whether measurements are the best so far of those that compare with them."""
        new = [one for one in found if one.metric == self._name]
        values = _values([*self._found, *new])
        return bool(new) and values[-1] < min(values[:-1], default=math.inf)

    def add(self, found: Sequence[Measurement], seconds: float) -> bool:
        """Write measurements down, and say whether they are the best so far of those that compare with them."""
        improved = self.improves(found)
        append(self._path, found, seconds, TRAINING)
        self._note(found)
        return improved

    def has(self, step: int) -> bool:
        """Whether there is an evaluation at a step."""
        return step in self._steps

    def _note(self, found: Sequence[Measurement]) -> None:
        self._found += [one for one in found if one.metric == self._name]
        self._steps |= {one.step for one in found}

    @property
    def exhausted(self) -> bool:
        """Whether as many evaluations as patience allows have passed since the best one."""
        values = _values(self._found) if self._patience is not None else []
        return bool(values) and len(values) - 1 - int(np.argmin(values)) >= (self._patience or 0)


def _values(found: Sequence[Measurement]) -> list[float]:
    """List the numbers by which the best is chosen, of the newest one's protocol; what is not finite is the worst."""
    same = [one for one in found if not differences(one.protocol, found[-1].protocol)]
    return [one.value if math.isfinite(one.value) else math.inf for one in same]


def append(
    path: Path, measurements: Sequence[Measurement], seconds: float = 0.0, origin: str = 'command'
) -> None:
    """Add measurements to a file of lines, each whole; ``origin`` says whether the training or a command took them."""
    more = {'seconds': round(seconds, 3), 'origin': origin}
    append_lines(path, [to_line(one) | more for one in measurements])


def write_nearest(path: Path, nearest: dict[str, Any] | None, when: dict[str, Any], credit: Credit) -> None:
    """Write generated images, marked, and their nearest real ones, as they are: whole or not at all, with a line in the record.

    Args:
        path: the .npz.
        nearest: its arrays, and what to say ``about`` them; None: there are none, and nothing is written.
        when: joins what is said of them.
        credit: of the generated ones.
    """
    if nearest is None:
        return
    marked = mark(nearest['generated'], credit)
    arrays: dict[str, Any] = {
        **nearest,
        'generated': marked.pixels,
        'about': np.array(json.dumps(nearest['about'] | when)),
        'credit': np.array(json.dumps({**credit.fields(), 'kind': credit.kind})),
    }
    with replacing(path) as temporary:
        with temporary.open('wb') as file:
            np.savez_compressed(file, **arrays)
        digest = hash_file(temporary)
        entry = record.entry_of(path.name, digest, marked.pixels.shape[1:3], marked.layers, credit)
        record.append(record_path(path, credit), [entry | {'images': len(marked.pixels)}])
