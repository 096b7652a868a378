"""Directions, pure: known principal directions and linear layers are found, in any number of values; edits and what they leave alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.directions import (
    Directions,
    affine_layers,
    components,
    conditional,
    edit,
    enough,
    first_curved,
    fit_attributes,
    fix_signs,
    measure,
    move,
    orthonormal,
    position,
    principal,
    regressed,
    sefa,
)
from jaxgan.errors import InputError
from jaxgan.latents import normal

D, F = 6, 20
RANDOM = np.random.default_rng(0)
AXES = np.linalg.qr(RANDOM.standard_normal((F, F)))[0][:D].astype(np.float32)  # orthonormal rows [D, F]
SPREAD = np.float32([9, 5, 3, 2, 1, 0.5])
TURN = np.linalg.qr(RANDOM.standard_normal((D, D)))[0].astype(np.float32)
MADE = {'turn': TURN, 'axes': SPREAD[:, None] * AXES}


def observe(arguments, key, n):
    """Codes, and activations whose principal components, codes and variances are known."""
    z = normal(D)(key, n)
    return z, 7 + z @ arguments['turn'].T @ arguments['axes']


def assert_orthonormal(vectors):
    error = np.abs(np.asarray(vectors, np.float64) @ np.asarray(vectors, np.float64).T - np.eye(len(vectors)))
    assert error.max() < 1e-5


def assert_signed(vectors):
    vectors = np.asarray(vectors)
    assert (vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)] > 0).all()


@pytest.fixture(scope='module')
def found():
    return principal(observe, MADE, jax.random.key(0), 4, samples=4000)


class TestComponents:
    def test_known_ones_are_found(self, found):
        assert np.allclose(np.abs(np.asarray(found.vectors) @ AXES.T)[:, :4], np.eye(4), atol=0.06)
        assert np.allclose(np.sqrt(found.variances), SPREAD[:4], rtol=0.05)
        assert float(found.total) == pytest.approx((SPREAD**2).sum(), rel=0.05)
        assert np.allclose(found.center, 0, atol=0.1)

    def test_they_are_numpy_s(self, found):
        keys = jax.random.split(jax.random.key(0), 8)
        x = np.concatenate([np.asarray(observe(MADE, key, 500)[1]) for key in keys])
        values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
        assert np.allclose(found.variances, values[::-1][:4], rtol=1e-4)
        assert np.allclose(np.abs(found.vectors @ vectors[:, ::-1][:, :4]), np.eye(4), atol=1e-3)

    def test_orthonormal_signed_and_the_same_again(self, found):
        vectors, scales = regressed(found)
        for one in (found.vectors, vectors):
            assert_orthonormal(one)
            assert_signed(one)
        again = principal(observe, MADE, jax.random.key(0), 4, samples=4000)
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), found, again))
        assert np.allclose(scales, 1, atol=0.05)

    def test_regression_finds_the_codes(self, found):
        vectors, _ = regressed(found)
        assert np.allclose(np.abs(vectors @ TURN.T), np.eye(4, D), atol=0.06)

    def test_without_the_covariance_the_same(self, found, monkeypatch):
        monkeypatch.setattr(components, 'EXACT', 4)
        monkeypatch.setattr(components, 'OVERSAMPLING', 2)
        other = principal(observe, MADE, jax.random.key(0), 4, samples=4000)
        assert np.allclose(other.vectors, found.vectors, atol=0.01)
        assert np.allclose(other.variances, found.variances, rtol=1e-3)
        assert np.allclose(other.slopes, found.slopes, atol=0.01)


def layers(params, codes):
    """Layers of all kinds; three see the code itself."""
    first = codes @ params['a'] + 3
    return {
        'first': first,
        'constant': jnp.ones((len(codes), 4)),
        'map': first.reshape(-1, 2, 2, 2),
        'curved': jax.nn.leaky_relu(first, 0.2) @ params['b'],
        'style': codes @ params['b'].T[:D],
    }


PARAMS = {
    'a': jnp.asarray(RANDOM.standard_normal((D, 8)), jnp.float32),
    'b': jnp.asarray(RANDOM.standard_normal((8, 8)), jnp.float32),
}


class TestFactors:
    def test_layers_that_see_the_code(self):
        found = affine_layers(layers, PARAMS, D, jax.random.key(0))
        assert sorted(found) == ['first', 'style']
        assert np.allclose(found['first'], PARAMS['a'].T, atol=1e-5)

    def test_the_first_curved_layer(self):
        names, curved = first_curved(layers, PARAMS, D, jax.random.key(0))
        assert names == ['first', 'constant', 'map', 'curved', 'style']  # in their order
        assert curved == 'curved'

    def test_normalized_codes_are_refused(self):
        def normalized(params, codes):
            return {'first': codes / jnp.linalg.norm(codes + 1e-3, axis=1, keepdims=True) @ params['a']}

        with pytest.raises(InputError, match='no layer of this generator is a linear map of these codes'):
            affine_layers(normalized, PARAMS, D, jax.random.key(0))

    def test_what_a_matrix_amplifies(self):
        matrix = (AXES.T * SPREAD) @ TURN.T  # [F, D]: turns, then scales
        vectors, values = sefa(jnp.asarray(matrix), 4)
        assert np.allclose(np.abs(vectors @ TURN), np.eye(4, D), atol=1e-5)
        assert np.allclose(np.sqrt(values), SPREAD[:4], rtol=1e-5)
        assert_orthonormal(vectors)
        assert_signed(vectors)


CODES = RANDOM.standard_normal((2000, D)).astype(np.float32) * np.float32([1, 2, 1, 1, 3, 1])
NORMALS = np.float32([[1, 0.5, 0, 0, 0, 0], [0, 0, 0, 1, -0.2, 0]])


@pytest.fixture(scope='module')
def fit():
    truth = np.stack([*(CODES @ NORMALS.T > 0.3).T, RANDOM.random(2000) > 0.5])
    known = np.ones_like(truth)
    truth[0, :700], known[0, :700] = ~truth[0, :700], False  # wrong, and said to be unknown
    return fit_attributes(CODES, truth, known)


class TestAttributes:
    def test_known_normals_are_found(self, fit):
        wanted = NORMALS / np.linalg.norm(NORMALS, axis=1, keepdims=True)
        assert np.allclose(fit.vectors[:2], wanted, atol=0.03)
        assert np.allclose(np.linalg.norm(fit.vectors, axis=1), 1, atol=1e-6)

    def test_chance_is_told_from_knowledge(self, fit):
        assert (fit.accuracy[:2] > 0.97).all() and (fit.auc[:2] > 0.995).all()
        assert abs(fit.auc[2] - 0.5) < 0.1
        assert abs(fit.accuracy[2] - 0.5) < 0.1

    def test_the_minimum_of_the_loss(self):
        truth = (CODES[:, 0] > 0)[None] ^ (RANDOM.random((1, 2000)) < 0.2)
        measured = np.arange(2000) % 5 == 0
        u = CODES[~measured]
        v = np.asarray(fit_attributes(CODES, truth, ridge=0.0).vectors[0])

        def loss(direction):
            """The least loss along a direction, by a fine search of length and bias."""
            lengths = np.linspace(0.5, 3, 51)[:, None, None]
            bias = np.linspace(-0.3, 0.3, 13)[None, :, None]
            score = lengths * (u @ direction)[None, None] + bias
            return np.logaddexp(0, np.where(truth[0][~measured], -score, score)).mean(-1).min()

        turned = [v + 0.1 * other for other in np.eye(D, dtype=np.float32)]
        assert all(loss(v) < loss(other / np.linalg.norm(other)) for other in turned[1:])

    def test_values_too_rare_are_named(self):
        truth = np.zeros((3, 100), bool)
        truth[0, :50] = True
        truth[1, 1:4] = True  # none is held out
        assert enough(truth).tolist() == [True, False, False]

    def test_projection_is_the_paper_s(self):
        n, m = jnp.eye(D)[0] * 0.6 + jnp.eye(D)[1] * 0.8, jnp.eye(D)[1:2]
        assert np.allclose(conditional(n, m), jnp.eye(D)[0], atol=1e-6)
        others = jnp.asarray(TURN[:3])
        assert np.abs(others @ conditional(n, jnp.concatenate([others, others[:1]]))).max() < 1e-5
        assert (conditional(n, jnp.asarray(TURN)) == 0).all()  # nothing is left

    def test_a_ridge_keeps_a_part(self):
        n, m = jnp.eye(D)[0] * 0.6 + jnp.eye(D)[1] * 0.8, jnp.eye(D)[1:2]
        parts = [float(conditional(n, m, ridge) @ m[0]) for ridge in (0.0, 0.5, 5.0, 1e6)]
        assert parts == sorted(parts)
        rest = jnp.asarray([0.6, 0.8 / 3, 0, 0, 0, 0])  # 0.8 - 0.8 / (1 + 0.5)
        assert np.allclose(conditional(n, m, 0.5), rest / jnp.linalg.norm(rest), atol=1e-6)
        assert parts[-1] == pytest.approx(0.8, abs=1e-5)


class TestEdits:
    FOUND = Directions('w', TURN[:3], np.float32([1, 2, 3]), np.zeros(D, np.float32), ('hat', '2', 'hair'))
    CODES = RANDOM.standard_normal((4, D)).astype(np.float32)
    STYLES = RANDOM.standard_normal((4, 5, D)).astype(np.float32)

    def test_amounts_are_deviations(self):
        moved = edit(self.CODES, self.FOUND, 'hair', -1.5)
        assert np.allclose(moved - self.CODES, -4.5 * TURN[2], atol=1e-5)
        each = edit(self.CODES, self.FOUND, 0, np.float32([0, 1, 2, 3]))
        assert np.allclose(each - self.CODES, np.arange(4)[:, None] * TURN[0], atol=1e-5)

    def test_nothing_changes_no_bit(self):
        codes = np.where(self.CODES > 0, np.float32(-0.0), self.CODES)
        assert np.asarray(edit(codes, self.FOUND, 0, 0.0)).tobytes() == codes.tobytes()
        assert np.asarray(edit(self.STYLES, self.FOUND, 1, 0)).tobytes() == self.STYLES.tobytes()

    def test_only_the_layers_named_move(self):
        moved = np.asarray(edit(self.STYLES, self.FOUND, 0, 1.0, layers=(1, 4)))
        assert (moved[:, [0, 2, 3]] == self.STYLES[:, [0, 2, 3]]).all()
        assert np.allclose(moved[:, [1, 4]] - self.STYLES[:, [1, 4]], TURN[0], atol=1e-6)
        own = edit(self.STYLES, self.FOUND._replace(layers=(1, 4)), 0, 1.0)
        assert (own == moved).all()

    @pytest.mark.parametrize(
        ('codes', 'layers', 'message'),
        [
            (CODES, (0,), r'only w\+ has layers'),
            (STYLES, (5,), 'out of range: there are 0..4'),
            (STYLES, (), 'none'),
        ],
        ids=['w', 'beyond', 'none'],
    )
    def test_other_layers_are_refused(self, codes, layers, message):
        with pytest.raises(InputError, match=message):
            move(codes, TURN[0], 1.0, layers)

    def test_names_and_numbers(self):
        assert [position(self.FOUND, which) for which in ('hair', 0, '1', '2', 2)] == [2, 0, 1, 1, 2]
        with pytest.raises(InputError, match="unknown direction 'hot'; did you mean 'hat'"):
            position(self.FOUND, 'hot')
        with pytest.raises(InputError, match=r'direction 3 is out of range: there are 0..2'):
            position(self.FOUND, 3)

    def test_signs_and_measures(self):
        turned = fix_signs(jnp.asarray(-TURN))
        assert_signed(turned)
        assert np.allclose(np.abs(turned), np.abs(TURN))
        skew = jnp.asarray(TURN[:3] + 0.3 * TURN[1:4])
        assert_orthonormal(orthonormal(skew))
        center, scales = measure(jnp.asarray(self.CODES), jnp.eye(D))
        assert np.allclose(center, self.CODES.mean(0), atol=1e-6)
        assert np.allclose(scales, self.CODES.std(0), atol=1e-6)
