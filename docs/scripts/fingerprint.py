"""What a trained generator's samples tell of a mark in its weights.

    python docs/scripts/fingerprint.py KEYFILE RUN [RUN ...]

A row for each run or export: the share of bits read right in single raw samples, the share of single samples that prove the mark at 1e-6,
log10 of the p-value of all together, as they are, with weights rounded to bfloat16, and after JPEG 75 and 50; and the bits read right by 200 other keys.
"""

import dataclasses
import io
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxgan.opened import Generator, open_generator
from jaxgan.watermark import batch, detect, weights_key
from jaxgan.watermark.blocks import WEIGHTS_BASIS

N, KEYS, FEW = 256, 200, 8


def jpeg(images: np.ndarray, quality: int) -> np.ndarray:
    """Store and read images as JPEG."""
    found = []
    for pixels in images:
        buffer = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
            buffer, 'JPEG', quality=quality
        )
        found.append(np.asarray(Image.open(buffer)).reshape(pixels.shape))
    return np.stack(found)


def samples(generator: Generator) -> np.ndarray:
    """Make raw samples, unmarked by the program."""
    labels = np.arange(N, dtype=np.int32) % len(generator.labels) if generator.labels else None
    return generator.sampler()(np.arange(N), labels)


def rounded(generator: Generator) -> Generator:
    """Round the weights to bfloat16."""
    params = jax.tree.map(
        lambda leaf: np.asarray(jnp.asarray(leaf).astype(jnp.bfloat16).astype(leaf.dtype)), generator.params
    )
    return dataclasses.replace(generator, params=params)


def told(images: np.ndarray, key: bytes) -> str:
    """Say how a mark is read: bits in single images, single images that prove it, all together."""
    alone = [detect(image, key, WEIGHTS_BASIS) for image in images]
    bits = float(np.mean([one.matches / one.bits for one in alone]))
    proved = float(np.mean([one.log10_p < -6 for one in alone]))
    return f'{bits:.4f}, {proved:.3f}, {batch(images, key, WEIGHTS_BASIS).log10_p:.0f}'


def main() -> None:
    """Print the table."""
    key = weights_key(Path(sys.argv[1]).read_bytes())
    columns = (
        'run',
        'images seen',
        'as they are',
        'bfloat16',
        'JPEG 75',
        'JPEG 50',
        f'{KEYS} other keys: bits',
    )
    print('|', ' | '.join(columns), '|\n' + '|---' * len(columns) + '|')
    for name in sys.argv[2:]:
        generator = open_generator(Path(name))
        images = samples(generator)
        others = [
            detect(image, weights_key(f'another key, the {k}th'.encode()), WEIGHTS_BASIS)
            for k in range(KEYS)
            for image in images[:FEW]
        ]
        control = np.array([one.matches / one.bits for one in others]).reshape(KEYS, FEW).mean(1)
        cells = (
            Path(name).name,
            f'{generator.card["trained"]["images_seen"]:,}',
            told(images, key),
            told(samples(rounded(generator)), key),
            told(jpeg(images, 75), key),
            told(jpeg(images, 50), key),
            f'{control.mean():.3f} (standard error {control.std() / KEYS**0.5:.3f})',
        )
        print('|', ' | '.join(cells), '|', flush=True)


if __name__ == '__main__':
    main()
