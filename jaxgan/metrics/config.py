"""What is measured while a generator trains."""

from dataclasses import dataclass
from typing import Literal

from jaxgan.errors import InputError


@dataclass(frozen=True)
class Evaluation:
    """Measures of the averaged generator while it trains: ``evaluations.jsonl``."""

    every: int = 0
    """Images between two evaluations; 0: none. There is one at the end, too."""
    measures: tuple[str, ...] = ('fd',)
    """Which: names of ``jaxgan evaluate --measures``."""
    extractor: str = 'auto'
    """The network from images to features, as ``jaxgan evaluate`` takes it."""
    n: int = 5_000
    """How many images to generate."""
    real: int | None = None
    """How many real images to compare with (default: all)."""
    best: Literal['fd', 'kid', 'none'] = 'fd'
    """Keep the checkpoint with the smallest distance of this kind in best/; none: keep none."""
    patience: int | None = None
    """Stop the training after so many evaluations in a row without a smaller one."""


def check_evaluation(evaluation: Evaluation) -> None:
    """Refuse values that no training could use.

    Raises:
        InputError: names the field, its value and what is allowed.
    """
    if not evaluation.every:
        if evaluation != Evaluation():
            raise InputError(f'{evaluation} has no effect while every is 0: give evaluation.every')
        return
    for name, lowest in (('every', 1), ('n', 2), ('real', 2), ('patience', 1)):
        value = getattr(evaluation, name)
        if value is not None and value < lowest:
            raise InputError(f'evaluation.{name} {value} must be at least {lowest}')
    if evaluation.best == 'none':
        if evaluation.patience is not None:
            raise InputError(f'evaluation.patience {evaluation.patience} needs evaluation.best fd or kid')
    elif evaluation.best not in evaluation.measures:
        raise InputError(
            f'evaluation.best {evaluation.best} must be among evaluation.measures {evaluation.measures}, or none'
        )
