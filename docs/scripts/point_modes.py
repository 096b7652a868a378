"""Count the modes that a run on ``points:ringN`` or ``points:gridN`` covers, as Srivastava et al. 2017 (VEEGAN) do.

    python docs/scripts/point_modes.py runs/ring25

A sample is of high quality if it lies within three standard deviations of a mode's centre, and a mode is covered if such a
sample is nearest to it. Beside them, the same of as many points of the data, of which 98.9% lie there.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from jaxgan.cli import main as jaxgan
from jaxgan.configjson import from_dict
from jaxgan.data import open_source
from jaxgan.data.points import SIGMA, centres
from jaxgan.metrics.modes import point_modes


def judge(points: np.ndarray, modes: np.ndarray) -> str:
    """Say how many of the modes [M, 2] the points [N, 2] cover, and what part of the points is of high quality."""
    found = point_modes(points, modes, SIGMA)
    return f'{found.covered} of {len(modes)} modes, {found.quality:.1%} of {len(points):,} points of high quality'


def main() -> None:
    """Sample, and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path)
    parser.add_argument('--n', type=int, default=10_000)
    arguments = parser.parse_args()
    config = from_dict(json.loads((arguments.run / 'config.json').read_text()))
    modes = centres(config.data.name)
    source = open_source(config.data)
    real = np.stack([source[i]['image'][0, 0] for i in range(arguments.n)])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'samples.npz'
        if jaxgan(['sample', str(arguments.run), '--n', str(arguments.n), '--out', str(out)]):
            raise SystemExit(2)
        with np.load(out) as found:
            samples = found['images'].reshape(-1, 2) / 127.5 - 1.0
    print(f'samples: {judge(samples, modes)}')
    print(f'data:    {judge(real, modes)}')


if __name__ == '__main__':
    main()
