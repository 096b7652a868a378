"""Measure the watermark: how much it changes, what it survives, what takes it away, and how often it is found where it is not.

    python docs/scripts/marks.py --photos FOLDER --models avatars=avatars.npz emoji=emoji.npz
    python docs/scripts/marks.py --only false-positives

``--photos`` has photographs of at least 300 pixels a side: crops at random places and sizes are the images of 64 pixels and more. A
model's file is one of ``jaxgan sample MODEL --n 2000 --out FILE.npz``. Without either, images are made by a formula: slopes, edges, grain.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from jaxgan.metrics.extractors import load
from jaxgan.metrics.frechet import frechet_distance_of_features
from jaxgan.watermark import Lift, batch, capacity, detect, embed, make_pattern, model_key, search
from jaxgan.watermark.blocks import BASIS, SIDE, from_blocks
from jaxgan.watermark.detection import DUST, read_scores, readings
from jaxgan.watermark.pattern import tile_signs
from jaxgan.watermark.pvalues import log_p_value

KEY = model_key('0123456789abcdef' * 4)
LEVEL = -6.0  # log10 of the false-positive rate
PARTS = ('attacks', 'moves', 'defeats', 'batch', 'false-positives', 'frechet')
Alter = Callable[[np.ndarray], np.ndarray]


def recoded(image: np.ndarray, **options: object) -> np.ndarray:
    """Write and read again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)  # pyright: ignore[reportArgumentType]
    return np.asarray(Image.open(buffer).convert('RGB'))


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by Pillow's bicubic filter."""
    return np.asarray(
        Image.fromarray(image).resize((max(width, 1), max(height, 1)), Image.Resampling.BICUBIC)
    )


def as_bytes(levels: np.ndarray) -> np.ndarray:
    """Round and clip to bytes."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def cropped(image: np.ndarray, share: float) -> np.ndarray:
    """Cut out a piece; its place depends on the image alone."""
    random = np.random.default_rng(int(image.sum()))
    height, width = (round(side * share) for side in image.shape[:2])
    top, left = (int(random.integers(0, side - part + 1)) for side, part in zip(image.shape, (height, width)))
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    """Add normal noise."""
    return as_bytes(image + np.random.default_rng(int(image.sum())).normal(0, sigma, image.shape))


ATTACKS: dict[str, Alter] = {
    'clean': lambda image: image,
    'JPEG 75': lambda image: recoded(image, format='JPEG', quality=75),
    'JPEG 50': lambda image: recoded(image, format='JPEG', quality=50),
    'JPEG 30': lambda image: recoded(image, format='JPEG', quality=30),
    'WebP 80': lambda image: recoded(image, format='WEBP', quality=80),
    'resize .5': lambda image: resized(
        resized(image, image.shape[0] // 2, image.shape[1] // 2), *image.shape[:2]
    ),
    'noise 5': lambda image: noisy(image, 5.0),
    'bright 1.2': lambda image: as_bytes(image * 1.2),
    'blur 1': lambda image: np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1))),
    'GIF': lambda image: recoded(image, format='GIF'),
}
MOVES: dict[str, Alter] = {
    'flip': lambda image: np.ascontiguousarray(image[:, ::-1]),
    'crop .9': lambda image: cropped(image, 0.9),
    'crop .9, back': lambda image: resized(cropped(image, 0.9), *image.shape[:2]),
    'half size': lambda image: resized(image, image.shape[0] // 2, image.shape[1] // 2),
    '3x, nearest': lambda image: image.repeat(3, 0).repeat(3, 1),
    '3x, JPEG 75': lambda image: recoded(image.repeat(3, 0).repeat(3, 1), format='JPEG', quality=75),
    'crop .5': lambda image: cropped(image, 0.5),
    'rotation 5': lambda image: np.asarray(Image.fromarray(image).rotate(5, Image.Resampling.BICUBIC)),
}


def formula_images(side: int, n: int) -> np.ndarray:
    """Make images of slopes, an edge and grain."""
    random = np.random.default_rng(side)
    y, x = np.mgrid[:side, :side] / side
    slopes = random.uniform(-90, 90, (n, 2, 1, 1, 3))
    edge = (x + y > random.uniform(0.5, 1.5, (n, 1, 1)))[..., None] * random.uniform(-80, 80, (n, 1, 1, 3))
    plain = 128 + slopes[:, 0] * y[..., None] + slopes[:, 1] * x[..., None] + edge
    return as_bytes(plain + random.normal(0, 6, plain.shape))


def photo_crops(folder: Path, side: int, n: int) -> np.ndarray:
    """Cut n pieces of a size out of photographs, each resized by a random factor before."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ('.jpg', '.jpeg', '.png'))
    photos, out = [Image.open(path).convert('RGB') for path in paths], []
    for index in range(n):
        random, photo = np.random.default_rng([side, index]), photos[index % len(photos)]
        least = max(1.02 * side / min(photo.size), 0.25)
        factor = random.uniform(least, max(min(1.0, 3 * least), least))
        photo = photo.resize((int(photo.width * factor) + 1, int(photo.height * factor) + 1))
        left, top = random.integers(0, photo.width - side + 1), random.integers(0, photo.height - side + 1)
        out.append(np.asarray(photo)[top : top + side, left : left + side])
    return np.stack(out)


