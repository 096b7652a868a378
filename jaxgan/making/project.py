"""``jaxgan project``: from images to codes, and how near they come."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from jaxgan import kernels
from jaxgan.errors import InputError
from jaxgan.making.inverting import Found, Inverter, Way
from jaxgan.making.projections import Places, open_places
from jaxgan.making.shown import show_figures, show_gap, write_found
from jaxgan.making.targets import Targets, of_data, of_own, read_mask, read_pictures
from jaxgan.making.tuned import Tuning, check_tuning, tune_found
from jaxgan.opened import Generator, choose_labels, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED

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
    warm: Callable[[np.ndarray], np.ndarray] | None = None,
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
        warm: an encoder, from uint8 [n, H, W, C] to codes [n, ...] or [n, k, ...] of the space, that become starts.
        say: is told how far it is.

    Raises:
        InputError: a file is no picture, nothing was said of the rights, or the generator does not have the space.
    """
    targets = read_pictures(paths, generator, rights)
    inverter = Inverter(generator, way if space is None else _in_space(way, space))
    starts = None
    if warm is not None:
        starts = np.asarray(warm(targets.pixels), np.float32)
        codes = inverter.spread.mean.ndim
        starts = starts[:, None] if starts.ndim == codes + 1 else starts
    return search(inverter, targets, choose_label(generator, label), warm=starts, say=say).places


def search(
    inverter: Inverter,
    targets: Targets,
    label: int | None = None,
    mask: np.ndarray | None = None,
    warm: np.ndarray | None = None,
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
    figures = [one | {'seconds': seconds} for one in found.figures]
    return Result(_places(inverter, targets, found, figures), found.images, targets)


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
    paste: bool,
    coarse: int,
    noise: bool,
    tune: bool,
    tune_steps: int,
    locality: float,
    warm_start: str | None,
    from_data: str | None,
    own: int | None,
    n: int,
    step: int | None,
    best: bool,
) -> int:
    """Project pictures, images of the data, or own samples; write what was found, and print how near it comes."""
    way = Way(space, starts, candidates, steps, seed, features, coarse, noise)
    tuning = Tuning(tune_steps, locality) if tune else None
    check_tuning(Tuning(tune_steps, locality))
    if sum((bool(pictures), from_data is not None, own is not None)) != 1:
        raise InputError('name picture files, or --from-data SPLITS, or --own N: one of them')
    if tune and (mask or coarse > 1):
        raise InputError('--tune is for whole pictures, not for --mask or --coarse')
    if own is not None and not 1 <= own <= min(MOST, MAX_SEED - seed):
        raise InputError(f'own {own} must be in 1..{min(MOST, MAX_SEED - seed)}')
    check_out(Path(out))
    keep_programs()
    kernels.enable()
    generator = open_generator(Path(source), step, best)
    chosen = choose_label(generator, label)
    check_coarse(generator, coarse)
    known = None if mask is None else read_mask(Path(mask), generator)
    groups = gather(generator, pictures, source_rights, from_data, own, n, seed)
    inverter = Inverter(generator, way)
    console = Console(highlight=False)
    results: dict[str, Result] = {}
    for name, targets in groups.items():
        warm = None if warm_start is None else warm_codes(inverter, warm_start, targets)
        result = search(inverter, targets, chosen, known, warm, lambda text: print(text, flush=True))
        if tuning is not None:
            result = tuned(inverter, result, tuning)
        if known is not None and paste:
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
    places, images = tune_found(inverter, result.places, result.targets.pixels, tuning)
    seconds = round((time.perf_counter() - start) / len(images), 3)
    figures = inverter.measure(images, result.targets.pixels, None)
    origins = tuple(
        {**old, **new, 'psnr_before': old['psnr'], 'tuning_seconds': seconds}
        for old, new in zip(result.places.origins, figures, strict=True)
    )
    return Result(places._replace(origins=origins), images, result.targets)


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


def warm_codes(inverter: Inverter, folder: str, targets: Targets) -> np.ndarray:
    """Take codes as starts: those of an encoder, or of a folder of projections: that of the same picture where there is one, else of all.

    Returns:
        [n, k, ...], k at most the number of starts.
    """
    if (Path(folder) / 'encoder.json').is_file():
        from jaxgan.making.encoding import load_encoder  # which projects nothing, and needs what does

        return load_encoder(Path(folder), inverter.generator, inverter.space.name)(targets.pixels)[:, None]
    known = open_places(folder, inverter.generator)
    if known.space != inverter.space.name:
        raise InputError(
            f'{folder} has codes in {known.space}, and this searches in {inverter.space.name}: give --space {known.space}'
        )
    rows = [origin.get('source') for origin in known.origins]
    all_codes = known.codes[: inverter.way.starts]
    same = [
        [i for i, source in enumerate(rows) if source == o.get('source') and source] for o in targets.origins
    ]
    return np.stack(
        [all_codes if not own else np.repeat(known.codes[own[:1]], len(all_codes), 0) for own in same]
    )


def _in_space(way: Way, space: str) -> Way:
    return Way(**{**vars(way), 'space': space})


def _folders(splits: Sequence[str]) -> list[str]:
    names = [''.join(c if c.isalnum() else '-' for c in split).strip('-') for split in splits]
    if len(set(names)) < len(names):
        raise InputError(f'from-data {",".join(splits)} names a split twice')
    return names


def _places(inverter: Inverter, targets: Targets, found: Found, figures: Sequence[dict[str, Any]]) -> Places:
    origins = tuple({**origin, **one} for origin, one in zip(targets.origins, figures, strict=True))
    return Places(
        inverter.space.name,
        found.codes,
        targets.names,
        None if found.labels is None else found.labels.astype(np.int32),
        inverter.generator.digest,
        origins,
        found.noise,
    )
