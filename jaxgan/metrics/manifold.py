"""Quality and coverage by nearest neighbours: precision and recall, density and coverage, realism.

Each set of features is taken for a manifold: the union of balls around its samples, each reaching to the k-th nearest
other sample of the same set.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgan.metrics.checks import Table, pair
from jaxgan.metrics.pairwise import TILE, Block, Fold, centred, check_neighbours, over_pairs, radii, smallest


class PrecisionRecall(NamedTuple):
    """Both in [0, 1]."""

    precision: float
    """The share of fake samples within the real manifold."""
    recall: float
    """The share of real samples within the fake manifold."""


class DensityCoverage(NamedTuple):
    """Density may pass 1; coverage lies in [0, 1]."""

    density: float
    """How many real balls a fake sample lies in, over k."""
    coverage: float
    """The share of real balls that hold a fake sample."""


def precision_recall(real: Table, fake: Table, k: int = 3, tile: int = TILE) -> PrecisionRecall:
    """Compute improved precision and recall.

    ``precision = mean_j [ exists i: |f_j - r_i| <= radius_k(r_i) ]``, and recall with real and fake exchanged.

    >>> line = np.arange(6.0)[:, None]
    >>> precision_recall(line, line[:3], k=1)
    PrecisionRecall(precision=1.0, recall=0.6666666666666666)

    Args:
        real: [N, D], N above k.
        fake: [M, D], M above k. Both depend on N and M: compare among equal ones (50,000 in the paper).
        k: which neighbour a ball reaches to; 3 in the paper.
        tile: rows compared at once; memory, not the result.

    Raises:
        InputError: k is too large, the widths differ, or values are not finite.

    References:
        Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1 and 2.
    """
    real, fake = _two(real, fake, k, tile)
    of_fake = over_pairs(fake, real, _WITHIN, radii(real, k, tile), tile=tile)
    of_real = over_pairs(real, fake, _WITHIN, radii(fake, k, tile), tile=tile)
    return PrecisionRecall(float(of_fake.mean()), float(of_real.mean()))


def density_coverage(real: Table, fake: Table, k: int = 5, tile: int = TILE) -> DensityCoverage:
    """Compute density and coverage.

    ``density = sum_ij [ |f_j - r_i| < radius_k(r_i) ] / (k M)``, ``coverage = mean_i [ min_j |f_j - r_i| < radius_k(r_i) ]``.
    Of the same distribution density is 1 on average, and coverage ``1 - (N-1)...(N-k) / ((M+N-1)...(M+N-k))``, about
    ``1 - 2^-k`` for N = M: 0.969.

    >>> line = np.arange(6.0)[:, None]
    >>> density_coverage(line, line[:3], k=2)
    DensityCoverage(density=0.6666666666666666, coverage=0.5)

    Args:
        real: [N, D], N above k.
        fake: [M, D].
        k: which neighbour a ball reaches to; 5 in the paper.
        tile: rows compared at once; memory, not the result.

    Raises:
        InputError: k is too large, the widths differ, or values are not finite.

    References:
        Naeem et al. 2020, arXiv 2002.09797, section 3: density, coverage, its expected value, and k.
    """
    real, fake = _two(real, fake, k, tile, of_fake=False)
    reach = radii(real, k, tile)
    balls = over_pairs(fake, real, _COUNT_WITHIN, reach, tile=tile)
    closest = over_pairs(real, fake, smallest(1), tile=tile)[0][:, 0]
    return DensityCoverage(
        float(balls.sum(dtype=np.int64) / (k * len(fake))), float(np.mean(closest < reach))
    )


def realism(real: Table, fake: Table, k: int = 3, tile: int = TILE) -> Float[np.ndarray, ' m']:
    """Score each fake sample by how deep it lies in a real ball: ``max_i radius_k(r_i) / |f_j - r_i|``.

    At 1 or more it lies in the manifold. Only the half of the real samples with the smaller radii counts, for the
    balls where data is thin are too large.

    >>> realism(np.arange(6.0)[:, None], np.array([[2.5], [7.0]]), k=1).tolist()
    [2.0, 0.5]

    Args:
        real: [N, D], N above k.
        fake: [M, D].
        k: which neighbour a ball reaches to; 3 in the paper.
        tile: rows compared at once; memory, not the result.

    Returns:
        Scores [M], at least 0; infinite at a real sample.

    Raises:
        InputError: k is too large, the widths differ, or values are not finite.

    References:
        Kynkaanniemi et al. 2019, arXiv 1904.06991, equation 3.
    """
    real, fake = _two(real, fake, k, tile, of_fake=False)
    reach = radii(real, k, tile)
    kept = reach <= np.median(reach)
    return np.sqrt(over_pairs(fake, real[kept], _DEEPEST, reach[kept], tile=tile))


def _two(real: Any, fake: Any, k: int, tile: int, of_fake: bool = True) -> list[np.ndarray]:
    real, fake = pair(real, fake)
    check_neighbours(k, tile, **({'real': real, 'fake': fake} if of_fake else {'real': real}))
    return centred(real, fake)


def _any_within(known: Any, block: Block) -> Any:
    return known | jnp.any(block.used & (block.squares <= block.values[None]), axis=1)


def _count_within(known: Any, block: Block) -> Any:
    return known + jnp.sum(block.squares < block.values[None], axis=1, dtype=jnp.int32)


def _deepest(known: Any, block: Block) -> Any:
    ratio = jnp.where(block.squares > 0.0, block.values[None] / block.squares, jnp.inf)
    return jnp.maximum(known, jnp.max(ratio, axis=1))


_WITHIN = Fold(lambda tile: jnp.zeros(tile, bool), _any_within)
_COUNT_WITHIN = Fold(lambda tile: jnp.zeros(tile, jnp.int32), _count_within)
_DEEPEST = Fold(lambda tile: jnp.zeros(tile, jnp.float32), _deepest)
