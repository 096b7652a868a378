"""Files from strangers: one line of error, exit code 2, soon, in little memory, nothing written, nothing run."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import hostile_configs
import hostile_data
import hostile_exports
import hostile_making
import hostile_runs
import numpy as np
import pytest
from hostile_case import Case, faults, play

from jaxgan.data import DataConfig, open_source, read_all

HERE = Path(__file__).parent
ALL = [
    case
    for suite in (hostile_configs, hostile_data, hostile_exports, hostile_making, hostile_runs)
    for case in suite.CASES
]


def test_there_are_many_and_no_two_are_called_alike():
    assert len(ALL) >= 650
    counts = collections.Counter(case.name for case in ALL)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize('case', ALL[::24], ids=lambda case: case.name.replace(' ', '_')[:40])
def test_some_in_this_process(case, tmp_path):
    assert faults(case, play(case, tmp_path / 'home')) == []


def test_what_is_no_error_is_found_out(tmp_path):
    good = Case('good', lambda folder: ['zoo', 'losses'], ('hinge',))
    found = faults(good, play(good, tmp_path / 'home'))
    assert [fault.partition(' (')[0] for fault in found] == [
        'good: exit code 0 instead of 2',
        'good: 0 lines of error',
        "good: 'hinge' is not said",
    ]


@pytest.mark.multiprocess
def test_all_in_a_process_with_a_gigabyte(tmp_path):
    """Some 700 cases in one process, each at most 5 s and 1 GB beyond what the program itself takes."""
    environment = os.environ | {'PYTHONPATH': str(HERE.parent), 'PYTHONWARNINGS': ''}
    done = subprocess.run(
        [sys.executable, HERE / 'hostile_child.py', tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(found) == len(ALL) + 1  # the warm-up
    assert [fault for one in found for fault in one['faults']] == []


@pytest.mark.parametrize('name', list(hostile_data.modes()))
def test_good_images_of_odd_kinds_are_converted(name, tmp_path):
    data, mode = hostile_data.modes()[name]
    (tmp_path / 'a.png').write_bytes(data)  # Pillow looks at the content, not at the name
    images = read_all(open_source(DataConfig(f'folder:{tmp_path}')))['image']
    assert images.dtype == np.uint8
    assert images.shape == (1, 32, 32, 1 if mode == 'L' else 3)


def test_bad_images_are_skipped_counted_and_named(tmp_path):
    for name, data in hostile_data.MANY.items():
        (tmp_path / name).write_bytes(data)
    source = open_source(DataConfig(f'folder:{tmp_path}', bad_images='skip'))
    assert len(source) == 1
    assert [file for file, _ in source.info.skipped] == [f'{i:02}.png' for i in range(7)]
