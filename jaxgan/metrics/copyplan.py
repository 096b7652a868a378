"""How many training images until few samples are copies: a curve through audits of one recipe at several sizes.

References:
    Feng, Guo, Benitez-Quiroz and Martinez 2021, When do GANs replicate? On the choice of dataset size, arXiv 2202.11765 (the
    share of copies falls exponentially with size and with intrinsic dimension; a size that grows exponentially with the
    dimension makes of the latter a power law); Williams 1982, Extra-binomial variation in
    logistic linear models, Applied Statistics 31.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline  # jax depends on scipy
from scipy.special import expit, logit
from scipy.stats import chi2, f

from jaxgan.errors import InputError
from jaxgan.metrics.copyrate import Threshold

NODES = 32  # over false positive rates
SHARES = np.linspace(0, 1, 6)  # of the false positives of real images that a generator may have
SLOPES = np.logspace(-7, 3, 48)  # over the range of the sizes
ZOOMS = 3
MOST_SPREAD = 3.0  # of log rates between trainings
LOGITS = np.linspace(-24, 34, 1024)  # of rates, at which likelihoods are tabulated
SURE = 0.05  # below this p-value a curve does not hold
FARTHEST = 1e4  # times the largest size: a bound that is not found up to there is none

LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {'exponential': lambda n: n, 'power': np.log}
"""By name, the function t of the size in ``log rate = a - b t(n)``."""


class Count(NamedTuple):
    """What an audit counted."""

    size: int
    """Training images."""
    copies: int
    images: int
    """Generated ones, of which ``copies`` count as copies."""
    rank: int
    held_out: int
    """Of the threshold, as ``copyrate.Threshold`` has them."""


class Curve(NamedTuple):
    """A fitted curve, and the size at which it falls to the rate asked for."""

    law: str
    images: float
    """The size."""
    low: float
    high: float | None
    """Of its interval; low 0: no size is too small; high None: no size is surely large enough."""
    slope: float
    """b: the rate falls by the factor e within 1 / b images (power law: it is as size to the -b)."""
    rates: tuple[float, ...]
    """Of copies, at each audit's size."""
    likelihood: float
    """Its logarithm, but for a constant of the audits."""
    deviance: float
    freedom: int
    p_value: float | None
    """How probable a deviance as large is where the curve holds; None: two sizes lie on every curve."""
    spread: float
    """By so much trainings vary, as a standard deviation of the log rate; 0: the samples' own chance explains the audits."""

    @property
    def holds(self) -> bool:
        """Say whether the audits do not contradict the curve."""
        return self.p_value is None or self.p_value >= SURE


class Likelihood:
    """Of counts under ``log rate = a - b t(n)``, the false positives' actual rates integrated out."""

    def __init__(self, counts: Sequence[Count], rate: float, law: str) -> None:
        """Prepare.

        Args:
            counts: of audits.
            rate: asked for.
            law: a key of ``LAWS``.
        """
        self.turn, self.rate = LAWS[law], rate
        sizes, self.copies, self.images = (
            np.array([getattr(one, name) for one in counts], float) for name in ('size', 'copies', 'images')
        )
        self.at = self.turn(sizes)
        likely = [Threshold(0.0, 0.5, one.rank, one.held_out).likely(NODES) for one in counts]
        self.false, self.weights = np.stack([x for x, _ in likely]), likely[0][1]
        self.trust = np.ones(len(counts))  # by which each audit's log-likelihood counts
        self.slopes = SLOPES / (self.at.max() - self.at.min())
        known = np.stack([self.of(expit(LOGITS)[:, None], share) for share in SHARES], 1)
        self.tables = [CubicSpline(LOGITS, known[..., i]) for i in range(len(counts))]

    def rates(self, size: float, slopes: np.ndarray) -> np.ndarray:
        """Compute the rates [..., k] at the audits' sizes of curves [...] that fall to the rate asked for at ``size``."""
        rise = slopes[..., None] * (self.turn(np.array(size)) - self.at)
        return np.exp(np.minimum(math.log(self.rate) + rise, 0))

    def of(self, rates: np.ndarray, share: float) -> np.ndarray:
        """Compute log-likelihoods [m, k] of rates [m, k] of copies, or of [m, 1].

        A sample counts with probability ``p + (1 - p) share B``, B ~ Beta(rank, n + 1 - rank) being the threshold's actual false
        positive rate, and ``share`` what a generator has of it.
        """
        copies = rates[..., None]
        chance = np.clip(copies + (1 - copies) * share * self.false, 1e-15, 1 - 1e-15)
        failed = self.images - self.copies
        terms = self.copies[:, None] * np.log(chance) + failed[:, None] * np.log1p(-chance)
        top = terms.max(-1)
        return top + np.log(np.exp(terms - top[..., None]) @ self.weights)

    def best(self, size: float) -> tuple[float, float, float]:
        """Maximize over slopes and shares: the log-likelihood, the slope and the share."""
        slopes = np.tile(self.slopes, (len(SHARES), 1))
        for _ in range(ZOOMS):
            found = self._looked_up(self.rates(size, slopes))
            values, places = found.max(1), found.argmax(1)
            rows = np.arange(len(SHARES))
            best = slopes[rows, places]
            low, high = (slopes[rows, np.clip(places + d, 0, slopes.shape[1] - 1)] for d in (-1, 1))
            slopes = np.geomspace(low, high, 17, axis=1)  # between the neighbours of the best one
        i = int(values.argmax())
        return float(values[i]), float(best[i]), float(SHARES[i])

    def free(self, share: float) -> float:
        """Maximize without a curve, each audit with a rate of its own."""
        dense = np.linspace(LOGITS[0], LOGITS[-1], 40 * len(LOGITS))
        i = int(np.flatnonzero(share == SHARES)[0])
        return float(sum(weight * table(dense)[:, i].max() for weight, table in zip(self.trust, self.tables)))

    def _looked_up(self, rates: np.ndarray) -> np.ndarray:
        """Look up log-likelihoods [share, m] of rates [share, m, k]: a cubic spline in the logit, where they are smooth."""
        logits = logit(np.clip(rates, expit(LOGITS[0]), expit(LOGITS[-1])))
        known = [
            weight * np.einsum('sms->sm', table(logits[..., i]))
            for i, (weight, table) in enumerate(zip(self.trust, self.tables))
        ]
        return np.sum(known, axis=0)


