"""``jaxgan verify``: what shows that a jaxgan model made a picture, layer by layer, and what was done to it since."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from jaxgan.errors import Failure, InputError, UnverifiedError, one_line
from jaxgan.provenance.verifying import fingerprints, matching, pixelmarks
from jaxgan.provenance.verifying.candidates import SECRET, Candidate, read_models
from jaxgan.provenance.verifying.fingerprints import of_tree, read_fingerprint, split_trees
from jaxgan.provenance.verifying.judging import Asked, Judged, judge_file
from jaxgan.provenance.verifying.layers import Layer
from jaxgan.provenance.verifying.options import VerifyOptions
from jaxgan.provenance.verifying.pixelmarks import Hit
from jaxgan.provenance.verifying.seen import list_files
from jaxgan.provenance.verifying.signatures import read_anchors

STYLES = {'proves': 'green', 'claims': 'yellow', 'broken': 'red', 'nothing': 'dim', 'not looked at': 'dim'}
WIDTH = len(fingerprints.NAME) + 1  # of the longest name
LEAST = 1e-300  # p-values below are not told apart
MOST_SET = 2**28  # bytes of pixels that are kept to be tested together


class Together(NamedTuple):
    """Single pictures of one size that claim one model, tested as one."""

    size: tuple[int, int]
    claimed: str
    """The model's digest; empty: they claim none."""
    members: tuple[Judged, ...]
    """None of which is proved alone by what they are tested for: it would carry the others along."""
    hit: Hit


def verify_command(**given: Any) -> int:
    """Report all layers of all files.

    Returns:
        0: something proves of every file that a jaxgan model made it; with a fingerprint, that fingerprint does.

    Raises:
        UnverifiedError: of some it does not.
        InputError: a file, a model or a record cannot be read, or an option is out of range.
    """
    options = VerifyOptions(**given)
    if not 0 < options.fpr <= 0.1:
        raise InputError(f'fpr {options.fpr} must be above 0 and at most 0.1')
    trees, names = split_trees(options.images, options.fingerprint is not None)
    files = list_files(tuple(names)) if names or not trees else []
    asked = _asked(options, files)
    console = Console(highlight=False, soft_wrap=True)
    without = [name for name in trees if not _show_tree(console, name, asked, options.json)]
    judged, failures, kept = [], [], 0
    for path in files:
        try:
            one = judge_file(path, asked)
        except InputError as error:
            failures.append(error)
            _show_failure(console, path, error, options.json)
        else:
            _show(console, one, options.json)
            kept += one.seen.images.nbytes if is_single(one) else 0
            judged.append(one if is_single(one) and kept <= MOST_SET else without_pixels(one))
    if kept > MOST_SET and not options.json:
        console.print(f'pictures beyond the first {MOST_SET:,} bytes of pixels were looked at each alone')
    sizes = [size for record in asked.records.values() for size in record.sizes]
    sets = find_sets(judged, sizes, asked.fingerprint)
    for one in sets:
        _show_set(console, one, options)
    _end(judged, sets, failures, options)
    if without:
        raise UnverifiedError(
            f'{without[0]}: its samples have no mark of the secret {options.fingerprint}'
            + (f', nor have those of {len(without) - 1} others' if len(without) > 1 else '')
        )
    return 0


def _asked(options: VerifyOptions, files: Sequence[Path]) -> Asked:
    from jaxgan.marks.secret import watermark_secret

    secret, anchors = watermark_secret(options.mark_key), read_anchors(options.trust)
    if options.jsonl:
        records = {Path(): matching.read_records([Path(name) for name in options.jsonl], named=True)}
    else:
        records = {path.parent: matching.read_beside(path) for path in _one_each(files)}
    mark = read_fingerprint(options.fingerprint)
    return Asked(read_models(options.model), secret, records, options.fpr, options.search, anchors, mark)


def _one_each(files: Sequence[Path]) -> list[Path]:
    """Keep one file of each folder."""
    return list({path.parent: path for path in files}.values())


def is_single(one: Judged) -> bool:
    """Say whether a file is one picture, which others may be tested with."""
    return len(one.seen.images) == 1 and not one.seen.animated


def without_pixels(one: Judged) -> Judged:
    """Let go of a file's pixels, but not of its size: a folder may hold more than memory does."""
    return one._replace(seen=one.seen._replace(images=np.zeros((0, *one.seen.images.shape[1:]), np.uint8)))


def find_sets(
    judged: Sequence[Judged], sizes: Sequence[tuple[int, int]], fingerprint: Candidate | None = None
) -> list[Together]:
    """Test pictures together that have one size and claim one model, where there are at least two of which nothing proves it alone:
    those that are proved alone would carry foreign ones along. A fingerprint is looked for in those that it does not prove alone.

    Args:
        judged: all files.
        sizes: that they may have had before.
        fingerprint: a key that is looked for in each set, too.
    """
    groups: dict[tuple[tuple[int, int], int, str], list[Judged]] = {}
    for one in judged:
        if is_single(one):
            place = (one.seen.size, one.seen.images.shape[-1], one.seen.credit.get('model', ''))
            groups.setdefault(place, []).append(one)
    found = []
    for (size, _, claimed), members in groups.items():
        rest = [one for one in members if not one.proved]
        keys = list({key.key: key for one in rest for key in one.keys}.values())
        mark = [] if fingerprint is None else [fingerprint]
        for some, those in ((rest, keys), ([one for one in members if not one.fingerprinted], mark)):
            if len(some) < 2:
                continue
            hit = pixelmarks.together([one.seen.images for one in some], those, sizes)
            if hit is not None:
                found.append(Together(size, claimed, tuple(some), hit))
    return found


