"""Data parallelism by placement: the step knows no mesh, XLA inserts the communication.

Parameters are replicated, batches are split over the devices. Means over a batch are global means, so any number
of devices computes what one computes.
"""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.errors import InputError


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


def replicated(mesh: Mesh) -> NamedSharding:
    """Place a whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Split an axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, 'data'))
