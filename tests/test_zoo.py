"""The list of what there is: complete, with a line on each, and read without running anything."""

from pathlib import Path

import pytest

from jaxgan import Loss, build, zoo
from jaxgan.cli import main
from jaxgan.errors import InputError
from jaxgan.modelconfig import KINDS

CONFIGS = Path(__file__).parent.parent / 'configs'


def test_every_registered_member_is_there_with_a_line():
    found = zoo.families(CONFIGS)
    for family, registry in {
        'models': KINDS,
        'losses': build.LOSSES,
        'penalties': build.PENALTIES,
        'augmentations': build.AUGMENTATIONS,
        'optimizers': build.OPTIMIZERS,
        'trainings': build.STEPS,
        'extensions': build.EXTENSIONS,
    }.items():
        assert set(found[family]) == set(registry)
    assert set(found['recipes']) == {path.stem for path in CONFIGS.glob('*.py')}
    missing = [
        f'{family} {name}' for family, rows in found.items() for name, line in rows.items() if not line
    ]
    assert not missing


def test_lines_are_those_of_the_sources():
    found = zoo.families(CONFIGS)
    assert found['losses']['hinge'] == '``D: max(0, 1 - real) + max(0, 1 + fake)``, ``G: -fake``.'
    assert found['penalties']['lecam'].startswith('``(D(real) - a_fake)^2')
    assert found['penalties']['wgan_gp'].startswith("Pull the norm of the critic's gradient to 1")
    assert found['recipes']['folder'].startswith('Your own pictures')


def test_what_has_no_docstring_or_no_source_gets_an_empty_line(tmp_path):
    made = Loss(lambda real, fake: fake, lambda real, fake: -fake)
    assert zoo.describe({'mine': made, 'sum': 3}) == {'mine': '', 'sum': ''}
    assert zoo._attribute_docs('builtins') == zoo._attribute_docs('no.such.module') == {}
    (tmp_path / 'broken.py').write_text('def (')
    (tmp_path / 'harmful.py').write_text('"""Would delete things."""\nraise SystemExit(3)')
    assert zoo.families(tmp_path)['recipes'] == {'broken': '', 'harmful': 'Would delete things.'}


def test_the_command_prints_families_and_one_alone(monkeypatch, capsys):
    monkeypatch.chdir(CONFIGS.parent)
    monkeypatch.setenv('COLUMNS', '100')
    assert main(['zoo']) == 0
    out = capsys.readouterr().out
    for word in ('losses (', 'dual_contrastive', 'latent_diversity', 'adamw', 'one_stage', 'pixel_avatars'):
        assert word in out
    assert main(['zoo', 'losses']) == 0
    out = capsys.readouterr().out
    assert 'hinge' in out and 'adamw' not in out and '``' not in out


def test_an_unknown_or_empty_family_is_one_line(monkeypatch, tmp_path, capsys):
    assert main(['zoo', 'loses']) == 2
    assert "unknown family 'loses'; did you mean 'losses'?" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match='family recipes has no members in configs/ of this folder'):
        zoo.choose('recipes')
    assert 'recipes' not in zoo.choose(None)
