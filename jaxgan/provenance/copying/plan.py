"""``jaxgan plan``: how many training images until few samples are copies, from audits of one recipe at several sizes."""

import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jaxgan.errors import InputError
from jaxgan.metrics.copyplan import LAWS, Count, Curve, check, fit
from jaxgan.provenance.copying.options.plan import PlanOptions
from jaxgan.run.rundir import AUDIT
from jaxgan.strictjson import read_json

MOST = 200  # audits
LARGEST = 10**12  # of a count in a file
FAR = 2  # times the largest size: beyond this an answer is an extrapolation that nothing supports


def plan_command(**given: Any) -> int:
    """Fit the curves, and say what they say.

    Raises:
        InputError: files are no audits with a copy rate, or of one size, or cannot be compared.
    """
    options = PlanOptions(**given)
    report = plan([read_audit(Path(name)) for name in options.audits], options.below)
    if options.json:
        print(json.dumps(report, indent=1, allow_nan=False))
        return 0
    console = Console(highlight=False)
    console.print(_table(report))
    for line in summary(report):
        console.print(line, soft_wrap=True, markup=False)
    return 0


def read_audit(path: Path) -> dict[str, Any]:
    """Read an audit's counts, and what another must have in common with it.

    Raises:
        InputError: it is none, or has no copy rate of all training images.
    """
    if path.is_dir() and not (path / AUDIT).exists():
        raise InputError(f'{path} has no {AUDIT}: run jaxgan audit {path} first')
    path = path / AUDIT if path.is_dir() else path
    values = read_json(path)
    rate, data = (_part(values, name, path) for name in ('copy_rate', 'data'))
    count = Count(
        _whole(data, 'images', path),
        *(_whole(rate, name, path) for name in ('copies', 'images', 'rank', 'held_out')),
    )
    if not (
        count.copies <= count.images and 1 <= count.rank <= count.held_out and count.images and count.size
    ):
        raise InputError(f'{path} is no audit: {count} cannot be')
    if data.get('of', count.size) != count.size:
        raise InputError(
            f'{path} looked among a part of the training images (--train): copies of the others are not counted'
        )
    return {
        'file': str(path),
        'count': count,
        'protocol': {
            name: value
            for name, value in _part(values, 'protocol', path).items()
            if name not in ('generated', 'seed')
        },
        'said': {
            'recipe': values.get('recipe'),
            'images_seen': values.get('images_seen'),
            'data.name': data.get('name'),
            'copy_rate.fpr_of_threshold': rate.get('fpr_of_threshold'),
        },
    }


def _part(values: Any, name: str, path: Path) -> dict[str, Any]:
    found = values.get(name) if isinstance(values, dict) else None
    if not isinstance(found, dict):
        why = (
            'there were no held-out images, so it has no copy rate'
            if name == 'copy_rate' and isinstance(values, dict) and name in values
            else f'it has no {name}'
        )
        raise InputError(f'{path} cannot be used: {why}')
    return found


def _whole(values: dict[str, Any], name: str, path: Path) -> int:
    found = values.get(name)
    if type(found) is not int or not 0 <= found <= LARGEST:
        raise InputError(f'{path} is no audit: {name} {str(found)[:40]} must be a whole number')
    return found


def plan(audits: list[dict[str, Any]], below: float) -> dict[str, Any]:
    """Fit every law to audits.

    Args:
        audits: of ``read_audit``.
        below: the rate asked for.

    Returns:
        The report, as JSON holds it.

    Raises:
        InputError: they cannot be compared, or no curve goes through them.
    """
    if not 2 <= len(audits) <= MOST:
        several = f'{len(audits)} audit{"" if len(audits) == 1 else "s"}'
        raise InputError(
            f'{several}: a curve needs 2 to {MOST}, better four or more, of trainings with different --data.subset'
        )
    other = next((one for one in audits if one['protocol'] != audits[0]['protocol']), None)
    if other is not None:
        raise InputError(
            f'{other["file"]} looked for copies in another way than {audits[0]["file"]}: their protocols differ'
        )
    audits = sorted(audits, key=lambda one: (one['count'].size, one['file']))
    counts = [one['count'] for one in audits]
    check(counts, below)
    curves = {law: fit(counts, below, law) for law in LAWS}
    return {
        'format_version': 1,
        'below': below,
        'audits': [{'file': one['file'], **one['count']._asdict()} for one in audits],
        'curves': {law: _told(curve, counts) for law, curve in curves.items()},
        'better': max(curves, key=lambda law: curves[law].likelihood),
        'differ': _differ(audits),
    }


