"""The options of ``jaxgan remove``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class RemoveOptions:
    """Make a new run that has never seen some images: its newest state from before their first use, and an order without them.

    Then jaxgan train --config NEWRUN/config.json --workdir NEWRUN goes on, to the bits of a training that never had them.
    """

    run: tyro.conf.Positional[str]
    """The run's folder; it stays as it is."""
    images: tyro.conf.Positional[tuple[str, ...]]
    """Each an index in the order of the data, a SHA-256 (of the pixels as they are trained on, or of the file), or a picture."""
    out: str
    """The new run's folder, which must not exist or be empty."""
    reason: str
    """Why, in a few words; it stands in removals.jsonl."""
    with_duplicates: bool = False
    """Remove the other images with the same pixels, too, and of a data manifest all of the same groups of near-duplicates."""
