"""Draw images as each group of ADA's transformations changes them, a row a group, the images as they are above.

    python docs/scripts/ada_sheet.py --output docs/images/ada.png

The images are the embedded pixel_avatars, or uint8 [n, h, w, c] from the field ``x`` of an ``.npz`` file.
"""

import argparse
from types import SimpleNamespace

import jax
import numpy as np
from PIL import Image

from jaxgan import images
from jaxgan.augment import ada_pipeline
from jaxgan.data import DataConfig, open_source

GROUPS = ('blit', 'geometric', 'color', 'filter', 'noise', 'cutout', 'bgcfnc')


def load(path: str | None, count: int) -> np.ndarray:
    """Take so many images, evenly spread, as uint8 [n, h, w, c]."""
    if path is None:
        source = open_source(DataConfig())
        return np.stack([source[i]['image'] for i in range(0, len(source), len(source) // count)][:count])
    with np.load(path, allow_pickle=False) as arrays:
        return arrays['x'][:: len(arrays['x']) // count][:count]


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--images', help='an .npz file (default: pixel_avatars)')
    parser.add_argument('--count', type=int, default=12, help='images in a row')
    parser.add_argument('--p', type=float, default=1.0, help='the probability of each transformation')
    parser.add_argument('--output', default='ada.png')
    options = parser.parse_args()
    plain = load(options.images, options.count)
    state, keys = SimpleNamespace(images_seen=0, extra={}), jax.random.split(jax.random.key(0), len(plain))
    rows = [
        ada_pipeline(group, options.p)(keys, jax.numpy.asarray(images.to_float(plain)), state)
        for group in GROUPS
    ]
    sheet = np.concatenate([plain, *map(images.to_uint8, rows)])
    picture = images.grid(sheet, columns=len(plain), scale=max(1, 48 // plain.shape[1]))
    Image.fromarray(picture).save(
        options.output
    )  # real images: nothing is generated here, so nothing is marked


if __name__ == '__main__':
    main()
