"""Make a ``Network`` from what you have: a Flax Linen module, or plain functions.

This is the one place outside ``models/`` that knows Flax; whoever holds Equinox, Haiku or NNX networks writes a
few lines like these.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax

from jaxgan.spectral import spectral_norm as spectral_norm
from jaxgan.types import Network


def from_linen(module: nn.Module) -> Network:
    """Make a network from a Flax Linen module.

    Args:
        module: its ``__call__`` takes the inputs and a keyword ``train``: whether to use and update batch
            statistics (``True``), or to use the running ones (``False``). Its methods ``mapping`` and ``synthesis``,
            where it has them, become the network's. Its features are what its innermost layers return, by their path.

    Returns:
        A network whose ``aux`` holds every collection of variables besides ``params``.
    """

    def init(key: Any, *inputs: Any) -> tuple[Any, Any]:
        variables = module.init(key, *inputs, train=True)
        return variables['params'], {name: tree for name, tree in variables.items() if name != 'params'}

    def apply(params: Any, aux: Any, *inputs: Any) -> tuple[Any, Any]:
        output, updated = module.apply({'params': params, **aux}, *inputs, train=True, mutable=list(aux))
        return output, {**aux, **updated}

    def infer(params: Any, aux: Any, *inputs: Any) -> Any:
        return module.apply({'params': params, **aux}, *inputs, train=False)

    def method(name: str) -> Callable | None:
        if not hasattr(type(module), name):
            return None
        return lambda params, aux, *inputs: module.apply({'params': params, **aux}, *inputs, method=name)

    def features(params: Any, aux: Any, *inputs: Any) -> dict[str, Any]:
        return seen(params, aux, *inputs, train=False)

    def style_features(params: Any, aux: Any, w: Any) -> dict[str, Any]:
        return seen(params, aux, w, method='synthesis')

    def seen(params: Any, aux: Any, *inputs: Any, **options: Any) -> dict[str, Any]:
        variables = {'params': params, **aux}
        _, found = module.apply(
            variables, *inputs, capture_intermediates=True, mutable=['intermediates'], **options
        )
        return dict(_layers(found['intermediates']))

    by_style = style_features if hasattr(type(module), 'synthesis') else None
    return Network(init, apply, infer, method('mapping'), method('synthesis'), features, by_style)


def _layers(seen: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """List what layers returned, by their place, the innermost of those that stand in each other only."""
    for name, value in seen.items():
        if isinstance(value, tuple):
            continue
        inner = f'{path}/{name}' if path else name
        if any(isinstance(child, Mapping) for child in value.values()):
            yield from _layers(value, inner)
        elif '__call__' in value and hasattr(value['__call__'][0], 'shape'):
            yield inner, value['__call__'][0]


def from_functions(init: Callable, apply: Callable) -> Network:
    """Make a network from ``init(key, *inputs) -> params`` and ``apply(params, *inputs) -> output``.

    >>> import jax, jax.numpy as jnp
    >>> critic = from_functions(
    ...     lambda key, x, label: {'w': jax.random.normal(key, (2,))}, lambda p, x, label: x @ p['w'])
    >>> params, aux = critic.init(jax.random.key(0), jnp.ones((4, 2)), None)
    >>> critic.infer(params, aux, jnp.ones((4, 2)), None).shape
    (4,)
    """
    return Network(
        init=lambda key, *inputs: (init(key, *inputs), {}),
        apply=lambda params, aux, *inputs: (apply(params, *inputs), aux),
        infer=lambda params, aux, *inputs: apply(params, *inputs),
    )


def remat(network: Network, policy: Callable | None = None) -> Network:
    """Keep only a network's inputs for its backward pass, and compute what lies between again there.

    The gradients are the same, of every order, for about one more forward pass each. One checkpoint around a whole
    network frees its memory while *other* networks are differentiated; to lower the peak of its own backward pass,
    wrap its blocks (``jax.checkpoint``, ``nn.remat``, or ``remat=True`` of the R3GAN models). XLA:CPU merges what is
    computed twice unless compiled with ``{'xla_disable_hlo_passes': 'cse_barrier_expander'}``.

    Args:
        network: whose ``init`` and ``infer`` stay as they are.
        policy: of ``jax.checkpoint_policies``, for what to keep besides the inputs.

    References:
        Chen et al. 2016, Training deep nets with sublinear memory cost, arXiv 1604.06174.
    """
    return network._replace(apply=jax.checkpoint(network.apply, policy=policy))
