"""The Inception score: how sure a classifier is of single samples, and how varied they are together.

References:
    Salimans et al. 2016, arXiv 1606.03498, section 4.
"""

import itertools
from typing import NamedTuple

import numpy as np

from jaxgan.metrics.checks import Table, table, whole


class InceptionScore(NamedTuple):
    """Over the parts: the mean, and the standard deviation."""

    mean: float
    std: float


def inception_score(logits: Table, splits: int = 10, seed: int | None = 2020) -> InceptionScore:
    """Compute ``exp(mean_i KL(p_i || mean_j p_j))`` in each of some parts of the samples; p is the softmax of the logits.

    Between 1 (each sample alike, or the classifier never sure) and the number of classes. Few samples in a part make it
    smaller: the paper takes 50,000 in ten parts. In float64.

    >>> inception_score(np.eye(4).repeat(5, axis=0) * 100.0, splits=1).mean
    4.0

    Args:
        logits: [N, K], unnormalized.
        splits: parts of as equal a size as can be.
        seed: of the order in which the samples are cut into parts, that of torch-fidelity 0.4.0 with the same seed;
            None: the order given.

    Raises:
        InputError: there are fewer samples than parts, or values are not finite.

    References:
        Salimans et al. 2016, arXiv 1606.03498, section 4; Barratt and Sharma 2018, arXiv 1801.01973 (the parts, and
        how they bias it).
    """
    x = table('logits of', logits)
    whole('splits', splits, 1, len(x), f'of {len(x)} samples')
    if seed is not None:
        x = x[np.random.RandomState(seed).permutation(len(x))]
    x = x.astype(np.float64)
    x = x - x.max(axis=1, keepdims=True)
    logs = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    bounds = [i * len(x) // splits for i in range(splits + 1)]
    scores = [_score(logs[start:end]) for start, end in itertools.pairwise(bounds)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _score(logs: np.ndarray) -> float:
    """Compute a part's score from logarithms of probabilities."""
    p = np.exp(logs)
    mean = p.mean(axis=0)
    # where the mean is 0 by underflow, each p is 0 and adds nothing
    of_mean = np.log(np.maximum(mean, np.finfo(np.float64).tiny))
    return float(np.exp(np.mean(np.sum(p * (logs - of_mean), axis=1))))
