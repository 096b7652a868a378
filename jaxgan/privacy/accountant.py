"""What a training has spent: the privacy loss of Gaussian noise on sums over Poisson samples, composed exactly but for rounding up.

One step adds N(0, sigma^2) to a sum in which each image of the data set counts, with chance q, for at most 1 (a clipping norm). For
two data sets of which one lacks an image the worst pair of outputs is

    P = (1 - q) N(0, sigma^2) + q N(1, sigma^2)   and   Q = N(0, sigma^2),

and ``delta(epsilon) = sup_S P(S) - e^epsilon Q(S)``, or the same with P and Q exchanged, whichever is larger. Steps add up the privacy loss
log dP/dQ, so its distribution is convolved with itself, by a Fourier transform on a grid.

Each rounding here makes delta larger and never smaller, so that all results are upper bounds.

References:
    Abadi et al. 2016, Deep learning with differential privacy, arXiv 1607.00133 (the mechanism). Koskela et al. 2020, arXiv 1906.03049, and Gopi et
    al. 2021, arXiv 2106.02848 (Fourier accountants). Doroshenko et al. 2022, Connect the dots, arXiv 2207.04380 (the grid). Zhu et al. 2022,
    arXiv 2106.08567 (the worst pair, and that it composes).
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import scipy  # jax depends on it; scipy.special comes when it is first asked for

CUT = 1e-6  # part of delta that may be cut off on each side
FINE = 40.0  # points of the grid in a standard deviation of a step's loss
MOST = 2**22  # points of a grid
LARGE = 600.0  # an epsilon whose exponential is near the end of the floats
SIGMAS = (0.05, 10_000.0)  # noise that is looked at; with less, nothing is claimed
STEPS_OF_SIGMA = 500.0  # k in exp(k / 500): multiples of 0.2 %


class Loss(NamedTuple):
    """A distribution of privacy losses on a grid: ``mass[i]`` at ``(first + i) * width``, and the rest at infinity."""

    mass: np.ndarray
    first: int
    width: float
    infinite: float


def epsilon(q: float, sigma: float, steps: int, delta: float) -> float:
    """Compute an upper bound of epsilon after so many steps.

    Args:
        q: chance of each image to be in a step, in (0, 1].
        sigma: standard deviation of the noise, in units of the clipping norm.
        steps: how many; 0 spend nothing.
        delta: in (0, 1).

    Returns:
        epsilon, at least 0; infinity, if there is none.
    """
    _check(q, sigma, steps, delta)
    if not steps:
        return 0.0
    if sigma < SIGMAS[0]:
        return math.inf
    return max(_epsilon_of(q, sigma, steps, delta, removed) for removed in (True, False))


def delta(q: float, sigma: float, steps: int, epsilon: float, smallest: float = 1e-12) -> float:
    """Compute an upper bound of delta for an epsilon; deltas below ``smallest`` are not resolved."""
    _check(q, sigma, steps, smallest)
    if not steps:
        return 0.0
    if sigma < SIGMAS[0]:
        return 1.0
    both = (_composed(q, sigma, steps, smallest, removed) for removed in (True, False))
    return min(max(_delta_of(loss, lost, epsilon) for loss, lost in both), 1.0)


@functools.lru_cache(maxsize=64)
def noise_for(epsilon_wanted: float, q: float, steps: int, delta: float) -> float:
    """Find the least noise with which so many steps spend at most epsilon, on a grid of 0.2 %.

    The grid is so coarse that rounding of another machine finds the same number.

    Raises:
        ValueError: no noise that is looked at is enough.
    """
    least, most = (round(math.log(sigma) * STEPS_OF_SIGMA) for sigma in SIGMAS)

    def enough(k: int) -> bool:
        return epsilon(q, _sigma(k), steps, delta) <= epsilon_wanted

    low = high = 0  # from 1 on, with growing strides: little noise costs large grids
    stride = int(STEPS_OF_SIGMA) // 4
    while high < most and not enough(high):
        low, high, stride = high, min(high + stride, most), stride * 2
    if high == most and not enough(high):
        raise ValueError(f'no noise up to {SIGMAS[1]:,.0f} is enough for epsilon {epsilon_wanted}')
    while low == high or (low > least and enough(low)):
        low, high, stride = max(low - stride, least), low, stride * 2
    while high - low > 1:  # high is enough, low is not or is the least
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _sigma(high)


def _sigma(k: int) -> float:
    return float(f'{math.exp(k / STEPS_OF_SIGMA):.6g}')


def _check(q: float, sigma: float, steps: int, delta: float) -> None:
    if not (0 < q <= 1 and sigma > 0 and steps >= 0 and 0 < delta < 1):
        raise ValueError(f'q {q}, sigma {sigma}, steps {steps}, delta {delta} are out of range')


def _epsilon_of(q: float, sigma: float, steps: int, delta: float, removed: bool) -> float:
    """Find the least epsilon >= 0 at which delta is small enough: it is linear in e^epsilon between points of the grid."""
    loss, lost = _composed(q, sigma, steps, delta, removed)
    budget = delta - lost
    if budget <= 0:
        return math.inf
    points, above, tilted = _curve(loss)
    with np.errstate(over='ignore', invalid='ignore'):
        values = np.where(points < LARGE, above - np.exp(points) * tilted, above)
    i = int(np.argmax(values <= budget)) if values[-1] <= budget else len(points) - 1
    if i == 0:
        return 0.0
    if points[i] >= LARGE:
        return float(points[i]) if values[i] <= budget else math.inf
    # between points i-1 and i the sums over what is above i-1 hold
    return float(np.log((above[i - 1] - budget) / tilted[i - 1]))


def _delta_of(loss: Loss, lost: float, epsilon: float) -> float:
    points, above, tilted = _curve(loss)
    i = int(np.searchsorted(points, epsilon, 'right')) - 1
    return (
        max(float(above[i] - math.exp(epsilon) * tilted[i]), 0.0) if epsilon < LARGE else float(above[i])
    ) + lost


def _curve(loss: Loss) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the points of the grid from 0 on, and of what lies above each the mass and the mass times e^-loss."""
    skipped = max(0, -loss.first)
    mass = loss.mass[skipped:]
    points = (np.arange(len(mass)) + loss.first + skipped) * loss.width
    if not len(mass) or points[0] > 0:  # all lies above 0
        points, mass = np.concatenate([[0.0], points]), np.concatenate([[0.0], mass])
    # summed from the small end, so that what is far out keeps its digits
    above = np.cumsum(mass[::-1])[::-1] - mass
    weighed = mass * np.exp(-points)
    tilted = np.cumsum(weighed[::-1])[::-1] - weighed
    return points, np.maximum(above, 0.0), np.maximum(tilted, 0.0)


