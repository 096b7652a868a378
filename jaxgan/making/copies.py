"""Images that are copies of training images, found by the index beside the generator: a filter that drops them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgan.copyindex.file import load_index, to_bytes
from jaxgan.copyindex.index import NAME, CopyIndex
from jaxgan.errors import InputError
from jaxgan.opened import Generator
from jaxgan.run.rundata import fingerprint_of, read_run
from jaxgan.sampling import format_seeds


class Copies:
    """Drops images nearer to a training image than a threshold (``choosing.Filter``); it remembers nothing.

    If it is to trace, ``results['copy_ratio']`` and ``results['copy_nearest']`` are added: the ratio of ``metrics.copies``, and the
    place of the training image in its source. That takes several times as long, and drops the same images.
    """

    def __init__(self, index: CopyIndex, rate: float | None = None, traced: bool = False) -> None:
        """Begin.

        Args:
            index: of the training images.
            rate: the share of fresh images that are dropped, too; None: 0.01, or the nearest that the index has.
            traced: whether the nearest training image of each image is wanted.

        Raises:
            InputError: the index has no threshold for this rate.
        """
        self._index, self._rate, self._traced = index, index.rate(rate), traced
        self._threshold = index.threshold(self._rate)
        self._screen = index.screen(self._threshold)
        self._dropped: list[int] = []

    @property
    def stated(self) -> str:
        """Say for a credit what was dropped."""
        return f'dropped below ratio {self._threshold:.4g} (rate {self._rate:g}, index {self._index.digest[:16]})'

    def look(self, results: dict[str, Any]) -> Callable[[int], bool]:
        """Compare a part of the images with the training images."""
        if self._traced:
            found = self._index.find_with(self._screen, results['images'])
            results['copy_ratio'], results['copy_nearest'] = ratios, _ = (
                found.ratios[:, 0],
                found.indices[:, 0],
            )
        else:
            ratios = self._screen(results['images']).ratios
        fresh = (ratios >= self._threshold) & (ratios > 0)

        def stays(row: int) -> bool:
            if not fresh[row]:
                self._dropped.append(int(results['seeds'][row]))
            return bool(fresh[row])

        return stays

    def told(self) -> str:
        """Say which seeds were dropped, and by what threshold: a coarse one drops images that are no copies, too."""
        below = f'below ratio {self._threshold:.4g}, where at most {self._rate:.1%} of images lie that are no copies'
        which = f': {format_seeds(self._dropped)}' if self._dropped else ''
        return f'{len(self._dropped)} dropped as copies of training images ({below}){which}'


def open_copies(
    found: Generator, source: Path, path: Path | None, rate: float | None, traced: bool = False
) -> Copies:
    """Open the filter of a generator.

    Args:
        found: the generator.
        source: the folder of its run, or of its export.
        path: of the index; None: the one in that folder.
        rate: the share of fresh images that are dropped, too; None: as ``Copies`` says.
        traced: whether the nearest training image of each image is wanted.

    Raises:
        InputError: there is no index, or it is of other data or other images.
    """
    chosen = path or source / NAME
    if path is None and not chosen.is_file():
        run = source if found.checkpoint is not None else 'RUN'
        hint = '' if found.checkpoint is not None else ', and export the run again'
        raise InputError(
            f'{source} has no index of its training images: write it with jaxgan index {run}{hint}'
        )
    return Copies(_opened(found, source, chosen), rate, traced)


def indexed(found: Generator, source: Path) -> dict[str, bytes]:
    """Read the index beside a generator as a file of an export; empty: there is none.

    Raises:
        InputError: it is of other data or other images.
    """
    path = source / NAME
    return {NAME: to_bytes(_opened(found, source, path))} if path.is_file() else {}


def _opened(found: Generator, source: Path, path: Path) -> CopyIndex:
    index = load_index(path)
    size, channels = index.about.size, index.about.channels
    height, width, made = found.shape
    if (height, width, made) != (size, size, channels):
        raise InputError(
            f'{path} is of images of {size}x{size} with {channels} channels, and this generator makes {width}x{height} '
            f'with {made}'
        )
    if found.checkpoint is not None:
        check_same_data(index, source, path)
    return index


def check_same_data(index: CopyIndex, run: Path, path: Path) -> None:
    """Check that an index is of a run's data.

    Raises:
        InputError: it is of others.
    """
    there = fingerprint_of(read_run(run))
    if there['sha256'] and there != {'of': index.about.fingerprint_of, 'sha256': index.about.fingerprint}:
        raise InputError(
            f'{path} is of other data than {run} was trained on: write it anew with jaxgan index {run}'
        )
