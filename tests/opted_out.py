"""Image files, and folders of them, that say by every known encoding that they must not be trained on; and those that do not."""

import io
import json
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

PLUS = 'http://ns.useplus.org/ldf/xmp/1.0/'
VOCABULARY = 'http://ns.useplus.org/ldf/vocab/'
RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'


def pixels(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)


def encode(form='PNG', seed=0, **options):
    out = io.BytesIO()
    Image.fromarray(pixels(seed)).save(out, form, **options)
    return out.getvalue()


def packet(attributes='', elements='', spaces=''):
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:plus="{PLUS}" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tdm="http://www.w3.org/ns/tdmrep/" '
        'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:cc="http://creativecommons.org/ns#" '
        f'{spaces} {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def with_xmp(text, form='PNG', seed=0):
    if form == 'PNG':
        return encode(seed=seed, pnginfo=texts({'XML:com.adobe.xmp': text}))
    if form == 'GIF':
        return encode('GIF', seed)[:-1] + b'\x21\xff\x0bXMP DataXMP' + text.encode() + b'\x01\0;'
    return encode(form, seed, xmp=text.encode())


def texts(found, compressed=False):
    info = PngImagePlugin.PngInfo()
    for name, value in found.items():
        info.add_itxt(name, value, zip=compressed)
    return info


def cbor(value):
    """Encode as CBOR; only what assertions are made of."""
    if isinstance(value, dict):
        return _head(5, len(value)) + b''.join(cbor(x) for pair in value.items() for x in pair)
    if isinstance(value, list):
        return _head(4, len(value)) + b''.join(map(cbor, value))
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    return _head(0, value)


def _head(kind, number):
    if number < 24:
        return bytes([kind << 5 | number])
    return bytes([kind << 5 | 25]) + struct.pack('>H', number)


def box(kind, content):
    return struct.pack('>I4s', 8 + len(content), kind) + content


def superbox(label, *content):
    description = b'c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03' + label.encode() + b'\0'
    return box(b'jumb', box(b'jumd', description) + b''.join(content))


def store(entries, label='cawg.training-mining', form='cbor', wrapped=True):
    """Make a manifest store with one assertion; its signature is none."""
    data = {'entries': entries} if wrapped else entries
    content = box(b'cbor', cbor(data)) if form == 'cbor' else box(b'json', json.dumps(data).encode())
    assertions = superbox('c2pa.assertions', superbox(label, content))
    return superbox('c2pa', superbox('urn:uuid:0', assertions))


def with_store(jumbf, form='PNG', piece=100):
    data = encode(form)
    if form == 'PNG':
        chunk = b'caBX' + jumbf
        return (
            data[:33]
            + struct.pack('>I', len(jumbf))
            + chunk
            + struct.pack('>I', zlib.crc32(chunk))
            + data[33:]
        )
    if form == 'WEBP':
        odd = b'\0' * (len(jumbf) % 2)
        data += b'C2PA' + struct.pack('<I', len(jumbf)) + jumbf + odd
        return data[:4] + struct.pack('<I', len(data) - 8) + data[8:]
    parts = [
        jumbf[8:][i : i + piece] for i in range(0, len(jumbf) - 8, piece)
    ]  # JPEG: in pieces, each with the head
    segments = b''
    for number, part in enumerate(parts, 1):
        content = b'JP' + struct.pack('>HI', 1, number) + jumbf[:8] + part
        segments += b'\xff\xeb' + struct.pack('>H', len(content) + 2) + content
    return data[:2] + segments + data[2:]


def use(generative=None, **others):
    found = {f'cawg.{name}': {'use': value} for name, value in others.items()}
    return found if generative is None else found | {'cawg.ai_generative_training': {'use': generative}}


def _iptc(number, text):
    data = b'\x1c\x02' + bytes([number]) + struct.pack('>H', len(text)) + text.encode()
    data += b'\0' * (len(data) % 2)
    block = b'8BIM\x04\x04\0\0' + struct.pack('>I', len(data)) + data
    content = b'Photoshop 3.0\0' + block
    jpeg = encode('JPEG')
    return jpeg[:2] + b'\xff\xed' + struct.pack('>H', len(content) + 2) + content + jpeg[2:]


