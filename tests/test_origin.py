"""What a checkpoint says of environment and data, and what happens where they are others."""

import dataclasses
import os

import jax
import numpy as np
import pytest
from runs import make_data, run, tiny

from jaxgan import environment, loop
from jaxgan.data import DataConfig, open_feed, open_source
from jaxgan.data.fingerprint import fingerprint_arrays, glance
from jaxgan.errors import InputError, MachineError
from jaxgan.origin import Origin, look
from jaxgan.trainer import make_trainer


def data(folder, name='data.npz', change=None, n=24, labels=True):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (n, 8, 8, 3), np.uint8)
    y = np.arange(n) % 3
    if change is not None:
        change(images, y)
    np.savez(folder / name, x_train=images, **({'y_train': y} if labels else {}))
    return DataConfig(f'npz:{folder / name}')


def origin_of(config):
    source = open_source(config)
    return Origin(open_feed(source, config, batch_size=4, seed=0), source, source.info)


def meta_of(origin, **info):
    return origin.meta() | {'data': dataclasses.asdict(origin._info) | info}


class TestData:
    @pytest.mark.parametrize('residence', ['device', 'stream'])
    def test_a_changed_pixel_or_label_is_seen_wherever_the_data_live(self, tmp_path, residence):
        def look_at(*args, **kwargs):
            config = dataclasses.replace(data(tmp_path, *args, **kwargs), residence=residence)
            source = open_source(config)
            return look(open_feed(source, config, batch_size=4, seed=0), source)

        def pixel(images, labels):
            images[20, 1, 2, 0] ^= 1

        def label(images, labels):
            labels[3] = 2

        first = look_at()
        assert look_at('copy.npz') == first  # wherever it lies
        others = [
            look_at('b.npz', pixel),
            look_at('c.npz', label),
            look_at('d.npz', labels=False),
            look_at('e.npz', n=23),
        ]
        assert len({str(one) for one in [first, *others]}) == 5
        assert first['of'] == ('all' if residence == 'device' else 'some')

    def test_large_streams_are_looked_at_here_and_there(self):
        class Source:
            info = open_source(DataConfig('points:ring8', label='none')).info

            def __init__(self):
                self.read = []

            def labels(self):
                raise AssertionError('nobody may ask for ten million labels')

            def __len__(self):
                return 10_000_000

            def __getitem__(self, index):
                self.read.append(index)
                return {'image': np.zeros((1, 1, 2), np.float32)}

        source = Source()
        glance(source)
        assert (len(source.read), source.read[0], source.read[-1]) == (256, 0, 9_999_999)

    @pytest.mark.slow
    def test_points_have_one_too(self):
        assert origin_of(DataConfig('points:ring8', label='none')).meta()['fingerprint']['of'] == 'all'

    def test_forms_and_names_count(self):
        zeros = np.zeros((2, 2), np.uint8)
        arrays = [{'a': zeros}, {'b': zeros}, {'a': zeros.reshape(4)}, {'a': zeros.astype(np.int8)}]
        assert len({fingerprint_arrays(one) for one in arrays}) == 4

    def test_other_data_are_refused_with_what_differs(self, tmp_path):
        before = meta_of(origin_of(data(tmp_path)))

        def pixel(images, labels):
            images[0, 0, 0, 0] ^= 1

        for change, n, message in (
            (pixel, 24, 'as many images, with other contents'),
            (None, 20, 'count: 24 -> 20'),
        ):
            origin = origin_of(data(tmp_path, 'other.npz', change, n))
            with pytest.raises(
                InputError, match=rf'it was trained on other data than .*\({message}\); bring'
            ) as info:
                origin.check(before, 'it', False, print)
            assert '\n' not in str(info.value)

    def test_a_checkpoint_that_says_nothing_fits(self, tmp_path):
        origin_of(data(tmp_path)).check({'data': {}}, 'it', True, print)


class TestEnvironment:
    def test_it_has_all_on_which_bits_depend_and_is_the_same_twice(self):
        found = environment.environment()
        assert found == environment.environment()
        assert found['jax'] == jax.__version__
        assert {
            'jaxlib',
            'flax',
            'optax',
            'orbax-checkpoint',
            'python',
            'machine',
            'backend',
            'device',
        } < set(found)
        assert {'devices', 'processes', 'cores', 'XLA_FLAGS', 'LIBTPU_INIT_ARGS', 'kernels', 'x64'} < set(
            found
        )
        assert found['XLA_FLAGS'] == os.environ['XLA_FLAGS']

    def test_another_one_is_said_or_refused(self, tmp_path):
        origin, said = origin_of(data(tmp_path)), []
        origin.check(meta_of(origin), 'it', True, said.append)
        assert said == []
        meta = meta_of(origin)
        meta['environment'] = meta['environment'] | {'cores': 512, 'XLA_FLAGS': ''}
        origin.check(meta, 'it', False, said.append)
        here = environment.environment()
        assert said == [
            'another environment: the training continues, but not bit for bit '
            f'(cores: 512 -> {here["cores"]}; XLA_FLAGS: not set -> {here["XLA_FLAGS"]})'
        ]
        with pytest.raises(MachineError, match='--strict-env') as info:
            origin.check(meta, 'it', True, print)
        assert '\n' not in str(info.value)


@pytest.mark.slow
def test_a_run_goes_on_only_with_its_data_and_strictly_only_in_its_environment(tmp_path, monkeypatch, capsys):
    config = tiny(make_data(tmp_path), images=16)
    assert run(config, tmp_path / 'run') == 0
    longer = dataclasses.replace(config, images=32)
    cores = environment.cores()
    monkeypatch.setattr(environment, 'cores', lambda: cores + 1)
    trainer = make_trainer(longer, open_source(longer.data))
    with pytest.raises(MachineError, match=f'another environment .cores: {cores} -> {cores + 1}.'):
        loop.train(trainer, tmp_path / 'run', strict_env=True)
    assert loop.train(trainer, tmp_path / 'run') == 0
    assert 'not bit for bit (cores' in capsys.readouterr().out
    (tmp_path / 'data.npz').unlink()
    make_data(tmp_path, n=25)
    with pytest.raises(InputError, match='count: 24 -> 25'):
        run(dataclasses.replace(config, images=48), tmp_path / 'run')
