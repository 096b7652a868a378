"""Measures of features against torch-fidelity, pytorch-fid and prdc, on features that are drawn anew."""

import jax.numpy as jnp
import numpy as np
import pytest
from runner import torch_run

from jaxgan.metrics.frechet import frechet_distance, frechet_distance_of_features
from jaxgan.metrics.inception_score import inception_score
from jaxgan.metrics.kernel import kid
from jaxgan.metrics.manifold import density_coverage, precision_recall
from jaxgan.metrics.moments import statistics
from jaxgan.metrics.path_length import along_arc


def drawn(n, m, d, seed):
    """Features that are never negative and vary in few directions, and logits."""
    random = np.random.default_rng(seed)
    mix = random.normal(size=(12, d)) * 0.3
    real = np.maximum(0, 0.4 + random.normal(size=(n, 12)) @ mix)
    fake = np.maximum(0, 0.5 + random.normal(size=(m, 12)) @ mix)
    logits = 2 * random.normal(size=(n, 10))
    return {name: x.astype(np.float32) for name, x in (('real', real), ('fake', fake), ('logits', logits))}


@pytest.mark.parity
@pytest.mark.parametrize(('n', 'm', 'd'), [(1000, 800, 64), (400, 600, 256), (150, 150, 256)])
def test_same_numbers_on_the_same_features(n, m, d, tmp_path):
    """In the last case there are fewer samples than features."""
    arrays = drawn(n, m, d, seed=n)
    real, fake = arrays['real'], arrays['fake']
    theirs = torch_run('torch_metrics.py', arrays, tmp_path)
    ours = {}
    for name in ('pytorch-fid/fid', 'torch-fidelity/frechet_inception_distance'):
        ours[name] = frechet_distance_of_features(real, fake)
        assert frechet_distance(statistics(real), statistics(fake)) == pytest.approx(ours[name], rel=1e-8)
    for k in (3, 5):
        found = precision_recall(real, fake, k)._asdict() | density_coverage(real, fake, k)._asdict()
        ours |= {f'prdc/{k}/{name}': value for name, value in found.items()}
    ours |= {
        f'torch-fidelity/{name}': value for name, value in precision_recall(real, fake)._asdict().items()
    }
    blocks, score = kid(real, fake, subsets=10, size=100), inception_score(arrays['logits'], splits=7)
    for part in ('mean', 'std'):
        ours[f'torch-fidelity/kernel_inception_distance_{part}'] = getattr(blocks, part)
        ours[f'torch-fidelity/inception_score_{part}'] = getattr(score, part)
    for name, value in ours.items():
        print(f'{name}: {value} and {float(theirs[name])}')
        assert value == pytest.approx(float(theirs[name]), rel=1e-4), name
    arc = along_arc(jnp.asarray(real[:20]), jnp.asarray(fake[:20]), jnp.full(20, 0.3))
    np.testing.assert_allclose(arc / d**0.5, theirs['torch-fidelity/arc'], atol=1e-5)