def _composed(q: float, sigma: float, steps: int, delta: float, removed: bool) -> tuple[Loss, float]:
    """Compose a step with itself.

    Returns:
        The distribution, and what has to be added to each delta: infinite losses, what was cut off, rounding of the transform.
    """
    cut = delta * CUT
    coarse = _step_loss(q, sigma, removed, cut / steps, None)
    points = (np.arange(len(coarse.mass)) + coarse.first) * coarse.width
    mean = float(coarse.mass @ points)
    deviation = math.sqrt(max(float(coarse.mass @ (points - mean) ** 2), 1e-300))
    low, high = _window(coarse, steps, cut)
    span = max(high - low, points[-1] - points[0])
    width = max(deviation / FINE, span / (MOST / 2))
    one = _step_loss(q, sigma, removed, cut / steps, width)
    low, high = _window(one, steps, cut)
    first, last = math.floor(low / width), math.ceil(high / width)
    size = 1 << max(last - first + 1, len(one.mass)).bit_length()
    mass = np.fft.irfft(np.fft.rfft(one.mass, size) ** steps, size)
    shift = (first - one.first * steps) % size  # the transform is circular: where the window begins
    mass = np.maximum(np.roll(mass, -shift), 0.0)
    rounding = (steps + 64) * 2.0**-52
    infinite = -math.expm1(steps * math.log1p(-one.infinite))
    return Loss(mass, first, width, infinite), infinite + 2 * cut + rounding


