"""Opt-outs: every encoding is found, nothing else is taken for one, and folders leave such images out."""

import dataclasses
import random
import time

import numpy as np
import pytest

from jaxgan.data import DataConfig, open_source
from jaxgan.errors import InputError
from jaxgan.rights import c2pa, cbor, records, siterules, xmp
from jaxgan.rights.embedded import read_embedded
from tests.opted_out import IN, OUT, encode, mining, packet, store, use, with_store, with_xmp, write

PLAIN = {'plain.png': encode(seed=1)}


def opened(folder, **options):
    return open_source(DataConfig(f'folder:{folder}', **options))


def place(folder, cases):
    """Write each case into a folder of its own, with a plain image beside all of them."""
    for number, files in enumerate(cases.values()):
        write(folder / f'{number:02}', files)
    write(folder / 'plain', PLAIN)


def test_every_encoding_is_left_out(tmp_path):
    place(tmp_path, OUT)
    source = opened(tmp_path, label='none')
    assert source.names == ['plain/plain.png']
    assert source.info.opted_out == len(OUT) >= 12
    reasons = dict(source.info.skipped)
    for number, (case, files) in enumerate(OUT.items()):
        image = next(iter(files))
        assert reasons[f'{number:02}/{image}'].startswith('opted out by '), case
    assert source.info.unread == ()


def test_what_allows_training_is_not_left_out(tmp_path):
    place(tmp_path, IN)
    source = opened(tmp_path, label='none')
    assert len(source) == len(IN) + 1
    assert source.info.opted_out == 0
    assert source.info.skipped == ()


@pytest.mark.parametrize('count', [50, pytest.param(1_000, marks=pytest.mark.slow)])
def test_nothing_is_taken_for_an_opt_out_in_plain_files(tmp_path, count):
    forms = ('PNG', 'JPEG', 'WEBP', 'GIF', 'BMP')
    for i in range(count):
        form = forms[i % 5]
        (tmp_path / f'{i}.{form.lower()}').write_bytes(encode(form, i))
    source = opened(tmp_path)
    assert (len(source), source.info.skipped, source.info.unread) == (count, (), ())
    assert source.info == dataclasses.replace(source.info, opted_out=0, licences=(), licence='not stated')


def test_a_rule_above_and_a_split_between(tmp_path):
    write(
        tmp_path,
        {
            'train/x/a.png': encode(),
            'train/x/b.png': encode(seed=1),
            'tdmrep.json': b'{"tdm-reservation": 1, "location": "/train/x/a.png"}',
        },
    )
    assert opened(tmp_path).names == ['x/b.png']


def test_opt_outs_are_ignored_only_with_a_reason(tmp_path):
    write(tmp_path, {**PLAIN, 'a.png': with_xmp(packet(mining('DMI-PROHIBITED')))})
    with pytest.raises(InputError, match='needs a reason'):
        DataConfig(f'folder:{tmp_path}', opt_outs='ignore')
    with pytest.raises(InputError, match='opt_out_reason is for'):
        DataConfig(f'folder:{tmp_path}', opt_out_reason='x')
    info = opened(tmp_path, opt_outs='ignore', opt_out_reason='it is mine').info
    assert (info.count, info.opted_out, info.opt_outs_ignored, info.opt_out_reason) == (2, 0, 1, 'it is mine')


def test_where_all_are_opted_out_one_line_says_so(tmp_path):
    write(tmp_path, {'a.png': encode(), 'ai.txt': b'User-Agent: *\nDisallow: /\n'})
    with pytest.raises(
        InputError, match=r'none of the 1 images .* a.png: opted out by ai.txt: Disallow: / \(ai.txt\)'
    ):
        opened(tmp_path)


DAMAGED = {
    'XMP cut short': with_xmp(packet(mining('DMI-PROHIBITED'))[:300]),
    'entities': with_xmp(
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + packet(f'{mining("&b;")}')
    ),
    'an unknown value': with_xmp(packet('plus:DataMining="maybe"')),
    'CBOR cut short': with_store(store(use('notAllowed')).replace(b'notAllowed', b'notAllowe')),
    'an unknown use': with_store(store(use('perhaps'))),
    'compressed': with_store(b'\0\0\0\x20jumb\0\0\0\x14jumdc2pabrob\0\0\0\0'),
}


