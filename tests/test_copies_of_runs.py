"""From a run to its index, to samples without copies, to an export and a sheet."""

import json

import numpy as np
import pytest
from PIL import Image
from runs import run, tiny
from test_copy_index import scenes

from jaxgan.cli import main
from jaxgan.copyindex.file import load_index
from jaxgan.copyindex.index import NAME
from jaxgan.marks.pictures import read_credit

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('copies')
    data = folder / 'data.npz'
    np.savez(data, x_train=scenes(150, 0), x_test=scenes(100, 1))
    run(tiny(data), folder / 'run')
    return folder


def refused(capsys, *arguments):
    assert main([*map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


def test_all_the_way(trained, capsys):
    folder = trained / 'run'
    sample = ('sample', folder, '--n', 4, '--reject-copies', '--out', trained / 'a.png', '--copy-fpr', 0.05)
    assert f'write it with jaxgan index {folder}' in refused(capsys, *sample)
    assert not (trained / 'a.png').exists()
    assert main(['index', str(folder)]) == 0
    assert 'wrote' in capsys.readouterr().out
    index = load_index(folder / NAME)
    assert (index.count, index.about.held_out) == (150, '100 images of the split test')
    trace = trained / 't.jsonl'
    assert main([*map(str, sample), '--trace', str(trace)]) == 0
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    assert all(line['copy_ratio'] >= index.threshold(0.05) for line in lines) and len(lines) == 4
    assert index.digest[:16] in read_credit(trained / 'a.png')['copies'] == lines[0]['copies']

    assert main(['export', str(folder), str(trained / 'made')]) == 0
    assert 'with the index of its training images' in capsys.readouterr().out
    (trained / 'x.npz').unlink(missing_ok=True)
    out = ['--out', str(trained / 'x.npz')]
    assert main(['sample', str(trained / 'made'), '--n', '4', '--reject-copies', *out]) == 0

    Image.fromarray(scenes(150, 0)[9][:, ::-1]).save(trained / 'p.png')
    sheet = ['--out', str(trained / 's.png')]
    capsys.readouterr()
    assert main(['attribute', str(trained / 'p.png'), '--run', str(folder), '--k', '2', *sheet]) == 0
    assert 'p.png: a match' in capsys.readouterr().out
    assert read_credit(trained / 's.png') == {}  # no model made it


def test_an_index_of_other_data_is_refused(trained, tmp_path, capsys):
    other = tmp_path / 'data.npz'
    np.savez(other, x_train=scenes(150, 5))
    assert 'holds other data than' in refused(capsys, 'index', trained / 'run', '--data', f'npz:{other}')
    run(tiny(other), tmp_path / 'run')
    assert main(['index', str(tmp_path / 'run')]) == 0
    assert 'training images, compared with the others' in capsys.readouterr().out
    given = ('--copy-index', tmp_path / 'run' / NAME, '--reject-copies', '--out', tmp_path / 'a.png')
    assert 'is of other data than' in refused(capsys, 'sample', trained / 'run', *given)
