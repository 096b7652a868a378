"""What every member of a family must be: checks that know signatures only, and one compiled program a member.

A member is found by its registration (``build.MODELS``, ``build.LOSSES``, ``build.PENALTIES``, ``build.STEPS``,
``Config.augment``, ``jaxgan.extensions``). A program holds all that is asked of it and is mapped over seeds: compilation is nearly all
of the time. It is then compared with the same function run operation by operation, without a map.
"""

import ast
import importlib
import inspect
import itertools
import pkgutil
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from jaxgan.critic import as_verdict
from jaxgan.networks import from_functions
from jaxgan.types import Verdict

SEEDS = 2  # of the map


def slow_but(fast, names):
    """Parameters of a test: all names, sorted; in the fast suite only those in ``fast``, for a compilation each takes long."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in sorted(names)]


ORIGIN = re.compile(r'(arXiv|doi) ?:?[\w./]+', re.IGNORECASE)
PLACE = re.compile(
    r'\b(equation|eq\.|section|algorithm|figure|table|appendix|theorem|proposition)s?\s+\(?\w', re.IGNORECASE
)
FORMULA = re.compile(r'``[^`]*[-+*/^=|(<][^`]*``|>>>')


# what is written


def cites(*texts):
    """Whether the docstrings name a paper and a place in it."""
    text = ' '.join(text or '' for text in texts)
    return bool(ORIGIN.search(text) and PLACE.search(text))


def has_formula(text):
    """Whether a docstring holds a formula or an example."""
    return bool(FORMULA.search(text or ''))


def attribute_docs(module):
    """Read the docstrings below assignments, of a module or of all modules of a package: name -> text."""
    names = [module.__name__]
    if hasattr(module, '__path__'):
        names += [f'{module.__name__}.{found.name}' for found in pkgutil.iter_modules(module.__path__)]
    docs = {}
    for name in names:
        body = ast.parse(Path(importlib.import_module(name).__file__).read_text()).body
        for node, after in itertools.pairwise(body):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                docs[ast.unparse(target)] = ast.literal_eval(after.value)
    return docs


def is_typed(annotation):
    """Whether an annotation says shape and dtype, or is a union or tuple that holds one that does."""
    if isinstance(annotation, type) and issubclass(annotation, Verdict | jaxtyping.AbstractArray):
        return True
    return any(map(is_typed, getattr(annotation, '__args__', ())))


def annotations(function):
    """All annotations of a function's parameters and of its result, by name; ``inspect.Parameter.empty`` for none."""
    signature = inspect.signature(inspect.unwrap(function), eval_str=True)
    found = {name: parameter.annotation for name, parameter in signature.parameters.items() if name != 'self'}
    return found | {'return': signature.return_annotation}


# what is computed


def mapped(function):
    """Compile one program: the function on each of the seeds."""
    return jax.jit(jax.vmap(function))


def first(tree):
    """The first seed's part of a mapped program's result."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


def assert_finite(tree, name=''):
    for path, leaf in jax.tree.leaves_with_path(tree):
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            assert np.isfinite(np.asarray(leaf, np.float64)).all(), f'{name}{jax.tree_util.keystr(path)}'


def assert_close(found, expected, tolerance=1e-4):
    """Assert that trees agree to so much of the largest value of each leaf, or of 1."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for (path, a), b in zip(jax.tree.leaves_with_path(found), jax.tree.leaves(expected)):
        assert a.shape == b.shape and a.dtype == b.dtype, jax.tree_util.keystr(path)
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        scale = max(1.0, np.abs(b).max(initial=0.0))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale, err_msg=jax.tree_util.keystr(path))


def assert_same(found, expected):
    """Assert equal bits."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
        np.testing.assert_array_equal(data(a), data(b))


def data(leaf):
    """An array's values; a key's bits."""
    return np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)


def stored(tree):
    """A tree as it comes back from a file: from the host, onto the device."""

    def one(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.wrap_key_data(jnp.asarray(data(leaf))) if is_key else jnp.asarray(data(leaf).copy())

    return jax.tree.map(one, tree)


def assert_pure(function, *inputs):
    """Run a function twice: the same bits, and inputs as they were; return what it gave."""
    before = jax.tree.map(data, inputs)
    once, again = function(*inputs), function(*inputs)
    assert_same(once, again)
    assert_same(jax.tree.map(data, inputs), before)
    return once


def dtypes(tree):
    return {str(leaf.dtype) for leaf in jax.tree.leaves(tree)}


def shapes(tree):
    return [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(tree)]


def scattered(params, equalized=False):
    """Fill parameters of these shapes with random values of the size that keeps a layer's variance.

    Equalized layers scale their kernels themselves, so theirs have unit variance.
    """
    random = np.random.default_rng(0)

    def one(leaf):
        return random.normal(
            0.0, 1.0 if equalized else max(np.prod(leaf.shape[:-1]), 1) ** -0.5, leaf.shape
        ).astype(leaf.dtype)

    return jax.tree.map(one, params)


def logits_of(output):
    return as_verdict(output).logits


# a toy pair with everything that a member may ask of one


def toy_pair(shape, latent=4, styles=3, dtype=jnp.float32):
    """A smooth pair on samples of a shape: a generator with styles w, a discriminator with an auxiliary loss.

    Parameters are float32, computation is in ``dtype``, samples and logits are float32. Everything is smooth, so that
    finite differences hold.
    """
    size, width = int(np.prod(shape)), 6

    def layer(key, into, out):
        return {'kernel': jax.random.normal(key, (into, out)) / into**0.5, 'bias': jnp.zeros((out,))}

    def linear(p, x):
        return x.astype(dtype) @ p['kernel'].astype(dtype) + p['bias'].astype(dtype)[None]

    def g_init(key, z, label):
        a, b = jax.random.split(key)
        return {'mapping': layer(a, latent, width), 'synthesis': layer(b, width, size)}

    def mapping(params, aux, z, label):
        w = jnp.tanh(linear(params['mapping'], getattr(z, 'z', z)))
        return jnp.repeat(w[:, None], styles, axis=1)

    def synthesis(params, aux, w, latents=None):
        flat = jnp.tanh(linear(params['synthesis'], jnp.mean(w, axis=1)))
        return flat.astype(jnp.float32).reshape(-1, *shape)

    def d_init(key, x, label):
        a, b, c = jax.random.split(key, 3)
        return {'hidden': layer(a, size, width), 'logit': layer(b, width, 1), 'class': layer(c, width, 3)}

    def judge(params, x, label):
        h = jnp.tanh(linear(params['hidden'], x.reshape(x.shape[0], -1)))
        logits = linear(params['logit'], h)[:, 0].astype(jnp.float32)
        entropy = -jax.nn.log_softmax(linear(params['class'], h).astype(jnp.float32))[:, 0]
        return Verdict(logits, entropy)

    def generate(params, z, label):
        return synthesis(params, {}, mapping(params, {}, z, label))

    generator = from_functions(g_init, generate)._replace(mapping=mapping, synthesis=synthesis)
    return generator, from_functions(d_init, judge)
