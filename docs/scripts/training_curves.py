"""Draw a run's curves, and measure how far its samples are from its data.

    python docs/scripts/training_curves.py runs/few_shot --output docs/results/few_shot.png       (needs matplotlib)

Left: the losses; middle: D's mean logits of real and generated images; right: the norms of both gradients, all as
``metrics.jsonl`` has them. The distance that is printed is Frechet's, as in ``one_stage_curves.py``, between 1,024 samples of
the averaged generator and as many images; beside it that of 1,024 other images, and of one image repeated. It compares runs on
the same data with each other; it is no FID.
"""

import argparse
import json
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from one_stage_curves import SAMPLES, features, frechet

matplotlib.use('Agg')
import matplotlib.pyplot as plt

from jaxgan.cli import main as jaxgan
from jaxgan.configjson import from_dict
from jaxgan.data import open_source

PANELS = {
    'loss': ('d/loss', 'g/loss'),
    'mean logit': ('d/real', 'd/fake'),
    'gradient norm': ('d/grad_norm', 'g/grad_norm'),
}


def draw(run: Path, path: Path) -> None:
    """Draw what the run logged."""
    rows = [json.loads(line) for line in (run / 'metrics.jsonl').read_text().splitlines()]
    rows = [row for row in rows if 'd/loss' in row]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(12, 3.2), layout='constrained')
    for axis, (label, names) in zip(axes, PANELS.items(), strict=True):
        for name in names:
            axis.plot([row['images_seen'] for row in rows], [row[name] for row in rows], label=name)
        axis.set_xlabel('images seen')
        axis.set_ylabel(label)
        axis.legend()
    axes[-1].set_yscale('log')
    figure.savefig(path, dpi=100)


def distances(run: Path) -> dict[str, float]:
    """Measure samples, other real images, and one image repeated, against real images."""
    config = from_dict(json.loads((run / 'config.json').read_text()))
    source = open_source(config.data)
    places = np.random.default_rng(0).permutation(len(source))
    count = min(SAMPLES, len(source) // 2)
    real, other = (
        np.stack([source[int(i)]['image'] for i in places[start : start + count]]) for start in (0, count)
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'samples.npz'
        if jaxgan(['sample', str(run), '--n', str(count), '--out', str(out)]):
            raise SystemExit(2)
        with np.load(out) as found:
            samples = found['images']
    reference = features(real)
    kinds = {'samples': samples, 'other images': other, 'one image': np.repeat(real[:1], count, axis=0)}
    return {
        name: sum(frechet(*pair) for pair in zip(features(images), reference, strict=True))
        for name, images in kinds.items()
    }


def main() -> None:
    """Draw, and print the distances."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path)
    parser.add_argument('--output', type=Path, default=Path('curves.png'))
    arguments = parser.parse_args()
    draw(arguments.run, arguments.output)
    for name, value in distances(arguments.run).items():
        print(f'{name}: {value:.3f}')


if __name__ == '__main__':
    main()
