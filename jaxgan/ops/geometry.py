"""Paddings and sizes of a convolution along its two spatial axes.

A padding is *exact* if every padded row is read: ``H + low + high = (h - 1) stride + k``. With exact paddings any two
of (input size H, output size h, kernel size k) determine the third, so that a convolution, its transpose and its
weight gradient share one set of parameters. ``high`` is negative where the last rows are never read.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxgan.errors import InputError

Sides = tuple[tuple[int, int], tuple[int, int]]  # ((low, high) of rows, (low, high) of columns)


class Geometry(NamedTuple):
    """The parameters that a convolution and its two adjoints share."""

    stride: int
    padding: Sides  # exact
    groups: int
    mirrored: bool = False  # the kernel is stored as its transpose's: [kh, kw, O/groups, C], flipped

    def output_size(self, size: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
        """Compute ``h = (H + low + high - k) / stride + 1``."""
        axes = zip(size, kernel, self.padding, strict=True)
        return tuple((n + lo + hi - k) // self.stride + 1 for n, k, (lo, hi) in axes)

    def input_size(self, size: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
        """Compute ``H = (h - 1) stride + k - low - high``."""
        axes = zip(size, kernel, self.padding, strict=True)
        return tuple((n - 1) * self.stride + k - lo - hi for n, k, (lo, hi) in axes)

    def kernel_size(self, size: Sequence[int], output: Sequence[int]) -> tuple[int, ...]:
        """Compute ``k = H + low + high - (h - 1) stride``."""
        axes = zip(size, output, self.padding, strict=True)
        return tuple(n + lo + hi - (m - 1) * self.stride for n, m, (lo, hi) in axes)


def conv_padding(padding: Any, size: Sequence[int], kernel: Sequence[int], stride: int) -> Sides:
    """Make the exact padding of a convolution from what the user wrote.

    Args:
        padding: ``'SAME'`` (output size ``ceil(H / stride)``), ``'VALID'``, an int, or ``((low, high), (low, high))``.
        size: (H, W) of the input.
        kernel: (kh, kw).
        stride: of both axes.

    >>> conv_padding(1, (8, 8), (3, 3), 2)
    ((1, 0), (1, 0))
    """
    sides = []
    for n, k, (lo, hi) in zip(size, kernel, _sides(padding, size, kernel, stride), strict=True):
        if n + lo + hi < k:
            raise InputError(f'kernel size {k} exceeds the padded input: {lo} + {n} + {hi}')
        output = (n + lo + hi - k) // stride + 1
        sides.append((lo, (output - 1) * stride + k - n - lo))
    return sides[0], sides[1]


def transpose_padding(
    padding: Any, size: Sequence[int], kernel: Sequence[int], stride: int, shape: Sequence[int] | None
) -> Sides:
    """Make the exact padding of the convolution that maps ``shape`` to ``size``, and whose transpose maps back.

    Args:
        padding: of that convolution, as for ``conv_padding``.
        size: (H, W) of the input of the transposed convolution.
        kernel: (kh, kw).
        stride: of both axes.
        shape: (H, W) of the result; None for ``stride H`` with ``'SAME'``, ``(H - 1) stride + max(k, stride)`` with
            ``'VALID'``, the smallest that fits with numbers.

    >>> transpose_padding('SAME', (4, 4), (4, 4), 2, None)
    ((1, 1), (1, 1))
    """
    if shape is None and padding == 'SAME':
        shape = [n * stride for n in size]
    elif shape is None and padding == 'VALID':
        shape = [(n - 1) * stride + max(k, stride) for n, k in zip(size, kernel, strict=True)]
    elif shape is None:
        sides = _sides(padding, size, kernel, stride)
        shape = [(n - 1) * stride + k - lo - hi for n, k, (lo, hi) in zip(size, kernel, sides, strict=True)]
    exact = conv_padding(padding, shape, kernel, stride) if min(shape) >= 1 else None
    if exact is None or Geometry(stride, exact, 1).output_size(shape, kernel) != tuple(size):
        how = f'kernel {tuple(kernel)}, stride {stride} and padding {padding!r}'
        raise InputError(f'no image of size {tuple(shape)} becomes {tuple(size)} by {how}')
    return exact


def _sides(padding: Any, size: Sequence[int], kernel: Sequence[int], stride: int) -> Sides:
    if padding == 'SAME':
        total = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(size, kernel, strict=True)]
        (a, b) = ((t // 2, t - t // 2) for t in total)
        return a, b
    if padding == 'VALID':
        return (0, 0), (0, 0)
    try:
        (a, b), (c, d) = [(padding, padding)] * 2 if isinstance(padding, int) else padding
        valid = all(isinstance(p, int) and p >= 0 for p in (a, b, c, d))
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise InputError(
            f"padding {padding!r} must be 'SAME', 'VALID', an int of at least 0 or ((low, high), (low, high))"
        )
    return (a, b), (c, d)
