"""What the page shows, as plain data: ``gather`` makes it from files, ``render`` makes HTML of it."""

from dataclasses import dataclass, field
from typing import Any

Number = float | int
Value = float | int | str
"""A number, or one of 'nan', 'inf', '-inf', for which JSON has no number."""
Row = tuple[str, str]
"""A label and what stands beside it."""


@dataclass(frozen=True)
class Series:
    """One curve: ``y[i]`` at ``x[i]`` images seen."""

    label: str
    x: tuple[Number, ...]
    y: tuple[Value, ...]
    mean_x: tuple[Number, ...] = ()
    """Where the curve is thinned, the middles of the stretches that were averaged."""
    mean_y: tuple[Value, ...] = ()
    """Their means; of a stretch with a value that is not finite, that value."""


@dataclass(frozen=True)
class Chart:
    """Curves that share a scale."""

    title: str
    unit: str
    series: tuple[Series, ...]
    not_finite: int = 0
    """How many values of the files, before thinning, were no finite numbers."""
    drawn: str = ''
    """Which values are drawn, if not all."""


@dataclass(frozen=True)
class Picture:
    """A picture inside the page."""

    uri: str
    """A data URI."""
    width: int
    height: int


@dataclass(frozen=True)
class Grid:
    """A grid of samples and when it was made."""

    images_seen: int
    picture: Picture


@dataclass(frozen=True)
class Gallery:
    """The training's grids, oldest first."""

    grids: tuple[Grid, ...] = ()
    found: int = 0
    """How many files there are; the page may show fewer."""
    lossy: bool = False
    """Some are too large to be embedded as they are."""


@dataclass(frozen=True)
class Evaluation:
    """A number and under which protocol it was found."""

    step: int
    images_seen: int
    metric: str
    value: Value
    std: Value | None
    protocol: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One metric under one protocol."""

    metric: str
    protocol: str
    """The protocol's short name on the page."""
    latest: Evaluation
    points: int
    lowest: Value | None
    highest: Value | None


@dataclass(frozen=True)
class Clash:
    """Numbers of one metric that must not be compared."""

    metric: str
    protocols: tuple[str, ...]
    keys: tuple[str, ...]
    """In what the protocols differ."""


@dataclass(frozen=True)
class Evaluations:
    """The table of metrics."""

    results: tuple[Result, ...] = ()
    protocols: dict[str, dict[str, Any]] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Neighbour:
    """A real image and how far it is from a generated one."""

    picture: Picture
    distance: Value


@dataclass(frozen=True)
class Pair:
    """A generated image and the real ones that are nearest to it."""

    generated: Picture
    real: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Neighbours:
    """Generated images beside real ones, those first that are closest."""

    pairs: tuple[Pair, ...]
    found: int
    """How many generated images the file has; the page may show fewer."""
    about: tuple[Row, ...]


@dataclass(frozen=True)
class Trouble:
    """All warnings of one kind."""

    signal: str
    count: int
    first: int
    last: int
    message: str
    """The latest one."""


@dataclass(frozen=True)
class Setting:
    """A field of the configuration that is not at its default."""

    name: str
    value: str
    default: str


@dataclass(frozen=True)
class ReportData:
    """Everything on the page."""

    name: str
    made: str
    """When and by which jaxgan the page was made."""
    state: str
    finished: bool
    statement: str
    """That the images are generated, by what, from what."""
    origin: str
    facts: tuple[Row, ...]
    gallery: Gallery
    charts: tuple[Chart, ...]
    lines: int
    """Lines of metrics that were read."""
    evaluations: Evaluations
    neighbours: Neighbours | None
    troubles: tuple[Trouble, ...]
    settings: tuple[Setting, ...]
    config: str
    environment: tuple[Row, ...]
    files: tuple[tuple[str, str, str], ...]
    """Name, size, what it is."""
    notes: tuple[str, ...]
    """What could not be read."""
