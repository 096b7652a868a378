"""The list of what there is: complete, with a line on each, and read without running anything."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from runs import make_data, run, tiny

from jaxgan import Loss, build, zoo
from jaxgan.cli import main
from jaxgan.config import Optimizer, Penalty
from jaxgan.errors import InputError
from jaxgan.modelconfig import DCGAN, KINDS

CONFIGS = Path(__file__).parent.parent / 'configs'


def test_every_registered_member_is_there_with_a_line():
    found = zoo.families(CONFIGS)
    for family, registry in {
        'models': KINDS,
        'losses': build.LOSSES,
        'penalties': build.PENALTIES,
        'augment': build.AUGMENTATIONS,
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
    assert (
        found['ada']['bg'] == 'The groups blit, geometric.' and found['ada']['hue'] == 'Of the group color.'
    )


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


@pytest.mark.slow
def test_members_go_together_from_the_configuration_to_the_image(tmp_path, capsys):
    """One run with penalties that remember, augment and ask the generator; then its export, sampled from."""
    shown = tiny(make_data(tmp_path), conditional=True, images=32)
    config = dataclasses.replace(
        shown,
        model=DCGAN(latent_dim=8, width=4, norm='batch'),
        spectral_norm='both',
        loss='relativistic_average_hinge',
        penalties=tuple(
            Penalty(name, (0.1, 0.1), every, sigma)
            for name, every, sigma in (
                ('lecam', 1, None),
                ('bcr', 1, None),
                ('zcr', 1, 0.1),
                ('approximate_r1', 2, 0.05),
                ('orthogonal', 1, None),
            )
        ),
        g_penalties=(Penalty('latent_diversity', (0.1, 0.1)), Penalty('orthogonal', (1e-4, 1e-4))),
        top_k=(1.0, 0.5),
        g_optimizer=Optimizer((1e-3, 1e-3), name='adamw', weight_decay=1e-3, lazy=2),
        d_optimizer=Optimizer((1e-3, 1e-3), name='rmsprop', clip_weights=0.5),
    )
    assert run(config, tmp_path / 'run') == 0
    lines = [json.loads(line) for line in (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()]
    values = {name: value for line in lines for name, value in line.items()}
    for name in ('d/lecam', 'd/bcr', 'd/zcr', 'd/approximate_r1', 'd/orthogonal', 'g/latent_diversity'):
        assert math.isfinite(values[name]), name
    assert values['g/latent_diversity'] <= 0 < values['g/orthogonal']
    assert main(['export', str(tmp_path / 'run'), str(tmp_path / 'export')]) == 0
    card = json.loads((tmp_path / 'export' / 'generator.json').read_text())
    assert card['architecture']['spectral_norm'] == 'both'
    assert 'aux/spectral_norm/Dense_0/kernel' in card['tensors']
    for source in ('run', 'export'):
        out = tmp_path / f'{source}.npz'
        assert main(['sample', str(tmp_path / source), '--out', str(out), '--n', '4']) == 0
    with np.load(tmp_path / 'run.npz') as a, np.load(tmp_path / 'export.npz') as b:
        np.testing.assert_array_equal(a['images'], b['images'])