def _end(
    judged: Sequence[Judged], sets: Sequence[Together], failures: Sequence[Failure], options: VerifyOptions
) -> None:
    """Raise what is wrong on the whole: who asks for a fingerprint is told of that alone."""
    total = len(judged) + len(failures)
    if failures:
        raise InputError(f'{len(failures)} of {total} files cannot be read: {failures[0]}')
    wanted = options.fingerprint is not None
    proved = [
        one for one in sets if one.hit.p_value <= options.fpr and _is_secret(one.hit.candidate) == wanted
    ]
    in_sets = {id(one) for group in proved for one in group.members}
    alone = {id(one) for one in judged if (one.fingerprinted if wanted else one.proved)}
    rest = [one for one in judged if id(one) not in alone | in_sets]
    if rest:
        claims = sum(any(layer.verdict == 'claims' for layer in one.layers) for one in rest)
        names = ', '.join(str(one.seen.path) for one in rest[:3]) + (', ...' if len(rest) > 3 else '')
        if wanted:
            raise UnverifiedError(
                f'{len(rest)} of {total} files have no mark of the secret {options.fingerprint}: {names}'
            )
        said = f'; {claims} of them say so themselves or look like it, which is no proof' if claims else ''
        raise UnverifiedError(
            f'nothing proves of {len(rest)} of {total} files that jaxgan made them: {names}{said}'
        )


def _show(console: Console, one: Judged, as_json: bool) -> None:
    if as_json:
        print(dump(told(one)), flush=True)
        return
    console.print(Text(one_line(one.seen.path), style='bold'))
    for layer in one.layers:
        console.print(_line(layer))
    altered = one.altered
    words = 'not known' if altered is None else '; '.join(altered) or 'nothing'
    console.print(Text(f'  {"altered":<{WIDTH}}{one_line(words)}'))


def _line(layer: Layer) -> Text:
    p_value = (
        '' if layer.p_value is None else f' (p {"<" if layer.p_value <= LEAST else "="} {layer.p_value:.2g})'
    )
    line = Text(f'  {layer.name:<{WIDTH}}')
    line.append(f'{layer.verdict}: ', style=STYLES[layer.verdict])
    return line.append(f'{one_line(layer.words)}{p_value}')


def told(one: Judged) -> dict[str, Any]:
    """Give a file's layers as JSON."""
    seen = one.seen
    return {
        'file': str(seen.path).encode('utf-8', 'replace').decode(),
        'sha256': seen.sha256,
        'format': seen.form,
        'size': list(seen.size) if len(seen.images) else None,
        'proved': one.proved,
        'layers': [layer.told() for layer in one.layers],
        'altered': None if one.altered is None else list(one.altered),
    }


def _show_set(console: Console, one: Together, options: VerifyOptions) -> None:
    proved = one.hit.p_value <= options.fpr
    files = [str(member.seen.path).encode('utf-8', 'replace').decode() for member in one.members]
    if options.json:
        line = {'together': files, 'size': list(one.size), 'claimed': one.claimed or None, 'proved': proved}
        print(
            dump(
                {
                    **line,
                    'model': one.hit.candidate.model,
                    'p_value': one.hit.p_value,
                    'how': one.hit.how,
                    'tries': one.hit.tries,
                }
            ),
            flush=True,
        )
        return
    height, width = one.size
    claim = f'that say model {one.claimed[:12]} made them' if one.claimed else 'that name no model'
    claim += ', none proved alone' + (' by it' if _is_secret(one.hit.candidate) else '')
    console.print(
        Text(
            one_line(f'{len(files)} pictures of {width}x{height} pixels {claim}, together'),
            style='bold',
        )
    )
    mark = f'the mark of {_named(one.hit.candidate)}' if proved else f'no mark of {_named(one.hit.candidate)}'
    verdict = 'proves' if proved else 'nothing'
    how = f', found {one.hit.how}' if one.hit.how else ''
    of_all = f' in the set as a whole{how}, which does not prove it of each' if proved else ''
    name = fingerprints.NAME if _is_secret(one.hit.candidate) else pixelmarks.NAME
    console.print(_line(Layer(name, verdict, f'{mark}{of_all}', one.hit.p_value)))


def _named(candidate: Candidate) -> str:
    model = candidate.model
    return f'the secret {model.removeprefix(SECRET)}' if _is_secret(candidate) else f'model {model[:12]}'


def _is_secret(candidate: Candidate) -> bool:
    return candidate.model.startswith(SECRET)


def _show_tree(console: Console, name: str, asked: Asked, as_json: bool) -> bool:
    """Look into the weights of a run or an export; say whether they have the fingerprint."""
    assert asked.fingerprint is not None
    layer = of_tree(name, asked.fingerprint, asked.fpr)
    proved = layer.verdict == 'proves'
    if as_json:
        print(dump({'weights': name, 'proved': proved, 'layers': [layer.told()]}), flush=True)
        return proved
    console.print(Text(f'{one_line(name)}: samples of its generator', style='bold'))
    console.print(_line(layer))
    return proved


def dump(value: Any) -> str:
    """Write strict JSON on one line."""
    return json.dumps(value, allow_nan=False)


def _show_failure(console: Console, path: Path, error: Failure, as_json: bool) -> None:
    if as_json:
        print(
            dump({'file': str(path).encode('utf-8', 'replace').decode(), 'error': one_line(error)}),
            flush=True,
        )
    else:
        console.print(Text(one_line(path), style='bold'))
        console.print(Text(f'  {one_line(error)}', style='red'))
