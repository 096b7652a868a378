"""Does a generator copy its training images? The test of Meehan et al.: are its images nearer to them than real ones are?

References:
    Meehan, Chaudhuri and Dasgupta 2020, A non-parametric test to detect data-copying in generative models, arXiv
    2004.05675; Mann and Whitney 1947, On a test of whether one of two random variables is stochastically larger than
    the other, Annals of Mathematical Statistics 18.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxgan.errors import InputError
from jaxgan.metrics.checks import Table, pair, whole
from jaxgan.metrics.pairwise import nearest
from jaxgan.metrics.partition import cell_of, k_means, principal


class Cell(NamedTuple):
    """One cell of the partition."""

    train: int
    test: int
    generated: int
    z: float
    """The z-score of the cell; nan where it holds no test or no generated samples."""
    counted: bool
    """Whether it has enough generated samples to enter the statistic."""


class Copying(NamedTuple):
    """The statistic C_T, and the cells of which it is the mean."""

    value: float
    """A z-score: far below 0, nearer to the training than fresh samples, as copies are; near 0, neither; far above 0, underfitting."""
    cells: tuple[Cell, ...]


def copying(
    train: Table,
    test: Table,
    generated: Table,
    cells: int = 3,
    components: int | None = 64,
    enough: int = 20,
    seed: int = 0,
) -> Copying:
    """Test whether generated samples lie nearer to the training samples than other real ones do: C_T.

    ``C_T = sum_c n_c z_c / sum_c n_c`` over the cells c with more than ``enough`` generated samples, n_c the number of
    test samples in c, and z_c of the distances d to the nearest training sample of the cell:
    ``U = #{(g, t): d(g) > d(t)}``, ``z = (U - mn / 2) / sqrt(mn (m + n + 1) / 12)``; equal distances count half. Below
    about -3 a generator's samples are nearer than fresh ones: copies are, and so are samples with less detail or variety
    (``docs/metrics.md`` has examples), so look at the nearest images. A cell's z-score is standard normal for independent
    samples that are as good as the test set; C_T, a mean of several, varies less. Test samples must be like the
    training samples: where they are not, for instance as a later year of the same data, even fresh samples look like
    copies.

    Args:
        train: what the generator was trained on, [T, D].
        test: held-out real samples, [N, D].
        generated: [M, D].
        cells: of the partition by k-means of the training samples; 3 in the paper for Inception's features.
        components: principal components of the training samples to which features are reduced where they are wider;
            64 in the paper for Inception's features. None: never.
        enough: generated samples above which a cell counts; 20 in the paper.
        seed: of the partition.

    Raises:
        InputError: no cell has enough generated samples besides test samples, the widths differ, or values are not finite.

    References:
        Meehan et al. 2020, arXiv 2004.05675: the statistic C_T, and its use on Inception's features (64 components, three
        cells, more than 20 generated samples).
    """
    train, test = pair(train, test)
    generated = pair(train, generated)[1]
    whole('cells', cells, 1, len(train), f'of {len(train)} training samples')
    if components is not None and components < train.shape[1]:
        whole('components', components, 1, len(train) - 1, f'of {len(train)} training samples')
        train, test, generated = principal(train, components, test, generated)
    centres = k_means(train, cells, seed)
    of_train, of_test, of_generated = (cell_of(x, centres) for x in (train, test, generated))
    found = [
        _cell(train[of_train == i], test[of_test == i], generated[of_generated == i], enough)
        for i in range(len(centres))
    ]
    weights = np.array([cell.test * cell.counted for cell in found])
    if not weights.sum():
        counts = [(cell.test, cell.generated) for cell in found]
        raise InputError(
            f'no cell has test samples and more than {enough} generated ones; (test, generated) of each: {counts}; '
            'take more samples, or fewer cells'
        )
    z = np.array([cell.z if cell.counted else 0.0 for cell in found])
    return Copying(float(weights @ z / weights.sum()), tuple(found))


def rank_score(generated: np.ndarray, test: np.ndarray) -> float:
    """Compute the z-score of Mann and Whitney's U: below 0 where ``generated`` holds the smaller values.

    >>> rank_score(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    -1.549193...

    Args:
        generated: values [M].
        test: values [N].
    """
    m, n = len(generated), len(test)
    ordered = np.sort(test)
    below = np.searchsorted(ordered, generated, side='left')
    equal = np.searchsorted(ordered, generated, side='right') - below
    u = below.sum() + equal.sum() / 2
    return float((u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12))


def _cell(train: np.ndarray, test: np.ndarray, generated: np.ndarray, enough: int) -> Cell:
    counts = len(train), len(test), len(generated)
    if not all(counts):
        return Cell(*counts, z=math.nan, counted=False)
    of_generated, of_test = (nearest(x, train).distances[:, 0] for x in (generated, test))
    return Cell(*counts, z=rank_score(of_generated, of_test), counted=len(generated) > enough)
