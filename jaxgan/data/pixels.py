"""From an image file of any kind to uint8 pixels of the size and channels that were asked for."""

import functools
import io
import os
import stat
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from jaxgan.data.config import DataConfig
from jaxgan.errors import InputError

# Pillow's own limit, above which it warns: a header may promise more pixels than any memory holds.
MAX_PIXELS = 89_478_485

# Of Pillow's many formats those of the suffixes in ``folder``: EPS would be handed to Ghostscript, which runs programs.
FORMATS = frozenset(
    {'AVIF', 'BMP', 'GIF', 'HEIF', 'JPEG', 'JPEG2000', 'MPO', 'PNG', 'PPM', 'TGA', 'TIFF', 'WEBP'}
)


class BadImage(InputError):
    """An image that cannot be read; the message is ``NAME: REASON``."""

    def __init__(self, name: str, reason: str):
        super().__init__(f'{name}: {reason}')
        self.name, self.reason = name, reason


def decode(file: str | io.BytesIO, name: str) -> Image.Image:
    """Decode an image as ``decode_with_info`` does."""
    return decode_with_info(file, name)[0]


def decode_with_info(file: str | io.BytesIO, name: str) -> tuple[Image.Image, dict[Any, Any]]:
    """Decode an image into 8-bit grey ('L') or colour ('RGB'), upright.

    The EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits, palettes
    and CMYK become RGB. Of an animation, the first frame is read.

    Args:
        file: a path or an open file.
        name: what to call the image in errors.

    Returns:
        The image, and what else Pillow has found in the file (``Image.info``).

    Raises:
        BadImage: if it is no image, is cut short, is too large, or has pixels without a fixed range.
    """
    try:
        if isinstance(file, str) and not stat.S_ISREG(os.stat(file).st_mode):
            raise ValueError('not a file')  # a pipe would wait for ever
        with Image.open(file, formats=formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f'it claims to be {image.width}x{image.height} pixels')
            image.load()
            info = dict(image.info)
            ImageOps.exif_transpose(image, in_place=True)  # copies nothing where there is nothing to turn
            return _eight_bits(image), info
    except Exception as error:  # what Pillow raises for a broken file depends on the format and on the damage
        if isinstance(error, Image.UnidentifiedImageError):
            raise BadImage(name, 'not an image that Pillow knows') from None
        reason = (getattr(error, 'strerror', None) or str(error) or type(error).__name__).splitlines()[0]
        raise BadImage(name, reason) from error


@functools.cache
def formats() -> tuple[str, ...]:
    """List those of the formats that this Pillow reads; HEIF comes with a package of its own."""
    Image.init()
    return tuple(sorted(FORMATS & set(Image.OPEN)))


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in ('I', 'F') or image.mode.startswith('I;16'):
        return _scale_grey(image)
    grey = image.mode in ('1', 'L', 'LA', 'La')
    if image.has_transparency_data:
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image).convert('RGB')
    mode = 'L' if grey else 'RGB'
    return image if image.mode == mode else image.convert(mode)


def _scale_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == 'F' or values.min() < 0 or values.max() > 65535:
        raise ValueError('its pixels are neither 8 nor 16 bits, so their range is unknown')
    return Image.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))


def plan_side(width: int, height: int, config: DataConfig, name: str) -> int:
    """Tell how many pixels a side an image will have, by the rules of a config.

    Raises:
        InputError: if the image is not square and no crop was asked for.
    """
    if width != height and config.crop == 'none':
        raise InputError(
            f"{name} is {width}x{height} pixels, not square; data.crop 'center' cuts out a square"
        )
    return config.size or min(width, height)


def to_pixels(image: Image.Image, config: DataConfig, side: int, channels: int, name: str) -> np.ndarray:
    """Crop and resize an image as a config says.

    Args:
        image: 8-bit grey or colour.
        config: crop and filter; its size too.
        side: pixels a side that the result must have.
        channels: 1 or 3.
        name: what to call the image in errors.

    Returns:
        Pixels, uint8 [side, side, channels].

    Raises:
        InputError: if the result would have another size.
    """
    found = plan_side(*image.size, config, name)
    if found != side:
        raise InputError(
            f'{name} comes out {found}x{found} pixels, others {side}x{side}; state one size with data.size'
        )
    if image.width != image.height:
        edge = min(image.size)
        left, top = (image.width - edge) // 2, (image.height - edge) // 2
        image = image.crop((left, top, left + edge, top + edge))
    if image.width != side:
        image = image.resize((side, side), Image.Resampling[config.resize.upper()])
    mode = 'L' if channels == 1 else 'RGB'
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(side, side, channels)


def describe_changes(sizes: set[tuple[int, int]], config: DataConfig, side: int) -> str:
    """Say in words what happens to images of some (width, height) on their way to ``side`` x ``side``."""
    steps = ['cropped to the central square'] if any(width != height for width, height in sizes) else []
    edges = sorted({min(size) for size in sizes} - {side})
    if edges:
        span = f'{edges[0]}' if len(edges) == 1 else f'{edges[0]} to {edges[-1]}'
        steps.append(f'resized from {span} to {side} pixels ({config.resize})')
    return ', '.join(steps) or 'as they are'
