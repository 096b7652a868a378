"""Placement: which devices hold which part of the state and of a batch. The step knows no mesh; XLA communicates.

A set of rules says it: patterns over the names of the state's leaves (``g/params/Conv_0/kernel``), each with a function
that gives the leaf's ``PartitionSpec``. Means over a batch are global means, so any number of devices computes what one
computes, whatever the rules.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.checkpoints.manifest import named_leaves
from jaxgan.errors import InputError, unknown
from jaxgan.types import Key, Network, Sampler

AXIS = 'data'
SMALL = 2**10  # numbers: a leaf of fewer is not worth splitting

Rule = tuple[str, Callable[[Any, Mesh], PartitionSpec]]
"""A regular expression that a leaf's whole name must match, and ``(leaf, mesh) -> PartitionSpec``."""


def whole(leaf: Any, mesh: Any) -> PartitionSpec:
    """Give every device a whole copy."""
    del leaf, mesh
    return PartitionSpec()


def largest_axis(leaf: Any, mesh: Any) -> PartitionSpec:
    """Split the largest axis that divides over the devices; leaves without one, and small ones, stay whole.

    >>> import jax
    >>> kernel = jax.ShapeDtypeStruct((3, 3, 64, 512), 'float32')
    >>> tuple(largest_axis(kernel, data_mesh(1, devices=jax.devices()[:1])))
    (None, None, None, 'data')
    """
    fitting = [axis for axis, size in enumerate(leaf.shape) if size % mesh.size == 0]
    if not fitting or np.prod(leaf.shape) < SMALL:
        return PartitionSpec()
    axis = max(fitting, key=lambda axis: (leaf.shape[axis], axis))
    return PartitionSpec(*[None] * axis, AXIS)


class Sharding(NamedTuple):
    """How a training is placed on its devices."""

    state: tuple[Rule, ...] = (('.*', whole),)
    """The first rule whose pattern matches a leaf's name decides."""
    batch: bool = True
    """Split batches over the devices; otherwise each computes the whole batch."""


SHARDINGS: Mapping[str, Sharding] = MappingProxyType(
    {
        'data': Sharding(),
        'fsdp': Sharding((('.*', largest_axis),)),
        'replicated': Sharding(batch=False),
    }
)
"""Data parallel; data parallel with parameters, optimizer and average split, too; and everything whole everywhere."""


def choose(name: str) -> Sharding:
    """Return the sharding of a name.

    Raises:
        InputError: there is none.
    """
    if name not in SHARDINGS:
        raise unknown('sharding', name, SHARDINGS)
    return SHARDINGS[name]


def data_mesh(batch_size: int, microbatches: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """Make a mesh with one axis, ``data``, of all devices of all processes, or of those given.

    Raises:
        InputError: the (micro)batch does not divide over the devices.
    """
    devices = jax.devices() if devices is None else devices
    if (batch_size // microbatches) % len(devices):
        raise InputError(
            f'batch_size {batch_size} in {microbatches} microbatches does not divide over {len(devices)} devices'
        )
    # Auto: with the default, Explicit, reshapes of a sharded batch are errors
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def check_groups(group: int, batch_size: int, microbatches: int, devices: int) -> None:
    """Check that the samples that a discriminator compares lie on one device, all of them.

    Raises:
        InputError: the groups do not divide a device's part of the (micro)batch.
    """
    part = batch_size // microbatches // devices
    if group > 1 and devices > 1 and part % group:
        raise InputError(
            f'groups of {group} samples do not divide the {part} that each of {devices} devices has of batch_size '
            f'{batch_size} in {microbatches} microbatches: take a group that does (--model.d-deviation-group), a larger '
            'batch, fewer devices, or --sharding replicated'
        )


def places(tree: Any, sharding: Sharding, mesh: Mesh) -> Any:
    """Apply rules to a tree: the ``NamedSharding`` of each leaf, in the tree's structure.

    Raises:
        InputError: a leaf matches no rule, or a rule splits an axis that does not divide.
    """
    named = {
        name: NamedSharding(mesh, _spec(name, leaf, sharding, mesh))
        for name, leaf in named_leaves(tree).items()
    }
    return jax.tree.unflatten(jax.tree.structure(tree), list(named.values()))


def _spec(name: str, leaf: Any, sharding: Sharding, mesh: Mesh) -> PartitionSpec:
    for pattern, choose_spec in sharding.state:
        if re.fullmatch(pattern, name):
            spec = choose_spec(leaf, mesh)
            sizes = zip(spec, leaf.shape, strict=False)
            if len(spec) > len(leaf.shape) or any(part and size % mesh.size for part, size in sizes):
                raise InputError(
                    f'sharding rule {pattern!r}: {spec} does not fit {name} {list(leaf.shape)} on {mesh.size} devices'
                )
            return spec
    raise InputError(
        f'no sharding rule matches {name} (patterns: {", ".join(rule[0] for rule in sharding.state)})'
    )


def bytes_per_device(tree: Any, shardings: Any) -> int:
    """Count the bytes that one device holds of a tree of arrays (or shapes) in these shardings."""
    return sum(
        int(np.prod(place.shard_shape(leaf.shape))) * leaf.dtype.itemsize
        for leaf, place in zip(jax.tree.leaves(tree), jax.tree.leaves(shardings), strict=True)
    )


def split_latents(latents: Sampler, mesh: Mesh) -> Sampler:
    """Split what is drawn over the devices, so that samples made of it are made where they are needed.

    XLA finds that by itself only where a loss pairs real and fake samples. A number of latents that does not divide over
    the devices stays whole.
    """

    def drawn(key: Key, n: int) -> Any:
        z = latents(key, n)
        return z if n % mesh.size else jax.lax.with_sharding_constraint(z, split(mesh))

    return drawn


def whole_parameters(network: Network, mesh: Mesh) -> Network:
    """Gather a network's parameters where it uses them, so that its work is split like the batch and not like them.

    Left to itself XLA may split a product along the parameters' axis, and gather activations instead.
    """

    def gathering(function: Callable | None) -> Any:
        if function is None:
            return None
        return lambda params, *rest: function(
            jax.lax.with_sharding_constraint(params, replicated(mesh)), *rest
        )

    apply, mapping, synthesis = map(gathering, (network.apply, network.mapping, network.synthesis))
    return network._replace(apply=apply, mapping=mapping, synthesis=synthesis)


def keep_places(step: Callable, places: Any) -> Callable:
    """Give the state that a step returns its places again: a loop over steps may otherwise choose others."""

    def placed(state: Any, batch: Any) -> Any:
        state, metrics = step(state, batch)
        return jax.lax.with_sharding_constraint(state, places), metrics

    return placed


def replicated(mesh: Mesh) -> NamedSharding:
    """Place a whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Split an axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))
