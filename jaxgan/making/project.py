"""``jaxgan project``: from images to codes, and how near they come."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from jaxgan import kernels
from jaxgan.errors import InputError
from jaxgan.images import to_uint8
from jaxgan.making.inverting import PRIOR, SPARSE_PRIOR, Found, Inverter, Warm, Way
from jaxgan.making.painting import decode
from jaxgan.making.projections import Places
from jaxgan.making.shown import show_figures, show_gap, write_found
from jaxgan.making.targets import Targets, of_data, of_own, read_mask, read_pictures
from jaxgan.making.tuned import Tuning, choose_tuning, tune_found
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, choose_labels, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED
from jaxgan.unused import refuse

Say = Callable[[str], None]
DEFAULT = Way()
MOST = 100_000  # samples of its own


class Result(NamedTuple):
    """What a projection found, ready to be written."""

    places: Places
    images: np.ndarray
    """uint8 [n, H, W, C]: reconstructions."""
    targets: Targets


def project_files(
    generator: Generator,
    paths: Sequence[str | Path],
    rights: str | None,
    *,
    space: str | None = None,
    label: str | None = None,
    way: Way = DEFAULT,
    warm: Warm | None = None,
    say: Say | None = None,
) -> Places:
    """Find the codes of picture files; nothing is written.

    Args:
        generator: in whose space.
        paths: of pictures of any size.
        rights: what their user says of the rights in them.
        space: None: ``way``'s, else w where there are styles, else z.
        label: a class, by name or number; None: whichever fits best.
        way: how to search.
        warm: makes starts besides random ones.
        say: is told how far it is.

    Raises:
        InputError: a file is no picture, nothing was said of the rights, or the generator does not have the space.
    """
    targets = read_pictures(paths, generator, rights)
    inverter = Inverter(generator, way if space is None else _in_space(way, space))
    return search(inverter, targets, choose_label(generator, label), warm=warm, say=say).places


def search(
    inverter: Inverter,
    targets: Targets,
    label: int | None = None,
    mask: np.ndarray | None = None,
    warm: Warm | None = None,
    say: Say | None = None,
) -> Result:
    """Find the codes of images."""
    start, total = time.perf_counter(), len(targets.pixels)

    def progress(done: int) -> None:
        seconds = time.perf_counter() - start
        if say:
            say(f'{done}/{total} images, {seconds / done:.1f} s each')

    found = inverter.find(targets.pixels, label, mask, warm, progress)
    seconds = round((time.perf_counter() - start) / total, 3)
    places = _places(inverter, targets, found)
    images = to_uint8(decode(inverter.generator, places))
    figures = [
        {**one, 'loss': float(loss), 'steps': int(steps), 'seconds': seconds}
        for one, loss, steps in zip(
            inverter.measure(images, targets.pixels, mask), found.losses, found.steps, strict=True
        )
    ]
    return Result(_told(places, figures), images, targets)


def project_command(
    source: str,
    pictures: tuple[str, ...],
    out: str,
    source_rights: str | None,
    space: str | None,
    starts: int,
    candidates: int,
    steps: int,
    seed: int,
    label: str | None,
    features: str,
    mask: str | None,
    no_paste: bool,
    coarse: int,
    noise: bool,
    prior: float | None,
    tune: bool,
    tune_steps: int | None,
    locality: float | None,
    warm_start: str | None,
    from_data: str | None,
    own: int | None,
    n: int | None,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Project pictures, images of the data, or own samples; write what was found, and print how near it comes."""
    usual = PRIOR if mask is None and coarse == 1 else SPARSE_PRIOR
    way = Way(
        space, starts, candidates, steps, seed, features, coarse, noise, usual if prior is None else prior
    )
    tuning = choose_tuning(tune, tune_steps, locality)
    if sum((bool(pictures), from_data is not None, own is not None)) != 1:
        raise InputError('name picture files, or --from-data SPLITS, or --own N: one of them')
    if from_data is None:
        refuse('without --from-data', n=n)
    if no_paste and mask is None:
        raise InputError('--no-paste has no meaning without --mask')
    if tune and (mask or coarse > 1):
        raise InputError('--tune is for whole pictures, not for --mask or --coarse')
    if own is not None and not 1 <= own <= min(MOST, MAX_SEED - seed):
        raise InputError(f'own {own} must be in 1..{min(MOST, MAX_SEED - seed)}')
    check_out(Path(out))
    asked_marks = read_marks(**marks)
    keep_programs()
    kernels.enable()
    generator = open_generator(Path(source), step, best, asked_marks)
    chosen = choose_label(generator, label)
    check_coarse(generator, coarse)
    known = None if mask is None else read_mask(Path(mask), generator)
    groups = gather(generator, pictures, source_rights, from_data, own, 64 if n is None else n, seed)
    inverter = Inverter(generator, way)
    console = Console(highlight=False)
    results: dict[str, Result] = {}
    for name, targets in groups.items():
        warm = None if warm_start is None else load_warm(inverter, warm_start, targets)
        result = search(inverter, targets, chosen, known, warm, lambda text: print(text, flush=True))
        if tuning is not None:
            result = tuned(inverter, result, tuning)
        if known is not None and not no_paste:
            result = result._replace(images=pasted(result.images, targets.pixels, known))
        results[name] = result
        folder = Path(out) / name if len(groups) > 1 else Path(out)
        write_found(folder, generator, result.places, result.images, targets.pixels)
        show_figures(console, result.places, name)
        console.print(
            f'wrote {folder}: codes, reconstructions, projections.png', soft_wrap=True, markup=False
        )
    if len(results) > 1:
        show_gap(console, {name: result.places for name, result in results.items()}, Path(out))
    return 0


