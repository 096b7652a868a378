"""``jaxgan walk``: films of walks through a generator's images."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import track

from jaxgan import images, kernels, walks
from jaxgan.errors import InputError
from jaxgan.files import check_file
from jaxgan.making.asking import check_psi
from jaxgan.making.crediting import credit_of
from jaxgan.making.painting import concatenate, decode
from jaxgan.making.projections import Places, take
from jaxgan.making.starts import find_start
from jaxgan.marks.animation import check_seconds, check_size, enlargement, write_animation
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import CHUNK
from jaxgan.spaces import truncate

TRIED = 1024  # places of a path whose images are in memory at once, where as much shall change each time
MAX_FRAMES = 100_000  # beyond that it is rather mistyped


def walk_command(
    source: str,
    starts: tuple[str, ...],
    out: str,
    seeds: str | None,
    path: str,
    frames: int,
    fps: float,
    even: str,
    grid: int | None,
    columns: int | None,
    scale: int | None,
    space: str | None,
    psi: float,
    label: str | None,
    source_rights: str | None,
    once: bool,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Make a film of walks through seeds and places."""
    _check(frames, fps, grid, columns, scale, psi)
    check_file(out)
    check_seconds(out, 1 / fps)
    if not starts and seeds is None:
        raise InputError('where shall the walk go? Name places, or --seeds 1,2,3')
    asked_marks = read_marks(**marks)
    keep_programs()
    generator = open_generator(Path(source), step, best, asked_marks)
    kernels.enable()
    named = [*starts, *([] if seeds is None else [f'seed:{seeds}'])]
    check_size(out, frames, *_frame_size(generator.shape, grid, columns, scale))
    found = [find_start(text, generator, space=space, label=label, rights=source_rights) for text in named]
    stops = _truncated(generator, join(generator, found), psi)
    parts = _divide(stops, grid or 1)
    kind = walks.PATHS[path]
    signs = generator.card['architecture'].get('signs', 0) if stops.space == 'z' else 0
    moves = [_move(generator, part, kind, frames, even, signs) for part in parts]
    shown = _film(generator, moves, frames, columns, scale, grid is None)
    credit = credit_of(
        generator,
        stops,
        path=path,
        space=stops.space,
        psi=psi if psi != 1 else None,
        even=None if even == 'none' else even,
    )
    written = write_animation(out, shown, 1 / fps, credit, loop=not once, scale=1)
    what = f'{len(parts)} walks' if grid else 'a walk'
    print(f'wrote {out}: {what} through {len(stops.codes)} places, {written} frames, {written / fps:.1f} s')
    return 0


def _check(
    frames: int, fps: float, grid: int | None, columns: int | None, scale: int | None, psi: float
) -> None:
    if not 2 <= frames <= MAX_FRAMES:
        raise InputError(f'frames {frames} must be in 2..{MAX_FRAMES}')
    if not (math.isfinite(fps) and 0.01 <= fps <= 90):
        raise InputError(f'fps {fps} must be in 0.01..90')
    for name, value in (('grid', grid), ('columns', columns), ('scale', scale)):
        if value is not None and value < 1:
            raise InputError(f'{name} {value} must be at least 1')
    if columns is not None and grid is None:
        raise InputError(f'columns {columns} are those of a wall: give --grid')
    check_psi(psi)


def join(generator: Generator, found: Sequence[Places]) -> Places:
    """Put places together; where some have noise of their own, the others get what the generator keeps.

    Raises:
        InputError: they lie in different spaces, or belong to differently tuned generators.
    """
    first = found[0]
    for other in found[1:]:
        if other.space != first.space:
            raise InputError(f'places in {first.space} and in {other.space}: choose one with --space')
        if not _equal(first.patch, other.patch):
            raise InputError('places of differently tuned generators: a walk leads through one')
    return concatenate(generator, found)


