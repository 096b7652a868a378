"""The options of ``jaxgan attribute``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class AttributeOptions:
    """Name the training images that pictures are nearest to, with their licences and creators; whether near enough to be copies."""

    pictures: tyro.conf.Positional[tuple[str, ...]]
    """Picture files of any size; they are cut to a square and resized as the data of the training were."""
    run: str
    """A run's folder, an export's, or an index that jaxgan index wrote."""
    k: int = 5
    """How many training images of each picture, at most 8."""
    fpr: float | None = None
    """Call a picture a match that is nearer than all but this share of images that are no copies: 0.001, 0.01 or 0.05, as far as the
    index has them (default: 0.01,
    or the nearest that the index has)."""
    json: bool = False
    """Print JSON instead of tables."""
    out: str | None = None
    """FILE.png: a sheet with each picture and its training images beside it; needs the data."""
    data: str | None = None
    """Of --out: where the training's data lie now, such as folder:PATH (default: where they lay in training)."""
    data_dir: str | None = None
    """Of --out: where TFDS data sets lie now."""
    manifest: str | None = None
    """The data manifest that states licences and creators (default: data_manifest.jsonl in the run's folder, where there is one)."""
