"""Every map equals XLA's own convolution: value, gradient, gradient of a penalty, forward over reverse."""

import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from jaxgan.errors import InputError
from jaxgan.ops import blur2d, conv, conv_transpose, cpu, dense, downsample2d, norm, plain, upsample2d
from jaxgan.ops.geometry import Geometry

DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
QUICK = {
    'xla_backend_optimization_level': 0,
    'xla_llvm_disable_expensive_passes': True,
}  # half the time to compile


def array(*shape, seed=0, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def lax_conv(x, w, *, stride=1, padding=0, groups=1):
    sides = ((padding, padding), (padding, padding)) if isinstance(padding, int) else padding
    return lax.conv_general_dilated(
        x, w, (stride, stride), sides, dimension_numbers=DIMENSIONS, feature_group_count=groups
    )


def lax_transpose(x, w, **options):
    return lax.conv_transpose(x, w, **options, dimension_numbers=DIMENSIONS)


def penalty(f, x, w):
    """R1 on the critic sum(tanh(f))."""
    return jnp.sum(jax.grad(lambda x: jnp.sum(jnp.tanh(f(x, w))))(x) ** 2)


def derivatives(f):
    """Value, gradient, gradient of a penalty, forward over reverse: all in one program, which compiles once."""

    def grad(x, w):
        return jax.grad(lambda x, w: jnp.sum(jnp.sin(f(x, w))), argnums=(0, 1))(x, w)

    def everything(x, w, tangents):
        return {
            'value': f(x, w),
            'grad': grad(x, w),
            'penalty': jax.grad(lambda x, w: penalty(f, x, w), argnums=(0, 1))(x, w),
            'forward over reverse': jax.jvp(grad, (x, w), tangents)[1],
        }

    return jax.jit(everything, compiler_options=QUICK)


def assert_close(got, want, tolerance=1e-5):
    """Compare trees relative to the largest entry of each leaf."""
    named, other = jax.tree_util.tree_leaves_with_path(got), jax.tree.leaves(want)
    assert len(named) == len(other)
    for (path, a), b in zip(named, other, strict=True):
        assert a.shape == b.shape, (path, a.shape, b.shape)
        assert a.dtype == b.dtype, (path, a.dtype, b.dtype)
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max(), path


def check_against(f, reference, x, w):
    tangents = (array(*x.shape, seed=2), array(*w.shape, seed=3))
    with jax.default_matmul_precision('highest'):
        assert_close(derivatives(f)(x, w, tangents), derivatives(reference)(x, w, tangents))


CASES = {  # (batch, height, width, channels), (kh, kw, channels / groups, features), stride, padding, groups
    'pointwise': ((2, 4, 4, 12), (1, 1, 12, 3), 1, 0, 1),
    'pointwise stride 2': ((2, 5, 4, 9), (1, 1, 9, 10), 2, 0, 1),
    'even same': ((2, 5, 4, 3), (2, 2, 3, 10), 1, 'SAME', 1),
    '3x3 from few': ((2, 5, 4, 3), (3, 3, 3, 10), 1, 1, 1),
    '3x3 to few': ((2, 5, 4, 40), (3, 3, 40, 3), 1, 'SAME', 1),
    '3x3 narrow': ((2, 4, 5, 12), (3, 3, 12, 10), 1, 1, 1),
    '3x3 wide': ((2, 4, 4, 36), (3, 3, 36, 40), 1, 1, 1),
    '3x3 more padding than kernel': ((1, 3, 3, 9), (3, 3, 9, 9), 1, ((3, 0), (1, 4)), 1),
    '3x3 stride 2 odd': ((2, 7, 6, 9), (3, 3, 9, 12), 2, 'SAME', 1),
    '4x4 stride 2': ((2, 8, 6, 3), (4, 4, 3, 40), 2, 1, 1),
    '5x3 stride 2 asymmetric': ((2, 7, 8, 9), (5, 3, 9, 4), 2, ((2, 1), (0, 3)), 1),
    '3x3 groups': ((2, 4, 4, 24), (3, 3, 12, 48), 1, 1, 2),
    '3x3 merged groups': ((2, 4, 4, 24), (3, 3, 4, 24), 1, 1, 6),
    '4x4 groups stride 2': ((2, 6, 6, 8), (4, 4, 4, 16), 2, 1, 2),
    'depthwise valid': ((2, 4, 4, 6), (4, 4, 1, 6), 1, 'VALID', 6),
    'depthwise stride 2': ((2, 7, 6, 6), (3, 3, 1, 6), 2, ((2, 1), (1, 3)), 6),
    'depthwise multiplied': ((2, 4, 4, 6), (3, 3, 1, 12), 1, 1, 6),
}


@pytest.mark.parametrize('name', CASES)
def test_conv_equals_lax_to_every_order(name):
    x_shape, w_shape, stride, padding, groups = CASES[name]
    options = {'stride': stride, 'padding': padding, 'groups': groups}
    check_against(
        lambda x, w: conv(x, w, **options),
        lambda x, w: lax_conv(x, w, **options),
        array(*x_shape),
        array(*w_shape),
    )


@pytest.mark.parametrize(
    ('kernel', 'stride', 'features', 'padding'),
    [(4, 2, 3, 'SAME'), (4, 2, 12, 1), (3, 2, 12, 'VALID'), (1, 2, 3, 'SAME'), (3, 1, 12, 'SAME')],
)
def test_conv_transpose_equals_lax_to_every_order(kernel, stride, features, padding):
    x, w = array(2, 4, 3, 10), array(kernel, kernel, 10, features)
    lax_padding = 'SAME' if padding == 1 else padding
    check_against(
        lambda x, w: conv_transpose(x, w, stride=stride, padding=padding),
        lambda x, w: lax_transpose(x, w, strides=(stride, stride), padding=lax_padding),
        x,
        w,
    )


def test_large_overlap_add_becomes_a_convolution(monkeypatch):
    x, w = array(2, 3, 4, 9), array(4, 4, 9, 10)
    small = conv_transpose(x, w, stride=2)
    monkeypatch.setattr(dense, 'LARGE', 0)
    text = jax.jit(lambda x, w: conv_transpose(x, w, stride=2)).lower(x, w).as_text()
    large = jax.jit(lambda x, w: conv_transpose(x, w, stride=2))(x, w)
    assert 'stablehlo.convolution' in text
    assert_close(large, small)


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('kernel', [1, 2, 3, 4, 5])
def test_parameters_exchange_with_flax(kernel, stride, padding):
    """The same kernel gives the same images as ``nn.Conv`` and ``nn.ConvTranspose``: nothing is flipped."""
    x, w = array(1, 5, 4, 9), array(kernel, kernel, 9, 9)
    size = {
        'kernel_size': (kernel, kernel),
        'strides': (stride, stride),
        'padding': padding,
        'use_bias': False,
    }
    cases = {'conv': (nn.Conv, conv), 'conv_transpose': (nn.ConvTranspose, conv_transpose)}

    def both(x, w):
        flax = {
            n: m(9, **size).apply({'params': {'kernel': w}}, x) for n, (m, _) in cases.items() if kernel <= 4
        }
        ours = {n: f(x, w, stride=stride, padding=padding) for n, (_, f) in cases.items() if kernel <= 4}
        return ours, flax

    assert_close(*jax.jit(both)(x, w))


def test_conv_transpose_is_the_adjoint_of_a_conv():
    """<conv(a, v), x> = <a, conv_transpose(x, w)>, with v = w flipped and its features exchanged, in each group."""
    a, x, w = array(2, 7, 8, 4), array(2, 4, 4, 6), array(3, 4, 3, 4)
    options = {'stride': 2, 'padding': ((1, 1), (0, 2)), 'groups': 2}
    v = jnp.concatenate([w[::-1, ::-1, :, i : i + 2].swapaxes(2, 3) for i in (0, 2)], axis=3)
    forward = jnp.vdot(lax_conv(a, v, **options), x)
    back = jnp.vdot(a, conv_transpose(x, w, **options, shape=(7, 8)))
    np.testing.assert_allclose(forward, back, rtol=1e-5)


def test_conv_transpose_doubles_the_size():
    assert conv_transpose(array(1, 4, 6, 3), array(4, 4, 3, 5), stride=2, padding=1).shape == (1, 8, 12, 5)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['4x4 stride 2', '3x3 merged groups', 'depthwise valid'])
