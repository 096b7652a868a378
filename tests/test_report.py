"""The page of a run: what it shows, that it is one file without network, and that nothing in a run's files can run in it."""

import dataclasses
import hashlib
import html.parser
import json
import os
import re

import numpy as np
import pytest
from PIL import Image
from reports import (
    HOSTILE,
    evaluation,
    make_full_run,
    make_run,
    metrics,
    write_grids,
    write_lines,
    write_nearest,
)

from jaxgan.checkpoints.manifest import RECORD, make_record
from jaxgan.cli import main
from jaxgan.report import gather, pictures, render, write_report
from jaxgan.report.curves import MEANS, POINTS, metric_charts, metric_line, thin
from jaxgan.report.evaluations import evaluation_line, tabulate


class Page(html.parser.HTMLParser):
    """The elements of a page, and its text outside scripts and style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.data, self._inside = [], '', {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = (tag, dict(attrs))
        self.text += ' '  # cells and terms stand apart

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        tag, attributes = self._inside or ('', {})
        if tag == 'script' and attributes.get('type') == 'application/json':
            self.data[attributes['id']] = json.loads(data)
        elif tag not in ('script', 'style'):
            self.text += data

    def all(self, tag, **attributes):
        return [a for t, a in self.elements if t == tag and attributes.items() <= a.items()]


def page_of(run):
    text = render(gather(run))
    return Page(text), text


def words(page):
    return ' '.join(page.text.split())


@pytest.fixture(scope='module')
def full(tmp_path_factory):
    return make_full_run(tmp_path_factory.mktemp('report') / 'run')


def test_a_plain_run(tmp_path):
    page, _ = page_of(make_run(tmp_path / 'first'))
    assert 'finished: 64,000 images seen' in words(page)
    assert 'by a generator (dcgan) that jaxgan trained on pixel_avatars' in words(page)
    assert 'Nothing was evaluated. python -m jaxgan evaluate RUN --data' in words(page)
    assert 'No nearest images were looked for' in words(page)
    assert 'No warning was written' in words(page)
    assert 'Not everything could be read' not in words(page)
    titles = [chart['title'] for chart in page.data['charts']]
    assert titles == ['Losses', 'Logits of D', 'Gradient norms', 'Penalties', 'Speed']
    assert [image.get('data-images-seen') for image in page.all('img')] == ['0', '32,000', '64,000']
    assert all(image['alt'] for image in page.all('img'))


def test_it_is_one_file_without_network(full):
    page, text = page_of(full)
    for tag, attributes in page.elements:
        for name in ('src', 'href', 'action', 'data', 'srcset', 'poster', 'style'):
            assert attributes.get(name, '#').startswith(('#', 'data:')), (tag, name)
    assert '@import' not in text
    assert 'url(' not in text
    policy = page.all('meta', **{'http-equiv': 'Content-Security-Policy'})[0]['content']
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert 'unsafe' not in policy


def test_what_files_say_is_text(full):
    page, text = page_of(full)
    assert len(re.findall('<script', text)) == 3  # two blocks of data, and ours
    assert not [a for _, a in page.elements if any(name.startswith('on') for name in a)]
    assert all(image['src'].startswith('data:image/webp;base64,') for image in page.all('img'))
    assert HOSTILE in page.text
    assert any(chart['title'] == HOSTILE for chart in page.data['charts'])


def test_a_link_to_the_data_is_https_only(tmp_path):
    data = gather(make_run(tmp_path / 'run'))
    for origin, links in (('https://example.org/a', 1), ('javascript:alert(1)', 0), ('/home/me/pictures', 0)):
        page = Page(render(dataclasses.replace(data, origin=origin)))
        assert len(page.all('a', href=origin)) == links


def test_the_table_of_metrics(full):
    page, _ = page_of(full)
    assert 'FID: not comparable between P1, P2. The protocols differ in generated, note.' in words(page)
    assert 'KID P1 0.01 ± 0.002 32,000' in words(page)
    assert [(c['title'].lower(), c['unit']) for c in page.data['evaluations']] == [('fid', 'protocol P1')]
    assert page.data['evaluations'][0]['series'][0]['y'] == [90.0, 40.5]


def test_protocols_are_never_mixed():
    rows = [evaluation(1.0, 16), evaluation(2.0, 32, split='test'), evaluation(3.0, 48), evaluation(4.0, 48)]
    rows += [evaluation(9.0, 16, resize='none'), evaluation(8.0, 32, flips=None)]
    found = tabulate([evaluation_line(row) for row in rows])
    assert [(r.protocol, r.points, r.latest.value) for r in found.results] == [
        ('P1', 2, 4.0),  # of two evaluations of a step the later line
        ('P2', 1, 2.0),
        ('P3', 1, 9.0),
        ('P4', 1, 8.0),
    ]
    assert found.clashes[0].keys == ('flips', 'resize', 'split')
    assert len(found.charts) == 1
    assert evaluation_line(evaluation('many')) is None
    assert evaluation_line({**evaluation(1.0), 'protocol': 'FID-50k'}) is None


def test_values_that_are_not_finite_stay_in_the_curves(full):
    losses = Page(render(gather(full))).data['charts'][0]
    assert losses['not_finite'] == 3
    assert losses['series'][1]['y'][4:6] == ['nan', 'inf']
    assert losses['series'][0]['y'][9] == '-inf'


def test_thinning_keeps_ends_and_extremes():
    random = np.random.default_rng(0)
    y = random.normal(size=50_000).tolist()
    y[12_345], y[23_456], y[34_567] = 99.0, -99.0, 'nan'
    kept = thin(y, POINTS)
    assert len(kept) <= POINTS + 3
    assert {0, 12_345, 23_456, 34_567, 49_999} <= set(kept)
    assert kept == sorted(kept)


@pytest.mark.slow
def test_a_long_training_stays_small(tmp_path):
    run = make_run(tmp_path / 'run')
    write_lines(run / 'metrics.jsonl', metrics(8_000, every=40))
    write_grids(run / 'samples', range(0, 320_000, 3_200))
    page, text = page_of(run)
    assert len(text) < 5e6
    assert 'Drawn: means and extremes of 8,000 points' in words(page)
    losses = page.data['charts'][0]['series'][0]
    assert len(losses['mean_x']) == len(losses['mean_y']) == MEANS
    assert len(losses['y']) <= POINTS + 2
    assert f'{pictures.MOST_GRIDS} of 100 grids are shown, evenly chosen' in words(page)
    shown = [image['data-images-seen'] for image in page.all('img')]
    assert (shown[0], shown[-1]) == ('0', '316,800')


def test_grids_have_a_budget_of_bytes(tmp_path, monkeypatch):
    folder = tmp_path / 'samples'
    write_grids(folder, range(8), side=100)
    monkeypatch.setattr(pictures, 'GRID_BYTES', 100_000)  # noise: 30 kB each
    found = pictures.gallery(folder, [])
    assert [found.grids[0].images_seen, found.grids[-1].images_seen] == [0, 7]
    assert 2 <= len(found.grids) <= 3
    assert not found.lossy
    monkeypatch.setattr(pictures, 'ONE_GRID', 10_000)
    monkeypatch.setattr(pictures, 'MOST_SIDE', 50)
    found = pictures.gallery(folder, [])
    assert found.lossy
    assert sum(len(grid.picture.uri) for grid in found.grids) < 1.4 * 100_000


def test_curves_of_unknown_metrics_and_lines_out_of_order():
    lines = [metric_line({'step': i, 'images_seen': i, 'ada/p': i, 'odd': [1]}) for i in (3, 1, 2)]
    (chart,) = metric_charts(lines, ['d/r1'])
    assert (chart.title, chart.series[0].x, chart.series[0].y) == ('ada/p', (1, 2, 3), (1.0, 2.0, 3.0))
    assert metric_charts([], []) == ()
    assert metric_line({'step': 1, 'images_seen': 'many'}) is None


def test_warnings_of_a_kind_are_one_row(full):
    (trouble,) = gather(full).troubles
    assert (trouble.count, trouble.first, trouble.last) == (2, 16, 32)


def test_settings_are_named_as_on_the_command_line(tmp_path):
    run = make_run(tmp_path / 'run', seed=7, penalties=[{'name': 'r1', 'weight': [1.0, 1.0]}], images=200_000)
    changed = {setting.name: (setting.value, setting.default) for setting in gather(run).settings}
    assert changed['seed'] == ('7', '0')
    assert changed['penalties.0.weight'] == ('[1.0, 1.0]', '[0.3, 0.1]')
    assert changed['penalties.1.name'] == ('—', 'r2')
    assert 'images' not in changed


def test_the_checkpoint_says_what_the_model_is(tmp_path):
    run = make_run(tmp_path / 'run')
    data = {'name': 'cats', 'split': 'train', 'count': 1_234, 'size': 8, 'channels': 1, 'licence': 'CC0 1.0'}
    data |= {'classes': ['a', HOSTILE], 'origin': 'somewhere'}
    meta = {'data': data, 'images_seen': 65_000, 'jaxgan': '0.1.0', 'environment': {'device': 'cpu'}}
    form = ['float32', [3, 5]], np.zeros((3, 5), np.float32)
    folder = run / 'checkpoints' / '4000' / 'meta'
    folder.mkdir(parents=True)
    (folder / RECORD).write_text(json.dumps(make_record({'g/params/w': form, 'g/params/v': form}, meta)))
    page, text = page_of(run)
    assert 'trained on cats, 1,234 images of the split train' in words(page)
    assert 'Licence of the data: CC0 1.0.' in words(page)
    assert '30 parameters' in words(page)
    assert 'finished: 65,000 images seen' in words(page)
    assert 'environment.device cpu' in words(page)
    assert HOSTILE not in text
    no_object = {'meta': [1], 'meta_sha256': hashlib.sha256(b'[1]').hexdigest(), 'leaves': {}}
    for damaged in ('{', json.dumps(no_object)):
        (folder / RECORD).write_text(damaged)
        assert 'The newest checkpoint is not described' in words(page_of(run)[0])


def test_what_cannot_be_read_is_said(tmp_path):
    run = make_run(tmp_path / 'run')
    with (run / 'metrics.jsonl').open('ab') as file:
        file.write(b'[1]\n\xff\xfe\n{"step": 1e999, "images_seen": 3}\n' + b'[' * 100_000 + b'\n{"step": 4')
    (run / 'samples' / '000000000.png').write_bytes(b'\x89PNG nothing')
    (run / 'samples' / '000032000.png').write_bytes((run / 'samples' / '000064000.png').read_bytes()[:300])
    (run / 'nearest.npz').write_bytes(b'PK nothing')
    (run / 'evaluations.jsonl').write_text('{"step": 1}\n')
    page, _ = page_of(run)
    for sentence in (
        'metrics.jsonl: 5 lines could not be read and are left out.',
        '000000000.png cannot be read and is left out',
        '000032000.png cannot be read and is left out',
        'nearest.npz cannot be read',
        'evaluations.jsonl: 1 line could not be read and is left out.',
    ):
        assert sentence in words(page)
    assert len(page.all('img')) == 1


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'distances': np.zeros((6, 2))}, 'do not fit together'),
        ({'generated': np.zeros((6, 8, 8, 3))}, 'must be uint8'),
        ({'about': np.array('[')}, 'nearest.npz'),
        ({'about': np.array('[]')}, 'about must be a JSON object'),
        ({'real': np.array([None])}, 'nearest.npz'),  # would need pickle
    ],
)
def test_neighbours_that_do_not_fit(tmp_path, changes, reason):
    path = tmp_path / 'nearest.npz'
    write_nearest(path)
    with np.load(path) as arrays:
        np.savez(path, **(dict(arrays) | changes))
    notes = []
    assert pictures.neighbours(path, notes) is None
    assert len(notes) == 1 and reason in notes[0]


def test_the_closest_neighbours_come_first(tmp_path):
    path = tmp_path / 'nearest.npz'
    write_nearest(path, n=40, k=9)
    with np.load(path) as arrays:
        distances = arrays['distances'].copy()
        distances[7, 5], distances[3] = 0.5, np.nan
        np.savez(path, **(dict(arrays) | {'distances': distances}))
    found = pictures.neighbours(path, [])
    assert found.found == 40
    assert len(found.pairs) == pictures.PAIRS
    assert [n.distance for n in found.pairs[0].real] == sorted(np.sort(distances[7])[: pictures.NEIGHBOURS])
    nearest = [pair.real[0].distance for pair in found.pairs]
    assert nearest == sorted(nearest)
    assert found.about == (('extractor', 'pixel_avatars'), ('real', '16,000'))


def test_a_young_run_has_a_page(tmp_path):
    run = make_run(tmp_path / 'run')
    (run / 'metrics.jsonl').unlink()
    for path in (run / 'samples').iterdir():
        path.unlink()
    page, _ = page_of(run)
    assert 'not finished: 0 of 64,000 images seen (0%)' in words(page)
    assert 'no grid of samples yet' in words(page)
    assert 'no line of metrics yet' in words(page)


def test_the_command_writes_one_file(tmp_path, capsys):
    run = make_run(tmp_path / 'run')
    before = {path: path.read_bytes() for path in run.rglob('*') if path.is_file()}
    assert main(['report', str(run)]) == 0
    assert main(['report', str(run), '--out', str(tmp_path / 'pages' / 'mine.html')]) == 0
    assert f'wrote {run / "report.html"}: ' in capsys.readouterr().out
    assert (run / 'report.html').read_text('utf-8').startswith('<!doctype html>')
    assert (tmp_path / 'pages' / 'mine.html').exists()
    after = {path: path.read_bytes() for path in run.rglob('*') if path.is_file()}
    assert set(after) - set(before) == {run / 'report.html'}
    assert before.items() <= after.items()
    assert 'report.html' not in [name for name, _, _ in gather(run).files]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere'], 'nowhere does not exist; give the --workdir of a training'),
        (['.'], 'is no run: it has no config.json'),
        (['export'], 'is an export; a report needs the folder of a run'),
        (['broken'], 'cannot be read'),
        (['nested'], 'cannot be read'),
        (['list'], 'must hold a JSON object, not list'),
        (['run', '--out', 'run/metrics.jsonl'], "unknown kind of report '.jsonl' (allowed: .html, .htm)"),
        (['run', '--out', 'run/config.json/a.html'], 'cannot write'),
        (['run', '--outt', 'x.html'], 'did you mean --out?'),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / 'run')
    for name, file, text in (
        ('export', 'generator.json', '{}'),
        ('broken', 'config.json', '{"a"'),
        ('list', 'config.json', '[]'),
        ('nested', 'config.json', '{"a":' * 9_000 + '1' + '}' * 9_000),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    before = sorted(tmp_path.rglob('*'))
    assert main(['report', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert message in error
    assert sorted(tmp_path.rglob('*')) == before


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    run = make_run(tmp_path / 'run')
    path = write_report(run)
    path.write_text('old')

    def fail(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(ValueError, match='No space left'):
        write_report(run)
    assert path.read_text() == 'old'
    assert not list(run.glob('.*'))


def test_half_a_surrogate_pair_is_written(tmp_path):
    run = make_run(tmp_path / 'run', loss='\ud800')
    assert write_report(run).read_text('utf-8')


@pytest.mark.slow
def test_an_enormous_picture_is_not_decoded(tmp_path):
    run = make_run(tmp_path / 'run')
    Image.new('1', (20_000, 20_000)).save(run / 'samples' / '000070000.png')
    assert any('000070000.png cannot be read' in note for note in gather(run).notes)
