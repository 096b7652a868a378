"""The options of ``jaxgan edit``."""

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class EditOptions(MarkOptions):
    """Change an image along directions that ``jaxgan directions`` found."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    start: tyro.conf.Positional[str]
    """What to edit: 17 or seed:0-3; a folder that jaxgan project wrote, or FOLDER#NAME; or a picture, which is projected first."""
    directions: str = 'directions'
    """The folder that jaxgan directions wrote."""
    direction: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A direction, by its name or number; again for more, which add up."""
    amount: tyro.conf.UseAppendAction[tuple[float, ...]] = ()
    """How far, in standard deviations: one for each direction, in their order."""
    amounts: str | None = None
    """Several amounts along one direction instead, such as --amounts=-3,-1,0,1,3 (with =): a column each, and a row for each image."""
    layers: str | None = None
    """The styles that move, such as 0-3 (default: those of the directions)."""
    label: str | None = None
    """The class of seeds, by name or number, for a conditional generator (default: each in turn)."""
    out: str = 'edited.png'
    """FILE.png, .webp or .jpg: a grid, or a single image as it is; a folder (no suffix): single PNGs, and the codes, from which other
    commands can go on."""
    scale: int | None = None
    """Enlarge each pixel of a grid so many times (default: small images to about 64)."""
    source_rights: str | None = None
    """What you say of the rights in a picture that you start from, which all images made from it repeat; needed for a picture file."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