@pytest.mark.parametrize('case', list(DAMAGED))
def test_what_cannot_be_read_is_listed_and_says_nothing(tmp_path, case):
    (tmp_path / 'a.png').write_bytes(DAMAGED[case])
    info = opened(tmp_path).info
    assert (info.count, info.opted_out) == (1, 0)
    assert len(info.unread) == 1 and info.unread[0][0] == 'a.png'


@pytest.mark.parametrize(
    ('name', 'data'),
    [
        ('tdmrep.json', b'[1]'),
        ('tdmrep.json', b'[' * 100_000),
        ('metadata.jsonl', b'{"file_name": "a.png"}\n{"x": 1}\n'),
        ('metadata.csv', b'\xff\xfe'),
        ('a.png.json', b'{'),
        ('a.xmp', b'<x'),
    ],
)
def test_files_around_that_cannot_be_read_are_listed(tmp_path, name, data):
    write(tmp_path, {'a.png': encode(), name: data})
    info = opened(tmp_path).info
    assert (info.count, [file for file, _ in info.unread]) == (1, [name])


HOSTILE = {
    'deep XML': packet('', '<plus:DataMining>' * 40_000 + '</plus:DataMining>' * 40_000),
    'wide XML': packet('', '<plus:DataMining/>' * 50_000),
    'processing': '<x:xmpmeta>' + '<?a' * 300_000 + '</x:xmpmeta>',
    'long': packet('', 'x' * (2 << 20)),
}


@pytest.mark.parametrize('case', list(HOSTILE))
def test_hostile_packets_end_soon(case):
    started = time.process_time()
    xmp.read_packet(HOSTILE[case].encode())
    assert time.process_time() - started < 5


def test_hostile_patterns_end_soon():
    started = time.process_time()
    assert not siterules.covers('*a' * 5_000 + 'b$', '/' + 'a' * 5_000)
    assert time.process_time() - started < 1


def test_hostile_cbor_is_refused():
    for data in (b'\x81' * 1_000, b'\x9a\xff\xff\xff\xff', b'\xbb' + b'\xff' * 8, b'\x7f', b''):
        with pytest.raises(ValueError, match='CBOR'):
            cbor.decode(data)


def test_any_damage_to_a_file_raises_nothing():
    random_ = random.Random(0)
    for data in (with_store(store(use('notAllowed')), 'JPEG'), with_xmp(packet(mining('DMI-PROHIBITED')))):
        for _ in range(60):
            broken = bytearray(data)
            for _ in range(random_.randrange(1, 6)):
                broken[random_.randrange(len(broken))] = random_.randrange(256)
            read_embedded(bytes(broken[: random_.randrange(len(broken))]), {'exif': bytes(broken[:60])})


def test_all_manifests_of_a_store_count():
    both = store(use('allowed')) + store(use('notAllowed'), 'c2pa.training-mining')
    assert [one.kind for one in c2pa.read_store(both).opt_outs] == ['c2pa']


def test_groups_and_the_longest_rule_of_robots():
    judge = siterules.read_robots_txt('User-agent: CCBot\nDisallow: /art\nAllow: /art/free\n', 'robots.txt')
    assert judge('/art/a.png') and not judge('/art/free/a.png') and not judge('/b.png')


def test_records_are_read_by_names_in_any_writing():
    said = records.read_record(
        {'License': 'CC0', 'Author': 'Ann', 'meta': {'image_url': 'https://e.org/1'}}, 'x'
    )
    assert (said.licence, said.creator, said.source, said.opt_outs) == ('CC0', 'Ann', 'https://e.org/1', ())


def test_plain_folders_are_as_before(tmp_path):
    """The same images, order and fingerprint, whatever stands beside them that says nothing."""
    from jaxgan.data.fingerprint import fingerprint

    write(tmp_path, {f'{i}.png': encode(seed=i) for i in range(4)})
    before = fingerprint(opened(tmp_path))
    assert before == 'cb3e95d693441257e8c01b9a130a759216aaa628754666d54ac095db473cb7c8'
    write(
        tmp_path,
        {'metadata.csv': b'file_name,license\n0.png,MIT\n', 'robots.txt': b'User-agent: *\nDisallow: /\n'},
    )
    source = opened(tmp_path)
    assert fingerprint(source) == before
    np.testing.assert_array_equal(source[0]['image'], opened(tmp_path)[0]['image'])