def fit(counts: Sequence[Count], rate: float, law: str = 'exponential', confidence: float = 0.95) -> Curve:
    """Fit a curve, and find the size at which it falls to a rate.

    Maximum likelihood; the interval holds the sizes whose profile likelihood (over slope and share) is within the quantile of
    chi^2 with one degree of freedom of the largest. Where the audits contradict the curve (p < 0.05 of the deviance), they
    vary more than samples do: they are weighted by how much (``_spread``), and the quantile is that of F(1, freedom).

    Args:
        counts: of audits, of two sizes at least.
        rate: of copies, above 0 and below 1.
        law: a key of ``LAWS``.
        confidence: of the interval.

    Raises:
        InputError: the sizes are one, or a count is no part of its images.
    """
    check(counts, rate)
    likelihood = Likelihood(counts, rate, law)
    sizes = np.geomspace(1, FARTHEST * max(one.size for one in counts), 40)
    first = best = _highest(likelihood, sizes)
    freedom = len(counts) - 2
    p_value = float(chi2.sf(first.deviance, freedom)) if freedom else None
    cut, spread = float(chi2.ppf(confidence, 1)), 0.0
    if p_value is not None and p_value < SURE:
        spread, best = _spread(likelihood, sizes, first, freedom)
        cut = float(f.ppf(confidence, 1, freedom))
    low, high = _bounds(likelihood, sizes, best, best.likelihood - cut / 2)
    rates = tuple(best.rates.tolist())
    return Curve(
        law,
        best.size,
        low,
        high,
        best.slope,
        rates,
        first.likelihood,
        first.deviance,
        freedom,
        p_value,
        spread,
    )


class _Peak(NamedTuple):
    """The most likely curve."""

    size: float
    slope: float
    rates: np.ndarray
    likelihood: float
    deviance: float
    profile: np.ndarray
    """At the sizes that were tried."""


def _highest(likelihood: Likelihood, tried: np.ndarray) -> _Peak:
    """Find the most likely size, between the neighbours of the best one; of equally likely ones the smallest."""
    sizes, profile = tried, np.array([likelihood.best(size)[0] for size in tried])
    values = profile
    for _ in range(5):
        i = int(np.flatnonzero(values >= values.max() - 1e-6)[0])
        sizes = np.geomspace(sizes[max(i - 1, 0)], sizes[min(i + 1, len(sizes) - 1)], 9)
        values = np.array([likelihood.best(size)[0] for size in sizes])
    size = float(sizes[np.flatnonzero(values >= values.max() - 1e-6)[0]])
    top, slope, share = likelihood.best(size)
    rates = likelihood.rates(size, np.array([slope]))[0]
    return _Peak(size, slope, rates, top, max(0.0, 2 * (likelihood.free(share) - top)), profile)


def _spread(likelihood: Likelihood, sizes: np.ndarray, first: _Peak, freedom: int) -> tuple[float, _Peak]:
    """Find how much trainings vary: weights that bring the deviance down to its degrees of freedom (Williams 1982).

    An audit's log rate has the variance ``(1 - p) / mp`` of its samples, and that of trainings beside it; its likelihood counts with the
    first's part of both. So audits of many copies, which samples alone would make very sure, do not decide alone.
    """
    low, high, best = 0.0, MOST_SPREAD, first
    for _ in range(8):
        spread = (low + high) / 2
        rates = np.clip(best.rates, 1e-12, 1)
        sampled = (1 - rates) / (likelihood.images * rates) + 1e-12
        likelihood.trust = sampled / (sampled + spread**2)
        best = _highest(likelihood, sizes)
        low, high = (spread, high) if best.deviance > freedom else (low, spread)
    return spread, best


def check(counts: Sequence[Count], rate: float) -> None:
    """Refuse what no curve goes through.

    Raises:
        InputError: names it.
    """
    if not 0 < rate < 1:
        raise InputError(f'the rate of copies must be above 0 and below 1, not {rate}')
    for one in counts:
        if not (
            0 <= one.copies <= one.images and one.images and 1 <= one.rank <= one.held_out and one.size > 0
        ):
            raise InputError(f'{one} is no count of an audit')
    if len({one.size for one in counts}) < 2:
        raise InputError(
            f'audits of {len({one.size for one in counts})} size of training set: a curve needs two at least, better four'
        )


def _bounds(
    likelihood: Likelihood, sizes: np.ndarray, best: _Peak, least: float
) -> tuple[float, float | None]:
    """Find the smallest and the largest size whose profile is at least ``least``."""
    inside = np.append(sizes[best.profile >= least], best.size)
    low, high = float(inside.min()), float(inside.max())
    below, above = sizes[sizes < low], sizes[sizes > high]
    bound = _cross(likelihood, below[-1], low, least) if len(below) else 0.0
    return bound, _cross(likelihood, above[0], high, least) if len(above) else None


def _cross(likelihood: Likelihood, outside: float, inside: float, least: float) -> float:
    for _ in range(11):
        middle = math.sqrt(outside * inside)
        if likelihood.best(middle)[0] >= least:
            inside = middle
        else:
            outside = middle
    return inside
