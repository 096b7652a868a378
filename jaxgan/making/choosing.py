"""Which seeds become images: those asked for, less those that filters drop, and the next ones in their place."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from jaxgan.errors import InputError
from jaxgan.making.labelling import Labelling
from jaxgan.rejection import Reference, acceptance
from jaxgan.sampling import CHUNK, MAX_SEED

PATIENCE = 100_000  # seeds without a single image that stays, after which there will be none


def parts_of(
    seeds: Any, labelling: Labelling, skip: frozenset[int] = frozenset()
) -> Iterator[tuple[Any, Any]]:
    """Cut seeds into parts with their labels.

    Args:
        seeds: a list, or a range that may be long; a label that goes by turns goes by the place in it.
        labelling: the classes of the request.
        skip: seeds that are left out.
    """
    wanted = (place for place in range(len(seeds)) if not skip or seeds[place] not in skip)
    places: list[int] = []
    for place in wanted:
        places.append(place)
        if len(places) == CHUNK:
            yield _part(seeds, places, labelling)
            places = []
    if places:
        yield _part(seeds, places, labelling)


def together(results: Iterable[Any], count: Callable[[], int]) -> Iterator[Any]:
    """Join parts, for filters that look at many images at once faster than at few.

    Args:
        results: of parts, trees of arrays [n, ...].
        count: how many of the next ones to join; below 1: one.
    """
    iterator = iter(results)
    while some := list(itertools.islice(iterator, max(1, count()))):
        yield some[0] if len(some) == 1 else jax.tree.map(lambda *each: np.concatenate(each), *some)


def _part(seeds: Any, places: list[int], labelling: Labelling) -> tuple[Any, Any]:
    return np.asarray([seeds[place] for place in places], np.uint32), labelling.of(np.asarray(places))


@runtime_checkable
class Filter(Protocol):
    """Decides which images stay; it may remember those before."""

    def look(self, results: dict[str, Any]) -> Callable[[int], bool]:
        """Look at a part of what a program has made; what is found of each image may be added to it, for a trace.

        Returns:
            Whether an image stays, by its row in the part: asked in the order of the rows, and only of images that all filters
            before let stay.
        """
        ...

    def told(self) -> str:
        """Say what was dropped; empty: nothing."""
        ...


class Chooser:
    """Decides of images in their order, whatever the size of the parts in which they come."""

    def __init__(self, wanted: int, filters: Sequence[Filter] = ()) -> None:
        """Begin.

        Args:
            wanted: how many images.
            filters: what drops some of them, the first one first.
        """
        self.wanted, self.kept, self.tried = wanted, 0, 0
        self._filters = tuple(filters)
        self._last = 0

    def choose(self, results: dict[str, Any]) -> np.ndarray:
        """Choose rows of results."""
        stays, rows = [one.look(results) for one in self._filters], []
        for i in range(len(results['seeds'])):
            if self.kept == self.wanted:
                break
            self.tried += 1
            if all(stay(i) for stay in stays):
                rows.append(i)
                self.kept += 1
                self._last = self.tried
        if self.tried - self._last > PATIENCE:
            raise InputError(
                f'none of the last {PATIENCE:,} seeds gave an image that stays; '
                f'{self.kept} of {self.wanted} images were found: {self.told()}'
            )
        return np.asarray(rows, int)

    def check(self, endless: bool) -> None:
        """Check that there are enough images.

        Raises:
            InputError: there are none, or fewer than wanted although further seeds were to be taken.
        """
        if (self.wanted and not self.kept) or (endless and self.kept < self.wanted):
            end = f', up to {MAX_SEED}' if endless else ''
            raise InputError(
                f'{self.kept} of {self.wanted} images were found among {self.tried} seeds{end}: {self.told()}'
            )

    def told(self) -> str:
        """Say what did not stay; empty: nothing."""
        return '; '.join(filter(None, (one.told() for one in self._filters)))


class Accepted:
    """The filter of discriminator rejection sampling; ``results['probability']`` is added."""

    def __init__(self, reference: Reference) -> None:
        """Begin with what is known of the scores of many images."""
        self._reference, self._acceptance = reference, jax.jit(acceptance)
        self._asked = self._kept = 0

    def look(self, results: dict[str, Any]) -> Callable[[int], bool]:
        """Compare each image's chance with its probability."""
        n = len(results['seeds'])
        scores = np.pad(results['score'], (0, CHUNK - n), constant_values=-np.inf)
        probability, self._reference = self._acceptance(scores, self._reference)
        results['probability'] = np.asarray(probability)[:n]
        accepted = results['chance'] < results['probability']

        def stays(row: int) -> bool:
            self._asked += 1
            self._kept += bool(accepted[row])
            return bool(accepted[row])

        return stays

    def told(self) -> str:
        """Say how many were accepted."""
        return f'{self._kept} of {self._asked} seeds were accepted'
