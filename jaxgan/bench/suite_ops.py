"""Suite ``ops``: one convolution at a time, in its three directions, at the shapes of DCGAN and R3GAN."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxgan.bench.session import Row, Session, measure
from jaxgan.ops import conv, conv_transpose

DIRECTIONS = ('forward', 'input', 'weight')


@dataclasses.dataclass(frozen=True)
class Op:
    """A convolution, or a transposed one, of ``size`` to ``size // stride`` or ``size * stride`` pixels a side."""

    name: str
    size: int
    features: tuple[int, int]
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1
    transposed: bool = False

    def flops(self, batch: int) -> float:
        """Count multiplications and additions, those of padding too; the same in every direction."""
        side = (
            self.size if self.transposed else (self.size + 2 * self.padding - self.kernel) // self.stride + 1
        )
        into, out = self.features
        return 2.0 * batch * side**2 * self.kernel**2 * into * out / self.groups


def _halving(name: str, size: int, into: int, out: int) -> Op:
    return Op(name, size, (into, out), 4, 2)


def _doubling(name: str, size: int, into: int, out: int) -> Op:
    return Op(name, size, (into, out), 4, 2, transposed=True)


OPS = (
    _halving('c1', 64, 3, 64),
    _halving('c2', 32, 64, 128),
    _halving('c3', 16, 128, 256),
    _halving('c4', 8, 256, 512),
    Op('c5', 4, (512, 1), 4, 1, 0),
    Op('t1', 1, (100, 512), 4, 1, 0, transposed=True),
    _doubling('t2', 4, 512, 256),
    _doubling('t3', 8, 256, 128),
    _doubling('t4', 16, 128, 64),
    _doubling('t5', 32, 64, 3),
    Op('r32', 32, (128, 128)),
    Op('r16', 16, (256, 256)),
    Op('r8', 8, (512, 512)),
    Op('w32', 32, (64, 64)),
    Op('g32', 32, (256, 256), groups=16),
    Op('d32', 32, (256, 256), groups=256),
)
NAMES = tuple(op.name for op in OPS)
QUICK = ('c2', 't4', 'r16', 'g32')


def run(session: Session) -> Iterator[Row]:
    """Measure each op in each direction and dtype."""
    batch = 16 if session.quick else 64
    for op in OPS:
        if not session.wants(op.name, quickly=op.name in QUICK):
            continue
        for dtype in ('float32',) if session.quick else ('float32', 'bfloat16'):
            for direction in DIRECTIONS:
                yield one(session, op, direction, batch, dtype)
    session.tell_left_out([name for name in NAMES if name not in QUICK])


def one(session: Session, op: Op, direction: str, batch: int, dtype: str) -> Row:
    """Measure one direction of one op."""
    shape = dataclasses.asdict(op)
    name = shape.pop('name')
    case = {'kind': 'conv', **shape, 'direction': direction, 'batch': batch, 'dtype': dtype}
    layouts = {'channels last': {'channels_last': True}, 'contiguous': {'channels_last': False}}
    if session.quick:
        layouts.pop('contiguous')
    row = measure(
        session,
        f'{name} {direction} {dtype}',
        call_of(op, direction, batch, dtype),
        case=case,
        variants=layouts,
        batch=batch,
        shape=shape,
    )
    flops = op.flops(batch)
    row['gflops_per_s'] = flops / row['ours']['median'] / 1e6
    if 'ratio' in row:
        row['peer_gflops_per_s'] = row['gflops_per_s'] / row['ratio']
    return row


def call_of(op: Op, direction: str, batch: int, dtype: str) -> Callable[[], Any]:
    """Make a compiled call of one direction, with its arguments."""
    into, out = op.features
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (batch, op.size, op.size, into)).astype(dtype)
    w = jax.random.normal(keys[1], (op.kernel, op.kernel, into // op.groups, out)).astype(dtype)

    def apply(x: Any, w: Any) -> Any:
        operation = conv_transpose if op.transposed else conv
        return operation(x, w, stride=op.stride, padding=op.padding, groups=op.groups)

    shape = jax.eval_shape(apply, x, w)
    y = jax.random.normal(keys[2], shape.shape).astype(dtype)
    # bilinear: the gradient in one argument is the other's transpose
    functions: dict[str, Any] = {
        'forward': lambda x, w, y: apply(x, w),
        'input': lambda x, w, y: jax.vjp(lambda x: apply(x, w), x)[1](y)[0],
        'weight': lambda x, w, y: jax.vjp(lambda w: apply(x, w), w)[1](y)[0],
    }
    function = jax.jit(functions[direction])
    return lambda: function(x, w, y)
