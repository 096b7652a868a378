"""The command line: what it prints, what it writes, and one clear line with exit code 2 for bad input."""

import dataclasses
import gc
import importlib
import json
import os
import sys

import jax
import numpy as np
import pytest
from PIL import Image
from runs import make_data, run, tiny
from safetensors.numpy import load_file

from jaxgan import cli
from jaxgan.cli import COMMANDS, _one_line, main
from jaxgan.configjson import to_json
from jaxgan.images import to_uint8
from jaxgan.marks.options import MarkOptions, WatermarkOptions
from jaxgan.opened import open_generator


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    assert run(tiny(make_data(folder), conditional=True, images=16), folder / 'run') == 0
    return folder / 'run'


@pytest.fixture(scope='module')
def exported(trained):
    assert main(['export', str(trained), str(trained.parent / 'export')]) == 0
    return trained.parent / 'export'


def sampled(source, out, *options):
    assert main(['sample', str(source), '--out', str(out), *options]) == 0
    return out


def test_a_grid_single_files_and_arrays(trained, tmp_path, capsys):
    grid = sampled(trained, tmp_path / 'grid.png', '--n', '4', '--scale', '1', '--columns', '2')
    with Image.open(grid) as image:
        assert image.mode == 'RGB'
    assert 'wrote' in capsys.readouterr().out
    with np.load(sampled(trained, tmp_path / 'a.npz', '--seeds', '7,0-2')) as arrays:
        assert arrays['images'].shape == (4, 16, 16, 3)
        assert arrays['images'].dtype == np.uint8
        assert arrays['seeds'].tolist() == [7, 0, 1, 2]
        assert arrays['labels'].tolist() == [0, 1, 2, 0]
    folder = sampled(trained, tmp_path / 'singles', '--n', '3', '--label', '2')
    assert sorted(path.name for path in folder.glob('*.png')) == [f'seed{i:010d}.png' for i in range(3)]


def test_a_seed_is_the_same_bytes_whatever_else_is_asked_for(trained, exported, tmp_path):
    with np.load(sampled(trained, tmp_path / 'a.npz', '--seeds', '0-39', '--label', '1')) as arrays:
        many = arrays['images']
    with np.load(sampled(exported, tmp_path / 'b.npz', '--seeds', '38,3', '--label', '1')) as arrays:
        few = arrays['images']
    np.testing.assert_array_equal(few, many[[38, 3]])


def test_an_export_needs_neither_jaxgan_nor_pickle(exported):
    card = json.loads((exported / 'generator.json').read_text())
    tensors = load_file(exported / 'generator.safetensors')
    assert card['architecture']['kind'] == 'dcgan'
    assert card['image_range'] == [-1.0, 1.0]
    assert card['labels'] == ['0', '1', '2']
    assert card['data']['licence'] == 'not stated'
    assert card['trained']['images_seen'] == 16
    assert sum(t.size for t in tensors.values()) > 1000
    assert all(t.dtype == np.float32 for t in tensors.values())


def test_a_dry_run_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'dont_write_bytecode', False)  # as it is unless someone has asked for it
    data = make_data(tmp_path)
    (tmp_path / 'mine.py').write_text(
        'import json\nfrom jaxgan.configjson import from_dict\n'
        f'def get_config(): return from_dict(json.loads({to_json(tiny(data))!r}))\n'
    )
    before = sorted(os.listdir(tmp_path))
    assert main(['train', '--config', 'mine.py', '--dry-run']) == 0
    out = capsys.readouterr().out
    for word in (
        'devices:',
        'parameters: generator',
        'batch: 8',
        'memory of a dispatch',
        'images/s',
        '24, 16x16',
    ):
        assert word in out
    assert sorted(os.listdir(tmp_path)) == before


def test_help_lists_every_field(capsys):
    with pytest.raises(SystemExit) as stop:
        main(['train', '--help'])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for option in (
        '--workdir',
        '--steps',
        '--seed',
        '--model.width',
        '--g-optimizer.learning-rate',
        '--data.flip',
    ):
        assert option in out


