"""``jaxgan project``: what is refused, what is written, and that a seed says all."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from runs import make_data, run, tiny

from jaxgan.cli import main
from jaxgan.errors import InputError
from jaxgan.making.inverting import Way
from jaxgan.making.project import pasted, project_files
from jaxgan.making.projections import load_places
from jaxgan.making.shown import kolmogorov_smirnov
from jaxgan.making.targets import unique
from jaxgan.marks.pictures import read_credit
from jaxgan.opened import open_generator

FAST = ('--starts', '2', '--candidates', '8', '--steps', '6')
RIGHTS = ('--source-rights', 'my own drawing')


def test_two_samples_are_told_apart_by_their_distributions():
    a = np.arange(10.0)
    assert kolmogorov_smirnov(a, a) == (0.0, 1.0)
    statistic, p = kolmogorov_smirnov(a, a + 5)
    assert statistic == 0.5
    # the limit's tail at (e + 0.12 + 0.11 / e) D with e = sqrt(5)
    scaled = (5**0.5 + 0.12 + 0.11 / 5**0.5) * 0.5
    assert p == pytest.approx(2 * np.exp(-2 * scaled**2) - 2 * np.exp(-8 * scaled**2), rel=1e-3)
    assert kolmogorov_smirnov(a, a + 100)[1] < 1e-3


def test_names_are_those_of_files_and_no_two_are_alike():
    assert unique(['../x', 'x', 'projections', 'ü?']) == ('x', 'x-2', 'projections-2', 'ü')


def test_known_pixels_are_kept():
    images, pixels = np.zeros((1, 2, 2, 1), np.uint8), np.full((1, 2, 2, 1), 9, np.uint8)
    known = np.array([[[1.0], [0.0]], [[0.0], [1.0]]], np.float32)
    assert pasted(images, pixels, known)[0, ..., 0].tolist() == [[9, 0], [0, 9]]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'starts': 0}, 'starts 0 must be in 1..1024'),
        ({'steps': -1}, 'steps -1 must be in'),
        ({'features': 'discriminater'}, "did you mean 'discriminator'"),
    ],
)
def test_a_way_that_is_none_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        Way(**change)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('project')
    run(tiny(make_data(folder)), folder / 'run')
    pixels = np.random.default_rng(1).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(folder / 'photo.png')
    mask = np.zeros((16, 16), np.uint8)
    mask[:8] = 255
    Image.fromarray(mask).save(folder / 'mask.png')
    return folder


@pytest.mark.slow
def test_pictures_become_places_with_credits(trained, tmp_path):
    arguments = ['project', str(trained / 'run'), str(trained / 'photo.png'), *RIGHTS, *FAST]
    assert main([*arguments, '--tune', '--tune-steps', '3', '--out', str(tmp_path / 'a')]) == 0
    assert main([*arguments, '--tune', '--tune-steps', '3', '--out', str(tmp_path / 'b')]) == 0
    generator = open_generator(trained / 'run')
    a, b = (load_places(tmp_path / name, generator.digest) for name in 'ab')
    np.testing.assert_array_equal(a.codes, b.codes)  # the same seed, bit for bit
    assert a.patch and b.patch and all(np.array_equal(a.patch[name], b.patch[name]) for name in a.patch)
    digest = hashlib.sha256((trained / 'photo.png').read_bytes()).hexdigest()
    origin = a.origins[0]
    assert (origin['source'], origin['rights']) == (digest, 'my own drawing')
    assert 'resized from 20 to 16' in origin['prepared'] and {'psnr', 'ssim', 'features', 'loss'} <= set(
        origin
    )
    for name in ('photo.png', 'projections.png'):
        credit = read_credit(tmp_path / 'a' / name)
        assert credit['kind'] == 'compositeWithTrainedAlgorithmicMedia'
        assert (credit['source'], credit['rights']) == (digest, 'my own drawing')
    files = sorted(path.name for path in (tmp_path / 'a').iterdir())
    assert files == [
        'codes.safetensors',
        'photo.png',
        'projections.json',
        'projections.png',
        'provenance.jsonl',
    ]
    warm = [*arguments[:-1], '1', '--warm-start', str(tmp_path / 'a'), '--out', str(tmp_path / 'warm')]
    assert main(warm) == 0
    # one step sees the warm start as it is, so nothing worse can come of it
    before = load_places(tmp_path / 'a').origins[0]['loss']
    assert load_places(tmp_path / 'warm').origins[0]['loss'] <= before * (1 + 1e-5)


@pytest.mark.slow
def test_one_picture_has_the_bits_that_it_has_among_others(trained):
    generator = open_generator(trained / 'run')
    way = Way(starts=2, candidates=8, steps=6)
    photo, mask = trained / 'photo.png', trained / 'mask.png'
    alone = project_files(generator, [photo], 'mine', way=way)
    among = project_files(generator, [mask, photo, mask], 'mine', way=way)
    np.testing.assert_array_equal(alone.codes[0], among.codes[1])
    with pytest.raises(InputError, match='say what allows it with --source-rights'):
        project_files(generator, [photo], ' ', way=way)


@pytest.mark.slow
def test_masks_own_samples_and_the_gap(trained, tmp_path, capsys):
    arguments = ['project', str(trained / 'run'), *FAST]
    out = tmp_path / 'masked'
    photo = [str(trained / 'photo.png'), *RIGHTS, '--mask', str(trained / 'mask.png')]
    assert main([*arguments, *photo, '--out', str(out)]) == 0
    made = np.asarray(Image.open(out / 'photo.png'))
    whole = np.asarray(Image.open(out / 'projections.png'))
    assert made.shape == (16, 16, 3) and whole.ndim == 3
    assert main([*arguments, '--own', '2', '--seed', '3', '--out', str(tmp_path / 'own')]) == 0
    own = load_places(tmp_path / 'own')
    assert own.names == ('seed3', 'seed4') and read_credit(tmp_path / 'own/seed3.png')['seeds'] == '3'
    gap = ['--from-data', 'train[:12],train[12:]', '-n', '3', '--out', str(tmp_path / 'gap')]
    assert main([*arguments, *[a if a != '-n' else '--n' for a in gap]]) == 0
    told = json.loads((tmp_path / 'gap/gap.json').read_text())
    assert [one['n'] for one in told.values()] == [3, 3] and 0 <= list(told.values())[1]['p'] <= 1
    assert 'KS p against' in capsys.readouterr().out
    for wrong, message in (
        ([], 'one of them'),
        (['nothing.png', *RIGHTS], 'does not exist'),
        (['--own', '1', '--coarse', '3'], 'coarse 3 does not divide the 16 pixels'),
        (['--own', '1', '--noise'], 'no noise maps'),
        (['--own', '1', '--space', 'w'], 'no styles'),
    ):
        assert main([*arguments, *wrong, '--out', str(tmp_path / 'none')]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / 'none').exists()
