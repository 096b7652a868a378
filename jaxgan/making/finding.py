"""Find directions of an opened generator: by GANSpace, by SeFa, or from labels."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.directions import (
    Directions,
    affine_layers,
    conditional,
    enough,
    first_curved,
    fit_attributes,
    measure,
    principal,
    regressed,
    sefa,
)
from jaxgan.directions.attributes import HELD_OUT
from jaxgan.directions.components import CHUNK
from jaxgan.errors import InputError, unknown
from jaxgan.making.attributes import FIRST_SEED, Labelled, check_attributes
from jaxgan.making.starts import seeded
from jaxgan.opened import Generator
from jaxgan.types import Network, Sampler

METHODS = ('ganspace', 'sefa', 'attributes')
SEED = 0  # of what is drawn to find directions
RIDGE = 1.0  # of conditional edits: what it costs and brings is in docs/studio.md
LEAST = 4  # held-out images that must show a value, and as many that must not


class Found(NamedTuple):
    """Directions, and what is known about each."""

    directions: Directions
    method: str
    facts: tuple[dict[str, Any], ...]
    """JSON objects, one a direction: 'explained' (ganspace), 'eigenvalue' (sefa), 'attribute', 'value', 'accuracy', 'auc', 'share'."""
    settings: dict[str, Any]
    """How they were found, as JSON: the samples, the layers looked at, what was left out."""


def check_space(generator: Generator, space: str | None) -> str:
    """Choose the space of directions: w where there are styles, else z; those of w move w+, too.

    Raises:
        InputError: the generator does not have it, or it is w+.
    """
    if space == 'w+':
        raise InputError('space w+: directions lie in w, and --layers says which layers of w+ they move')
    return generator.choose_space(space).name


def check_fits(found: Found, generator: Generator, name: str) -> None:
    """Check that directions are those of a generator's codes.

    Raises:
        InputError: the generator has no such space, or other codes.
    """
    size, dim = found.directions.vectors.shape[1], _dim(generator, found.directions.space)
    if size != dim:
        raise InputError(f'{name} has directions of {size} values, and codes here have {dim}')


def by_components(
    generator: Generator,
    space: str | None = None,
    count: int = 10,
    samples: int = 10_000,
    layers: tuple[int, ...] | None = None,
    feature: str | None = None,
    label: int | None = None,
) -> Found:
    """Find principal components: of w, or in z those of a layer's activations, by their regression (GANSpace).

    Args:
        generator: of the directions.
        space: 'z' or 'w'; None: w where there are styles.
        count: how many.
        samples: latents drawn.
        layers: the styles that edits move; None: all.
        feature: the layer, in z; None: the first that is no linear map of z, of which a linear one would find SeFa's directions.
        label: a class; None: each in turn.

    Raises:
        InputError: there are less directions, or no such layer.
    """
    space = check_space(generator, space)
    label = label if label is None or generator.labels else None
    labels = None
    if generator.labels:
        labels = (
            jnp.full(CHUNK, label, jnp.int32)
            if label is not None
            else jnp.arange(CHUNK) % len(generator.labels)
        )
    if space == 'w':
        if feature is not None:
            raise InputError(f'feature {feature}: components of w need no layer')
    else:
        feature = choose_feature(generator, feature)
    _check_count(count, _dim(generator, space))
    observe = _observer(generator.network, generator.latents, feature)
    arguments = (generator.params, generator.aux, labels)
    found = principal(observe, arguments, jax.random.key(SEED), count, samples)
    if feature is None:
        vectors, scales = found.vectors, jnp.sqrt(found.variances)
    else:
        vectors, scales = regressed(found)
    explained = np.asarray(found.variances / found.total, np.float64)
    directions = _directions(space, vectors, scales, found.center, layers)
    facts = tuple({'explained': float(part)} for part in explained)
    return Found(directions, 'ganspace', facts, {'samples': samples, 'feature': feature, 'label': label})


def by_factors(
    generator: Generator,
    space: str | None = None,
    count: int = 10,
    samples: int = 10_000,
    layers: tuple[int, ...] | None = None,
) -> Found:
    """Find what the first layers amplify most: the dense layers on z, or those that make styles of w (SeFa).

    Args:
        generator: of the directions.
        space: 'z' or 'w'; None: w where there are styles.
        count: how many.
        samples: codes whose deviation along each is measured.
        layers: the styles whose layers are looked at, and which edits move; None: all.

    Raises:
        InputError: there are less directions, or no layer is a linear map of the codes.
    """
    space = check_space(generator, space)
    dim = _dim(generator, space)
    _check_count(count, dim)
    total = generator.layers if space == 'w' else 0
    respond = _responder(generator.network, total, layers, bool(generator.labels))
    key = jax.random.key(SEED)
    matrices = affine_layers(respond, (generator.params, generator.aux), dim, key)
    vectors, values = sefa(jnp.concatenate(list(matrices.values())), count)
    codes = seeded(generator, range(FIRST_SEED, FIRST_SEED + samples), space).codes
    center, scales = measure(jnp.asarray(codes), vectors)
    facts = tuple({'eigenvalue': float(value)} for value in values)
    settings = {'samples': samples, 'layers_seen': sorted(matrices)}
    return Found(_directions(space, vectors, scales, center, layers), 'sefa', facts, settings)


def by_labels(
    labelled: Labelled,
    space: str,
    layers: tuple[int, ...] | None = None,
    apart: Sequence[str] = (),
    ridge: float = RIDGE,
) -> Found:
    """Find a direction for each value of each attribute that enough images show (InterFaceGAN); of two values, for the second.

    Args:
        labelled: codes of that space.
        space: 'z' or 'w'.
        layers: the styles that edits move; None: all.
        apart: attributes whose directions are taken out of those of the others, or 'all' of them.
        ridge: of ``directions.conditional``.

    Raises:
        InputError: enough images show no value, or there is no such attribute.
    """
    truth, known, facts = _questions(labelled)
    learned = np.asarray(enough(truth, known, least=LEAST))
    if not learned.any():
        raise InputError(
            f'attributes: no value is shown by {LEAST * HELD_OUT} images or more, and not shown by as many'
        )
    fit = jax.tree.map(np.asarray, fit_attributes(labelled.codes, truth[learned], known[learned]))
    kept = [fact for fact, good in zip(facts, learned, strict=True) if good]
    for k, fact in enumerate(kept):
        fact |= {name: float(getattr(fit, name)[k]) for name in ('accuracy', 'auc', 'share')}
    vectors = set_apart(fit.vectors, [fact['attribute'] for fact in kept], apart, ridge)
    center, scales = measure(jnp.asarray(labelled.codes), jnp.asarray(vectors))
    directions = _directions(space, vectors, scales, center, layers)
    left_out = [_named(fact) for fact, good in zip(facts, learned, strict=True) if not good]
    settings = {'samples': len(labelled.codes), 'left_out': left_out, 'apart': list(apart), 'ridge': ridge}
    return Found(directions._replace(names=tuple(map(_named, kept))), 'attributes', tuple(kept), settings)


def set_apart(vectors: Any, owners: Sequence[str], apart: Sequence[str], ridge: float) -> np.ndarray:
    """Take out of each direction what lies along those of other attributes; one of which nothing would be left stays.

    Args:
        vectors: [k, D].
        owners: the attribute of each.
        apart: the attributes that are to be left alone, or 'all'.
        ridge: of ``directions.conditional``.

    Raises:
        InputError: there is no such attribute.
    """
    names = tuple(dict.fromkeys(owners))
    check_attributes(apart, names)
    found = []
    for vector, owner in zip(vectors, owners, strict=True):
        others = [other != owner and (other in apart or 'all' in apart) for other in owners]
        # rows of zeros have no part: one shape compiles once
        weight = jnp.asarray(others, jnp.float32)[:, None]
        rest = conditional(vector, vectors * weight, ridge) if any(others) else vector
        found.append(rest if np.any(rest) else vector)
    return np.stack(found)


def _questions(labelled: Labelled) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """List for each value who shows it, who is known to or not, and its names."""
    truth, known, facts = [], [], []
    for attribute in labelled.attributes:
        wanted = range(len(attribute.values))
        for i in wanted[1:] if len(wanted) == 2 else wanted:
            truth.append(attribute.labels == i)
            known.append(attribute.labels >= 0)
            facts.append({'attribute': attribute.name, 'value': attribute.values[i]})
    if not facts or all(len(attribute.values) < 2 for attribute in labelled.attributes):
        raise InputError('attributes: each has one value only, which tells nothing apart')
    return np.stack(truth), np.stack(known), facts


def _named(fact: dict[str, Any]) -> str:
    return f'{fact["attribute"]}={fact["value"]}'


def choose_feature(generator: Generator, name: str | None) -> str:
    """Choose the layer whose components are found.

    Raises:
        InputError: there is no such layer.
    """
    respond = _responder(generator.network, 0, None, bool(generator.labels))
    arguments = (generator.params, generator.aux)
    names, curved = first_curved(respond, arguments, _dim(generator, 'z'), jax.random.key(SEED))
    if name is not None and name not in names:
        raise unknown('feature', name, names)
    return name or curved


def _dim(generator: Generator, space: str) -> int:
    code = jax.eval_shape(lambda key: generator.latents(key, 1), jax.random.key(0))
    if space == 'z':
        return code.shape[1]
    label = jax.ShapeDtypeStruct((1,), jnp.int32) if generator.labels else None
    found = generator.choose_space(space)
    return jax.eval_shape(found.encode, generator.params, generator.aux, code, label).shape[-1]


def _check_count(count: int, dim: int) -> None:
    if not 1 <= count <= dim:
        raise InputError(f'count {count} must be in 1..{dim}, the number of values in a code')


def _directions(space: str, vectors: Any, scales: Any, center: Any, layers: Any) -> Directions:
    vectors, scales, center = (np.asarray(x, np.float32) for x in (vectors, scales, center))
    return Directions(space, vectors, scales, center, tuple(map(str, range(len(vectors)))), layers)


@functools.lru_cache(maxsize=8)
def _observer(network: Network, latents: Sampler, feature: str | None) -> Callable:
    """Make what draws codes and activations: styles for both, or latents and a layer's."""

    def observe(arguments: Any, key: Any, n: int) -> tuple[Any, Any]:
        params, aux, labels = arguments
        z = latents(key, n)
        if feature is None:
            assert network.mapping is not None
            w = network.mapping(params, aux, z, labels)[:, 0]
            return w, w
        assert network.features is not None
        return z, network.features(params, aux, z, labels)[feature].reshape(n, -1).astype(jnp.float32)

    return observe


@functools.lru_cache(maxsize=8)
def _responder(network: Network, total: int, layers: tuple[int, ...] | None, labelled: bool) -> Callable:
    """Make what tells the activations of z, or of w in some of ``total`` layers."""
    features = network.style_features if total else network.features
    if features is None:
        raise InputError('this generator does not show its layers: directions by labels or of styles remain')
    chosen = jnp.arange(total) if layers is None else jnp.asarray(layers)

    def respond(arguments: Any, codes: Any) -> dict[str, Any]:
        if total:
            inside = jnp.zeros(total, bool).at[chosen].set(True)
            return features(*arguments, jnp.where(inside[None, :, None], codes[:, None], 0))
        return features(*arguments, codes, jnp.zeros(len(codes), jnp.int32) if labelled else None)

    return respond
