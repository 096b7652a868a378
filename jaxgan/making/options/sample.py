"""The options of ``jaxgan sample``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class SampleOptions:
    """Make images with a trained generator."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str = 'samples.png'
    """FILE.png: a grid; FILE.npz: arrays; a folder (no suffix): single PNGs."""
    n: int = 64
    """How many images, from --seed on."""
    seed: int = 0
    """The first seed."""
    seeds: str | None = None
    """Seeds by name instead, such as 0-63,100."""
    label: str | None = None
    """A class, by name or number, for a conditional generator (default: each in turn)."""
    columns: int | None = None
    """Columns of a grid."""
    scale: int | None = None
    """Enlarge each pixel of a grid so many times (default: small images to about 64)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
