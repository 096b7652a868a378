"""The options of ``jaxgan interpolate``."""

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class InterpolateOptions(MarkOptions):
    """Make the images between two or more: along arcs in z, along lines in w and w+."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    places: tyro.conf.Positional[tuple[str, ...]]
    """Where the path leads, two places at least: 17 or seed:17, seed:0-3, FOLDER (all that jaxgan project wrote there), FOLDER#NAME, or
    pictures, which are projected first."""
    out: str = 'interpolation.png'
    """FILE.png or .jpg: a sheet with a row from each place to the next; FILE.gif, .webp, .apng or .mp4: an animation; a folder (no suffix): single PNGs, and
    their codes."""
    steps: int = 9
    """Images from one place to the next, both included."""
    even: bool = False
    """Choose the images so that each differs equally much from the one before, instead of at equal distances of codes."""
    loop: bool = False
    """Go on from the last place to the first."""
    seconds: float | None = None
    """How long an animation shows each image (default: 0.1)."""
    space: str | None = None
    """z, w or w+ (default: the places' own; of seeds w where there are styles, else z)."""
    label: str | None = None
    """The class of seeds and pictures, by name or number, for a conditional generator."""
    scale: int | None = None
    """Enlarge each pixel so many times (default: small images to about 64, in animations 256)."""
    source_rights: str | None = None
    """What you say of the rights in pictures that are named; needed for picture files. All images made from them repeat it."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
