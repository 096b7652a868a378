"""Ways to project: sketches, masks, extractors, classes; and that what is found is what other commands start from, bit for bit."""

import numpy as np
import pytest
from PIL import Image
from runs import make_data, run, tiny

from jaxgan.cli import main
from jaxgan.images import visible
from jaxgan.making.inverting import Inverter, Way
from jaxgan.making.painting import decode
from jaxgan.making.project import search
from jaxgan.making.projections import load_places
from jaxgan.making.starts import seeded
from jaxgan.making.targets import of_own
from jaxgan.making.warming import of_encoder
from jaxgan.marks.watermarking import mark
from jaxgan.opened import open_generator

FAST = ('--starts', '2', '--candidates', '8', '--steps', '6')
RIGHTS = ('--source-rights', 'my own drawing')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A run with classes, and pictures."""
    folder = tmp_path_factory.mktemp('ways')
    run(tiny(make_data(folder), conditional=True), folder / 'run')
    generator = open_generator(folder / 'run')
    targets = of_own(generator, range(40, 43))
    for i in (1, 2):
        Image.fromarray(visible(targets.pixels[i])).save(folder / f'{i}.png')
    sketch = targets.pixels[1].reshape(4, 4, 4, 4, 3).mean((1, 3)).astype(np.uint8)
    Image.fromarray(sketch.repeat(4, 0).repeat(4, 1)).save(folder / 'sketch.png')
    mask = np.full((16, 16), 255, np.uint8)
    mask[8:] = 0
    Image.fromarray(mask).save(folder / 'mask.png')
    return folder


UNMARKED = ('--unmarked', 'a test compares pixels')


def project(trained, out, *given):
    assert main(['project', str(trained / 'run'), *given, *RIGHTS, '--out', str(out)]) == 0
    return load_places(out)


def bits(path):
    return np.asarray(Image.open(path))


@pytest.mark.slow
def test_what_is_written_is_what_others_start_from(trained, tmp_path):
    pictures = [str(trained / f'{i}.png') for i in (1, 2)]
    found = project(
        trained,
        tmp_path / 'found',
        *pictures,
        *FAST,
        *('--label', '1', '--tune', '--tune-steps', '3'),
    )
    assert found.patch and found.labels is not None and found.labels.tolist() == [1, 1]
    written = [bits(tmp_path / f'found/{name}.png') for name in found.names]
    generator = open_generator(trained / 'run')
    made = decode(generator, found)
    for i in range(2):
        pixels = np.clip(np.rint((made[i] + 1) * np.float32(127.5)), 0, 255).astype(np.uint8)
        assert (written[i] == mark(pixels, generator.credit()).pixels).all()
    place = f'{tmp_path}/found#'
    vary = [
        'vary',
        str(trained / 'run'),
        f'{place}2',
        '--strength',
        '0',
        '--n',
        '1',
        '--out',
        str(tmp_path / 'v'),
    ]
    assert main(vary) == 0
    (alone,) = (tmp_path / 'v').glob('*.png')
    assert (bits(alone) == written[1]).all()
    path = ['interpolate', str(trained / 'run'), f'{place}1', f'{place}2', '--steps', '3', '--out']
    assert main([*path, str(tmp_path / 'i')]) == 0
    ends = [bits(tmp_path / f'i/{name}.png') for name in ('00000', '00002')]
    assert (ends[0] == written[0]).all() and (ends[1] == written[1]).all()


@pytest.mark.slow
def test_a_class_is_that_of_the_best_start_or_what_was_asked(trained):
    generator = open_generator(trained / 'run')
    targets = of_own(generator, range(40, 43))  # each class in turn
    inverter = Inverter(generator, Way(starts=24, candidates=96, steps=60))
    free = search(inverter, targets)
    asked = search(inverter, targets, label=2)
    assert np.asarray(asked.places.labels).tolist() == [2, 2, 2]
    gained = [a['loss'] <= b['loss'] for a, b in zip(free.places.origins, asked.places.origins, strict=True)]
    assert sum(gained) >= 2


@pytest.mark.slow
def test_a_warm_start_has_the_label_of_its_own(trained):
    """One step sees the starts as they are: the exact code with its label is the best of all, and is found with both."""
    generator = open_generator(trained / 'run')
    targets = of_own(generator, range(40, 43))
    codes = seeded(generator, range(40, 43)).codes
    seen = []

    def encode(pixels, labels):
        seen.append(labels)
        return codes

    inverter = Inverter(generator, Way(starts=3, candidates=9, steps=1))
    own = np.array([0, 1, 2], np.int32)
    found = inverter.find(targets.pixels, warm=lambda pixels, labels: (codes[:, None], own[:, None]))
    np.testing.assert_array_equal(found.labels, own)
    np.testing.assert_allclose(found.codes, codes, atol=1e-6)
    plain, labels = inverter._starts(targets.pixels / 127.5 - 1, None, None, None)
    warm = lambda labels: of_encoder(encode)(targets.pixels, (labels + 1) % 3)  # noqa: E731
    starts, with_labels = inverter._starts(targets.pixels / 127.5 - 1, None, None, warm)
    nearest = np.asarray(labels)
    np.testing.assert_array_equal(seen[0], (nearest[:, 0] + 1) % 3)
    np.testing.assert_array_equal(np.asarray(with_labels)[:, 0], seen[0])
    np.testing.assert_array_equal(np.asarray(with_labels)[:, 1:], nearest[:, :2])
    np.testing.assert_array_equal(starts[:, 0], codes)
    np.testing.assert_array_equal(starts[:, 1:], plain[:, :2])


@pytest.mark.slow
def test_an_encoder_of_classes_is_a_start(trained, tmp_path):
    encoder = ['encoder', str(trained / 'run'), '--steps', '3', '--batch', '4', '--width', '2']
    assert main([*encoder, '--out', str(tmp_path / 'e')]) == 0
    found = project(
        trained, tmp_path / 'found', str(trained / '1.png'), *FAST, '--warm-start', str(tmp_path / 'e')
    )
    assert found.labels is not None and found.labels[0] in range(3)


@pytest.mark.slow
def test_a_sketch_constrains_its_blocks_alone(trained, tmp_path):
    sketch = str(trained / 'sketch.png')
    given = ('--coarse', '4', '--starts', '4', '--candidates', '64', '--label', '1')
    few, many = (
        project(trained, tmp_path / steps, sketch, *given, '--steps', steps).origins[0]
        for steps in ('1', '60')
    )
    assert many['psnr'] > few['psnr'] + 1 and 'ssim' not in many
    made = bits(tmp_path / '60/sketch.png').astype(float)
    blocks = made.reshape(4, 4, 4, 4, 3).mean((1, 3))
    wanted = bits(sketch)[::4, ::4].astype(float)
    error = np.mean((blocks - wanted) ** 2)
    np.testing.assert_allclose(many['psnr'], 10 * np.log10(255**2 / error), atol=0.05)
    assert np.mean((made - bits(sketch)) ** 2) > error  # details of its own


@pytest.mark.slow
def test_what_is_hidden_is_made_and_the_rest_kept(trained, tmp_path):
    given = (str(trained / '1.png'), *FAST, '--mask', str(trained / 'mask.png'), *UNMARKED)
    project(trained, tmp_path / 'kept', *given)
    project(trained, tmp_path / 'free', *given, '--no-paste')
    kept, free, source = bits(tmp_path / 'kept/1.png'), bits(tmp_path / 'free/1.png'), bits(trained / '1.png')
    assert (kept[:8] == source[:8]).all() and (kept[8:] == free[8:]).all()
    assert (free[:8] != source[:8]).any()


@pytest.mark.slow
@pytest.mark.parametrize('features', ['pixel_avatars', 'none'])
def test_what_looks_can_be_named(trained, tmp_path, features):
    found = project(trained, tmp_path / 'found', str(trained / '1.png'), *FAST, '--features', features)
    assert ('features' in found.origins[0]) == (features != 'none')
