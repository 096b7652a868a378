"""Which layers see a code, in each family of models; and the commands on a tiny run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import runs

from jaxgan.cli import main
from jaxgan.directions import affine_layers
from jaxgan.errors import InputError
from jaxgan.making.finding import _responder
from jaxgan.models import PAIRS
from jaxgan.networks import from_linen

OPTIONS = {
    'biggan': (
        {'size': 32, 'width': 2, 'attention': ()},
        [
            'Dense_0',
            *(
                f'{b}/{m}'
                for b in ('UpBlock_0/ConditionalBatchNorm_0', 'UpBlock_0/ConditionalBatchNorm_1')
                for m in ('bias', 'gain')
            ),
        ],
    ),
    'dcgan': ({'size': 16, 'width': 4}, ['Dense_0']),
    'fastgan': ({'size': 32, 'width': 1}, ['Dense_0']),
    'mlp': ({'size': 4, 'width': 8}, ['Dense_0']),
    'r3gan': ({'size': 16, 'widths': (8, 8, 8), 'groups': (4, 4, 4)}, ['scale']),
    'sngan': ({'size': 32, 'width': 2}, ['Dense_0']),
}


def seen(kind, options, dim=20, layers=None):
    network = from_linen(PAIRS[kind][0](**options))
    params, aux = jax.jit(network.init)(jax.random.key(0), jnp.zeros((2, dim)), None)
    total = 6 if layers is not None else 0
    respond = _responder(network, total, layers, False)
    return affine_layers(respond, (params, aux), 8 if total else dim, jax.random.key(1))


@pytest.mark.slow
@pytest.mark.parametrize('kind', OPTIONS)
def test_layers_that_see_the_latent(kind):
    options, expected = OPTIONS[kind]
    found = seen(kind, options)
    if expected is not None:
        assert set(expected) <= set(found)
    rank = np.linalg.matrix_rank(np.concatenate([np.asarray(m) for m in found.values()]))
    assert rank > 1


@pytest.mark.slow
def test_styles_see_w_and_a_normalized_latent_is_refused():
    options = {'size': 16, 'w_dim': 8, 'mapping_layers': 1, 'channel_base': 64, 'channel_max': 8}
    found = seen('stylegan2', options, layers=(0, 1, 2, 3, 4, 5))
    assert all(name.endswith('style') for name in found) and len(found) == 8  # 5 convolutions, 3 images
    assert sorted(seen('stylegan2', options, layers=(0,))) == ['painter/conv_0/style']
    with pytest.raises(InputError, match='no layer'):
        seen('stylegan2', options)
    with pytest.raises(InputError, match='no layer'):
        seen('transformer', {'size': 8, 'width': 8, 'depth': 1, 'heads': 2})


@pytest.mark.slow
def test_commands(tmp_path, capsys):
    assert runs.run(runs.tiny(runs.make_data(tmp_path)), tmp_path / 'run') == 0
    source, folder = str(tmp_path / 'run'), str(tmp_path / 'found')
    common = ['directions', source, '--out', folder, '--samples', '500', '--seeds', '0-1', '--amounts=-2,0,2']
    for method in ('sefa', 'ganspace'):
        assert main([*common, '--method', method, '--count', '2']) == 0
    rows = ''.join(f'{seed},{"ab"[seed % 2]}\n' for seed in range(100))
    (tmp_path / 'labels.csv').write_text(f'seed,label\n{rows}')
    capsys.readouterr()
    assert main([*common, '--method', 'attributes', '--labels', str(tmp_path / 'labels.csv')]) == 0
    assert 'no sheet for what is told hardly better than by chance' in capsys.readouterr().out
    assert not list((tmp_path / 'found').glob('*.png'))  # and none of the methods before
    edit = ['edit', source, 'seed:3-4', '--directions', folder, '--direction', 'label=b']
    assert main([*edit, '--amounts=0,2', '--out', str(tmp_path / 'out')]) == 0
    assert (
        main(['edit', source, f'{tmp_path}/out#0', *edit[3:], '--amount', '2', '--out', f'{tmp_path}/b.png'])
        == 0
    )
    capsys.readouterr()
    for wrong, message in (
        ([*common, '--method', 'attributes'], 'no classifier goes with the data'),
        ([*common, '--layers', '0'], 'layers 0: a direction of z moves whole latents'),
        ([*common, '--count', '9'], 'count 9 must be in 1..8'),
        ([*common, '--feature', 'Dens_0'], "did you mean 'Dense_0'"),
        ([*edit, '--amount', '1', '--layers', '0'], 'layers 0'),
    ):
        assert main(wrong) == 2
        assert message in capsys.readouterr().err
