"""The options of ``jaxgan project``."""

from typing import Literal

import tyro

from jaxgan.marks.options import MarkOptions, own_first


@own_first
class ProjectOptions(MarkOptions):
    """Find the codes of images: of picture files, of the data (--from-data), or of the generator's own samples (--own)."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    pictures: tyro.conf.Positional[tuple[str, ...]] = ()
    """Picture files of any size; they are cut to a square and resized as the data of the training were."""
    out: str = 'projections'
    """The folder to write: codes, reconstructions, projections.png with each beside its picture."""
    source_rights: str | None = None
    """What you say of the rights in the pictures; required for picture files, and stored in all that is made of them."""
    space: Literal['z', 'w', 'w+'] | None = None
    """Where to search (default: w where the generator has styles, else z)."""
    starts: int = 16
    """From how many codes the search starts at once; the best result is kept."""
    candidates: int = 1024
    """Of how many random codes the nearest become starts."""
    steps: int = 500
    """Of optimization, at most: fewer where the loss no longer falls."""
    seed: int = 0
    """Of all that is random."""
    label: str | None = None
    """A class, by name or number, for a conditional generator (default: whichever fits best)."""
    features: str = 'auto'
    """What looks besides pixels: discriminator, none, an extractor's name or a perceptual distance's (auto: discriminator,
    none for an export, which has none)."""
    mask: str | None = None
    """A picture that is white where pixels are known, and black where they are to be made."""
    no_paste: tyro.conf.FlagCreatePairsOff[bool] = False
    """With --mask: show the known pixels as the generator makes them, instead of keeping them as they are."""
    coarse: int = 1
    """Compare averages over so many pixels a side only: a sketch whose details are to be made."""
    noise: bool = False
    """Fit the generator's noise maps, too."""
    prior: float | None = None
    """What it costs a code to be unlike random ones (default: 0.0001; 0.001 with --mask or --coarse, which say less)."""
    tune: bool = False
    """Move the generator's weights a little, so that its images become those asked for; kept as a patch."""
    tune_steps: int | None = None
    """Of --tune, at most (default: 1000); it ends where every picture is at 38 dB, and 12 dB nearer than before."""
    locality: float | None = None
    """What it costs if --tune changes other images; 0: nothing (default: 2)."""
    warm_start: str | None = None
    """Starts, too: what jaxgan encoder wrote, or a folder of projections: of the same picture where there is one, else of all."""
    from_data: str | None = None
    """Splits of the training's data, such as train,test: so many (-n) of each are projected and compared."""
    own: int | None = None
    """So many of the generator's own samples are projected: what a perfect search finds exactly."""
    n: int | None = None
    """Images of each split of --from-data (default: 64)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
