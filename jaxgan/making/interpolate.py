"""``jaxgan interpolate``: the images between two or more, and how evenly they follow each other."""

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import images, kernels, spaces, variation
from jaxgan.errors import InputError
from jaxgan.making.crediting import credit_of, parents
from jaxgan.making.destination import check_apart, check_target
from jaxgan.making.made import counted
from jaxgan.making.painting import concatenate, decode, in_chunks, tuned
from jaxgan.making.projections import Places, save_places, take
from jaxgan.making.starts import find_start, in_space
from jaxgan.marks import pictures
from jaxgan.marks.animation import check_seconds, check_size, enlargement, write_animation
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.types import Network
from jaxgan.unused import refuse

MOST = 10_000  # images
FINER = 8  # places that are tried for each image, where they are to follow each other evenly
MEASURED = 64  # places on each piece at which its length is measured
SECONDS = 0.1  # that an animation shows each image
FILMS = ('.gif', '.webp', '.apng', '.mp4')


class Way(NamedTuple):
    """What lies between places."""

    t: np.ndarray
    """[n]: at t = i the path is at place i."""
    places: Places
    """[n]."""
    images: np.ndarray
    """[n, H, W, C], floats."""


def interpolate_command(
    source: str,
    places: tuple[str, ...],
    out: str,
    steps: int,
    even: bool,
    loop: bool,
    seconds: float | None,
    space: str | None,
    label: str | None,
    scale: int | None,
    source_rights: str | None,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Write the images between places, and print how they follow each other."""
    target = check_target(out, scale, FILMS)
    check_apart(target, places)
    film = target.suffix.lower() in FILMS
    if not film:
        refuse(f'without --out FILE{", ".join(FILMS)}', seconds=seconds)
    seconds = SECONDS if seconds is None else seconds
    if film:
        check_seconds(target, seconds)
    if not 2 <= steps <= MOST:
        raise InputError(f'steps {steps} must be in 2..{MOST}: both ends are images')
    asked_marks = read_marks(**marks)
    keep_programs()
    generator = open_generator(Path(source), step, best, asked_marks)
    kernels.enable()
    points = gather(generator, places, space, label, source_rights)
    if loop:
        points = take(points, [*range(len(points.codes)), 0])
    if len(points.codes) < 2:
        raise InputError(f'{" ".join(places)}: one place, and a path needs two')
    if (len(points.codes) - 1) * (steps - 1) >= MOST:
        raise InputError(f'{len(points.codes)} places in {steps} steps are more than {MOST:,} images')
    if film:
        height, width, channels = generator.shape
        factor = enlargement(height, width, scale)
        count = (len(points.codes) - 1) * (steps - 1) + 1
        check_size(target, count, height * factor, width * factor, channels)
    way = travel(generator, points, steps, even)
    tell(generator, points, way)
    details = {
        'path': ', '.join(points.names),
        'steps': steps,
        'even': 'yes' if even else None,
        'space': points.space,
    }
    credit = credit_of(generator, points, **details)
    pixels = images.to_uint8(way.images)
    if film:
        write_animation(
            target, (images.visible(pixels[:-1] if loop else pixels)), seconds, credit, scale=scale
        )
    elif target.suffix:
        rows = np.stack(
            [pixels[i * (steps - 1) + j] for i in range(len(points.codes) - 1) for j in range(steps)]
        )
        pictures.write_picture(target, images.grid(images.visible(rows), steps, scale=scale), credit)
    else:
        for i, (one, name, t) in enumerate(zip(pixels, way.places.names, way.t, strict=True)):
            own = credit_of(generator, points, i, **details, t=f'{t:.6g}')
            pictures.write_picture(target / f'{name}.png', images.visible(one), own)
        save_places(target, way.places)
    print(f'wrote {target}: {counted(len(pixels))} of {pixels.shape[1]}x{pixels.shape[2]}')
    return 0


def gather(
    generator: Generator, texts: Sequence[str], space: str | None, label: str | None, rights: str | None
) -> Places:
    """Find all places of a path, in one space, of one generator.

    Raises:
        InputError: they do not go together.
    """
    found = [find_start(text, generator, space, _label_of(text, label), rights) for text in texts]
    widest = max((part.space for part in found), key=spaces.NAMES.index)
    return join(generator, [in_space(generator, part, widest) for part in found])


def _label_of(text: str, label: str | None) -> str | None:
    return None if Path(text.rpartition('#')[0] or text).is_dir() else label


def join(generator: Generator, parts: Sequence[Places]) -> Places:
    """Make one list of places; all of a generator that was tuned for some of them, with noise for all if any has some.

    Raises:
        InputError: generators were tuned differently, or classes differ where a code does not hold them.
    """
    patches = [part.patch for part in parts if part.patch]
    for patch in patches[1:]:
        if patch.keys() != patches[0].keys() or any(
            (patch[name] != patches[0][name]).any() for name in patch
        ):
            raise InputError(
                'two of these folders have generators that were tuned differently: project all pictures at once'
            )
    classes = dict.fromkeys(i for part in parts if part.labels is not None for i in part.labels.tolist())
    if parts[0].space == 'z' and len(classes) > 1:
        names = ', '.join(generator.labels[i] for i in classes)
        raise InputError(f'no path in z leads from one class to another ({names}): give --label')
    return concatenate(generator, parts)._replace(patch=patches[0] if patches else None)


def travel(generator: Generator, points: Places, steps: int, even: bool) -> Way:
    """Go from each place to the next in so many steps, both ends included."""
    pieces = len(points.codes) - 1
    if not even:
        return way_at(generator, points, _regular(pieces, steps))
    finer = (steps - 1) * FINER
    tried = way_at(generator, points, _regular(pieces, finer + 1))
    gaps = distances(tried.images)
    chosen = [
        np.asarray(
            variation.even(
                jnp.asarray(tried.t[i * finer : (i + 1) * finer + 1]),
                jnp.asarray(gaps[i * finer : (i + 1) * finer]),
                steps,
            )
        )
        for i in range(pieces)
    ]
    return way_at(generator, points, np.concatenate([chosen[0][:1], *(piece[1:] for piece in chosen)]))


def _regular(pieces: int, steps: int) -> np.ndarray:
    return np.asarray(
        [i + j / (steps - 1) for i in range(pieces) for j in range(steps - 1)] + [pieces], np.float32
    )


def way_at(generator: Generator, points: Places, t: np.ndarray) -> Way:
    """Make the codes, the noise and the images of a path at t."""
    between = between_in(points.space)
    codes = np.asarray(variation.along(jnp.asarray(points.codes), jnp.asarray(t), between))
    first = np.clip(np.floor(t), 0, len(points.codes) - 2).astype(int).tolist()
    every = take(points, first)
    noise = None
    if points.noise is not None:  # on arcs: between two maps of noise a line has less of it
        noise = {
            name: np.asarray(variation.along(jnp.asarray(maps), jnp.asarray(t), variation.slerp))
            for name, maps in points.noise.items()
        }
    origins = tuple(
        {
            **parents(points.origins[i : i + 2]),
            'between': [points.names[i], points.names[i + 1]],
            't': float(at - i),
        }
        for i, at in zip(first, t, strict=True)
    )
    names = tuple(f'{n:05d}' for n in range(len(t)))
    made = every._replace(codes=codes, names=names, origins=origins, noise=noise)
    return Way(t, made, decode(generator, made))


def between_in(space: str) -> Callable:
    """Choose the way between codes: arcs in z, where latents lie near a sphere, lines in w."""
    return variation.slerp if space == 'z' else variation.lerp


def distances(made: np.ndarray) -> np.ndarray:
    """Measure how far each image is from the next: root mean squares, [n - 1]."""
    return np.sqrt(np.square(np.diff(made, axis=0)).reshape(len(made) - 1, -1).mean(axis=1))


def tell(generator: Generator, points: Places, way: Way) -> None:
    """Print the steps between images, and the path length."""
    gaps = distances(way.images) * 127.5
    print(
        f'steps: median {np.median(gaps):.2f} of 255, largest {gaps.max():.2f} ({jump(gaps):.2f} times the median)'
    )
    length, least = path_length(generator, points, way)
    print(
        f'path length: {length:.4g} (mean squared change of a pixel from one place to the next, in [-1, 1]); '
        f'{length / least:.2f} times that of a cross-fade'
        if least
        else f'path length: {length:.4g}'
    )


def jump(gaps: np.ndarray) -> float:
    """Divide the largest step by the median; 1 where nothing moves."""
    middle = float(np.median(gaps))
    return float(gaps.max()) / middle if middle else 1.0 if not gaps.any() else math.inf


def path_length(generator: Generator, points: Places, way: Way) -> tuple[float, float]:
    """Measure the perceptual path length with pixels as what is perceived, and its lower bound, that of cross-fades.

    Returns:
        ``E (d image / d t)^2`` at regular t, the mean over pixels; and the mean of ``(b - a)^2`` over the ends of pieces.
    """
    ends = way.images[np.isin(way.t, np.arange(len(points.codes)))]
    least = float(np.square(np.diff(ends, axis=0)).mean())
    params, (_, aux) = tuned(generator, points), generator.on_device
    speed = _speed(generator.network, points.space, generator.layers)
    n = MEASURED * (len(points.codes) - 1)
    middles = ((np.arange(n) + 0.5) / MEASURED).astype(np.float32)
    label = None if points.labels is None else points.labels[0]
    found = in_chunks(lambda t: speed(params, aux, points.codes, points.noise, label, t), middles, n)
    return float(found.mean()), least


@functools.lru_cache(maxsize=8)
def _speed(network: Network, name: str, layers: int) -> Callable:
    space, between = spaces.make_space(network, name, layers), between_in(name)

    @jax.jit
    def speed(params: Any, aux: Any, codes: Any, noise: Any, label: Any, t: Any) -> Any:
        def seen(place: Any) -> Any:
            maps = (
                None
                if noise is None
                else {name: variation.along(m, place[None], variation.slerp)[0] for name, m in noise.items()}
            )
            return spaces.paint_one(
                space, params, aux, variation.along(codes, place[None], between)[0], label, maps
            )

        return variation.squared_speed(seen, t)

    return speed
