"""Who holds the rights in training images, as the data manifest of a run says it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxgan.copyindex.index import About
from jaxgan.datamanifest.entries import TEXTS, read_manifest
from jaxgan.errors import InputError
from jaxgan.rights.licences import NOT_STATED


class Rights(NamedTuple):
    """What is known of a training image."""

    name: str = NOT_STATED
    licence: str = NOT_STATED
    creator: str = NOT_STATED
    source: str = NOT_STATED


def rights_of(manifest: Path | None, places: Sequence[int], count: int, about: About) -> dict[int, Rights]:
    """Look training images up in a manifest; without one the licence is that of the whole data set.

    Args:
        manifest: of the data; None: there is none.
        places: of the images in their source.
        count: how many images the source has of which the index is.
        about: what the index says of the data.

    Raises:
        InputError: the manifest cannot be read, or lists other images.
    """
    whole = about.licence if about.licence == NOT_STATED else f'{about.licence} (the whole data set)'
    if manifest is None:
        return dict.fromkeys(places, Rights(licence=whole))
    entries = read_manifest(manifest)
    if len(entries) != count:
        raise InputError(
            f'{manifest} lists {len(entries):,} images, and the index is of {count:,}: it is of other data'
        )

    def found(place: int) -> Rights:
        entry = entries[place]
        stated = {name: getattr(entry, name) or NOT_STATED for name in TEXTS}
        if stated['licence'] == NOT_STATED:
            stated['licence'] = whole
        return Rights(entry.name or NOT_STATED, **stated)

    return {place: found(place) for place in places}
