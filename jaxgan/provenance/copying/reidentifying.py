"""Are training images nearer to a generator than held-out ones: are they better recovered, can they be told by attacks?

References:
    Webster, Rabin, Simon and Jurie 2019, Detecting overfitting of deep generative networks via latent recovery, arXiv
    1901.03396; Hayes et al. 2019, arXiv 1705.07663; Chen et al. 2020, arXiv 1909.03935.
"""

from typing import Any

import jax
import numpy as np

from jaxgan.data import shuffled_index
from jaxgan.images import to_float
from jaxgan.making.inverting import Inverter, Way
from jaxgan.making.judging import companions
from jaxgan.making.project import search
from jaxgan.making.targets import Targets
from jaxgan.metrics import copies
from jaxgan.metrics.membership import auc, control
from jaxgan.metrics.pairwise import nearest
from jaxgan.opened import Generator
from jaxgan.realimages import BATCH, Reals, order, read_bytes
from jaxgan.rejection import make_score

STARTS, STEPS = 8, 300  # of the search for an image's code
ATTACKED = 2_000  # images of each kind, at most


def recovery(
    found: Generator, real: tuple[np.ndarray, np.ndarray] | None, n: int, seed: int
) -> dict[str, Any] | None:
    """Search for training and held-out images in a generator, and compare how near it comes.

    Args:
        found: the generator.
        real: training and held-out images, uint8.
        n: how many of each, of a fixed permutation; 0: none.
        seed: of the search.

    Returns:
        Median PSNRs, and the p-value of Kolmogorov and Smirnov's two-sided test; None: not asked for, or not possible.
    """
    if real is None or not n:
        return None
    from scipy.stats import ks_2samp  # jax depends on scipy

    count = min(n, *map(len, real))
    inverter = Inverter(found, Way(starts=STARTS, candidates=256, steps=STEPS, seed=seed))
    train, other = (_psnr(inverter, _some(pixels, count)) for pixels in real)
    return {
        'images': count,
        'train_psnr': float(np.median(train)),
        'held_out_psnr': float(np.median(other)),
        'gap': float(np.median(train) - np.median(other)),
        'p_value': float(ks_2samp(train, other)[1]),  # pyright: ignore[reportArgumentType]
        'space': inverter.space.name,
        'starts': STARTS,
        'steps': STEPS,
        'features': inverter.eye.name,
    }


def _some(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.asarray(shuffled_index(0, np.arange(count), len(rows)))]


def _psnr(inverter: Inverter, pixels: np.ndarray) -> np.ndarray:
    names = tuple(map(str, range(len(pixels))))
    result = search(inverter, Targets(pixels, names, tuple({} for _ in pixels)))
    return np.array([one['psnr'] for one in result.places.origins])


def membership(found: Generator, real: tuple[Reals, Reals] | None, generated: np.ndarray) -> dict[str, Any]:
    """Attack a generator's privacy: by its discriminator's logits, and by distances to its images.

    Args:
        found: the generator.
        real: training images and held-out ones.
        generated: its images, uint8.

    Returns:
        By attack its AUC with an interval, and what random labels of the same images give, many times; or why it was not made.
    """
    if real is None:
        return {}
    count = min(ATTACKED, *(len(order(reals)) for reals in real))
    images = [read_bytes(reals.source, _some(order(reals), count)) for reals in real]
    table = copies.features(generated) / np.float32(255)
    far = [-nearest(copies.features(x) / np.float32(255), table).distances[:, 0] for x, _ in images]
    told: dict[str, Any] = {'distance': _attack(*far)}
    if found.checkpoint is None:
        told['discriminator'] = {'reason': 'not made: an export has none'}
    else:
        told['discriminator'] = _attack(*[_logits(found, *one) for one in images])
    return told


def _attack(members: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    return {**auc(members, others)._asdict(), 'random_labels': control(members, others)._asdict()}


def _logits(found: Generator, pixels: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    judge = found.discriminator()
    assert judge is not None
    network, params, aux = judge
    n, beside = companions(found)
    score = jax.jit(make_score(network, lambda logits: logits, n))
    labels = labels if found.labels else None
    parts = []
    for i in range(0, len(pixels), BATCH):
        rows = np.minimum(np.arange(i, i + BATCH), len(pixels) - 1)  # the last fills up: one program
        own = None if labels is None else labels[rows].astype(np.int32)
        parts.append(np.asarray(score(params, aux, beside, to_float(pixels[rows]), own)))
    return np.concatenate(parts)[: len(pixels)]
