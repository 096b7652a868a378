"""The data manifest: what it says of every image, near-duplicates, licences, and when a run writes it."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from jaxgan.card import make_card
from jaxgan.cli import main
from jaxgan.data import DataConfig, DataInfo, open_source
from jaxgan.datamanifest import duplicates, gather
from jaxgan.datamanifest.entries import NAME, Entry, read_manifest, write_manifest
from jaxgan.errors import InputError
from jaxgan.marks.hashes import phash, phashes, to_hex
from jaxgan.rights import licences
from jaxgan.run.datamanifest import ManifestWriter
from tests.opted_out import encode, packet, texts, with_xmp, write

CC = 'https://creativecommons.org/licenses/by-sa/4.0/'


def folder_of(path):
    write(
        path,
        {
            'LICENSE': b'MIT License\n\nCopyright (c) 2024 Ann',
            'a.png': encode(),
            'b.png': with_xmp(
                packet(
                    f'xmpRights:WebStatement="{CC}" dc:source="https://e.org/b"',
                    '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Seq><rdf:li>Bea</rdf:li></rdf:Seq></dc:creator>',
                ),
                seed=1,
            ),
            'c.png': encode(seed=2),
            'd.png': encode(pnginfo=texts({'Author': 'Dan', 'Copyright': 'ask Dan'}), seed=3),
            'e.jpg': encode('JPEG', seed=0, quality=95),
            'metadata.jsonl': b'{"file_name": "c.png", "license": "CC0 1.0", "author": "Cy", "url": "https://e.org/c"}\n',
        },
    )
    return f'folder:{path}'


def test_a_manifest_says_what_the_files_say(tmp_path, capsys):
    name = folder_of(tmp_path / 'data')
    out = tmp_path / 'm.jsonl'
    assert main(['manifest', name, '--out', str(out)]) == 0
    assert 'CC-BY-SA-4.0 (1)' in capsys.readouterr().out
    entries = read_manifest(out)
    source = open_source(DataConfig(name))
    for i, entry in enumerate(entries):
        image = source[i]['image']
        assert (entry.index, entry.name) == (i, source.names[i])
        assert entry.sha256 == hashlib.sha256(source.path(i).read_bytes()).hexdigest()
        assert entry.pixels == hashlib.sha256(image.tobytes()).hexdigest()
        assert entry.phash == to_hex(phash(image))
    said = {entry.name: (entry.licence, entry.creator, entry.source) for entry in entries}
    assert said == {
        'a.png': ('MIT', None, None),
        'b.png': ('CC-BY-SA-4.0', 'Bea', 'https://e.org/b'),
        'c.png': ('CC0-1.0', 'Cy', 'https://e.org/c'),
        'd.png': ('MIT', 'Dan', None),
        'e.jpg': ('MIT', None, None),
    }
    assert source.info.licences == (('MIT', 3), ('CC-BY-SA-4.0', 1), ('CC0-1.0', 1))


def test_licences_are_required(tmp_path):
    name = folder_of(tmp_path)
    found = open_source(DataConfig(name, licences=('cc by-sa 4.0', 'CC0*')))
    assert found.names == ['b.png', 'c.png']
    assert ('a.png', 'its licence is MIT') in found.info.skipped
    with pytest.raises(InputError, match='none of the 5 images'):
        open_source(DataConfig(name, licences=('GPL-*',)))
    npz = tmp_path / 'x.npz'
    np.savez(npz, x_train=np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"'not stated', and data\.licences asks for MIT"):
        open_source(DataConfig(f'npz:{npz}', licences=('MIT',)))


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('http://creativecommons.org/publicdomain/zero/1.0/', 'CC0-1.0'),
        ('Creative Commons Attribution-NonCommercial-NoDerivs 2.0 Generic', 'CC-BY-NC-ND-2.0'),
        ('CC BY-SA', 'CC-BY-SA'),
        ('CC-BY-NC-4.0', 'CC-BY-NC-4.0'),
        ('Apache License\n Version 2.0, January 2004', 'Apache-2.0'),
        ('SPDX-License-Identifier: GPL-3.0-only', 'GPL-3.0-only'),
        ('(c) 2020 Ann. All rights reserved.', 'all rights reserved'),
        ('permitted by Ann', 'permitted by Ann'),
        ('accidental by 4.0', 'accidental by 4.0'),
    ],
)
def test_licences_have_one_name(text, name):
    assert licences.normal(text) == name


def test_arrays_have_the_licence_of_their_set(tmp_path):
    np.savez(tmp_path / 'x.npz', x_train=np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8))
    entries = gather.list_images(open_source(DataConfig(f'npz:{tmp_path}/x.npz')), 1)
    assert [(one.name, one.licence, one.sha256 == one.pixels) for one in entries] == [
        (str(i), None, True) for i in range(3)
    ]


def test_near_duplicates_are_grouped():
    rng = np.random.default_rng(0)
    images = np.kron(rng.integers(0, 256, (40, 8, 8, 3)), np.ones((1, 4, 4, 1))).astype(np.uint8)
    images[7] = np.clip(images[3] + 3.0, 0, 255)
    images[9] = images[3]
    images[20] = images[11]
    numbers = duplicates.groups(
        [image.tobytes().hex() for image in images], phashes(images), duplicates.small(images)
    )
    assert {i: number for i, number in enumerate(numbers) if number is not None} == {
        3: 0, 7: 0, 9: 0, 11: 1, 20: 1
    }  # fmt: skip


def test_flat_images_of_other_colours_are_no_duplicates():
    images = np.stack([np.full((8, 8, 3), value, np.uint8) for value in (0, 60, 120, 180)])
    assert duplicates.groups(list('abcd'), phashes(images), duplicates.small(images)) == [None] * 4


@pytest.mark.parametrize('side', [1, 8, 15, 16, 33])
def test_small_pictures_keep_the_mean(side):
    images = np.full((2, side, side, 3), 77, np.uint8)
    np.testing.assert_array_equal(duplicates.small(images), np.full((2, 256), 77))


ENTRY = Entry(0, 'a.png', 'a' * 64, 'b' * 64, '0' * 16, 'MIT', opt_outs=('noai',), group=0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'index': 1}, 'line 1: index 1 must be 0'),
        ({'index': True}, 'index True must be int'),
        ({'sha256': 'A' * 64}, 'must be 64 hexadecimal digits'),
        ({'phash': '0'}, 'must be 16 hexadecimal digits'),
        ({'opt_outs': 'noai'}, 'must be a list of texts'),
        ({'licence': 3}, 'must be text or null'),
        ({'group': 'x'}, 'must be int or null'),
    ],
)
def test_a_manifest_is_read_strictly(tmp_path, change, message):
    path = tmp_path / NAME
    path.write_text(json.dumps({**ENTRY._asdict(), **change}) + '\n')
    with pytest.raises(InputError, match=message):
        read_manifest(path)


def test_a_manifest_comes_back(tmp_path):
    assert write_manifest(tmp_path / 'x' / NAME, [ENTRY]) == 1
    assert read_manifest(tmp_path / 'x' / NAME) == [ENTRY]
    with pytest.raises(InputError, match='cannot be read'):
        read_manifest(tmp_path / 'none')


def test_a_run_writes_its_manifest_once_and_anew_for_other_data(tmp_path):
    data, said = tmp_path / 'data', []
    source = open_source(DataConfig(folder_of(data)))

    def write_once():
        with ManifestWriter(source, tmp_path, said.append) as found:
            found.begin()
            found.finish()

    write_once()
    first = (tmp_path / NAME).stat().st_mtime_ns
    assert len(read_manifest(tmp_path / NAME)) == 5
    write_once()
    assert (tmp_path / NAME).stat().st_mtime_ns == first
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(data / 'a.png')
    write_once()
    assert (tmp_path / NAME).stat().st_mtime_ns != first
    assert said == []


def test_a_manifest_that_is_given_up_leaves_nothing(tmp_path):
    source = open_source(DataConfig(folder_of(tmp_path / 'data')))
    with pytest.raises(InputError, match='stopped'):
        gather.list_images(source, 1, stopped=lambda: True)


def test_a_card_counts_licences_and_opt_outs():
    info = DataInfo('folder:x', 'train', 3, 8, 3, opted_out=2, licences=(('MIT', 3),))
    meta = {
        'data': json.loads(json.dumps(info.__dict__)),
        'config': {'data': {}},
        'architecture': {'latent_dim': 2, 'classes': 0},
        'images_seen': 1,
        'jaxgan': '1',
        'jax': '1',
    }
    data = make_card(meta, 1)['data']
    assert (data['opted_out'], data['opt_outs_ignored'], data['licences']) == (2, 0, [['MIT', 3]])
    del meta['data']['opted_out']  # as older checkpoints have it
    assert 'licences' not in make_card(meta, 1)['data']


def test_mistakes_on_the_command_line_are_one_line(tmp_path, capsys):
    assert main(['manifest', str(tmp_path)]) == 2
    assert 'is no run' in capsys.readouterr().err
    assert main(['manifest', 'npz:x', '--name', 'npz:y']) == 2
    assert 'by the first argument' in capsys.readouterr().err
    assert main(['manifest', f'folder:{tmp_path}', '--opt-outs', 'ignore']) == 2
    assert 'needs a reason' in capsys.readouterr().err
