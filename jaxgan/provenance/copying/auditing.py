"""What an audit computes of training, held-out and generated images: duplicates, nearness, the rate of copies; and its words."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.data.exclusion import pixel_digest
from jaxgan.errors import InputError
from jaxgan.files import finite
from jaxgan.metrics import copies
from jaxgan.metrics.copies import Found, Index
from jaxgan.metrics.copying import copying
from jaxgan.metrics.copyrate import CopyRate, Threshold, calibrate, copy_rate, p_values
from jaxgan.metrics.descriptors import VIEWS

WORST, SHEET, NEIGHBOURS, GROUPS = 50, 16, 8, 20
SUSPICIOUS = -3.0  # of C_T


class Settings(NamedTuple):
    """What was asked for."""

    fpr: float
    """The smallest that the held-out images allow, if that is more than was asked for."""
    asked: float
    limit: float
    seed: int
    least_ct: float | None = None


def examine(
    train: np.ndarray,
    held_out: np.ndarray | None,
    generated: np.ndarray,
    settings: Settings,
    places: np.ndarray,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Compare generated images with training images, and both with held-out ones.

    Args:
        train: uint8 [n, h, w, c].
        held_out: uint8 [m, h, w, c], that no training saw; None: there are none.
        generated: uint8 [k, h, w, c], of the seeds from ``settings.seed`` on.
        settings: what was asked for.
        places: of the training images in their source, [n].

    Returns:
        The report; and the images that its page shows: ``worst``, ``worst_nearest``, ``sheet``, ``sheet_nearest``.
    """
    index = copies.build(copies.features(train))
    near = min(NEIGHBOURS, len(train))
    found = copies.find(generated, index, near)
    known = None if held_out is None else copies.find(held_out, index)
    report: dict[str, Any] = {
        'duplicates': duplicates(train, index, places),
        'copying': _copying(index, held_out, generated),
        'authenticity': _authenticity(found, known),
    }
    threshold = None
    if known is not None:
        threshold = _threshold(known, index, settings.fpr)
    rate = None if threshold is None else copy_rate(found.ratios[:, 0], threshold)
    report['copy_rate'] = None if rate is None or threshold is None else _told(rate, threshold, settings)
    worst = np.lexsort((np.arange(len(generated)), found.ratios[:, 0]))[:WORST]
    fresh = None if known is None else known.ratios[:, 0]
    report['worst'] = [_pair(i, found, fresh, threshold, settings.seed, places) for i in worst.tolist()]
    report['sheet'] = [
        {
            'seed': settings.seed + i,
            'ratios': found.ratios[i].tolist(),
            'indices': places[found.indices[i]].tolist(),
        }
        for i in range(min(SHEET, len(generated)))
    ]
    report['verdict'] = _verdict(rate, report['copying']['value'], settings)
    shown = {
        'worst': generated[worst],
        'worst_nearest': train[found.indices[worst, 0]],
        'sheet': generated[:SHEET],
        'sheet_nearest': train[found.indices[:SHEET]],
    }
    return report, shown


def _threshold(known: Found, index: Index, fpr: float) -> Threshold:
    twins = known.distances[:, 0] < index.near
    least = 1 / (int(np.sum(~twins)) + 1)
    return calibrate(known.ratios[:, 0], min(max(fpr, least), 0.5), twins)


def duplicates(train: np.ndarray, index: Index, places: np.ndarray) -> dict[str, Any]:
    """Count the images of a training set that others repeat, pixel by pixel or nearly, and name the largest groups."""
    sizes = np.bincount(index.groups, minlength=len(train))
    largest = [int(g) for g in np.argsort(-sizes, kind='stable')[:GROUPS] if sizes[g] > 1]
    return {
        'images': len(train),
        'exact': len(train) - len(set(map(pixel_digest, train))),
        'near': int(np.sum(np.maximum(sizes - 1, 0))),
        'groups': int(np.sum(sizes > 1)),
        'near_below': index.near,
        'largest': [places[index.groups == g][:NEIGHBOURS].tolist() for g in largest],
        'largest_sizes': sizes[largest].tolist(),
    }


def _copying(index: Index, held_out: np.ndarray | None, generated: np.ndarray) -> dict[str, Any]:
    if held_out is None:
        return {'value': None, 'reason': 'there are no held-out images'}
    train, test, own = (
        x / np.float32(255) for x in (index.features, copies.features(held_out), copies.features(generated))
    )
    components = min(64, len(train) - 1)
    try:
        found = copying(train, test, own, components=components)
    except InputError as error:
        return {'value': None, 'reason': str(error)}
    cells = [{**cell._asdict(), 'z': finite(cell.z)} for cell in found.cells]
    return {'value': found.value, 'cells': cells, 'components': components, 'features': 'cells'}


def _authenticity(found: Found, known: Found | None) -> dict[str, Any]:
    """Compute the share of images that are no nearer to their nearest training image than its own neighbour is."""
    return {
        'generated': float(np.mean(found.ratios[:, 0] >= 1)),
        'held_out': None if known is None else float(np.mean(known.ratios[:, 0] >= 1)),
    }


