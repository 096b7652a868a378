"""Penalties on the trained player's parameters: one value for all samples."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.types import Keys, Samples, Scalar


def orthogonal(
    critic: Any, real: Samples, fake: Samples, keys: Keys, *, names: Sequence[str] = ('kernel',)
) -> Scalar:
    """Penalize filters that are not orthogonal: the sum over kernels of ``||W' W * (1 - I)||^2``.

    W is a kernel as a matrix [inputs, outputs], its last axis the outputs (of a convolution, inputs = taps x
    features). Only the products of different filters count, not their lengths. A penalty of either player; the
    paper's weight, for the generator, is 1e-4.

    Args:
        critic: a ``BoundCritic``: ``critic.trained`` is the parameters of the player that is trained.
        real: not looked at.
        fake: not looked at.
        keys: not looked at.
        names: of the parameters that count; those of rank 0 and 1 never do.

    Raises:
        InputError: there is no such parameter.

    References:
        Brock et al. 2018, Large scale GAN training (BigGAN), arXiv 1809.11096, equation 3; Brock et al. 2016,
        arXiv 1609.07093, section 3.4.
    """
    leaves = jax.tree_util.tree_leaves_with_path(critic.trained)
    kernels = [
        leaf
        for path, leaf in leaves
        if leaf.ndim >= 2 and jax.tree_util.keystr(path[-1:], simple=True) in names
    ]
    if not kernels:
        raise InputError(
            f'penalty orthogonal found no parameter named {" or ".join(names)} of rank 2 or more'
        )
    return sum((_overlap(kernel) for kernel in kernels), jnp.zeros((), kernels[0].dtype))


def _overlap(kernel: Any) -> Scalar:
    matrix = kernel.reshape(-1, kernel.shape[-1])
    products = matrix.T @ matrix
    return jnp.sum(jnp.square(products - jnp.diag(jnp.diagonal(products))))
