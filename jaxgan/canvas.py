"""Canvases: textures that tile and worlds of any size, of a generator that is convolutional behind its first layer.

A field of cells, each with latents of its own, is a part of an endless plane, or of a torus. Any window of it is made by the generator's
own layers, from the cells around it, and cut out where the border of these cells is out of sight. So a canvas that tiles needs no layer
that wraps, parts fit together without seams, and memory holds the cells and the layers of one window: a cell is drawn anew for each
window that sees it, by its row, its column and the seed.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.latents import of_keys
from jaxgan.types import Field, Key, Network, Sampler, StyleLatents

WINDOW = 512  # pixels a side that are made at once


Source = Callable[[Any, Any], tuple[Any, Any]]
"""``source(rows, columns) -> (cells, keys)``: what ``decode`` takes of the cells at these indices, [h] and [w]."""


def draw_keys(key: Key, rows: Any, columns: Any) -> Any:
    """Make a key for each cell, which depends on its row, its column and the key alone: larger fields begin alike.

    Args:
        key: of the field.
        rows: indices [h].
        columns: indices [w].

    Returns:
        [h, w].
    """
    of_row = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.asarray(rows, jnp.uint32))
    of_cell = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (0, None))
    return of_cell(of_row, jnp.asarray(columns, jnp.uint32))


def draw_latents(latents: Sampler, keys: Any) -> Any:
    """Draw a latent for each cell: keys [rows, columns] to [rows, columns, Z]."""
    flat = of_keys(latents, keys.reshape(-1))
    return flat.reshape(*keys.shape, flat.shape[-1])


def draw_smooth(
    latents: Sampler, key: Key, grid: tuple[int, int], rows: Any, columns: Any, span: int, signs: int = 0
) -> Any:
    """Draw a window of a field of latents that change over ``span`` cells, round the field's ends: no more of it is drawn than is seen.

    Args:
        latents: of one cell.
        key: of the field.
        grid: the field's rows and columns.
        rows: indices [h] of neighbours, which may go round the field's end.
        columns: the same, [w].
        span: see ``smooth``.
        signs: see ``smooth``.

    Returns:
        [h, w, Z].
    """
    wider = (
        (indices[0] - (span - 1) + np.arange(len(indices) + 2 * (span - 1))) % n
        for indices, n in zip((rows, columns), grid, strict=True)
    )
    return smooth(draw_latents(latents, draw_keys(key, *wider)), span, signs)


def smooth(z: Any, span: int, signs: int = 0) -> Any:
    """Let latents change over ``span`` cells: ``sum_i k_i z_(c + i)`` with ``sum k^2 = 1``, k a Hann window of ``2 span - 1``.

    Each stays distributed as N(0, I). Of ``signs`` last values, which are -1 or 1, the sign is taken.

    Args:
        z: [rows + 2 span - 2, columns + 2 span - 2, Z], independent.
        span: 1: as they are.
        signs: of ``latents.with_signs``.

    Returns:
        [rows, columns, Z].
    """
    line = np.sin(np.pi * np.arange(1, 2 * span) / (2 * span)) ** 2
    line = (line / np.sqrt(np.sum(line**2))).astype(np.float32)
    for axis in (0, 1):
        last, size = 2 * (span - 1), z.shape[axis] - 2 * (span - 1)
        parts = [
            float(k) * jax.lax.slice_in_dim(z, last - i, last - i + size, axis=axis)
            for i, k in enumerate(line)
        ]
        z = functools.reduce(jnp.add, parts)
    if not signs:
        return z
    return jnp.concatenate(
        [z[..., :-signs], jnp.where(z[..., -signs:] < 0, -1.0, 1.0).astype(z.dtype)], axis=-1
    )


def count_cells(field: Field, pixels: int, tile: bool) -> int:
    """Count the cells of a side of so many pixels.

    Args:
        field: the generator's.
        pixels: of a canvas that is cut to this size if it does not tile.
        tile: its ends meet.

    Raises:
        InputError: no canvas that tiles has this size.
    """
    if tile and (pixels % field.unit or not pixels):
        low = pixels // field.unit * field.unit
        near = f'{low} or {low + field.unit}' if low else str(field.unit)
        raise InputError(
            f'a side of {pixels} pixels cannot tile: this generator makes units of {field.unit}; take {near}'
        )
    return pixels // field.unit if tile else max(1, -(-pixels // field.unit) - field.overlap)


def decode(network: Network, params: Any, aux: Any, cells: Any, label: Any = None, keys: Any = None) -> Any:
    """Make the image of a field as it is, zero around it as in training.

    Args:
        network: a generator with a ``field``.
        params: the generator's.
        aux: what belongs to them.
        cells: latents [rows, columns, Z]; of a generator with styles, w+ [rows, columns, layers, W].
        label: a class [], or None.
        keys: of the noise of a generator with styles, [rows, columns]; None: the kept noise, in each cell again.

    Returns:
        [(rows + overlap) unit, (columns + overlap) unit, C], floats about [-1, 1]; of one cell, the ordinary image.
    """
    label = None if label is None else label[None]
    if network.synthesis is None:
        return network.infer(params, aux, cells[None], label)[0]
    noise = None if keys is None else StyleLatents(None, None, None, keys[None])
    return network.synthesis(params, aux, cells[None], noise)[0]


def hold(cells: Any, keys: Any = None) -> Source:
    """Make a source of a field that is held as a whole: cells [rows, columns, ...] and keys [rows, columns]."""
    return lambda rows, columns: jax.tree.map(lambda values: values[rows][:, columns], (cells, keys))


def paint(
    network: Network,
    params: Any,
    aux: Any,
    grid: tuple[int, int],
    source: Source,
    label: Any = None,
    *,
    tile: bool = True,
    window: int = WINDOW,
    convert: Callable = lambda images: images,
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Make a canvas, a window at a time; all are of one shape, and compiled once.

    Args:
        network: a generator with a ``field``.
        params: the generator's.
        aux: what belongs to them.
        grid: the field's rows and columns.
        source: of its cells; asked for those of one window at a time.
        label: see ``decode``.
        tile: the field is a torus: the canvas has ``rows x columns`` units, and its ends meet. Otherwise it has ``overlap`` more, and
            zeros around it as in training.
        window: pixels a side that are made at once, besides those out of sight.
        convert: of an image to what is wanted of it (``sampling.to_pixels``).

    Yields:
        Rows, columns, and what stands there, [h, w, C]; windows at the ends may overlap others, where they are the same.

    Raises:
        InputError: this generator takes no fields.
    """
    field = check_field(network)
    total = tuple(n if tile else n + field.overlap for n in grid)
    size = tuple(min(max(1, window // field.unit), n) for n in total)
    taken = tuple(_cells_seen(field, s, n, tile) for s, n in zip(size, grid, strict=True))
    run = _window(network, field, size, convert)
    for top in range(0, total[0], size[0]):
        for left in range(0, total[1], size[1]):
            first = [min(at, n - s) for at, n, s in zip((top, left), total, size, strict=True)]
            begins = [_first_cell(field, u, n, k, tile) for u, n, k in zip(first, grid, taken, strict=True)]
            indices = [(b + np.arange(k)) % n for b, k, n in zip(begins, taken, grid, strict=True)]
            offset = np.asarray([u - b for u, b in zip(first, begins, strict=True)], np.int32)
            cells, keys = source(*indices)
            made = np.asarray(run(params, aux, cells, label, keys, offset))
            rows, columns = (
                slice(u * field.unit, (u + s) * field.unit) for u, s in zip(first, size, strict=True)
            )
            yield rows, columns, made


def assemble(parts: Iterator[tuple[slice, slice, np.ndarray]], height: int, width: int) -> np.ndarray:
    """Put the windows of ``paint`` together, cut to a size: [height, width, C]."""
    found: np.ndarray | None = None
    for rows, columns, part in parts:
        if found is None:
            found = np.zeros((height, width, part.shape[-1]), part.dtype)
        room = found[rows, columns]
        room[...] = part[: room.shape[0], : room.shape[1]]
    assert found is not None
    return found


def check_field(network: Network) -> Field:
    """Return a generator's ``field``.

    Raises:
        InputError: it has none.
    """
    if network.field is None:
        raise InputError(
            'a canvas needs a generator that is convolutional behind its first layer (dcgan, r3gan, sngan, stylegan2); this one sees '
            'its image as a whole (dense layers, attention, or gates from the whole map)'
        )
    return network.field


def _cells_seen(field: Field, units: int, cells: int, tile: bool) -> int:
    """Count the cells that so many units need around them."""
    wanted = units + 2 * field.reach - field.overlap
    return wanted if tile else min(wanted, cells)


def _first_cell(field: Field, unit: int, cells: int, taken: int, tile: bool) -> int:
    """Find the first cell of a window: where there are none further out, the window's border is the canvas's."""
    return unit - field.reach if tile else min(max(unit - field.reach, 0), cells - taken)


@functools.lru_cache(maxsize=8)
def _window(network: Network, field: Field, size: tuple[int, ...], convert: Callable) -> Callable:
    """Compile ``(params, aux, cells, label, keys, offset) -> image``: the units from ``offset`` on."""

    @jax.jit
    def run(params: Any, aux: Any, cells: Any, label: Any, keys: Any, offset: Any) -> Any:
        image = decode(network, params, aux, cells, label, keys)
        start = (offset[0] * field.unit, offset[1] * field.unit, jnp.zeros((), offset.dtype))
        shape = (size[0] * field.unit, size[1] * field.unit, image.shape[-1])
        return convert(jax.lax.dynamic_slice(image, start, shape))

    return run
