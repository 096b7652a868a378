"""Read the pixel avatars from the package: two WebP sheets of tiles, and codes of their attributes."""

import functools
import json
import pathlib

import numpy as np
from PIL import Image

SIZE = 16  # pixels a side
COLUMNS = 125  # tiles a row of a sheet
HERE = pathlib.Path(__file__).parent
SPLITS = ('train', 'test')


def cut(path: pathlib.Path, count: int) -> np.ndarray:
    """Cut a sheet into its first ``count`` tiles: uint8 [count, 16, 16, 3]."""
    with Image.open(path) as image:
        sheet = np.asarray(image.convert('RGB'))
    grid = sheet.reshape(-1, SIZE, COLUMNS, SIZE, 3).swapaxes(1, 2)
    return grid.reshape(-1, SIZE, SIZE, 3)[:count]


@functools.cache
def attribute_names() -> dict[str, tuple[str, ...]]:
    """List the attributes, and for each the names that its codes stand for."""
    names = json.loads((HERE / 'attributes.json').read_text('utf-8'))
    return {attribute: tuple(values) for attribute, values in names.items()}


def read_codes(split: str) -> np.ndarray:
    """Read the attributes of a split: uint8 [N, attributes], in the order of ``attribute_names()``."""
    with np.load(HERE / 'attributes.npz', allow_pickle=False) as codes:
        return codes[split]


def read_images(split: str) -> np.ndarray:
    """Read the images of a split: uint8 [N, 16, 16, 3]."""
    return cut(HERE / f'{split}.webp', len(read_codes(split)))
