"""What an image says of itself: that a model made it, which one, of which data, from which seed or picture.

An XMP packet in the file, which editors and platforms read: IPTC's ``digitalSourceType``, and jaxgan's own fields.

References:
    IPTC Photo Metadata Standard 2023.1, Digital Source Type; Adobe XMP Specification part 1, section 7.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from jaxgan.version import __version__

SOURCES = 'http://cv.iptc.org/newscodes/digitalsourcetype/'
IPTC = 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/'
RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
XMP = 'http://ns.adobe.com/xap/1.0/'
OWN = 'urn:jaxgan:1.0/'
Kind = Literal['trainedAlgorithmicMedia', 'compositeWithTrainedAlgorithmicMedia']
NO_XML = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')  # what XML 1.0 cannot hold
EMPTY: Mapping[str, str] = MappingProxyType({})


KEY_PREFIX = b'jaxgan mark key\0'
Sign = Callable[[bytes, str, 'Credit'], bytes]
"""``(file, Pillow's name of its format or 'MP4', what it says) -> file``, with a signature in it."""


class Marks(NamedTuple):
    """How all that a command makes is marked; by default as everybody can verify it, and without a signature."""

    unmarked: str = ''
    """Why there are no marks; empty: there are."""
    secret: bytes = b''
    """Of the watermark; empty: the model's digest is enough to find it."""
    sign: Sign | None = None
    """Signs a file."""
    record: Path | None = None
    """Where lines go; None: ``provenance.jsonl`` beside each file."""

    @property
    def key(self) -> str:
        """Name the secret without telling it: 8 hexadecimal digits; empty: there is none.

        >>> Marks(secret=b'0123456789abcdef').key, Marks().key
        ('7e65f3dc', '')
        """
        return hashlib.sha256(KEY_PREFIX + self.secret).hexdigest()[:8] if self.secret else ''


USUAL = Marks()


class Credit(NamedTuple):
    """Where an image comes from, and how it is marked: no picture is written without one."""

    model: str
    """SHA-256 of the generator's weights, as in an export's card."""
    data: str
    """The name of the data on which it was trained, without folders."""
    seeds: str = ''
    """The seeds, such as '0-63'; empty: none."""
    details: Mapping[str, str] = EMPTY
    """What else was asked for (psi, label, direction), by names of letters, digits and underscores; ``source`` is the SHA-256 of a picture
    that was varied, ``rights`` what its user says of the rights in it."""

    index: int | None = None
    """Its place among the pictures that one command makes; None: it is alone, or all are in it."""
    marks: Marks = USUAL
    """How the picture says so."""

    @property
    def kind(self) -> Kind:
        """IPTC's digital source type: made by a model alone, or of somebody's picture by a model."""
        return (
            'compositeWithTrainedAlgorithmicMedia' if 'source' in self.details else 'trainedAlgorithmicMedia'
        )

    def fields(self) -> dict[str, str]:
        """List what jaxgan says, by name."""
        found = {
            'model': self.model,
            'data': self.data,
            'seeds': self.seeds,
            'index': '' if self.index is None else str(self.index),
            'key': self.marks.key,
            'version': __version__,
        }
        return {name: value for name, value in {**found, **self.details}.items() if value}


def without_folders(name: str) -> str:
    """Name a data set without the folders in which its maker had it, which others have no business with.

    >>> without_folders('npz:/home/ann/emoji.npz'), without_folders('pixel_avatars/hair_color')
    ('npz:emoji.npz', 'pixel_avatars/hair_color')
    """
    found = re.fullmatch(r'((?:stacked\d*:)?(?:npz|folder):)(.*)', name, re.DOTALL)
    if found is None:
        return name
    return found[1] + (re.split(r'[\\/]+', found[2].rstrip('\\/'))[-1] or 'unnamed')


def to_xmp(credit: Credit) -> bytes:
    """Write a credit as an XMP packet."""
    for name in credit.details:
        if not re.fullmatch('[a-z][a-z0-9_]*', name):
            raise ValueError(f'the detail {name!r} is no name')
    fields = {name: NO_XML.sub('\ufffd', value) for name, value in credit.fields().items()}
    own = ''.join(f' jaxgan:{name}={quoteattr(value)}' for name, value in fields.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{IPTC}" xmlns:xmp="{XMP}" xmlns:jaxgan="{OWN}" '
        f'xmp:CreatorTool="jaxgan {escape(__version__)}" '
        f'Iptc4xmpExt:DigitalSourceType="{SOURCES}{credit.kind}"{own}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def from_xmp(packet: bytes) -> dict[str, str]:
    """Read what ``to_xmp`` wrote: jaxgan's fields and ``kind``; empty for other packets."""
    try:
        text = packet.decode()
        if '<!' in text:  # a document type: entities may grow without bound
            return {}
        root = ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError):
        return {}
    found = {}
    for node in root.iter(f'{{{RDF}}}Description'):
        for name, value in node.attrib.items():
            if name.startswith(f'{{{OWN}}}'):
                found[name[len(OWN) + 2 :]] = value
            elif name == f'{{{IPTC}}}DigitalSourceType' and value.startswith(SOURCES):
                found['kind'] = value[len(SOURCES) :]
    return found
