"""The audit: what it reports, when it does not pass, what it refuses, and the page."""

import json
import re

import numpy as np
import pytest
import runs
from test_copies import TRAIN, pictures

from jaxgan.cli import main
from jaxgan.errors import InputError
from jaxgan.metrics.copyrate import CopyRate, Interval
from jaxgan.opened import Generator
from jaxgan.provenance.copying import auditing
from jaxgan.provenance.copying.audit import check_options
from jaxgan.provenance.copying.auditing import Settings, examine
from jaxgan.provenance.copying.auditpage import write_audit
from jaxgan.provenance.copying.options.audit import AuditOptions
from jaxgan.strictjson import read_json

SETTINGS = Settings(fpr=0.01, asked=0.01, limit=0.0, seed=7)
PLACES = np.arange(60) * 2


def about(report):
    data = {'name': '<script>alert(1)</script>', 'split': 'train', 'images': 60, 'fingerprint': 'f'}
    told = {'data': data, 'held_out_data': None, 'hold_out': 'hold some out', 'jaxgan': '0', 'model': 'm'}
    told |= {'step': 1, 'images_seen': 2, 'protocol': {'generated': 60}} | report
    return told | {'summary': auditing.summary(told)}


def rate(low):
    return CopyRate(1, 10, 0.1, Interval(0, 1), 0.1, Interval(low, 1), 0.5)


def test_without_held_out_images_there_is_no_rate_and_it_is_said():
    generated = np.concatenate([pictures(9, seed=4), TRAIN[5:6, :, ::-1]])
    report, shown = examine(TRAIN, None, generated, SETTINGS, PLACES)
    assert report['copy_rate'] is None and report['verdict']['passed']
    assert 'cannot be calibrated' in about(report)['summary'][1]
    worst = report['worst'][0]
    assert (worst['seed'], worst['index'], worst['ratio']) == (16, 10, 0)  # seed 7 + 9, place 2 x 5
    assert worst['view']['flip'] and worst['copy'] is None
    assert shown['worst_nearest'].shape == shown['worst'].shape == (10, 32, 32, 3)
    assert [one['ratio'] for one in report['worst']] == sorted(one['ratio'] for one in report['worst'])


def test_duplicates_are_counted_and_named():
    train = np.concatenate([TRAIN, TRAIN[:2], TRAIN[:1]])
    report, _ = examine(train, None, pictures(3, seed=4), SETTINGS, np.arange(63) * 2)
    found = report['duplicates']
    assert (found['exact'], found['near'], found['groups']) == (3, 3, 2)
    assert found['largest'] == [[0, 120, 124], [2, 122]] and found['largest_sizes'] == [3, 2]


def test_the_lower_bound_decides_and_ct_unless_it_is_only_said():
    asked = SETTINGS._replace(limit=0.1, least_ct=-3.0)
    assert auditing._verdict(rate(0.1), -2.9, asked)['passed']
    assert not auditing._verdict(rate(0.11), 0.0, asked)['passed']
    assert not auditing._verdict(rate(0.0), -3.1, asked)['passed']
    assert auditing._verdict(rate(0.0), -9.0, SETTINGS)['passed']
    assert 'lower bound' in auditing._verdict(rate(0.11), 0.0, asked)['reason']


def test_the_page_escapes_and_loads_nothing_and_the_numbers_are_strict_json(tmp_path):
    report, shown = examine(TRAIN, None, pictures(3, seed=4), SETTINGS, PLACES)
    found = Generator({'a': np.zeros(1)}, {}, {'data': {'name': 'pictures'}})
    written = write_audit(tmp_path / 'new', about(report), shown, found)
    assert [path.name for path in written] == ['audit.json', 'audit.html']
    page = written[1].read_text()
    assert '<script' not in page and '&lt;script&gt;alert(1)' in page
    assert 'default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-' in page
    assert all(uri.startswith('data:') for uri in re.findall('(?:src|href)="([^"#]+)"', page))
    assert read_json(written[0])['worst'][0]['seed'] == report['worst'][0]['seed']
    with pytest.raises(ValueError, match='JSON'):
        write_audit(tmp_path / 'other', about(report) | {'x': float('nan')}, shown, found)
    assert not (tmp_path / 'other').exists()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'n': 49}, r'n 49 must be in 50\.\.1000000'),
        ({'fpr': 1.0}, 'fpr 1.0 must be above 0 and below 1'),
        ({'max_copy_rate': 1.5}, r'max-copy-rate 1.5 must be in 0\.\.1'),
        ({'least_ct': float('nan')}, 'least-ct nan must be a number'),
        ({'recovery': 2}, 'recovery 2 is too few'),
        ({'seed': 2**32 - 60, 'n': 100}, 'beyond the last seed'),
    ],
)
def test_numbers_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        check_options(AuditOptions('run', **changes))


@pytest.mark.slow
def test_planted_copies_fail_an_audit_and_clean_images_pass():
    held_out = pictures(300, seed=5)
    clean = pictures(500, seed=6)
    report, _ = examine(TRAIN, held_out, clean, SETTINGS, PLACES)
    assert report['verdict']['passed'] and report['copy_rate']['rank'] == 3
    assert abs(report['copying']['value']) < 3
    planted = np.concatenate([clean, TRAIN[:40, :, ::-1]])
    report, _ = examine(TRAIN, held_out, planted, SETTINGS, PLACES)
    assert not report['verdict']['passed'] and report['copy_rate']['copies'] >= 40
    assert all(one['copy'] for one in report['worst'][:40])
    json.dumps(report, allow_nan=False)


@pytest.mark.slow
def test_a_run_is_audited_by_the_command(tmp_path, capsys):
    rng = np.random.default_rng(0)
    arrays = {name: rng.integers(0, 256, (120, 16, 16, 3), np.uint8) for name in ('x_train', 'x_test')}
    np.savez(tmp_path / 'data.npz', **arrays)
    run = tmp_path / 'run'
    runs.run(runs.tiny(tmp_path / 'data.npz'), run)
    few = ['--n', '60', '--recovery', '0']
    assert main(['audit', str(run), *few, '--membership']) == 0
    report = read_json(run / 'audit.json')
    assert report['copy_rate']['fpr_asked'] == 0.001 and report['copy_rate']['rank'] == 1
    assert report['copy_rate']['fpr'] == pytest.approx(1 / 121)
    assert set(report['membership']) == {'distance', 'discriminator'}
    assert 0 <= report['membership']['discriminator']['auc'] <= 1
    assert 'too few for less' in capsys.readouterr().out
    first = (run / 'audit.html').read_bytes()
    assert main(['audit', str(run), *few, '--membership', '--out', str(tmp_path / 'again')]) == 0
    assert (tmp_path / 'again/audit.html').read_bytes() == first
    assert main(['audit', str(run), *few, '--least-ct', '1000']) == 4
    assert main(['audit', str(run), *few, '--held-out', 'none', '--max-copy-rate', '0.1']) == 2
    assert '--held-out train[90%:]' in capsys.readouterr().err
