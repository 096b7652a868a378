"""The options of ``jaxgan plan``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class PlanOptions:
    """Say how many training images it takes until few samples are copies, from audits of one recipe with several numbers of them."""

    audits: tyro.conf.Positional[tuple[str, ...]]
    """Each an audit.json, or a folder that has one: of trainings with --data.subset 100, 200 and so on."""
    below: float = 0.01
    """The share of samples, less false positives, that may be copies."""
    json: bool = False
    """Print everything as JSON."""
