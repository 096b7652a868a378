"""The options of ``jaxgan manifest``."""

import dataclasses
from typing import Annotated

import tyro

from jaxgan.data.config import DataConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ManifestOptions:
    """List each image of a data set with its digests, licence, creator, source, opt-outs and near-duplicates."""

    source: tyro.conf.Positional[str]
    """The data, as --data.name names them in a training: folder:PATH, npz:PATH, cifar10; or a run's folder: those that it trains on."""
    out: str | None = None
    """FILE.jsonl (default: data_manifest.jsonl, in the run's folder if one is named)."""
    data: Annotated[DataConfig, tyro.conf.arg(name='')] = dataclasses.field(default_factory=DataConfig)
