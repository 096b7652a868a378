"""The three maps, and sums of squares, as compiled kernels on CPU (``csrc``), and which form of them a program gets.

Nothing here builds or loads: ``jaxgan.kernels.enable()`` does, and a process that never calls it runs the XLA forms.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgan.ops import cpu
from jaxgan.ops.geometry import Geometry

MAPS = ('jaxgan_conv', 'jaxgan_conv_transposed', 'jaxgan_conv_weight_gradient')
TARGETS = {'float32': (*MAPS, 'jaxgan_squares'), 'bfloat16': MAPS}
FEW_FEATURES = 8  # a strided transpose to so few features fills a vector badly: XLA's overlap-add is faster

# 'xla': formulations that XLA runs fast on each platform. 'native': compiled kernels on CPU, where they serve.
# 'portable': the library's own convolution, for an export that must run without jaxgan.
# A part of the key of jit's cache: a program traced under one form is traced again under another.
form = jax.make_user_context('xla')


def portable() -> Any:
    """Trace convolutions as the library's own within this context: for ``jax.export``, ONNX, and comparisons.

    >>> import jax, jax.numpy as jnp
    >>> from jaxgan.ops import conv, portable
    >>> with portable():
    ...     print(jax.make_jaxpr(conv)(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1))).eqns[0].primitive)
    conv_general_dilated
    """
    return form('portable')


def uncompiled() -> Any:
    """Trace convolutions as XLA's forms, each platform's own, within this context: no kernel of this process is called."""
    return form('xla')


def register(dtype: str, library: ctypes.CDLL) -> None:
    """Make a loaded library's kernels for one type of numbers known to XLA, once a process."""
    for target in TARGETS[dtype]:
        name = f'{target}_{dtype}'
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform='cpu')


def no_kernels(dtype: str) -> bool:
    """Say that there are none for a type, as long as ``jaxgan.kernels`` has not been asked for any."""
    return False


# dtype -> whether there are kernels, which may have to be built first; ``jaxgan.kernels`` sets it
compute: Callable[[str], bool] = no_kernels


def serves(target: str, x: Any, w: Any, y: Any, geometry: Geometry) -> bool:
    """Say whether there are kernels, faster than XLA's forms, for images x, kernel w and result y."""
    c, o = x.shape[3] // geometry.groups, y.shape[3] // geometry.groups
    if (c, o) == (1, 1) or not compute(str(w.dtype)):
        return False
    return not (target == 'jaxgan_conv_transposed' and geometry.stride > 1 and x.shape[3] <= FEW_FEATURES)


def conv(x: Any, w: Any, geometry: Geometry, shape: tuple[int, ...]) -> Any:
    """Convolve x [B, H, W, C] with w [kh, kw, C/groups, O] to ``shape`` [B, h, w, O]."""
    kernel, wider = _merge(w, geometry, x.shape[3], shape[3])
    return _call('jaxgan_conv', x, kernel, wider, shape)


def transposed(y: Any, w: Any, geometry: Geometry, shape: tuple[int, ...]) -> Any:
    """Apply the adjoint of ``conv`` in x to y [B, h, w, O]: ``shape`` [B, H, W, C]."""
    kernel, wider = _merge(w, geometry, shape[3], y.shape[3])
    return _call('jaxgan_conv_transposed', y, kernel, wider, shape)


def weight_gradient(x: Any, y: Any, geometry: Geometry, shape: tuple[int, ...]) -> Any:
    """Apply the adjoint of ``conv`` in w to y [B, h, w, O]: ``shape`` [kh, kw, C/groups, O]."""
    merged = _merged(geometry, x.shape[3], y.shape[3])
    kh, kw, i, o = shape
    wider = geometry._replace(groups=geometry.groups // merged)
    w = _call('jaxgan_conv_weight_gradient', x, y, wider, (kh, kw, merged * i, o))
    return w if merged == 1 else cpu.diagonal_blocks(w, wider.groups, merged)


def squares(*arrays: Any) -> Any:
    """Add up the squares of all numbers of arrays of float32."""
    call: Callable = jax.ffi.ffi_call('jaxgan_squares_float32', jax.ShapeDtypeStruct((), np.float32))
    return call(*arrays)


def _merge(w: Any, geometry: Geometry, inputs: int, outputs: int) -> tuple[Any, Geometry]:
    """Join narrow groups into blocks that fill a vector, zero outside their diagonals; mirrored kernels alike."""
    merged = _merged(geometry, inputs, outputs)
    if merged == 1:
        return w, geometry
    wider = geometry._replace(groups=geometry.groups // merged)
    return cpu.block_diagonal(w, wider.groups, merged), wider


def _merged(geometry: Geometry, inputs: int, outputs: int) -> int:
    return cpu.merged(geometry.groups, inputs // geometry.groups, outputs // geometry.groups)


def _call(target: str, a: Any, b: Any, geometry: Geometry, shape: tuple[int, ...]) -> Any:
    (top, _), (left, _) = geometry.padding
    call: Callable = jax.ffi.ffi_call(f'{target}_{a.dtype}', jax.ShapeDtypeStruct(shape, a.dtype))
    sizes = {
        'stride': geometry.stride,
        'top': top,
        'left': left,
        'groups': geometry.groups,
        'mirrored': geometry.mirrored,
    }
    return call(a, b, **{name: np.int64(value) for name, value in sizes.items()})
