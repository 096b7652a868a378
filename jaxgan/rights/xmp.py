"""XMP packets: where they stand in a file, and what they say of rights.

References:
    Adobe XMP Specification part 1, section 7 (serialization), part 3 (files); IPTC Photo Metadata Standard 2023.1, Data Mining and Other
    Constraints; PLUS License Data Format, http://ns.useplus.org/ldf/vocab/; W3C TDM Reservation Protocol, section on XMP.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from jaxgan.rights.licences import known
from jaxgan.rights.statement import OptOut, Statement, directives, plus, reserved, short, united

MOST = 1 << 20  # bytes of a packet
PACKETS = 4  # of a file
PROPERTIES = 1_000  # of a packet, that are wanted
_RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
_DC, _TERMS = 'http://purl.org/dc/elements/1.1/', 'http://purl.org/dc/terms/'
_PLUS = 'http://ns.useplus.org/ldf/xmp/1.0/'
_RIGHTS = 'http://ns.adobe.com/xap/1.0/rights/'
_CC = 'http://creativecommons.org/ns#'
_PHOTOSHOP = 'http://ns.adobe.com/photoshop/1.0/'
# Of PDF and EPUB; an image's XMP may have either.
_TDM = ('http://www.w3.org/ns/tdmrep/', 'http://www.w3.org/ns/tdmrep#')
_LICENCES = (
    (_CC, 'license'),
    (_TERMS, 'license'),
    (_RIGHTS, 'WebStatement'),
    (_RIGHTS, 'UsageTerms'),
    (_DC, 'rights'),
)
_CREATORS = ((_DC, 'creator'), (_CC, 'attributionName'), (_PHOTOSHOP, 'Credit'), (_RIGHTS, 'Owner'))
_SOURCES = ((_DC, 'source'), (_CC, 'attributionURL'), (_PHOTOSHOP, 'Source'), (_DC, 'identifier'))
_TOLD = ((_PLUS, 'OtherConstraints'), (_RIGHTS, 'UsageTerms'), (_DC, 'rights'), (_DC, 'subject'))
_MINING = ((_PLUS, 'DataMining'), ('http://ns.useplus.org/LDF/1.0/', 'DataMining'))
_RESERVED = tuple((space, 'reservation') for space in _TDM)
_WANTED = frozenset(
    f'{{{space}}}{name}' for space, name in (*_LICENCES, *_CREATORS, *_SOURCES, *_TOLD, *_MINING, *_RESERVED)
)
_BEGINS = ((b'<x:xmpmeta', b'</x:xmpmeta>'), (b'<rdf:RDF', b'</rdf:RDF>'))


def find_packets(data: bytes, info: Mapping[Any, Any]) -> list[bytes]:
    """Find the packets of an image file: those that Pillow found, and those that stand in its bytes uncompressed.

    Args:
        data: the file's bytes.
        info: what Pillow holds of the file.
    """
    found = [info.get('xmp'), info.get('XML:com.adobe.xmp')]
    if isinstance(profile := info.get('Raw profile type xmp'), str):
        found.append(_unpack_profile(profile))
    for begin, end in _BEGINS:
        start = data.find(begin)
        while start >= 0 and len(found) < PACKETS:
            stop = data.find(end, start)
            if stop < 0:
                found.append(data[start : start + 64])  # cut short: it is no packet, and is listed
                break
            found.append(data[start : stop + len(end)])
            start = data.find(begin, stop)
        if any(found):
            break
    packets: list[bytes] = []
    for one in found:
        packet = one.encode('utf-8', 'replace') if isinstance(one, str) else one
        packet = packet.strip(b'\0 \r\n\t') if isinstance(packet, bytes) else b''
        if packet and not any(packet in other for other in packets):
            packets.append(packet)
    return packets


def _unpack_profile(text: str) -> bytes:
    """Unpack how ImageMagick stores a profile in a PNG: its name, its length, and hexadecimal digits."""
    digits = ''.join(text[: 3 * MOST].split('\n')[3:])
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b'<'  # no packet


def unpack_profile(text: object) -> bytes:
    """Unpack a profile of another kind; empty: there is none."""
    found = _unpack_profile(text) if isinstance(text, str) else b''
    return b'' if found == b'<' else found


def read_packet(packet: bytes) -> Statement:
    """Read what a packet says; one that cannot be read says nothing, and is listed."""
    try:
        fields = _fields(packet)
    except (ValueError, ElementTree.ParseError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else 'it is no XML'
        return Statement(unread=(f'XMP: {short(reason)}',))

    def first(*names: tuple[str, str]) -> str:
        return next((short(text) for name in names for text in fields.get(name, ()) if text.strip()), '')

    licences = [short(text) for name in _LICENCES for text in fields.get(name, ()) if text.strip()]
    said = [
        OptOut('tdmrep', 'XMP', f'tdm:reservation {short(value)}')
        for name in _RESERVED
        for value in fields.get(name, ())
        if reserved(value)
    ]
    for name in _TOLD:
        for text in fields.get(name, ()):
            said += [OptOut('noai', 'XMP', f'{name[1]}: {word}') for word in directives(text, exact=True)]
    told = Statement(
        licence=next((text for text in licences if known(text)), licences[0] if licences else ''),
        creator=first(*_CREATORS),
        source=first(*_SOURCES),
        opt_outs=tuple(said),
    )
    return united([told, plus([value for name in _MINING for value in fields.get(name, ())], 'XMP')])


def _fields(packet: bytes) -> dict[tuple[str, str], list[str]]:
    """List the values of the properties that are wanted, in whatever form RDF has them: attribute, text, URI, list."""
    if len(packet) > MOST:
        raise ValueError(f'it is larger than {MOST:,} bytes')
    text = _decoded(packet).strip('\0 \r\n\t\ufeff')
    if '<!DOCTYPE' in text:  # it may define entities that grow without bound
        raise ValueError('it has a document type')
    found: dict[tuple[str, str], list[str]] = {}
    count = 0
    for node in ElementTree.fromstring(text).iter():
        for name, value in node.attrib.items():
            if name in _WANTED:
                found.setdefault(_split(name), []).append(value)
        if node.tag in _WANTED:
            count += 1
            if count > PROPERTIES:
                raise ValueError(f'it has more than {PROPERTIES:,} properties')
            found.setdefault(_split(node.tag), []).extend(_values(node))
    return found


def _decoded(packet: bytes) -> str:
    """Decode UTF-8, or UTF-16 and UTF-32 as their first bytes tell."""
    for mark, encoding in ((b'\xff\xfe\0\0', 'utf-32'), (b'\xff\xfe', 'utf-16'), (b'\xfe\xff', 'utf-16')):
        if packet.startswith(mark):
            return packet.decode(encoding)
    if packet[:1] == b'\0' or packet[1:2] == b'\0':
        return packet.decode('utf-16-be' if packet[:1] == b'\0' else 'utf-16-le')
    return packet.decode('utf-8-sig')


def _split(name: str) -> tuple[str, str]:
    space, _, local = name[1:].partition('}')
    return space, local


def _values(node: ElementTree.Element) -> list[str]:
    """Read a property's values; only two levels down, so that no nesting costs more than its length."""
    if uri := node.get(f'{{{_RDF}}}resource'):
        return [uri]
    values = [node.text or ''] + [node.get(f'{{{_RDF}}}value') or '']
    for child in node:
        if child.tag in (f'{{{_RDF}}}{kind}' for kind in ('Alt', 'Bag', 'Seq', 'Description')):
            values += [item.get(f'{{{_RDF}}}resource') or item.text or '' for item in child]
        elif child.tag == f'{{{_RDF}}}value':
            values.append(child.text or '')
    return [value for value in values if value.strip()]
