"""Which checkpoints stay; and that a deletion is whole or has not begun."""

import shutil

import pytest

from jaxgan import retention
from jaxgan.goodput import Goodput


def stretch_of(length):
    return lambda step: step // length


@pytest.mark.parametrize(
    ('steps', 'keep', 'length', 'gone'),
    [
        ([], 3, 10, []),
        ([1], 1, 10, []),
        ([1, 2, 3, 4], 3, 100, [1]),
        ([8, 12, 16, 20, 24, 28, 32], 2, 10, [8, 16, 24]),
        ([10, 19, 20], 1, 10, [19]),
        ([12, 25, 38], 1, 10, []),  # the first at or after each multiple
    ],
)
def test_the_newest_and_the_first_of_each_stretch_stay(steps, keep, length, gone):
    assert retention.surplus(steps, keep, stretch_of(length)) == gone


def test_however_often_it_is_done_the_same_stay():
    """Each save deletes: what is kept must not depend on when."""
    kept = []
    for step in range(3, 200, 3):
        kept = [
            found
            for found in [*kept, step]
            if found not in retention.surplus([*kept, step], 2, stretch_of(50))
        ]
        assert len(kept) >= min(2, step // 3)
    assert kept == [51, 102, 150, 195, 198]


def test_a_kill_in_a_deletion_leaves_no_half_checkpoint(tmp_path, monkeypatch):
    (tmp_path / '4' / 'state').mkdir(parents=True)
    (tmp_path / '5').mkdir()
    original = shutil.rmtree

    def killed(path, ignore_errors=False):
        if not ignore_errors:
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, 'rmtree', killed)
    with pytest.raises(KeyboardInterrupt):
        retention.remove(tmp_path / '4')
    monkeypatch.setattr(shutil, 'rmtree', original)
    assert retention.found_steps(tmp_path) == [5]
    retention.remove_left(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['5']


def test_only_leavings_of_our_own_are_removed(tmp_path):
    stay = ['3', '3.damaged', '3.damaged-2', 'notes', '5.txt', 'state.saving']
    for name in (
        *stay,
        '4.saving',
        '4.saving.orbax-checkpoint-tmp',
        '4.deleted',
        '4.orbax-checkpoint-tmp-123',
    ):
        (tmp_path / name).mkdir()
    retention.remove_left(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)


def test_a_damaged_one_is_kept_under_a_name_of_its_own(tmp_path):
    for wanted in ('7.damaged', '7.damaged-2', '7.damaged-3'):
        (tmp_path / '7').mkdir()
        assert retention.set_aside(tmp_path / '7').name == wanted
    assert retention.found_steps(tmp_path) == []


def test_time_within_counts_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr('jaxgan.goodput.time.perf_counter', lambda: now[0])
    goodput = Goodput()
    now[0] += 1
    with goodput.spent('evaluation'):
        now[0] += 2
        with goodput.spent('saving'):
            now[0] += 4
        now[0] += 8
    total = goodput.total()
    assert (total['wall'], total['steps'], total['evaluation'], total['saving']) == (15, 1, 10, 4)
