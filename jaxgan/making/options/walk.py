"""The options of ``jaxgan walk``."""

from typing import Literal

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class WalkOptions(MarkOptions):
    """Make a film of a walk through a generator's images."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    starts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Where to go through: a seed (17, seed:0-3), a folder of projections, or one of its places (FOLDER#NAME)."""
    out: str = 'walk.gif'
    """FILE.gif, .webp, .png (animated), or .mp4 where ffmpeg is installed."""
    seeds: str | None = None
    """Seeds to go through, such as 1,2,3 or 0-7, after the places named."""
    path: Literal['loop', 'spline', 'spherical'] = 'loop'
    """loop: smooth, and back to the first; spline: smooth, from the first to the last; spherical: arcs with a corner at each."""
    frames: int = 120
    """How many images each walk has."""
    fps: float = 24.0
    """Frames a second."""
    even: Literal['none', 'codes', 'images'] = 'none'
    """Let codes, or images (slower), change as much from each frame to the next; none: as much time from place to place."""
    grid: int | None = None
    """A wall of so many walks as one film: the places are divided among them, in turn (default: one walk)."""
    columns: int | None = None
    """Columns of the wall."""
    scale: int | None = None
    """Enlarge each pixel so many times (default: films to about 256, tiles of a wall to about 64)."""
    space: Literal['z', 'w', 'w+'] | None = None
    """Of the codes (default: w where there are styles, else z)."""
    psi: float = 1.0
    """Truncation: below 1, nearer to the mean: better images that vary less."""
    label: str | None = None
    """The class of seeds, of a conditional generator (default: each in turn)."""
    source_rights: str | None = None
    """What you say of the rights in a picture from which the walk starts."""
    once: bool = False
    """Play the film once, not again and again."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
