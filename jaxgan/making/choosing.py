"""Which seeds become images: those asked for, less what is rejected or a duplicate, and the next ones in their place."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxgan.errors import InputError
from jaxgan.making.duplicates import Duplicates
from jaxgan.making.labelling import Labelling
from jaxgan.rejection import Reference, acceptance
from jaxgan.sampling import CHUNK, MAX_SEED, format_seeds

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


def _part(seeds: Any, places: list[int], labelling: Labelling) -> tuple[Any, Any]:
    return np.asarray([seeds[place] for place in places], np.uint32), labelling.of(np.asarray(places))


class Chooser:
    """Decides of images in their order, whatever the size of the parts in which they come."""

    def __init__(self, wanted: int, reference: Reference | None, duplicates: Duplicates | None) -> None:
        """Begin.

        Args:
            wanted: how many images.
            reference: of discriminator rejection sampling; None: none is rejected.
            duplicates: what is dropped; None: nothing.
        """
        self.wanted, self.kept, self.tried = wanted, 0, 0
        self.rejected = 0
        self.dropped: list[tuple[int, int]] = []  # (seed, the seed that it repeats)
        self._reference, self._duplicates = reference, duplicates
        self._last = 0
        self._acceptance = jax.jit(acceptance)

    def choose(self, results: dict[str, Any]) -> np.ndarray:
        """Choose rows of results; ``results['probability']`` is added where there is a reference."""
        seeds, rows = results['seeds'], []
        accepted = self._accepted(results)
        for i in range(len(seeds)):
            if self.kept == self.wanted:
                break
            self.tried += 1
            if not accepted[i]:
                self.rejected += 1
            elif (first := self._repeats(results['images'][i], int(seeds[i]))) is not None:
                self.dropped.append((int(seeds[i]), first))
            else:
                rows.append(i)
                self.kept += 1
                self._last = self.tried
        if self.tried - self._last > PATIENCE:
            raise InputError(
                f'none of the last {PATIENCE:,} seeds gave an image that is neither rejected nor a duplicate; '
                f'{self.kept} of {self.wanted} images were found'
            )
        return np.asarray(rows, int)

    def _accepted(self, results: dict[str, Any]) -> np.ndarray:
        n = len(results['seeds'])
        if self._reference is None:
            return np.ones(n, bool)
        scores = np.pad(results['score'], (0, CHUNK - n), constant_values=-np.inf)
        probability, self._reference = self._acceptance(scores, self._reference)
        results['probability'] = np.asarray(probability)[:n]
        return results['chance'] < results['probability']

    def _repeats(self, image: np.ndarray, seed: int) -> int | None:
        return self._duplicates.find(image, seed) if self._duplicates else None

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
        said = []
        if self._reference is not None:
            said.append(f'{self.tried - self.rejected} of {self.tried} seeds were accepted')
        if self.dropped:
            said.append(
                f'{len(self.dropped)} dropped as duplicates: {format_seeds(seed for seed, _ in self.dropped)}'
            )
        return '; '.join(said)