def psnr(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Give the peak signal-to-noise ratio of each image, in decibels."""
    error = ((before.astype(float) - after) ** 2).mean((1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-3))


def found(images: Iterator[np.ndarray], moved: bool = False) -> float:
    """Give the share that is found at the level."""
    look = search if moved else detect
    return float(np.mean([look(image, KEY).log10_p <= LEVEL for image in images]))


def row(*cells: object) -> None:
    """Print a line of a table."""
    print(
        '| ' + ' | '.join(f'{cell:.3g}' if isinstance(cell, float) else str(cell) for cell in cells) + ' |',
        flush=True,
    )


def head(*cells: str) -> None:
    """Print the head of a table."""
    print()
    row(*cells)
    row(*['---'] * len(cells))


def attacks(sets: dict[str, np.ndarray]) -> None:
    """Print what is found in place, without a search."""
    head('images', 'n', 'bits', 'PSNR, mean (least)', *ATTACKS)
    for name, images in sets.items():
        marked = embed(images, make_pattern(KEY, *images.shape[1:3]))
        ratio = psnr(images, marked)
        shares = [found(map(alter, marked)) for alter in ATTACKS.values()]
        row(
            name,
            len(images),
            capacity(*images.shape[1:3]),
            f'{ratio.mean():.1f} ({ratio.min():.1f})',
            *shares,
        )


def moves(sets: dict[str, np.ndarray], n: int) -> None:
    """Print what a search finds."""
    head('images, after a search', 'n', 'seconds each', *MOVES)
    for name, images in sets.items():
        marked = embed(images[:n], make_pattern(KEY, *images.shape[1:3]))
        start = time.process_time()
        shares = [found(map(alter, marked), moved=True) for alter in MOVES.values()]
        row(name, len(marked), (time.process_time() - start) / len(marked) / len(MOVES), *shares)


def without_key(images: np.ndarray, key: bytes) -> np.ndarray:
    """Take a mark away with the key: mark with the opposite signs."""
    height, width = images.shape[1:3]
    pattern = make_pattern(key, height, width)
    return embed(images, pattern._replace(signs=-pattern.signs))


def averaged_away(images: np.ndarray) -> np.ndarray:
    """Take a mark away without the key: guess the signs from the mean scores of many images, and mark with the opposite ones."""
    height, width = images.shape[1:3]
    guess = np.sign(read_scores(images, readings(height, width)[0]).mean(0)).astype(np.float32)
    pattern = make_pattern(KEY, height, width)
    return embed(images, pattern._replace(signs=-guess))


def replaced(images: np.ndarray) -> np.ndarray:
    """Take a mark away without the key or other images: new noise in the coefficients that carry it, a strength of 12."""
    rows, columns = images.shape[1] // SIDE, images.shape[2] // SIDE
    noise = np.random.default_rng(0).normal(0, 12, (len(images), rows, columns, BASIS.shape[1]))
    return as_bytes(images + from_blocks(noise @ BASIS.T)[..., None])


def defeats(sets: dict[str, np.ndarray]) -> None:
    """Print what is left after those who want the mark away."""
    ways = {
        'opposite mark, with the key': lambda x: without_key(x, KEY),
        'mean of all, without it': averaged_away,
    }
    ways['noise 12 in the coefficients'] = replaced
    head('images', 'n', *(f'{way}: found, PSNR to the marked' for way in ways))
    for name, images in sets.items():
        marked = embed(images, make_pattern(KEY, *images.shape[1:3]))
        after = [way(marked) for way in ways.values()]
        row(name, len(images), *(f'{found(iter(one)):.3g}, {psnr(marked, one).mean():.1f}' for one in after))


def batches(sets: dict[str, np.ndarray]) -> None:
    """Print how often n images together are a proof."""
    counts = (1, 4, 16, 64)
    chosen = {
        name: ATTACKS[name] for name in ('clean', 'JPEG 75', 'JPEG 50', 'noise 5', 'bright 1.2', 'blur 1')
    }
    head('n images together', 'altered', *(f'n {n}' for n in counts))
    for name, images in sets.items():
        marked = embed(images[:640], make_pattern(KEY, *images.shape[1:3]))
        for way, alter in chosen.items():
            altered = np.stack([alter(image) for image in marked])
            shares = []
            for n in counts:
                parts = [altered[i : i + n] for i in range(0, min(len(altered) - n + 1, 40 * n), n)]
                shares.append(float(np.mean([batch(part, KEY).log10_p <= LEVEL for part in parts])))
            row(name, way, *shares)


def false_positives(sets: dict[str, np.ndarray], keys: int = 1000) -> None:
    """Print how many of 1,000 images times 1,000 keys are found at the level: unmarked images, and marked ones with other keys."""
    head('images that do not have the mark', 'trials', 'p <= 1e-4', 'p <= 1e-5', 'p <= 1e-6', 'least p')
    for name, images in sets.items():
        height, width = images.shape[1:3]
        kinds = readings(height, width)
        signs = np.stack(
            [
                tile_signs(b'wrong key %d' % index)[: height // SIDE, : width // SIDE].ravel()
                for index in range(keys)
            ]
        )
        best = np.zeros((len(images), keys))
        for reading in kinds:
            weights = read_scores(images, reading).reshape(len(images), -1)
            weights[np.abs(weights) < DUST] = 0
            best = np.minimum(best, log_p_values(weights, signs))
        p = np.minimum(np.exp(best) * len(kinds), 1.0)
        row(name, p.size, *(f'{(p <= level).sum():,}' for level in (1e-4, 1e-5, 1e-6)), f'{p.min():.1e}')


def log_p_values(weights: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Give the logarithms of all p-values [images, keys]: what ``detect`` gives where it may be below 1e-4, else 0."""
    sums = weights @ signs.T.astype(np.float64)
    size = np.sqrt((weights**2).sum(1, keepdims=True))
    out = np.zeros(sums.shape)
    worth = (
        sums >= 1.9 * size
    )  # below no tail is under 1 %: P(Z >= 1.9) is 2.9 %, and the bounds are above the count
    for image, key in np.argwhere(worth & (sums > 0)):
        out[image, key] = log_p_value(weights[image], float(sums[image, key]))
    return out


def features(images: np.ndarray, extractor: str) -> np.ndarray:
    """Compute the features of all images, 500 at once."""
    import jax

    network = load(extractor)
    apply, out = jax.jit(network.apply), []
    for start in range(0, len(images), 500):
        part = images[start : start + 500]
        full = np.concatenate([part, np.zeros((500 - len(part), *part.shape[1:]), np.uint8)])
        out.append(np.asarray(apply(network.params, full).pool)[: len(part)])
    return np.concatenate(out)


def frechet(models: dict[str, np.ndarray], reals: dict[str, np.ndarray]) -> None:
    """Print the Frechet distance of samples to real images, with and without marks."""
    head('model', 'extractor', 'n', 'unmarked', 'marked', 'change, %', 'were they lifted instead (3, 8)')
    for name in models.keys() & reals.keys():
        images, real = models[name], reals[name]
        pattern = make_pattern(KEY, *images.shape[1:3])
        sets = (images, embed(images, pattern), embed(images, pattern, Lift(3.0, 8.0)))
        for extractor in ('pixel_avatars', 'pixels') if images.shape[1] == 16 else ('pixel_avatars',):
            of_real = features(real, extractor)
            plain, marked, lifted = (
                frechet_distance_of_features(of_real, features(one, extractor)) for one in sets
            )
            row(
                name,
                extractor,
                len(images),
                plain,
                marked,
                100 * (marked / plain - 1),
                100 * (lifted / plain - 1),
            )


def named(text: list[str]) -> dict[str, np.ndarray]:
    """Read NAME=FILE.npz: the first array of images."""
    out = {}
    for item in text:
        name, _, path = item.partition('=')
        with np.load(path) as arrays:
            out[name] = next(arrays[key] for key in ('images', 'x_train') if key in arrays)
    return out


def main() -> None:
    """Measure all, or a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path)
    parser.add_argument('--models', nargs='*', default=[], metavar='NAME=FILE')
    parser.add_argument('--reals', nargs='*', default=[], metavar='NAME=FILE')
    parser.add_argument('--only', choices=PARTS, nargs='*', default=PARTS)
    parser.add_argument('--n', type=int, default=200)
    parser.add_argument('--sides', type=int, nargs='*', default=(16, 32, 64, 128, 256))
    options = parser.parse_args()
    models = named(options.models)

    def images(side: int, n: int) -> np.ndarray:
        return photo_crops(options.photos, side, n) if options.photos else formula_images(side, n)

    sides = {f'{"photos" if options.photos else "formula"} {side}': side for side in options.sides}
    sets = {name: images(side, options.n if side < 256 else options.n // 2) for name, side in sides.items()}
    small = {f'{name} {x.shape[1]}': x[: options.n] for name, x in models.items()}
    if 'attacks' in options.only:
        attacks({**sets, **small})
    if 'moves' in options.only:
        moves({**sets, **small}, max(options.n // 10, 1))
    if 'defeats' in options.only:
        defeats({**sets, **small})
    if 'batch' in options.only:
        batches(
            {f'{name} {x.shape[1]}': x for name, x in models.items()}
            or {'formula 16': formula_images(16, 640)}
        )
    if 'false-positives' in options.only:
        trials = {f'{name}, {side}': images(side, 1000) for name, side in (('plain', 64),)}
        trials |= {f'{name} {x.shape[1]}': x[:1000] for name, x in models.items()}
        trials['marked with another key, 64'] = embed(trials['plain, 64'], make_pattern(KEY, 64, 64))
        false_positives(trials)
    if 'frechet' in options.only:
        frechet(models, named(options.reals))


if __name__ == '__main__':
    main()
