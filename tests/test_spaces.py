"""Spaces of codes: encoded and decoded is the image that the network makes; centres, truncation, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.latents import normal
from jaxgan.networks import from_functions
from jaxgan.spaces import (
    NAMES,
    cluster,
    count_layers,
    make_space,
    nearest,
    repeat,
    spaces_of,
    statistics,
    truncate,
)

LAYERS = 3
LATENTS = normal(4)


def styled():
    """A generator with styles: w is an affine map of z, the image what each layer adds of its own style."""
    network = from_functions(
        lambda key, z, label: {'a': jax.random.normal(key, (4, 4)), 'b': jnp.arange(1.0, 1.0 + LAYERS)},
        lambda params, z, label: None,
    )

    def mapping(params, aux, z, label):
        w = z @ params['a'] + 0.5
        w = w if label is None else w + label[:, None].astype(w.dtype)
        return jnp.broadcast_to(w[:, None], (len(z), LAYERS, 4))

    def synthesis(params, aux, w, latents=None):
        return jnp.einsum('blw,l->bw', w, params['b'])

    def infer(params, aux, z, label):
        return synthesis(params, aux, mapping(params, aux, z, label))

    return network._replace(mapping=mapping, synthesis=synthesis, infer=infer)


NETWORK = styled()
PARAMS, AUX = NETWORK.init(jax.random.key(1), None, None)


def space(name):
    return make_space(NETWORK, name, count_layers(NETWORK, LATENTS, PARAMS, AUX))


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('label', [None, [0, 2]], ids=['plain', 'labelled'])
def test_the_code_of_a_latent_is_its_image(name, label, key):
    label = None if label is None else jnp.asarray(label)
    z = LATENTS(key, 2)
    one = space(name)
    codes = one.encode(PARAMS, AUX, z, label)
    assert codes.shape == {'z': (2, 4), 'w': (2, 4), 'w+': (2, LAYERS, 4)}[name]
    made = one.decode(PARAMS, AUX, codes, label)
    np.testing.assert_array_equal(made, NETWORK.infer(PARAMS, AUX, z, label))


def test_one_style_for_all_layers_is_w(key):
    w = space('w').encode(PARAMS, AUX, LATENTS(key, 2), None)
    np.testing.assert_array_equal(
        space('w+').decode(PARAMS, AUX, repeat(w, LAYERS), None), space('w').decode(PARAMS, AUX, w, None)
    )


def test_a_generator_without_styles_has_latents_only():
    plain = NETWORK._replace(mapping=None, synthesis=None)
    assert spaces_of(plain) == ('z',)
    assert count_layers(plain, LATENTS, PARAMS, AUX) == 1
    with pytest.raises(InputError, match='space w: this generator has no styles, only latents: take z'):
        make_space(plain, 'w')


def test_unknown_spaces_are_refused():
    with pytest.raises(InputError, match=r"unknown space 'w\+\+'; did you mean 'w\+'\?"):
        make_space(NETWORK, 'w++')
    with pytest.raises(InputError, match='how many layers'):
        make_space(NETWORK, 'w')


def test_statistics_of_a_linear_space(key):
    """w = z A + 1/2 has the mean 1/2, and deviations that are the lengths of A's columns."""
    found = statistics(space('w'), LATENTS, PARAMS, AUX, key, n=20_000)
    lengths = jnp.linalg.norm(PARAMS['a'], axis=0)
    np.testing.assert_allclose(found.mean, 0.5, atol=4 * float(lengths.max()) / 20_000**0.5)
    np.testing.assert_allclose(found.deviation, lengths, rtol=0.03)


def test_truncation_is_a_line_to_the_centre(key):
    codes, center = jax.random.normal(key, (2, 3)), jnp.ones(3)
    np.testing.assert_array_equal(truncate(codes, center, 0.0), np.ones((2, 3)))
    np.testing.assert_allclose(truncate(codes, center, 1.0), codes, atol=1e-6)
    np.testing.assert_allclose(truncate(codes, center, 0.5), (codes + 1) / 2, atol=1e-6)


def test_a_cutoff_leaves_the_later_layers_as_they_are(key):
    codes, center = jax.random.normal(key, (2, 4, 3)), jnp.arange(3.0)
    part = truncate(codes, center, 0.5, cutoff=1)
    np.testing.assert_allclose(part[:, 0], (np.asarray(codes)[:, 0] + np.arange(3.0)) / 2, rtol=1e-5)
    np.testing.assert_array_equal(part[:, 1:], codes[:, 1:])
    own = jnp.stack([center, center + 1])[:, None]  # a centre of each
    np.testing.assert_array_equal(truncate(codes, own, 0.0)[:, 2], own[:, 0])


@pytest.mark.slow
def test_clusters_are_found(key):
    centers = jnp.asarray([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    codes = centers[jnp.arange(90) % 3] + 0.1 * jax.random.normal(key, (90, 2))
    found = jax.jit(cluster, static_argnums=2)(codes, key, 3)
    order = np.asarray(nearest(centers, found))
    assert sorted(order) == [0, 1, 2]
    means = [np.asarray(codes)[i::3].mean(axis=0) for i in range(3)]
    np.testing.assert_allclose(np.asarray(found)[order], means, rtol=1e-5, atol=1e-5)
    assert nearest(codes[:6], found).tolist() == [*order, *order]