def _equal(a: dict[str, np.ndarray] | None, b: dict[str, np.ndarray] | None) -> bool:
    if not a or not b:
        return not a and not b
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def _truncated(generator: Generator, places: Places, psi: float) -> Places:
    if psi == 1:
        return places
    if places.space == 'z':  # latents' mean is 0; signs are choices, not numbers
        signs = generator.card['architecture'].get('signs', 0)
        factor = np.where(np.arange(places.codes.shape[-1]) < places.codes.shape[-1] - signs, psi, 1)
        return places._replace(codes=places.codes * factor.astype(np.float32))
    center = generator.center(generator.choose_space(places.space)).mean
    return places._replace(codes=np.asarray(truncate(places.codes, center, psi)))


def _divide(places: Places, count: int) -> list[Places]:
    """Divide places into walks, in turn."""
    each, rest = divmod(len(places.codes), count)
    if rest or each < 2:
        raise InputError(
            f'{len(places.codes)} places make no {count} walks of at least two places each: give a multiple of {count}, from {2 * count} on'
        )
    return [take(places, range(i * each, (i + 1) * each)) for i in range(count)]


def _move(
    generator: Generator, stops: Places, path: walks.Path, frames: int, even: str, signs: int
) -> Places:
    """Find the places of a walk's frames."""
    count, shell = len(stops.codes), stops.space == 'z'
    go = _walker(path, shell, signs)

    def at(t: Any) -> Places:
        index = np.asarray(walks.nearest(path, count, t))
        noise = {
            name: np.asarray(walks.straight(path, maps, t)) for name, maps in (stops.noise or {}).items()
        }
        return take(stops, index.tolist())._replace(codes=np.asarray(go(stops.codes, t)), noise=noise or None)

    if even == 'none':
        return at(walks.places(path, count, frames))

    def steps(t: Any) -> Any:
        gaps = []
        for start in range(
            0, len(t) - 1, TRIED
        ):  # not all images at once: memory does not grow with the film
            tried = at(t[start : start + TRIED + 1])
            gaps.append(
                walks.apart(jnp.asarray(tried.codes if even == 'codes' else decode(generator, tried)))
            )
        return jnp.concatenate(gaps)

    return at(walks.even_places(path, count, frames, steps))


@functools.lru_cache(maxsize=8)
def _walker(path: walks.Path, shell: bool, signs: int) -> Callable:
    return jax.jit(lambda codes, t: walks.walk(path, codes, t, shell, signs))


def _film(
    generator: Generator,
    moves: list[Places],
    frames: int,
    columns: int | None,
    scale: int | None,
    single: bool,
) -> Iterator[np.ndarray]:
    """Make the frames, some at a time; a wall shows the walks beside each other."""
    per = max(1, CHUNK // len(moves))
    hidden = not Console(stderr=True).is_terminal
    for start in track(range(0, frames, per), 'frames', console=Console(stderr=True), disable=hidden):
        rows = range(start, min(start + per, frames))
        made = np.stack([images.to_uint8(decode(generator, take(move, rows))) for move in moves], axis=1)
        for walls in made:
            yield _frame(walls, columns, scale, single)


def _frame_size(
    shape: tuple[int, int, int], grid: int | None, columns: int | None, scale: int | None
) -> tuple[int, int, int]:
    """Compute height, width and channels of a frame, as ``_frame`` makes them."""
    height, width, channels = shape
    if shape == (1, 1, 2):
        return images.scatter(np.zeros((1, 2), np.uint8)).shape
    if grid is not None:
        return *images.grid_size(grid, height, width, columns, None, scale), channels
    factor = enlargement(height, width, scale)
    return height * factor, width * factor, channels


def _frame(tiles: np.ndarray, columns: int | None, scale: int | None, single: bool) -> np.ndarray:
    if not single or tiles.shape[1:] == (1, 1, 2):
        return images.picture(tiles, columns, scale)
    factor = enlargement(tiles.shape[1], tiles.shape[2], scale)
    return images.visible(tiles)[0].repeat(factor, axis=0).repeat(factor, axis=1)
