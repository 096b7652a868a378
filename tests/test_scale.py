"""Eight virtual devices and several processes compute what one device computes, in float64 to its last digits."""

import json
import os

import jobs
import numpy as np
import pytest

pytestmark = pytest.mark.multiprocess
SCRIPT = jobs.ROOT / 'tests' / 'exact.py'
GOLDEN = jobs.ROOT / 'tests' / 'golden' / 'collectives.json'
BOTH = ('mlp,dcgan', 'data,fsdp')
PLAIN = ('dcgan-parts,dcgan-ada,r3gan,transformer', 'fsdp')
PRIVATE = ('dcgan-dp', 'data')  # all devices compute D's gradients whole
MORE = ('biggan,stylegan2', 'fsdp')
NIGHTLY = bool(os.environ.get('JAXGAN_NIGHTLY'))  # all trainings, both shardings, 20 steps
ALL = [
    (names, 'data,fsdp')
    for names in ('mlp,dcgan,dcgan-parts,dcgan-ada', 'r3gan,transformer,fastgan', 'sngan,biggan,stylegan2')
]


def results(tmp_path, dtype, mode, *arguments):
    process = jobs.start([SCRIPT, dtype, 8, mode, *arguments], tmp_path)
    ((code, out, err),) = jobs.finish([process], 7200 if NIGHTLY else 1800)
    assert code == 0, err[-3000:]
    return [line.split()[1:] for line in out.splitlines() if line.startswith('RESULT')]


@pytest.mark.parametrize(('names', 'shardings'), [*ALL, PRIVATE] if NIGHTLY else [BOTH, PLAIN, MORE, PRIVATE])
def test_eight_devices_compute_what_one_computes(tmp_path, names, shardings):
    """Parameters, moments, averages, statistics and memories, after 4 steps; whole copies, and split (fsdp)."""
    found = results(tmp_path, 'float64', 'equivalence', names, shardings, 20 if NIGHTLY else 4)
    assert [(name, sharding) for name, sharding, *_ in found] == [
        (name, sharding) for name in names.split(',') for sharding in shardings.split(',')
    ]
    for name, sharding, distance, split in found:
        assert float(distance) <= 1e-12, (name, sharding)
        assert (int(split) > 0) == (sharding == 'fsdp'), (name, sharding)


def test_the_first_gradients_in_float32(tmp_path):
    assert all(float(distance) <= 1e-3 for _, distance in results(tmp_path, 'float32', 'gradients'))


def test_mistakes_of_parallel_training_are_seen(tmp_path):
    found = {name: float(distance) for name, distance in results(tmp_path, 'float64', 'mutants')}
    assert len(found) == 8
    for name, distance in found.items():
        assert distance <= 1e-12 if name.startswith('right') else distance > 1e-4, name


def test_chance_does_not_know_the_number_of_devices(tmp_path):
    found = results(tmp_path, 'float32', 'draws')
    assert len(found) == 18
    assert all(same == '1' for _, _, same in found), found


def test_checkpoints_move_between_numbers_of_devices_and_the_training_goes_on(tmp_path):
    (elastic, distance), *moved = results(tmp_path, 'float64', 'elastic')
    assert elastic == 'elastic' and float(distance) <= 1e-12
    assert len(moved) == 12
    assert all(same == '1' for *_, same in moved), moved


def test_what_devices_say_to_each_other(tmp_path):
    """No all-to-all, no gathered activations, and as many sums over the devices as are written down for this JAX."""
    import jax

    expected = json.loads(GOLDEN.read_text()).get(jax.__version__)
    for name, *counts in results(tmp_path, 'float32', 'audit', 'dcgan,stylegan2'):
        text, _, gathered = ' '.join(counts).partition('|')
        counted = json.loads(text)
        assert 'all-to-all' not in counted
        assert gathered.strip() == '' and 'all-gather' not in counted, gathered
        assert expected is None or counted == expected[name], name


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_processes_compute_what_one_with_as_many_devices_computes(tmp_path, dtype):
    """Two with four devices, four with two, and one with eight, each reading its own rows."""
    counts = (1, 2, 4) if dtype == 'float64' else (1, 2)
    for count in counts:
        port = jobs.free_port()
        found = jobs.finish(
            [
                jobs.start(
                    [
                        SCRIPT,
                        dtype,
                        8 // count,
                        'processes',
                        f'127.0.0.1:{port}',
                        count,
                        i,
                        tmp_path / str(count),
                    ],
                    tmp_path,
                )
                for i in range(count)
            ]
        )
        assert [code for code, _, _ in found] == [0] * count, found[0][2][-2000:]
    limit = 1e-12 if dtype == 'float64' else 1e-6
    for sharding in ('data', 'fsdp'):
        with np.load(tmp_path / f'1-{sharding}-0.npz') as one:
            for count, i in [(count, i) for count in counts[1:] for i in range(count)]:
                with (
                    np.load(tmp_path / f'{count}-{sharding}-{i}.npz') as many,
                    np.load(tmp_path / f'{count}-{sharding}-0.npz') as first,
                ):
                    assert set(one) == set(many)
                    for name in one:
                        assert np.array_equal(many[name], first[name]), name  # processes agree bit for bit
                        a, b = np.asarray(one[name], np.float64), np.asarray(many[name], np.float64)
                        assert np.linalg.norm(a - b) <= limit * max(np.linalg.norm(a), 1e-3), name
