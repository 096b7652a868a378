"""From a command's options to how its pictures are marked: files are read, and all is checked, before anything is written."""

from jaxgan.credentials import Marks
from jaxgan.errors import InputError
from jaxgan.files import check_file
from jaxgan.marks.secret import watermark_secret
from jaxgan.unused import refuse

MOST_REASON = 1000  # characters


def read_marks(
    unmarked: str | None = None,
    mark_key: str | None = None,
    sign: tuple[str, str] | None = None,
    record: str | None = None,
) -> Marks:
    """Turn options into marks: the secret and the signer's files are read, and checked before anything is written.

    Args:
        unmarked: why there shall be none.
        mark_key: a file with a secret; None: that which ``JAXGAN_MARK_KEY`` names, if it does.
        sign: files of a certificate and of its key.
        record: a file for the lines.

    Raises:
        InputError: a file cannot be used, the reason is empty, or two options contradict each other.
    """
    path = None if record is None else check_file(record)
    if unmarked is not None:
        refuse('with --unmarked', mark_key=mark_key, sign=sign)
        return Marks(unmarked=_reason(unmarked), record=path)
    signer = None
    if sign is not None:
        from jaxgan.marks.signing import make_signer  # an extra, and slow to import

        signer = make_signer(*sign)
    return Marks(secret=watermark_secret(mark_key), sign=signer, record=path)


def _reason(text: str) -> str:
    told = ' '.join(text.split())
    if not told:
        raise InputError('--unmarked needs a reason, which the record keeps')
    if len(told) > MOST_REASON:
        raise InputError(f'--unmarked: a reason of {len(told)} characters is too long: at most {MOST_REASON}')
    return told
