"""``jaxgan sample``: where images go, what they say of themselves, and that an explained image can be made again."""

import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import build
from jaxgan.cli import main
from jaxgan.export import save_export
from jaxgan.images import to_uint8
from jaxgan.making.duplicates import Duplicates, thumbnail
from jaxgan.making.folders import RECORD
from jaxgan.making.labelling import read_labelling
from jaxgan.making.tracing import open_trace
from jaxgan.marks.pictures import read_credit
from jaxgan.modelconfig import DCGAN, StyleGAN2
from jaxgan.opened import open_generator

LABELS = ['cat', 'dog', 'a:b']
STYLES = StyleGAN2(latent_dim=8, w_dim=8, mapping_layers=1, channel_base=32, channel_max=4)
PLAIN = DCGAN(latent_dim=8, width=4, norm='none', output='tanh')

UNMARKED = ('--unmarked', 'what is looked at are the pixels as the generator makes them')


def export(folder, model, labels=(), size=16):
    """Write a generator as it begins, untrained, as an export."""
    architecture = build.architecture(model, size, 3, len(labels), 'float32')
    label = jnp.zeros(1, jnp.int32) if labels else None
    init = jax.jit(build.build_generator(architecture).init)
    params, aux = init(jax.random.key(3), jnp.zeros((1, 8)), label)
    card = {
        'architecture': architecture,
        'labels': list(labels),
        'data': {'name': 'toy'},
        'trained': {'step': 0, 'images_seen': 0},
    }
    return save_export(folder, jax.tree.map(np.asarray, params), jax.tree.map(np.asarray, aux), card)


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    return export(tmp_path_factory.mktemp('plain') / 'export', PLAIN)


@pytest.fixture(scope='module')
def styled(tmp_path_factory):
    return export(tmp_path_factory.mktemp('styled') / 'export', STYLES, LABELS)


def sample(source, out, *options):
    assert main(['sample', str(source), '--out', str(out), *map(str, options)]) == 0
    return out


