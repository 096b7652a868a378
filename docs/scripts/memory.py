"""Compute how much memory each recipe in ``configs/`` takes on a device: the table in docs/scale.md.

    python docs/scripts/memory.py [RECIPE ...]

Only shapes are looked at: no data set has to be here, nothing is compiled. What a step needs besides, for activations,
depends on the compiler: ``python train.py --config RECIPE --dry-run`` measures it.
"""

import dataclasses
import os
import sys
from pathlib import Path

os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=8'
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax

from jaxgan.config import Config
from jaxgan.data import DataInfo, open_source
from jaxgan.errors import InputError
from jaxgan.metrics.config import Evaluation
from jaxgan.parallel.sharding import SHARDINGS, bytes_per_device, check_groups, data_mesh, places
from jaxgan.recipes import load_recipe
from jaxgan.run.trainer import make_trainer

ROOT = Path(__file__).parent.parent.parent
COUNTS = {  # of the data sets: images, pixels a side, channels, classes
    'cifar10': (50_000, 32, 3, 10),
    'stacked1:mnist': (60_000, 32, 1, 0),
    'stacked:mnist': (60_000, 32, 3, 0),
    'imagenet': (1_281_167, 64, 3, 1000),
    'ffhq': (70_000, 256, 3, 0),
    'images': (10_000, 256, 3, 0),  # a folder of one's own
}


class Shapes:
    """A source of images of which only the form is known."""

    def __init__(self, config: Config):
        data = config.data
        known = next(form for name, form in COUNTS.items() if name in data.name)
        count, size, channels, classes = known
        labels = tuple(map(str, range(classes or 2)))
        self.info = DataInfo(
            data.name,
            data.split,
            count,
            data.size or size,
            data.channels or channels,
            labels if config.conditional else (),
        )

    def __len__(self) -> int:
        return self.info.count

    def __getitem__(self, index: int) -> dict:
        raise InputError('only shapes are here')


def measure(name: str) -> dict[str, object]:
    """Count the bytes of a recipe's state: on one device, and on each of eight."""
    config = dataclasses.replace(load_recipe(name), evaluation=Evaluation())
    stub = not config.data.name.startswith(('pixel_avatars', 'points:'))
    source = Shapes(config) if stub else open_source(config.data)
    trainer = make_trainer(config, source, devices=jax.devices()[:1])
    mesh = data_mesh(8)
    found: dict[str, object] = {'recipe': name, 'data': f'{source.info.size} px'}
    state, one = trainer.abstract, jax.tree.map(lambda leaf: leaf.sharding, trainer.abstract)
    found['state'] = bytes_per_device(state, one)
    split = places(state, SHARDINGS['fsdp'], mesh)
    found['fsdp'] = bytes_per_device(state, split)
    optimizers = lambda tree: (tree.g.opt, tree.d.opt)  # noqa: E731
    ratio = bytes_per_device(optimizers(state), optimizers(split)) / bytes_per_device(
        optimizers(state), optimizers(one)
    )
    found['optimizers'] = ratio
    found['images'] = trainer.memory(compiled=False)['data']
    group = getattr(config.model, 'd_deviation_group', 1)
    try:
        data_mesh(config.batch_size, config.microbatches)
        check_groups(group, config.batch_size, config.microbatches, mesh.size)
        found['eight'] = 'yes'
    except InputError as error:
        found['eight'] = str(error).split(':')[0]
    return found


def main(names: list[str]) -> None:
    """Print the table."""
    print(
        '| recipe | pixels | state | state, each of 8, fsdp | optimizers, part of the whole | data | 8 devices |'
    )
    print('|---|---|---|---|---|---|---|')
    for name in names or sorted(path.stem for path in (ROOT / 'configs').glob('*.py')):
        row = measure(name)
        sizes = [f'{row[part] / 2**20:,.1f} MiB' for part in ('state', 'fsdp')]  # type: ignore[operator]
        images = f'{row["images"] / 2**20:,.1f} MiB'  # type: ignore[operator]
        print(
            '|',
            ' | '.join(
                [name, str(row['data']), *sizes, f'{row["optimizers"]:.4f}', images, str(row['eight'])]
            ),
            '|',
            flush=True,
        )


if __name__ == '__main__':
    main(sys.argv[1:])
