"""The options of the commands: what ``jaxgan COMMAND --help`` lists. Those of ``train`` are in ``cli``, beside the recipe's, those of
commands that make images in ``making.options``."""

import dataclasses
from typing import Literal

import tyro


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Write a run as one page: grids, curves, metrics, configuration, in a file that needs no network."""

    run: tyro.conf.Positional[str]
    """A run's folder; its training may go on."""
    out: str | None = None
    """The .html file (default: report.html in the run's folder)."""


@dataclasses.dataclass(frozen=True)
class ReproduceOptions:
    """Run the phase of a failed step again, from its file alone: exit code 0 if it fails again, else 4."""

    file: tyro.conf.Positional[str]
    """What a training has written to faults/ in its folder."""


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """Download and prepare a TFDS data set, once; needs the network and the extra jaxgan[prepare]."""

    name: tyro.conf.Positional[str]
    """A TFDS name, such as cifar10."""
    data_dir: str | None = None
    """Where to (default: TFDS's own folder)."""


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Measure generated images against real ones. A run keeps the numbers in evaluations.jsonl, with their protocol."""

    source: tyro.conf.Positional[str]
    """A run's folder, an export's, a folder of images, or an .npz."""
    data: str | None = None
    """The real images, such as cifar10 (default: those of the training)."""
    split: str | None = None
    """Their split, with a slice if you like (default: that of the training, else train)."""
    held_out: str | None = None
    """The split that no training saw, for C_T (default: test, where there is one); rest: what data.subset leaves out, the default where
    it does; none for none."""
    extractor: str = 'auto'
    """inception-2015, vgg16, vgg16-64, dinov2-vits14, -vitb14, -vitl14, mnist, pixel_avatars, pixels (auto: the one made for such
    data, else Inception, whose distances alone are called FID, else VGG16)."""
    weights: str | None = None
    """The file of its weights (default: the package's, or the cache's)."""
    download: bool = False
    """Fetch its weights where they are not here; their SHA-256 is checked."""
    measures: tuple[str, ...] | None = None
    """fd, kid, is, precision_recall, density_coverage, fd_by_class, modes, copying, ms_ssim, lpips, ppl (default: all that apply but
    fd_by_class, lpips and ppl)."""
    n: int | None = None
    """How many images to generate (default: 10,000); the published numbers have 50,000, or 10,000 by some programs. Of
    files: so many of a fixed permutation (default: all)."""
    real: int | None = None
    """How many real images, of a fixed permutation (default: all)."""
    flip: bool | None = None
    """Count real images mirrored, too (default: if the training mirrored them)."""
    crop: Literal['none', 'center'] | None = None
    """What to do with real images that are not square (default: as in the training, else refuse them)."""
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for colour (default: as the generated ones)."""
    data_dir: str | None = None
    """Where TFDS data sets lie prepared (default: as in the training, else TFDS's own folder)."""
    seed: int = 0
    """The first seed of the generated images."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
    out: str | None = None
    """FILE.jsonl to which the numbers are added."""


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """Compare the newest numbers of two runs; those of different protocols are refused, with the difference."""

    first: tyro.conf.Positional[str]
    """A run's folder, or a file of jaxgan evaluate --out."""
    second: tyro.conf.Positional[str]
    """The other."""


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """Verify every byte of a run's checkpoints, or of an export; exit code 4 if one is damaged."""

    run: tyro.conf.Positional[str]
    """A run's folder, a folder of checkpoints, or an export's."""
    step: int | None = None
    """Only this checkpoint (default: all, best/ included)."""


@dataclasses.dataclass(frozen=True)
class ZooOptions:
    """List what a recipe can be made of: models, losses, penalties, optimizers, ... with a line on each."""

    family: tyro.conf.Positional[str | None] = None
    """Only this family, such as losses."""
