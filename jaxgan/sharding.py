"""Data parallelism by placement: the step knows no mesh, XLA inserts the communication.

Parameters are replicated, batches are split over the devices. Means over a batch are global means, so any number
of devices computes what one computes.
"""

from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.errors import InputError
from jaxgan.types import Key, Sampler


def data_mesh(batch_size: int, microbatches: int = 1) -> Mesh:
    """Make a mesh of all devices with one axis, ``data``.

    Raises:
        InputError: the (micro)batch does not divide over the devices.
    """
    devices = jax.devices()
    if (batch_size // microbatches) % len(devices):
        raise InputError(
            f'batch_size {batch_size} in {microbatches} microbatches does not divide over {len(devices)} devices'
        )
    # Auto: with the default, Explicit, reshapes of a sharded batch are errors
    return jax.make_mesh((len(devices),), ('data',), axis_types=(AxisType.Auto,))


def split_latents(latents: Sampler, mesh: Mesh) -> Sampler:
    """Split what is drawn over the devices, so that samples made of it are made where they are needed.

    XLA finds that by itself only where a loss pairs real and fake samples. A number of latents that does not divide over
    the devices stays whole.
    """

    def drawn(key: Key, n: int) -> Any:
        z = latents(key, n)
        return z if n % mesh.size else jax.lax.with_sharding_constraint(z, split(mesh))

    return drawn


def replicated(mesh: Mesh) -> NamedSharding:
    """Place a whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Split an axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, 'data'))
