"""A number stands with its protocol: what makes two of them comparable, how they are written and read, and what is refused."""

import dataclasses
import json
import math

import pytest

from jaxgan.cli import main
from jaxgan.errors import InputError
from jaxgan.metrics.protocol import (
    INFORMATIVE,
    Measurement,
    Protocol,
    difference,
    differences,
    from_line,
    read_measurements,
    to_line,
)

PROTOCOL = Protocol(
    'vgg16',
    'ab12',
    'none',
    'cifar10',
    'train',
    'cd34',
    32,
    50_000,
    False,
    10_000,
    'average',
    'none',
    0,
    'k=3',
)
ONE = Measurement('FD-VGG16', 12.5, None, PROTOCOL, 100, 3200)


def other(value):
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f'{value}x'


@pytest.mark.parametrize('field', [field.name for field in dataclasses.fields(Protocol)])
def test_every_field_keeps_numbers_apart_but_the_informative_ones(field):
    changed = dataclasses.replace(PROTOCOL, **{field: other(getattr(PROTOCOL, field))})
    found = differences(PROTOCOL, changed)
    if field in INFORMATIVE:
        assert found == []
        assert difference(ONE, ONE._replace(value=10.0, protocol=changed)) == -2.5
    else:
        assert found == [f'{field}: {getattr(PROTOCOL, field)} against {getattr(changed, field)}']
        with pytest.raises(InputError, match=rf'two numbers of FD-VGG16 do not compare: {field}: '):
            difference(ONE, ONE._replace(protocol=changed))


def test_other_measures_do_not_compare():
    with pytest.raises(InputError, match='FD-VGG16 and FID are different measures'):
        difference(ONE, ONE._replace(metric='FID'))


@pytest.mark.parametrize('value', [1.25, math.inf, -math.inf, math.nan])
def test_a_line_is_strict_json_and_comes_back(value):
    text = json.dumps(to_line(ONE._replace(value=value, std=value)), allow_nan=False)
    found = from_line(json.loads(text))
    assert found.protocol == PROTOCOL and (found.step, found.images_seen) == (100, 3200)
    assert repr((found.value, found.std)) == repr((value, value))


@pytest.mark.parametrize(
    'line', [None, [], 7, {}, {'metric': 'FID'}, to_line(ONE) | {'protocol': {'extractor': 'vgg16'}},
             to_line(ONE) | {'value': 'much'}, to_line(ONE) | {'protocol': {**to_line(ONE)['protocol'], 'mood': 1}}]
)  # fmt: skip
def test_what_is_no_measurement_is_refused(line):
    with pytest.raises(InputError, match='not a measurement with its protocol'):
        from_line(line)


def write(path, *measurements):
    path.write_text(''.join(json.dumps(to_line(one)) + '\n' for one in measurements))
    return str(path)


def test_compare_prints_differences_and_names_what_does_not_compare(tmp_path, capsys):
    kid = ONE._replace(metric='KID-VGG16', value=0.5)
    more = dataclasses.replace(PROTOCOL, fake=50_000)
    a = write(tmp_path / 'a.jsonl', ONE._replace(value=99.0), ONE, kid)
    b = write(tmp_path / 'b.jsonl', ONE._replace(value=10.0), kid._replace(protocol=more))
    assert main(['compare', a, b]) == 0
    out = capsys.readouterr().out
    assert '-2.5' in out and '99' not in out  # the newest of each
    assert 'two numbers of KID-VGG16 do not compare: fake: 10000 against 50000' in out


def test_compare_without_anything_in_common_is_one_line_and_exit_2(tmp_path, capsys):
    a = write(tmp_path / 'a.jsonl', ONE)
    b = write(tmp_path / 'b.jsonl', ONE._replace(protocol=dataclasses.replace(PROTOCOL, split='test')))
    assert main(['compare', a, b]) == 2
    found = capsys.readouterr()
    assert found.out == '' and found.err.count('\n') == 1
    assert 'split: train against test' in found.err


def test_a_damaged_file_names_its_line(tmp_path):
    path = tmp_path / 'evaluations.jsonl'
    path.write_text(json.dumps(to_line(ONE)) + '\n{"metric": \n')
    with pytest.raises(InputError, match=r'evaluations.jsonl, line 2'):
        read_measurements(tmp_path)
    with pytest.raises(InputError, match='`jaxgan evaluate` writes it'):
        read_measurements(tmp_path / 'none')
