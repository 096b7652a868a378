"""What an image says of itself is in the file, whatever its format, and comes back as it was written."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from jaxgan.credentials import Credit, from_xmp, to_xmp, without_folders
from jaxgan.errors import InputError
from jaxgan.making.export import exported
from jaxgan.marks.pictures import FORMATS, format_of, read_credit, to_bytes, write_picture
from jaxgan.opened import Generator
from jaxgan.version import __version__

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
CREDIT = Credit(
    'ab' * 32, 'a "set" <of> pictures & more', '0-3', {'psi': '0.7', 'rights': "it's mine: é 漢 \n\t<x/>"}
)


@pytest.mark.parametrize('suffix', sorted(FORMATS))
@pytest.mark.parametrize('channels', [1, 3])
def test_every_format_keeps_it(tmp_path, suffix, channels):
    path = tmp_path / 'new' / f'a{suffix}'
    write_picture(path, PIXELS[..., :channels], CREDIT)
    assert read_credit(path) == {**CREDIT.fields(), 'kind': 'trainedAlgorithmicMedia'}
    assert CREDIT.fields()['version'] == __version__
    found = np.asarray(Image.open(path))
    assert found.shape[:2] == (5, 7)
    if suffix in ('.png', '.webp'):
        wanted = PIXELS[..., 0] if channels == 1 else PIXELS
        np.testing.assert_array_equal(found if found.ndim == wanted.ndim else found[..., 0], wanted)
    assert {file.name for file in path.parent.iterdir()} == {path.name, 'provenance.jsonl'}


def test_what_is_made_of_a_picture_says_so():
    assert Credit('m', 'd', details={'source': 'ff'}).kind == 'compositeWithTrainedAlgorithmicMedia'
    assert (
        from_xmp(to_xmp(Credit('m', 'd', details={'source': 'ff'})))['kind']
        == 'compositeWithTrainedAlgorithmicMedia'
    )


def test_other_programs_can_read_it():
    """It is XML, and IPTC's property holds the term's whole address."""
    root = ElementTree.fromstring(to_xmp(CREDIT))
    (node,) = root.iter('{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description')
    assert node.attrib['{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType'] == (
        'http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia'
    )


@pytest.mark.parametrize(
    'packet',
    [
        b'',
        b'\xff\xfe',
        b'<a',
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
def test_foreign_packets_say_nothing(packet):
    assert from_xmp(packet) == {}


def test_what_xml_cannot_hold_does_not_take_the_rest_away():
    told = from_xmp(to_xmp(Credit('m', 'd', details={'rights': 'mine\x01 \ud800 \n<&"\U0001f600'})))
    assert told['rights'] == 'mine\ufffd \ufffd \n<&"\U0001f600' and told['model'] == 'm'


def test_a_credit_that_a_jpeg_cannot_hold_is_said():
    credit = Credit('m', 'd', details={'source': 'a' * 70_000})
    with pytest.raises(InputError, match=r'a JPEG cannot hold this picture: .*; take \.png'):
        to_bytes(PIXELS, 'JPEG', credit)
    assert len(to_bytes(PIXELS, 'PNG', credit)) > 70_000


def test_a_picture_that_its_format_cannot_hold_is_said():
    with pytest.raises(
        InputError, match=r'a picture of 1x16384 pixels is too large: a WEBP has at most .* 16383 a side'
    ):
        to_bytes(np.zeros((16_384, 1, 3), np.uint8), 'WEBP', CREDIT)


def test_names_that_are_no_names_are_refused():
    with pytest.raises(ValueError, match="'a b' is no name"):
        to_xmp(Credit('m', 'd', details={'a b': 'c'}))


def test_a_picture_without_credit_says_nothing():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, 'PNG')
    buffer.seek(0)
    assert read_credit(buffer) == {}


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"unknown kind of picture '.pn'; did you mean '.png'\?"):
        format_of('a.pn')
    with pytest.raises(
        InputError, match=r'a picture needs uint8 \[h, w, 1, 3 or 4\], got float32 \[5, 7, 3\]'
    ):
        to_bytes(PIXELS.astype(np.float32), 'PNG', CREDIT)
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='cannot write'):
        write_picture(tmp_path / 'file' / 'a.png', PIXELS, CREDIT)


@pytest.mark.parametrize(
    ('name', 'shown'),
    [
        ('npz:/home/ann/emoji32.npz', 'npz:emoji32.npz'),
        ('folder:~/my pictures/', 'folder:my pictures'),
        ('npz:C:\\Users\\ann\\a:b.npz', 'npz:a:b.npz'),
        ('stacked2:npz:/data/npz:/digits.npz', 'stacked2:npz:digits.npz'),
        ('folder:/', 'folder:unnamed'),
        ('pixel_avatars/hair_color', 'pixel_avatars/hair_color'),
        ('stacked:mnist', 'stacked:mnist'),
    ],
)
def test_no_folder_of_its_maker_is_told(name, shown):
    assert without_folders(name) == shown


def test_a_generator_names_its_data_without_folders():
    made = Generator({}, {}, {'data': {'name': 'npz:/home/ann/emoji32.npz'}})
    assert made.credit('1').fields()['data'] == 'npz:emoji32.npz'


def test_an_export_names_its_data_without_folders():
    name = 'npz:/home/ann/emoji32.npz'
    data = {'name': name, 'origin': '/home/ann/emoji32.npz', 'config': {'name': name, 'size': 32}}
    told = exported(Generator({}, {}, {'data': data, 'labels': []})).card
    assert told['data'] == {
        'name': 'npz:emoji32.npz',
        'origin': 'emoji32.npz',
        'config': {'name': 'npz:emoji32.npz', 'size': 32},
    }
    assert data['origin'] == '/home/ann/emoji32.npz'  # a run keeps it: its own data are read again
    public = {'name': 'mnist', 'origin': 'https://example.org/a/b'}
    assert exported(Generator({}, {}, {'data': public})).card['data'] == public
