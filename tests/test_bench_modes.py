"""``jaxgan bench modes``: digits, their classifier, what counts as covered and as diverged, and a tiny run."""

import json

import numpy as np
import pytest

from jaxgan.bench import suite_modes
from jaxgan.bench.digits import Digits, fit, open_digits, shrink
from jaxgan.bench.table import cells
from jaxgan.build import build_recipe
from jaxgan.cli import main
from jaxgan.errors import InputError
from jaxgan.metrics.modes import stacked_modes


def drawings(n, seed=0):
    """Ten 'digits' that differ plainly: a bright square at one of ten places, on noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    images = random.integers(0, 60, (n, 28, 28), np.uint8)
    for image, label in zip(images, labels):
        row, column = divmod(int(label), 5)
        image[4 + 12 * row : 12 + 12 * row, 1 + 5 * column : 6 + 5 * column] = 255
    return images, labels


@pytest.fixture
def path(tmp_path):
    (a, b), (c, d) = drawings(400), drawings(100, 1)
    np.savez(tmp_path / 'digits.npz', x_train=a, y_train=b, x_test=c, y_test=d)
    return str(tmp_path / 'digits.npz')


def test_digits_are_shrunk_by_means():
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 0:2, 0:2] = [[0, 255], [255, 0]]
    small = shrink(images)
    assert small.shape == (1, 16, 16) and small.dtype == np.float32
    assert small[0, 1, 1] == 0.0 and small.sum() == -255.0  # the pixel at (2, 2) of the padded image
    with pytest.raises(InputError, match='digits of 64x64 pixels'):
        shrink(np.zeros((1, 64, 64), np.uint8))


def test_the_classifier_knows_plain_digits_and_a_stack_is_their_number(path):
    train, test = open_digits(path)
    classifier, accuracy = fit(train, test)
    assert accuracy == 1.0
    _, chance = fit(Digits(train.images, np.roll(train.labels, 3)), test)
    assert chance < 0.1
    stacked = np.stack([test.images[:50], test.images[50:]], axis=-1)
    expected = 10 * test.labels[:50] + test.labels[50:]
    np.testing.assert_array_equal(stacked_modes(stacked, classifier), expected)


def test_data_without_ten_classes_is_refused(tmp_path):
    images, labels = drawings(30)
    np.savez(tmp_path / 'few.npz', x_train=images, y_train=labels % 3, x_test=images, y_test=labels % 3)
    with pytest.raises(InputError, match='grey images in ten classes'):
        open_digits(str(tmp_path / 'few.npz'))


def test_all_four_share_everything_but_the_loss():
    form = suite_modes.Form()
    recipes = {name: build_recipe(suite_modes.configuration(name, form)) for name in suite_modes.NAMES}
    assert len({id(recipe.loss) for recipe in recipes.values()}) == 2
    assert [len(recipe.d_regularizers) for recipe in recipes.values()] == [2, 2, 1, 1]
    shared = [suite_modes.configuration(name, form) for name in suite_modes.NAMES]
    assert len({(c.model, c.g_optimizer, c.d_optimizer, c.seed, c.batch_size) for c in shared}) == 1


def test_what_counts_as_diverged():
    metrics = {'d/real': 3.0, 'd/fake': -2.0, 'g/loss': 1.0}
    assert not suite_modes.has_diverged(metrics)
    assert suite_modes.has_diverged(metrics | {'g/loss': float('inf')})
    assert suite_modes.has_diverged(metrics | {'d/fake': -1e4})


def test_rows_make_a_document_and_a_table(path, tmp_path, monkeypatch):
    """With a generator that shows the test digits themselves: 30 samples of 30 modes, one of them no image."""
    images = open_digits(path)[1].images

    def perfect(config, state, count):
        first, second = np.divmod(np.arange(count), 10)
        samples = np.stack([images[first], images[second]], axis=-1)
        samples[0] = np.inf
        return samples

    form = suite_modes.Form(steps=1, dispatch=1, batch=4, samples=30)
    monkeypatch.setattr(suite_modes, 'Form', lambda **changes: form)
    monkeypatch.setattr(suite_modes, 'train_one', lambda *_: (None, {'d/real': 1.0}, 700))
    monkeypatch.setattr(suite_modes, 'sample', perfect)
    out = tmp_path / 'modes.json'
    name = 'non-saturating-r1'
    assert main(['bench', 'modes', '--data', path, '--only', name, '--out', str(out)]) == 0
    document = json.loads(out.read_text())
    (row,) = document['rows']
    assert (row['name'], row['modes'], row['diverged_at']) == (name, 29, '700')
    assert row['kl'] == pytest.approx(np.log(100 / 29))
    headings, lines = cells(document)
    assert headings == ['case', 'modes', 'KL', 'diverged at step', 'seconds'] and len(lines) == 1
    assert any('100.0% of the test digits' in note for note in document['notes'])


@pytest.mark.slow
def test_a_tiny_run_trains_and_samples(path):
    train, test = open_digits(path)
    form = suite_modes.Form(steps=2, dispatch=1, batch=4, samples=30)
    row = suite_modes.one('relativistic-r1-r2', form, train.images, fit(train, test)[0])
    assert 1 <= row['modes'] <= 30 and row['diverged_at'] == 'no'
    assert 0.0 < row['kl'] <= np.log(100)
