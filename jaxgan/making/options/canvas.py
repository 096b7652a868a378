"""The options of ``jaxgan canvas``."""

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class CanvasOptions(MarkOptions):
    """Make a texture that tiles, or a world of any size, with a generator that is convolutional behind its first layer."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str = 'world.png'
    """FILE.png, .webp or .jpg."""
    size: str = '1024x1024'
    """WIDTHxHEIGHT in pixels."""
    tile: bool = False
    """Let opposite edges meet, so that the picture repeats without seams; its sides are then multiples of the generator's unit."""
    seed: int = 0
    """Of the latents; without --tile a larger world of the same seed begins alike."""
    span: int = 1
    """Over how many cells latents change: 1: each cell has its own; more: wide regions that resemble themselves."""
    psi: float = 1.0
    """Truncation: below 1, nearer to the mean: cells that vary less."""
    label: str | None = None
    """The class, of a conditional generator (default: its first)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
