"""The options of ``jaxgan sample``."""

from typing import Literal

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class SampleOptions(MarkOptions):
    """Make images with a trained generator."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str = 'samples.png'
    """FILE.png or FILE.webp: a grid; FILE.npz: arrays; a folder (no suffix): single pictures, and the same command again goes on
    where it was stopped; '-': to standard output."""
    format: Literal['png', 'webp', 'npz'] | None = None
    """Of a folder's pictures (png or webp), or of what goes to standard output (default: png)."""
    n: int | None = None
    """How many images, from --seed on (default: 64)."""
    seed: int | None = None
    """The first seed (default: 0)."""
    seeds: str | None = None
    """Seeds by name instead of --n and --seed, such as 0-63,100; those that --reject or --dedup drops are then not replaced by others."""
    label: str | None = None
    """A class of a conditional generator, by name or number, or a mixture such as dog:0.7,cat:0.3 (default: each class in turn)."""
    temperature: float | None = None
    """The deviation of the latents' values; below 1 images vary less."""
    psi: float | None = None
    """Truncation: pull the styles towards a centre; 1: as they are, 0: all at the centre. For generators with styles."""
    toward: Literal['mean', 'class', 'cluster'] | None = None
    """The centre of --psi: the mean of all styles (the default), of the image's class, or of the nearest cluster of styles."""
    clusters: int | None = None
    """How many clusters (default: 16)."""
    cutoff: int | None = None
    """Truncate only the first so many layers, which decide the coarse things."""
    dedup: Literal['off', 'exact', 'near'] = 'off'
    """Drop images equal, or nearly equal, to one before, and take the next seeds instead."""
    near: float | None = None
    """Of --dedup near: how many levels of 255 the means of 8x8 parts of two nearly equal images differ, root mean square (default: 8)."""
    reject_copies: bool = False
    """Drop images that are copies of training images, and take the next seeds instead; needs the index that jaxgan index writes."""
    copy_fpr: float | None = None
    """Of --reject-copies: this share of images that are no copies is dropped, too: 0.001, 0.01 or 0.05 (default: 0.01,
    or the nearest that the index has)."""
    copy_index: str | None = None
    """Of --reject-copies: the index's file (default: copies.safetensors in the source)."""
    reject: Literal['off', 'drs', 'ddls'] = 'off'
    """Of a run: let the discriminator choose among images (drs), or move their latents (ddls)."""
    percentile: float | None = None
    """Of drs: the score at this percentile is accepted with probability 1/2; higher rejects more (default: 80)."""
    steps: int | None = None
    """Of ddls: Langevin steps of each latent (default: 50)."""
    step_size: float | None = None
    """Of ddls: the size of a step (default: 0.01)."""
    trace: str | None = None
    """Explain each image as a line of JSON (seed, class, z, w, what was asked, the model): a file, or '-' to print."""
    columns: int | None = None
    """Columns of a grid."""
    scale: int | None = None
    """Enlarge each pixel of a grid so many times (default: small images to about 64)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
