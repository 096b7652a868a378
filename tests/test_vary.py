"""`jaxgan vary` and `interpolate`, and the starts that they share, on an export of a small generator with styles."""

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import build
from jaxgan.cli import main
from jaxgan.errors import DamagedError, InputError
from jaxgan.export import save_export
from jaxgan.images import to_uint8
from jaxgan.making import starts
from jaxgan.making.encoding import load_encoder
from jaxgan.making.interpolate import distances, join, jump, travel
from jaxgan.making.layers import parse_layers
from jaxgan.making.painting import decode, tuned
from jaxgan.making.projections import load_places, save_places, take
from jaxgan.making.starts import find_one, find_start, in_space
from jaxgan.making.vary import Request, distance, parse_strengths, vary
from jaxgan.marks.pictures import read_credit
from jaxgan.modelconfig import StyleGAN2
from jaxgan.opened import open_generator
from jaxgan.sampling import make_sampler
from jaxgan.spaces import kept_noise

STRENGTHS = [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('vary') / 'export'
    model = StyleGAN2(latent_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
    card = build.architecture(model, 8, 3, 0, 'float32')
    params, aux = build.build_generator(card).init(jax.random.key(0), np.zeros((1, 8), np.float32), None)
    params = jax.tree.map(lambda leaf: leaf + 0.1 if leaf.ndim == 0 else leaf, params)  # noise that is seen
    data = {'name': 'toys', 'fingerprint': '0', 'licence': 'CC0'}
    trained = {'step': 1, 'images_seen': 8}
    save_export(folder, params, aux, {'architecture': card, 'data': data, 'labels': [], 'trained': trained})
    return folder


@pytest.fixture(scope='module')
def generator(exported):
    return open_generator(exported)


@pytest.fixture(scope='module')
def projected(generator, tmp_path_factory):
    """Two places that come from a picture: in w, with noise and a patch."""
    places = starts.seeded(generator, [3, 4])
    noise = {name: np.stack([m, -m]) for name, m in kept_noise(generator.aux).items()}
    patch = {'params/painter/constant': np.full((4, 4, 8), 0.1, np.float32)}
    origins = tuple({'file': f'{i}.png', 'source': f'{i}' * 64, 'rights': f'mine {i}'} for i in (1, 2))
    places = places._replace(noise=noise, patch=patch, origins=origins, names=('a', 'b'))
    folder = tmp_path_factory.mktemp('places')
    save_places(folder, places)
    return folder


def ask(**changes):
    return Request(STRENGTHS, 4, 0, None, None, None, None)._replace(**changes)


class TestStarts:
    def test_a_seed_s_image_is_that_of_sample(self, generator):
        images = make_sampler(generator.network, generator.latents, generator.params, generator.aux)([5, 9])
        for space in ('z', 'w', 'w+'):
            found = find_start('seed:5,9', generator, space)
            assert np.abs(to_uint8(decode(generator, found)).astype(int) - images).max() <= 1
            alone = find_one('9', generator, space=space)
            assert (alone.codes[0] == found.codes[1]).all()
            assert (decode(generator, alone)[0] == decode(generator, found)[1]).all()

    def test_places_by_name_number_and_all(self, generator, projected):
        assert find_start(str(projected), generator).names == ('a', 'b')
        for text in ('#b', '#1'):
            found = find_one(f'{projected}{text}', generator)
            assert found.names == ('b',)
            assert (
                decode(generator, found)[0] == decode(generator, find_start(str(projected), generator))[1]
            ).all()

    def test_noise_and_tuning_reach_the_image(self, generator, projected):
        found = find_start(str(projected), generator)
        for other in (found._replace(noise=None), found._replace(patch=None)):
            assert np.abs(decode(generator, other)[1] - decode(generator, found)[1]).max() > 1e-3

    def test_weights_are_put_on_the_device_and_patched_once(self, generator, projected):
        found = find_start(str(projected), generator)
        once = tuned(generator, take(found, [0]))
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(once))
        assert tuned(generator, take(found, [1])) is once
        plain = found._replace(patch=None)
        assert tuned(generator, plain) is tuned(generator, plain) is not once
        other = found._replace(patch={name: 2 * value for name, value in (found.patch or {}).items()})
        assert tuned(generator, other) is not once

    def test_spaces_widen(self, generator):
        z = find_start('3', generator, 'z')
        for space in ('w', 'w+'):
            np.testing.assert_array_equal(
                in_space(generator, z, space).codes, find_start('3', generator, space).codes
            )
        with pytest.raises(InputError, match='space z: these places lie in w, from which no way leads there'):
            in_space(generator, find_start('3', generator, 'w'), 'z')

    @pytest.mark.parametrize(
        ('text', 'message'),
        [
            ('seed:x', 'cannot read seeds'),
            ('nowhere', "'nowhere' is no place to start from"),
            ('PLACES#c', "unknown place in .* 'c'"),
            ('PLACES', 'names 2 places, and one is wanted: .*#a, for instance'),
            ('PLACES#7', "unknown place in .* '7'"),
        ],
    )
    def test_others_are_refused(self, generator, projected, text, message):
        with pytest.raises(InputError, match=message):
            find_one(text.replace('PLACES', str(projected)), generator)

    def test_a_picture_needs_a_statement_of_rights(self, generator, tmp_path):
        Image.new('RGB', (8, 8)).save(tmp_path / 'x.png')
        with pytest.raises(InputError, match='--source-rights'):
            find_start(str(tmp_path / 'x.png'), generator)

    def test_a_patch_of_others_is_refused(self, generator):
        patch = {'params/painter/constant': np.zeros(3, np.float32)}
        places = starts.seeded(generator, [1])._replace(patch=patch)
        with pytest.raises(InputError, match='does not fit this generator: params/painter/constant'):
            decode(generator, places)


class TestVary:
    @pytest.mark.parametrize('space', ['z', 'w', 'w+'])
    def test_distance_rises_with_strength_from_the_start_itself(self, generator, space):
        begin = find_one('3', generator, space=space)
        pixels = decode(generator, vary(generator, begin, None, ask())).reshape(5, 4, 8, 8, 3)
        source = decode(generator, begin)[0]
        assert (pixels[0] == source).all()
        for i in range(4):  # each by itself: they share their directions
            far = [distance(row[i : i + 1], source) for row in pixels]
            assert far == sorted(far) and far[1] > 0

    def test_noise_and_tuning_stay(self, generator, projected):
        begin = find_one(f'{projected}#b', generator)
        made = vary(generator, begin, None, ask(strengths=[0.0], n=2))
        assert (decode(generator, made) == decode(generator, begin)).all()
        assert {o['rights'] for o in made.origins} == {'mine 2'}

    def test_mixing_swaps_layers(self, generator):
        begin, others = (find_start(text, generator, 'w+') for text in ('3', 'seed:5-6'))
        made = vary(generator, begin, others, ask(strengths=[1.0], n=None, mix='x', layers='1-2'))
        assert (made.codes[:, 1:3] == others.codes[:, 1:3]).all()
        assert (
            made.codes[:, [0, *range(3, generator.layers)]]
            == begin.codes[:, [0, *range(3, generator.layers)]]
        ).all()

    def test_layers_of_a_single_style_are_refused(self, generator):
        begin = find_one('3', generator, space='z')
        with pytest.raises(InputError, match='layers 1-: in z a code of this generator'):
            vary(generator, begin, None, ask(layers='1-'))

    @pytest.mark.slow
    def test_a_folder_and_on_from_it(self, exported, projected, tmp_path):
        out = tmp_path / 'v'
        assert (
            main(
                [
                    'vary',
                    str(exported),
                    f'{projected}#a',
                    '--strengths',
                    '0,0.5',
                    '--n',
                    '2',
                    '--out',
                    str(out),
                ]
            )
            == 0
        )
        again = load_places(out)
        assert len(again.codes) == 4 and again.patch and again.noise
        credit = read_credit(out / f'{again.names[3]}.png')
        assert credit['source'] == '1' * 64 and credit['rights'] == 'mine 1' and credit['strength'] == '0.5'
        assert credit['kind'] == 'compositeWithTrainedAlgorithmicMedia'
        first, second = (np.asarray(Image.open(out / f'{again.names[i]}.png')) for i in (0, 1))
        assert (first == second).all()
        sheet = tmp_path / 'sheet.webp'
        assert main(['vary', str(exported), f'{out}#3', '--mix', f'{projected}', '--out', str(sheet)]) == 0
        assert read_credit(sheet)['rights'] == 'mine 1; mine 2'

    @pytest.mark.parametrize(
        'given',
        [
            ['--strengths', '0,x'], ['--strength', '1.5'], ['--strengths', '0,0'], ['--n', '0'], ['--layers', '9-'],
            ['--mix', '1', '--n', '2'], ['--out', 'x.bmp'], ['--seed', '-1'], ['--label', 'cat'], ['--n', '5000'],
        ],
    )  # fmt: skip
    def test_bad_input_writes_nothing(self, exported, tmp_path, given, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert main(['vary', str(exported), '3', *given]) == 2
        assert capsys.readouterr().err.startswith('error: ')
        assert not list(tmp_path.iterdir())

    def test_strengths_and_layers(self):
        assert parse_strengths('0, 0.5', 1.0) == [0.0, 0.5]
        assert parse_layers('0,2-', 4).tolist() == [True, False, True, True]
        for text in ('', '4', '2-1', '-1', 'a'):
            with pytest.raises(InputError):
                parse_layers(text, 4)


class TestInterpolate:
    @pytest.mark.parametrize('space', ['z', 'w'])
    @pytest.mark.parametrize('even', [False, pytest.param(True, marks=pytest.mark.slow)])
    def test_ends_are_those_of_the_places(self, generator, space, even):
        points = find_start('seed:1-3', generator, space)
        way = travel(generator, points, 5, even)
        assert len(way.images) == 9
        assert (way.images[[0, 4, 8]] == decode(generator, points)).all()
        assert jump(distances(way.images)) <= 3

    @pytest.mark.slow
    def test_even_steps_are_more_even(self, generator):
        points = find_start('seed:1-2', generator, 'z')
        jumps = [jump(distances(travel(generator, points, 9, even).images)) for even in (False, True)]
        assert jumps[1] < jumps[0]
        assert jumps[1] < 1.2

    @pytest.mark.slow
    def test_noise_goes_along(self, generator, projected):
        points = find_start(str(projected), generator)
        way = travel(generator, points, 3, False)
        assert (way.images[[0, 2]] == decode(generator, points)).all()

    def test_what_is_tuned_differently_does_not_go_together(self, generator, projected):
        one = find_start(str(projected), generator)
        other = one._replace(patch={name: value * 2 for name, value in (one.patch or {}).items()})
        assert join(generator, [one, find_start('1', generator)]).patch
        with pytest.raises(InputError, match='tuned differently: project all pictures at once'):
            join(generator, [one, other])

    @pytest.mark.slow
    def test_files(self, exported, projected, tmp_path, capsys):
        for name in ('x.png', 'x.gif', 'x'):
            out = tmp_path / name
            given = [str(exported), '3', str(projected), '--steps', '3', '--out', str(out)]
            assert main(['interpolate', *given]) == 0
        assert 'path length: ' in capsys.readouterr().out
        for path in (tmp_path / 'x.png', tmp_path / 'x/00002.png'):
            assert read_credit(path)['rights'] == 'mine 1; mine 2'
        assert len(load_places(tmp_path / 'x').codes) == 5
        assert main(['interpolate', str(exported), '3', '--out', str(tmp_path / 'y.png')]) == 2
        assert not (tmp_path / 'y.png').exists()


class TestEncoder:
    @pytest.mark.slow
    def test_a_command_trains_one_that_project_can_start_from(self, exported, generator, tmp_path, capsys):
        folder = tmp_path / 'encoder'
        given = ['--steps', '3', '--batch', '4', '--width', '2', '--out', str(folder)]
        assert main(['encoder', str(exported), *given]) == 0
        assert 'step 3/3: code ' in capsys.readouterr().out
        codes = load_encoder(folder, generator, 'w')(np.zeros((3, 8, 8, 3), np.uint8))
        assert codes.shape == (3, 8) and (codes[0] == codes[2]).all()
        with pytest.raises(InputError, match='is an encoder to w, and this searches in z'):
            load_encoder(folder, generator, 'z')
        tensors = folder / 'encoder.safetensors'
        tensors.write_bytes(tensors.read_bytes()[:-1] + b'x')
        with pytest.raises(DamagedError, match='does not match its SHA-256'):
            load_encoder(folder, generator, 'w')
        assert main(['encoder', str(exported), '--steps', '0', '--out', str(tmp_path / 'no')]) == 2
        assert not (tmp_path / 'no').exists()
