"""The options of ``jaxgan audit``."""

import dataclasses

import tyro

LEAST_CT = -3.0  # a z-score; of a generator as good as fresh images it is below once in 700 times


@dataclasses.dataclass(frozen=True)
class AuditOptions:
    """Look for copies of training images among a generator's images, and say how surely there are any: exit code 4 if so."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str | None = None
    """The folder of audit.json and audit.html (default: the run's, or the export's)."""
    n: int = 10_000
    """How many images to generate."""
    data: str | None = None
    """The training images (default: those of the training, as it prepared them)."""
    held_out: str | None = None
    """The split that no training saw, which says how near fresh images come (default: test, where there is one); rest: what data.subset
    leaves out, the default where it does; none for none."""
    train: int | None = None
    """Compare with so many training images only, of a fixed permutation (default: all): copies of others are not found."""
    fpr: float = 0.001
    """How many fresh images may count as copies: needs 999 held-out images; with fewer, as small as they allow."""
    max_copy_rate: float | None = None
    """Exit code 4 if the rate of copies, less false positives, is surely above this: its lower bound of 95% (default: 0)."""
    least_ct: float | None = LEAST_CT
    """Exit code 4 if C_T is below this: then images are nearer to the training than fresh ones, as an overfitted generator's are; so are images
    with less detail or variety, so look at the pairs. None: it is said only."""
    recovery: int = 16
    """So many training and held-out images are searched for in the generator, and compared; slow; 0: none."""
    membership: bool = False
    """Try to tell training from held-out images, by the discriminator and by distances to generated images."""
    seed: int = 0
    """The first seed of the generated images."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
