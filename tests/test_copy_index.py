"""The index of training images: its file, the filter of copies, and what attribute says; on small synthetic images."""

import dataclasses
import json
import struct

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from jaxgan.choices import open_held_out
from jaxgan.cli import main
from jaxgan.copyindex import calibration, separability
from jaxgan.copyindex.command import build_index, held_out_told
from jaxgan.copyindex.file import from_bytes, load_index, save_index, to_bytes
from jaxgan.copyindex.index import (
    FORMAT_VERSION,
    PROTOCOL,
    About,
    CopyIndex,
    Planted,
    Threshold,
    prefix,
)
from jaxgan.data import DataConfig, open_source
from jaxgan.datamanifest.entries import Entry, write_manifest
from jaxgan.errors import DamagedError, InputError
from jaxgan.making.choosing import Chooser, together
from jaxgan.making.copies import Copies
from jaxgan.making.duplicates import Duplicates
from jaxgan.metrics import copies
from jaxgan.provenance.copying.evidence import Tile, sheet
from jaxgan.provenance.copying.rights import NOT_STATED, rights_of
from jaxgan.run.rundata import RunData


def scenes(n, seed, side=16):
    """Images with a few coloured boxes: no two alike, and with edges that a shift moves."""
    random = np.random.default_rng(seed)
    images = np.zeros((n, side, side, 3), np.uint8) + random.integers(0, 256, (n, 1, 1, 3), np.uint8)
    for image in images:
        for _ in range(6):
            (top, left), (height, width) = (
                random.integers(0, side - 3, 2),
                random.integers(3, side // 2 + 1, 2),
            )
            image[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return images


@pytest.fixture(scope='module')
def train():
    return scenes(200, 0)


@pytest.fixture(scope='module')
def index(train):
    found = copies.build(copies.features(train))
    ratios, _ = calibration.ratios_of(scenes(120, 1), found)
    confidence, thresholds = calibration.thresholds(ratios)
    about = About(
        format_version=FORMAT_VERSION,
        jaxgan='0',
        finder=PROTOCOL,
        data='toy',
        split='train',
        fingerprint_of='all',
        fingerprint='ab',
        size=16,
        channels=3,
        held_out='toy images',
        held_out_count=120,
        thresholds=thresholds,
        licence='CC0',
        resize='lanczos',
        confidence=confidence,
    )
    pixels = np.frombuffer(b''.join(map(prefix, train)), np.uint8).reshape(len(train), -1)
    return CopyIndex(found.features, found.own.astype(np.float32), pixels, about)


def load_again(index):
    return from_bytes(to_bytes(index), 'x')


def shifted(x, dy, dx):
    padded = np.pad(x, ((2, 2), (2, 2), (0, 0)), mode='edge')
    return padded[2 - dy : 18 - dy, 2 - dx : 18 - dx]


def results(images, first=0):
    return {'images': images, 'seeds': np.arange(first, first + len(images), dtype=np.uint32), 'labels': None}


class TestFile:
    def test_it_comes_back_and_has_at_most_300_bytes_an_image(self, index, tmp_path):
        path = tmp_path / 'a' / 'i.safetensors'
        save_index(path, index)
        again = load_index(path)
        assert again.about == index.about and again.digest == index.digest
        for name in ('features', 'own', 'pixels'):
            np.testing.assert_array_equal(getattr(again, name), getattr(index, name))
        assert index.bytes_per_image == 296
        assert path.stat().st_size <= 300 * index.count + 2_000
        assert to_bytes(again) == path.read_bytes()

    def test_no_image_is_inside(self, index, train):
        data = to_bytes(index)
        assert not any(image.tobytes() in data or image[0].tobytes() in data for image in train)

    def test_any_changed_byte_is_found(self, index):
        data = to_bytes(index)
        random = np.random.default_rng(0)
        places = [*range(0, 60, 7), *random.integers(0, len(data), 60).tolist(), len(data) - 1]
        for place in places:
            changed = bytearray(data)
            changed[place] ^= 1 << int(random.integers(8))
            with pytest.raises(InputError, match='x') as error:
                from_bytes(bytes(changed), 'x')
            assert '\n' not in str(error.value)

    @pytest.mark.parametrize('size', [0, 7, 8, 100, 5_000])
    def test_a_cut_file_is_refused(self, index, size):
        with pytest.raises(DamagedError):
            from_bytes(to_bytes(index)[:size], 'x')

    def test_what_is_signed_and_wrong_is_refused(self, index):
        about = index.about
        negative = dataclasses.replace(about, thresholds=(Threshold(2.0, 0.1),))
        wrong = {
            'go together': dataclasses.replace(index, own=index.own[:-1]),
            'above 0': dataclasses.replace(index, own=index.own * 0),
            'write it anew': dataclasses.replace(index, about=dataclasses.replace(about, finder='other')),
            'between 0 and 1': dataclasses.replace(index, about=negative),
            'no thresholds': dataclasses.replace(index, about=dataclasses.replace(about, thresholds=())),
            '5 channels': dataclasses.replace(index, about=dataclasses.replace(about, channels=5)),
            'a confidence of 1': dataclasses.replace(index, about=dataclasses.replace(about, confidence=1.0)),
            'are no shares': dataclasses.replace(
                index, about=dataclasses.replace(about, planted=(Planted('x', (0.5, 0.5)),))
            ),
            'have 9 bytes': dataclasses.replace(index, features=index.features[:, :9]),
        }
        for words, one in wrong.items():
            with pytest.raises(DamagedError, match=words):
                from_bytes(to_bytes(one), 'x')
        newer = dataclasses.replace(index, about=dataclasses.replace(about, format_version=3))
        with pytest.raises(InputError, match='format_version 3; this jaxgan reads 2'):
            from_bytes(to_bytes(newer), 'x')

    def test_an_older_index_is_to_be_written_anew(self, index):
        older = dataclasses.replace(index, about=dataclasses.replace(index.about, format_version=1))
        with pytest.raises(InputError, match=r'x has format_version 1.*jaxgan index RUN') as error:
            from_bytes(to_bytes(older), 'x')
        assert not isinstance(error.value, DamagedError)

    def test_a_header_that_promises_more_than_there_is_costs_nothing(self):
        for header in (
            struct.pack('<Q', 2**63),
            struct.pack('<Q', 40) + b'{"__metadata__":{"index":"[1]"}}        ',
        ):
            with pytest.raises(DamagedError):
                from_bytes(header, 'x')

    def test_a_rate_without_a_threshold_is_named(self, index):
        assert [one.fpr for one in index.about.thresholds] == [0.05]  # surely: 120 images cannot tell 0.01
        assert index.rate() == 0.05
        only = dataclasses.replace(index.about, thresholds=(Threshold(0.05, 0.3),))
        assert dataclasses.replace(index, about=only).rate() == 0.05
        with pytest.raises(InputError, match=r"'0.001'.*allowed: 0.05"):
            index.threshold(0.001)


class TestFilter:
    def test_copies_are_dropped_and_others_stay(self, index, train):
        planted = {
            3: train[7],
            11: train[8][:, ::-1],
            12: shifted(train[9], 2, -1),
            30: shifted(train[10], 0, 2),
        }
        images = scenes(40, 2)
        for place, image in planted.items():
            images[place] = image
        chooser = Chooser(40, [Copies(index, traced=True)])
        found = results(images, 100)
        rows = chooser.choose(found)
        assert not set(rows.tolist()) & set(planted) and len(rows) >= 32
        assert [found['copy_nearest'][place] for place in planted] == [7, 8, 9, 10]
        assert found['copy_ratio'][3] == 0
        assert 'dropped as copies of training images (below ratio' in chooser.told()
        assert ': 103' in chooser.told()

    def test_without_a_trace_the_same_images_go(self, index, train):
        images = np.concatenate([scenes(60, 8), train[:4], shifted(train[4], -1, 1)[None]])
        low = dataclasses.replace(index.about, thresholds=(Threshold(0.05, 0.75),))
        index = dataclasses.replace(index, about=low)
        rows = [
            Chooser(65, [Copies(index, traced=traced)]).choose(results(images)).tolist()
            for traced in (False, True)
        ]
        assert rows[0] == rows[1] and 5 <= 65 - len(rows[0]) < 60
        found = results(images)
        Copies(index).look(found)
        assert 'copy_ratio' not in found

    def test_parts_do_not_matter(self, index, train):
        images = np.concatenate([scenes(20, 3), train[:5], scenes(20, 4)])
        whole = Chooser(45, [Copies(index)]).choose(results(images))
        cut, rows = Chooser(45, [Copies(index)]), []
        for start in range(0, 45, 7):
            part = results(images[start : start + 7], start)
            rows += (cut.choose(part) + start).tolist()
        assert rows == whole.tolist()

    def test_a_later_filter_is_asked_only_of_what_earlier_ones_let_stay(self, index, train):
        new = scenes(1, 5)[0]
        images = np.stack([train[0], train[0], new, new])
        chooser = Chooser(4, [Copies(index), Duplicates(None, (16, 16, 3))])
        assert chooser.choose(results(images)).tolist() == [2]
        assert chooser.told().startswith('2 dropped as copies of training images (below ratio')
        assert chooser.told().endswith('): 0-1; 1 dropped as duplicates: 3')

    def test_exact_copies_go_even_if_fresh_images_are_exact_copies(self, index, train):
        low = dataclasses.replace(index.about, thresholds=(Threshold(0.01, 0.0),))
        chooser = Chooser(2, [Copies(dataclasses.replace(index, about=low))])
        assert chooser.choose(results(np.stack([train[3], scenes(1, 6)[0]]))).tolist() == [1]


def test_excluded_images_have_no_row_and_others_keep_their_places(train, tmp_path, monkeypatch):
    monkeypatch.setattr(separability, 'PLANTS', 4)
    path, excluded = tmp_path / 'd.npz', np.array([4, 9], np.int32)
    np.savez(path, x_train=train)
    config = DataConfig(f'npz:{path}')
    data = RunData(config, open_source(config), {'of': 'all', 'sha256': ''}, excluded)
    index = load_again(build_index(data, 'none', Console(quiet=True))[0])
    assert (index.count, index.source_count, index.bytes_per_image) == (198, 200, 296)
    found = index.find(train[[3, 4, 5, 9, 199]])
    assert found.indices[[0, 2, 4], 0].tolist() == [3, 5, 199] and not {4, 9} & set(found.indices.ravel())
    assert (found.ratios[:, 0] == 0).tolist() == [True, False, True, False, True]
    assert [index.prefix_at(place) for place in (3, 5, 199)] == [prefix(train[i]) for i in (3, 5, 199)]
    for wrong in ([9, 4], [4, 4], [-1], [200], [[4]]):
        with pytest.raises(DamagedError, match='the excluded places do not ascend within the source'):
            load_again(dataclasses.replace(index, excluded=np.array(wrong, np.int32)))


class TestChangedCopies:
    def test_what_is_found_is_measured_on_the_data_themselves(self, train, monkeypatch):
        monkeypatch.setattr(separability, 'PLANTS', 20)
        built = copies.build(copies.features(train))
        planted = separability.measure(lambda rows: train[rows], 200, built, [Threshold(0.05, 0.4)])
        shares = {one.change: one.found[0] for one in planted}
        assert shares['mirrored and shifted'] == 1 and list(shares) == list(separability.CHANGES)
        nothing = separability.measure(lambda rows: train[rows], 200, built, [Threshold(0.05, 0.0)])
        assert all(one.found[0] <= 0.01 for one in nothing if one.change.startswith('JPEG'))

    def test_changes_that_hide_a_copy_are_named(self):
        planted = [Planted('JPEG 50', (0.1, 0.6)), Planted('shifted', (1.0, 1.0))]
        assert separability.too_alike(planted, 0) == ['JPEG 50'] and not separability.too_alike(planted, 1)
        assert 'too alike to tell copies that were JPEG 50: of such' in separability.told(planted, 0)
        assert separability.told(planted, 1).endswith('JPEG 50 60%, shifted 100%')


def test_parts_are_joined_as_far_as_they_are_wanted():
    parts = [{'images': np.full((2, 1), i), 'labels': None} for i in range(5)]
    counts = iter([3, 0, 2, 2])
    found = [one['images'][:, 0].tolist() for one in together(parts, lambda: next(counts))]
    assert found == [[0, 0, 1, 1, 2, 2], [3, 3], [4, 4]]


def test_thresholds_are_kept_surely_where_images_are_enough():
    confidence, found = calibration.thresholds(np.arange(1.0, 301.0))
    assert confidence == 0.95 and [one.fpr for one in found] == [0.01, 0.05]
    assert found[0].ratio == 1 and found[1].ratio == 9  # 1 % would be 3 and 15 on average
    confidence, found = calibration.thresholds(np.arange(1.0, 41.0))
    assert confidence == 0 and found == (Threshold(0.05, 2.0),)


def test_images_that_are_left_out_have_no_duplicate():
    groups = np.arange(200)
    groups[:60] = 0
    places = calibration.left_out(groups)
    assert len(places) == 28 and places.min() >= 60
    with pytest.raises(InputError, match='are too few to set thresholds: name a split'):
        calibration.left_out(groups[:120])


def test_rights_come_from_the_manifest_or_are_not_stated(index, tmp_path):
    plain = rights_of(None, [3], 2, index.about)[3]
    assert plain == (NOT_STATED, 'CC0 (the whole data set)', NOT_STATED, NOT_STATED)
    path, digest = tmp_path / 'm.jsonl', 'a' * 64
    write_manifest(
        path, [Entry(i, f'{i}.png', digest, digest, creator='Ann' if i else None) for i in range(2)]
    )
    found = rights_of(path, [0, 1], 2, index.about)
    assert (found[1].name, found[1].creator, found[0].creator) == ('1.png', 'Ann', NOT_STATED)
    with pytest.raises(InputError, match='lists 2 images, and the index is of 3'):
        rights_of(path, [0], 3, index.about)


class TestCommands:
    @pytest.fixture
    def folder(self, index, train, tmp_path):
        save_index(tmp_path / 'copies.safetensors', index)
        Image.fromarray(train[5]).resize((64, 64), Image.Resampling.NEAREST).save(tmp_path / 'b.png')
        Image.fromarray(train[4]).save(tmp_path / 'a.png')
        Image.fromarray(scenes(1, 7)[0]).save(tmp_path / 'c.png')
        np.savez(tmp_path / 'd.npz', x_train=train)
        return tmp_path

    def test_the_nearest_are_told(self, folder, capsys):
        files = [str(folder / name) for name in ('a.png', 'b.png', 'c.png')]
        assert main(['attribute', *files, '--run', str(folder), '--json', '--k', '2']) == 0
        told = json.loads(capsys.readouterr().out)
        firsts = [picture['nearest'][0] for picture in told['pictures']]
        assert [(one['index'], one['exact'], one['match']) for one in firsts[:2]] == [
            (4, True, True),
            (5, True, True),  # each block of one colour is a pixel
        ]
        assert [picture['match'] for picture in told['pictures']] == [True, True, False]
        assert firsts[0]['rights']['licence'] == 'CC0 (the whole data set)'
        assert 'no proof' in told['note']
        assert main(['attribute', files[2], '--run', str(folder)]) == 0
        assert 'c.png: no match below the threshold' in capsys.readouterr().out

    def test_other_data_make_no_sheet(self, folder, capsys):
        data = ['--out', str(folder / 's.png'), '--data', f'npz:{folder}/d.npz']
        assert main(['attribute', str(folder / 'a.png'), '--run', str(folder), *data]) == 2
        error = capsys.readouterr().err
        assert 'holds other data than the index was made of' in error and error.count('\n') == 1
        assert not (folder / 's.png').exists()

    def test_bad_requests_are_one_line(self, folder, capsys):
        picture, run = str(folder / 'a.png'), str(folder)
        (folder / 'empty').mkdir()
        (folder / 'bad.png').write_bytes(b'\x89PNG\r\n\x1a\n cut')
        cases = {
            'k must be from 1 to 8, not 9': [picture, '--run', run, '--k', '9'],
            'write it with jaxgan index': [picture, '--run', f'{run}/empty'],
            'does not exist': [picture, '--run', f'{run}/none'],
            'no index of images, or damaged': [picture, '--run', picture],
            'bad.png': [f'{run}/bad.png', '--run', run],
            'must be a file that ends in .png': [picture, '--run', run, '--out', 'a.gif'],
            "unknown false-positive rate of the index '0.5'": [picture, '--run', run, '--fpr', '0.5'],
            '--data x has no meaning without --out': [picture, '--run', run, '--data', 'x'],
        }
        for words, given in cases.items():
            assert main(['attribute', *given]) == 2, words
            error = capsys.readouterr().err
            assert words in error and error.count('\n') == 1


def test_a_sheet_shows_grey_and_frames_matches():
    tile = np.full((8, 8, 1), 200, np.uint8)
    pixels = sheet([[Tile(tile, 'a'), Tile(tile, 'b', True)]])
    assert pixels.shape == (132, 216, 3)
    assert pixels[54, 54].tolist() == [200] * 3
    assert pixels[54, 108 + 6 - 2].tolist() == [255, 0, 0] and pixels[54, 4].tolist() == [128] * 3


@pytest.mark.parametrize(
    ('held_out', 'said'),
    [
        (None, 'images of the split train that data.subset leaves out'),
        ('rest', 'images of the split train that data.subset leaves out'),
        ('train[:2]', 'images of the split train[:2]'),
    ],
)
def test_what_thresholds_are_set_on_is_named(tmp_path, held_out, said):
    np.savez(tmp_path / 'd.npz', x_train=scenes(6, 0))
    config = DataConfig(f'npz:{tmp_path / "d.npz"}', subset=4)
    data = RunData(config, open_source(config), {'of': 'all', 'sha256': ''}, np.array([], np.int32))
    other = open_held_out(config, held_out)
    assert other is not None and held_out_told(data, other, held_out) == said
