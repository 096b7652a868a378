"""The planner: its likelihood is exact, its curves find what was put in, and what it cannot say is said."""

import json

import numpy as np
import pytest

from jaxgan.cli import main
from jaxgan.errors import InputError
from jaxgan.metrics.copyplan import Count, Likelihood, check, fit
from jaxgan.metrics.copyrate import _at_least

RANK, HELD_OUT = 10, 999


def exact(sizes, slope=0.02, images=2000, false=RANK / (HELD_OUT + 1)):
    """Counts without chance: 60% of samples at the first size, and e^-slope of it with each further image."""
    rates = 0.6 * np.exp(-slope * (np.array(sizes) - sizes[0]))
    counts = np.round(images * (rates + (1 - rates) * false)).astype(int).tolist()
    return [Count(size, count, images, RANK, HELD_OUT) for size, count in zip(sizes, counts)]


def written(folder, counts, **changes):
    names = []
    for i, one in enumerate(counts):
        values = {
            'recipe': 'r',
            'images_seen': 5,
            'data': {'name': 'npz:x.npz', 'images': one.size, 'of': one.size},
            'protocol': {'views': 86, 'seed': i, 'generated': one.images},
            'copy_rate': {**one._asdict(), 'fpr_of_threshold': 0.01},
        }
        (folder / str(i)).mkdir()
        (folder / str(i) / 'audit.json').write_text(json.dumps(values | changes if i else values))
        names.append(str(folder / str(i)))
    return names


def test_the_likelihood_of_clean_audits_is_the_beta_binomials():
    counts = [Count(50, 7, 300, 3, 199), Count(100, 0, 400, 2, 399)]
    found = Likelihood(counts, 0.01, 'exponential').of(np.zeros((1, 2)), 1.0)[0]
    for one, value in zip(counts, found):
        shape = (one.images, one.rank, one.held_out + 1 - one.rank)
        exactly = _at_least(one.copies, *shape) - _at_least(one.copies + 1, *shape)
        ways = np.sum(np.log(np.arange(1, one.images + 1))) - sum(
            np.sum(np.log(np.arange(1, n + 1))) for n in (one.copies, one.images - one.copies)
        )
        assert value + ways == pytest.approx(np.log(exactly), abs=1e-4)


def test_a_curve_falls_to_the_rate_asked_for_at_its_size_and_never_passes_one():
    likelihood = Likelihood(exact((50, 100, 200)), 0.01, 'power')
    rates = likelihood.rates(100.0, np.array([0.5, 20.0]))
    np.testing.assert_allclose(rates[:, 1], 0.01)
    assert rates[0, 0] == pytest.approx(0.01 * 2**0.5) and rates[1, 0] == 1


@pytest.mark.parametrize(
    ('counts', 'rate', 'message'),
    [
        (exact((50, 50)), 0.01, 'audits of 1 size of training set'),
        (exact((50, 100)), 1.0, 'must be above 0 and below 1, not 1'),
        ([*exact((50, 100)), Count(150, 9, 8, 1, 99)], 0.01, 'is no count'),
    ],
)
def test_what_has_no_curve_is_refused(counts, rate, message):
    with pytest.raises(InputError, match=message):
        check(counts, rate)


@pytest.mark.slow
def test_an_exponential_is_found_with_its_floor_of_false_positives():
    found = fit(exact((50, 100, 150, 200, 400)), 0.01)
    truth = 50 + np.log(60) / 0.02
    assert found.images == pytest.approx(truth, rel=0.03) and found.slope == pytest.approx(0.02, rel=0.03)
    assert found.low < truth < found.high < 1.3 * truth
    assert found.holds and found.p_value > 0.5 and found.spread == 0
    np.testing.assert_allclose(found.rates[:3], 0.6 * np.exp(-0.02 * np.array([0, 50, 100])), rtol=0.05)


@pytest.mark.slow
def test_zero_counts_are_evidence_and_a_flat_rate_has_no_answer():
    none = [Count(size, 0, 2000, 1, 999) for size in (100, 200, 400)]
    found = fit(none, 0.01)
    assert found.images <= 100 and found.low == 0 and found.high < 200
    flat = fit([Count(size, 1000, 2000, 1, 999) for size in (100, 200, 400)], 0.01)
    assert flat.high is None and flat.low > 400


@pytest.mark.slow
def test_audits_that_lie_on_no_curve_widen_the_interval():
    counts = exact((50, 100, 150, 200, 400))
    bent = [*counts[:2], counts[2]._replace(copies=counts[1].copies), *counts[3:]]
    found, straight = fit(bent, 0.01), fit(counts, 0.01)
    assert not found.holds and 0.2 < found.spread < 3
    assert found.high is None or found.high - found.low > 2 * (straight.high - straight.low)


@pytest.mark.slow
def test_the_command_says_the_size_and_what_does_not_hold(tmp_path, capsys):
    names = written(tmp_path, exact((50, 100, 150)), recipe='another')
    assert main(['plan', *names, '--below', '0.0001', '--json']) == 0
    report = json.loads(capsys.readouterr().out)
    assert report['curves']['exponential']['extrapolated'] and report['differ'] == ['recipe']
    assert [one['size'] for one in report['audits']] == [50, 100, 150]
    assert main(['plan', *names[::-1], '--below', '0.0001']) == 0
    said = capsys.readouterr().out
    assert (
        'fewer than 0.01% of samples' in said
        and 'an extrapolation: it goes beyond twice the largest size, 150' in said
        and 'known: recipe' in said
    )


def test_the_table_is_as_the_likelihood():
    likelihood = Likelihood(exact((50, 100, 200)), 0.01, 'power')
    rates = np.random.default_rng(0).uniform(size=(6, 5, 3)) ** 4
    for i, share in enumerate(np.linspace(0, 1, 6)):
        np.testing.assert_allclose(
            likelihood._looked_up(rates)[i], likelihood.of(rates[i], share).sum(-1), atol=1e-3
        )


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'copy_rate': None}, 'there were no held-out images, so it has no copy rate'),
        ({'copy_rate': {'copies': True, 'images': 5}}, 'copies True must be a whole number'),
        ({'copy_rate': {'copies': 9, 'images': 5, 'rank': 1, 'held_out': 9}}, 'is no audit'),
        ({'data': []}, 'it has no data'),
        ({'data': {'images': 10, 'of': 20}}, 'a part of the training images'),
        ({'protocol': {'views': 1}}, 'in another way'),
    ],
)
def test_files_that_are_no_audits_are_refused_in_a_line(tmp_path, capsys, changes, message):
    names = written(tmp_path, exact((50, 100)), **changes)
    assert main(['plan', *names]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count('\n') == 1


def test_too_few_audits_and_files_that_are_not_there_are_refused(tmp_path, capsys):
    (name, _) = written(tmp_path, exact((50, 100)))
    assert main(['plan', name]) == 2
    assert '1 audit: a curve needs 2 to 200' in capsys.readouterr().err
    assert main(['plan', name, str(tmp_path)]) == 2
    assert f'{tmp_path} has no audit.json: run jaxgan audit {tmp_path} first' in capsys.readouterr().err
    assert main(['plan', name, str(tmp_path / 'x.json')]) == 2
