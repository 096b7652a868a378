"""A convolution in groups as products of matrices, batched over the groups, one for each place in the kernel.

Accelerators' libraries run the weight gradient of groups much slower than of a dense convolution. This is the form that it is compared with.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.bench.machine import program_facts
from jaxgan.ops import cpu, plain
from jaxgan.ops.geometry import Geometry

KERNEL = 3
GROUP = 16  # features
DIRECTIONS = ('forward', 'input', 'weight')


def shifted(x: Any, groups: int) -> list[Any]:
    """List what each place of a 3x3 kernel sees of x [B, H, W, C], zeros outside: [B, H, W, groups, C / groups] each."""
    n, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = [padded[:, i : i + height, j : j + width] for i in range(KERNEL) for j in range(KERNEL)]
    return [part.reshape(n, height, width, groups, -1) for part in seen]


def conv(x: Any, w: Any, groups: int) -> Any:
    """Convolve x [B, H, W, C] with w [3, 3, C / groups, O]: the sum over places of one product a group."""
    c = w.shape[2]
    kernels = w.reshape(KERNEL**2, c, groups, -1)
    parts = [
        jnp.einsum('bhwgc,cgo->bhwgo', part, kernel)
        for part, kernel in zip(shifted(x, groups), kernels, strict=True)
    ]
    return functools.reduce(jnp.add, parts).reshape(*x.shape[:3], -1)


def transposed(y: Any, w: Any, groups: int) -> Any:
    """Apply the adjoint of ``conv`` in x: the convolution with the mirrored kernel, its features exchanged."""
    kernel = w[::-1, ::-1].reshape(KERNEL, KERNEL, w.shape[2], groups, -1)
    kernel = jnp.moveaxis(kernel, 4, 2).swapaxes(3, 4)  # [3, 3, o, groups, c]
    return conv(y, kernel.reshape(KERNEL, KERNEL, kernel.shape[2], -1), groups)


def weight_gradient(x: Any, y: Any, groups: int) -> Any:
    """Apply the adjoint of ``conv`` in w: for each place one product a group."""
    out = y.reshape(*y.shape[:3], groups, -1)
    parts = [jnp.einsum('bhwgc,bhwgo->cgo', part, out) for part in shifted(x, groups)]
    return jnp.stack(parts).reshape(KERNEL, KERNEL, parts[0].shape[0], -1)


def forms(groups: int) -> dict[str, dict[str, Callable]]:
    """Name the ways to do each of the three maps: the library's, groups merged to blocks, products for each place."""
    geometry = Geometry(1, ((1, 1), (1, 1)), groups)
    maps = {
        'library': (plain.conv, plain.transposed, plain.weight_gradient),
        'merged': (cpu.conv, cpu.transposed, cpu.weight_gradient),
    }
    found = {
        name: {d: functools.partial(f, geometry=geometry) for d, f in zip(DIRECTIONS, maps, strict=True)}
        for name, maps in maps.items()
    }
    places = (conv, transposed, weight_gradient)
    found['places'] = {
        d: functools.partial(f, groups=groups) for d, f in zip(DIRECTIONS, places, strict=True)
    }
    return found


class Grouped:
    """One compiled map of a 3x3 convolution in groups of 16 features; each call runs it once."""

    steps = 1

    def __init__(self, form: str, direction: str, batch: int, size: int, features: int, dtype: str):
        """Draw the operands and compile."""
        groups = features // GROUP
        keys = jax.random.split(jax.random.key(0))
        images = (batch, size, size, features)
        second = images if direction == 'weight' else (KERNEL, KERNEL, GROUP, features)
        self.operands = tuple(
            jax.random.normal(key, shape).astype(dtype)
            for key, shape in zip(keys, (images, second), strict=True)
        )
        self.program = jax.jit(forms(groups)[form][direction]).lower(*self.operands).compile()

    def __call__(self) -> Any:
        """Run it."""
        return self.program(*self.operands)

    def facts(self) -> dict[str, Any]:
        """Tell its operations, as XLA counts them, and the memory that it needs."""
        return program_facts(self.program)