def _exif(tag, text):
    exif = Image.Exif()
    exif[tag] = text
    return encode('JPEG', exif=exif)


def _element(value):
    return f'<plus:DataMining>{value}</plus:DataMining>'


def mining(code, uri=True):
    return f'plus:DataMining="{VOCABULARY if uri else ""}{code}"'


CODES = ('', '-AIMLTRAINING', '-GENAIMLTRAINING', '-EXCEPTSEARCHENGINEINDEXING', '-SEECONSTRAINT')
CODES += ('-SEEEMBEDDEDRIGHTSEXPR', '-SEELINKEDRIGHTSEXPR')

# name of the encoding -> files by name; 'a.*' is the image.
OUT = {
    **{
        f'PLUS DMI-PROHIBITED{code}': {'a.png': with_xmp(packet(mining('DMI-PROHIBITED' + code)))}
        for code in CODES
    },
    'PLUS, a code alone': {'a.png': with_xmp(packet(mining('DMI-PROHIBITED', uri=False)))},
    'PLUS, an element': {'a.jpg': with_xmp(packet('', _element(VOCABULARY + 'DMI-PROHIBITED')), 'JPEG')},
    'PLUS, a resource': {
        'a.webp': with_xmp(
            packet('', f'<plus:DataMining rdf:resource="{VOCABULARY}DMI-PROHIBITED"/>'), 'WEBP'
        )
    },
    'PLUS, another prefix': {
        'a.png': with_xmp(packet('', f'<q:DataMining xmlns:q="{PLUS}">DMI-PROHIBITED</q:DataMining>'))
    },
    'PLUS, compressed': {
        'a.png': encode(pnginfo=texts({'XML:com.adobe.xmp': packet(mining('DMI-PROHIBITED'))}, True))
    },
    'PLUS in a GIF': {'a.gif': with_xmp(packet(mining('DMI-PROHIBITED')), 'GIF')},
    'PLUS in a TIFF': {'a.tif': encode('TIFF', tiffinfo={700: packet(mining('DMI-PROHIBITED')).encode()})},
    'PLUS in XMP beside': {'a.png': encode(), 'a.xmp': packet(mining('DMI-PROHIBITED')).encode()},
    'CAWG in PNG': {'a.png': with_store(store(use('notAllowed')))},
    'CAWG in JPEG, in pieces': {
        'a.jpg': with_store(store(use('notAllowed', ai_inference='allowed')), 'JPEG')
    },
    'CAWG in WebP': {'a.webp': with_store(store(use('notAllowed')), 'WEBP')},
    'CAWG constrained': {'a.png': with_store(store(use('constrained')))},
    'CAWG of mining alone': {'a.png': with_store(store(use(data_mining='notAllowed')))},
    'CAWG without its map': {'a.png': with_store(store(use('notAllowed'), wrapped=False))},
    'CAWG, a second one': {'a.png': with_store(store(use('notAllowed'), 'cawg.training-mining__1'))},
    'C2PA 1.4': {
        'a.png': with_store(
            store({'c2pa.ai_generative_training': {'use': 'notAllowed'}}, 'c2pa.training-mining', 'json')
        )
    },
    'TDM in XMP': {'a.png': with_xmp(packet('tdm:reservation="1"'))},
    'TDM in XMP of the other space': {
        'a.png': with_xmp(
            packet('', '<t:reservation xmlns:t="http://www.w3.org/ns/tdmrep#">1</t:reservation>')
        )
    },
    'tdmrep.json': {'a.png': encode(), 'tdmrep.json': b'[{"location": "/*.png$", "tdm-reservation": 1}]'},
    '.well-known/tdmrep.json': {
        'a.png': encode(),
        '.well-known/tdmrep.json': b'[{"location": "/", "tdm-reservation": 1, "tdm-policy": "https://e.org"}]',
    },
    'ai.txt': {
        'a.png': encode(),
        'ai.txt': b'# Spawning AI\nUser-Agent: *\nDisallow: *.png\nDisallow: *.jpg\n',
    },
    'robots.txt of a collector': {
        'a.png': encode(),
        'robots.txt': b'User-agent: Googlebot\nAllow: /\n\nUser-agent: GPTBot\nUser-agent: X\nDisallow: /\n',
    },
    'robots.txt, a signal': {
        'a.png': encode(),
        'robots.txt': b'User-Agent: *\nContent-Signal: search=yes, ai-train=no\nAllow:\n',
    },
    'X-Robots-Tag in JSON': {
        'a.jpg': encode('JPEG'),
        'a.json': b'{"url": "u", "headers": {"X-Robots-Tag": "noindex, NoAI"}}',
    },
    'X-Robots-Tag in pairs': {
        'a.png': encode(),
        'a.png.json': b'{"headers": [["x-robots-tag", "noimageai"]]}',
    },
    'headers beside': {
        'a.png': encode(),
        'a.png.headers': b'HTTP/1.1 200 OK\r\nX-Robots-Tag: noai, noimageai\r\n',
    },
    'TDM header': {'a.png': encode(), 'a.png.headers': b'HTTP/1.1 200 OK\r\ntdm-reservation: 1\r\n'},
    'metadata.jsonl, a flag': {
        'a.png': encode(),
        'metadata.jsonl': b'{"file_name": "a.png", "noai": true}\n',
    },
    'metadata.csv, a column': {
        'a.png': encode(),
        'metadata.csv': b'file_name,robots\na.png,"noai, noimageai"\n',
    },
    'PNG text': {'a.png': encode(pnginfo=texts({'noai': 'noindex'}))},
    'a word in XMP': {
        'a.png': with_xmp(
            packet(
                '', '<plus:OtherConstraints><rdf:Alt><rdf:li>noai</rdf:li></rdf:Alt></plus:OtherConstraints>'
            )
        )
    },
    'EXIF': {'a.jpg': _exif(0x010E, 'a cat, noai')},
    'IPTC': {'a.jpg': _iptc(40, 'noai noimageai')},
}

