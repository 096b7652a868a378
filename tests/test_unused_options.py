"""An option that another one makes meaningless is refused, also at its usual value, before anything is read."""

import pytest

from jaxgan.cli import main

CASES = [
    ('sample x --n 64 --seeds 1', '--n 64 has no meaning with --seeds'),
    ('sample x --seed 0 --seeds 1', '--seed 0 has no meaning with --seeds'),
    ('sample x --near 8 --dedup exact', '--near 8 has no meaning without --dedup near'),
    ('sample x --percentile 80', '--percentile 80 has no meaning without --reject drs'),
    ('sample x --steps 50 --reject drs', '--steps 50 has no meaning without --reject ddls'),
    ('sample x --step-size 0.01', '--step-size 0.01 has no meaning without --reject ddls'),
    ('sample x --copy-fpr 0.01', '--copy-fpr 0.01 has no meaning without --reject-copies'),
    ('sample x --copy-index a', '--copy-index a has no meaning without --reject-copies'),
    ('vary x 3 --strength 0.5 --strengths 0,1', '--strength 0.5 has no meaning with --strengths'),
    ('vary x 3 --seed 0 --mix 4', '--seed 0 has no meaning with --mix'),
    ('interpolate x 3 4 --seconds 0.1', '--seconds 0.1 has no meaning without --out FILE.gif'),
    ('project x --own 1 --n 64', '--n 64 has no meaning without --from-data'),
    ('project x --own 1 --no-paste', '--no-paste has no meaning without --mask'),
    ('project x --own 1 --tune-steps 350', '--tune-steps 350 has no meaning without --tune'),
    ('project x --own 1 --locality 1', '--locality 1 has no meaning without --tune'),
]


@pytest.mark.parametrize(('command', 'words'), CASES)
def test_both_options_are_named(command, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert words in error and error.count('\n') == 1
    assert not list(tmp_path.iterdir())
