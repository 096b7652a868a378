"""The layer of signed metadata, C2PA; needs the extra ``jaxgan[c2pa]``."""

import importlib.util
from pathlib import Path

from jaxgan.errors import InputError
from jaxgan.files import read_bounded
from jaxgan.marks.signing import INSTALL, PROBE, TYPES, Signature, read_signature
from jaxgan.provenance.verifying.layers import Layer

NAME = 'C2PA'
UNTRUSTED = 'signingCredential.untrusted'
BOX = b'jumb'  # with which every embedded manifest begins (ISO 19566-5); without it the slow library has nothing to find
MOST = 5  # failures that are told
MOST_PEM = 2**22  # bytes


def read_anchors(path: str | None) -> str | None:
    """Read the certificates of those who are trusted; None: nobody was named.

    Raises:
        InputError: it is no file of certificates, or nothing could verify a signature.
    """
    if path is None:
        return None
    if not is_here():
        raise InputError(f'--trust is for signatures, which are not looked at without c2pa-python: {INSTALL}')
    text = read_bounded(Path(path), MOST_PEM, f'trust {path}').decode('ascii', 'replace')
    if '-----BEGIN CERTIFICATE-----' not in text:
        raise InputError(f'trust {path} holds no certificate (PEM)')
    try:
        read_signature(PROBE, 'PNG', text)
    except InputError as error:
        raise InputError(f'trust {path} cannot be used: {error}') from None
    return text


def is_here() -> bool:
    """Say whether signatures can be looked at."""
    return all(importlib.util.find_spec(name) is not None for name in ('c2pa', 'cryptography'))


def layer(data: bytes, form: str, anchors: str | None) -> Layer:
    """Say whether a file is signed, by whom, and whether it is as it was signed.

    Args:
        data: the file.
        form: Pillow's name of its format, or MP4.
        anchors: certificates of those who are trusted; None: nobody is, and a signature claims.
    """
    if form not in TYPES:
        return Layer(NAME, 'nothing', f'jaxgan signs no {form}')
    if not is_here():
        return Layer(NAME, 'not looked at', f'that needs c2pa-python: {INSTALL}')
    if BOX not in data:
        return Layer(NAME, 'nothing', 'it is not signed')
    try:
        found = read_signature(data, form, anchors)
    except InputError as error:
        return Layer(NAME, 'broken', str(error))
    return Layer(NAME, 'nothing', 'it is not signed') if found is None else judge(found)


def judge(found: Signature) -> Layer:
    """Turn a signature into a layer: proof only by who is trusted, for anybody can make a certificate and sign with it.

    Args:
        found: the signature.
    """
    who = found.issuer[:100] or 'an unnamed signer'
    wrong = [code[:100] for code in found.failures if code != UNTRUSTED][:MOST]
    told = {name[:100]: text[:300] for name, text in list(found.fields.items())[:40]}
    facts = {
        'state': found.state,
        'signer': who,
        'source': found.source[:100],
        'fields': told,
        'failures': wrong,
    }
    if found.state not in ('Valid', 'Trusted'):
        words = f'{found.state}: it is not as {who} signed it ({", ".join(wrong) or "no reason is given"})'
        return Layer(NAME, 'broken', words, facts=facts)
    if not (found.fields.get('model') and found.source):
        return Layer(NAME, 'nothing', f"{found.state}: signed by {who}, and not as jaxgan's", facts=facts)
    words = f'{found.state}: unchanged since {who} signed it as made by model {found.fields["model"][:12]}'
    if found.state == 'Trusted':
        return Layer(NAME, 'proves', words, facts=facts)
    more = 'nobody vouches for who that is, and anybody can sign so; --trust names whom you trust'
    return Layer(NAME, 'claims', f'{words}; {more}', facts=facts)
