"""Which classes images show: one, each in turn, or some at once, as a text on the command line says it."""

import math
from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import InputError
from jaxgan.opened import choose_labels
from jaxgan.types import Mixture

LEAST, MOST = 1e-6, 1e6  # weights: their parts of a sum are numbers above 0 in float32


class Labelling(NamedTuple):
    """The classes of a request."""

    card: dict[str, Any]
    text: str | None  # as given
    parts: tuple[tuple[int, float], ...]  # classes and weights of a mixture; else empty

    def of(self, places: np.ndarray) -> Any:
        """Make the labels of images by their places in the request: integers [n], a ``Mixture``, or None."""
        n = len(places)
        if self.parts:
            classes = np.asarray([index for index, _ in self.parts], np.int32)
            weights = np.asarray([weight for _, weight in self.parts], np.float32)
            return Mixture(np.tile(classes, (n, 1)), np.tile(weights, (n, 1)))
        if self.text is None and self.card['labels']:
            return (places % len(self.card['labels'])).astype(np.int32)
        return choose_labels(self.card, self.text, n)

    def names(self, labels: Any) -> list[str] | None:
        """Name what each image shows."""
        if labels is None:
            return None
        if isinstance(labels, Mixture):
            text = ','.join(f'{self.card["labels"][index]}:{weight:g}' for index, weight in self.parts)
            return [text] * len(labels.classes)
        return [self.card['labels'][label] for label in labels]


def read_labelling(card: dict[str, Any], text: str | None) -> Labelling:
    """Read a class (name or number), a mixture such as 'dog:0.7,cat:0.3', or None: each class in turn.

    Weights are divided by their sum. A text that is a class's name is that class.

    Raises:
        InputError: the generator has no such class, or a weight is not positive.
    """
    names = card['labels']
    if text is None or text in names or ':' not in text:
        choose_labels(card, text, 1)
        return Labelling(card, text, ())
    if not names:
        raise InputError(f'label {text!r} was given, and this generator is unconditional')
    parts = [_read_part(card, part) for part in text.split(',')]
    if len({index for index, _ in parts}) < len(parts):
        raise InputError(f'label {text!r} names a class twice')
    total = sum(weight for _, weight in parts)
    return Labelling(card, text, tuple((index, weight / total) for index, weight in parts))


def _read_part(card: dict[str, Any], part: str) -> tuple[int, float]:
    name, _, number = part.strip().rpartition(':')
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not name or not (0 < weight < math.inf):
        raise InputError(
            f"label: cannot read {part.strip()!r}; wanted classes and weights like 'dog:0.7,cat:0.3'"
        )
    if not LEAST <= weight <= MOST:
        raise InputError(f'label: the weight {weight:g} of {name!r} must be in {LEAST:g}..{MOST:g}')
    found = choose_labels(card, name, 1)
    assert found is not None
    return int(found[0]), weight
