"""Several processes train as one: they start by any launcher, agree, stop together, and a dead one ends all, by name."""

import signal
import time

import jobs
import pytest

pytestmark = pytest.mark.multiprocess
TRAIN = jobs.ROOT / 'train.py'


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    """Five steps by one process with two devices."""
    folder = tmp_path_factory.mktemp('reference')
    command = [TRAIN, '--config', jobs.recipe(folder), '--workdir', 'run']
    ((code, _, err),) = jobs.finish([jobs.start(command, folder, devices=2)])
    assert code == 0, err
    return jobs.leaves(folder / 'run', 5)


OPEN_MPI = {'OMPI_COMM_WORLD_SIZE': 2, 'OMPI_COMM_WORLD_LOCAL_SIZE': 2}


def launched(name, i, port):
    """The options and the environment that a launcher gives process i of two."""
    if name == 'options':
        return ['--coordinator', f'127.0.0.1:{port}', '--processes', 2, '--process-id', i], {}
    return [], OPEN_MPI | {
        'OMPI_COMM_WORLD_RANK': i,
        'OMPI_COMM_WORLD_LOCAL_RANK': i,
        'JAX_COORDINATOR_PORT': port,
    }


@pytest.mark.parametrize(('name', 'source'), [('options', 'the options'), ('open mpi', 'Open MPI')])
def test_a_job_that_a_launcher_describes_trains_as_one_process_would(tmp_path, reference, name, source):
    command, port = [TRAIN, '--config', jobs.recipe(tmp_path), '--workdir', 'run'], jobs.free_port()
    if name == 'options':
        command += ['--sharding', 'fsdp']
    given = [launched(name, i, port) for i in range(2)]
    (code, out, err), (other, silence, _) = jobs.finish(
        [jobs.start(command + options, tmp_path, **env) for options, env in given]
    )
    assert (code, other) == (0, 0), err
    assert out.startswith(f'process 0 of 2, coordinator 127.0.0.1:{port}, from {source}\n')
    assert 'jaxgan' not in silence and 'images' not in silence
    assert jobs.leaves(tmp_path / 'run', 5) == reference
    assert jobs.steps(tmp_path / 'run') == [1, 2, 3, 4, 5]


def test_a_signal_to_one_stops_all_and_a_dead_process_ends_all_and_the_run_goes_on(tmp_path):
    command = [
        TRAIN,
        '--config',
        jobs.recipe(tmp_path),
        '--workdir',
        'run',
        '--images',
        '10000000',
        '--checkpoint-every',
        '1600',
        '--sample-every',
        '100000',
        '--log-every',
        '160',
    ]
    run = tmp_path / 'run'
    processes = jobs.start_all(2, command, tmp_path)
    jobs.wait_for(lambda: len(jobs.steps(run)) > 3, processes)
    processes[1].send_signal(signal.SIGTERM)
    found = jobs.finish(processes)
    assert [code for code, _, _ in found] == [143, 143], found
    assert 'stopped by SIGTERM; saved' in found[0][1]
    newest = max(int(path.name) for path in (run / 'checkpoints').iterdir() if path.name.isdigit())
    for dead in (1, 0):
        reached = max(jobs.steps(run)) + 150  # a process that is killed before it has joined is waited for
        processes = jobs.start_all(2, command, tmp_path)
        jobs.wait_for(lambda: max(jobs.steps(run)) > reached, processes)
        processes[dead].kill()
        died = time.monotonic()
        processes[dead].communicate()
        ((code, out, err),) = jobs.finish([processes[1 - dead]])
        assert time.monotonic() - died < 60  # 15 s of silence, and a machine that may be busy
        if code == 1 and 'Timeout' in err:  # frozen within JAX: C's timer ended it, and it cannot say more
            continue
        assert code == 3, (out, err)
        (line,) = [line for line in err.splitlines() if line.startswith('error: ')]
        assert ('process 1 of 2 (on' if dead else 'has lost process 0 of 2') in line
        assert 'continues from the last checkpoint' in line
        assert max(int(path.name) for path in (run / 'checkpoints').iterdir() if path.name.isdigit()) > newest
    end = max(jobs.steps(run)) + 5
    command[command.index('--images') + 1] = str(end * 16)
    found = jobs.finish(jobs.start_all(2, command, tmp_path))
    assert [code for code, _, _ in found] == [0, 0], found
    assert 'continuing from' in found[0][1]
    steps = jobs.steps(run)
    assert steps == sorted(set(steps)) and steps[-1] == end


@pytest.mark.parametrize(
    ('each', 'message'),
    [
        (lambda i: ['--batch-size', 16 + 16 * i], 'process 1 of 2: it has another configuration than process 0: batch_size 32 here, 16 there'),
        (lambda i: ['--data.name', f'points:ring{8 + i}'] if i else [], 'process 1 of 2: it has another configuration than process 0'),
        (lambda i: ['--batch-size', 15], 'process {i} of 2: batch_size 15 in 1 microbatches does not divide over 2 devices'),
    ],
)  # fmt: skip
def test_what_one_process_cannot_do_ends_all_before_anything_is_compiled_or_written(tmp_path, each, message):
    command = [TRAIN, '--config', jobs.recipe(tmp_path), '--workdir', 'run']
    began = time.monotonic()
    found = jobs.finish(jobs.start_all(2, command, tmp_path, each=each), 60)
    assert [code for code, _, _ in found] == [2, 2], found
    assert any(f'error: {message.format(i=i)}' in err for i, (_, _, err) in enumerate(found)), found
    assert not any('compiled in' in out for _, out, _ in found)
    assert not (tmp_path / 'run').exists()
    assert time.monotonic() - began < 45


def test_processes_that_never_come_are_not_waited_for_without_end(tmp_path):
    command = [TRAIN, '--config', jobs.recipe(tmp_path), '--workdir', 'run', '--join-seconds', 3]
    processes = [
        jobs.start(
            [*command, '--coordinator', f'127.0.0.1:{jobs.free_port()}', '--processes', 2, '--process-id', 0],
            tmp_path,
        )
    ]
    ((code, _, err),) = jobs.finish(processes)
    assert code == 3
    assert 'error: process 0 of 2 did not find the others' in err
