"""The options of ``jaxgan export``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Write a run's generator as safetensors and JSON, readable without jaxgan and without pickle."""

    run: tyro.conf.Positional[str]
    """A run's folder."""
    out: tyro.conf.Positional[str]
    """The folder to write."""
    step: int | None = None
    """The checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