def gather(
    generator: Generator,
    pictures: Sequence[str],
    rights: str | None,
    from_data: str | None,
    own: int | None,
    n: int,
    seed: int,
) -> dict[str, Targets]:
    """Gather what is to be projected, by the name of its group."""
    if pictures:
        return {'pictures': read_pictures(pictures, generator, rights)}
    if own is not None:
        return {'own': of_own(generator, range(seed, seed + own))}
    splits = [split.strip() for split in (from_data or '').split(',')]
    found = {split: of_data(generator, split, n) for split in splits}
    return {name: found[split] for name, split in zip(_folders(splits), splits, strict=True)}


def tuned(inverter: Inverter, result: Result, tuning: Tuning) -> Result:
    """Tune the generator towards the pictures of a result."""
    start = time.perf_counter()
    places = tune_found(inverter, result.places, result.targets.pixels, tuning)
    images = to_uint8(decode(inverter.generator, places))
    seconds = round((time.perf_counter() - start) / len(images), 3)
    figures = inverter.measure(images, result.targets.pixels, None)
    told = [
        {**new, 'psnr_before': old['psnr'], 'tuning_seconds': seconds}
        for old, new in zip(places.origins, figures, strict=True)
    ]
    return Result(_told(places, told), images, result.targets)


def pasted(images: np.ndarray, pixels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Keep known pixels as they are."""
    return np.where(known > 0, pixels, images)


def choose_label(generator: Generator, label: str | None) -> int | None:
    """Turn a class's name or number into its number; None stays."""
    labels = None if label is None else choose_labels(generator.card, label, 1)
    return None if labels is None else int(labels[0])


def check_coarse(generator: Generator, coarse: int) -> None:
    """Refuse blocks that do not divide the images."""
    if generator.shape[0] % coarse:
        raise InputError(f'coarse {coarse} does not divide the {generator.shape[0]} pixels of a side')


def check_out(folder: Path) -> None:
    """Refuse a folder that is a file."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f'cannot write {folder}: it is a file')


def load_warm(inverter: Inverter, folder: str, targets: Targets) -> Warm:
    """Read what ``warming.warm_start`` reads."""
    from jaxgan.making.warming import warm_start  # which imports what starts with this module

    return warm_start(inverter, folder, targets)


def _in_space(way: Way, space: str) -> Way:
    return Way(**{**vars(way), 'space': space})


def _folders(splits: Sequence[str]) -> list[str]:
    names = [''.join(c if c.isalnum() else '-' for c in split).strip('-') for split in splits]
    if len(set(names)) < len(names):
        raise InputError(f'from-data {",".join(splits)} names a split twice')
    return names


def _told(places: Places, figures: Sequence[dict[str, Any]]) -> Places:
    """Add figures to what is known of each place."""
    return places._replace(
        origins=tuple({**old, **new} for old, new in zip(places.origins, figures, strict=True))
    )


def _places(inverter: Inverter, targets: Targets, found: Found) -> Places:
    return Places(
        inverter.space.name,
        found.codes,
        targets.names,
        None if found.labels is None else found.labels.astype(np.int32),
        inverter.generator.digest,
        targets.origins,
        found.noise,
    )