def arrays(path):
    with np.load(path) as found:
        return dict(found)


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main(['sample', *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


def test_standard_output_is_the_picture_alone(plain, capfdbinary):
    sample(plain, '-', '--n', 3, '--seed', 5, '--temperature', 0.5)
    out, err = capfdbinary.readouterr()
    assert b'wrote standard output' in err
    told = read_credit(io.BytesIO(out))
    assert (told['seeds'], told['temperature']) == ('5-7', '0.5')
    assert told['model'] == open_generator(plain).digest
    sample(plain, '-', '--n', 3, '--seed', 5, '--format', 'npz')
    found = arrays(io.BytesIO(capfdbinary.readouterr().out))
    assert found['images'].shape == (3, 16, 16, 3)
    assert json.loads(str(found['credit']))['data'] == 'toy'


def test_a_grid_as_webp_is_that_as_png(plain, tmp_path):
    pictures = [Image.open(sample(plain, tmp_path / f'a.{kind}', '--n', 4)) for kind in ('png', 'webp')]
    np.testing.assert_array_equal(*map(np.asarray, pictures))
    assert read_credit(tmp_path / 'a.webp')['seeds'] == '0-3'


class TestFolders:
    def test_it_goes_on_where_it_was_stopped(self, plain, tmp_path, capsys):
        folder = sample(plain, tmp_path / 'f', '--n', 3)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        (folder / 'seed0000000001.png').unlink()
        (folder / 'seed0000000000.png').write_bytes(b'left alone')
        sample(plain, folder, '--n', 4)
        assert '2 images of 16x16 (2 were there before)' in capsys.readouterr().out
        assert (folder / 'seed0000000001.png').read_bytes() == before['seed0000000001.png']
        assert (folder / 'seed0000000000.png').read_bytes() == b'left alone'
        assert len(list(folder.glob('*.png'))) == 4
        assert read_credit(folder / 'seed0000000003.png')['seeds'] == '3'
        sample(plain, folder, '--n', 4)  # nothing is left to do
        assert json.loads((folder / RECORD).read_text())['model'] == open_generator(plain).digest

    def test_images_of_something_else_are_refused(self, plain, tmp_path, capsys):
        folder = sample(plain, tmp_path / 'f', '--n', 2)
        error = refused(capsys, plain, '--out', folder, '--temperature', 0.5)
        assert "holds images with temperature None, and now it is '0.5'" in error
        (folder / RECORD).unlink()
        assert f'no {RECORD} that says of what' in refused(capsys, plain, '--out', folder)
        assert len(list(folder.iterdir())) == 3

    @pytest.mark.slow
    def test_each_says_its_class(self, styled, tmp_path):
        folder = sample(styled, tmp_path / 'f', '--n', 2, '--format', 'webp')
        told = [read_credit(path)['label'] for path in sorted(folder.glob('*.webp'))]
        assert told == ['cat', 'dog']


class TestTraces:
    def test_an_image_is_made_again_from_its_latent(self, plain, tmp_path):
        trace = tmp_path / 'a.jsonl'
        given = ('--n', 3, '--temperature', 0.5, '--trace', trace, *UNMARKED)
        found = arrays(sample(plain, tmp_path / 'a.npz', *given))
        lines = [json.loads(line) for line in trace.read_text().splitlines()]
        assert [line['seed'] for line in lines] == [0, 1, 2]
        assert lines[1]['temperature'] == 0.5
        generator = open_generator(plain)
        assert lines[1]['model'] == generator.digest
        z = jnp.asarray([line['z'] for line in lines], jnp.float32)
        images = to_uint8(jax.jit(generator.network.infer)(generator.params, generator.aux, z, None))
        assert np.abs(images.astype(int) - found['images']).max() <= 1
        given = ('--seeds', 1, '--temperature', lines[1]['temperature'], *UNMARKED)
        again = arrays(sample(plain, tmp_path / 'b.npz', *given))
        np.testing.assert_array_equal(again['images'][0], found['images'][1])

    @pytest.mark.slow
    @pytest.mark.parametrize(
        'options', [('--cutoff', '3'), ('--toward', 'cluster', '--clusters', '2'), ('--toward', 'class')]
    )
    def test_or_from_its_styles(self, styled, tmp_path, options, capsys):
        given = ('--n', 3, '--psi', 0.5, *options, *UNMARKED)
        found = arrays(sample(styled, tmp_path / 'a.npz', *given))
        sample(styled, tmp_path / 'b.npz', *given, '--trace', '-')
        out, err = capsys.readouterr()
        lines = [json.loads(line) for line in out.splitlines()[1:]]  # the first line is of the one before
        assert 'wrote' in err
        assert [(line['class'], line['label'], line['psi']) for line in lines] == [
            (name, i, 0.5) for i, name in enumerate(LABELS)
        ]
        generator = open_generator(styled)
        space = generator.choose_space('w+' if '--cutoff' in options else 'w')
        w = jnp.asarray([line['w'] for line in lines], jnp.float32)
        images = to_uint8(jax.jit(space.decode)(generator.params, generator.aux, w, None))
        assert np.abs(images.astype(int) - found['images']).max() <= 1


def test_a_trace_of_what_is_not_finite_is_json(tmp_path):
    results = {
        'seeds': np.asarray([1, 2], np.uint32),
        'labels': None,
        'z': np.asarray([[0.5, np.inf], [1, 2]], np.float32),
        'score': np.asarray([np.nan, 3], np.float32),
    }
    with open_trace(str(tmp_path / 't'), {}) as trace:
        trace(results, None)
    first, second = (json.loads(line) for line in (tmp_path / 't').read_text().splitlines())
    assert (first['z'], first['score']) == ([0.5, 'inf'], 'nan')
    assert (second['z'], second['score']) == ([1.0, 2.0], 3.0)


@pytest.mark.slow
def test_a_mixture_of_classes_mixes_styles(styled, tmp_path):
    trace = tmp_path / 't.jsonl'
    sample(styled, tmp_path / 'm.npz', '--n', 2, '--label', 'cat:1,a:b:3', '--trace', trace)
    generator = open_generator(styled)
    for line in map(json.loads, trace.read_text().splitlines()):
        assert line['label'] == {'0': 0.25, '2': 0.75}
        assert line['class'] == 'cat:0.25,a:b:0.75'
        z = jnp.asarray([line['z']], jnp.float32)
        cat, other = (
            jax.jit(generator.network.mapping)(generator.params, generator.aux, z, jnp.asarray([i]))[0, 0]
            for i in (0, 2)
        )
        np.testing.assert_allclose(line['w'], 0.25 * cat + 0.75 * other, rtol=1e-4, atol=1e-5)


def test_labels_are_read():
    card = {'labels': LABELS}
    assert read_labelling(card, 'a:b').parts == ()
    assert read_labelling(card, 'dog:1, 0:1').parts == ((1, 0.5), (0, 0.5))


class TestDuplicates:
    def test_repeated_seeds_are_dropped_and_said(self, plain, tmp_path, capsys):
        found = arrays(sample(plain, tmp_path / 'a.npz', '--seeds', '4,5,4,6,5', '--dedup', 'exact'))
        assert found['seeds'].tolist() == [4, 5, 6]
        assert '2 dropped as duplicates: 4-5' in capsys.readouterr().out

    def test_others_take_their_place(self, plain, tmp_path):
        plenty = arrays(sample(plain, tmp_path / 'a.npz', '--n', 60))['images']
        small = np.stack([thumbnail(image) for image in plenty])
        distance = np.sqrt(np.square(small[:, None] - small[None]).mean(axis=(2, 3)))
        near = float(np.percentile(distance[np.triu_indices(60, 1)], 20))
        kept = []
        for seed in range(60):
            if not (distance[seed, kept] <= near).any():
                kept.append(seed)
        found = arrays(sample(plain, tmp_path / 'b.npz', '--n', 6, '--dedup', 'near', '--near', near))
        assert found['seeds'].tolist() == kept[:6]
        assert kept[5] > 5

    def test_thumbnails_are_means_of_parts(self):
        image = np.arange(9 * 16 * 2, dtype=np.uint8).reshape(9, 16, 2)
        assert thumbnail(image).reshape(8, 8, 2)[0, 1, 0] == image[0, 2:4, 0].mean()
        assert thumbnail(image).reshape(8, 8, 2)[7, 0, 1] == image[7:9, 0:2, 1].astype(float).mean()

    def test_many_are_remembered(self):
        images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), np.uint8)
        seen = Duplicates(4.0, (8, 8, 1))
        assert [seen.find(image, i) for i, image in enumerate(images)] == [None] * 200
        assert seen.find(images[150] ^ 3, 999) == 150


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (('--psi', '0.7'), 'take --temperature 0.7'),
        (('--temperature', '-1'), 'temperature -1 must be at least 0'),
        (('--cutoff', '2'), '--cutoff 2 says how to truncate: give --psi, too'),
        (('--psi', 'nan'), 'psi nan must be a number'),
        (('--label', 'cat:1,dog:1'), 'this generator is unconditional'),
        (('--reject', 'drs'), 'the export'),
        (('--reject', 'ddls', '--temperature', '0.5'), 'does not go with --reject ddls'),
        (('--percentile', '0'), 'percentile 0 must be above 0'),
        (('--dedup', 'near', '--near', '200'), 'near 200 must be in 0..127'),
        (('--out', 'a.png', '--format', 'webp'), '--format webp contradicts the name a.png'),
        (('--out', 'f', '--format', 'npz'), 'a folder holds pictures'),
        (('--out', 'f', '--seeds', '1,1'), 'name one twice'),
        (('--out', 'f', '--columns', '2'), '--columns 2 is for a grid'),
        (('--out', '-', '--trace', '-'), 'both write to standard output'),
    ],
)
def test_bad_requests_are_refused_before_anything_is_written(
    plain, tmp_path, monkeypatch, capsys, options, words
):
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, plain, *options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('label', 'words'),
    [
        ('cat:0', "cannot read 'cat:0'"),
        ('cat:1e308,dog:1e308', "the weight 1e+308 of 'cat' must be in 1e-06..1e+06"),
        ('cat:1e-300', 'must be in'),
        ('cat:1,dog', "cannot read 'dog'"),
        ('cow:1', "unknown label 'cow'"),
        ('cat:1,0:2', 'names a class twice'),
    ],
)
def test_bad_mixtures_are_refused(styled, capsys, label, words):
    assert words in refused(capsys, styled, '--label', label)
    assert 'cutoff 99 must be in 1..' in refused(capsys, styled, '--psi', '0.5', '--cutoff', '99')
