"""By what a number was taken, and which numbers may be compared.

The same weights have an FID of 13.2 by one program and of 10.2 by another (SNGAN on CIFAR-10: PyTorch-StudioGAN and mmagic),
because one counted 10,000 images against the test split, and the other 50,000 against the training split. So a number here never
stands without its protocol, and two of different protocols are not compared.
"""

import dataclasses
import typing
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.errors import InputError
from jaxgan.files import finite
from jaxgan.strictjson import parse_json
from jaxgan.version import __version__

REVISION = 1
"""Raised when a metric's definition here changes its values: numbers across revisions do not compare."""
INFORMATIVE = ('seed', 'jaxgan')
"""Fields in which comparable numbers may differ: what samples were drawn, and by which version of the same definition."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Everything besides the generator on which a number depends."""

    extractor: str
    """The network from images to features."""
    weights: str
    """The first 16 digits of its weights' SHA-256."""
    resize: str
    """What happens to an image before the network."""
    data: str
    """The real images, by name."""
    split: str
    fingerprint: str
    """The first 16 digits of a SHA-256 of the real images and labels."""
    pixels: int
    """Side of the images that are compared."""
    real: int
    """How many real images, mirrored ones included."""
    flip: bool
    """Whether the real images count mirrored, too."""
    fake: int
    """How many generated images."""
    generator: str
    """Which weights: 'average' (EMA), or 'files' where images were given."""
    labels: str
    """Where the generated images' labels come from: 'none', 'data', 'each in turn'."""
    seed: int | None
    """The first seed of the generated images."""
    settings: str = ''
    """Of the metric: neighbours, subsets, splits."""
    revision: int = REVISION
    jaxgan: str = __version__

    def __str__(self) -> str:
        """Write the protocol as one line.

        >>> print(Protocol('vgg16', 'ab12', 'none', 'cifar10', 'train', 'cd34', 32, 50000, False, 50000, 'average', 'none', 0, 'k=3'))
        vgg16@ab12, none; cifar10/train@cd34, 32px, 50000 real; 50000 fake by average, labels none, seed 0; k=3; revision 1, jaxgan ...
        """
        mirrored = ' with mirrored' if self.flip else ''
        made = f'{self.fake} fake by {self.generator}, labels {self.labels}' + (
            '' if self.seed is None else f', seed {self.seed}'
        )
        parts = [
            f'{self.extractor}@{self.weights}, {self.resize}',
            f'{self.data}/{self.split}@{self.fingerprint}, {self.pixels}px, {self.real} real{mirrored}',
            made,
            *([self.settings] if self.settings else []),
            f'revision {self.revision}, jaxgan {self.jaxgan}',
        ]
        return '; '.join(parts)


class Measurement(NamedTuple):
    """A number with its protocol, and where in a training it was taken."""

    metric: str
    """Its name with the extractor's: 'FID', 'KID-VGG16', 'precision-Avatars'."""
    value: float
    std: float | None
    """Over blocks or splits, for the metrics that have any."""
    protocol: Protocol
    step: int | None = None
    images_seen: int | None = None


def differences(a: Protocol, b: Protocol) -> list[str]:
    """Name what keeps two protocols apart, as ``field: this against that``; empty: numbers by them compare."""
    return [
        f'{field.name}: {getattr(a, field.name)} against {getattr(b, field.name)}'
        for field in dataclasses.fields(Protocol)
        if field.name not in INFORMATIVE and getattr(a, field.name) != getattr(b, field.name)
    ]


def difference(a: Measurement, b: Measurement) -> float:
    """Subtract one number from another, ``b - a``.

    Raises:
        InputError: they are of different metrics or protocols; it names the difference.
    """
    if a.metric != b.metric:
        raise InputError(f'{a.metric} and {b.metric} are different measures, and do not compare')
    found = differences(a.protocol, b.protocol)
    if found:
        raise InputError(f'two numbers of {a.metric} do not compare: {"; ".join(found)}')
    return b.value - a.value


def to_line(measurement: Measurement) -> dict[str, Any]:
    """Describe a measurement in JSON values; numbers that are not finite as strings."""
    return {
        'step': measurement.step,
        'images_seen': measurement.images_seen,
        'metric': measurement.metric,
        'value': finite(float(measurement.value)),
        'std': None if measurement.std is None else finite(float(measurement.std)),
        'protocol': dataclasses.asdict(measurement.protocol),
    }


def from_line(line: Any) -> Measurement:
    """Read what ``to_line`` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        protocol = Protocol(**line['protocol'])
        _check_types(line, protocol)
        std = None if line['std'] is None else float(line['std'])
        return Measurement(
            line['metric'], float(line['value']), std, protocol, line['step'], line['images_seen']
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f'not a measurement with its protocol: {type(error).__name__} {error}') from None


def _check_types(line: dict[str, Any], protocol: Protocol) -> None:
    allowed = {'metric': str, 'step': int | None, 'images_seen': int | None}
    values = {name: line[name] for name in allowed} | vars(protocol)
    for name, kind in (allowed | typing.get_type_hints(Protocol)).items():
        if not isinstance(values[name], kind):
            raise TypeError(f'{name} {values[name]!r}')


def read_measurements(path: str | Path) -> list[Measurement]:
    """Read ``evaluations.jsonl``, of a run or as ``jaxgan evaluate --out`` writes it.

    Args:
        path: the file, or a folder that holds it.

    Raises:
        InputError: there is no such file, or a line of it is no measurement.
    """
    path = Path(path)
    path = path / EVALUATIONS if path.is_dir() else path
    try:
        if path.exists() and not path.is_file():
            raise InputError(f'{path} is no file')
        lines = path.read_text('utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f'{path} cannot be read ({type(error).__name__}); `jaxgan evaluate` writes it'
        ) from None
    found = []
    for number, text in enumerate(lines, 1):
        try:
            found.append(from_line(parse_json(text, 'it')))
        except InputError as error:
            raise InputError(f'{path}, line {number}: {error}') from None
    return found


EVALUATIONS = 'evaluations.jsonl'
