"""Every file of pictures that a command writes has its marks and its line in the record, and no code writes pictures elsewhere."""

import ast
import dataclasses
import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from runs import make_data, run, tiny
from test_sample import PLAIN, export

from jaxgan import watermark
from jaxgan.cli import main
from jaxgan.config import Config
from jaxgan.configjson import read_config
from jaxgan.credentials import Credit, Marks
from jaxgan.errors import InputError
from jaxgan.marks import record
from jaxgan.marks.asked import read_marks
from jaxgan.marks.pictures import FORMATS, read_credit, to_bytes, write_picture
from jaxgan.marks.watermarking import mark
from jaxgan.run.credit import run_digest

ROOT = Path(__file__).parent.parent
CERTAIN = 1e-6
PICTURES = ('.png', '.webp', '.jpg', '.jpeg', '.gif', '.apng', '.mp4')
IMAGE = np.random.default_rng(0).integers(60, 200, (32, 40, 3), np.uint8)
CREDIT = Credit('ab' * 32, 'toy', '7', {'psi': '0.5'}, 3)
WRITERS = {
    'jaxgan/marks/pictures.py': 'the marked writer',
    'jaxgan/marks/animation.py': 'the marked writer of films',
    'jaxgan/report/pictures.py': "pictures that are marked already, with their packets; and real ones, which aren't generated",
    'jaxgan/making/exported_sample.py': 'bytes of a program that marks them; the script writes a line itself',
    'jaxgan/run/runlog.py': "TensorBoard's events: the pixels come marked from the loop",
    'jaxgan/provenance/copying/auditpage.py': 'training images beside generated ones, which are marked',
    'jaxgan/provenance/copying/evidence.py': 'sheets of real pictures and of pictures that are asked about',
    'jaxgan/copyindex/separability.py': 'training images as JPEG in memory, to see whether copies would be found',
    'jaxgan/data/pixel_avatars/render.py': 'the data set: drawn, not generated',
    'jaxgan/bench/suite_input.py': 'noise as input of a benchmark',
}
NO_PICTURES = ('safetensors.numpy', 'checkpoints', 'best', 'self', 'self.saver', 'self._orbax')
"""What else has a method ``save``."""


def key_of(told):
    return watermark.model_key(told['model'])


def frames(path):
    with Image.open(path) as film:
        found = []
        for i in range(getattr(film, 'n_frames', 1)):
            film.seek(i)
            found.append(np.asarray(film.convert('RGB')))
        return np.stack(found)


def check_folder(folder, least=32):
    """Check every picture below a folder; return their names."""
    lines, found = {}, []
    for path in sorted(folder.rglob(record.RECORD)):
        for entry in record.read(path):
            assert path.with_name(entry['file']) not in lines, entry['file']
            lines[path.with_name(entry['file'])] = entry
    for path in sorted(folder.rglob('*')):
        if path.suffix not in PICTURES:
            continue
        told, entry = read_credit(path), lines[path]
        assert told['kind'] == entry['kind'] and told['model'] == entry['model'], path
        assert entry['sha256'] == hashlib.sha256(path.read_bytes()).hexdigest(), path
        assert told.get('index', 'None') == str(entry['index']), path
        if path.suffix != '.mp4':
            pixels = frames(path)
            assert tuple(entry['size']) == pixels.shape[1:3] and min(entry['size']) >= least
            assert watermark.batch(pixels, key_of(told)).p_value < CERTAIN, path
            assert watermark.batch(pixels, b'another key').p_value > CERTAIN, path
        assert entry['marks'] == ['xmp', 'watermark'], path
        found.append(path.relative_to(folder).as_posix())
    return found


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return export(tmp_path_factory.mktemp('marks') / 'export', PLAIN, size=32)


