"""``jaxgan attribute``: the training images that a picture is nearest to, and who holds the rights in them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgan.copyindex.data import open_indexed_data
from jaxgan.copyindex.file import load_index
from jaxgan.copyindex.index import NAME, CopyIndex, prefix
from jaxgan.copyindex.separability import told, too_alike
from jaxgan.data import DataConfig, ImageSource
from jaxgan.datamanifest import entries as manifests
from jaxgan.errors import InputError
from jaxgan.making.targets import read_picture
from jaxgan.metrics.descriptors import VIEWS
from jaxgan.provenance.copying.evidence import Tile, sheet, write_sheet
from jaxgan.provenance.copying.rights import NOT_STATED, Rights, rights_of
from jaxgan.realimages import read_bytes
from jaxgan.unused import refuse

SHEET_ROWS = 64
NOTE = (
    'A small ratio is likeness: no proof that one was made from the other. No match is no proof of independence: crops below 0.8 of a '
    "side, changed colours, collages and another's style are not found."
)


class Picture(NamedTuple):
    """A picture that is asked about."""

    file: str
    sha256: str
    prepared: str
    """What was done to it."""
    pixels: np.ndarray
    """uint8 [size, size, c], as the training's images are."""


class Match(NamedTuple):
    """A training image near a picture."""

    index: int
    ratio: float
    match: bool
    exact: bool
    """Whether its pixels are the same, as far as 32 bits of a SHA-256 and the features say."""
    seen: str
    """What was done to it to get the picture, as far as that shows."""
    rights: Rights


def attribute_command(
    pictures: tuple[str, ...],
    run: str,
    k: int,
    fpr: float | None,
    json: bool,
    out: str | None,
    data: str | None,
    data_dir: str | None,
    manifest: str | None,
) -> int:
    """Print the nearest training images of pictures."""
    if out is None:
        refuse('without --out', data=data, data_dir=data_dir)
    elif Path(out).suffix.lower() != '.png' or Path(out).is_dir():
        raise InputError(f'out {out} must be a file that ends in .png')
    if not pictures:
        raise InputError('name at least one picture')
    if out is not None and len(pictures) > SHEET_ROWS:
        raise InputError(f'{len(pictures)} pictures are more than the {SHEET_ROWS} of a sheet')
    folder = Path(run)
    index = open_index(folder)
    threshold = index.threshold(index.rate(fpr))
    asked = [read_asked(Path(path), index) for path in pictures]
    beside = folder / manifests.NAME
    listed = Path(manifest) if manifest is not None else beside if beside.is_file() else None
    found = matches(asked, index, k, threshold, listed)
    source = None if out is None else open_indexed_data(folder, index.about, data, data_dir)
    if out is not None and source is not None:
        write_sheet(Path(out), sheet(_rows(asked, found, source)))
    if json:
        print(_as_json(asked, found, index, threshold))
    else:
        _show(asked, found, index, threshold, Console(highlight=False))
        if out is not None:
            print(f'wrote {out}')
    return 0


def open_index(path: Path) -> CopyIndex:
    """Read the index of a run or an export, or the file itself.

    Raises:
        InputError: there is none.
    """
    if not path.exists():
        raise InputError(f'{path} does not exist')
    if path.is_dir() and not (path / NAME).is_file():
        raise InputError(f'{path} has no index of its training images: write it with jaxgan index {path}')
    return load_index(path / NAME if path.is_dir() else path)


def read_asked(path: Path, index: CopyIndex) -> Picture:
    """Read a stranger's picture as the training's images are.

    Raises:
        InputError: it is no picture.
    """
    about = index.about
    config = DataConfig('pictures', size=about.size, crop='center', resize=about.resize)
    pixels, told = read_picture(path, config, (about.size, about.size, about.channels))
    return Picture(path.name, told['source'], told['prepared'], pixels)


