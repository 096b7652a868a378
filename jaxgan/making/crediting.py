"""Where images that were made from places come from."""

from jaxgan.credentials import Credit
from jaxgan.making.projections import Places
from jaxgan.opened import Generator


def credit_of(generator: Generator, places: Places, **details: object) -> Credit:
    """Say where images that were made from places come from: the seeds, or the pictures and the rights in them.

    Args:
        generator: that made them.
        places: all from which they were made.
        details: what else was asked for; those that are None are left out.
    """

    def told(name: str) -> str | None:
        found = dict.fromkeys(str(origin[name]) for origin in places.origins if origin.get(name) is not None)
        return '; '.join(found) or None

    return generator.credit(
        (told('seed') or '').replace('; ', ','),
        **details,
        source=told('source'),
        rights=told('rights'),
        label=None
        if places.labels is None
        else ', '.join(generator.labels[i] for i in dict.fromkeys(places.labels.tolist())),
        tuned='yes' if places.patch else None,
    )
