"""Signatures hold, are small and quick, break with any byte, and what cannot sign is refused before anything is written."""

import contextlib
import datetime
import io
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.cli import main
from jaxgan.credentials import Credit, Marks
from jaxgan.errors import InputError
from jaxgan.making.made import Origin, Target
from jaxgan.making.outputs import open_output
from jaxgan.marks import record
from jaxgan.marks.animation import write_animation
from jaxgan.marks.asked import read_marks
from jaxgan.marks.pictures import to_bytes
from jaxgan.provenance.verifying import signatures

c2pa = pytest.importorskip('c2pa')
x509 = pytest.importorskip('cryptography.x509')

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from jaxgan.marks.signing import make_signer, read_signature  # noqa: E402

pytestmark = pytest.mark.slow

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
CREDIT = Credit('ab' * 32, 'toy', '7', {'psi': '0.5'})
SOURCE = {'source': 'cd' * 32, 'rights': 'my own drawing'}


def write_pair(folder, name, days=30, usage=True):
    """Make a certificate that vouches for itself, and its key; valid until in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    called = x509.Name([
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, 'jaxgan tests'),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
    ])  # fmt: skip
    made = x509.CertificateBuilder().subject_name(called).issuer_name(called).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(60)).not_valid_after(now + datetime.timedelta(days))
    no = dict.fromkeys(
        ('content_commitment', 'key_encipherment', 'data_encipherment', 'key_agreement', 'key_cert_sign',
         'crl_sign', 'encipher_only', 'decipher_only'), False,
    )  # fmt: skip
    made = made.add_extension(x509.BasicConstraints(False, None), True)
    made = made.add_extension(x509.KeyUsage(digital_signature=True, **no), True)
    if usage:
        use = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(use, False)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
    paths = folder / f'{name}.pem', folder / f'{name}.key'
    paths[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(*form))
    return tuple(map(str, paths))


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp('pair'), 'ann')


@pytest.fixture(scope='module')
def credit(pair):
    return CREDIT._replace(marks=read_marks(sign=pair))


@pytest.mark.parametrize('form', ['PNG', 'JPEG', 'WEBP'])
def test_a_signature_holds_and_says_what_the_picture_is(credit, form):
    data = to_bytes(IMAGE, form, credit)
    found = read_signature(data, form)
    assert found is not None and found.state == 'Valid' and found.failures == ('signingCredential.untrusted',)
    assert found.source == 'trainedAlgorithmicMedia' and found.fields == CREDIT.fields()
    assert 'ann' in found.issuer and found.ingredients == ()
    plain = to_bytes(IMAGE, form, CREDIT)
    assert read_signature(plain, form) is None
    assert len(data) - len(plain) <= 8_000
    np.testing.assert_array_equal(*(np.asarray(Image.open(io.BytesIO(one))) for one in (data, plain)))


def test_what_is_made_of_a_picture_names_it_and_the_rights_in_it(credit):
    data = to_bytes(IMAGE, 'PNG', credit._replace(details=SOURCE))
    found = read_signature(data, 'PNG')
    assert found is not None and found.state == 'Valid'
    assert found.source == 'compositeWithTrainedAlgorithmicMedia'
    assert found.ingredients == (f'a picture, SHA-256 {"cd" * 32}',)
    assert b'rights: my own drawing' in data


def test_a_signature_takes_no_time(credit):
    sign = credit.marks.sign
    data, seconds = to_bytes(IMAGE, 'PNG', CREDIT), []
    for _ in range(20):
        start = time.process_time()
        sign(data, 'PNG', credit)
        seconds.append(time.process_time() - start)
    assert statistics.median(seconds) <= 0.1  # 0.02 on a machine that does nothing else


def test_every_flipped_bit_of_a_png_is_seen(credit):
    data, random = to_bytes(IMAGE, 'PNG', credit), np.random.default_rng(1)
    for place in random.choice(len(data), 200, replace=False):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(random.integers(8))
        try:
            found = read_signature(bytes(flipped), 'PNG')
        except InputError:
            continue
        assert found is None or found.state == 'Invalid', place


def test_films_are_signed(credit, tmp_path):
    for suffix, form in (('.gif', 'GIF'), ('.webp', 'WEBP'), ('.png', 'PNG')):
        path = tmp_path / f'a{suffix}'
        write_animation(path, [IMAGE, IMAGE[::-1]], 0.1, credit, scale=1)
        found = read_signature(path.read_bytes(), form)
        assert found is not None and found.state == 'Valid', suffix
    assert all(
        entry['marks'] == ['xmp', 'watermark', 'c2pa'] for entry in record.read(tmp_path / record.RECORD)
    )


def test_a_key_in_the_form_of_older_tools_signs_too(pair, tmp_path):
    key = serialization.load_pem_private_key(Path(pair[1]).read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    (tmp_path / 'old.key').write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    assert b'BEGIN EC PRIVATE KEY' in (tmp_path / 'old.key').read_bytes()
    found = read_signature(
        to_bytes(IMAGE, 'PNG', CREDIT._replace(marks=read_marks(sign=(pair[0], str(tmp_path / 'old.key'))))),
        'PNG',
    )
    assert found is not None and found.state == 'Valid'


def test_only_who_is_trusted_proves(credit, pair, tmp_path):
    data = to_bytes(IMAGE, 'PNG', credit)
    mine, other = Path(pair[0]), Path(write_pair(tmp_path, 'bob')[0])
    verdicts = [
        signatures.layer(data, 'PNG', anchors and anchors.read_text()).verdict
        for anchors in (None, other, mine)
    ]
    assert verdicts == ['claims', 'claims', 'proves']


def test_arrays_are_not_signed_in_silence(credit, tmp_path):
    origin = Origin(lambda *_: credit, {}, lambda seed: seed)
    with pytest.raises(InputError, match='arrays hold no signature'):
        open_output(Target('npz', '', tmp_path / 'a.npz'), origin)
    assert not list(tmp_path.iterdir())


def test_what_cannot_sign_is_refused_before_anything_is_written(pair, tmp_path, capsys):
    (tmp_path / 'text').write_text('hello')
    (tmp_path / 'empty').write_text('')
    expired, odd = write_pair(tmp_path, 'bob', days=-1), write_pair(tmp_path, 'eve', usage=False)
    cases = [
        ((pair[0], odd[1]), 'is not the key of'),
        (expired, 'is valid from'),
        (odd, '--sign'),
        ((str(tmp_path / 'text'), pair[1]), 'is no certificate in PEM'),
        ((str(tmp_path / 'empty'), pair[1]), 'is no certificate in PEM'),
        ((pair[0], str(tmp_path / 'text')), 'is no private key in PEM'),
        ((str(tmp_path / 'none'), pair[1]), 'No such file'),
        ((pair[0], str(tmp_path)), 'it is no file'),
    ]
    before = sorted(tmp_path.iterdir())
    for files, message in cases:
        arguments = ['sample', 'nowhere', '--out', str(tmp_path / 'a.png'), '--sign', *files]
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1, (files, error)
    assert sorted(tmp_path.iterdir()) == before
    assert callable(make_signer(*pair)) and Marks().sign is None


def test_strangers_files_end_in_one_line():
    for data in (b'', b'\x89PNG\r\n\x1a\n', b'hello' * 100, to_bytes(IMAGE, 'PNG', CREDIT)[:200]):
        with contextlib.suppress(InputError):
            assert read_signature(data, 'PNG') is None
    with pytest.raises(InputError, match='its signature cannot be read') as info:
        read_signature(b'RIFFxxxxWEBP', 'WEBP')
    assert '\n' not in str(info.value)
