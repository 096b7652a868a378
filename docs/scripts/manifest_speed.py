"""How long opening a folder of plain PNGs takes, how much of it is looking for opt-outs, and how long its manifest takes.

python docs/scripts/manifest_speed.py [COUNT]
"""

import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.data import DataConfig, open_source
from jaxgan.data.pixels import decode_with_info
from jaxgan.datamanifest.entries import read_manifest, write_manifest
from jaxgan.datamanifest.gather import list_images
from jaxgan.rights.embedded import read_embedded
from jaxgan.rights.folder import Surroundings, read_bytes, whole_statement

COUNT = 50_000
PROBED = 2_000  # files whose steps are timed one by one


def main() -> None:
    """Make the folder, and time each part."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        for i in range(count):
            pixels = np.kron(rng.integers(0, 256, (8, 8, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
            Image.fromarray(pixels).save(folder / f'{i:06}.png')
        source, seconds = timed(lambda: open_source(DataConfig(f'folder:{folder}')))
        print(f'{count:,} plain PNGs of 32x32: opened in {seconds:.1f} s')
        steps(folder, source.names[:PROBED])
        entries, seconds = timed(lambda: list_images(source))
        print(f'manifest: {seconds:.1f} s')
        path = folder / 'm.jsonl'
        _, seconds = timed(lambda: write_manifest(path, entries))
        size = path.stat().st_size
        print(
            f'written: {seconds:.1f} s, {size / 2**20:.1f} MiB; read again: {timed(lambda: read_manifest(path))[1]:.1f} s'
        )


def steps(folder: Path, names: list[str]) -> None:
    """Time the steps of one file, the least of five: microseconds of processor time."""
    paths = [str(folder / name) for name in names]
    data = [read_bytes(path)[0] for path in paths]
    info = [decode_with_info(path, path)[1] for path in paths]
    around = Surroundings(folder)
    around.prepare(names)
    own = [read_embedded(*one) for one in zip(data, info, strict=True)]
    said = [around.of(name) for name in names]
    parts = {
        'decode from its path (as before)': lambda: [decode_with_info(path, path) for path in paths],
        'read': lambda: [read_bytes(path) for path in paths],
        'decode what was read': lambda: [decode_with_info(io.BytesIO(one), '') for one in data],
        'what it says of itself': lambda: [read_embedded(*one) for one in zip(data, info, strict=True)],
        'what stands around it': lambda: [around.of(name) for name in names],
        'both': lambda: [whole_statement(a, o, f) for (a, f), o in zip(said, own, strict=True)],
    }
    for name, work in parts.items():
        print(
            f'  {name}: {min(timed(work, time.process_time)[1] for _ in range(5)) / len(names) * 1e6:.1f} us'
        )


def timed(work, clock=time.perf_counter):
    """Do something, and say how long it took."""
    started = clock()
    found = work()
    return found, clock() - started


if __name__ == '__main__':
    main()
