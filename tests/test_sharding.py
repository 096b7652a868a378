"""Rules that place the state, the rows that each process reads, and how a process learns that it is one of several."""

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from test_data_feed import Numbers

from jaxgan.data.feed import _Batches
from jaxgan.data.order import shuffled_index
from jaxgan.errors import InputError
from jaxgan.parallel.distributed import Alone, Crew, Told, _difference
from jaxgan.parallel.halt import Halt
from jaxgan.parallel.launch import Job, find_job
from jaxgan.parallel.sharding import (
    SHARDINGS,
    Sharding,
    check_groups,
    choose,
    data_mesh,
    largest_axis,
    places,
    whole,
)
from jaxgan.run.signals import Stop


class Devices:
    """What rules ask of a mesh."""

    def __init__(self, size):
        self.size = size


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, np.float32)


@pytest.mark.parametrize(
    ('shape', 'spec'),
    [
        ((3, 3, 64, 128), (None, None, None, 'data')),
        ((512, 64), ('data',)),
        ((64, 64), (None, 'data')),  # of equal ones the last, which is the features'
        ((7, 1000), (None, 'data')),
        ((8, 7, 129), ('data',)),
        ((9, 1023), ()),  # nothing divides
        ((512,), ()),  # small
        ((), ()),
    ],
)
def test_fsdp_splits_the_largest_axis_that_divides(shape, spec):
    assert largest_axis(leaf(*shape), Devices(8)) == PartitionSpec(*spec)


def test_the_first_rule_whose_pattern_is_the_whole_name_decides():
    mesh = data_mesh(1)
    by_first = Sharding(((r'g/params/.*kernel', lambda leaf, mesh: PartitionSpec('data')), ('.*', whole)))
    tree = {'g': {'params': {'a': {'kernel': leaf(4, 4), 'bias': leaf(4)}}}, 'extra': leaf()}
    found = places(tree, by_first, mesh)
    assert found['g']['params']['a']['kernel'].spec == PartitionSpec('data')
    assert found['g']['params']['a']['bias'].spec == found['extra'].spec == PartitionSpec()
    with pytest.raises(InputError, match='no sharding rule matches extra'):
        places(tree, Sharding((('g/.*', whole),)), mesh)
    with pytest.raises(InputError, match=r'does not fit extra \[\]'):
        places(tree, Sharding((('.*', lambda leaf, mesh: PartitionSpec('data')),)), mesh)


def test_names_of_shardings():
    assert choose('fsdp') is SHARDINGS['fsdp']
    with pytest.raises(InputError, match="unknown sharding 'fdsp'; did you mean 'fsdp'"):
        choose('fdsp')


def test_groups_must_lie_on_one_device():
    check_groups(4, 32, 1, 8)
    check_groups(32, 64, 1, 1)
    check_groups(1, 8, 1, 8)
    with pytest.raises(
        InputError, match='groups of 4 samples do not divide the 2 that each of 8 devices has'
    ):
        check_groups(4, 16, 1, 8)
    with pytest.raises(InputError, match='in 2 microbatches'):
        check_groups(4, 48, 2, 4)


@pytest.mark.parametrize('processes', [1, 2, 4, 8])
@pytest.mark.parametrize('runs', [1, 2])
def test_the_rows_of_all_processes_are_the_stream_over_an_epochs_edge(processes, runs):
    """Also where a process's devices hold several runs of rows, as on some grids of TPUs."""
    count, batch = 21, 16
    size = batch // processes // runs
    mine = [
        [(size * (r * processes + p), size * (r * processes + p + 1)) for r in range(runs)]
        for p in range(processes)
    ]
    sources = [Numbers(count) for _ in range(processes)]
    parts = [_Batches(source, batch, 5, rows) for source, rows in zip(sources, mine, strict=True)]
    whole_stream = _Batches(Numbers(count), batch, 5)
    for step in range(5):
        got = np.zeros((batch,), int)
        for part, rows in zip(parts, mine, strict=True):
            places = np.concatenate([np.arange(*row) for row in rows])
            got[places] = part[step]['image'][:, 0, 0, 0]
        expected = whole_stream[step]['image'][:, 0, 0, 0]
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(
            expected, shuffled_index(5, np.arange(step * batch, (step + 1) * batch), count)
        )
    read = [image for source in sources for image in source.read]
    assert len(read) == 5 * batch  # each process reads its own rows, and nothing else


SLURM = {
    'SLURM_JOB_ID': '1',
    'SLURM_STEP_ID': '2',
    'SLURM_PROCID': '3',
    'SLURM_LOCALID': '1',
    'SLURM_NTASKS': '4',
}


