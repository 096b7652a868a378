"""Measure the copy finder: what is found of planted copies, how often fresh images count, and what it costs.

python docs/scripts/copying.py cifar10.npz --train 8000 --held-out 4000
"""

import argparse
import io
import time

import numpy as np
from PIL import Image

from jaxgan.metrics import copies
from jaxgan.metrics.copyrate import calibrate, clopper_pearson, copy_rate

RATES = (0.01, 0.001)


def each(change):
    """Apply a change of Pillow images to arrays."""
    return lambda images: np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


def cropped(share):
    """Show the middle only, as large as the whole was."""

    def change(image):
        edge = image.width * (1 - share) / 2
        return image.resize(
            image.size, Image.Resampling.BICUBIC, (edge, edge, image.width - edge, image.width - edge)
        )

    return each(change)


def jpeg(image):
    """Write and read as JPEG of quality 50."""
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=50)
    return Image.open(buffer).convert('RGB')


def shifted(images):
    """Shift down and to the right by two pixels; the border is repeated."""
    return np.pad(images, ((0, 0), (2, 0), (2, 0), (0, 0)), 'edge')[:, : images.shape[1], : images.shape[2]]


def brighter(images):
    """Raise contrast and brightness."""
    return np.clip(images * 1.2 + 15, 0, 255).astype(np.uint8)


def noisy(images):
    """Add normal noise of eight levels."""
    noise = np.random.default_rng(0).normal(0, 8, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


def blurred(image):
    """Halve the resolution."""
    half = (image.width // 2, image.height // 2)
    return image.resize(half, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR)


CHANGES = {
    'exact': lambda images: images,
    'mirrored': lambda images: images[:, :, ::-1],
    'shifted by 2': shifted,
    'half resolution': each(blurred),
    'cropped to .9': cropped(0.9),
    'cropped to .8': cropped(0.8),
    'brighter': brighter,
    'JPEG 50': each(jpeg),
    'noise 8': noisy,
    'crop .9, JPEG 50, brighter': lambda images: brighter(each(jpeg)(cropped(0.9)(images))),
}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument('npz')
    parser.add_argument('--train', type=int)
    parser.add_argument('--held-out', type=int)
    parser.add_argument('--planted', type=int, default=400)
    given = parser.parse_args()
    with np.load(given.npz) as arrays:
        train, fresh = arrays['x_train'][: given.train], arrays['x_test'][: given.held_out]
    start = time.process_time()
    index = copies.build(copies.features(train))
    built = time.process_time()
    found = copies.find(fresh, index)
    ended = time.process_time()
    twins = found.distances[:, 0] < index.near
    print(f'{len(train):,} training images, {len(fresh):,} held-out, {twins.sum()} of them twins')
    print(f'seconds of processor time: index {built - start:.1f}, held-out {ended - built:.1f}')
    recall(train, index, found.ratios[:, 0], twins, given.planted)
    coverage(found.ratios[:, 0], twins)
    planted(found.ratios[:, 0], twins)


def recall(train, index, fresh, twins, count):
    """Print the share of planted copies that is found."""
    chosen = train[np.random.default_rng(0).permutation(len(train))[:count]]
    rates = [rate for rate in RATES if (np.sum(~twins) + 1) * rate >= 1]
    for name, mask in (('twins counted apart', twins), ('no twins known', np.zeros_like(twins))):
        values = [calibrate(fresh, rate, mask).value for rate in rates]
        print(f'\nrecall at {rates}, {name}; thresholds {[round(value, 3) for value in values]}')
        for change, apply in CHANGES.items():
            ratios = copies.find(apply(chosen), index).ratios[:, 0]
            print(f'{change:28}', *(f'{np.mean(ratios < value):.3f}' for value in values))


def coverage(fresh, twins, seeds=400):
    """Split held-out images in two: one half calibrates, the other plays a generator that copies nothing."""
    sure, covered, plain = 0, 0, 0
    rate = 0.01
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(fresh))
        half = len(fresh) // 2
        threshold = calibrate(fresh[order[:half]], rate, twins[order[:half]])
        got = copy_rate(fresh[order[half:]], threshold)
        sure += got.corrected_interval.low == 0
        covered += got.interval.low <= threshold.fpr <= got.interval.high
        alone = clopper_pearson(got.copies, got.images)
        plain += alone.low <= threshold.fpr <= alone.high
    print(
        f'\nclean halves: lower bound 0 in {sure} of {seeds}; the interval of the rate contains the FPR in {covered}, '
        f"Clopper and Pearson's in {plain}"
    )


def planted(fresh, twins, seeds=100, images=10_000, share=0.005):
    """Draw clean images from half of the held-out ones, plant exact copies among them, and count how often that is seen."""
    seen = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(fresh))
        half = len(fresh) // 2
        threshold = calibrate(fresh[order[:half]], 0.001 if half > 1100 else 0.01, twins[order[:half]])
        ratios = rng.choice(fresh[order[half:]], images)
        ratios[: int(images * share)] = 0
        seen += copy_rate(ratios, threshold).corrected_interval.low > 0
    print(f'{share:.1%} planted among {images:,}: surely too many in {seen} of {seeds}')


if __name__ == '__main__':
    main()
