"""Which images to train on, and how to make them all alike."""

import dataclasses
import pathlib
import re
import typing
from typing import Literal

from jaxgan.errors import InputError, unknown

Crop = Literal['none', 'center']
Filter = Literal['lanczos', 'bicubic', 'box', 'nearest']
MOST_EXCLUDED = 10_000
_EXCLUDED = re.compile(r'\d{1,10}(:[0-9a-f]{64})?|[0-9a-f]{64}')


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the images come from, and their size, channels and labels."""

    name: str = 'pixel_avatars'
    """pixel_avatars; pixel_avatars/ATTRIBUTE (labelled); a TFDS name, like cifar10; folder:PATH; npz:PATH;
    points:ring25 or points:grid25; stacked:NAME (three grey images as channels; stacked2:, stacked1:)."""
    split: str = 'train'
    """The split, with a slice if you like: train, test, train[:10%], train[1000:]."""
    data_dir: str | None = None
    """Where TFDS data sets lie prepared (default: $TFDS_DATA_DIR, else ~/tensorflow_datasets)."""
    size: int | None = None
    """Resize to size x size pixels (default: as they are, which must then be one square size)."""
    crop: Crop = 'none'
    """What to do with images that are not square: refuse them, or take the largest square in the centre."""
    resize: Filter = 'lanczos'
    """The filter to resize with; all are antialiased but nearest, which is the one for pixel art."""
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for colour (default: as found)."""
    label: str | None = None
    """The feature that is the label; none for no labels (default: the natural one, if there is one)."""
    flip: bool = False
    """Mirror half of the images left to right, at random."""
    bad_images: Literal['fail', 'skip'] = 'fail'
    """What to do if files of a folder cannot be read: stop and name them, or leave them out and name them."""
    residence: Literal['auto', 'device', 'stream'] = 'auto'
    """Keep all images on the device, or stream them (auto: on the device up to 1 GiB)."""
    exclude: tuple[str, ...] = ()
    """Images that the training may not see: INDEX in the order of the source, SHA256 of the pixels, or INDEX:SHA256, which is
    checked; the other images keep their places in the order. Of a run that has begun: jaxgan remove."""
    opt_outs: Literal['honour', 'ignore'] = 'honour'
    """Leave out images of a folder that say, or whose folder says, that they must not be trained on; or use them all the same, with
    a reason that is written down."""
    opt_out_reason: str | None = None
    """Why opt-outs are ignored; it stands in config.json and in the cards of what is made."""
    licences: tuple[str, ...] = ()
    """Use only images of these licences, such as CC0-1.0 'CC-BY-*' (default: of any, also where none is stated)."""
    subset: int | None = None
    """Use so many images only, the first of a fixed permutation of the split, in their order (default: all): 100 of them are among 200. Below 0:
    all but those, as jaxgan audit --held-out rest has them."""

    def __post_init__(self):
        types = typing.get_type_hints(type(self))
        for field in ('crop', 'resize', 'bad_images', 'residence', 'opt_outs'):
            if getattr(self, field) not in typing.get_args(types[field]):
                raise unknown(f'value of data.{field}', getattr(self, field), typing.get_args(types[field]))
        if self.channels not in (None, 1, 3):
            raise unknown('value of data.channels', self.channels, (1, 3))
        if self.size is not None and self.size < 1:
            raise InputError(f'data.size is {self.size}; it must be at least 1 pixel')
        _check_excluded(self.exclude)
        if self.subset == 0:
            raise InputError('data.subset is 0; it must be at least 1 image (or below 0: all but so many)')
        if self.opt_outs == 'ignore' and not (self.opt_out_reason or '').strip():
            raise InputError(
                "data.opt_outs 'ignore' needs a reason, which is written down: data.opt_out_reason"
            )
        if self.opt_outs == 'honour' and self.opt_out_reason is not None:
            raise InputError("data.opt_out_reason is for data.opt_outs 'ignore'")
        if not all(one.strip() for one in self.licences):
            raise InputError('data.licences has an empty name')


def _check_excluded(names: tuple[str, ...]) -> None:
    if len(names) > MOST_EXCLUDED:
        raise InputError(f'data.exclude names {len(names):,} images; at most {MOST_EXCLUDED:,} can be')
    for name in names:
        if not (isinstance(name, str) and _EXCLUDED.fullmatch(name)):
            raise InputError(
                f'data.exclude {name!r} is none of INDEX, INDEX:SHA256 and SHA256 (64 digits 0 to f, of the pixels)'
            )


def with_split(config: DataConfig, split: str) -> DataConfig:
    """Return the configuration of another split, all of it; what is excluded are images of this one, and says nothing of another."""
    return (
        config if split == config.split else dataclasses.replace(config, split=split, exclude=(), subset=None)
    )


def path_of(name: str) -> pathlib.Path:
    """Take the path out of ``folder:PATH`` or ``npz:PATH``; ``~`` is the user's home.

    Raises:
        InputError: the home is one of a user that there is not.
    """
    path = pathlib.Path(name.partition(':')[2])
    try:
        return path.expanduser()
    except RuntimeError:
        raise InputError(f'there is no home for {path.parts[0]} in {name}') from None
