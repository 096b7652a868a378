"""Render the pixel avatars anew: ``python -m jaxgan.data.pixel_avatars.render`` (needs ``jaxgan[avatars]``).

The files it writes are in the repository, so nobody needs to run it; it is here to show where they come from.
The same package versions write the same bytes. About half a minute on one core.
"""

import importlib.metadata
import importlib.resources
import io
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from jaxgan.data.pixel_avatars.sheet import COLUMNS, SIZE, cut

COUNTS = {'train': 16_000, 'test': 2_000}
HERE = pathlib.Path(__file__).parent
PACKAGES = ('dicebear-core', 'dicebear-styles', 'resvg-py', 'pillow')

# our name -> (kind and name in the style definition, key in the options that an avatar reports)
ATTRIBUTES = {
    'skin': ('colors', 'skin', 'skinColor'),
    'hair': ('components', 'hair', 'hairVariant'),
    'hair_color': ('colors', 'hair', 'hairColor'),
    'hat': ('components', 'hat', 'hatVariant'),
    'glasses': ('components', 'glasses', 'glassesVariant'),
    'beard': ('components', 'beard', 'beardVariant'),
    'accessories': ('components', 'accessories', 'accessoriesVariant'),
    'clothes': ('components', 'clothes', 'clothesVariant'),
    'clothing_color': ('colors', 'clothing', 'clothingColor'),
    'eyes': ('components', 'eyes', 'eyesVariant'),
    'mouth': ('components', 'mouth', 'mouthVariant'),
}

LICENSE = """\
{title}, by {creator}
{source}

The images in this folder (train.webp, test.webp) and their attributes (attributes.npz, attributes.json) were
made from the avatar style "{title}", by {creator}, which is licensed under {license}:
{license_url}

They are passed on under the same terms: anyone may use, change and share them for any purpose, without asking
and without naming anyone.

Made by jaxgan/data/pixel_avatars/render.py with
{packages}:
seeds 0, 1, 2, ... rendered at {size}x{size} pixels on white; an image seen before was left out; the first
{train} are the training images, the next {test} the test images. The last seed used was {last_seed}.
"""


def load_style() -> dict[str, Any]:
    """Read the definition of the style ``pixel-art`` from the package dicebear-styles."""
    text = importlib.resources.files('dicebear_styles').joinpath('pixel-art.json').read_text('utf-8')
    return json.loads(text)


def class_names(style: dict[str, Any]) -> dict[str, list[str]]:
    """List what each attribute can be: all variants or colours of the style, 'none' where it may lack."""
    names = {}
    for attribute, (kind, name, _) in ATTRIBUTES.items():
        definition = style[kind][name]
        if kind == 'colors':
            names[attribute] = list(definition['values'])
        else:
            absent = ['none'] if definition.get('probability', 100) < 100 else []
            names[attribute] = absent + sorted(definition['variants'])
    return names


def draw(avatar: Any) -> np.ndarray:
    """Rasterise an avatar at its own grid, on white: uint8 [16, 16, 3]."""
    import resvg_py  # pyright: ignore[reportMissingImports]

    png = resvg_py.svg_to_bytes(svg_string=avatar.to_string(), width=SIZE, height=SIZE)
    image = Image.open(io.BytesIO(bytes(png))).convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    return np.asarray(Image.alpha_composite(white, image).convert('RGB'))


def encode(options: dict[str, Any], names: dict[str, list[str]]) -> list[int]:
    """Turn the options of an avatar into one code an attribute."""
    codes = []
    for attribute, (_, _, key) in ATTRIBUTES.items():
        value = options.get(key, 'none')
        codes.append(names[attribute].index(value[0] if isinstance(value, list) else value))
    return codes


def distinct_avatars(style: dict[str, Any]) -> Iterator[tuple[int, np.ndarray, list[int]]]:
    """Yield (seed, pixels, codes) for the seeds 0, 1, 2, ... without end, leaving out images seen before."""
    import dicebear  # pyright: ignore[reportMissingImports]

    definition, names = dicebear.Style(style), class_names(style)
    seen, seed = set(), 0
    while True:
        avatar = dicebear.Avatar(definition, {'seed': str(seed), 'size': SIZE})
        pixels = draw(avatar)
        if pixels.tobytes() not in seen:
            seen.add(pixels.tobytes())
            yield seed, pixels, encode(avatar.to_json()['options'], names)
        seed += 1


def paste(images: np.ndarray) -> Image.Image:
    """Lay images [N, 16, 16, 3] out as one sheet, row by row; what is left of the last row is white."""
    rows = -(-len(images) // COLUMNS)
    tiles = np.full((rows * COLUMNS, SIZE, SIZE, 3), 255, np.uint8)
    tiles[: len(images)] = images
    grid = tiles.reshape(rows, COLUMNS, SIZE, SIZE, 3).swapaxes(1, 2)
    return Image.fromarray(grid.reshape(rows * SIZE, COLUMNS * SIZE, 3))


def write_sheet(path: pathlib.Path, images: np.ndarray) -> None:
    """Write a lossless WebP sheet, and read it back to be sure that it is."""
    paste(images).save(path, lossless=True, quality=100, method=6)
    if not np.array_equal(cut(path, len(images)), images):
        raise RuntimeError(f'{path} does not hold the pixels that were written to it')


def write_license(path: pathlib.Path, style: dict[str, Any], last_seed: int) -> None:
    """Write whose style it is, its licence, and how the images were made."""
    meta = style['meta']
    text = LICENSE.format(
        title=meta['source']['name'],
        source=meta['source']['url'],
        creator=meta['creator']['name'],
        license=meta['license']['name'],
        license_url=meta['license']['url'],
        packages=', '.join(f'{name} {importlib.metadata.version(name)}' for name in PACKAGES),
        size=SIZE,
        last_seed=last_seed,
        **COUNTS,
    )
    path.write_text(text, 'utf-8')


def main(folder: pathlib.Path = HERE) -> None:
    """Write the sheets, the attributes and the licence into a folder."""
    style = load_style()
    avatars = distinct_avatars(style)
    codes, last_seed = {}, 0
    for split, count in COUNTS.items():
        drawn = [next(avatars) for _ in range(count)]
        write_sheet(folder / f'{split}.webp', np.stack([pixels for _, pixels, _ in drawn]))
        codes[split] = np.array([row for _, _, row in drawn], np.uint8)
        last_seed = drawn[-1][0]
    np.savez_compressed(folder / 'attributes.npz', **codes)
    (folder / 'attributes.json').write_text(json.dumps(class_names(style), indent=1) + '\n', 'utf-8')
    write_license(folder / 'LICENSE', style, last_seed)


if __name__ == '__main__':
    main()
