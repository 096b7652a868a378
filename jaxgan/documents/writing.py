"""``jaxgan card``, and the cards that a training writes at its end and an export takes along."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from jaxgan.card import make_card
from jaxgan.checkpoints.restore import restore_average
from jaxgan.documents.croissant import write_dataset
from jaxgan.documents.known import Known, know, search
from jaxgan.documents.modelcard import write_card
from jaxgan.errors import InputError, MachineError
from jaxgan.export import CARD, DOCUMENTS, has_data_card
from jaxgan.files import read_bounded, reason, replacing, unwritable
from jaxgan.generatorfolder import kind_of
from jaxgan.opened import Generator, open_generator
from jaxgan.run.rundir import CHECKPOINTS, check_name
from jaxgan.strictjson import read_json

MODEL, DATASET = DOCUMENTS
NOTES = 'card_notes.md'
MOST_BYTES = 2**20  # of notes
MOST_OF_ALL = 2**26  # of a document that is copied


def card_command(source: str, out: str | None, notes: str | None) -> int:
    """Write both documents of a run or an export.

    Raises:
        InputError: the source is neither, the notes cannot be read, or an export's card from its training would be lost.
    """
    path, target = Path(source), Path(out or source)
    check_name(target)
    text = read_notes(Path(notes) if notes else path / NOTES, needed=notes is not None)
    export = kind_of(path) == 'export'
    own = export and target.resolve() == path.resolve()
    if own and has_data_card(path):
        raise InputError(
            f'{path} has a {MODEL} already, of the run that it is from; --out writes elsewhere what {CARD} alone says'
        )
    found = open_generator(path)
    write(target, documents(know(found, path), text))
    if own:
        _tell_export(path)
    print(f'wrote {target / MODEL} and {DATASET}')
    return 0


def documents(known: Known, notes: str) -> dict[str, bytes]:
    """Make both documents, by name."""
    found = search(known)
    return {MODEL: write_card(known, found, notes).encode(), DATASET: write_dataset(known, found).encode()}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write documents, each whole or not at all.

    Raises:
        Failure: one cannot be written.
    """
    for name, data in files.items():
        try:
            with replacing(folder / name) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise unwritable(folder / name, error) from None


def read_notes(path: Path, needed: bool = False) -> str:
    """Read what the maker says of intended use and limitations; nothing, if that file need not be there.

    Raises:
        InputError: it is not text in UTF-8 of at most a megabyte.
        MachineError: it may not be read.
    """
    if not needed and not path.exists():
        return ''
    try:
        if not path.is_file():
            raise ValueError('there is no such file')
        with path.open('rb') as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f'it is larger than {MOST_BYTES:,} bytes')
        return data.decode('utf-8')
    except PermissionError:
        raise MachineError(f'notes {path} cannot be read: permission denied') from None
    except (OSError, ValueError) as error:
        raise InputError(f'notes {path} cannot be read: {reason(error)}') from None


def at_end(run: Path, say: Callable[[str], None]) -> None:
    """Write a finished run's documents; what goes wrong is one line, and costs the training nothing."""
    try:
        params, aux, step, meta = restore_average(run / CHECKPOINTS, say=say)
        found = Generator(params, aux, make_card(meta, step), run / CHECKPOINTS / str(step))
        write(run, documents(know(found, run), read_notes(run / NOTES)))
    except Exception as error:  # whatever it is: the training is done, and its exit code is its own
        say(f'warning: {run / MODEL} was not written: {reason(error)}; jaxgan card writes it')


def for_export(found: Generator, source: Path) -> tuple[Generator, dict[str, bytes]]:
    """Find the documents that go beside exported weights: the run's own, written anew for another checkpoint than theirs.

    Args:
        found: what is exported.
        source: its run, or the export that it was read from.

    Returns:
        The generator, whose card says whether there are documents, and these by name; without a run's card there are none.
    """
    if not has_data_card(source):
        why = (
            'the run has none; jaxgan card writes it'
            if found.checkpoint
            else 'the export that this was made of has none'
        )
        return _with(found, f'none: {why}'), {}
    files = {
        name: read_bounded(source / name, MOST_OF_ALL) for name in DOCUMENTS if (source / name).is_file()
    }
    if found.checkpoint and (len(files) < len(DOCUMENTS) or found.digest.encode() not in files[MODEL]):
        files = documents(know(found, source), read_notes(source / NOTES))
    return _with(found, ', '.join(files)), files


def _with(found: Generator, told: str) -> Generator:
    return dataclasses.replace(found, card=found.card | {'data_card': told})


def _tell_export(folder: Path) -> None:
    """Say in an export's card that there are documents now."""
    card = read_json(folder / CARD) | {'data_card': ', '.join(DOCUMENTS)}
    write(folder, {CARD: (json.dumps(card, indent=2, allow_nan=False) + '\n').encode()})