@pytest.mark.parametrize(
    ('environ', 'job'),
    [
        ({}, None),
        (SLURM | {'SLURM_STEP_NODELIST': 'n[007-009],m1'}, Job('n007:61473', 4, 3, 'SLURM')),
        (SLURM | {'SLURM_STEP_NODELIST': 'a,b', 'CUDA_VISIBLE_DEVICES': '0,1'}, Job('a:61473', 4, 3, 'SLURM', (1,))),
        (SLURM, None),  # a batch script: no step
        (SLURM | {'SLURM_STEP_NODELIST': 'a', 'SLURM_STEP_NUM_TASKS': '1'}, None),  # a shell within a job of 4 tasks
        ({'OMPI_COMM_WORLD_SIZE': '1', 'OMPI_COMM_WORLD_RANK': '0'}, None),
        (
            {'OMPI_COMM_WORLD_SIZE': '2', 'OMPI_COMM_WORLD_RANK': '1', 'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://10.96.0.1,10.1.0.1:34911'},
            Job('10.96.0.1:62624', 2, 1, 'Open MPI'),
        ),
        (
            {'JAX_COORDINATOR_ADDRESS': 'a-0:1', 'JAX_NUM_PROCESSES': '2', 'JOB_COMPLETION_INDEX': '1', 'KUBERNETES_SERVICE_HOST': 'x'},
            Job('a-0:1', 2, 1, 'Kubernetes'),
        ),
        ({'JOB_COMPLETION_INDEX': '1', 'KUBERNETES_SERVICE_HOST': 'x'}, None),  # an array of jobs of their own
        ({'TPU_WORKER_HOSTNAMES': 't0,t1', 'TPU_WORKER_ID': '1'}, Job('t0:8476', 2, 1, 'the TPU pod')),
        ({'TPU_WORKER_HOSTNAMES': 't0', 'TPU_WORKER_ID': '0'}, None),
        (
            {'TPU_WORKER_HOSTNAMES': 't0,t1', 'TPU_WORKER_ID': '1', 'MEGASCALE_NUM_SLICES': '2', 'MEGASCALE_SLICE_ID': '1', 'MEGASCALE_COORDINATOR_ADDRESS': 's0:9'},
            Job('s0:8476', 4, 3, 'the TPU pod'),
        ),
    ],
)  # fmt: skip
def test_what_launchers_say(environ, job):
    assert find_job('auto', None, None, None, environ) == job
    assert find_job('off', None, None, None, environ) is None


@pytest.mark.parametrize(
    ('given', 'environ', 'message'),
    [
        (('auto', 'a:1', 2, None), {}, '--process-id missing'),
        (('auto', 'a', 2, 0), {}, "coordinator 'a' .from the options. must be HOST:PORT"),
        (('auto', 'a:1', 2, 2), {}, 'process 2 of 2'),
        (('off', 'a:1', None, None), {}, '--distributed off excludes --coordinator'),
        (('auto', None, None, None), {'JAX_COORDINATOR_ADDRESS': 'a:1'}, 'JAX_NUM_PROCESSES is not'),
        (('auto', None, None, None), {'JAX_COORDINATOR_ADDRESS': 'a:1', 'JAX_NUM_PROCESSES': '2'}, 'neither JAX_PROCESS_ID'),
        (('auto', None, None, None), {'TPU_WORKER_HOSTNAMES': 'a,b', 'TPU_WORKER_ID': 'x'}, 'TPU_WORKER_ID is .x., no number'),
        (('auto', None, None, None), {'OMPI_COMM_WORLD_SIZE': '2', 'OMPI_COMM_WORLD_RANK': '0'}, 'mpirun -x JAX_COORDINATOR_ADDRESS'),
    ],
)  # fmt: skip
def test_half_of_what_is_needed_is_refused(given, environ, message):
    with pytest.raises(InputError, match=message):
        find_job(*given, environ)


class Store:
    """JAX's store, in one process."""

    def __init__(self):
        self.values = {}

    def key_value_set(self, key, value, allow_overwrite=False):
        if key in self.values and not allow_overwrite:
            raise ValueError(f'{key} exists')
        self.values[key] = value

    def key_value_dir_get(self, prefix):
        return [(key, value) for key, value in self.values.items() if key.startswith(prefix)]

    def blocking_key_value_get(self, key, timeout):
        return self.values[key]


def test_all_stop_where_the_furthest_has_dispatched():
    store, stops = Store(), [Stop() for _ in range(3)]
    halts = [Halt(store, i, 3) for i in range(3)]
    assert [
        halt.due(stop, 4 + i, 5 + i) for i, (halt, stop) in enumerate(zip(halts, stops, strict=True))
    ] == [False] * 3
    stops[1].signal = 15
    for halt in (halts[1], halts[0], halts[2], halts[1], halts[0]):
        halt.exchange()
    for halt, stop, step in zip(halts, stops, (5, 6, 7), strict=True):
        while not halt.due(stop, step, step + 1):
            step += 1
        assert (step, halt.signal) == (7, 15)


def test_without_a_signal_nothing_is_said():
    store = Store()
    halt = Halt(store, 0, 2)
    halt.due(Stop(), 0, 1)
    halt.exchange()
    assert not store.values and not halt.due(Stop(), 1, 2) and halt.signal == 0


def crew(store, process):
    made = Crew.__new__(Crew)
    made.job, made.process, made.processes = Job('a:1', 2, process, 'a test'), process, 2
    made._client, made._agreed = store, 0
    return made


def test_process_0_decides_for_all():
    store = Store()
    assert (
        crew(store, 0).decide(lambda: [1, None])
        == crew(store, 1).decide(lambda: pytest.fail('not here'))
        == [1, None]
    )

    def refuse():
        raise InputError('no')

    first = crew(store := Store(), 0)
    with pytest.raises(InputError, match='no'):
        first.decide(refuse)
    with pytest.raises(Told, match='no') as error:
        crew(store, 1).decide(refuse)
    assert error.value.code == 2


def test_a_process_that_was_given_something_else_says_what():
    store = Store()
    store.values['jaxgan/same/1/0'] = '{"a": {"b": 1}}'
    with pytest.raises(InputError, match=r'another configuration than process 0: a\.b 2 here, 1 there'):
        crew(store, 1).same('configuration', {'a': {'b': 2}})
    assert _difference([1], [2]) == '[1] here, [2] there'


def test_alone_costs_nothing():
    alone, stop = Alone(), Stop()
    alone.same('anything', object())
    assert alone.decide(lambda: 3) == 3 and alone.writes and not alone.due(stop, 0, 1)
    assert alone.for_saving(stop) is stop and alone.restored(None, lambda: stop) is stop
