"""Spectral normalization: a wrapper that any ``Network`` can wear."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.types import Network

SPECTRAL = 'spectral_norm'
"""Where the vectors stand in a network's aux."""


def spectral_norm(
    network: Network, iterations: int = 1, eps: float | int = 1e-12, names: Sequence[str] = ('kernel',)
) -> Network:
    """Divide a network's kernels by their largest singular values: ``W / s``, ``s = v' W u``.

    W is a kernel as a matrix [inputs, outputs], its last axis the outputs. Each ``apply`` takes so many steps of power
    iteration, ``v = W u / |W u|``, then ``u = W' v / |W' v|``, whose u it keeps in ``aux['spectral_norm']``; ``infer``
    takes v from the u it finds and keeps nothing. u and v count as constants, s as a function of W. A kernel of zeros
    stays as it is, undivided. Averaged parameters get an u of their own as they get batch statistics.

    Args:
        network: whose ``aux`` is a dict.
        iterations: steps in an ``apply``; the paper takes 1, since kernels change little from one to the next.
        eps: singular values and lengths up to this count as 0.
        names: of the parameters that are divided, those of rank 2 or more: ``'kernel'`` of the layers here,
            ``'embedding'`` of tables of classes.

    Raises:
        InputError: ``iterations`` is not positive; in ``init``: there is no such parameter.

    References:
        Miyato et al. 2018, Spectral normalization for GANs, arXiv 1802.05957, equation 8, appendix A (algorithm 1).
    """
    if iterations < 1:
        raise InputError(f'spectral_norm: iterations {iterations} must be at least 1')

    def init(key: Any, *inputs: Any) -> tuple[Any, Any]:
        params, aux = network.init(key, *inputs)
        return params, {**aux, SPECTRAL: _first_vectors(jax.random.fold_in(key, 1), params, names)}

    def divided(params: Any, vectors: Any, steps: int) -> tuple[Any, Any]:
        found = _named_kernels(params, names)
        pairs = {path: _divide(kernel, _at(vectors, path), steps, eps) for path, kernel in found.items()}
        new = jax.tree_util.tree_map_with_path(lambda path, leaf: pairs.get(_words(path), (leaf,))[0], params)
        return new, _nested({path: u for path, (_, u) in pairs.items()})

    def split(aux: Any) -> tuple[Any, Any]:
        return {name: tree for name, tree in aux.items() if name != SPECTRAL}, aux[SPECTRAL]

    def apply(params: Any, aux: Any, *inputs: Any) -> tuple[Any, Any]:
        rest, vectors = split(aux)
        params, vectors = divided(params, vectors, iterations)
        output, rest = network.apply(params, rest, *inputs)
        return output, {**rest, SPECTRAL: vectors}

    def trained(function: Callable | None) -> Callable | None:
        def call(params: Any, aux: Any, *inputs: Any) -> Any:
            rest, vectors = split(aux)
            assert function is not None
            return function(divided(params, vectors, 0)[0], rest, *inputs)

        return None if function is None else call

    return network._replace(
        init=init,
        apply=apply,
        infer=trained(network.infer),
        mapping=trained(network.mapping),
        synthesis=trained(network.synthesis),
        features=trained(network.features),
        style_features=trained(network.style_features),
    )


def _divide(kernel: Any, u: Any, steps: int, eps: float) -> tuple[Any, Any]:
    """Return ``kernel / s`` and the u after so many steps."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    fixed, dot = jax.lax.stop_gradient(matrix), functools.partial(jnp.dot, precision='highest')
    u = jax.lax.stop_gradient(u)
    v = _unit(dot(fixed, u), eps)
    for left in reversed(range(steps)):
        towards = dot(v, fixed)
        u = jnp.where(jnp.linalg.norm(towards) > eps, _unit(towards, eps), u)  # of zeros: the u it had
        v = _unit(dot(fixed, u), eps) if left else v
    sigma = dot(dot(v, matrix), u)
    return kernel / jnp.where(sigma > eps, sigma, jnp.ones_like(sigma)), u


def _unit(vector: Any, eps: float) -> Any:
    return vector / jnp.maximum(jnp.linalg.norm(vector), eps)


def _first_vectors(key: Any, params: Any, names: Sequence[str]) -> Any:
    found = _named_kernels(params, names)
    if not found:
        raise InputError(f'spectral_norm found no parameter named {" or ".join(names)} of rank 2 or more')
    keys = jax.random.split(key, len(found))
    draws = {
        path: _unit(jax.random.normal(k, kernel.shape[-1:], kernel.dtype), 1e-12)
        for k, (path, kernel) in zip(keys, sorted(found.items()), strict=True)
    }
    return _nested(draws)


def _words(path: Any) -> tuple[str, ...]:
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in path)


def _named_kernels(params: Any, names: Sequence[str]) -> dict[tuple[str, ...], Any]:
    leaves = [(_words(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)]
    return {path: leaf for path, leaf in leaves if path[-1] in names and leaf.ndim >= 2}


def _nested(leaves: dict[tuple[str, ...], Any]) -> dict:
    """Make nested dicts of leaves by path: what checkpoints and exports name."""
    tree: dict = {}
    for path, leaf in leaves.items():
        node = functools.reduce(lambda node, name: node.setdefault(name, {}), path[:-1], tree)
        node[path[-1]] = leaf
    return tree


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    return functools.reduce(lambda node, name: node[name], path, tree)
