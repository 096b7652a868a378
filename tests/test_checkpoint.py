"""A checkpoint is the state, bit for bit, or an error of one line that says what is wrong."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import SingleDeviceSharding

from jaxgan import from_functions, storage
from jaxgan.checkpoint import Checkpoints
from jaxgan.errors import DivergedError, InputError, MachineError
from jaxgan.latents import normal
from jaxgan.losses import non_saturating
from jaxgan.manifest import named_leaves
from jaxgan.restore import restore_average, restore_state
from jaxgan.state import init_state
from jaxgan.steps import Recipe

WIDTH = 2000  # so large that the arrays have files of their own


def make_state(width=WIDTH, seed=0):
    def g_init(key, z, label):
        return {'dense': {'w': jax.random.normal(key, (4, width)), 'b': jnp.zeros((width,), jnp.bfloat16)}}

    generator = from_functions(g_init, lambda p, z, label: z @ p['dense']['w'])
    discriminator = from_functions(
        lambda key, x, label: [{'w': jax.random.normal(key, (width,))}], lambda p, x, label: x @ p[0]['w']
    )
    adam = optax.adam(1e-3)
    recipe = Recipe(loss=non_saturating, g_tx=adam, d_tx=adam, latents=normal(4))
    extra = {'ada': {'p': jnp.float32(0.25), 'key': jax.random.key(7)}}
    return init_state(
        jax.random.key(seed), generator, discriminator, recipe, {'image': jnp.zeros((2, width))}, extra
    )


def bits(tree):
    """Everything that must come back: structure, forms and bytes."""
    named = named_leaves(tree)
    raw = {
        n: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        for n, x in named.items()
    }
    return jax.tree.structure(tree), {
        n: (str(named[n].dtype), x.shape, np.asarray(x).tobytes()) for n, x in raw.items()
    }


def one_line(info):
    assert '\n' not in str(info.value)
    return str(info.value)


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """A folder with checkpoints 1, 2 and 3 of one state; tests do not change it."""
    folder = tmp_path_factory.mktemp('run') / 'checkpoints'
    with Checkpoints(folder, keep=3) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(
                step, make_state(seed=step), {'position': step, 'config': {'betas': (0.0, 0.99)}}
            )
    return folder


def copy_of(folder, tmp_path):
    target = tmp_path / 'copy'
    subprocess.run(['cp', '-r', folder, target], check=True)
    return target


def data_file(folder, step):
    """The largest file of a checkpoint: compressed arrays."""
    files = [path for path in (folder / str(step)).rglob('*') if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


class TestRoundTrip:
    def test_state_and_meta_come_back_bit_for_bit(self, saved):
        with Checkpoints(saved) as checkpoints:
            state, meta = checkpoints.restore(make_state(seed=9))
        assert bits(state) == bits(make_state(seed=3))
        assert meta == {'position': 3, 'config': {'betas': [0.0, 0.99]}}

    def test_shapes_are_enough_to_restore(self, saved):
        shapes = jax.eval_shape(make_state)
        with Checkpoints(saved) as checkpoints:
            state, meta = checkpoints.restore(shapes, step=2)
        assert bits(state) == bits(make_state(seed=2))
        assert meta['position'] == 2

    def test_typed_keys_draw_the_same_numbers(self, saved):
        with Checkpoints(saved) as checkpoints:
            state, _ = checkpoints.restore(make_state())
        assert jax.random.bits(state.key) == jax.random.bits(jax.random.key(3))
        assert jax.random.bits(state.extra['ada']['key']) == jax.random.bits(jax.random.key(7))

    def test_sharding_of_like_is_honoured(self, saved):
        sharding = SingleDeviceSharding(jax.devices()[0])
        like = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), jax.eval_shape(make_state)
        )
        with Checkpoints(saved) as checkpoints:
            state, _ = checkpoints.restore(like)
        assert {leaf.sharding for leaf in jax.tree.leaves(state)} == {sharding}

    def test_a_donated_update_right_after_the_save_does_not_reach_it(self, tmp_path):
        state = make_state(width=200_000)
        before = bits(state)
        update = jax.jit(
            lambda s: jax.tree.map(lambda x: x + 1 if x.dtype == jnp.float32 else x, s), donate_argnums=0
        )
        with Checkpoints(tmp_path) as checkpoints:
            for step in (1, 2):
                checkpoints.save(step, state, {})
                after = update(state)
                jax.block_until_ready(after)
                restored, _ = checkpoints.restore(after)
                assert bits(restored) == before
                state, before = after, bits(after)


class TestFolder:
    def test_the_newest_are_kept(self, tmp_path):
        state = make_state()
        with Checkpoints(tmp_path, keep=2) as checkpoints:
            assert checkpoints.latest() is None
            assert checkpoints.steps() == []
            for step in (5, 10, 15):
                checkpoints.save(step, state, {})
            checkpoints.wait()
            assert checkpoints.steps() == [10, 15]
            assert checkpoints.latest() == 15
        with Checkpoints(tmp_path, keep=2) as checkpoints:
            assert checkpoints.steps() == [10, 15]

    def test_leaving_the_context_waits_for_the_save(self, tmp_path):
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.save(4, make_state(), {})
        assert (tmp_path / '4' / 'meta' / 'record.json').exists()

    def test_relative_paths_work(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with Checkpoints('run/checkpoints') as checkpoints:
            checkpoints.save(1, make_state(), {})
        assert restore_average('run/checkpoints')[2] == 1

    def test_what_a_killed_save_left_is_removed_and_never_listed(self, saved, tmp_path):
        folder = copy_of(saved, tmp_path)
        (folder / '3').rename(folder / '3.orbax-checkpoint-tmp')
        assert restore_average(folder)[2] == 2
        with Checkpoints(folder) as checkpoints:
            assert checkpoints.steps() == [1, 2]
            checkpoints.save(3, make_state(seed=3), {})
        assert sorted(path.name for path in folder.iterdir()) == ['1', '2', '3']

    def test_a_refused_save_raises(self, tmp_path):
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.save(2, make_state(), {})
            for step in (1, 2):
                with pytest.raises(InputError, match=f'checkpoint {step} is not newer than 2'):
                    checkpoints.save(step, make_state(), {})

    @pytest.mark.parametrize('bad', [float('nan'), float('inf')])
    def test_a_leaf_that_is_not_finite_is_refused_and_named(self, tmp_path, bad):
        state = make_state()
        broken = state.replace(extra={'ada': state.extra['ada'] | {'p': jnp.float32(bad)}})
        with Checkpoints(tmp_path) as checkpoints:
            with pytest.raises(DivergedError, match=r'extra/ada/p .* not finite') as info:
                checkpoints.save(1, broken, {})
            one_line(info)
            assert not list(tmp_path.iterdir())
            checkpoints.save(1, state, {})

    def test_the_first_of_each_stretch_is_kept_for_good(self, tmp_path):
        state = make_state(width=4)
        with Checkpoints(tmp_path, keep=1, stretch=lambda step: step // 10) as checkpoints:
            for step in (5, 10, 15, 20, 25):
                checkpoints.save(step, state, {})
            checkpoints.wait()
            assert checkpoints.steps() == [10, 20, 25]

    @pytest.mark.parametrize('what', ['fsync', 'rename'])
    def test_whatever_the_disk_refuses_costs_one_save_and_leaves_nothing_of_it(
        self, tmp_path, monkeypatch, what
    ):
        def refuse(*args, **kwargs):
            raise OSError(errno.EIO, 'Input/output error', 'somewhere')

        state = make_state(width=4)
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.save(1, state, {})
            checkpoints.wait()
            with monkeypatch.context() as patch:
                patch.setattr(os, what, refuse, raising=False)
                checkpoints.save(2, state, {})
                with pytest.raises(
                    MachineError, match=f'checkpoint 2 in {tmp_path} was not saved: Input/output error$'
                ):
                    checkpoints.wait()
            assert [path.name for path in tmp_path.iterdir()] == ['1']
            checkpoints.save(2, state, {})
        assert bits(restore_state(tmp_path / '2', state)[0]) == bits(state)

    @pytest.mark.skipif(
        not os.path.exists('/proc/self/fd'), reason='needs /proc, to know which file is synced'
    )
    def test_all_is_on_the_disk_before_the_name_and_the_name_before_an_older_one_goes(
        self, tmp_path, monkeypatch
    ):
        events = []
        for name in ('fsync', 'rename'):
            original = getattr(os, name)

            def record(what, *args, name=name, original=original):
                path = os.readlink(f'/proc/self/fd/{what}') if name == 'fsync' else os.fspath(what)
                events.append((name, os.path.relpath(path, tmp_path)))
                return original(what, *args)

            monkeypatch.setattr(os, name, record)
        with Checkpoints(tmp_path, keep=1) as checkpoints:
            for step in (1, 2):
                checkpoints.save(step, make_state(width=4), {})
        named = events.index(('rename', '2.saving'))
        synced = {path for kind, path in events[:named] if kind == 'fsync'}
        written = [tmp_path / '2', *(tmp_path / '2').rglob('*')]
        assert {os.path.relpath(path, tmp_path).replace('2', '2.saving', 1) for path in written} <= synced
        assert events[named + 1] == ('fsync', '.')
        assert events[named + 2 :] == [('rename', '1')]

    def test_an_older_one_goes_only_when_the_new_one_has_been_read_back(self, tmp_path, monkeypatch):
        """What cannot be read back gets no name, and costs no other."""
        state = make_state(width=4)
        with Checkpoints(tmp_path, keep=1) as checkpoints:
            checkpoints.save(1, state, {})
            checkpoints.wait()
            monkeypatch.setattr(storage, 'read_arrays', lambda path: {'step': np.int32(7)})
            checkpoints.save(2, state, {})
            with pytest.raises(MachineError, match='the bytes of step do not match'):
                checkpoints.wait()
            assert [path.name for path in tmp_path.iterdir()] == ['1']

    def test_meta_must_be_json(self, tmp_path):
        with Checkpoints(tmp_path) as checkpoints, pytest.raises(TypeError):
            checkpoints.save(1, make_state(), {'array': np.zeros(2)})

    def test_a_folder_that_is_a_file_is_one_line(self, tmp_path):
        (tmp_path / 'file').write_text('')
        with pytest.raises(MachineError, match='cannot be opened') as info:
            Checkpoints(tmp_path / 'file')
        one_line(info)

    def test_a_save_that_fails_in_the_background_raises_later(self, tmp_path, capfd):
        checkpoints = Checkpoints(tmp_path)
        state = make_state()
        checkpoints.save(1, state, {})
        checkpoints.wait()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('jaxgan.checkpoint.make_record', lambda *_: 1 / 0)
            checkpoints.save(2, state, {})
            with pytest.raises(MachineError, match='was not saved: division by zero') as info:
                checkpoints.wait()
        one_line(info)
        assert [path.name for path in tmp_path.iterdir()] == ['1']  # nothing is left of it
        checkpoints.save(2, state, {})  # and the next one succeeds
        checkpoints.wait()
        shutil.rmtree(tmp_path / '2')
        assert capfd.readouterr() == ('', '')
        assert restore_average(tmp_path)[2] == 1


class TestAverage:
    def test_it_needs_no_networks(self, saved):
        params, aux, step, meta = restore_average(saved, step=2)
        average = make_state(seed=2).g_ema
        assert bits(params) == bits(average.params)
        assert params['dense']['b'].dtype == jnp.bfloat16
        assert (aux, step, meta['position']) == ({}, 2, 2)

    def test_the_newest_is_the_default(self, saved):
        assert restore_average(saved)[2] == 3

    def test_reading_leaves_a_save_in_progress_alone(self, saved, tmp_path):
        folder = copy_of(saved, tmp_path)
        (folder / '4.orbax-checkpoint-tmp').mkdir()
        restore_average(folder)
        assert (folder / '4.orbax-checkpoint-tmp').exists()

    def test_no_folder_is_made(self, tmp_path):
        with pytest.raises(InputError, match='no checkpoint in'):
            restore_average(tmp_path / 'typo')
        assert not (tmp_path / 'typo').exists()


class TestErrors:
    def test_empty_folder(self, tmp_path):
        with Checkpoints(tmp_path) as checkpoints, pytest.raises(InputError, match='no checkpoint in'):
            checkpoints.restore(make_state())

    def test_missing_step_lists_those_that_are_there(self, saved):
        with (
            Checkpoints(saved) as checkpoints,
            pytest.raises(InputError, match=r'no checkpoint 7 .*\(there are: 1, 2, 3\)'),
        ):
            checkpoints.restore(make_state(), step=7)
        with pytest.raises(InputError, match=r'\(there are: 1, 2, 3\)'):
            restore_average(saved, step=7)

    def test_other_shapes_are_named_with_both_forms_and_at_most_three(self, saved):
        with Checkpoints(saved) as checkpoints, pytest.raises(InputError) as info:
            checkpoints.restore(make_state(width=9))
        message = one_line(info)
        assert 'g/params/dense/w is float32 [4, 2000] there, float32 [4, 9] here' in message
        assert message.count(' here') == 3
        assert 'more' in message

    def test_missing_and_additional_leaves_are_named(self, saved):
        like = make_state()
        more = like.replace(extra={'ada': like.extra['ada'], 'new': jnp.zeros(3)})
        with Checkpoints(saved) as checkpoints:
            with pytest.raises(InputError, match=r'extra/new is missing there, float32 \[3\] here'):
                checkpoints.restore(more)
            with pytest.raises(InputError, match=r'extra/ada/p is float32 \[\] there, missing here'):
                checkpoints.restore(like.replace(extra={'ada': {'key': like.key}}))

    def test_other_dtypes_are_not_cast(self, saved):
        like = make_state()
        with (
            Checkpoints(saved) as checkpoints,
            pytest.raises(InputError, match=r'step is int32 \[\] there, float32 \[\] here'),
        ):
            checkpoints.restore(like.replace(step=jnp.float32(0)))


KILLED = """
import sys, jax.numpy as jnp, test_checkpoint as t
from jaxgan.checkpoint import Checkpoints
state = t.make_state(width=2_000_000)
with Checkpoints(sys.argv[1]) as checkpoints:
    checkpoints.save(1, state, {})
    checkpoints.wait()
    print('saving', flush=True)
    for step in range(2, 100):
        checkpoints.save(step, state, {})
