"""The options of ``jaxgan exposure``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class ExposureOptions:
    """Say how often and at which steps a run has seen images of its data, and which checkpoint is from before."""

    run: tyro.conf.Positional[str]
    """A run's folder; its training may go on."""
    images: tyro.conf.Positional[tuple[str, ...]]
    """Each an index in the order of the data, a SHA-256 (of the pixels as they are trained on, or of the file), or a picture."""
    json: bool = False
    """Print everything as JSON, all steps included."""
    until: int | None = None
    """Count so many steps, also of those that are still to come (default: those that have been taken)."""
