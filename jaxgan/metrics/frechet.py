"""The Frechet distance between two sets of features, taken as normal distributions: FID, with Inception's features.

``|m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2)``. The last trace is a sum of singular values: of ``A^T B`` with
``S_1 = A A^T`` and ``S_2 = B B^T``. It is real and finite for all covariances, where a square root of the product, which
is no symmetric matrix, becomes complex or undefined when there are fewer samples than features. All in float64.

References:
    Heusel et al. 2017, arXiv 1706.08500, equation 6 (FID); Dowson and Landau 1982, The Frechet distance between
    multivariate normal distributions, Journal of Multivariate Analysis 12.
"""

import contextlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxgan.errors import InputError
from jaxgan.metrics.checks import Labels, Table, pair
from jaxgan.metrics.moments import Statistics, statistics


def frechet_distance(real: Statistics, fake: Statistics) -> float:
    """Compute the Frechet distance of two means and covariances.

    The singular values are the roots of the eigenvalues of ``A^T S_2 A``. A covariance of n samples has at most n - 1
    eigenvalues; the others are rounding errors, whose roots would not be small, and are left out.

    >>> one = Statistics(None, np.zeros(2), np.eye(2))
    >>> frechet_distance(one, Statistics(None, np.array([3.0, 4.0]), 4 * np.eye(2)))
    27.0

    Args:
        real: by ``moments.finish`` or ``moments.statistics``, or published ones.
        fake: likewise; the distance is symmetric.

    Returns:
        The distance, at least 0, in squared units of the features.

    Raises:
        InputError: their shapes differ, or they hold values that are not finite.
    """
    mean_1, cov_1 = _checked('real', real)
    mean_2, cov_2 = _checked('fake', fake)
    if len(mean_1) != len(mean_2):
        raise InputError(
            f'real statistics are {len(mean_1)} wide and fake {len(mean_2)} (allowed: one width)'
        )
    ranks = [_rank(real), _rank(fake)]
    if ranks[1] < ranks[0]:
        cov_1, cov_2, ranks = cov_2, cov_1, ranks[::-1]
    factor = _factor(cov_1, ranks[0])
    root_trace = _sum_of_roots(factor.T @ cov_2 @ factor, ranks[0])
    return _joined(mean_1 - mean_2, float(np.trace(cov_1) + np.trace(cov_2)), root_trace)


def frechet_distance_of_features(real: Table, fake: Table) -> float:
    """Compute the Frechet distance of two tables of features.

    With at most half as many samples as features in one of them, no covariance is made: ``A`` and ``B`` are the centred
    features themselves, and the singular values are those of their Gram matrix, exactly.

    >>> frechet_distance_of_features(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
    9.0

    Args:
        real: [N, D].
        fake: [M, D].

    Returns:
        The distance, at least 0.

    Raises:
        InputError: there are fewer than two samples, the widths differ, or values are not finite.
    """
    real, fake = pair(real, fake, least=2)
    if len(fake) < len(real):
        real, fake = fake, real
    if len(real) > real.shape[1] // 2:
        return frechet_distance(statistics(real), statistics(fake))
    mean_1, mean_2 = (features.mean(axis=0, dtype=np.float64) for features in (real, fake))
    a = (real - mean_1) / np.sqrt(len(real) - 1)
    b = (fake - mean_2) / np.sqrt(len(fake) - 1)
    gram = a @ b.T
    root_trace = _sum_of_roots(gram @ gram.T, len(real) - 1)
    return _joined(mean_1 - mean_2, float(np.sum(a * a) + np.sum(b * b)), root_trace)


class ByClass(NamedTuple):
    """Distances of the classes that have enough samples, and the counts (real, fake) of those that have not."""

    distances: dict[int, float]
    skipped: dict[int, tuple[int, int]]


def frechet_distance_by_class(
    real: Table, real_labels: Labels, fake: Table, fake_labels: Labels, least: int = 50
) -> ByClass:
    """Compute the Frechet distance of each class by itself.

    Few samples make the distance larger: compare only among equal counts. All classes of either set are in the result.

    Args:
        real: [N, D].
        real_labels: class indices [N].
        fake: [M, D].
        fake_labels: class indices [M].
        least: samples that a class needs, in each set.

    Raises:
        InputError: labels and features differ in number, or no class has enough samples, or as for two tables.

    References:
        Miyato and Koyama 2018, arXiv 1802.05637, section 4 (intra-FID).
    """
    real, fake = pair(real, fake, least=2)
    if least < 2:
        raise InputError(f'least {least} (allowed: at least 2, for a covariance)')
    real_labels, fake_labels = _labels('real', real_labels, real), _labels('fake', fake_labels, fake)
    distances, skipped = {}, {}
    for label in np.union1d(real_labels, fake_labels).tolist():
        of_real, of_fake = real[real_labels == label], fake[fake_labels == label]
        if min(len(of_real), len(of_fake)) < least:
            skipped[label] = (len(of_real), len(of_fake))
        else:
            distances[label] = frechet_distance_of_features(of_real, of_fake)
    if not distances:
        raise InputError(
            f'no class has {least} real and {least} fake samples; (real, fake) of each class: {skipped}'
        )
    return ByClass(distances, skipped)


def _checked(name: str, found: Statistics) -> tuple[np.ndarray, np.ndarray]:
    mean, cov = np.asarray(found.mean, np.float64), np.asarray(found.cov, np.float64)
    if mean.ndim != 1 or cov.shape != (len(mean), len(mean)):
        raise InputError(
            f'{name} statistics of shapes {mean.shape} and {cov.shape} (allowed: [d] and [d, d])'
        )
    if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
        raise InputError(f'{name} statistics hold values that are not finite (allowed: finite numbers)')
    return mean, cov


def _rank(found: Statistics) -> int:
    """Bound the rank of a covariance by what its number of samples allows."""
    width = len(found.mean)
    return width if found.count is None else min(width, found.count - 1)


def _factor(cov: np.ndarray, rank: int) -> Float[np.ndarray, 'd r']:
    """Make A of ``cov = A A^T``: Cholesky's where the rank is full, else from the ``rank`` largest eigenvalues."""
    if rank == len(cov):
        with contextlib.suppress(np.linalg.LinAlgError):  # an eighth of the time of eigenvectors
            return np.linalg.cholesky(cov)
    values, vectors = np.linalg.eigh(cov)
    return vectors[:, -rank:] * np.sqrt(np.maximum(values[-rank:], 0.0))


def _sum_of_roots(square: np.ndarray, rank: int) -> float:
    """Sum the roots of the ``rank`` largest eigenvalues of a matrix that has no negative ones but by rounding."""
    values = np.linalg.eigvalsh((square + square.T) / 2)[-rank:]
    return float(np.sum(np.sqrt(np.maximum(values, 0.0))))


def _joined(difference: np.ndarray, traces: float, root_trace: float) -> float:
    """Add the parts; below zero is rounding."""
    return max(0.0, float(difference @ difference) + traces - 2.0 * root_trace)


def _labels(name: str, labels: Labels, features: np.ndarray) -> np.ndarray:
    found = np.asarray(labels)
    if found.shape != features.shape[:1]:
        raise InputError(
            f'{name} labels of shape {found.shape} for {len(features)} samples (allowed: one each)'
        )
    return found
