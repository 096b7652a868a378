"""Measures tell what was done to real images: the script of the table in docs/metrics.md, on the embedded avatars.

Its names of sets and its ways to alter images are used here, so the table is made by what is tested. What does not move as one
would hope is in the page, and not asserted: blur does not lower precision.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from jaxgan.data.pixel_avatars.sheet import attribute_names, read_codes, read_images
from jaxgan.errors import InputError
from jaxgan.metrics.extractors import load
from jaxgan.metrics.protocol import differences

pytestmark = pytest.mark.slow  # hundreds of images a set

SCRIPT = Path(__file__).parent.parent / 'docs' / 'scripts' / 'measures_move.py'
N, USED = 600, 8_000
NOISE, BLUR, ONE_CLASS = 'noise, sigma 24', 'blur, radius 1', 'only #cab188'
MEASURED = ('fd', 'kid', 'precision_recall', 'density_coverage', 'copying')
FRESH, DUPLICATES, COPIES = 'as they are', 'a tenth, each 10 times', 'training images'


@pytest.fixture(scope='module')
def script():
    spec = importlib.util.spec_from_file_location('measures_move', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def trial(script, tmp_path_factory):
    names = attribute_names()
    place = list(names).index('hair_color')
    path = tmp_path_factory.mktemp('avatars') / 'avatars.npz'
    arrays = {f'x_{split}': read_images(split)[:USED] for split in ('train', 'test')}
    arrays |= {f'y_{split}': read_codes(split)[:USED, place].astype(np.int32) for split in ('train', 'test')}
    np.savez(path, classes=np.array(names['hair_color']), **arrays)
    return script.open_trial(f'npz:{path}', N)


@pytest.fixture(scope='module')
def sets(script, trial):
    return dict(script.altered(trial, N, '#cab188'))


@pytest.fixture(scope='module')
def found(script, trial, sets, tmp_path_factory):
    """Values by set and measure, the extractor's name left out; all by one protocol."""
    wanted = (FRESH, NOISE, BLUR, ONE_CLASS, DUPLICATES, COPIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('JAXGAN_CACHE', str(tmp_path_factory.mktemp('cache')))
        extractor = load('pixel_avatars')
        lists = {name: script.measured(extractor, trial, sets[name], MEASURED) for name in wanted}
    for measurements in lists.values():
        for one, fresh in zip(measurements, lists[FRESH], strict=True):
            assert not differences(one.protocol, fresh.protocol)
    return {
        name: {one.metric.removesuffix('-Avatars'): one.value for one in measurements}
        for name, measurements in lists.items()
    }


def test_images_as_they_are_are_good_by_all_measures(found):
    fresh = found[FRESH]
    assert abs(fresh['KID']) < 3
    assert min(fresh['precision'], fresh['recall']) > 0.75
    assert 0.85 < fresh['density'] < 1.15
    assert fresh['coverage'] > 0.92
    assert abs(fresh['C_T']) < 3
    assert all(
        fresh['FD'] < values['FD'] / 1.3 for name, values in found.items() if name not in (FRESH, COPIES)
    )


@pytest.mark.parametrize('name', [NOISE, BLUR])
def test_noise_and_blur_are_far_away(found, name):
    assert found[name]['FD'] > 1.3 * found[FRESH]['FD']
    assert found[name]['KID'] > found[FRESH]['KID'] + 5.0


def test_noise_lacks_quality_and_blur_variety(found):
    assert found[NOISE]['precision'] < found[FRESH]['precision'] - 0.05
    assert found[NOISE]['density'] < found[FRESH]['density'] - 0.1
    assert found[BLUR]['recall'] < found[FRESH]['recall'] - 0.5
    assert found[BLUR]['coverage'] < found[FRESH]['coverage'] - 0.1


def test_one_class_lacks_variety_and_not_quality(found):
    assert found[ONE_CLASS]['recall'] < found[FRESH]['recall'] - 0.3
    assert found[ONE_CLASS]['coverage'] < found[FRESH]['coverage'] - 0.05
    assert found[ONE_CLASS]['precision'] > found[FRESH]['precision'] - 0.05


def test_duplicates_lack_variety_and_not_quality(found):
    assert (
        found[DUPLICATES]['recall'] == 0.0
    )  # the third neighbour of an image that is there ten times is at 0
    assert found[DUPLICATES]['coverage'] < found[FRESH]['coverage'] - 0.4
    assert found[DUPLICATES]['precision'] > found[FRESH]['precision'] - 0.1


def test_copies_of_the_training_are_perfect_but_for_c_t(found):
    copies = found[COPIES]
    assert copies['FD'] == pytest.approx(0.0, abs=1e-3)
    assert copies['precision'] == copies['recall'] == copies['coverage'] == 1.0
    assert copies['C_T'] < -10
    assert all(values['C_T'] > copies['C_T'] + 5 for name, values in found.items() if name != COPIES)


def test_images_are_altered_as_their_names_say(sets, trial):
    fresh = sets[FRESH].astype(int)
    for sigma in (8, 24):
        change = sets[f'noise, sigma {sigma}'] - fresh
        inside = (fresh > 100) & (fresh < 155)  # three deviations from the ends, where noise is cut
        assert change[inside].std() == pytest.approx(sigma, rel=0.05)
    slopes = [
        np.abs(np.diff(sets[name].astype(int), axis=1)).mean() for name in (FRESH, 'blur, radius 0.5', BLUR)
    ]
    assert slopes[0] > 1.2 * slopes[1] > 1.44 * slopes[2]
    grey = (np.ptp(sets['half of them grey'], axis=3) == 0).all(axis=(1, 2))
    assert grey.sum() == N // 2
    assert len(np.unique(sets[DUPLICATES], axis=0)) == N // 10
    known = {image.tobytes() for image in trial.images}
    assert all(image.tobytes() in known for image in sets[COPIES])
    assert not any(image.tobytes() in known for image in np.concatenate([sets[FRESH], sets[ONE_CLASS]]))
    assert all(len(images) == N and images.dtype == np.uint8 for images in sets.values())


def test_sets_that_cannot_be_made_are_refused(script, trial):
    with pytest.raises(InputError, match="unknown class 'cat'"):
        next(script.altered(trial, N, 'cat'))
    with pytest.raises(InputError, match='allowed: up to'):
        next(script.altered(trial, 2_000, '#cab188'))
