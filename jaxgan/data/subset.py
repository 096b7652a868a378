"""Part of a source, chosen at random but always alike: what a training of so many images has, and what it leaves out."""

import dataclasses
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from jaxgan.data.order import shuffled_index
from jaxgan.data.source import ImageSource, read_many
from jaxgan.errors import InputError

SEED = 1  # of the permutation: never another, so that a smaller part lies within a larger one


def part(count: int, subset: int | None, named: str) -> np.ndarray:
    """List the places that ``data.subset`` stands for.

    Args:
        count: how many images there are.
        subset: n: the first n of a fixed permutation; -n: all others; None: all.
        named: the source, for the message.

    Returns:
        Places, int64, ascending.

    Raises:
        InputError: there are not so many, or none would stay.

    >>> part(5, 2, 'x').tolist(), part(5, -2, 'x').tolist()
    ([1, 4], [0, 2, 3])
    """
    if subset is None:
        return np.arange(count)
    most = count if subset > 0 else count - 1
    if abs(subset) > most:
        raise InputError(
            f'data.subset {subset} of {named}: it has {count:,} images (allowed: 1 to {count}, and -1 to -{count - 1})'
        )
    first = np.asarray(shuffled_index(SEED, np.arange(abs(subset)), count))
    return np.sort(first) if subset > 0 else np.setdiff1d(np.arange(count), first)


class Subset:
    """Some images of a source, in its order."""

    def __init__(self, source: ImageSource, places: np.ndarray) -> None:
        """Choose images.

        Args:
            source: the images.
            places: of those that stay, ascending.
        """
        self._source, self._places = source, places
        self.info = dataclasses.replace(source.info, count=len(places))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: SupportsIndex, /) -> dict[str, Any]:
        return self._source[int(self._places[index])]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Read several images, at once where the source can."""
        return read_many(self._source, self._places[np.asarray(indices, np.int64)].tolist())

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N]; [0] if there are none."""
        found = self._source.labels()
        return found[self._places] if self.info.classes else found
