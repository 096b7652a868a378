"""``jaxgan evaluate``: images against images, what is cached, what is refused; and evaluation while a run trains."""

import dataclasses
import math
import shutil

import numpy as np
import pytest
from runs import make_data, run, tiny

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.cli import main
from jaxgan.data import DataConfig, open_source
from jaxgan.errors import InputError
from jaxgan.evaluate import Fakes, Reals, measure, plan
from jaxgan.evaluating import of_files
from jaxgan.metrics import reference
from jaxgan.metrics.assets import MissingAsset
from jaxgan.metrics.config import Evaluation
from jaxgan.metrics.extractors import load
from jaxgan.metrics.frechet import frechet_distance_of_features
from jaxgan.metrics.gather import gather
from jaxgan.metrics.protocol import Measurement, Protocol, read_measurements
from jaxgan.run.evaluator import Record, append

SIDE = 4
MEASURED = Evaluation(every=16, measures=('fd', 'precision_recall'), extractor='pixels', n=12)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('JAXGAN_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'statistics'


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    split = {
        f'{kind}_{name}': values
        for name, n in (('train', 150), ('test', 120))
        for kind, values in (
            ('x', random.integers(0, 256, (n, SIDE, SIDE, 3), np.uint8)),
            ('y', np.arange(n) % 3),
        )
    }
    np.savez(tmp_path / 'data.npz', **split)
    return f'npz:{tmp_path / "data.npz"}'


def images(path, name='x_train'):
    with np.load(path.removeprefix('npz:')) as file:
        return file[name]


def batches(pixels, size):
    for i in range(0, len(pixels), size):
        yield pixels[i : i + size], None


def test_gathering_does_not_depend_on_the_batch(data):
    extractor, pixels = load('pixels'), images(data)
    a, b = (gather(extractor, batches(pixels, size), size, keep=True) for size in (64, 7))
    assert a.count == b.count == 150
    np.testing.assert_array_equal(a.features, b.features)
    np.testing.assert_allclose(a.statistics.cov, b.statistics.cov, atol=1e-6)
    np.testing.assert_allclose(a.statistics.cov, np.cov(a.features.T), atol=1e-6)
    with pytest.raises(InputError, match='no images to measure'):
        gather(extractor, iter(()), 8, keep=False)


def test_numbers_are_those_of_the_features(data):
    train, test = (open_source(DataConfig(data, split)) for split in ('train', 'test'))
    fakes, reals = of_files(test), Reals(train)
    found = measure(plan(load('pixels'), reals, fakes, None, ['fd']), fakes)
    (one,) = found.measurements
    flat = [images(data, name).reshape(-1, SIDE * SIDE * 3) / 127.5 - 1 for name in ('x_train', 'x_test')]
    assert one.metric == 'FD-pixels'
    assert one.value == pytest.approx(frechet_distance_of_features(*flat), rel=1e-5)
    assert (one.protocol.real, one.protocol.fake, one.protocol.generator) == (150, 120, 'files')
    assert found.nearest is None


def test_mirrored_images_count_too(data):
    train = open_source(DataConfig(data, 'train'))
    fakes = of_files(open_source(DataConfig(data, 'test')))
    made = [Reals(train, count, flip) for count, flip in ((None, False), (None, True), (20, True))]
    found = [
        measure(plan(load('pixels'), reals, fakes, None, ['fd', 'density_coverage']), fakes) for reals in made
    ]
    assert [one.measurements[0].protocol.real for one in found] == [150, 300, 40]
    assert len({one.measurements[0].value for one in found}) == 3
    for one in found:
        np.testing.assert_array_equal(one.nearest['generated'], images(data, 'x_test')[:24])


def test_the_nearest_image_of_a_copy_is_its_original(data):
    train = open_source(DataConfig(data, 'train'))
    for reals in (Reals(train), Reals(train, 100), Reals(train, flip=True)):
        fakes = of_files(train)
        found = measure(plan(load('pixels'), reals, fakes, None, ['kid']), fakes).nearest
        seen = [found['distances'][i, 0] == 0 for i in range(24)]
        assert reals.count or all(seen)
        for i in np.flatnonzero(seen):
            pair = found['real'][i, 0], found['generated'][i]
            assert np.array_equal(*pair) or (reals.flip and np.array_equal(pair[0][:, ::-1], pair[1]))
        assert found['about']['searched'] == {None: 150, 100: 100}[reals.count] * (1 + reals.flip)


def test_what_is_seen_of_real_images_is_cached_by_content(data, cache, tmp_path, monkeypatch):
    def go(name, names=('fd',), **changes):
        reals = Reals(open_source(DataConfig(name, 'train')), **changes)
        fakes = of_files(open_source(DataConfig(data, 'test')))
        return measure(plan(load('pixels'), reals, fakes, None, names), fakes).measurements[0].value

    first = go(data)
    assert len(list(cache.iterdir())) == 1
    copy = tmp_path / 'copy.npz'
    copy.write_bytes((tmp_path / 'data.npz').read_bytes())
    with monkeypatch.context() as patch:  # nothing is computed again, for a copy under another name either
        patch.setattr('jaxgan.realimages.gather', lambda *_: pytest.fail('computed again'))
        assert go(data) == go(f'npz:{copy}') == first
    go(data, count=50)
    go(data, flip=True)
    assert len(list(cache.iterdir())) == 3
    go(data, ('kid',))  # needs features, which the file had not
    assert len(list(cache.iterdir())) == 3
    (file,) = [
        path
        for path in cache.iterdir()
        if path.stat().st_size == max(p.stat().st_size for p in cache.iterdir())
    ]
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b'', whole.replace(whole[-3000:-2990], b'0123456789')):
        file.write_bytes(damaged)
        assert go(data) == first
        assert file.read_bytes() == whole or reference._read(file) is not None


