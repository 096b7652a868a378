"""The readers of files as functions of bytes: each returns, or raises a ``Failure`` of one line, within five seconds.

``tests/test_fuzz.py`` feeds them by hypothesis, ``docs/scripts/fuzz.py`` by coverage.
"""

import functools
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hostile_data
import hostile_files
import jax
import numpy as np
import safetensors.numpy
import weight_files
from hostile_runs import LINE, nearest

from jaxgan.card import check_architecture, check_card
from jaxgan.checkpoints.manifest import check_fit, make_record, read_record
from jaxgan.config import Config, check
from jaxgan.configjson import from_dict, to_dict, to_json
from jaxgan.data import DataConfig, open_source
from jaxgan.data.pixels import decode
from jaxgan.errors import Failure, one_line
from jaxgan.export import read_tensors
from jaxgan.metrics.pickles import interpret
from jaxgan.metrics.protocol import read_measurements
from jaxgan.metrics.weights import read_weights
from jaxgan.report.curves import metric_charts, metric_line
from jaxgan.report.evaluations import evaluation_line, tabulate
from jaxgan.report.lines import read_lines
from jaxgan.report.pictures import gallery, neighbours
from jaxgan.run.runlog import rewind
from jaxgan.strictjson import parse_json

SECONDS = 5.0  # of the processor


class Target(NamedTuple):
    """A reader, and good files of its kind to begin with."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


def check_reader(read: Callable[[bytes], object], data: bytes) -> bool:
    """Read; say whether it was accepted. Whatever is neither accepted nor refused in one line is an error."""
    started = time.process_time()
    message = ''
    try:
        read(data)
    except Failure as error:
        message = one_line(error)
    assert time.process_time() - started < SECONDS
    assert message.isprintable()
    return not message


@functools.cache
def scratch() -> Path:
    """A file to write to, again and again."""
    folder = tempfile.TemporaryDirectory(prefix='jaxgan-fuzz-')
    FOLDERS.append(folder)  # it is deleted with this
    return Path(folder.name)


FOLDERS: list[tempfile.TemporaryDirectory] = []


def written(name: str, data: bytes) -> Path:
    path = scratch() / name
    path.write_bytes(data)
    return path


def config(data: bytes) -> None:
    found = from_dict(parse_json(data, 'config.json'))
    assert from_dict(to_dict(found)) == found
    assert from_dict(parse_json(to_json(found), 'config.json')) == found
    check(found)


def tree() -> dict:
    return {'g': {'w': jax.ShapeDtypeStruct((2, 3), np.float32)}, 'step': jax.ShapeDtypeStruct((), np.int32)}


def record(data: bytes) -> None:
    found = read_record(data.decode('utf-8', 'replace'), 'checkpoint 8')
    check_fit(found.leaves, tree(), 'checkpoint 8')


def architecture(data: bytes) -> None:
    values = parse_json(data, 'generator.json')
    check_architecture(values if isinstance(values, dict) else {'kind': values}, 'architecture')


def card(data: bytes) -> None:
    check_card(parse_json(data, 'generator.json'), 'export')


def tensors(data: bytes) -> None:
    read_tensors(data, 'export')


def npz(data: bytes) -> None:
    source = open_source(DataConfig(f'npz:{written("data.npz", data)}'))
    assert source[0]['image'].dtype == np.uint8


def image(data: bytes) -> None:
    assert decode(io.BytesIO(data), 'x.png').mode in ('L', 'RGB')


def pickled(data: bytes) -> None:
    calls = {'collections.OrderedDict': lambda *items: dict(*items)}
    interpret(io.BytesIO(b'\x80\x02' + data), calls, ('numpy.ndarray',), lambda identifier: identifier)


def weights(data: bytes) -> None:
    for value in read_weights(written('w.pth', data)).tensors.values():
        assert value.nbytes >= 0


def lines(data: bytes) -> None:
    path = written('metrics.jsonl', data)
    notes: list[str] = []
    metric_charts(read_lines(path, metric_line, notes), ['d/r1'])
    tabulate(read_lines(path, evaluation_line, notes))
    rewind(path, 5)


def rewound(data: bytes) -> None:
    kept, dropped = rewind(written('metrics.jsonl', data), 3)
    assert (all(line['step'] <= 3 for line in kept) and dropped is None) or dropped


def measurements(data: bytes) -> None:
    read_measurements(written('evaluations.jsonl', data))


def pairs(data: bytes) -> None:
    notes: list[str] = []
    assert neighbours(written('nearest.npz', data), notes) or notes


def grid(data: bytes) -> None:
    folder = scratch() / 'samples'
    folder.mkdir(exist_ok=True)
    (folder / '000000001.png').write_bytes(data)
    notes: list[str] = []
    assert gallery(folder, notes).grids or notes


def _images() -> list[bytes]:
    kinds = ('PNG', 'JPEG', 'WEBP', 'GIF', 'BMP', 'TIFF', 'PPM')
    return [hostile_files.encoded(kind, 8) for kind in kinds] + [
        hostile_data.PNG,
        hostile_data.tiff_header(8, 8),
    ]


def _card() -> bytes:
    return (hostile_files._export() / 'generator.json').read_bytes()


def _record() -> bytes:
    leaves = {
        'g/w': (['float32', [2, 3]], np.ones((2, 3), np.float32)),
        'step': (['int32', []], np.array(8, np.int32)),
    }
    return json.dumps(make_record(leaves, {'a': 1})).encode()


def _arrays() -> dict[str, np.ndarray]:
    return {'params/a': np.ones((2, 3), np.float32), 'aux/b/c': np.zeros(4, np.float16)}


def _weights() -> dict[str, np.ndarray]:
    return {'a': np.ones((2, 3), np.float32), 'b': np.zeros(4, np.int64)}


TARGETS = {
    'config': Target(config, lambda: [to_json(Config()).encode()]),
    'record': Target(record, lambda: [_record()]),
    'card': Target(card, lambda: [_card()]),
    'architecture': Target(architecture, lambda: [json.dumps(json.loads(_card())['architecture']).encode()]),
    'tensors': Target(tensors, lambda: [safetensors.numpy.save(_arrays())]),
    'npz': Target(npz, lambda: [hostile_files.npz_bytes({'x_train': hostile_data.X[:2], 'y_train': np.arange(2)})]),
    'image': Target(image, _images),
    'pickle': Target(pickled, lambda: [b'}q\0X\1\0\0\0aK\1s.', weight_files.state(weight_files.entries_of(_weights()))[2:]]),
    'weights': Target(weights, lambda: [weight_files.torch_zip(_weights()), safetensors.numpy.save(_arrays())]),
    'lines': Target(lines, lambda: [LINE.encode(), b'{"step": 3, "images_seen": 24, "seconds": 1.5, "d/loss": "nan"}\n']),
    'rewind': Target(rewound, lambda: [b'{"step": 3, "images_seen": 24, "seconds": 1.5}\n']),
    'measurements': Target(measurements, lambda: [LINE.encode()]),
    'grid': Target(grid, lambda: [hostile_files.encoded('PNG', 8), hostile_files.encoded('PNG', 8, 'P')]),
    'pairs': Target(pairs, lambda: [nearest()]),
}  # fmt: skip
