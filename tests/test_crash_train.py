"""``train.py`` killed, stopped and disturbed: it comes to what it would have come to, or says in one line why not."""

from concurrent.futures import ThreadPoolExecutor

import faults
import pytest
from crashes import STEPS, Training, kill_moments, outcome, reach

pytestmark = [pytest.mark.multiprocess, pytest.mark.xdist_group('train')]


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    return Training(tmp_path_factory.mktemp('training'))


@pytest.fixture(scope='module')
def undisturbed(training):
    workdir = training.folder / 'undisturbed'
    done = training.run(workdir)
    assert done.code == 0, done.err
    found = outcome(workdir)
    assert [line['step'] for line in found['metrics']] == list(range(2, STEPS + 1, 2))
    assert len(found['state']) > 20 and not found['temporary']
    return found


def side_by_side(function, *arguments):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, *arguments))


def test_a_run_killed_at_any_moments_comes_to_the_same(training, undisturbed, tmp_path):
    def chain(seed, number):
        workdir, finished = tmp_path / f'{seed}-0', 0
        for moment in [*kill_moments(number, seed), None]:
            process = training.start(workdir)
            killed = moment is not None and reach(process, workdir, moment)
            if killed:
                process.process.kill()
            process.finish()
            assert process.code == (-9 if killed else 0), (moment, process.out, process.err)
            assert process.err == '', (moment, process.err)
            if not killed:
                assert outcome(workdir) == undisturbed
                finished += 1
                workdir = tmp_path / f'{seed}-{finished}'
        return finished

    kills = 250 if faults.NIGHTLY else 13
    finished = side_by_side(chain, (1, 2), (kills, kills - 1 + faults.NIGHTLY))
    faults.tally('kill -9 at a random moment', 2 * kills - 1 + faults.NIGHTLY)
    assert all(finished)
