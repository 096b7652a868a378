"""Cutting a space of features into cells: principal components, and k-means on the host.

References:
    Lloyd 1982, Least squares quantization in PCM; Arthur and Vassilvitskii 2007, k-means++: the advantages of careful
    seeding, section 2.2.
"""

import numpy as np

from jaxgan.metrics.moments import statistics


def principal(reference: np.ndarray, components: int, *others: np.ndarray) -> list[np.ndarray]:
    """Project tables onto the directions in which the reference varies most, float64 [N, components] each."""
    found = statistics(reference)
    directions = np.linalg.eigh(found.cov)[1][:, : -components - 1 : -1]
    return [(x - found.mean) @ directions for x in (reference, *others)]


def cell_of(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Tell the nearest centre of each row [N]; of equally near ones the first."""
    return np.argmin(_squares(x, centres), axis=1)


def k_means(x: np.ndarray, cells: int, seed: int, rounds: int = 100) -> np.ndarray:
    """Find centres [cells, D] by Lloyd's rounds from k-means++, until no sample changes its cell.

    Args:
        x: [N, D].
        cells: at most as many as there are different rows; fewer centres come back if there are not as many.
        seed: of the first centres; NumPy's ``RandomState``, whose numbers never change.
        rounds: at most.
    """
    centres = _careful_seeds(x, cells, np.random.RandomState(seed))
    assigned = cell_of(x, centres)
    for _ in range(rounds):
        kept = [x[assigned == i].mean(axis=0) for i in range(len(centres)) if (assigned == i).any()]
        centres = np.stack(kept)
        before, assigned = assigned, cell_of(x, centres)
        if np.array_equal(before, assigned):
            break
    return centres


def _careful_seeds(x: np.ndarray, cells: int, random: np.random.RandomState) -> np.ndarray:
    """Draw samples for centres, each with a chance in proportion to its squared distance from those drawn before."""
    centres = [x[random.randint(len(x))]]
    distance = _squares(x, centres[0][None])[:, 0]
    while len(centres) < cells and distance.sum() > 0:
        place = np.searchsorted(np.cumsum(distance), random.random_sample() * distance.sum(), side='right')
        centres.append(x[min(int(place), len(x) - 1)])
        distance = np.minimum(distance, _squares(x, centres[-1][None])[:, 0])
    return np.stack(centres)


def _squares(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Compute squared distances [N, cells] from differences: a sample is at 0 from itself."""
    return np.stack([np.sum(np.square(x - centre), axis=1) for centre in centres], axis=1)
