"""Sheets that show pictures beside training images: evidence, and made by no model."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgan.files import replacing, unwritable
from jaxgan.images import BACKGROUND

TILE = 96  # pixels that a tile has at least
CAPTION = 12  # pixels of a letter's height
GAP = 6


class Tile(NamedTuple):
    """A picture and what is written below it."""

    pixels: np.ndarray
    """uint8 [h, w, 1 or 3]."""
    text: str
    framed: bool = False
    """Whether it gets a frame, as a match does."""


def sheet(rows: Sequence[Sequence[Tile]]) -> np.ndarray:
    """Lay rows of captioned tiles of one size under each other.

    Returns:
        uint8 [H, W, 3].
    """
    side = rows[0][0].pixels.shape[0]
    edge = side * max(1, -(-TILE // side))
    width, height = edge + 2 * GAP, edge + 2 * GAP + 2 * CAPTION
    canvas = Image.new('RGB', (width * max(map(len, rows)), height * len(rows)), (BACKGROUND,) * 3)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(CAPTION)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            left, top = x * width + GAP, y * height + GAP
            picture = Image.fromarray(np.broadcast_to(tile.pixels, (*tile.pixels.shape[:2], 3)).copy())
            canvas.paste(picture.resize((edge, edge), Image.Resampling.NEAREST), (left, top))
            if tile.framed:
                pen.rectangle((left - 3, top - 3, left + edge + 2, top + edge + 2), outline='red', width=3)
            pen.text((left, top + edge + 4), _fitting(tile.text, font, edge), 'white', font)
    return np.asarray(canvas)


def write_sheet(path: Path, pixels: np.ndarray) -> None:
    """Write a sheet as PNG: its pictures are real, or are asked about, so nothing in the file says that a model made it.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            Image.fromarray(pixels).save(temporary, format='PNG')
    except OSError as error:
        raise unwritable(path, error) from error


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a text that is wider than a tile."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f'{text}…') > width:
        text = text[:-1]
    return f'{text}…'