def _told(curve: Curve, counts: list[Count]) -> dict[str, Any]:
    largest = max(one.size for one in counts)
    farthest = curve.images if curve.high is None else max(curve.images, curve.high)
    return {
        **{name: value for name, value in curve._asdict().items() if name != 'law'},
        'rates': list(curve.rates),
        'holds': curve.holds,
        'extrapolated': curve.high is None or farthest > FAR * largest,
    }


def _differ(audits: list[dict[str, Any]]) -> list[str]:
    """Name what is not the same in all audits, or not known of some."""
    names = audits[0]['said']
    return [
        name
        for name in names
        if any(one['said'][name] is None or one['said'][name] != audits[0]['said'][name] for one in audits)
    ]


def _table(report: dict[str, Any]) -> Table:
    table = Table(
        'training images', 'copies', 'of samples', 'false positives', *LAWS, box=None, header_style=''
    )
    for i, one in enumerate(report['audits']):
        fpr = one['rank'] / (one['held_out'] + 1)
        fitted = (f'{report["curves"][law]["rates"][i]:.3%}' for law in LAWS)
        share = f'{one["images"]:,} ({one["copies"] / one["images"]:.2%})'
        table.add_row(f'{one["size"]:,}', f'{one["copies"]:,}', share, f'{fpr:.2%}', *fitted)
    return table


def summary(report: dict[str, Any]) -> list[str]:
    """Say what was found, a line each."""
    lines = [_of_curve(law, report) for law in LAWS]
    if not report['curves']['exponential']['holds']:
        better = (
            'the power law fits better' if report['better'] == 'power' else 'the power law fits no better'
        )
        lines.append(
            f'the exponential does not hold by the chance of samples alone ({better}): trainings vary, by about '
            f'{math.expm1(report["curves"]["exponential"]["spread"]):.0%}, which the interval counts, or the curve is another one; more sizes '
            'near the answer say more than any curve'
        )
    if report['curves']['exponential']['p_value'] is None:
        lines.append('two audits lie on any curve: whether it holds is not known; audit more sizes')
    if report['differ']:
        lines.append(
            f'not the same in all audits, or not known: {", ".join(report["differ"])}; one recipe is assumed'
        )
    return lines


def _of_curve(law: str, report: dict[str, Any]) -> str:
    curve = report['curves'][law]
    sizes = [one['size'] for one in report['audits']]
    high = 'no bound' if curve['high'] is None else f'{curve["high"]:,.0f}'
    if curve['images'] < min(sizes):
        answer = f'{min(sizes):,} images, the fewest that were tried, have fewer'
    else:
        answer = f'about {curve["images"]:,.0f} images'
    fits = (
        'two audits'
        if curve['p_value'] is None
        else f'deviance {curve["deviance"]:.1f} of {curve["freedom"]}, p {curve["p_value"]:.2g}'
    )
    far = ''
    if curve['extrapolated']:
        what = 'its interval' if curve['images'] <= FAR * max(sizes) else 'it'
        far = f'; an extrapolation: {what} goes beyond twice the largest size, {max(sizes):,}'
    return f'{law}: fewer than {100 * report["below"]:g}% of samples are copies from {answer} on (95%: {curve["low"]:,.0f} to {high}){far}; {fits}'
