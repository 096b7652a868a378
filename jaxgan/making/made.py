"""What commands that make many images hand to where the images go."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from jaxgan.credentials import Credit


class Made(NamedTuple):
    """Some images, in the order in which they were asked for."""

    images: np.ndarray  # uint8 [n, h, w, c]
    seeds: list[int]
    labels: np.ndarray | None = None  # integers [n], where each has one class
    names: list[str] | None = None  # what each shows: a class, or a mixture of classes


class Origin(NamedTuple):
    """What all images of a request have in common."""

    sign: Callable[..., Credit]  # (seeds, label, index=None) -> credit
    record: dict[str, Any]  # JSON: the model and all that was asked for, besides how many
    place: Callable[[int], int]  # of a seed among those asked for: the index of its picture


class Target(NamedTuple):
    """Where images go, by the name given."""

    kind: str  # 'grid', 'npz' or 'folder'
    form: str  # Pillow's name of the pictures' format
    path: Path | None  # None: standard output


@runtime_checkable
class Output(Protocol):
    """Takes images."""

    there: frozenset[int]  # seeds whose images need not be made

    def add(self, made: Made) -> None:
        """Take some more images."""
        ...

    def finish(self) -> None:
        """Write what is not written yet."""
        ...

    def close(self) -> None:
        """Let go of what is held, also after an error."""
        ...


def counted(n: int) -> str:
    """Say how many images there are.

    >>> counted(1), counted(2)
    ('1 image', '2 images')
    """
    return f'{n} image{"" if n == 1 else "s"}'
