"""A small run's folder, written by hand: what ``jaxgan report`` reads, without a training."""

import json

import numpy as np
from PIL import Image

from jaxgan.config import Config
from jaxgan.configjson import to_dict

HOSTILE = '<script>document.title="ran"</script></script><img src=x onerror=\'document.title="ran"\'>'
PROTOCOL = {
    'extractor': 'pixel_avatars',
    'weights': '0a' * 32,
    'generated': 10_000,
    'flips': False,
    'resize': None,
}


def config(**changes):
    return to_dict(Config()) | {'images': 64_000} | changes


def metrics(n=32, every=2_000):
    for i in range(1, n + 1):
        yield {
            'step': i * every // 16, 'images_seen': i * every, 'seconds': i * 2.5, 'd/loss': 0.5 + 1 / i, 'g/loss': 2.0 - 1 / i,
            'd/real': 2.0, 'd/fake': -1.0, 'd/grad_norm': 1.5, 'g/grad_norm': 3.0 * i, 'd/r1': 0.1, 'images_per_second': 500.0,
        }  # fmt: skip


def evaluation(value, seen=32_000, metric='FID', std=None, **protocol):
    row = {'step': seen // 16, 'images_seen': seen, 'metric': metric, 'value': value, 'std': std}
    return row | {'protocol': PROTOCOL | protocol}


def write_lines(path, rows):
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


def write_grids(folder, seen, side=40):
    folder.mkdir(exist_ok=True)
    for i, count in enumerate(seen):
        pixels = np.random.default_rng(i).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f'{count:09d}.png')


def write_nearest(path, n=6, k=3, **about):
    random = np.random.default_rng(0)
    np.savez(
        path,
        generated=random.integers(0, 256, (n, 8, 8, 3), np.uint8),
        real=random.integers(0, 256, (n, k, 8, 8, 3), np.uint8),
        distances=random.uniform(1, 2, (n, k)),
        about=np.array(json.dumps({'extractor': 'pixel_avatars', 'real': 16_000} | about)),
    )


def make_run(folder, **changes):
    """A finished run of two grids, without evaluations."""
    folder.mkdir(parents=True)
    (folder / 'config.json').write_text(json.dumps(config(**changes)))
    write_lines(folder / 'metrics.jsonl', metrics())
    write_grids(folder / 'samples', (0, 32_000, 64_000))
    return folder


def make_full_run(folder):
    """A run with all that a page can show, hostile strings in every file among it."""
    make_run(folder, loss=HOSTILE)
    lines = list(metrics())
    lines[4]['g/loss'], lines[5]['g/loss'], lines[9]['d/loss'] = 'nan', 'inf', '-inf'
    lines[3][HOSTILE] = 1.0
    for i, line in enumerate(lines):
        line |= {
            'odd/large': 1e16 + 2 * i,
            'odd/largest': 1.7e308 * (-1) ** i,
            'odd/none': 'nan',
            'odd/zero': 0,
        }
    write_lines(folder / 'metrics.jsonl', lines)
    rows = [evaluation(90.0, 16_000), evaluation(40.5), evaluation(55.25, generated=2_000, note=HOSTILE)]
    rows += [evaluation(0.01, metric='KID', std=0.002), evaluation('nan', metric=HOSTILE)]
    write_lines(folder / 'evaluations.jsonl', rows)
    trouble = {'signal': HOSTILE, 'message': HOSTILE}
    write_lines(folder / 'warnings.jsonl', [{'step': i, 'images_seen': 16 * i} | trouble for i in (1, 2)])
    write_nearest(folder / 'nearest.npz', note=HOSTILE)
    return folder
