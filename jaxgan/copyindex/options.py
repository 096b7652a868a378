"""The options of ``jaxgan index``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class IndexOptions:
    """Describe a run's training images so that copies of them are found without them: 296 bytes each, and no image inside."""

    run: tyro.conf.Positional[str]
    """A run's folder; its data must be at hand, and those on which it was trained."""
    out: str | None = None
    """The file to write (default: copies.safetensors in the run's folder, where sample and attribute look, and which jaxgan export
    takes along)."""
    data: str | None = None
    """Where the data lie now, such as folder:PATH (default: where they lay in training)."""
    data_dir: str | None = None
    """Where TFDS data sets lie now."""
    held_out: str | None = None
    """The split on which thresholds are set, of images that no training saw (default: test, where there is one, or rest,
    what data.subset leaves out); none, and
    the default where there is none: a fifth of the training images is left out for that, and put back."""
