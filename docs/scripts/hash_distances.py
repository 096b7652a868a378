"""Measure what the perceptual hash tells apart: distances of altered copies, and of different images of one data set.

    python docs/scripts/hash_distances.py DATA... [--n 1500]

DATA are names as ``--data.name`` takes them, such as pixel_avatars or npz:emoji.npz. Prints a table in Markdown.
"""

import argparse
import io

import numpy as np
from PIL import Image, ImageEnhance

from jaxgan.data import DataConfig, open_source
from jaxgan.marks.hashes import phashes

AT = (4, 6, 8, 10, 12)


def _stored(quality):
    def change(image):
        file = io.BytesIO()
        image.save(file, 'JPEG', quality=quality)
        return Image.open(file)

    return change


def _scaled(factor):
    return lambda image: image.resize([max(1, round(side * factor)) for side in image.size], 1)


def _cut(image):
    edge = max(1, image.width // 20)
    return image.crop((edge, edge, image.width - edge, image.height - edge))


CHANGES = {
    'JPEG 75': _stored(75),
    'JPEG 50': _stored(50),
    'JPEG 30': _stored(30),
    'half size': _scaled(0.5),
    'double size': _scaled(2),
    'brightness x 1.2': lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    'a twentieth cut off each side': _cut,
    'mirrored': lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def _read(name, n):
    source = open_source(DataConfig(name))
    places = np.random.default_rng(0).permutation(len(source))[:n]
    images = np.stack([source[int(i)]['image'] for i in places])
    return images[np.unique(images.reshape(len(images), -1), axis=0, return_index=True)[1]]


def _row(name, values):
    print(f'| {name} | ' + ' | '.join(f'{np.mean(values <= at):.3g}' for at in AT) + ' |')


def _measure(name, n):
    images = _read(name, n)
    own = phashes(images)
    apart = np.bitwise_count(own[:, None] ^ own)
    print(f'\n{name}: {len(images)} different images {list(images.shape[1:])}\n')
    print('| share within a distance of | ' + ' | '.join(map(str, AT)) + ' |\n|---|' + '---|' * len(AT))
    _row('two different images', apart[np.triu_indices(len(images), 1)])
    _row('the nearest other image', (apart + 64 * np.eye(len(images), dtype=int)).min(axis=1))
    for label, change in CHANGES.items():
        some = [np.asarray(change(Image.fromarray(one)).convert('RGB')) for one in images[:400]]
        _row(label, np.bitwise_count(phashes(np.stack(some)) ^ own[:400]))


def main():
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', nargs='+')
    parser.add_argument('--n', type=int, default=1500)
    options = parser.parse_args()
    for name in options.data:
        _measure(name, options.n)


if __name__ == '__main__':
    main()
