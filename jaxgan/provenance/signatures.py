"""The layer of signed metadata (C2PA): read only, without any network; needs the extra ``jaxgan[c2pa]``.

References:
    C2PA Technical Specification 2.1, sections 15 (validation) and 18.15 (actions).
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgan.errors import InputError
from jaxgan.provenance.layers import Layer
from jaxgan.strictjson import parse_json

NAME = 'C2PA'
TYPES = {
    'PNG': 'image/png', 'JPEG': 'image/jpeg', 'MPO': 'image/jpeg', 'WEBP': 'image/webp', 'GIF': 'image/gif', 'TIFF': 'image/tiff',
    'AVIF': 'image/avif', 'HEIF': 'image/heif', 'MP4': 'video/mp4',
}  # fmt: skip
UNTRUSTED = 'signingCredential.untrusted'
MOST = 5  # failures that are told
MISSING = 'ManifestNotFound'


def read_anchors(path: str | None) -> str | None:
    """Read the certificates of those who are trusted; None: nobody was named.

    Raises:
        InputError: it is no file of certificates.
    """
    if path is None:
        return None
    try:
        text = Path(path).read_bytes()[: 1 << 22].decode('ascii')
    except (OSError, ValueError) as error:
        raise InputError(
            f'trust {path} cannot be read: {getattr(error, "strerror", None) or error}'
        ) from None
    if '-----BEGIN CERTIFICATE-----' not in text:
        raise InputError(f'trust {path} holds no certificate (PEM)')
    if _library() is None:
        raise InputError('--trust is for C2PA signatures: install jaxgan[c2pa]')
    return text


def layer(path: Path, form: str, anchors: str | None) -> Layer:
    """Say whether a file is signed, by whom, and whether it is as it was signed.

    Args:
        path: the file.
        form: Pillow's name of its format, or MP4.
        anchors: certificates of those who are trusted; None: any signature that fits the file will do.
    """
    library = _library()
    if library is None:
        return Layer(NAME, 'not looked at', 'that needs jaxgan[c2pa]')
    if form not in TYPES:
        return Layer(NAME, 'nothing', f'a {form} has no place for a signature')
    try:
        settings = {
            'verify': {
                'verify_trust': anchors is not None,
                'remote_manifest_fetch': False,
                'ocsp_fetch': False,
            }
        }
        if anchors is not None:
            settings['trust'] = {'trust_anchors': anchors}  # type: ignore
        context = library.Context.from_dict(settings)
        with library.Reader(TYPES[form], io.BytesIO(path.read_bytes()), context=context) as reader:
            state, told = str(reader.get_validation_state()), parse_json(reader.json(), 'its manifest')
    except Exception as error:  # C2paError and what stands in strangers' manifests
        if MISSING in f'{type(error).__name__} {error}':
            return Layer(NAME, 'nothing', 'it is not signed')
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        return Layer(NAME, 'broken', f'its signature cannot be read: {reason}')
    return judge(state, told, anchors is not None)


def judge(state: str, told: Any, choosy: bool) -> Layer:
    """Turn what the library found into a layer.

    Args:
        state: Valid, Trusted or Invalid.
        told: the manifests, JSON of the library.
        choosy: only those who are trusted count.
    """
    manifests = told.get('manifests') if isinstance(told, dict) else None
    active = manifests.get(told.get('active_manifest')) if isinstance(manifests, dict) else None
    active = active if isinstance(active, dict) else {}
    signer = active.get('signature_info')
    signer = signer if isinstance(signer, dict) else {}
    who = str(signer.get('common_name') or signer.get('issuer') or 'an unnamed signer')[:100]
    ours = 'jaxgan' in _names(active)
    facts = {'state': state, 'signer': who, 'jaxgan': ours, 'failures': list(_failures(told))[:MOST]}
    if state not in ('Valid', 'Trusted'):
        wrong = ', '.join(code for code in facts['failures'] if code != UNTRUSTED) or 'no reason was given'
        return Layer(NAME, 'broken', f'{state}: it is not as {who} signed it ({wrong})', facts=facts)
    if not ours:
        return Layer(NAME, 'nothing', f"{state}: signed by {who}, and not as jaxgan's", facts=facts)
    if state == 'Trusted':
        return Layer(
            NAME, 'proves', f'Trusted: unchanged since {who} signed it as made by a model', facts=facts
        )
    if choosy:
        return Layer(
            NAME,
            'claims',
            f'Valid: unchanged since {who} signed it, whom --trust does not vouch for',
            facts=facts,
        )
    words = (
        f'Valid: unchanged since {who} signed it as made by a model; who that is nobody vouches for (--trust)'
    )
    return Layer(NAME, 'proves', words, facts=facts)


def _names(manifest: dict[str, Any]) -> set[str]:
    """List the programs that say they made a file."""
    found = manifest.get('claim_generator_info')
    found = found if isinstance(found, list) else [found]
    names = [one.get('name') for one in found if isinstance(one, dict)]
    return {
        str(name).split('/')[0].split(' ')[0].lower()
        for name in (*names, manifest.get('claim_generator'))
        if name
    }


def _failures(told: Any) -> Iterator[str]:
    statuses = told.get('validation_status') if isinstance(told, dict) else None
    for one in statuses if isinstance(statuses, list) else ():
        if isinstance(one, dict) and isinstance(one.get('code'), str):
            yield one['code'][:100]


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        return None
    return c2pa
