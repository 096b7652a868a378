"""Suite ``input``: how fast batches come, from each feed, beside how fast a step eats them."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxgan.bench.cases import Case, Training
from jaxgan.bench.session import Row, Session, measure
from jaxgan.data import DataConfig, open_feed, open_source, prepare

NAMES = ('device', 'stream', 'folder', 'step')
BATCH, SIZE = 64, 64
COUNT = 1024  # images; a fourth when quick
AHEAD = 64  # batches timed together: many more than a stream has ready before the clock starts


def run(session: Session) -> Iterator[Row]:
    """Measure each feed, then the step."""
    with tempfile.TemporaryDirectory() as folder:
        count = COUNT // 4 if session.quick else COUNT
        write_images(Path(folder), count)
        arrays, files = f'npz:{folder}/images.npz', f'folder:{folder}/files'
        feeds = {
            'device': DataConfig(arrays, residence='device'),
            'stream': DataConfig(arrays, residence='stream'),
            'folder': DataConfig(files, residence='stream'),
        }
        for name, config in feeds.items():
            if session.wants(name):
                yield one(session, name, config, count)
    if session.wants('step'):
        row = measure(session, 'what a DCGAN-64 step eats', Training(Case('dcgan', BATCH)))
        yield with_rate(row, 1)


def one(session: Session, name: str, config: DataConfig, count: int) -> Row:
    """Measure one feed: read, bring to the device, pick, and turn into floats."""
    source = open_source(config)
    feed = open_feed(source, config, batch_size=BATCH, seed=0)
    together = 1 if config.residence == 'device' else AHEAD

    @jax.jit
    def batch(data: Any, step: Any) -> Any:
        return prepare(jax.random.key(0), feed.batch(data, step, jnp.int32(0)), flip=False)

    place = iter(range(2**30))

    def call() -> Any:
        steps = itertools.islice(place, together)
        return [batch(feed.take(step, 1), np.int32(step)) for step in steps][-1]

    # PyTorch's own loaders read files in processes; what it does in memory is comparable
    case: Any = {'kind': 'gather', 'count': count, 'size': SIZE, 'batch': BATCH} if name == 'device' else None
    try:
        return with_rate(measure(session, name, call, case=case), together)
    finally:
        feed.close()


def with_rate(row: Row, together: int) -> Row:
    """Give the time of one of the batches that a call took together, and images per second."""
    ours = {key: value if key == 'count' else value / together for key, value in row['ours'].items()}
    return row | {'ours': ours, 'batch': BATCH, 'images_per_s': BATCH / ours['median'] * 1e3}


def write_images(folder: Path, count: int) -> None:
    """Write smooth colour images, as one array and as PNG files: noise would be harder to decode than pictures."""
    (folder / 'files').mkdir()
    coarse = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    images = [Image.fromarray(one).resize((SIZE, SIZE), Image.Resampling.BICUBIC) for one in coarse]
    np.savez(folder / 'images.npz', x_train=np.stack([np.asarray(image) for image in images]))
    for i, image in enumerate(images):
        image.save(folder / 'files' / f'{i:05d}.png')