def test_bfloat16_is_within_two_percent_of_float32(name):
    """Of the largest entry; one rounding to bfloat16 is 0.4 percent, and a gradient of a gradient rounds several times."""
    x_shape, w_shape, stride, padding, groups = CASES[name]
    x, w = array(*x_shape, dtype=jnp.bfloat16), array(*w_shape, dtype=jnp.bfloat16) * 0.05

    def f(x, w):
        return conv(x, w, stride=stride, padding=padding, groups=groups)

    def both(x, w):
        return f(x, w), jax.grad(lambda x, w: penalty(f, x, w), argnums=(0, 1))(x, w)

    def as_float32(tree):
        return jax.tree.map(lambda a: a.astype(jnp.float32), tree)

    low = jax.jit(both, compiler_options=QUICK)(x, w)
    assert {leaf.dtype for leaf in jax.tree.leaves(low)} == {jnp.dtype(jnp.bfloat16)}
    assert_close(as_float32(low), jax.jit(both, compiler_options=QUICK)(*as_float32((x, w))), 0.02)


def take(a, i, axis):
    return a if axis is None else jnp.take(a, i, axis)


@pytest.mark.parametrize(
    ('axes', 'stride', 'groups'), [((0, None), 2, 2), ((None, 0), 1, 1), ((None, 0), 2, 2), ((1, 2), 2, 2)]
)
def test_vmap_equals_a_loop_to_second_order(axes, stride, groups):
    shapes = [[2, 4, 4, 4], [4, 4, 4 // groups, 6]]
    x, w = (array(*s) if a is None else array(*s[:a], 3, *s[a:]) for s, a in zip(shapes, axes, strict=True))
    options = {'stride': stride, 'padding': 1, 'groups': groups}

    def one(f):
        return lambda x, w: (f(x, w), jax.grad(lambda x, w: penalty(f, x, w), argnums=(0, 1))(x, w))

    got = jax.jit(jax.vmap(one(lambda x, w: conv(x, w, **options)), axes), compiler_options=QUICK)(x, w)
    reference = jax.jit(one(lambda x, w: lax_conv(x, w, **options)), compiler_options=QUICK)
    each = [reference(take(x, i, axes[0]), take(w, i, axes[1])) for i in range(3)]
    assert_close(got, jax.tree.map(lambda *leaves: jnp.stack(leaves), *each))


@pytest.mark.slow
@pytest.mark.parametrize('axes', [(0, None), (None, 0), (1, 2)])
@pytest.mark.parametrize('groups', [1, 2])
def test_vmap_of_a_transposed_convolution_equals_a_loop_to_second_order(axes, groups):
    shapes = [[2, 3, 4, 4], [4, 4, 4 // groups, 6]]
    x, w = (array(*s) if a is None else array(*s[:a], 3, *s[a:]) for s, a in zip(shapes, axes, strict=True))

    def one(x, w):
        def f(x, w):
            return conv_transpose(x, w, stride=2, groups=groups)

        return f(x, w), jax.grad(lambda x, w: penalty(f, x, w), argnums=(0, 1))(x, w)

    got = jax.jit(jax.vmap(one, axes), compiler_options=QUICK)(x, w)
    reference = jax.jit(one, compiler_options=QUICK)
    each = [reference(take(x, i, axes[0]), take(w, i, axes[1])) for i in range(3)]
    assert_close(got, jax.tree.map(lambda *leaves: jnp.stack(leaves), *each))


def networks(x, w, v):
    """A critic of every kind of convolution: stride 2, groups, depthwise, and a transposed one."""
    h = jnp.tanh(conv(x, w, stride=2, padding=1))
    h = jnp.tanh(conv(h, v, padding=1, groups=4))
    h = jnp.tanh(conv_transpose(h, w.swapaxes(2, 3), stride=2))
    return conv(h, v[:, :, :1, :3], padding=1, groups=3)


NETWORK_SHAPES = ((2, 8, 8, 3), (4, 4, 3, 16), (3, 3, 4, 16))


def test_second_derivatives_on_cpu_use_only_fast_convolutions():
    """XLA:CPU is 5-100 times slower with dilated inputs, with groups, and, in loops, with any other layout."""
    grad = jax.grad(lambda x, *w: penalty(lambda x, w: networks(x, *w), x, w), argnums=(1, 2))
    lowered = jax.jit(grad).lower(*[array(*s) for s in NETWORK_SHAPES])
    layouts = set(re.findall(r'dim_numbers = (.*?->\[.*?\])', lowered.as_text()))
    assert layouts == {'[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]'}
    compiled = lowered.compile().as_text()
    assert 'convolution' in compiled
    assert 'lhs_dilate' not in compiled
    assert 'feature_group_count' not in compiled


def test_other_platforms_run_plain_convolutions():
    shapes = [jax.ShapeDtypeStruct(s, jnp.float32) for s in NETWORK_SHAPES]
    text = jax.export.export(jax.jit(networks), platforms=['tpu'])(*shapes).mlir_module()
    assert text.count('stablehlo.convolution') == 4
    assert 'stablehlo.dot_general' not in text


def test_plain_adjoints_equal_the_fast_ones():
    """What accelerators run, here on CPU: groups, stride 2, asymmetric padding, a last row that is never read."""
    geometry = Geometry(2, ((1, -1), (2, 1)), 2)
    x, w = array(2, 7, 5, 8), array(3, 4, 4, 4)
    y = plain.conv(x, w, geometry)

    def both(module):
        return (
            module.conv(x, w, geometry),
            module.transposed(y, w, geometry),
            module.weight_gradient(x, y, geometry),
        )

    assert_close(*jax.jit(lambda: (both(cpu), both(plain)))())


def test_precision_is_that_of_the_callers_context():
    with jax.default_matmul_precision('highest'):
        (equation,) = jax.make_jaxpr(conv)(array(1, 4, 4, 2), array(3, 3, 2, 2)).eqns
    assert equation.params['precision'] == 'highest'


def test_exported_program_equals_the_original():
    args = [array(*s) for s in NETWORK_SHAPES]
    exported = jax.export.export(jax.jit(networks), platforms=['cpu', 'cuda', 'tpu'])(*args)
    assert_close(exported.call(*args), jax.jit(networks)(*args))
    assert 'custom_call' not in exported.mlir_module()  # nothing that another machine would lack


def test_scan_equals_a_loop():
    x, w = array(1, 4, 4, 4), array(2, 3, 3, 4, 4) * 0.3

    def layer(x, w):
        return jnp.tanh(conv(x, w, padding=1)), None

    def gradient(f):
        return jax.jit(jax.grad(lambda x, w: penalty(f, x, w), argnums=(0, 1)), compiler_options=QUICK)

    scanned = gradient(lambda x, w: lax.scan(layer, x, w)[0])
    unrolled = gradient(lambda x, w: layer(layer(x, w[0])[0], w[1])[0])
    assert_close(scanned(x, w), unrolled(x, w))


def filtered(x, up):
    """Resample by the definition: zeros between, the filter of 4 x 4, every second pixel."""
    kernel = jnp.outer(jnp.array([1.0, 3, 3, 1]), jnp.array([1.0, 3, 3, 1])) / 64 * (4 if up else 1)
    kernel = jnp.broadcast_to(kernel[:, :, None, None], (4, 4, 1, x.shape[-1]))
    if up:
        x = lax.pad(x, 0.0, [(0, 0, 0), (0, 1, 1), (0, 1, 1), (0, 0, 0)])
    stride, padding = (1, ((2, 1), (2, 1))) if up else (2, ((1, 1), (1, 1)))
    return lax_conv(x, kernel, stride=stride, padding=padding, groups=x.shape[-1])


def test_resampling_equals_its_definition():
    x = array(2, 4, 6, 3)
    up, down = jax.jit(lambda x: (upsample2d(x), downsample2d(x)))(x)
    assert up.shape == (2, 8, 12, 3)
    assert_close((up, down), jax.jit(lambda x: (filtered(x, up=True), filtered(x, up=False)))(x))


@pytest.mark.parametrize('padding', [1, 2])
def test_smoothing_equals_its_definition(padding):
    x = array(2, 5, 6, 3)
    kernel = jnp.outer(jnp.array([1.0, 3, 3, 1]), jnp.array([1.0, 3, 3, 1])) / 64
    kernel = jnp.broadcast_to(kernel[:, :, None, None], (4, 4, 1, 3))
    found = jax.jit(blur2d, static_argnums=1)(x, padding)
    assert found.shape == (2, 5 + 2 * padding - 3, 6 + 2 * padding - 3, 3)
    assert_close(found, jax.jit(lambda x: lax_conv(x, kernel, stride=1, padding=padding, groups=3))(x))


def test_upsampling_is_four_times_the_adjoint_of_downsampling():
    x, y = array(2, 8, 4, 3), array(2, 4, 2, 3)
    down, up = jax.jit(lambda x, y: (downsample2d(x), upsample2d(y)))(x, y)
    np.testing.assert_allclose(4 * jnp.vdot(down, y), jnp.vdot(x, up), rtol=1e-5)


def test_resampling_keeps_bfloat16_and_refuses_odd_sizes():
    x = array(1, 4, 4, 2, dtype=jnp.bfloat16)
    up, down = jax.eval_shape(lambda x: (upsample2d(x), downsample2d(x)), x)
    assert up.dtype == down.dtype == jnp.bfloat16
    with pytest.raises(InputError, match='5 x 4'):
        downsample2d(array(1, 5, 4, 2))


@pytest.mark.parametrize(
    ('x', 'w', 'options', 'message'),
    [
        ((1, 4, 4, 6), (3, 3, 4, 8), {}, r'6 channels.*\(3, 3, 4, 8\)'),
        ((1, 4, 4, 6), (3, 3, 3, 8), {'groups': 3}, '6 channels.*3 groups'),
        ((1, 4, 4, 6), (3, 3, 2, 8), {'groups': 3}, '8 output channels.*3 groups'),
        ((1, 4, 4, 6), (3, 3, 6, 8), {'stride': 0}, 'stride 0'),
        ((1, 4, 4, 6), (3, 3, 6, 8), {'padding': -1}, 'padding -1'),
        ((1, 4, 4, 6), (3, 3, 6, 8), {'padding': 'FULL'}, "padding 'FULL'"),
    ],
)
@pytest.mark.parametrize('function', [conv, conv_transpose])
def test_wrong_sizes_are_named(function, x, w, options, message):
    with pytest.raises(InputError, match=message):
        function(array(*x), array(*w), **options)


def test_impossible_sizes_are_named():
    with pytest.raises(InputError, match=r'kernel size 5 .* 0 \+ 4 \+ 0'):
        conv(array(1, 4, 4, 2), array(5, 5, 2, 2))
    with pytest.raises(InputError, match=r'\(9, 8\) becomes \(4, 4\)'):
        conv_transpose(array(1, 4, 4, 2), array(4, 4, 2, 2), stride=2, padding=0, shape=(9, 8))
    with pytest.raises(InputError, match='bfloat16'):
        conv(array(1, 4, 4, 2, dtype=jnp.bfloat16), array(1, 1, 2, 2))


def test_the_norm_of_a_tree_equals_optax_to_second_order():
    tree = {'w': array(2, 5, 7), 'b': array(2, 3, seed=1)}
    one = jax.tree.map(lambda leaf: leaf[0], tree)

    @functools.partial(jax.jit, static_argnums=0)
    def found(norm):
        def slope(tree):
            return jax.grad(lambda tree: norm(tree) ** 3)(tree)

        batched = jax.vmap(norm)(tree), jax.vmap(norm, ({'w': 0, 'b': None},))(tree | {'b': one['b']})
        return norm(one), slope(one), jax.jvp(slope, (one,), (one,)), batched

    assert_close(found(norm), found(optax.tree.norm))


def test_norms_are_float32_of_what_is_finite():
    halves = array(5, 7).astype(jnp.bfloat16)
    assert norm(halves).dtype == jnp.float32
    assert float(norm(halves)) == pytest.approx(float(jnp.linalg.norm(halves.astype(jnp.float32))))
    assert norm({}) == 0.0
    assert jnp.isnan(norm([jnp.array([1.0, jnp.nan])])) and jnp.isinf(norm([jnp.array([-jnp.inf])]))
