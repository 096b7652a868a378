"""Where a search may start besides random codes: what an encoder says, or what was found before."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgan.errors import InputError
from jaxgan.making.encoding import RECORD, load_encoder
from jaxgan.making.inverting import Inverter, Warm
from jaxgan.making.projections import load_places
from jaxgan.making.targets import Targets


def warm_start(inverter: Inverter, folder: str, targets: Targets) -> Warm:
    """Take starts from a folder: of an encoder, or of projections: that of the same picture where there is one, else of all.

    Raises:
        InputError: it holds neither, or of another generator or space.
    """
    if (Path(folder) / RECORD).is_file():
        return of_encoder(load_encoder(Path(folder), inverter.generator, inverter.space.name))
    known = load_places(folder, inverter.generator.digest)
    if known.space != inverter.space.name:
        raise InputError(
            f'{folder} has codes in {known.space}, and this searches in {inverter.space.name}: give --space {known.space}'
        )
    sources = [origin.get('source') for origin in known.origins]
    every = list(range(len(sources)))[: inverter.way.starts]
    wanted = [origin.get('source') for origin in targets.origins]
    rows = np.array(
        [[sources.index(one)] * len(every) if one and one in sources else every for one in wanted]
    )
    labels = None if known.labels is None else known.labels[rows]
    return lambda pixels, nearest: (known.codes[rows], labels)


def of_encoder(encode: Callable) -> Warm:
    """Start from an encoder's codes, each of the class of the nearest random image: one start an image.

    Args:
        encode: ``(pixels, labels) -> codes``, of ``load_encoder``.
    """

    def warm(pixels: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        return encode(pixels, labels)[:, None], None if labels is None else labels[:, None]

    return warm