def _told(rate: CopyRate, threshold: Threshold, settings: Settings) -> dict[str, Any]:
    return {
        **rate._asdict(),
        'interval': list(rate.interval),
        'corrected_interval': list(rate.corrected_interval),
        'threshold': threshold.value,
        'fpr': threshold.fpr,
        'fpr_interval': list(threshold.actual()),
        'fpr_asked': settings.asked,
        'fpr_of_threshold': threshold.asked,
        'held_out': threshold.held_out,
        'rank': threshold.rank,
        'twins': threshold.twins,
    }


def _pair(
    i: int, found: Found, fresh: np.ndarray | None, threshold: Threshold | None, seed: int, places: np.ndarray
) -> dict[str, Any]:
    ratio = float(found.ratios[i, 0])
    view = VIEWS[int(found.views[i, 0])]
    return {
        'seed': seed + i,
        'ratio': ratio,
        'p_value': None if fresh is None else float(p_values(np.array([ratio]), fresh)[0]),
        'copy': None if threshold is None else ratio < threshold.value,
        'distance': float(found.distances[i, 0]),
        'index': int(places[found.indices[i, 0]]),
        'view': {'number': int(found.views[i, 0]), **view._asdict()},
    }


def _verdict(rate: CopyRate | None, ct: float | None, settings: Settings) -> dict[str, Any]:
    """Decide by the lower bound of the rate: only what is sure counts against a generator; and by C_T, unless that is only to be said."""
    limits = {'limit': settings.limit, 'least_ct': settings.least_ct}
    if rate is None:
        reason = 'no copy rate: there are no held-out images to calibrate it'
        return {'passed': True, **limits, 'reason': reason}
    low = rate.corrected_interval.low
    passed, nearer = (
        low <= settings.limit,
        ct is not None and settings.least_ct is not None and ct < settings.least_ct,
    )
    reason = (
        f'the lower bound of the corrected copy rate, {low:.3%}, is {"not " if passed else ""}above the limit '
        f'{settings.limit:.3%}'
    )
    if nearer:
        reason += f'; C_T {ct:.2f} is below {settings.least_ct:g}'
    return {'passed': passed and not nearer, **limits, 'reason': reason}


def summary(report: dict[str, Any]) -> list[str]:
    """Say what was found, a line each."""
    lines = [_of_duplicates(report['duplicates']), _of_rate(report['copy_rate'], report['hold_out'])]
    ct = report['copying']
    if ct['value'] is None:
        lines.append(f'C_T: not measured, for {ct["reason"]}')
    else:
        near = 'nearer to the training than held-out images: copies, or less detail'
        far = 'negative would be: nearer to the training than held-out images are'
        more = f' ({near if ct["value"] < SUSPICIOUS else far})'
        lines.append(f'C_T {ct["value"]:.2f} over {len(ct["cells"])} cells{more}')
    found = report['authenticity']
    beside = '' if found['held_out'] is None else f', of held-out images {found["held_out"]:.1%}'
    lines.append(f'authentic: {found["generated"]:.1%} of generated images{beside}')
    lines += _of_recovery(report.get('recovery')) + _of_membership(report.get('membership'))
    passed = report['verdict']['passed']
    return [*lines, f'{"passed" if passed else "NOT PASSED"}: {report["verdict"]["reason"]}']


def _of_duplicates(found: dict[str, Any]) -> str:
    return (
        f'training: {found["images"]:,} images; {found["exact"]:,} repeat another exactly, {found["near"]:,} nearly '
        f'or exactly ({found["groups"]:,} groups)'
    )


def _of_rate(rate: dict[str, Any] | None, advice: str) -> str:
    if rate is None:
        return f'copy rate: cannot be calibrated without held-out images; {advice}'
    low, high = rate['interval']
    low2, high2 = rate['corrected_interval']
    said = '' if rate['fpr_of_threshold'] <= rate['fpr_asked'] else ' (held-out images are too few for less)'
    return (
        f'copies: {rate["copies"]:,} of {rate["images"]:,} images ({rate["raw"]:.3%}, 95% from {low:.3%} to {high:.3%}) at '
        f'a false positive rate of {rate["fpr"]:.3%}{said}; less these: {rate["corrected"]:.3%} ({low2:.3%} to {high2:.3%}); '
        f'p {rate["p_value"]:.2g}'
    )


def _of_recovery(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    return [
        f'recovery: training {found["train_psnr"]:.2f} dB, held-out {found["held_out_psnr"]:.2f} dB, median of '
        f'{found["images"]} each; p {found["p_value"]:.2g}'
    ]


def _of_membership(found: dict[str, Any] | None) -> list[str]:
    lines = []
    for name, attack in (found or {}).items():
        lines.append(f'membership by {name}: {attack.get("reason") or _of_attack(attack)}')
    return lines


def _of_attack(found: dict[str, Any]) -> str:
    chance = found['random_labels']
    return (
        f'AUC {found["auc"]:.3f} ({found["low"]:.3f} to {found["high"]:.3f}), p {chance["p_value"]:.2g}; random labels: '
        f'{chance["mean"]:.3f}, standard error {chance["error"]:.3f}'
    )
