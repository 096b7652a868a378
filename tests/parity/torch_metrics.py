"""What torch-fidelity 0.4.0, pytorch-fid 0.3.0 and prdc 0.2 compute of features; run by a Python that has them and PyTorch.

    pip install --no-deps torch-fidelity==0.4.0 pytorch-fid==0.3.0 prdc==0.2; pip install tqdm scipy==1.17.1 scikit-learn mpmath pillow
    python tests/parity/torch_metrics.py inputs.npz outputs.npz      # as tests/parity/runner.py does
    python tests/parity/torch_metrics.py make tests/metric_peers.npz # draws features, and stores them with the numbers

The stored file also has Frechet distances computed with sixty digits by mpmath.
"""

import sys
import types

import numpy as np
import torch


class Unused(types.ModuleType):
    """A module that these packages import for their networks and data sets, and that is not needed here."""

    __path__ = BLOCK_INDEX_BY_DIM = ()

    def __getattr__(self, name):
        return Unused


VISION = (
    'torchvision',
    'torchvision.transforms',
    'torchvision.transforms.functional',
    'torchvision.datasets',
)
for name in (*VISION, 'pytorch_fid.inception'):
    sys.modules[name] = Unused(name)
    parent, _, child = name.rpartition('.')
    if parent in sys.modules:
        setattr(sys.modules[parent], child, sys.modules[name])

from prdc import compute_prdc  # noqa: E402
from pytorch_fid.fid_score import calculate_frechet_distance  # noqa: E402
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc  # noqa: E402
from torch_fidelity.utils import batch_interp  # noqa: E402

SIXTY_DIGITS = {  # samples real and fake, the spread's range, what is added to all features
    'full': (60, 80, 1.0, 0.0),
    'few': (6, 7, 1.0, 0.0),
    'few_and_many': (6, 80, 1.0, 0.0),
    'ill': (40, 40, 1e-6, 0.0),
    'ill_and_few': (8, 9, 1e-6, 0.0),
    'offset': (30, 40, 1.0, 1000.0),
    'close': (30, 30, 1.0, 0.0),
}


def fidelity(arrays):
    """FID, KID, precision and recall, the Inception score, and a path's points."""
    real, fake, logits = (torch.from_numpy(arrays[name]) for name in ('real', 'fake', 'logits'))
    fid = metric_fid.fid_statistics_to_metric(
        metric_fid.fid_features_to_statistics(real),
        metric_fid.fid_features_to_statistics(fake),
        verbose=False,
    )
    kid = metric_kid.kid_features_to_metric(
        fake, real, kid_subsets=10, kid_subset_size=100, rng_seed=2020, verbose=False,
        kid_kernel='poly', kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1,
    )  # fmt: skip
    prc = metric_prc.prc_features_to_metric(
        fake, real, prc_neighborhood=3, prc_batch_size=10000, save_cpu_ram=False, verbose=False
    )
    score = metric_isc.isc_features_to_metric(logits, splits=7, shuffle=True, rng_seed=2020)
    found = fid | kid | prc | score
    ends = [
        torch.nn.functional.normalize(x[:20]) for x in (real, fake)
    ]  # Karras et al. do, and it does not by itself
    found['arc'] = batch_interp(*ends, 0.3, 'slerp_unit').numpy()
    return {f'torch-fidelity/{name}': value for name, value in found.items()}


def peers(arrays):
    """All numbers, by package and name."""
    real, fake = arrays['real'], arrays['fake']
    sides = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in (real, fake)]
    found = {'pytorch-fid/fid': calculate_frechet_distance(*sides[0], *sides[1])}
    for k in (3, 5):
        found |= {f'prdc/{k}/{name}': value for name, value in compute_prdc(real, fake, k).items()}
    return found | fidelity(arrays)


def exact_distance(x, y):
    """The Frechet distance of two tables, with sixty digits."""
    import mpmath as mp

    mp.mp.dps = 60
    means, covs = [], []
    for table in (x, y):
        n, d = table.shape
        values = mp.matrix(table.astype(float).tolist())
        mean = [mp.fsum(values[:, j]) / n for j in range(d)]
        centred = mp.matrix([[values[i, j] - mean[j] for j in range(d)] for i in range(n)])
        means.append(mean)
        covs.append(centred.T * centred / (n - 1))
    values, vectors = mp.eigsy(covs[0])
    root = vectors * mp.diag([mp.sqrt(max(value, 0)) for value in values])
    product = root.T * covs[1] * root
    roots = [mp.sqrt(max(value, 0)) for value in mp.eigsy((product + product.T) / 2, eigvals_only=True)]
    traces = mp.fsum(cov[i, i] for cov in covs for i in range(len(means[0])))
    apart = mp.fsum((a - b) ** 2 for a, b in zip(*means))
    return float(apart + traces - 2 * mp.fsum(roots))


def exact(random, width=16):
    """Tables of features, and their distances with sixty digits."""
    found = {}
    for case, (n, m, least, offset) in SIXTY_DIGITS.items():
        scales = np.geomspace(1.0, least, width)
        turn = np.linalg.qr(random.standard_normal((width, width)))[0]
        x = (random.standard_normal((n, width)) * scales @ turn + offset).astype(np.float32)
        y = (random.standard_normal((m, width)) * scales @ turn + offset).astype(np.float32)
        if case == 'close':
            y = (x + 1e-3 * y).astype(np.float32)
        found |= {f'exact/{case}/x': x, f'exact/{case}/y': y, f'exact/{case}/distance': exact_distance(x, y)}
    return found


def drawn(random):
    """Features as an extractor gives them, none negative, and logits."""
    mix = random.standard_normal((6, 16))
    real = np.maximum(0, 0.5 + random.standard_normal((300, 6)) @ mix)
    fake = np.maximum(0, 0.6 + 0.9 * random.standard_normal((250, 6)) @ mix)
    logits = 2 * random.standard_normal((200, 10))
    return {name: x.astype(np.float32) for name, x in (('real', real), ('fake', fake), ('logits', logits))}


if __name__ == '__main__':
    source, target = sys.argv[1:]
    if source == 'make':
        random = np.random.RandomState(0)
        arrays = drawn(random)
        np.savez_compressed(target, **arrays, **peers(arrays), **exact(random))
    else:
        with np.load(source) as inputs:
            np.savez(target, **peers(dict(inputs)))
