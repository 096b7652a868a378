"""Each step is recorded once, in valid JSON, however often the run is killed; progress is plain text."""

import json
import sys

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from jaxgan.run import runlog
from jaxgan.run.runlog import Progress, RunLog, describe, rewind


def lines(folder):
    text = (folder / 'metrics.jsonl').read_text()
    assert text == '' or text.endswith('\n')

    def refuse(name):
        raise AssertionError(f'{name} is no JSON')

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def events(folder):
    """All TensorBoard events, file by file: length (8 bytes), checksum (4), event, checksum (4)."""
    found = []
    for path in sorted((folder / 'tensorboard').iterdir(), key=lambda path: path.stat().st_mtime_ns):
        data, at = path.read_bytes(), 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 8], 'little')
            found.append(Event.FromString(data[at + 12 : at + 12 + size]))
            at += 16 + size
    return found


def scalars(folder):
    return [
        (event.step, value.tag, round(value.simple_value, 6))
        for event in events(folder)
        for value in event.summary.value
        if value.HasField('simple_value')
    ]


def write(folder, resume, steps):
    with RunLog(folder, resume) as log:
        for step in steps:
            log.scalars(step, step * 64, {'d/loss': step / 2})


class TestMetrics:
    def test_a_line_is_an_object_with_the_counts_and_the_values(self, tmp_path):
        with RunLog(tmp_path, 0) as log:
            log.scalars(3, 192, {'d/loss': np.float32(0.5), 'g/loss': 1})
        (line,) = lines(tmp_path)
        assert line.pop('seconds') >= 0
        assert line == {'step': 3, 'images_seen': 192, 'd/loss': 0.5, 'g/loss': 1.0}

    def test_values_that_are_not_finite_are_strings(self, tmp_path):
        with RunLog(tmp_path, 0) as log:
            log.scalars(1, 64, {'a': np.nan, 'b': np.inf, 'c': -np.inf, 'd': 1.0})
        (line,) = lines(tmp_path)
        assert [line[name] for name in 'abcd'] == ['nan', 'inf', '-inf', 1.0]
        assert scalars(tmp_path) == [(64, 'd', 1.0)]

    def test_lines_are_there_at_once(self, tmp_path):
        log = RunLog(tmp_path, 0)
        log.scalars(1, 64, {})
        assert len(lines(tmp_path)) == 1
        log.close()

    def test_on_resume_each_step_stands_once(self, tmp_path):
        write(tmp_path, 0, [1, 2, 3, 4])
        write(tmp_path, 2, [3, 4, 5])
        assert [line['step'] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]

    def test_starting_anew_drops_everything(self, tmp_path):
        write(tmp_path, 0, [1, 2])
        write(tmp_path, 0, [1])
        assert [line['step'] for line in lines(tmp_path)] == [1]

    def test_seconds_go_on(self, tmp_path):
        write(tmp_path, 0, [1])
        path = tmp_path / 'metrics.jsonl'
        path.write_text(json.dumps(lines(tmp_path)[0] | {'seconds': 500.0}) + '\n')
        write(tmp_path, 1, [2])
        assert 500 <= lines(tmp_path)[1]['seconds'] < 510

    @pytest.mark.parametrize('torn', ['{"step": 3, "ima', '{"step": 3}', '3', 'nonsense\x00', '\ufffd'])
    def test_a_torn_last_line_is_repaired(self, tmp_path, torn):
        write(tmp_path, 0, [1, 2])
        with (tmp_path / 'metrics.jsonl').open('a') as file:
            file.write(torn)
        write(tmp_path, 5, [6])
        assert [line['step'] for line in lines(tmp_path)] == [1, 2, 6]

    def test_the_file_is_exchanged_whole(self, tmp_path, monkeypatch):
        write(tmp_path, 0, [1, 2, 3])
        before = (tmp_path / 'metrics.jsonl').read_bytes()
        monkeypatch.setattr(runlog.os, 'replace', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rewind(tmp_path / 'metrics.jsonl', 1)
        assert (tmp_path / 'metrics.jsonl').read_bytes() == before


class TestTensorBoard:
    def test_the_axis_is_images_seen(self, tmp_path):
        write(tmp_path, 0, [1, 2])
        assert scalars(tmp_path) == [(64, 'd/loss', 0.5), (128, 'd/loss', 1.0)]

    def test_what_comes_after_the_resumed_step_is_purged(self, tmp_path):
        write(tmp_path, 0, [1, 2, 3])
        write(tmp_path, 2, [3])
        purged = [event.step for event in events(tmp_path) if event.HasField('session_log')]
        assert purged == [2 * 64 + 1]

    def test_a_resumed_step_between_two_lines_keeps_its_images(self, tmp_path):
        write(tmp_path, 0, [10, 20])
        write(tmp_path, 15, [20])
        assert [event.step for event in events(tmp_path) if event.HasField('session_log')] == [15 * 64 + 1]

    def test_a_new_run_purges_nothing(self, tmp_path):
        write(tmp_path, 0, [1])
        assert not [event for event in events(tmp_path) if event.HasField('session_log')]

    def test_images(self, tmp_path):
        with RunLog(tmp_path, 0) as log:
            log.image('samples', 640, np.zeros((4, 6, 3), np.uint8))
            log.image('grey', 640, np.zeros((4, 6, 1), np.uint8))
        found = [
            (e.step, v.tag, v.image.height, v.image.width) for e in events(tmp_path) for v in e.summary.value
        ]
        assert found == [(640, 'samples', 4, 6), (640, 'grey', 4, 6)]


METRICS = {'d/loss': 0.7, 'g/loss': 1.25, 'd/real': 0.5, 'd/fake': -0.5, 'd/grad_norm': 3.0}


class TestPlainProgress:
    def test_one_line_without_control_characters(self, capsys):
        with Progress(1000) as progress:
            progress.update(500, 100.0, METRICS)
            progress.message('saved [bold]')
        out = capsys.readouterr().out
        assert out == (
            '500/1,000 images (50%), 0:05 left, 100 images/s, D loss 0.700, G loss 1.250, D(real) 0.500, D(fake) -0.500\n'
            'saved [bold]\n'
        )
        assert out.isascii()

    def test_lines_come_each_ten_seconds_and_at_the_end(self, capsys, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(runlog.time, 'monotonic', lambda: now[0])
        progress = Progress(100)
        for seen in range(1, 101):
            progress.update(seen, 3.0, {})
            now[0] += 1 / 3
        shown = [int(line.split('/')[0]) for line in capsys.readouterr().out.splitlines()]
        assert shown[0] == 1
        assert shown[-1] == 100
        assert 4 <= len(shown) <= 6


class Terminal:
    """A stdout that says it is a terminal."""

    encoding = 'utf-8'

    def __init__(self):
        self.text = ''

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return True


def test_in_a_terminal_there_is_a_bar_and_messages_stand_above_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '150')
    with Progress(1000, 100) as progress:
        progress.update(500, 100.0, METRICS)
        progress.message('runs/x/samples/000000500.png [3]')
    assert 'runs/x/samples/000000500.png [3]\n' in terminal.text
    assert '500/1,000 images (50%)' in terminal.text
    assert '\x1b[' in terminal.text


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    monkeypatch.setenv('TERM', 'dumb')
    with Progress(1000) as progress:
        progress.update(500, 100.0, {})
    assert terminal.text == '500/1,000 images (50%), 0:05 left, 100 images/s\n'


@pytest.mark.parametrize('rate', [0.0, float('nan')])
def test_without_a_speed_the_time_is_unknown(rate):
    assert describe(0, 100, rate, {}).startswith('0/100 images (0%), unknown time left')


def test_values_that_are_not_finite_are_shown():
    assert 'D loss nan' in describe(0, 100, 1.0, {'d/loss': float('nan')})