# what allows it, or says nothing
IN = {
    'PLUS DMI-ALLOWED': {'a.png': with_xmp(packet(mining('DMI-ALLOWED')))},
    'PLUS DMI-UNSPECIFIED': {'a.png': with_xmp(packet(mining('DMI-UNSPECIFIED')))},
    'CAWG allowed': {'a.png': with_store(store(use('allowed')))},
    'CAWG allows it, and no mining': {
        'a.jpg': with_store(store(use('allowed', data_mining='notAllowed')), 'JPEG')
    },
    'CAWG of inference alone': {'a.png': with_store(store(use(ai_inference='notAllowed')))},
    'TDM 0 in XMP': {'a.png': with_xmp(packet('tdm:reservation="0"'))},
    'tdmrep.json 0': {'a.png': encode(), 'tdmrep.json': b'[{"location": "/", "tdm-reservation": 0}]'},
    'tdmrep.json, the first counts': {
        'a.png': encode(),
        'tdmrep.json': b'[{"location": "/a", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]',
    },
    'tdmrep.json of others': {
        'a.png': encode(),
        'tdmrep.json': b'[{"location": "/b", "tdm-reservation": 1}]',
    },
    'ai.txt that allows': {'a.png': encode(), 'ai.txt': b'User-Agent: *\nDisallow: *\nAllow: *.png\n'},
    'robots.txt for all': {'a.png': encode(), 'robots.txt': b'User-agent: *\nDisallow: /\n'},
    'noindex': {'a.png': encode(), 'a.png.json': b'{"headers": {"X-Robots-Tag": "noindex"}, "noai": false}'},
    'a name': {'a.jpg': _exif(0x010E, 'Noai, a village in Chinoai')},
    'another row': {'a.png': encode(), 'metadata.csv': b'file_name,noai\nb.png,true\n'},
    'text': {'a.png': encode(pnginfo=texts({'Comment': 'a brain: ai', 'noai': 'false'}))},
}


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
