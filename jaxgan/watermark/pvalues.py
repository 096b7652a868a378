"""How likely a random key would reach a statistic by chance: exact or proved for every image, from the key's randomness alone.

For an image that does not know the key, its scores x are fixed and the signs of the key are independent and fair, so the statistic
sum_i s_i x_i is a Rademacher sum, whatever the image is. Nothing here is asymptotic: each p-value is the exact tail or a proved bound of it.
"""

import math

import numpy as np

EXACT = 32  # weights up to which the tail is counted, 65,536 sums of each half
WORTH_COUNTING = 0.01  # a bound above it proves nothing, and stays as it is beyond half as many weights
BENTKUS = 0.25 / (0.5 * math.erfc(1.0))  # 3.178
CHERNOFF_STEPS = 24
LN10 = math.log(10)


def log_normal_tail(z: float) -> float:
    """Give ln P(Z >= z) of a standard normal, or for z > 30 the bound ln(phi(z) / z) above it."""
    if z <= 30:
        return math.log(0.5 * math.erfc(z / math.sqrt(2)))
    return -0.5 * z * z - math.log(z * math.sqrt(2 * math.pi))


def exact_tail(weights: np.ndarray, value: float) -> float:
    """Count P(sum_i s_i w_i >= value) over all signs: the sums of one half of the weights against the sorted ones of the other.

    Args:
        weights: [m], m <= ``EXACT``.
        value: a sum that is equal within 1e-9 of the weights' size counts as reached.
    """
    weights = weights.astype(np.float64)
    sums = []
    for part in (weights[: len(weights) // 2], weights[len(weights) // 2 :]):
        total = np.zeros(1)
        for weight in part:
            total = np.concatenate([total + weight, total - weight])
        sums.append(np.sort(total))
    slack = 1e-9 * (np.abs(weights).sum() + 1e-300)
    above = len(sums[1]) - np.searchsorted(sums[1], value - slack - sums[0][::-1])
    return float(above.sum()) / 2.0 ** len(weights)


def _log_chernoff(weights: np.ndarray, value: float) -> float:
    """Bound ln P(sum >= value) by min over l of sum_i ln cosh(l w_i) - l value; any l gives a bound, so the search needs no care."""
    top = np.abs(weights).max()
    low, high = 0.0, 50.0 / top

    def slope(rate: float) -> float:
        return float((weights * np.tanh(rate * weights)).sum()) - value

    for _ in range(CHERNOFF_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    scaled = np.abs(low * weights)
    return float((scaled + np.log1p(np.exp(-2 * scaled)) - math.log(2)).sum()) - low * value


def log_p_value(weights: np.ndarray, value: float) -> float:
    """Bound ln P(sum_i s_i w_i >= value) over independent fair signs s, from above.

    The exact count for up to ``EXACT`` weights that are not 0 (where it may matter); else the least of Chernoff's bound and of 3.178 P(Z >= value / |w|).

    Args:
        weights: [m]; any real numbers.
        value: the statistic.

    References:
        Bentkus and Dzindzalieta 2015, arXiv:1307.3451, the constant 1 / (4 P(Z >= sqrt 2)) and its proof.
    """
    weights = np.asarray(weights, np.float64).ravel()
    weights = weights[weights != 0]
    if value <= 0 or not len(weights):
        return 0.0
    z = value / math.sqrt(float((weights**2).sum()))
    bound = float(min(0.0, math.log(BENTKUS) + log_normal_tail(z), _log_chernoff(weights, value)))
    if len(weights) > (EXACT if bound < math.log(WORTH_COUNTING) else EXACT // 2):
        return bound
    return math.log(exact_tail(weights, value)) if value <= np.abs(weights).sum() * (1 + 1e-9) else -math.inf
