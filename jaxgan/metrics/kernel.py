"""The squared maximum mean discrepancy with a cubic kernel: KID, with Inception's features.

``MMD^2 = mean_{i != j} k(r_i, r_j) + mean_{i != j} k(f_i, f_j) - 2 mean_{i, j} k(r_i, f_j)``, ``k(x, y) = (x . y / d + 1)^3``.
Unbiased at any number of samples: 0 on average for one distribution, so single values are negative at times.

The device computes in float32, where the small difference of three means near 2 would lose its digits. But a constant
that is added to all kernels cancels in ``MMD^2``. So with c the real mean and ``s = c . c / d + 1``, what is computed is
``k - s^3 = e (3 s^2 + 3 s e + e^2)``, ``e = (x . y - c . c) / d``, which is as small as the samples' deviations are. Sums
of rows are added in float64 on the host.

References:
    Binkowski et al. 2018, arXiv 1801.01401, section 4; Gretton et al. 2012, A kernel two-sample test,
    Journal of Machine Learning Research 13, equation 3.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import Precision

from jaxgan.metrics.checks import Table, pair, whole
from jaxgan.metrics.pairwise import TILE, Block, Fold, over_pairs


class Kid(NamedTuple):
    """Over the subsets: the mean, which is the estimate, and the standard deviation."""

    mean: float
    std: float


def kid(real: Table, fake: Table, subsets: int = 100, size: int = 1000, seed: int = 2020) -> Kid:
    """Average the unbiased ``MMD^2`` over subsets.

    Subsets are those that torch-fidelity 0.4.0 draws from the same seed: for each, ``size`` fake samples without
    replacement, then as many real ones, from NumPy's ``RandomState``, whose numbers never change.

    Args:
        real: [N, D], N at least ``size``.
        fake: [M, D], M at least ``size``.
        subsets: how many; 100 in the paper.
        size: samples of each set in a subset; 1000 in the paper.
        seed: of the subsets.

    Raises:
        InputError: there are fewer samples than ``size``, the widths differ, or values are not finite.

    References:
        Binkowski et al. 2018, arXiv 1801.01401, section 4.
    """
    real, fake = pair(real, fake, least=2)
    whole('size', size, 2, min(len(real), len(fake)), f'of {len(real)} real and {len(fake)} fake samples')
    whole('subsets', subsets, 1, 1_000_000, 'a number of subsets')
    random = np.random.RandomState(seed)
    sides = jax.tree.map(jnp.asarray, _sides(real, fake))
    found = []
    for _ in range(subsets):
        of_fake = random.choice(len(fake), size, replace=False)
        of_real = random.choice(len(real), size, replace=False)
        found.append(_joined(*_subset_sums(sides, of_real, of_fake)))
    return Kid(float(np.mean(found)), float(np.std(found)))


def mmd2(real: Table, fake: Table, tile: int = TILE) -> float:
    """Compute the unbiased ``MMD^2`` of all samples, without subsets; the sets may differ in size.

    >>> mmd2(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))
    7.0

    Args:
        real: [N, D].
        fake: [M, D].
        tile: rows compared at once; memory, not the result.

    Raises:
        InputError: there are fewer than two samples, the widths differ, or values are not finite.
    """
    real, fake = pair(real, fake, least=2)
    x, y = _sides(real, fake)
    return _joined(
        over_pairs(x.left, x.right, _KERNEL, x.constants, distinct=True, tile=tile)[0],
        over_pairs(y.left, y.right, _KERNEL, y.constants, distinct=True, tile=tile)[0],
        over_pairs(x.left, y.right, _KERNEL, y.constants, tile=tile)[0],
    )


class _Side(NamedTuple):
    """One set: ``left . right = e`` of two samples, of this set or of both."""

    left: Any  # [N, d + 2]
    right: Any  # [N, d + 2]
    constants: Any  # s [N], for all samples the same


def _sides(real: np.ndarray, fake: np.ndarray) -> tuple[_Side, _Side]:
    """With x = c + u: ``e = (u_x . u_y + c . u_x + c . u_y) / d`` is a product with two more columns, c . u / d and 1."""
    c = real.mean(axis=0, dtype=np.float64)
    s = np.float32(c @ c / len(c) + 1.0)

    def side(x: np.ndarray) -> _Side:
        u = np.asarray(x - c.astype(np.float32), np.float32)
        a, one = (u @ (c / len(c)).astype(np.float32))[:, None], np.ones((len(u), 1), np.float32)
        u = u / np.float32(np.sqrt(len(c)))
        return _Side(np.hstack([u, a, one]), np.hstack([u, one, a]), np.full(len(u), s))

    return side(real), side(fake)


def _joined(of_real: Any, of_fake: Any, between: Any) -> float:
    """Join sums of kernels by rows: of distinct real samples [N], of distinct fake ones [M], and between them [N]."""
    n, m = len(of_real), len(of_fake)
    sums = [np.asarray(part, np.float64).sum() for part in (of_real, of_fake, between)]
    return float(sums[0] / (n * (n - 1)) + sums[1] / (m * (m - 1)) - 2.0 * sums[2] / (n * m))


def _kernel(e: Any, s: Any) -> Any:
    """Compute ``(e + s)^3 - s^3``."""
    return e * (3.0 * s * s + e * (3.0 * s + e))


@jax.jit
def _subset_sums(sides: tuple[_Side, _Side], of_real: Any, of_fake: Any) -> tuple[Any, Any, Any]:
    x, y = sides[0].left[of_real], sides[1].left[of_fake]
    x_right, y_right = sides[0].right[of_real], sides[1].right[of_fake]
    s = sides[0].constants[0]
    same = jnp.eye(len(of_real), dtype=bool)

    def kernel(left: Any, right: Any) -> Any:
        return _kernel(jnp.matmul(left, right.T, precision=Precision.HIGHEST), s)

    def others(left: Any, right: Any) -> Any:
        return jnp.sum(jnp.where(same, 0.0, kernel(left, right)), axis=1)

    return others(x, x_right), others(y, y_right), jnp.sum(kernel(x, y_right), axis=1)


def _add_kernels(known: Any, block: Block) -> Any:
    """Add a block's kernels to the rows' sums, with what rounding takes from those carried along."""
    total, rest = known
    kernels = jnp.where(block.used, _kernel(block.dots, block.values[None]), 0.0)
    term = jnp.sum(kernels, axis=1) + rest
    new = total + term
    return new, term - (new - total)


_KERNEL = Fold(lambda tile: (jnp.zeros(tile, jnp.float32), jnp.zeros(tile, jnp.float32)), _add_kernels)
