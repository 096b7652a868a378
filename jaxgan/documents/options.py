"""The options of ``jaxgan card``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class CardOptions:
    """Write MODEL_CARD.md and dataset.croissant.json of a run or an export, from its own files; a training that ends writes them itself."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str | None = None
    """The folder to write them into (default: the source)."""
    notes: str | None = None
    """A Markdown file on intended use and limitations, which is put in as it is (default: card_notes.md in the source, if it is there).
    A first line such as 'license: mit' is the licence of the weights."""
