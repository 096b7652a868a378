"""Where images that were made from places come from."""

from collections.abc import Iterable, Mapping
from typing import Any

from jaxgan.credentials import Credit
from jaxgan.making.projections import Places
from jaxgan.opened import Generator


def united(origins: Iterable[Mapping[str, Any]], name: str) -> str | None:
    """Tell what origins say by one name, each once; None: nothing.

    >>> united([{'source': 'a'}, {'seed': 1}, {'source': 'b'}, {'source': 'a'}], 'source')
    'a; b'
    """
    return '; '.join(dict.fromkeys(str(one[name]) for one in origins if one.get(name) is not None)) or None


def parents(origins: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tell what must stand with all that is made of pictures: their digests, and what was said of the rights in them."""
    told = {name: united(origins, name) for name in ('source', 'rights')}
    return {name: text for name, text in told.items() if text}


def credit_of(generator: Generator, places: Places, index: int | None = None, /, **details: object) -> Credit:
    """Say where images that were made from places come from: the seeds, or the pictures and the rights in them.

    Args:
        generator: that made them.
        places: all from which they were made.
        index: the image's place among those that the command makes, each in a file of its own; None: it is alone.
        details: what else was asked for; those that are None are left out.
    """

    return generator.credit(
        (united(places.origins, 'seed') or '').replace('; ', ','),
        index,
        **details,
        **parents(places.origins),
        label=None
        if places.labels is None
        else ', '.join(generator.labels[i] for i in dict.fromkeys(places.labels.tolist())),
        tuned='yes' if places.patch else None,
    )
