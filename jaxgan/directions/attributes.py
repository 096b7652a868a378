"""Attribute directions: the normals of linear classifiers in the space of codes, and edits that leave other attributes alone.

References:
    Shen, Gu, Tang and Zhou 2019, Interpreting the latent space of GANs for semantic face editing (InterFaceGAN), arXiv
    1907.10786 (hyperplanes, conditional manipulation).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.directions.types import HIGHEST

HELD_OUT = 5
STEPS = 12  # of Newton
SHARES = (1.0, 0.5, 0.25, 0.0625, 0.0)  # of a Newton step, the best of which is taken: the loss never rises


class Fit(NamedTuple):
    """A direction for each of k questions with the answers yes and no, and how well it tells them apart."""

    vectors: Any  # [k, D]: unit normals, towards yes
    accuracy: Any  # [k], on held-out codes
    auc: Any  # [k], the same: the area under the ROC curve; 0.5 by chance
    share: Any  # [k]: of yes among the known answers


def fit_attributes(
    codes: Any, truth: Any, known: Any = None, ridge: float = 1.0, held_out: int = HELD_OUT
) -> Fit:
    """Fit a logistic regression for each question, and measure it on codes that it has not seen.

    With u a code of zero mean and unit deviation, and y = 1 or -1 the answer, minimize
    ``sum log(1 + exp(-y (b + v.u))) + ridge ||v||^2 / 2`` by Newton's method; the direction is v in the codes' own units.

    Args:
        codes: [n, D].
        truth: booleans [k, n], such as one value of an attribute against its others.
        known: booleans [k, n]: answers that count; None: all.
        ridge: on the weights of standardized codes.
        held_out: each so many-th code is for measuring. ``enough`` says whether all kinds of answers are on both sides.
    """
    codes, truth = jnp.asarray(codes, jnp.float32), jnp.asarray(truth, bool)
    known = jnp.ones_like(truth) if known is None else jnp.asarray(known, bool)
    measured = jnp.arange(len(codes)) % held_out == 0
    vectors, scores = _fit(codes, truth, known & ~measured[None], jnp.float32(ridge))
    held = known & measured[None]
    right = jnp.sum(((scores > 0) == truth) & held, axis=1) / jnp.sum(held, axis=1)
    share = jnp.sum(truth & known, axis=1) / jnp.sum(known, axis=1)
    return Fit(vectors, right, auc(scores, truth, held), share)


def enough(truth: Any, known: Any = None, held_out: int = HELD_OUT, least: int = 2) -> Any:
    """Say which questions, [k], have so many yeses and noes among the codes to fit, and among those to measure."""
    truth = jnp.asarray(truth, bool)
    known = jnp.ones_like(truth) if known is None else jnp.asarray(known, bool)
    measured = (jnp.arange(truth.shape[1]) % held_out == 0)[None]
    kinds = [known & part & answer for part in (measured, ~measured) for answer in (truth, ~truth)]
    return jnp.min(jnp.stack([jnp.sum(kind, axis=1) for kind in kinds]), axis=0) >= least


def auc(scores: Any, truth: Any, known: Any = None) -> Any:
    """Measure how often a true one scores above a false one: ``(R - t (t + 1) / 2) / (t f)``, R the sum of true ones' ranks.

    Args:
        scores: [k, n].
        truth: booleans [k, n].
        known: booleans [k, n]: those that count; None: all.

    >>> auc(jnp.asarray([[0.1, 0.9, 0.5]]), jnp.asarray([[False, True, False]])).tolist()
    [1.0]
    """
    known = jnp.ones_like(truth) if known is None else known
    ranks = jnp.argsort(jnp.argsort(jnp.where(known, scores, jnp.inf), axis=1), axis=1) + 1
    true, false = (jnp.sum(known & kind, axis=1).astype(jnp.float32) for kind in (truth, ~truth))
    sums = jnp.sum(jnp.where(known & truth, ranks, 0).astype(jnp.float32), axis=1)
    return (sums - true * (true + 1) / 2) / (true * false)


@jax.jit
def _fit(codes: Any, truth: Any, fitted: Any, ridge: Any) -> tuple[Any, Any]:
    """Return unit normals [k, D] and the scores of all codes, [k, n]."""
    mean, deviation = jnp.mean(codes, axis=0), jnp.std(codes, axis=0)
    deviation = jnp.where(deviation > 0, deviation, 1)
    u = jnp.concatenate([(codes - mean[None]) / deviation[None], jnp.ones((len(codes), 1))], axis=1)
    penalty = jnp.full(u.shape[1], ridge).at[-1].set(1e-6)  # the bias is free

    def one(question: Any) -> tuple[Any, Any]:
        truth, fitted = question
        v = _newton(u, jnp.where(truth, 1.0, -1.0), fitted.astype(jnp.float32), penalty)
        normal = v[:-1] / deviation
        return normal / jnp.maximum(jnp.linalg.norm(normal), 1e-12), u @ v

    with jax.default_matmul_precision(HIGHEST):
        return jax.lax.map(one, (truth, fitted))


def _newton(u: Any, y: Any, weight: Any, penalty: Any) -> Any:
    """Minimize ``sum weight log(1 + exp(-y u.v)) + sum penalty v^2 / 2``."""

    def loss(v: Any) -> Any:
        return jnp.sum(weight * jax.nn.softplus(-y * (u @ v))) + jnp.sum(penalty * v**2) / 2

    def step(_: Any, v: Any) -> Any:
        wrong = jax.nn.sigmoid(-y * (u @ v))
        gradient = penalty * v - (weight * wrong * y) @ u
        curvature = (u * (weight * wrong * (1 - wrong))[:, None]).T @ u + jnp.diag(penalty)
        whole = jnp.linalg.solve(curvature, gradient)
        tried = v[None] - jnp.asarray(SHARES)[:, None] * whole[None]
        return tried[jnp.argmin(jax.lax.map(loss, tried))]

    return jax.lax.fori_loop(0, STEPS, step, jnp.zeros(u.shape[1]))


@jax.jit
def conditional(vector: Any, others: Any, ridge: Any = 0.0) -> Any:
    """Take out of a direction what lies along others, so that an edit leaves alone what they stand for.

    ``n' = n - M^T (M M^T + ridge I)^-1 M n``, M having the others as rows, then unit length. Without a ridge all that they
    span goes, as in the paper; for one other ``n - (n.m) m``. Many others span nearly everything, and what they have in
    common counts as much as what each is learned by chance from few images: a ridge, about 1, then takes out the
    former and leaves the latter.

    Args:
        vector: n, [D], a unit vector.
        others: M, [k, D], unit vectors; they need not be orthogonal.
        ridge: at least 0.

    Returns:
        [D]; zeros where the others leave nothing.
    """
    u, values, _ = jnp.linalg.svd(others.T, full_matrices=False)
    kept = values > 1e-5 * jnp.max(values)
    part = jnp.where(kept, values**2 / (jnp.where(kept, values, 1) ** 2 + ridge), 0)
    rest = vector - jnp.matmul(u, part * jnp.matmul(u.T, vector, precision=HIGHEST), precision=HIGHEST)
    length = jnp.linalg.norm(rest)
    return jnp.where(length > 1e-4, rest / jnp.maximum(length, 1e-12), 0)
