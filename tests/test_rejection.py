"""Rejection on a ring of points, whose densities are known: what is left, or moved, is as the real ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.latents import normal, of_keys
from jaxgan.losses import least_squares, non_saturating, relativistic
from jaxgan.networks import from_functions
from jaxgan.rejection import RATIOS, Reference, acceptance, calibrate, chances, langevin, log_odds, make_score
from jaxgan.sampling import seed_keys

RADIUS, WIDTH = 1.5, 0.3


def log_ratio(points):
    """Real points lie about a ring, ``exp(-(r - 1.5)^2 / (2 0.3^2))``; generated ones are N(0, I). Up to a constant."""
    square = jnp.sum(jnp.square(points), axis=-1)
    return square / 2 - jnp.square(jnp.sqrt(square + 1e-12) - RADIUS) / (2 * WIDTH**2)


def radii_of_ring():
    r = np.linspace(1e-3, 5, 20_001)
    density = r * np.exp(-((r - RADIUS) ** 2) / (2 * WIDTH**2))
    density /= density.sum()
    mean = (r * density).sum()
    return mean, np.sqrt(((r - mean) ** 2 * density).sum())


@pytest.fixture(scope='module')
def drawn():
    keys = seed_keys(np.arange(8_000))
    points = jax.jit(lambda keys: of_keys(normal(2), keys))(keys)
    return keys, points, jax.jit(log_ratio)(points), jax.jit(chances)(keys)


class TestDrs:
    def test_the_odds_are_the_ratio_as_a_part_of_its_maximum(self):
        d = jnp.asarray([-3.0, -1.0, 0.5])
        np.testing.assert_allclose(jax.nn.sigmoid(log_odds(d, 1.0)), np.exp(np.asarray(d) - 1), rtol=1e-5)
        assert np.isfinite(log_odds(jnp.float32(1.0), jnp.float32(1.0)))
        assert log_odds(jnp.float32(-jnp.inf), jnp.float32(1.0)) == -jnp.inf

    def test_half_of_those_at_the_percentile_stay(self, drawn):
        _, _, d, _ = drawn
        reference = calibrate(d, 70.0)
        probability, _ = jax.jit(acceptance)(jnp.asarray([reference.typical, reference.maximum]), reference)
        assert probability[0] == pytest.approx(0.5, abs=1e-5)
        assert probability[1] > 0.99

    def test_what_is_accepted_is_nearer_to_the_ring(self, drawn):
        _, points, d, chance = drawn
        mean, deviation = radii_of_ring()
        radius = np.linalg.norm(points, axis=1)
        assert abs(radius.mean() - mean) > 0.2
        assert radius.std() > deviation + 0.2
        half = jnp.max(d) - jnp.log(2.0)  # F of it is 0: rejection is exact
        kept = radius[np.asarray(chance < jax.jit(acceptance)(d, Reference(jnp.max(d), half))[0])]
        assert len(kept) > 500
        assert kept.mean() == pytest.approx(mean, abs=0.03)
        assert kept.std() == pytest.approx(deviation, abs=0.03)
        by_percentile = radius[np.asarray(chance < jax.jit(acceptance)(d, calibrate(d, 80.0))[0])]
        assert abs(by_percentile.mean() - mean) < abs(radius.mean() - mean) / 2

    @pytest.mark.slow
    def test_no_seed_s_fate_depends_on_the_size_of_parts(self, drawn):
        d = drawn[2][:600]
        first = calibrate(d[:40], 60.0)  # of few, so that the maximum moves
        whole, end = acceptance(d, first)
        assert end.maximum > first.maximum
        for size in (7, 32):
            reference, parts = first, []
            for start in range(0, 64 - size, size):
                part, reference = acceptance(d[start : start + size], reference)
                parts.append(part)
            found = np.concatenate(parts)
            np.testing.assert_allclose(found, whole[: len(found)], rtol=1e-6)

    def test_what_is_none_changes_nothing(self, drawn):
        d = drawn[2][:4]
        padded, after = acceptance(jnp.concatenate([d, jnp.full(3, -jnp.inf)]), calibrate(d))
        np.testing.assert_array_equal(padded[4:], 0)
        assert after.maximum == jnp.max(d)

    def test_a_seed_s_chance_is_its_own(self, drawn):
        assert chances(seed_keys([17]))[0] == drawn[3][17]
        assert 0 <= drawn[3].min() < 0.01
        assert 0.99 < drawn[3].max() < 1


class TestDdls:
    def test_latents_move_to_those_of_real_points(self, drawn):
        keys, points, _, _ = drawn
        moved = jax.jit(langevin, static_argnums=0)(log_ratio, points[:4_000], keys[:4_000], 300, 0.01)
        mean, deviation = radii_of_ring()
        radius = np.linalg.norm(moved, axis=1)
        assert radius.mean() == pytest.approx(mean, abs=0.03)
        assert radius.std() == pytest.approx(deviation, abs=0.03)

    def test_signs_stay_and_neighbours_do_not_matter(self, drawn):
        keys, points, _, _ = drawn
        move = jax.jit(langevin, static_argnums=0)
        moved = move(log_ratio, points[:8], keys[:8], 5, 0.01, jnp.asarray([1.0, 0.0]))
        np.testing.assert_array_equal(moved[:, 1], points[:8, 1])
        assert (moved[:, 0] != points[:8, 0]).all()
        order = jnp.asarray([3, 1, 2, 0, 7, 6, 5, 4])
        other = move(log_ratio, points[order], keys[order], 5, 0.01, jnp.asarray([1.0, 0.0]))
        np.testing.assert_allclose(other, moved[order], rtol=1e-5)


@pytest.mark.parametrize(
    ('loss', 'name'),
    [(non_saturating, 'non_saturating'), (relativistic, 'relativistic'), (least_squares, 'least_squares')],
)
def test_logits_of_the_best_discriminator_are_the_log_ratio_up_to_a_constant(loss, name):
    """On eight places with known densities the best logits are found by descent, one number each."""
    real = jnp.asarray([0.05, 0.1, 0.3, 0.1, 0.2, 0.05, 0.1, 0.1])
    fake = jnp.asarray([0.2, 0.1, 0.05, 0.1, 0.1, 0.25, 0.1, 0.1])
    pairs = jnp.outer(real, fake).reshape(-1)

    def expected(logits):
        return jnp.sum(pairs * loss.discriminator(jnp.repeat(logits, 8), jnp.tile(logits, 8)))

    slope = jax.grad(expected)
    logits = jax.jit(lambda x: jax.lax.fori_loop(0, 2_000, lambda i, x: x - 2.0 * slope(x), x))(jnp.zeros(8))
    difference = np.asarray(RATIOS[name](logits) - jnp.log(real / fake))
    assert np.ptp(difference) < 0.02
    if name != 'relativistic':
        assert abs(difference).max() < 0.02


def mixing_discriminator():
    """Each group of four sees its own deviation, as with minibatch deviation."""

    def apply(params, x, label):
        groups = x.reshape(-1, 4, x.shape[-1])
        spread = jnp.std(groups, axis=1).sum(axis=-1)
        return x.sum(axis=-1) + jnp.repeat(spread, 4)

    return from_functions(lambda key, x, label: {}, apply)


def test_scores_do_not_depend_on_neighbours_where_the_discriminator_compares(key):
    x = jax.random.normal(key, (8, 2))
    beside = (jnp.asarray([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), None)
    score = make_score(mixing_discriminator(), RATIOS['relativistic'], companions=3)
    whole = score({}, {}, beside, x, None)
    for i in range(8):
        np.testing.assert_allclose(score({}, {}, beside, x[i : i + 1], None)[0], whole[i], rtol=1e-6)
    assert not np.allclose(mixing_discriminator().infer({}, {}, x, None), whole)


def test_a_score_that_is_not_finite_is_never_accepted_and_no_maximum():
    reference = Reference(jnp.float32(2), jnp.float32(1))
    d = jnp.asarray([0.5, jnp.nan, jnp.inf, 1.5, -jnp.inf], jnp.float32)
    found, after = acceptance(d, reference)
    wanted, _ = acceptance(d[jnp.asarray([0, 3])], reference)
    np.testing.assert_array_equal(found[jnp.asarray([0, 3])], wanted)
    assert (found[jnp.asarray([1, 2, 4])] == 0).all()
    assert after.maximum == 2
