"""Signatures in files, by C2PA: who holds a key says what a file is, and whoever changes a byte of it breaks that.

A signature proves that the holder of the key made this statement of exactly these bytes. It does not prove that the statement is true,
and it is gone when the file is stored anew: metadata, watermark and record are for that.

References:
    C2PA Technical Specification 2.2: sections 18.15 (actions), 18.16 (ingredients), 14.5 (certificates).
"""

import io
import json
import struct
import warnings
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.credentials import SOURCES, Credit, Sign
from jaxgan.errors import InputError
from jaxgan.files import read_bounded, reason
from jaxgan.version import __version__

INSTALL = "pip install 'jaxgan[c2pa]'"
TYPES = {
    'PNG': 'image/png',
    'JPEG': 'image/jpeg',
    'WEBP': 'image/webp',
    'GIF': 'image/gif',
    'MP4': 'video/mp4',
}  # by Pillow's names
CURVES = {'secp256r1': 'es256', 'secp384r1': 'es384', 'secp521r1': 'es512'}
LEAST_RSA = 2048  # bits
MOST_PEM = 2**20  # bytes of a certificate or a key
NEEDED = 'C2PA wants X.509 v3, no CA, key usage digitalSignature, extended key usage such as emailProtection, key identifiers'
ASSERTION = 'org.jaxgan.credit'
SETTINGS: dict[str, dict[str, Any]] = {
    'builder': {'thumbnail': {'enabled': False}},
    'verify': {'remote_manifest_fetch': False},
}
PROBE = bytes.fromhex(  # a PNG of one pixel
    '89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55'
    '0000000a49444154789c636000000002000148afa4710000000049454e44ae426082'
)


class Signature(NamedTuple):
    """What a file's signature says, and whether it holds."""

    state: str
    """'Trusted', 'Valid' (it holds, and nobody vouches for the certificate), or 'Invalid'."""
    failures: tuple[str, ...]
    """C2PA's codes of what does not hold, and of who is not trusted."""
    issuer: str
    """Who issued the certificate, and to whom, as it says."""
    source: str
    """IPTC's digital source type, such as 'trainedAlgorithmicMedia'; empty: it names none."""
    fields: dict[str, str]
    """What jaxgan says, as in XMP."""
    ingredients: tuple[str, ...]
    """The titles of what it was made of."""


def make_signer(certificate: str, key: str) -> Sign:
    """Make what signs files; certificate and key are tried, before anything is written.

    Args:
        certificate: a PEM file: the signer's certificate, and those that vouch for it.
        key: a PEM file: the certificate's private key, without a password (ECDSA, Ed25519, or RSA from 2048 bits on).

    Raises:
        InputError: a file cannot be used, they are no pair, the certificate is not valid now, or c2pa-python is not here.
        MachineError: a file may not be read.
    """
    c2pa = _package()
    chain, secret = (
        read_bounded(Path(name), MOST_PEM, f'--sign: the {kind} {name}')
        for kind, name in (('certificate', certificate), ('key', key))
    )
    algorithm, secret = _check_pair(chain, secret, certificate, key)
    context = c2pa.Context.from_dict(SETTINGS)
    try:
        info = c2pa.C2paSignerInfo(algorithm.encode(), chain, secret, None)
        signer = c2pa.Signer.from_info(info)
    except Exception as error:  # the SDK's own kinds
        raise InputError(f'--sign {certificate} {key}: {reason(error)}') from None

    def sign(data: bytes, form: str, credit: Credit) -> bytes:
        manifest = json.dumps(describe(credit, form))
        signed = io.BytesIO()
        try:
            with c2pa.Builder(manifest, context=context) as builder:
                builder.sign(signer, TYPES[form], io.BytesIO(data), signed)
        except Exception as error:
            raise InputError(f'a {form} cannot be signed: {reason(error)}') from None
        return signed.getvalue()

    try:
        tried = read_signature(sign(PROBE, 'PNG', Credit('', '')), 'PNG')
    except InputError as error:
        raise InputError(f'--sign {certificate} {key}: {error}; {NEEDED}') from None
    if tried is None or tried.state == 'Invalid':
        why = 'nothing' if tried is None else ', '.join(tried.failures)
        raise InputError(f'--sign {certificate}: its signatures do not hold: {why}')
    return sign


def describe(credit: Credit, form: str) -> dict[str, Any]:
    """Make the manifest that is signed: created by a model; of somebody's picture, with that as an ingredient.

    Args:
        credit: what the file says of itself.
        form: Pillow's name of its format.
    """
    agent = {'name': 'jaxgan', 'version': __version__}
    action = {
        'action': 'c2pa.created',
        'digitalSourceType': f'{SOURCES}{credit.kind}',
        'softwareAgent': agent,
    }
    manifest = {
        'claim_generator_info': [agent],
        'format': TYPES[form],
        'assertions': [
            {'label': 'c2pa.actions.v2', 'data': {'actions': [action]}},
            {'label': ASSERTION, 'data': credit.fields()},
        ],
    }
    if 'source' in credit.details:
        rights = credit.details.get('rights', 'not stated')
        manifest['ingredients'] = [
            {
                'title': f'a picture, SHA-256 {digest}',
                'format': 'application/octet-stream',
                'relationship': 'inputTo',
                'description': f'rights: {rights}',
            }
            for digest in credit.details['source'].split('; ')
        ]
    return manifest


