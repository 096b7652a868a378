"""What ``jaxgan project`` writes and prints: pictures with credits, a sheet, tables, and the gap between two groups."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgan.files import or_machine_error, replacing
from jaxgan.images import grid, visible
from jaxgan.making.crediting import credit_of
from jaxgan.making.projections import Places, save_places, take
from jaxgan.marks.pictures import write_picture
from jaxgan.opened import Generator

GOOD = 30.0
"""Decibels from which a reconstruction counts as recovered."""
SHEET, GAP = 'projections.png', 'gap.json'
ROWS, PAIRS, LISTED = 16, 4, 24
FIGURES = ('psnr', 'psnr_before', 'ssim', 'features', 'loss', 'steps', 'seconds', 'tuning_seconds')


def write_found(
    folder: Path, generator: Generator, places: Places, images: np.ndarray, pixels: np.ndarray
) -> None:
    """Write places, each reconstruction, and a sheet of pictures with their reconstructions to the right."""
    for i, name in enumerate(places.names):
        write_picture(
            folder / f'{name}.png',
            visible(images[i]),
            credit_of(generator, take(places, [i]), i, space=places.space),
        )
    shown = range(min(len(images), ROWS * PAIRS))
    pairs = np.stack([one for i in shown for one in (pixels[i], images[i])])
    sheet = grid(visible(pairs), 2 * min(PAIRS, len(shown)))
    write_picture(folder / SHEET, sheet, credit_of(generator, take(places, shown), space=places.space))
    save_places(folder, places)


def show_figures(console: Console, places: Places, title: str) -> None:
    """Print each image's figures, their means, and the share of those that were recovered."""
    names = [name for name in FIGURES if name in places.origins[0]]
    table = Table(box=None, pad_edge=False, title=escape(f'{title}, in {places.space}'), title_justify='left')
    table.add_column('image')
    for name in names:
        table.add_column(name.replace('_', ' '), justify='right')
    for name, origin in list(zip(places.names, places.origins, strict=True))[:LISTED]:
        table.add_row(escape(name), *(f'{origin[figure]:.4g}' for figure in names))
    if len(places.names) > LISTED:
        table.add_row(f'... {len(places.names) - LISTED} more')
    means = {figure: float(np.mean([o[figure] for o in places.origins])) for figure in names}
    table.add_row('mean', *(f'{value:.4g}' for value in means.values()))
    console.print(table)
    psnr = np.array([origin['psnr'] for origin in places.origins])
    console.print(f'{np.mean(psnr >= GOOD):.0%} at {GOOD:.0f} dB or more; median {np.median(psnr):.1f} dB')


def show_gap(console: Console, groups: Mapping[str, Places], folder: Path) -> None:
    """Print and write how the figures of groups are spread, and whether they differ from the first's.

    References:
        Webster et al. 2019, Detecting overfitting of deep generative networks via latent recovery, arXiv 1901.03396.
    """
    psnr = {name: np.array([o['psnr'] for o in places.origins]) for name, places in groups.items()}
    first = next(iter(psnr))
    table = Table(box=None, pad_edge=False, title='PSNR of reconstructions', title_justify='left')
    for name in ('images', 'n', 'mean', '10%', 'median', '90%', f'KS p against {first}'):
        table.add_column(escape(name), justify='left' if name == 'images' else 'right')
    told: dict[str, Any] = {}
    for name, values in psnr.items():
        low, middle, high = (float(q) for q in np.quantile(values, (0.1, 0.5, 0.9)))
        statistic, p = kolmogorov_smirnov(psnr[first], values)
        told[name] = {'n': len(values), 'mean': float(values.mean()), 'quantiles': [low, middle, high]}
        told[name] |= {} if name == first else {'ks': statistic, 'p': p, 'against': first}
        texts = (f'{values.mean():.2f}', f'{low:.2f}', f'{middle:.2f}', f'{high:.2f}')
        table.add_row(escape(name), str(len(values)), *texts, '' if name == first else f'{p:.3g}')
    console.print(table)
    with or_machine_error(f'{folder / GAP} cannot be written'), replacing(folder / GAP) as temporary:
        temporary.write_text(json.dumps(told, indent=2, allow_nan=False) + '\n')


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Compare two samples: the largest difference of their distribution functions, and how likely one as large is by chance.

    ``p = 2 sum_k (-1)^(k-1) exp(-2 k^2 l^2)``, ``l = (e + 0.12 + 0.11 / e) D``, ``e = sqrt(n m / (n + m))``: the limit for
    large samples, corrected for small ones.

    References:
        Stephens 1970, Use of the Kolmogorov-Smirnov, Cramer-von Mises and related statistics without extensive tables.

    >>> kolmogorov_smirnov(np.arange(9.0), np.arange(9.0))
    (0.0, 1.0)
    """
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    difference = np.searchsorted(a, both, 'right') / len(a) - np.searchsorted(b, both, 'right') / len(b)
    statistic = float(np.max(np.abs(difference)))
    e = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    scaled = (e + 0.12 + 0.11 / e) * statistic
    if scaled < 0.2:  # the series needs many terms there, and its sum is 1 to twelve digits
        return statistic, 1.0
    total = sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return statistic, min(max(2 * total, 0.0), 1.0)