def test_a_cache_that_cannot_be_written_does_not_matter(data, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('JAXGAN_CACHE', str(tmp_path / 'file'))
    reals, fakes = Reals(open_source(DataConfig(data))), of_files(open_source(DataConfig(data, 'test')))
    assert measure(plan(load('pixels'), reals, fakes, None, ['fd']), fakes).measurements


def test_a_single_held_out_image_costs_the_measure_that_needs_more(data):
    source = open_source(DataConfig(data))
    made = plan(
        load('pixels'), Reals(source), of_files(source), open_source(DataConfig(data, 'test[:1]')), None
    )
    assert 'fd' in made.chosen
    assert made.held_out is None
    assert made.skipped['copying'].startswith('it needs held-out real images, 2 or more')


def test_measures_that_cannot_be_taken_say_why(data):
    source = open_source(DataConfig(data))
    fakes = of_files(source)
    made = plan(load('pixels'), Reals(source), fakes, None, None)
    assert sorted(made.chosen) == ['density_coverage', 'fd', 'kid', 'precision_recall']
    assert made.skipped == {
        'is': 'the extractor tells no kinds of classes apart, and it needs one',
        'modes': 'the data have no known modes that the extractor tells apart',
        'copying': 'it needs held-out real images, 2 or more: give --held-out SPLIT',
        'ms_ssim': 'images of 4 pixels are too small for its window of 11',
    }
    with pytest.raises(InputError, match='measure copying cannot be taken: it needs held-out real images'):
        plan(load('pixels'), Reals(source), fakes, None, ['copying'])
    with pytest.raises(InputError, match=r"unknown measure 'kidd'; did you mean 'kid'\?"):
        plan(load('pixels'), Reals(source), fakes, None, ['kidd'])
    larger = fakes._replace(size=8)
    with pytest.raises(
        InputError, match=r'generated images are 8x8 with 3 channels, .* 4x4 with 3: they do not'
    ):
        plan(load('pixels'), Reals(source), larger, None, None)
    with pytest.raises(InputError, match=r'151 images of npz:.* \(allowed: 2 to 150, which it has\)'):
        plan(load('pixels'), Reals(source, 151), fakes, None, ['fd'])
    with pytest.raises(InputError, match='no measures are named'):
        plan(load('pixels'), Reals(source), fakes, None, [])


def test_labels_are_those_of_the_data(data):
    source, asked = open_source(DataConfig(data)), []

    def draw(numbers, labels):
        asked.append((numbers, labels))
        return images(data)[numbers % 150]

    names = source.info.classes
    for classes, given in ((3, None), (3, names), (3, names[::-1]), (5, None)):
        fakes = Fakes(draw, 90, SIDE, 3, classes, 'average', 7, names=given)
        found = measure(plan(load('pixels'), Reals(source), fakes, None, ['fd']), fakes)
        labels = np.concatenate([labels for _, labels in asked])
        np.testing.assert_array_equal(np.concatenate([numbers for numbers, _ in asked]), np.arange(7, 97))
        if given in (None, names) and classes == 3:
            assert set(labels) == {0, 1, 2} and np.ptp(np.bincount(labels)) < 25
            assert found.measurements[0].protocol.labels == 'data'
        else:
            np.testing.assert_array_equal(labels, np.arange(90) % classes)
            assert found.measurements[0].protocol.labels == 'each in turn'
        asked.clear()


@pytest.mark.slow
def test_modes_and_copying_of_the_embedded_data(tmp_path):
    def opened(split):
        return open_source(DataConfig('pixel_avatars', split, data_dir=str(tmp_path)))

    held, reals = opened('test[:400]'), Reals(opened('train[:600]'))
    names = ['modes', 'copying']
    found = {}
    for kind, split in (('fresh', 'test[400:800]'), ('copies', 'train[:400]')):
        fakes = of_files(opened(split))
        for one in measure(plan(load('pixel_avatars'), reals, fakes, held, names), fakes).measurements:
            found[kind, one.metric] = one.value
    assert found['copies', 'C_T-Avatars'] < -5 < -3 < found['fresh', 'C_T-Avatars'] < 3
    assert 0 <= found['copies', 'KL of attributes-Avatars'] < found['fresh', 'KL of attributes-Avatars'] < 0.1


# the command


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A run with evaluation at each 16 images of 64."""
    folder = tmp_path_factory.mktemp('evaluated')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('JAXGAN_CACHE', str(folder / 'cache'))
        config = dataclasses.replace(tiny(make_data(folder)), evaluation=MEASURED)
        assert run(config, folder / 'run') == 0
    return config, folder / 'run'


def test_a_run_measures_itself(trained):
    _, folder = trained
    found = read_measurements(folder)
    assert [one.images_seen for one in found] == [n for n in (16, 32, 48, 64) for _ in range(3)]
    assert {one.metric for one in found} == {'FD-pixels', 'precision-pixels', 'recall-pixels'}
    values = [one.value for one in found if one.metric == 'FD-pixels']
    with Checkpoints(folder / 'best') as best:
        assert best.steps() == [2 * (1 + int(np.argmin(values)))]
    with np.load(folder / 'nearest.npz') as file:
        assert file['real'].shape == (12, 4, 16, 16, 3)


@pytest.mark.slow
def test_a_resumed_run_has_the_same_numbers(trained, tmp_path):
    config, folder = trained
    part = dataclasses.replace(config, images=32)
    assert run(part, tmp_path / 'run') == 0
    path = tmp_path / 'run' / 'evaluations.jsonl'
    path.write_text(path.read_text() + '{"half a line')  # as a kill may leave it
    assert run(config, tmp_path / 'run') == 0
    a, b = (read_measurements(path) for path in (folder, tmp_path / 'run'))
    assert a == b


ONE = Protocol('pixels', 'ab', 'none', 'x', 'train', 'cd', 16, 48, True, 12, 'average', 'none', 0)


def evaluated(folder, values, origin='training', **changes):
    protocol = dataclasses.replace(ONE, **changes)
    for value in values:
        append(folder / 'evaluations.jsonl', [Measurement('FD', value, None, protocol, 1, 8)], 1.0, origin)


@pytest.mark.parametrize(
    ('values', 'patience', 'exhausted'),
    [
        ([], 1, False),
        ([3.0], 1, False),
        ([3.0, 2.0], 1, False),
        ([3.0, 3.0], 1, True),
        ([3.0, 4.0, 5.0], 3, False),
        ([3.0, 4.0, 5.0, 3.5], 3, True),
        ([math.nan, math.nan], 1, True),
        ([math.nan, 9.0], 1, False),
        ([3.0, 4.0, 5.0], None, False),
    ],
)
def test_patience_counts_what_is_no_better(tmp_path, values, patience, exhausted):
    evaluated(tmp_path, values)
    assert Record(tmp_path, 'FD', patience).exhausted == exhausted


def test_numbers_of_others_do_not_decide(tmp_path):
    evaluated(tmp_path, [5.0])
    evaluated(tmp_path, [1.0, 1.0], origin='command')
    evaluated(tmp_path, [1.0, 1.0], fake=50_000)
    path = tmp_path / 'evaluations.jsonl'
    path.write_text(path.read_text() + '{"metric": "FD"}\nnot a line\n7\n')
    record = Record(tmp_path, 'FD', 2)
    again = Measurement('FD', 4.0, None, ONE, 2, 16)
    assert record.add([again], 1.0)
    assert not record.add([again._replace(value=4.5)], 1.0)
    assert not record.exhausted
    assert not record.add([again._replace(value=math.inf)], 1.0)
    assert record.exhausted
    assert [record.has(step) for step in (1, 2, 3)] == [True, True, False]


@pytest.mark.slow
def test_what_goes_wrong_in_an_evaluation_costs_that_evaluation(trained, tmp_path, capsys, monkeypatch):
    config, _ = trained

    def broken(*_):
        raise InputError('no cell has test samples')

    monkeypatch.setattr('jaxgan.run.evaluator.measure', broken)
    assert run(dataclasses.replace(config, images=32), tmp_path / 'run') == 0
    out = capsys.readouterr().out
    assert (
        out.count('not evaluated: no cell has test samples') == 2 and not (tmp_path / 'run' / 'best').exists()
    )
    with Checkpoints(tmp_path / 'run' / 'checkpoints') as checkpoints:
        assert checkpoints.steps() == [2, 4]  # saved before each


def test_a_measure_that_fails_is_said_and_the_others_stand(data):
    source = open_source(DataConfig(data))
    fakes = of_files(source)._replace(classes=3)
    found = measure(
        plan(load('pixels'), Reals(source, 30), fakes._replace(count=30), None, ['fd', 'fd_by_class']),
        fakes._replace(count=30),
    )
    assert [one.metric for one in found.measurements] == ['FD-pixels']
    assert found.failed['fd_by_class'].startswith('no class has 50 real')


def test_a_changed_image_or_label_is_another_fingerprint(data, tmp_path):
    def changed(name, place, value):
        with np.load(tmp_path / 'data.npz') as file:
            arrays = {key: file[key].copy() for key in file.files}
        arrays[name][place] = value
        np.savez(tmp_path / 'changed.npz', **arrays)
        return Reals(open_source(DataConfig(f'npz:{tmp_path / "changed.npz"}'))).fingerprint

    first = Reals(open_source(DataConfig(data))).fingerprint
    assert changed('x_test', 0, 0) == first
    assert len({first, changed('x_train', (77, 1, 2, 0), 0), changed('y_train', 149, 0)}) == 3


def test_later_states_do_not_stay_the_best(trained, tmp_path):
    _, folder = trained
    shutil.copytree(folder / 'best', tmp_path / 'best')
    with Checkpoints(tmp_path / 'best', keep=1) as best:
        (step,) = best.steps()
        best.drop_after(step)
        assert best.steps() == [step]
        best.drop_after(step - 1)
        assert best.steps() == []


@pytest.mark.slow
def test_a_single_image_can_still_be_trained_on(tmp_path):
    config = dataclasses.replace(tiny(make_data(tmp_path, n=1)), images=16)
    assert run(config, tmp_path / 'run') == 0


def test_the_command_measures_a_run_and_keeps_the_numbers(trained, tmp_path, capsys):
    _, folder = trained
    arguments = ['evaluate', str(folder), '--extractor', 'pixels', '--n', '12', '--measures', 'fd']
    before = len(read_measurements(folder))
    assert main([*arguments, '--out', str(tmp_path / 'out.jsonl')]) == 0
    assert 'FD-pixels' in capsys.readouterr().out
    found = read_measurements(folder)
    assert len(found) == before + 1
    last = [one for one in found[:before] if one.metric == 'FD-pixels'][-1]
    assert found[-1] == last  # trained with flips, so measured with flips
    assert main([*arguments, '--flip', 'False', '--split', 'train[:20]']) == 0
    other = read_measurements(folder)[-1].protocol
    assert (other.real, other.flip, other.split) == (20, False, 'train[:20]')
    assert [one.metric for one in read_measurements(tmp_path / 'out.jsonl')] == ['FD-pixels']
    assert main([*arguments, '--best']) == 0
    values = [one.value for one in found[:before] if one.metric == 'FD-pixels']
    assert read_measurements(folder)[-1].value == pytest.approx(min(values))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere', '--data', 'pixel_avatars'], 'nowhere does not exist'),
        (['{folder}'], 'says nothing of its data: give --data'),
        (['{folder}', '--data', 'pixel_avatars', '--n', '1'], 'n 1 must be at least 2'),
        (['{folder}', '--data', 'pixel_avatars', '--out', 'x.csv'], 'out x.csv must end in .jsonl'),
        (['{folder}', '--data', 'pixel_avatars', '--extractor', 'vgg'], "unknown extractor 'vgg'"),
        (['{folder}', '--data', 'pixel_avatars', '--weights', 'w.pth'], 'Give --extractor'),
        (['{folder}', '--data', 'pixel_avatars', '--measures', 'ppl', '--extractor', 'pixels'], 'ppl|lpips'),
        (['{folder}', '--data', 'pixel_avatars', '--step', '3'], 'has no checkpoint 3'),
        (['{folder}', '--data', 'pixel_avatars', '--n', '4'], '4 images of folder'),
        (['{folder}', '--data', 'points:ring25'], 'means nothing to points:ring25'),
        (['{folder}', '--data', 'pixel_avatars', '--out', '{folder}/0.png/x.jsonl'], 'cannot be written'),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, capsys, arguments, message):
    from PIL import Image

    (tmp_path / 'images').mkdir()
    for i in range(3):
        Image.fromarray(np.full((16, 16, 3), 80 * i, np.uint8)).save(tmp_path / 'images' / f'{i}.png')
    before = sorted(path for path in tmp_path.rglob('*') if 'cache' not in str(path))
    filled = [text.replace('{folder}', str(tmp_path / 'images')) for text in arguments]
    assert main(['evaluate', *filled]) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and any(part in err for part in message.split('|')), err
    assert sorted(path for path in tmp_path.rglob('*') if 'cache' not in str(path)) == before


def test_a_missing_file_of_weights_does_not_stop_a_training(trained, tmp_path, capsys, monkeypatch):
    def missing(*_):
        raise MissingAsset('the weights of vgg16 are not on this machine: pip install ...')

    monkeypatch.setattr('jaxgan.run.evaluator.choose_extractor', missing)
    config, _ = trained
    from jaxgan.run.trainer import make_trainer

    trainer = make_trainer(config, open_source(config.data))
    assert trainer.evaluator.measure is None
    assert trainer.evaluator.note.startswith(
        'nothing is evaluated: the weights of vgg16 are not on this machine'
    )
    trainer.feed.close()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'n': 10}, 'has no effect while every is 0'),
        ({'every': 10, 'n': 1}, 'evaluation.n 1 must be at least 2'),
        ({'every': 10, 'measures': ('kid',)}, 'evaluation.best fd must be among'),
        ({'every': 10, 'best': 'none', 'patience': 2}, 'evaluation.patience 2 needs evaluation.best'),
        ({'every': -1}, 'evaluation.every -1 must be at least 1'),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused(changes, message):
    from jaxgan.config import Config, check

    with pytest.raises(InputError, match=message):
        check(Config(evaluation=Evaluation(**changes)))
