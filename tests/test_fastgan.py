"""FastGAN: skip-layer excitation, GLU and reconstruction against NumPy; counts derived; the auxiliary loss in a step."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses, regularizers
from jaxgan.critic import BoundCritic
from jaxgan.errors import InputError
from jaxgan.latents import normal
from jaxgan.models.fastgan import (
    GLU_GAIN,
    MULTIPLES,
    FastGANDiscriminator,
    FastGANGenerator,
    SkipExcitation,
    glu,
    reconstruction_error,
    split_quarters,
)
from jaxgan.models.resblocks import average_pool, upsample
from jaxgan.networks import from_linen
from jaxgan.state import init_state
from jaxgan.steps import Recipe, make_train_step
from jaxgan.types import Regularizer, Verdict

pytestmark = pytest.mark.slow  # networks beyond the default; the battery has them all in short


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def test_skip_layer_excitation_is_its_formula(key):
    """high * s(W2 a(W1 * pool(low))), each channel by one gate."""
    low, high = jax.random.normal(key, (2, 8, 8, 3)), jax.random.normal(key, (2, 16, 16, 5))
    module = SkipExcitation()
    params = jax.jit(module.init)(key, low, high)['params']
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    pooled = np.asarray(low, np.float64).reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    h = np.einsum('bijc,ijcd->bd', pooled, p['Conv_0']['kernel']) + p['Conv_0']['bias']
    gate = sigmoid(np.where(h > 0, h, 0.2 * h) @ p['Conv_1']['kernel'][0, 0] + p['Conv_1']['bias'])
    expected = np.asarray(high) * gate[:, None, None]
    np.testing.assert_allclose(
        jax.jit(module.apply)({'params': params}, low, high), expected, rtol=1e-4, atol=1e-5
    )


def test_glu_is_its_formula_and_its_gain_keeps_the_variance():
    x = np.random.default_rng(0).normal(size=(100_000, 6)).astype(np.float32)
    np.testing.assert_allclose(glu(x), x[:, :3] * sigmoid(x[:, 3:]), rtol=1e-5)
    assert float(jnp.mean(glu(GLU_GAIN * x) ** 2)) == pytest.approx(1.0, rel=0.02)


def test_pooling_repeating_and_quarters():
    x = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4, 1)
    np.testing.assert_array_equal(upsample(x)[..., 0], np.kron(x[..., 0], np.ones((2, 2))))
    np.testing.assert_array_equal(average_pool(upsample(x)), x)
    quarters = split_quarters(x)
    assert quarters.shape == (8, 2, 2, 1)
    for sample in range(2):
        for i in range(4):
            top, left = 2 * (i // 2), 2 * (i % 2)
            np.testing.assert_array_equal(quarters[4 * sample + i], x[sample, top : top + 2, left : left + 2])


def test_reconstruction_error_is_its_formula():
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(3, 8, 8, 2)).astype(np.float32) for _ in range(2))
    difference, expected = a - b, 0
    for factor in (1, 2, 4):
        pooled = difference.reshape(3, 8 // factor, factor, 8 // factor, factor, 2).mean(axis=(2, 4))
        expected = expected + np.abs(pooled).mean(axis=(1, 2, 3)) / 3
    np.testing.assert_allclose(reconstruction_error(a, b), expected, rtol=1e-5)
    assert (np.asarray(reconstruction_error(a, a)) == 0).all()


def generator_count(size, width, z=256):
    """What the paper's figure 2 says, with batch normalization (scale and bias) and no biases before it."""
    f = {side: int(width * multiple) for side, multiple in MULTIPLES.items() if side <= size}
    sides = list(f)
    total = z * 32 * f[4] + 2 * 2 * f[4]
    for i, side in enumerate(sides[1:]):
        total += 9 * f[side // 2] * 2 * f[side] + 2 * 2 * f[side]
        total += (9 * f[side] * 2 * f[side] + 2 * 2 * f[side]) if i % 2 == 0 else 0
        low = side // min(16, size // 4)
        total += (16 * f[low] * f[side] + f[side] + f[side] ** 2 + f[side]) if low in f else 0
    return total + 9 * f[size] * 3 + 3


@pytest.mark.parametrize('size', [32, 64, 128, 256, 512])
def test_networks_of_every_size_by_their_shapes_and_counts(size, key):
    g, d = (from_linen(module(size)) for module in (FastGANGenerator, FastGANDiscriminator))

    def run(key):
        params, aux = g.init(key, z, None)
        return params, aux, g.apply(params, aux, z, None)[0]

    z = jnp.zeros((2, 256))
    params, aux, x = jax.eval_shape(run, key)
    assert x.shape == (2, size, size, 3)
    assert count(params) == generator_count(size, 64)
    assert set(aux) == {'batch_stats'}
    verdict = jax.eval_shape(lambda x: d.apply(*d.init(key, x, None), x, None)[0], x)
    assert isinstance(verdict, Verdict)
    assert verdict.logits.shape == verdict.auxiliary.shape == (2,)


@pytest.mark.parametrize(
    ('size', 'message'), [(16, 'at least 32'), (48, 'power of two'), (1024, 'at most 512')]
)
def test_other_sizes_are_refused(size, message, key):
    for module, inputs in ((FastGANGenerator, (1, 8)), (FastGANDiscriminator, (1, size, size, 3))):
        with pytest.raises(InputError, match=message):
            jax.eval_shape(from_linen(module(size)).init, key, jnp.zeros(inputs), None)


def test_batch_normalization_mixes_samples():
    assert FastGANDiscriminator(32).mixes_samples
    assert not FastGANDiscriminator(32, norm='none').mixes_samples


OPTIONS = {'size': 32, 'width': 2, 'max_width': 8, 'norm': 'none'}


@pytest.mark.slow
def test_the_error_is_of_each_sample_alone_and_falls(key):
    """Gradient descent on the error of redrawing makes it smaller; a sample's values do not depend on its neighbours'."""
    d = from_linen(FastGANDiscriminator(**OPTIONS, classes=2))
    x, label = jnp.tanh(jax.random.normal(key, (4, 32, 32, 3))) - 0.5, jnp.array([0, 1, 0, 1])

    @jax.jit
    def run(key):
        params, _ = d.init(key, x, label)

        def verdict(params, x):
            return d.apply(params, {}, x, label)[0]

        def descend(_, params):
            gradient = jax.grad(lambda p: jnp.mean(verdict(p, x).auxiliary))(params)
            return jax.tree.map(lambda p, g: p - 0.02 * g, params, gradient)

        trained = jax.lax.fori_loop(0, 20, descend, params)
        return [verdict(p, s) for p, s in ((params, x), (trained, x), (trained, x.at[1:].set(0.5)))]

    first, found, other = run(key)
    assert float(found.auxiliary.mean()) < 0.9 * float(first.auxiliary.mean())
    for a, b in zip(found, other):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-4, atol=1e-5)
        assert abs(float(a[1] - b[1])) > 1e-3