"""


@pytest.mark.multiprocess
def test_a_process_killed_in_mid_save_leaves_a_folder_that_goes_on(tmp_path):
    child = subprocess.Popen(
        [sys.executable, '-c', KILLED, tmp_path], stdout=subprocess.PIPE, cwd=os.path.dirname(__file__)
    )
    with child:
        child.stdout.readline()
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob('*tmp*')) and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
    assert list(tmp_path.glob('*tmp*'))
    like = make_state(width=2_000_000)
    with Checkpoints(tmp_path) as checkpoints:
        step = checkpoints.latest()
        state, _ = checkpoints.restore(like)
        assert bits(state) == bits(like)
        checkpoints.save(step + 1, state, {})
    assert all(path.name.isdecimal() for path in tmp_path.iterdir())


MESHES = """
import sys, jax, test_checkpoint as t
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxgan.checkpoint import Checkpoints
mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
def sharding(leaf):
    return NamedSharding(mesh, P(None, 'data') if leaf.ndim == 2 else P())
like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding(x)), jax.eval_shape(t.make_state))
with Checkpoints(sys.argv[1]) as checkpoints:
    spread, _ = checkpoints.restore(like, step=3)
    assert t.bits(spread) == t.bits(checkpoints.restore(jax.eval_shape(t.make_state), step=3)[0])
    assert all(leaf.sharding == sharding(leaf) for leaf in jax.tree.leaves(spread))
    checkpoints.save(4, spread, {})
    one, _ = checkpoints.restore(jax.eval_shape(t.make_state))
    assert t.bits(one) == t.bits(spread)
    assert all(len(leaf.devices()) == 1 for leaf in jax.tree.leaves(one))
"""


@pytest.mark.multiprocess
def test_a_state_moves_between_one_device_and_several(saved, tmp_path):
    flags = {'XLA_FLAGS': '--xla_force_host_platform_device_count=4', 'JAX_PLATFORMS': 'cpu'}
    command = [sys.executable, '-c', MESHES, copy_of(saved, tmp_path)]
    subprocess.run(command, env=os.environ | flags, cwd=os.path.dirname(__file__), check=True)
