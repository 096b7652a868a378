"""The options of ``jaxgan directions``."""

from typing import Literal

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class DirectionsOptions(MarkOptions):
    """Find directions along which a generator's images can be edited, and show what each does."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    method: Literal['ganspace', 'sefa', 'attributes'] = 'ganspace'
    """ganspace: where codes or an early layer's activations vary most; sefa: what the first layers amplify most; attributes: what
    tells labels apart, by the classifier that goes with the data, by --labels, or by --projections."""
    out: str = 'directions'
    """The folder to write: directions.safetensors, directions.json, and a sheet for each direction."""
    count: int | None = None
    """How many (default: 10; of attributes: all that enough images show)."""
    space: str | None = None
    """z or w (default: w where there are styles)."""
    samples: int = 10_000
    """How many codes are drawn to find them, or their deviation along each."""
    layers: str | None = None
    """The styles that they move, such as 0-3 (default: all); sefa looks at these alone."""
    feature: str | None = None
    """ganspace in z: the layer whose activations are looked at (default: the first that is no linear map of z)."""
    label: str | None = None
    """A class, by name or number, for a conditional generator (default: each in turn)."""
    labels: str | None = None
    """attributes: FILE.csv whose first line is like seed,label or name,label: a value for each seed, or for each name in --projections."""
    projections: str | None = None
    """attributes: a folder that jaxgan project wrote, for the names in --labels; without --labels a folder of such folders, each named as
    what its pictures show."""
    apart: tuple[str, ...] = ()
    """attributes: take out of each direction what lies along those of these attributes, or of all, so that edits leave them alone."""
    apart_ridge: float = 1.0
    """How much of that stays: 0: nothing; more for many attributes, whose directions span nearly everything."""
    seeds: str = '0-5'
    """The images that sheets show, such as 0-5; none: no sheets."""
    amounts: str = '-3,-2,-1,0,1,2,3'
    """The columns of a sheet, in standard deviations; write --amounts=-3,0,3 (with =)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