BAD = [
    (['trian'], "unknown command 'trian'; did you mean 'train'?"),
    (['train', '--config', 'pixel_avatrs'], "unknown config 'pixel_avatrs'"),
    (['train', '--config'], '--config needs a value'),
    (['train', '--batch-siz', '3'], 'did you mean --batch-size'),
    (['train', '--batch-size', 'many'], 'Error parsing --batch-size'),
    (['train', '--loss', 'hing'], "unknown loss 'hing'; did you mean 'hinge'?"),
    (['train', '--data.subset', '0'], 'error: data.subset is 0; it must be at least 1 image'),
    (['train', '--batch-size', '0'], 'batch_size 0 must be at least 1'),
    (
        ['train', '--g-optimizer.learning-rate', 'nan', '1'],
        'g_optimizer.learning_rate (nan, 1.0) must be finite',
    ),
    (['train', '--data.name', 'pixel_avatars/hare'], "'hare'"),
    (['train', '--data.name', 'ciffar10'], 'cifar10'),
    (['train', '--data.name', 'cifar10', '--data.data-dir', 'nowhere'], 'prepare'),
    (['train', '--data.name', 'folder:nowhere'], 'nowhere'),
    (['train', '--data.name', 'folder:empty'], 'empty'),
    (['train', '--data.name', 'folder:wide'], 'crop'),
    (['train', '--data.name', 'npz:nowhere.npz'], 'nowhere.npz'),
    (['train', '--data.size', '24'], 'image size 24 must be a power of two'),
    (['train', '--conditional'], 'needs labels'),
    (
        ['train', '--dry-run', '--profile'],
        '--dry-run writes nothing and --profile writes a trace: choose one',
    ),
    (['train', '--workdir', 'wide'], 'exists and holds no run'),
    (['sample', 'nowhere'], 'nowhere does not exist'),
    (['sample', 'wide'], 'neither a run nor an export'),
    (['sample', 'RUN', '--seeds', '5-3'], 'must ascend'),
    (['sample', 'RUN', '--seed', '-1'], 'seed -1'),
    (['sample', 'RUN', '--n', '0'], 'n 0 must be at least 1'),
    (['sample', 'RUN', '--label', '3'], 'label 3 is out of range: this generator has classes 0..2'),
    (['sample', 'RUN', '--label', 'cat'], "unknown label 'cat'"),
    (['sample', 'RUN', '--out', 'x.jpeg'], "unknown kind of output '.jpeg'"),
    (['sample', 'RUN', '--step', '99'], '99'),
    (['sample', 'EXPORT', '--step', '2'], 'is an export'),
    (['export', 'EXPORT', 'out'], 'is an export already'),
    (['export', 'RUN', 'wide'], 'wide'),
]


@pytest.mark.parametrize(('arguments', 'message'), BAD, ids=[' '.join(a) for a, _ in BAD])
def test_bad_input_is_one_line_and_exit_code_2(
    arguments, message, trained, exported, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'wide').mkdir()
    Image.new('RGB', (40, 20)).save(tmp_path / 'wide' / 'a.png')
    before = sorted(path for path in tmp_path.rglob('*'))
    places = {'RUN': str(trained), 'EXPORT': str(exported)}
    assert main([places.get(argument, argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert error.count('\n') == 1
    assert message in error
    assert sorted(path for path in tmp_path.rglob('*')) == before  # nothing half-written


@pytest.mark.slow
def test_a_run_s_discriminator_chooses_among_images_or_moves_them(trained, tmp_path, capsys):
    trace = tmp_path / 'a.jsonl'
    options = ('--n', '40', '--reject', 'drs', '--percentile', '60', '--label', '1')
    with np.load(sampled(trained, tmp_path / 'a.npz', *options, '--trace', str(trace))) as arrays:
        images, seeds = arrays['images'], arrays['seeds']
    assert 'seeds were accepted' in capsys.readouterr().out
    assert seeds[-1] > 40
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    assert all(line['chance'] < line['probability'] for line in lines)
    with np.load(sampled(trained, tmp_path / 'b.npz', '--seeds', f'0-{seeds[-1]}', '--label', '1')) as arrays:
        np.testing.assert_array_equal(arrays['images'][seeds], images)
    options = ('--seeds', '3,1', '--label', '1', '--reject', 'ddls', '--steps', '3', '--trace', str(trace))
    options = (*options, '--unmarked', 'the pixels themselves are looked at')
    with np.load(sampled(trained, tmp_path / 'c.npz', *options)) as arrays:
        moved = arrays['images']
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    assert lines[0]['langevin'] == '3 steps of 0.01'
    found = open_generator(trained)
    z = np.asarray([line['z'] for line in lines], np.float32)
    made = to_uint8(jax.jit(found.network.infer)(found.params, found.aux, z, np.int32([1, 1])))
    assert np.abs(made.astype(int) - moved).max() <= 1


def test_help_lists_what_a_command_is_for_before_how_pictures_are_marked():
    """Options that commands share come last; all are found by name."""
    inherited = {field.name for field in dataclasses.fields(MarkOptions)}
    seen = 0
    for command in filter(None, COMMANDS.values()):
        module, name = command.options.split(':')
        cls = getattr(importlib.import_module(module), name)
        if issubclass(cls, WatermarkOptions):
            shared = [field.name in inherited for field in dataclasses.fields(cls)]
            assert shared == sorted(shared) and any(shared) and not shared[0], name
            seen += 1
    assert seen == 10


def test_a_box_of_ascii_is_one_line_like_one_of_unicode():
    rule = '-' * 70
    plain = f' Unrecognized options\n {rule} \n  Unrecognized options: ---x, 0  \n  {rule}\n  Perhaps you meant:\n      --batch-size INT\n'
    drawn = '╭─ Unrecognized options ─╮\n│ Unrecognized options: ---x, 0 │\n│ ────── │\n│ Perhaps you meant:  │\n│     --batch-size INT │\n╰───╯\n'
    assert _one_line(plain) == _one_line(drawn) == 'Unrecognized options: ---x, 0; did you mean --batch-size?'


def test_what_a_command_imports_is_never_looked_through_for_garbage(tmp_path, monkeypatch):
    (tmp_path / 'imported_once.py').write_text(
        'import gc\nseen = gc.isenabled()\nkept = [[] for _ in range(1000)]\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = gc.get_freeze_count()
    assert gc.isenabled()
    assert cli._named('imported_once:seen') is False
    after = gc.get_freeze_count()
    assert after - before > 1000 and gc.isenabled()
    assert cli._named('imported_once:seen') is False
    assert gc.get_freeze_count() == after  # nothing was imported
