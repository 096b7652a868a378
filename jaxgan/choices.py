"""What a user leaves open when something is measured: the extractor that goes with the data, the held-out images."""

import dataclasses
import re

from jaxgan.data import DataConfig, ImageSource, open_source
from jaxgan.data.config import with_split
from jaxgan.data.splits import split_name
from jaxgan.errors import InputError
from jaxgan.metrics.assets import MissingAsset
from jaxgan.metrics.types import Extractor

MADE_FOR = {  # data sets by name, and the extractor that was made for them
    r'pixel_avatars(/.*)?': 'pixel_avatars',
    r'(stacked[123]?:)?mnist(:.*)?': 'mnist',
    r'points:.*': 'pixels',
}


def open_held_out(config: DataConfig, split: str | None) -> ImageSource | None:
    """Open real images that no training saw.

    Args:
        config: of the training's images.
        split: 'rest': what ``data.subset`` leaves out; 'none': none; any other: that split. None: the rest, where there is one, or
            'test', where there is one and it is another.

    Raises:
        InputError: the split named cannot be opened, or there is no rest.
    """
    if split == 'none':
        return None
    if split is not None:
        return open_source(_rest(config) if split == 'rest' else with_split(config, split))
    found = None if config.subset is None else _or_none(_rest(config))
    if found is not None or split_name(config.split) == 'test' or config.name.startswith('folder:'):
        return found
    return _or_none(with_split(config, 'test'))


def _or_none(config: DataConfig) -> ImageSource | None:
    try:
        return open_source(config)
    except InputError:
        return None


def _rest(config: DataConfig) -> DataConfig:
    if config.subset is None:
        raise InputError(
            "held-out 'rest' is what data.subset leaves out, and the training had none: name a split"
        )
    return dataclasses.replace(config, subset=-config.subset, exclude=())


def made_for(data: str) -> str | None:
    """Name the extractor that was made for a data set; None: there is none.

    >>> made_for('stacked3:mnist'), made_for('cifar10')
    ('mnist', None)
    """
    return next((own for pattern, own in MADE_FOR.items() if re.fullmatch(pattern, data)), None)


def choose_extractor(data: str, size: int, name: str, path: str | None, download: bool) -> Extractor:
    """Load the extractor named; 'auto': the one made for such data, else Inception, else VGG16, whichever is here.

    Raises:
        MissingAsset: none of them is on this machine.
        InputError: there is no such extractor, or its weights are not its own.
    """
    from jaxgan.metrics.extractors import load  # networks that most trainings do not need

    if name != 'auto':
        return load(name, path, download)
    if path is not None:
        raise InputError(f'weights {path} are of which extractor? Give --extractor')
    own = made_for(data)
    if own is not None:
        return load(own)
    missing = []
    for fallback in ('inception-2015', 'vgg16-64' if size <= 64 else 'vgg16'):
        try:
            return load(fallback, None, download)
        except MissingAsset as error:
            missing.append(str(error))
    raise MissingAsset('; or '.join(missing))
