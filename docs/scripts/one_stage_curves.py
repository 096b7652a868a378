"""Draw one-stage beside two-stage training: distance to held-out images, and D's loss, over the images seen.

    python docs/scripts/one_stage_curves.py --images 50000 --output one_stage.png     (needs matplotlib)

Trains the default recipe with both, seeds 0 to 2. The distance is Frechet's, between normal distributions fitted to
simple features of samples (of the averaged generator) and of the held-out images: 3x3 patches at random places, and
whole images at 4x4. It compares runs with each other; it is no FID. The numbers go to a JSON file beside the chart.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import jax
import matplotlib
import numpy as np

matplotlib.use('Agg')
import matplotlib.pyplot as plt

from jaxgan.config import Config
from jaxgan.data import open_source
from jaxgan.kernels import enable
from jaxgan.run.trainer import make_trainer
from jaxgan.runtime import keep_freed_memory

SAMPLES = 1024


def features(images: np.ndarray) -> list[np.ndarray]:
    """Map uint8 images [N, H, W, C] to patches [8 N, 9 C] and small images [N, 16 C], in [-1, 1]."""
    x = images.astype(np.float64) / 127.5 - 1.0
    n, height, width, channels = x.shape
    random = np.random.default_rng(0)
    rows, columns = random.integers(0, height - 2, 8 * n), random.integers(0, width - 2, 8 * n)
    offsets = np.arange(3)
    which = np.repeat(np.arange(n), 8)[:, None, None]
    patches = x[which, rows[:, None, None] + offsets[:, None], columns[:, None, None] + offsets]
    small = x.reshape(n, 4, height // 4, 4, width // 4, channels).mean((2, 4))
    return [patches.reshape(8 * n, -1), small.reshape(n, -1)]


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Compute ``|mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))`` of two sets of features [N, F]."""
    mean = np.sum((a.mean(0) - b.mean(0)) ** 2)
    A, B = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(A)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ B @ root).clip(0)).sum()
    return float(mean + np.trace(A) + np.trace(B) - 2 * cross)


def held_out(config: Config, split: str) -> list[np.ndarray]:
    """Compute the features of at most ``SAMPLES`` images of a split."""
    source = open_source(dataclasses.replace(config.data, split=split))
    return features(np.stack([source[i]['image'] for i in range(min(len(source), SAMPLES))]))


def run(config: Config, reference: list[np.ndarray], points: int) -> list[dict]:
    """Train, and measure at so many points."""
    trainer = make_trainer(dataclasses.replace(config, grid=SAMPLES), open_source(config.data))
    state, length, found = trainer.init(), trainer.length, []
    dispatches = max(config.images // (config.batch_size * length), 1)
    every, d_loss, seconds = max(dispatches // points, 1), [], 0.0
    trainer.program.compiled()  # before the clock runs
    for i in range(dispatches):
        started = time.perf_counter()
        state, metrics = trainer.dispatch(state, i * length, length)
        d_loss.append(float(metrics['d/loss']))
        seconds += time.perf_counter() - started
        if (i + 1) % every == 0 or i + 1 == dispatches:
            samples = features(trainer.samples(state))
            distance = sum(frechet(*pair) for pair in zip(samples, reference, strict=True))
            row = {
                'images': int(state.images_seen),
                'distance': distance,
                'd_loss': float(np.mean(d_loss)),
                'seconds': seconds,
            }
            found.append(row)
            d_loss = []
            print(f'{config.training} seed {config.seed}: {row}', flush=True)
    return found


def draw(curves: dict[str, list[list[dict]]], path: Path) -> None:
    """Draw the two measures, one line a seed, one colour a way of training."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout='constrained')
    labels = ('distance to held-out images', 'd/loss')
    for axis, name, label in zip(axes, ('distance', 'd_loss'), labels, strict=True):
        for color, (training, runs) in zip(('tab:blue', 'tab:orange'), curves.items(), strict=True):
            for seed, rows in enumerate(runs):
                x, y = [row['images'] for row in rows], [row[name] for row in rows]
                axis.plot(x, y, color=color, alpha=0.8, label=None if seed else training.replace('_', ' '))
        axis.set_xlabel('images seen')
        axis.set_ylabel(label)
        axis.legend()
    axes[0].set_yscale('log')
    figure.savefig(path, dpi=150)


def main() -> None:
    """Train all, draw, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=50_000, help='real images in each run')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--points', type=int, default=20, help='measurements in each run')
    parser.add_argument('--split', default='test', help='held-out images')
    parser.add_argument('--output', type=Path, default=Path('one_stage.png'))
    arguments = parser.parse_args()
    keep_freed_memory()
    enable()
    base = dataclasses.replace(Config(), images=arguments.images)
    reference = held_out(base, arguments.split)
    curves: dict[str, list[list[dict]]] = {}
    for training in ('two_stage', 'one_stage'):
        configs = [dataclasses.replace(base, training=training, seed=seed) for seed in range(arguments.seeds)]
        curves[training] = [run(config, reference, arguments.points) for config in configs]
        jax.clear_caches()
    arguments.output.with_suffix('.json').write_text(json.dumps(curves, indent=1) + '\n')
    draw(curves, arguments.output)
    print(arguments.output)


if __name__ == '__main__':
    main()