def read_signature(data: bytes, form: str, anchors: str | None = None) -> Signature | None:
    """Read a file's signature and verify it; nothing is fetched.

    Args:
        data: the file.
        form: Pillow's name of its format, or 'MP4'.
        anchors: certificates (PEM) of those who are trusted; None: nobody is.

    Returns:
        None where it has none, or is of a format that holds none.

    Raises:
        InputError: c2pa-python is not here, or the signature cannot be read.
    """
    c2pa = _package()
    if form not in TYPES:
        return None
    try:
        context = c2pa.Context.from_dict(SETTINGS if anchors is None else _trusting(anchors))
        with c2pa.Reader(TYPES[form], io.BytesIO(data), context=context) as reader:
            state, found = str(reader.get_validation_state()), json.loads(reader.json())
    except Exception as error:
        if type(error).__name__ == 'ManifestNotFound' or 'ManifestNotFound' in str(error):
            return None
        raise InputError(f'its signature cannot be read: {reason(error)}') from None
    more = () if form != 'PNG' or _is_whole_png(data) else ('png.crc.mismatch',)
    try:
        return _signature(found, state, more)
    except (AttributeError, TypeError, ValueError) as error:  # a stranger's manifest may have any shape
        raise InputError(f'its signature cannot be read: {reason(error)}') from None


def _trusting(anchors: str) -> dict[str, Any]:
    return SETTINGS | {
        'verify': {**SETTINGS['verify'], 'verify_trust': True},
        'trust': {'trust_anchors': anchors},
    }


def _signature(found: dict[str, Any], state: str, more: tuple[str, ...]) -> Signature:
    manifest = found.get('manifests', {}).get(found.get('active_manifest'), {})
    failures = [str(status.get('code')) for status in found.get('validation_status', [])]
    about = manifest.get('signature_info', {})
    assertions = {one.get('label'): one.get('data') for one in manifest.get('assertions', [])}
    actions = (assertions.get('c2pa.actions.v2') or {}).get('actions', [])
    sources = [str(action.get('digitalSourceType', '')) for action in actions]
    told = assertions.get(ASSERTION) or {}
    return Signature(
        'Invalid' if more else state,
        (*failures, *more),
        ', '.join(str(about[name]) for name in ('issuer', 'common_name') if about.get(name)),
        next((source[len(SOURCES) :] for source in sources if source.startswith(SOURCES)), ''),
        {str(name): str(value) for name, value in told.items()},
        tuple(str(one.get('title', '')) for one in manifest.get('ingredients', [])),
    )


def _is_whole_png(data: bytes) -> bool:
    """Check a PNG's own checksums: a signature does not cover the room that its box leaves empty."""
    place = 8
    while place + 12 <= len(data):
        size = struct.unpack_from('>I', data, place)[0]
        end = place + 8 + size
        if end + 4 > len(data):
            return False
        if zlib.crc32(data[place + 4 : end]) != struct.unpack_from('>I', data, end)[0]:
            return False
        place = end + 4
    return place == len(data)


def _check_pair(chain: bytes, secret: bytes, certificate: str, key: str) -> tuple[str, bytes]:
    """Check that a certificate is valid now and that the key is its own; give C2PA's name of the algorithm, and the key as PKCS #8."""
    from cryptography import x509  # type: ignore
    from cryptography.hazmat.primitives.serialization import (  # type: ignore
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of certificates that are odd, and may do
            leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as error:
        raise InputError(
            f'--sign: {certificate} is no certificate in PEM: {reason(error) or "empty"}'
        ) from None
    try:
        private = load_pem_private_key(secret, None)
    except (ValueError, TypeError) as error:  # TypeError: it needs a password
        raise InputError(
            f'--sign: {key} is no private key in PEM without a password: {reason(error)}'
        ) from None
    now = datetime.now(UTC)
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not begin <= now <= end:
        raise InputError(
            f'--sign: {certificate} is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, and today is {now:%Y-%m-%d}'
        )
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise InputError(f'--sign: {key} is not the key of {certificate}')
    return _algorithm(private, key), private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _algorithm(private: Any, key: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # type: ignore

    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return 'ed25519'
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= LEAST_RSA:
        return 'ps256'
    raise InputError(
        f'--sign: {key} is a key of a kind that C2PA does not take: ECDSA on P-256, P-384 or P-521, Ed25519, '
        f'or RSA from {LEAST_RSA} bits on'
    )


def _package() -> Any:
    try:
        import c2pa  # type: ignore
        import cryptography  # type: ignore  # noqa: F401
    except ImportError as error:
        raise InputError(f'signatures need c2pa-python and cryptography ({error}): {INSTALL}') from None
    return c2pa
