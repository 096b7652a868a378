"""What an image file says of itself: XMP, C2PA, IPTC, EXIF, and the texts of a PNG.

References:
    IPTC-NAA Information Interchange Model 4.2, record 2; Exif 3.0, tags Copyright, Artist, ImageDescription, UserComment.
"""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from jaxgan.rights import c2pa, xmp
from jaxgan.rights.licences import known
from jaxgan.rights.statement import DIRECTIVES, SILENT, OptOut, Statement, directives, reserved, short, united

_COPYRIGHT, _ARTIST, _DESCRIPTION, _COMMENT, _EXIF = 0x8298, 0x013B, 0x010E, 0x9286, 0x8769
_IPTC_RESOURCE = 0x0404  # of Photoshop's
_IPTC = {116: 'licence', 80: 'creator', 110: 'creator', 115: 'source'}
_IPTC_FREE = (40, 116, 25)  # special instructions, copyright notice, keywords
_TEXTS = {
    'license': 'licence',
    'licence': 'licence',
    'copyright': 'licence',
    'author': 'creator',
    'artist': 'creator',
    'creator': 'creator',
    'source': 'source',
}
MOST_TEXTS = 200


def read_embedded(data: bytes, info: Mapping[Any, Any]) -> Statement:
    """Read what an image file says of itself.

    Args:
        data: the file's bytes; of a very large one its beginning and its end.
        info: what Pillow holds of the file once it is decoded (``Image.info``).

    Returns:
        Licence, creator and source: XMP before IPTC, EXIF, and texts; a licence that is known by name before free text.
    """
    found = [xmp.read_packet(packet) for packet in xmp.find_packets(data, info)]
    found += [c2pa.read_store(data), _iptc(info), _exif(info), _texts(info)]
    told = united(found)
    by_name = next((one.licence for one in found if known(one.licence)), told.licence)
    return told if told is SILENT else told._replace(licence=by_name)


def _exif(info: Mapping[Any, Any]) -> Statement:
    data = info.get('exif')
    if not isinstance(data, bytes):
        return SILENT
    try:
        exif = Image.Exif()
        exif.load(data)
        free = [exif.get(_DESCRIPTION), exif.get(_COPYRIGHT), exif.get_ifd(_EXIF).get(_COMMENT)]
        copyright_, artist = exif.get(_COPYRIGHT), exif.get(_ARTIST)
    except Exception:  # whatever Pillow raises for damaged EXIF, which says nothing then
        return Statement(unread=('EXIF: it is damaged',))
    said = [OptOut('noai', 'EXIF', word) for text in free for word in directives(_text(text), exact=True)]
    return Statement(short(_text(copyright_)), short(_text(artist)), '', tuple(said))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        for head in (b'ASCII\0\0\0', b'UNICODE\0', b'\0\0\0\0\0\0\0\0'):
            value = value.removeprefix(head)
        return value[:4096].replace(b'\0', b' ').decode('utf-8', 'replace').strip()
    return value.replace('\0', ' ').strip() if isinstance(value, str) else ''


def _iptc(info: Mapping[Any, Any]) -> Statement:
    """Read record 2 of IPTC's information model: 0x1c, record, data set, length, value."""
    resources = info.get('photoshop')
    data = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    data = data or xmp.unpack_profile(info.get('Raw profile type iptc'))
    if not isinstance(data, bytes):
        return SILENT
    fields: dict[str, str] = {}
    said, at = [], data.find(b'\x1c\x02')
    while at >= 0 and data[at : at + 1] == b'\x1c' and at + 5 <= len(data):
        number, length = data[at + 2], int.from_bytes(data[at + 3 : at + 5], 'big')
        text = data[at + 5 : at + 5 + length].decode('utf-8', 'replace')
        if number in _IPTC and text.strip():
            fields.setdefault(_IPTC[number], short(text))
        if number in _IPTC_FREE:
            said += [OptOut('noai', 'IPTC', word) for word in directives(text, exact=True)]
        at += 5 + length
    return _said(fields, said)


def _texts(info: Mapping[Any, Any]) -> Statement:
    """Read the texts of a PNG, and the comment of a JPEG or GIF: a keyword, or a word, that is ``noai`` or ``noimageai``."""
    fields: dict[str, str] = {}
    said = []
    for name, value in list(info.items())[:MOST_TEXTS]:
        if not isinstance(name, str) or name in ('xmp', 'exif', 'XML:com.adobe.xmp', 'icc_profile'):
            continue
        text = _text(value) if isinstance(value, str) or name == 'comment' else ''
        key = name.lower()
        if key in DIRECTIVES and text.strip().lower() not in ('0', 'false', 'no'):
            said.append(OptOut('noai', 'text of the image', key))
        elif key == 'tdm-reservation' and reserved(text):
            said.append(OptOut('tdmrep', 'text of the image', 'tdm-reservation 1'))
        elif key in _TEXTS and text:
            fields.setdefault(_TEXTS[key], short(text))
        said += [OptOut('noai', 'text of the image', word) for word in directives(text, exact=True)]
    return _said(fields, said)


def _said(fields: Mapping[str, str], said: list[OptOut]) -> Statement:
    licence, creator, source = (fields.get(name, '') for name in ('licence', 'creator', 'source'))
    return Statement(licence, creator, source, tuple(dict.fromkeys(said)))