def matches(
    asked: Sequence[Picture], index: CopyIndex, k: int, threshold: float, manifest: Path | None
) -> list[list[Match]]:
    """Find the nearest training images of each picture, the smallest ratio first.

    Raises:
        InputError: k is out of range, or the manifest is of other data.
    """
    pixels = np.stack([picture.pixels for picture in asked])
    found = index.find_with(index.screen(threshold), pixels, k)
    rights = rights_of(manifest, sorted(set(found.indices.ravel().tolist())), index.source_count, index.about)

    def match(row: int, place: int) -> Match:
        ratio, i = float(found.ratios[row, place]), int(found.indices[row, place])
        same = ratio == 0 and prefix(pixels[row]) == index.prefix_at(i)
        return Match(
            i, ratio, ratio < threshold or same, same, VIEWS[found.views[row, place]].describe(), rights[i]
        )

    return [[match(row, place) for place in range(k)] for row in range(len(asked))]


def _rows(
    asked: Sequence[Picture], found: Sequence[Sequence[Match]], source: ImageSource
) -> list[list[Tile]]:
    rows = []
    for picture, near in zip(asked, found, strict=True):
        images, _ = read_bytes(source, np.asarray([one.index for one in near]))
        tiles = [
            Tile(pixels, f'{one.index}: {one.ratio:.2f}{" match" if one.match else ""}', one.match)
            for pixels, one in zip(images, near, strict=True)
        ]
        rows.append([Tile(picture.pixels, picture.file), *tiles])
    return rows


def _as_json(
    asked: Sequence[Picture], found: Sequence[Sequence[Match]], index: CopyIndex, threshold: float
) -> str:
    def of_one(picture: Picture, near: Sequence[Match]) -> dict[str, Any]:
        of_picture = {name: value for name, value in picture._asdict().items() if name != 'pixels'}
        nearest = [{**one._asdict(), 'rights': one.rights._asdict()} for one in near]
        return {**of_picture, 'match': any(one.match for one in near), 'nearest': nearest}

    pictures = [of_one(*one) for one in zip(asked, found, strict=True)]
    of_index = {
        'sha256': index.digest,
        'data': index.about.data,
        'split': index.about.split,
        'images': index.count,
    }
    place = [one.ratio for one in index.about.thresholds].index(threshold)
    of_set = {
        'found': {one.change: one.found[place] for one in index.about.planted},
        'too_alike': too_alike(index.about.planted, place),
    }
    return json.dumps(
        {'index': of_index, 'threshold': threshold, 'changed': of_set, 'pictures': pictures, 'note': NOTE},
        indent=2,
        allow_nan=False,
    )


def _show(
    asked: Sequence[Picture],
    found: Sequence[Sequence[Match]],
    index: CopyIndex,
    threshold: float,
    console: Console,
) -> None:
    about = index.about
    place = [one.ratio for one in about.thresholds].index(threshold)
    rate = about.thresholds[place].fpr
    sure = f'{about.confidence:.0%} confidence' if about.confidence else 'on average'
    console.print(
        f'{index.count:,} training images of {about.data}, split {about.split}; a ratio below {threshold:.3g} is a match, as at most '
        f'{rate:.1%} of images that are no copies have ({sure}; set on {about.held_out})',
        markup=False,
    )
    if about.planted:
        console.print(told(about.planted, place), markup=False)
    for picture, near in zip(asked, found, strict=True):
        verdict = (
            'a match' if any(one.match for one in near) else 'no match below the threshold; the nearest:'
        )
        table = Table(
            box=None, pad_edge=False, title=escape(f'{picture.file}: {verdict}'), title_justify='left'
        )
        for name in ('image', 'ratio', '', 'seen', 'licence', 'creator', 'source'):
            table.add_column(name, justify='right' if name == 'ratio' else 'left', overflow='fold')
        for one in near:
            word = 'same pixels' if one.exact else 'match' if one.match else ''
            rights = one.rights
            name = f'{one.index}' if rights.name == NOT_STATED else f'{one.index} {rights.name}'
            cells = (name, f'{one.ratio:.3f}', word, one.seen, rights.licence, rights.creator, rights.source)
            table.add_row(*map(escape, cells))
        console.print(table)
    console.print(NOTE, markup=False)