def do(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.mark.slow
def test_every_writer_of_commands_marks(model, tmp_path, capfdbinary):
    places, at = (model, 'seed:1'), lambda name: ('--out', tmp_path / name)
    for suffix in ('.png', '.webp'):
        do('sample', model, '--n', 3, *at(f'sample{suffix}'))
        do('sample', model, '--n', 3, '--format', suffix[1:], *at(f'sample_{suffix[1:]}'))
    for suffix in ('.png', '.webp', '.jpg'):
        do('vary', *places, '--n', 2, *at(f'vary{suffix}'))
        do('canvas', model, '--size', '48x40', *at(f'canvas{suffix}'))
    do('vary', *places, '--n', 2, *at('vary'))
    films = ['.gif', '.webp', '.apng', *(['.mp4'] if shutil.which('ffmpeg') else [])]
    for suffix in films:
        do('interpolate', *places, 'seed:2', '--steps', 3, *at(f'film{suffix}'))
        do('walk', model, '--seeds', '1,2', '--frames', 3, *at(f'walk{suffix}'.replace('apng', 'png')))
    do('walk', model, '--seeds', '1-4', '--frames', 2, '--grid', 2, *at('wall.gif'))
    do('interpolate', *places, 'seed:2', '--steps', 3, *at('between.png'))
    do('interpolate', *places, 'seed:2', '--steps', 3, *at('between'))
    do(
        'directions',
        model,
        '--method',
        'sefa',
        '--count',
        2,
        '--samples',
        100,
        '--seeds',
        '0-1',
        *at('found'),
    )
    edit = ('edit', *places, '--directions', tmp_path / 'found', '--direction', 0)
    do(*edit, '--amounts=-1,1', *at('edit.png'))
    do(*edit, '--amount', 2, *at('edited'))
    do('project', model, '--own', 2, '--starts', 1, '--candidates', 4, '--steps', 2, *at('projected'))
    found = check_folder(tmp_path)
    assert len(found) == 29 + 2 * len(films)
    capfdbinary.readouterr()
    do('sample', model, '--n', 3, '--out', '-', '--record', tmp_path / 'said.jsonl')
    out = capfdbinary.readouterr().out
    (line,) = record.read(tmp_path / 'said.jsonl')
    assert (
        line['sha256'] == hashlib.sha256(out).hexdigest() and read_credit(io.BytesIO(out))['seeds'] == '0-2'
    )
    do('sample', model, '--n', 3, *at('a.npz'))
    with np.load(tmp_path / 'a.npz') as arrays:
        told = json.loads(str(arrays['credit']))
        assert watermark.batch(arrays['images'], key_of(told)).p_value < CERTAIN
    line = record.newest(record.read(tmp_path / record.RECORD))['a.npz']
    assert (line['images'], line['marks']) == (3, ['watermark'])
    assert line['sha256'] == hashlib.sha256((tmp_path / 'a.npz').read_bytes()).hexdigest()


def test_a_run_keeps_its_name_for_as_long_as_it_is_the_same_training():
    config = Config()
    watched = dataclasses.replace(config, images=7, log_every=3, keep=9, checkpoint_every=5, grid=4)
    assert run_digest(config) == run_digest(watched)
    assert (
        len(
            {
                run_digest(one)
                for one in (
                    config,
                    dataclasses.replace(config, seed=1),
                    dataclasses.replace(config, loss='hinge'),
                )
            }
        )
        == 3
    )


@pytest.mark.slow
def test_a_training_marks_its_grids_by_the_name_of_the_run(tmp_path):
    config = tiny(make_data(tmp_path), grid=9)
    run(config, tmp_path / 'run')
    assert len(check_folder(tmp_path / 'run')) == 3
    (first, *_) = record.read(tmp_path / 'run' / 'samples' / record.RECORD)
    assert first['model'] == run_digest(config) == run_digest(read_config(tmp_path / 'run' / 'config.json'))
    assert first['details'] == {'images_seen': '0'}
    (events,) = (tmp_path / 'run' / 'tensorboard').glob('events*')
    data = events.read_bytes()
    assert data.count(b'\x89PNG') == 3
    start = data.index(b'\x89PNG')
    shown = np.asarray(Image.open(io.BytesIO(data[start:])))
    np.testing.assert_array_equal(shown, np.asarray(Image.open(tmp_path / 'run/samples/000000000.png')))


@pytest.mark.slow
def test_a_folder_goes_on_with_one_line_for_each_file(model, tmp_path):
    folder = tmp_path / 'f'
    do('sample', model, '--n', 2, '--out', folder)
    do('sample', model, '--n', 4, '--out', folder)
    (folder / 'seed0000000001.png').unlink()
    do('sample', model, '--n', 4, '--out', folder)
    assert [entry['index'] for entry in record.read(folder / record.RECORD)] == [0, 1, 2, 3]
    assert len(check_folder(folder)) == 4
    do('sample', model, '--n', 1, '--out', tmp_path / 'a.png')
    do('sample', model, '--n', 2, '--out', tmp_path / 'a.png')
    entries = record.read(tmp_path / record.RECORD)
    assert len(entries) == 2 and record.newest(entries)['a.png']['seeds'] == '0-1'


@pytest.mark.slow
def test_without_marks_there_is_a_reason(model, tmp_path, capsys):
    do('sample', model, '--n', 2, '--out', tmp_path / 'a.png', '--unmarked', 'input of a metric')
    (line,) = record.read(tmp_path / record.RECORD)
    assert (line['marks'], line['unmarked']) == ([], 'input of a metric')
    assert read_credit(tmp_path / 'a.png') == {}
    pixels = frames(tmp_path / 'a.png')[0]
    assert watermark.detect(pixels, watermark.model_key(line['model'])).p_value > CERTAIN
    for options, message in (
        (('--unmarked', ' '), 'needs a reason'),
        (('--unmarked', 'x', '--out', '-'), 'name a --record FILE'),
        (('--unmarked', 'x', '--mark-key', 'k'), '--mark-key k has no meaning with --unmarked'),
        (('--mark-key', str(tmp_path / 'none')), 'No such file'),
        (('--mark-key', str(tmp_path)), 'it is no file'),
        (('--record', str(tmp_path)), 'it is a folder'),
    ):
        capsys.readouterr()
        assert main(['sample', str(model), '--out', str(tmp_path / 'b.png'), *options]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1
        assert not (tmp_path / 'b.png').exists()


def test_a_secret_makes_another_mark_and_is_not_told(tmp_path, monkeypatch):
    (tmp_path / 'key').write_bytes(b'sixteen secret bytes')
    (tmp_path / 'short').write_bytes(b'too short')
    marks = read_marks(mark_key=str(tmp_path / 'key'))
    monkeypatch.setenv('JAXGAN_MARK_KEY', str(tmp_path / 'key'))
    assert read_marks() == marks and read_marks(unmarked='no').secret == b''
    with pytest.raises(InputError, match='has 9 bytes: a secret has 16 to'):
        read_marks(mark_key=str(tmp_path / 'short'))
    write_picture(tmp_path / 'a.png', IMAGE, CREDIT._replace(marks=marks))
    data, told = (tmp_path / 'a.png').read_bytes(), read_credit(tmp_path / 'a.png')
    assert told['key'] == marks.key and len(marks.key) == 8 and b'secret' not in data
    pixels = frames(tmp_path / 'a.png')
    assert (
        watermark.batch(pixels, watermark.model_key(CREDIT.model, b'sixteen secret bytes')).p_value < CERTAIN
    )
    assert watermark.batch(pixels, watermark.model_key(CREDIT.model)).p_value > CERTAIN


@pytest.mark.parametrize('suffix', sorted(FORMATS))
def test_a_picture_has_all_its_marks(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    shown = write_picture(path, IMAGE, CREDIT)
    np.testing.assert_array_equal(shown, mark(IMAGE, CREDIT).pixels)
    assert check_folder(tmp_path) == [path.name]
    (line,) = record.read(tmp_path / record.RECORD)
    assert (line['seeds'], line['index'], line['details'], line['size']) == ('7', 3, {'psi': '0.5'}, [32, 40])
    assert read_credit(path)['index'] == '3'


def test_what_is_too_small_says_which_marks_it_has(tmp_path):
    write_picture(tmp_path / 'a.png', IMAGE[:7], CREDIT)
    assert record.read(tmp_path / record.RECORD)[0]['marks'] == ['xmp']
    assert len(to_bytes(IMAGE[:7], 'PNG', CREDIT)) > 0  # of which no line is wanted


def test_no_file_is_written_that_cannot_be_recorded(tmp_path):
    marks = Marks(record=tmp_path / 'a.png' / 'record.jsonl')
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(InputError, match='cannot write'):
        write_picture(tmp_path / 'b.png', IMAGE, CREDIT._replace(marks=marks))
    assert not (tmp_path / 'b.png').exists()


ENTRY = {
    'file': 'a.png', 'sha256': '0' * 64, 'phash': 'f' * 16, 'size': [1, 2], 'model': 'm', 'kind': 'k', 'marks': ['xmp'], 'details': {},
}  # fmt: skip


def test_a_record_survives_a_kill(tmp_path):
    path = tmp_path / 'new' / 'r.jsonl'
    record.append(path, [ENTRY, ENTRY])
    with path.open('ab') as file:
        file.write(b'{"file": "b.p')
    assert len(record.read(path)) == 2
    record.append(path, [ENTRY | {'file': 'c\udc80'}])
    assert [entry['file'] for entry in record.read(path)] == ['a.png', 'a.png', 'c?']


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('[]', 'is no JSON object'),
        (json.dumps(ENTRY), 'format_version None'),
        (json.dumps({'format_version': 1, **ENTRY, 'sha256': 'x'}), 'must be 64 hexadecimal digits'),
        (json.dumps({'format_version': 1, **ENTRY, 'marks': ['y']}), 'must be some of xmp'),
        (json.dumps({'format_version': 1, **ENTRY, 'phash': 3}), 'must be 16 hexadecimal digits'),
        ('{"a": NaN}', 'NaN is no number'),
        ('x' * (2**20 + 2), 'a line is longer'),
    ],
)
def test_a_strangers_record_is_refused_in_one_line(tmp_path, line, message):
    (tmp_path / 'r').write_text(line + '\n')
    with pytest.raises(InputError, match=message) as info:
        record.read(tmp_path / 'r')
    assert '\n' not in str(info.value)


def writers(folder):
    """All files below a folder with a call by which a file of pictures could be made."""
    names = ('save', 'imsave', 'imwrite', 'add_image')
    for path in sorted((ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if not (isinstance(called, ast.Attribute) and called.attr in names):
                continue
            if ast.unparse(called.value) not in NO_PICTURES:
                yield path.relative_to(ROOT).as_posix()


def test_pictures_are_written_by_the_marked_writer_alone():
    assert set(writers('jaxgan')) == set(WRITERS)


def test_scripts_of_the_documentation_write_what_is_real_or_write_nothing():
    allowed = {
        'attribution',
        'copying',
        'fingerprint',
        'manifest_speed',
        'ada_sheet',
        'measures_move',
        'hash_distances',
        'marks',
    }  # real images, transformed, or in memory to measure
    assert {Path(name).stem for name in writers('docs/scripts')} <= allowed
