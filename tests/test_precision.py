"""The dtype policy: computing in bfloat16 changes gradients by little, and parameters, losses and statistics are float32.

Both networks compute their layers in ``dtype``; parameters, their gradients, optimizers, averages, batch statistics, logits, losses,
penalties, and every sum of many terms are float32.
"""

import battery
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_battery as families

from jaxgan import build, init_state, regularizers
from jaxgan.config import Config, Optimizer, Penalty
from jaxgan.critic import as_verdict

NAMES = battery.slow_but(('mlp',), build.MODELS)
GRADIENTS = ('G', 'D', 'D with R1', 'samples')
FEW = 4  # terms that may be added in bfloat16: the pixels of a 2x2 square
SUMS = ('reduce_sum', 'cumsum', 'reduce_window_sum')
PRODUCTS = ('conv_general_dilated', 'dot_general')


def gradient_program(name, label, dtype):
    """Gradients of both players and of the samples, and D's with R1 (a second derivative)."""
    g, d, _ = families.networks(name, dtype=dtype)

    def run(inputs, params, aux):
        (z, x), (g_params, d_params), (g_aux, d_aux) = inputs, params, aux
        keys = jax.random.split(jax.random.key(2), families.B)

        def critic(params, images):
            return as_verdict(d.apply(params, d_aux, images, label)[0]).logits

        def g_loss(params):
            return jnp.mean(jax.nn.softplus(-critic(d_params, g.apply(params, g_aux, z, label)[0])))

        def d_loss(params, images, weight):
            penalty = regularizers.r1(lambda samples: critic(params, samples), images, images, keys)
            return jnp.mean(jax.nn.softplus(-critic(params, images))) + weight * jnp.mean(penalty)

        of_d, of_x = jax.grad(d_loss, (0, 1))(d_params, x, 0.0)
        found = jax.grad(g_loss)(g_params), of_d, jax.grad(d_loss)(d_params, x, 1.0), of_x
        return dict(zip(GRADIENTS, found))

    return run


def given(name):
    g, d, size = families.networks(name)
    label = jnp.arange(families.B) % 3
    equalized = hasattr(build.MODELS[name][0], 'equalized')
    return label, families.shaped(g, d, families.latents(name), size, label, equalized)


def vector(tree):
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(a)


def rounded(leaf):
    """A leaf with the precision of bfloat16."""
    floating = jnp.issubdtype(leaf.dtype, jnp.floating)
    return jnp.asarray(leaf).astype(jnp.bfloat16).astype(leaf.dtype) if floating else leaf


@pytest.mark.parametrize('name', NAMES)
def test_gradients_in_bfloat16_are_near_those_in_float32(name):
    """As near as a gradient is determined: rounding parameters and inputs alone moves it by so much, too."""
    label, inputs = given(name)
    exact = jax.jit(gradient_program(name, label, 'float32'))
    high, low = exact(*inputs), jax.jit(gradient_program(name, label, 'bfloat16'))(*inputs)
    sensitive = exact(*jax.tree.map(rounded, inputs))
    assert battery.dtypes(low) == {'float32'}
    for kind in GRADIENTS:
        a, b, c = (vector(found[kind]) for found in (high, low, sensitive))
        off, own = distance(a, b), distance(a, c)
        assert 1e-3 < off < 0.03 + 3.0 * own, f'{kind}: {off:.4f}, and {own:.4f} by rounding the inputs'
        assert a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) > 0.95, kind


def equations(jaxpr):
    """All equations of a program, those of its inner programs, too."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda v: hasattr(v, 'eqns') or hasattr(v, 'jaxpr')
        ):
            inner = getattr(value, 'jaxpr', value)
            if hasattr(inner, 'eqns'):
                yield from equations(inner)


def terms(equation):
    """How many terms one value of a sum has."""
    return int(np.prod(equation.invars[0].aval.shape)) // int(np.prod(equation.outvars[0].aval.shape))


@pytest.mark.parametrize('name', NAMES)
def test_no_sum_of_many_terms_runs_in_bfloat16(name):
    """Also not the sums that a broadcast's gradient is: a bias' runs over all samples and pixels.

    Products of matrices and convolutions run in bfloat16, most of them; their sums are the library's, in float32.
    """
    label, inputs = given(name)
    found = list(equations(jax.make_jaxpr(gradient_program(name, label, 'bfloat16'))(*inputs).jaxpr))
    low = [one for one in found if one.primitive.name in SUMS and one.invars[0].aval.dtype == jnp.bfloat16]
    assert [str(one) for one in low if terms(one) > FEW] == []
    kinds = [one.invars[0].aval.dtype for one in found if one.primitive.name in PRODUCTS]
    kinds += [one.invars[0].aval.dtype for one in found if one.primitive.name.startswith('jaxgan_')]
    assert jnp.dtype(jnp.bfloat16) in kinds


@pytest.mark.parametrize('name', NAMES)
def test_the_state_and_the_metrics_of_a_step_in_bfloat16_are_float32(name):
    adam = Optimizer((1e-3, 1e-3), 0.0, (0.99, 0.99))
    model, size = families.tiny(name)
    g, d = build.build_networks(model, size, 3, 3, 'bfloat16')
    batch = {'image': jnp.zeros((families.B, size, size, 3)), 'label': jnp.arange(families.B) % 3}
    names = ['r1', *(['auxiliary_real'] if families.has_auxiliary(d, batch) else [])]
    config = Config(
        model=model,
        g_optimizer=adam,
        d_optimizer=adam,
        dtype='bfloat16',
        penalties=tuple(Penalty(one) for one in names),
    )
    recipe = build.build_recipe(config)

    def run(key):
        state = init_state(key, g, d, recipe, batch)
        return build.build_step(config, g, d, recipe)(state, batch)

    state, metrics = jax.eval_shape(run, jax.random.key(0))
    assert battery.dtypes((state.g.params, state.d.params, state.g_ema, metrics)) == {'float32'}
    assert battery.dtypes((state.g, state.d, state.extra)) <= {'float32', 'int32', 'uint32', 'bool'}