@pytest.mark.slow
def test_a_step_adds_the_error_to_the_discriminators_loss(key):
    g, d = from_linen(FastGANGenerator(**OPTIONS)), from_linen(FastGANDiscriminator(**OPTIONS))
    penalty = Regularizer(regularizers.auxiliary_real, 2.0)
    recipe = Recipe(losses.hinge, optax.sgd(0.0), optax.sgd(0.0), normal(8), d_regularizers=(penalty,))
    batch = {'image': jnp.tanh(jax.random.normal(key, (4, 32, 32, 3)))}
    state = jax.jit(lambda: init_state(key, g, d, recipe, batch))()
    _, metrics = jax.jit(make_train_step(g, d, recipe))(state, batch)
    found = d.infer(state.d.params, {}, batch['image'], None).auxiliary
    assert float(metrics['d/auxiliary_real']) == pytest.approx(2.0 * float(found.mean()), rel=1e-4)


def test_a_discriminator_without_an_own_loss_is_refused(key):
    critic = BoundCritic(lambda samples, **_: (Verdict(samples[:, 0], None), {}))
    x = jnp.ones((2, 3))
    with pytest.raises(InputError, match='auxiliary loss of the discriminator, and this one has none'):
        regularizers.auxiliary_real(critic, x, x, jax.random.split(key, 2))
    critic = BoundCritic(lambda samples, **_: (Verdict(samples[:, 0], samples[:, 1]), {}))
    found = regularizers.auxiliary_real(critic, 2 * x, x, jax.random.split(key, 2))
    assert found.tolist() == [2.0, 2.0]
