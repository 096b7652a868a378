"""The options of ``jaxgan vary``."""

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class VaryOptions(MarkOptions):
    """Make variations of an image: of a seed's, of one that was projected, or of a picture file."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    start: tyro.conf.Positional[str]
    """17 or seed:17; FOLDER#NAME or FOLDER#0 of what jaxgan project wrote; or a picture, which is projected first."""
    out: str = 'variations.png'
    """FILE.png, .webp or .jpg: a sheet with a row for each strength; a folder (no suffix): single PNGs, and their codes, from which jaxgan
    vary, interpolate and others can go on."""
    strength: float | None = None
    """How far to go: 0: not at all, 1: as far as another image (default: 0.5)."""
    strengths: str | None = None
    """Several instead, such as 0,0.25,0.5,0.75,1: the same variations at each."""
    n: int | None = None
    """How many variations (default: 16; 8 for several strengths). With --mix there is one for each place that it names."""
    seed: int | None = None
    """Of the random directions, the same ones at all strengths (default: 0)."""
    mix: str | None = None
    """Go towards these instead of random directions; named as the start, and there may be several, such as seed:0-7."""
    layers: str | None = None
    """Change only these layers, such as 4- (fine things), 0-3 (coarse ones) or 0,2-3; with --mix, in a generator with styles, by default
    the later half."""
    space: str | None = None
    """z, w or w+ (default: the start's own; of seeds w where there are styles, else z)."""
    label: str | None = None
    """The class of seeds and pictures, by name or number, for a conditional generator."""
    scale: int | None = None
    """Enlarge each pixel of a sheet so many times (default: small images to about 64)."""
    source_rights: str | None = None
    """What you say of the rights in a picture that you start from, which all images made from it repeat; needed for a picture file."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
