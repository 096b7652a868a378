"""The options of ``jaxgan encoder``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class EncoderOptions:
    """Train an encoder on a generator's own samples: a start for jaxgan project --warm-start, by one pass of a network."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str | None = None
    """The folder to write (default: encoder/ in the source's)."""
    steps: int = 4000
    """Of the optimizer."""
    batch: int = 64
    """Samples in a step."""
    width: int = 32
    """Features at full size; twice as many at each halving, up to 256."""
    rate: float = 1e-3
    """The learning rate, which falls to 0 by a cosine."""
    image_weight: float = 1.0
    """Of the squared difference of an image and its reconstruction, beside that of the code."""
    seed: int = 0
    """Of its first weights and of the samples."""
    space: str | None = None
    """z, w or w+ (default: w where there are styles, else z)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
