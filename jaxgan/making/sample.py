"""``jaxgan sample``: images by seed."""

from pathlib import Path

import numpy as np

from jaxgan import images, kernels
from jaxgan.errors import InputError, unknown
from jaxgan.files import replacing
from jaxgan.opened import choose_labels, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED, MAX_SEEDS, make_sampler, parse_seeds


def sample_command(
    source: str,
    out: str,
    n: int,
    seed: int,
    seeds: str | None,
    label: str | None,
    columns: int | None,
    scale: int | None,
    step: int | None,
    best: bool,
) -> int:
    """Make images by seed, and write them as a grid, arrays, or single files."""
    if n < 1:
        raise InputError(f'n {n} must be at least 1')
    if n > MAX_SEEDS:
        raise InputError(f'n {n} must be at most {MAX_SEEDS}: ask for fewer at a time')
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f'seed {seed} must be in 0..{MAX_SEED}')
    chosen = parse_seeds(seeds if seeds is not None else f'{seed}-{seed + n - 1}')
    keep_programs()
    target = Path(out)
    if target.suffix not in ('.png', '.npz', ''):
        raise unknown('kind of output', target.suffix, ('.png', '.npz', 'a folder (no suffix)'))
    found = open_generator(Path(source), step, best)
    kernels.enable()
    labels = choose_labels(found.card, label, len(chosen))
    draw = make_sampler(found.network, found.latents, found.params, found.aux)
    pixels = draw(chosen, labels)
    if target.suffix == '.png':
        images.save_png(target, images.picture(pixels, columns=columns, scale=scale))
    elif target.suffix == '.npz':
        save_arrays(target, pixels, chosen, labels)
    else:
        for one, number in zip(pixels, chosen, strict=True):
            images.save_png(target / f'seed{number:010d}.png', images.visible(one))
    print(f'wrote {target}: {len(chosen)} images of {pixels.shape[1]}x{pixels.shape[2]}')
    return 0


def save_arrays(path: Path, pixels: np.ndarray, seeds: list[int], labels: np.ndarray | None) -> None:
    """Write images, seeds and labels as an .npz, whole or not at all."""
    arrays = {'images': pixels, 'seeds': np.asarray(seeds, np.uint32)}
    if labels is not None:
        arrays['labels'] = labels
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)