def _window(loss: Loss, steps: int, cut: float) -> tuple[float, float]:
    """Bound where all but ``cut`` of the composed losses lie on each side, by Chernoff: ``(steps log E e^(t X) - log cut) / t``."""
    points = (np.arange(len(loss.mass)) + loss.first) * loss.width
    with np.errstate(divide='ignore'):
        logs = np.log(loss.mass)
    bounds = []
    for sign in (1.0, -1.0):
        found = math.inf
        for t in 2.0 ** np.arange(-12.0, 16.0):
            terms = logs + sign * t * points
            top = float(np.max(terms))
            moment = top + math.log(float(np.sum(np.exp(terms - top))))
            found = min(found, (steps * moment - math.log(cut)) / t)
        bounds.append(sign * min(found, steps * sign * float(points[-1 if sign > 0 else 0])))
    return bounds[1], bounds[0]


def _step_loss(q: float, sigma: float, removed: bool, cut: float, width: float | None) -> Loss:
    """Put the privacy losses of a step on a grid.

    The part of an interval is given to its two ends so that its mass under P and under Q stays: then delta(epsilon) is exact at the
    points of the grid and a chord above the convex curve between them, in e^epsilon (Doroshenko et al., section 3).

    Args:
        q: chance of each image.
        sigma: of the noise.
        removed: whether P is the mixture; else it is Q.
        cut: mass on each side that is given up: on the upper one to infinity, on the lower one to the lowest point.
        width: of the grid; None: one of 4,000 points, for a first look.
    """
    quantile = float(scipy.special.ndtri_exp(math.log(cut)))
    reach = (1e-6 - quantile) * sigma  # a little farther
    low, high = sorted(float(_loss_at(x, q, sigma, removed)) for x in (-reach, 1.0 + reach))
    if width is None:
        width = (high - low) / 4_000
    first, last = math.floor(low / width), math.ceil(high / width)
    if last - first > 4 * MOST:
        raise ValueError(f'sigma {sigma} is too small: its losses need a grid of {last - first:,} points')
    edges = np.arange(first, last + 1) * width
    x = _place_of(edges, q, sigma, removed)  # ascending, or descending where P is not the mixture
    base, shifted = _between(x / sigma), _between((x - 1.0) / sigma)
    mixture = (1.0 - q) * base + q * shifted
    of_p, of_q = (mixture, base) if removed else (base, mixture)
    ratio = np.exp(-edges[:-1])
    right = (of_p - of_q / ratio) / -math.expm1(-width)
    right = np.clip(right * (1 + 1e-9), 0.0, of_p)  # what rounding may have taken
    mass = np.zeros(len(edges))
    mass[:-1] += of_p - right
    mass[1:] += right
    below = _tail(x[0], q, sigma, removed, lower=True)
    above = _tail(x[-1], q, sigma, removed, lower=False)
    mass[0] += below
    return Loss(mass, first, width, above)


def _loss_at(x: float, q: float, sigma: float, removed: bool) -> float:
    """Compute log dP/dQ at an output: ``log(1 - q + q exp((2 x - 1) / (2 sigma^2)))``, or its negative."""
    far = (2.0 * x - 1.0) / (2.0 * sigma**2)
    value = np.logaddexp(math.log1p(-q) if q < 1 else -math.inf, math.log(q) + far)
    return float(value if removed else -value)


def _place_of(losses: np.ndarray, q: float, sigma: float, removed: bool) -> np.ndarray:
    """Find the outputs with given losses; -infinity for those that no output has, below log(1 - q)."""
    value = losses if removed else -losses
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        # log((e^v - 1 + q) / q), so that nothing overflows where v is large
        share = np.where(
            value > 30.0,
            value + np.log1p(-(1.0 - q) * np.exp(-np.maximum(value, 0.0))),
            np.log(np.expm1(np.minimum(value, 30.0)) + q),
        )
        far = share - math.log(q)
    far = np.where(np.isnan(far), -np.inf, far)
    return sigma**2 * far + 0.5


def _between(z: np.ndarray) -> np.ndarray:
    """Compute P(N(0, 1) between neighbours), from the tail that is smaller, so that small ones keep their digits."""
    a, b = np.minimum(z[:-1], z[1:]), np.maximum(z[:-1], z[1:])
    ndtr = scipy.special.ndtr
    return np.where(a > 0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


def _tail(x: float, q: float, sigma: float, removed: bool, lower: bool) -> float:
    """Compute P's mass of losses below the lowest point, or above the highest: outputs beyond x."""
    outputs_below = lower == removed
    z = np.array([x / sigma, (x - 1.0) / sigma])
    base, shifted = scipy.special.ndtr(z if outputs_below else -z)
    return float((1.0 - q) * base + q * shifted if removed else base)
