"""Opt-outs in manifests that C2PA's own library has written and signed: the search without a library finds them, too."""

import io
import json

import pytest

from jaxgan.rights import c2pa as reader
from tests.opted_out import encode, use

pytestmark = pytest.mark.slow
c2pa = pytest.importorskip('c2pa')
pytest.importorskip('cryptography')

FORMS = {
    'PNG': 'image/png',
    'JPEG': 'image/jpeg',
    'WEBP': 'image/webp',
    'TIFF': 'image/tiff',
    'GIF': 'image/gif',
}


@pytest.fixture(scope='module')
def credentials():
    """Make a certificate of our own, and the key that belongs to a leaf of it."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ('ca', 'leaf')]
    usage = dict.fromkeys(
        (
            'content_commitment',
            'key_encipherment',
            'data_encipherment',
            'key_agreement',
            'encipher_only',
            'decipher_only',
        ),
        False,
    )

    def certificate(i, ca):
        made = (
            x509.CertificateBuilder()
            .subject_name(names[i])
            .issuer_name(names[0])
            .public_key(keys[i].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(1))
            .not_valid_after(now + datetime.timedelta(30))
            .add_extension(x509.BasicConstraints(ca, None), True)
            .add_extension(
                x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[i].public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), False)
        )
        if not ca:
            made = made.add_extension(
                x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False
            )
        return made.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    return keys[1], (certificate(1, False) + certificate(0, True)).decode()


def signed(credentials, form, entries, label):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    key, chain = credentials

    def sign(data):
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, 'big') + s.to_bytes(32, 'big')

    actions = {'label': 'c2pa.actions.v2', 'data': {'actions': [{'action': 'c2pa.created', 'digitalSourceType': 'http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture'}]}}  # fmt: skip
    definition = {
        'claim_generator_info': [{'name': 'test', 'version': '1'}],
        'format': FORMS[form],
        'assertions': [actions, {'label': label, 'data': {'entries': entries}}],
    }
    context = c2pa.Context.from_dict({'builder': {'thumbnail': {'enabled': False}}})
    out = io.BytesIO()
    with (
        c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, chain) as signer,
        c2pa.Builder(json.dumps(definition), context=context) as builder,
    ):
        builder.sign(signer, FORMS[form], io.BytesIO(encode(form)), out)
    return out.getvalue()


@pytest.mark.parametrize('form', list(FORMS))
def test_signed_manifests_are_read(credentials, form):
    data = signed(credentials, form, use('notAllowed', ai_inference='allowed'), 'cawg.training-mining')
    with c2pa.Reader(FORMS[form], io.BytesIO(data)) as official:
        assert 'cawg.training-mining' in official.json()
    found = reader.read_store(data)
    assert [(one.kind, one.words) for one in found.opt_outs] == [
        ('cawg', 'ai_generative_training notAllowed')
    ]
    assert found.unread == ()
    allowed = signed(credentials, form, use('allowed'), 'cawg.training-mining')
    assert reader.read_store(allowed) == reader.SILENT


def test_the_older_label_is_read(credentials):
    entries = {'c2pa.ai_training': {'use': 'constrained', 'constraint_info': 'ask'}}
    data = signed(credentials, 'PNG', entries, 'c2pa.training-mining')
    assert [str(one) for one in reader.read_store(data).opt_outs] == ['c2pa: ai_training constrained (C2PA)']
