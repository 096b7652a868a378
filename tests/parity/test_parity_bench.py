"""The bench's PyTorch networks do what ours do: otherwise a ratio of times says nothing."""

import jax
import pytest
from runner import assert_same, flatten, torch_run

from jaxgan.bench.cases import Case, networks, real_batch

pytestmark = pytest.mark.parity


def test_stylegan2_makes_the_same_images_and_logits(key, tmp_path):
    """Noise has strength 0 at first; its filter by depthwise convolutions and by shifts."""
    case = Case('stylegan2', 4, size=16, width=2)
    g, d = networks(case)
    keys = jax.random.split(key, 3)
    z, images = jax.random.normal(keys[0], (4, 512)), real_batch(case)['image']

    @jax.jit
    def run(z, images):
        g_params, aux = g.init(keys[1], z, None)
        d_params, _ = d.init(keys[2], images, None)
        return {'g': g_params, 'd': d_params}, g.infer(g_params, aux, z, None), d.infer(d_params, {}, images)

    params, image, logits = run(z, images)
    given = flatten(params) | {'z': z, 'images': images, 'width': case.width}
    theirs = torch_run('torch_bench_stylegan2.py', given, tmp_path)
    assert_same(
        {
            f'{name}/{shifts}': value
            for shifts in (False, True)
            for name, value in (('image', image), ('logits', logits))
        },
        theirs,
    )
