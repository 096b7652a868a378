"""The compiled kernels equal XLA's convolution to every order; without a compiler, everything runs as before."""

import functools
import os
import re
import subprocess
import sys

import jax
import jax.export
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from test_ops import CASES, NETWORK_SHAPES, QUICK, array, assert_close, check_against, lax_conv, networks

from jaxgan import kernels
from jaxgan.making.jaxfile import export
from jaxgan.making.programs import Program
from jaxgan.ops import conv, conv_transpose, native, norm, plain, portable
from jaxgan.ops.geometry import Geometry, conv_padding
from jaxgan.ops.primitives import mirror

pytestmark = pytest.mark.slow  # each compiles programs with and without the kernels

MAPS = ('conv', 'transposed', 'weight_gradient')


@pytest.fixture(scope='module', autouse=True)
def loaded():
    """Build the kernels for this machine; one that cannot must say so in ``.ci/run``, not skip."""
    assert kernels.load('float32').enabled
    native.compute = lambda dtype: kernels.load(dtype).enabled


def test_a_program_for_elsewhere_calls_no_kernel():
    """What this process has enabled cannot be serialized."""
    x, w = array(2, 8, 8, 4), array(3, 3, 4, 8, seed=1)
    program = Program(lambda weights, x: conv(x, weights['w']), {'x': ((8, 8, 4), 'float32')}, 'y')
    with native.form('native'):
        loaded = jax.export.deserialize(bytearray(export(program, {'w': np.asarray(w)})))
    assert_close(loaded.call({'w': w}, x), conv(x, w))


def sizes(batch, height, width, channels, kernel, features, stride, padding, groups):
    """Random images, kernel and result of a convolution, and its geometry."""
    geometry = Geometry(stride, conv_padding(padding, (height, width), kernel, stride), groups)
    x, w = array(batch, height, width, channels), array(*kernel, channels // groups, features, seed=1)
    shape = (batch, *geometry.output_size((height, width), kernel), features)
    return x, w, array(*shape, seed=2), geometry


# What the kernels treat apart: padding skipped tap by tap (16 images or more), panels that end within a tap, blocks
# that end within a row, groups read in place and groups copied, results narrower than a vector, phases without a tap.
SHAPES = {
    'skipped padding': (16, 4, 4, 64, (4, 4), 40, 2, 1, 1),
    'skipped padding, odd': (17, 5, 3, 80, (3, 3), 33, 1, 1, 1),
    'deep': (2, 4, 4, 600, (3, 3), 20, 1, 1, 1),
    'many pixels': (3, 13, 11, 5, (3, 3), 7, 1, 1, 1),
    'wide kernel': (2, 9, 8, 3, (5, 3), 70, 2, ((2, 1), (0, 2)), 1),
    'phases without a tap': (2, 7, 7, 8, (2, 2), 8, 3, 0, 1),
    'pointwise': (2, 6, 6, 130, (1, 1), 65, 1, 0, 1),
    'few pixels, kernels in place': (1, 4, 4, 300, (3, 3), 64, 1, 1, 1),
    'few pixels, stride 2': (1, 8, 8, 32, (4, 4), 64, 2, 1, 1),
    'groups of 16': (3, 9, 8, 64, (3, 3), 64, 1, 1, 4),
    'groups of 16, stride 2': (3, 8, 8, 32, (4, 4), 32, 2, 1, 2),
    'groups of 16 to 32': (2, 6, 7, 32, (3, 3), 64, 1, 1, 2),
    'groups of 40': (2, 5, 5, 80, (3, 3), 80, 1, 1, 2),
    'groups of 4': (2, 6, 5, 24, (3, 3), 24, 1, 1, 6),
    'groups of 3 to 5': (2, 6, 5, 9, (3, 3), 15, 1, 1, 3),
    # Products of fewer multiplications: kernels of two and three taps a phase, tiles beyond the edge, panels that end
    # within a phase, columns in several blocks and filled up to a tile, padding of each side, several groups of a panel.
    'two taps, stride 2': (8, 16, 14, 32, (4, 4), 48, 2, 1, 1),
    'two taps, stride 2, odd results': (3, 26, 22, 16, (4, 4), 32, 2, 1, 1),
    'two taps, stride 1': (3, 13, 11, 16, (2, 2), 32, 1, ((1, 0), (0, 1)), 1),
    'two taps, stride 3': (2, 24, 36, 16, (6, 6), 16, 3, ((2, 2), (1, 3)), 1),
    'two taps, deep and wide': (17, 8, 8, 272, (4, 4), 304, 2, 1, 1),
    'three taps': (2, 13, 11, 32, (3, 3), 48, 1, 1, 1),
    'three taps, uneven padding': (3, 12, 9, 48, (3, 3), 16, 1, ((2, 1), (0, 2)), 1),
    'three taps, stride 2': (4, 12, 20, 16, (6, 6), 32, 2, 2, 1),
    'three taps, deep': (4, 8, 8, 528, (3, 3), 16, 1, 1, 1),
    'tiles in groups of 16': (3, 9, 8, 320, (3, 3), 320, 1, 1, 20),
    'tiles in groups, stride 2': (8, 8, 16, 96, (4, 4), 192, 2, 1, 6),
    'tiles in groups of 272': (4, 8, 8, 544, (3, 3), 96, 1, 1, 2),
}


@functools.cache
def compiled(name, dtype):
    x, w, y, geometry = sizes(*SHAPES[name])
    operands = {'conv': (x, w, y), 'transposed': (y, w, x), 'weight_gradient': (x, y, w)}

    def mirrored(name, a, b, shape):
        """The same map on a mirrored kernel, or giving one."""
        other, groups = geometry._replace(mirrored=True), geometry.groups
        if name != 'weight_gradient':
            return getattr(native, name)(a, mirror(b, groups), other, shape)
        kh, kw, i, o = shape
        return mirror(native.weight_gradient(a, b, other, (kh, kw, o // groups, i * groups)), groups)

    def both(operands):
        got = {m: getattr(native, m)(a, b, geometry, out.shape) for m, (a, b, out) in operands.items()}
        again = {m: mirrored(m, a, b, out.shape) for m, (a, b, out) in operands.items()}
        exact = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), operands)
        want = {m: getattr(plain, m)(a, b, geometry, 'highest') for m, (a, b, _) in exact.items()}
        return {'plain': got, 'mirrored': again}, {'plain': want, 'mirrored': want}

    return jax.jit(both, compiler_options=QUICK)(jax.tree.map(lambda leaf: leaf.astype(dtype), operands))


@pytest.mark.parametrize('name', SHAPES)
def test_each_map_equals_plain_lax(name):
    assert_close(*compiled(name, jnp.float32), 3e-6)


@pytest.mark.parametrize(
    'name',
    [
        'skipped padding',
        'deep',
        'few pixels, kernels in place',
        'few pixels, stride 2',
        'groups of 16',
        'groups of 3 to 5',
        'many pixels',
    ],
)
def test_bfloat16_is_the_float32_result_rounded_once(name):
    """Sums are float32: what differs from the exact result is one rounding, 2^-8 at most."""
    if not native.compute('bfloat16'):
        pytest.skip(kernels.load('bfloat16').reason)
    got, exact = compiled(name, jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {jnp.dtype('bfloat16')}
    assert_close(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), got), exact, 2**-8)


@pytest.mark.parametrize(
    'name', ['two taps, stride 2', 'two taps, deep and wide', 'three taps', 'tiles in groups of 16']
)
def test_bfloat16_with_fewer_multiplications_rounds_three_times(name):
    """The transforms of both operands and the result: 2^-7 of the largest, and 0.6% of the root mean square."""
    if not native.compute('bfloat16'):
        pytest.skip(kernels.load('bfloat16').reason)
    got, exact = compiled(name, jnp.bfloat16)
    got = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), got)
    assert_close(got, exact, 2**-7)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(exact), strict=True):
        assert jnp.sqrt(jnp.mean((a - b) ** 2) / jnp.mean(b**2)) < 0.006


def test_rounding_to_bfloat16_ties_to_even_and_keeps_nan_and_infinity():
    if not native.compute('bfloat16'):
        pytest.skip(kernels.load('bfloat16').reason)
    values = jnp.asarray([1 + 2**-8, 1 + 3 * 2**-8, 3e38, jnp.inf, jnp.nan, -0.0, 1e-40, 257.0], jnp.float32)
    high = values.astype(jnp.bfloat16)
    low = jnp.where(jnp.isfinite(values), values - high.astype(jnp.float32), 0).astype(jnp.bfloat16)
    x = (
        jnp.stack([high, low], -1).reshape(8, 1, 1, 2).repeat(8, 0)
    )  # the two products add up to the value again
    out = native.conv(
        x, jnp.ones((1, 1, 2, 1), jnp.bfloat16), Geometry(1, ((0, 0), (0, 0)), 1), (64, 1, 1, 1)
    )
    want = (high.astype(jnp.float32) + low.astype(jnp.float32)).astype(jnp.bfloat16).repeat(8)
    np.testing.assert_array_equal(out.reshape(-1).astype(jnp.float32)[:48], want.astype(jnp.float32)[:48])
    np.testing.assert_array_equal(out.reshape(-1).astype(jnp.float32)[56:], want.astype(jnp.float32)[56:])


@pytest.mark.parametrize('name', ['3x3 wide', '4x4 stride 2', '3x3 merged groups', '5x3 stride 2 asymmetric'])
def test_derivatives_of_every_order_run_on_the_kernels(name, monkeypatch):
    monkeypatch.setattr(native, 'FEW_FEATURES', 0)
    x_shape, w_shape, stride, padding, groups = CASES[name]
    options = {'stride': stride, 'padding': padding, 'groups': groups}
    with native.form('native'):
        check_against(
            lambda x, w: conv(x, w, **options),
            lambda x, w: lax_conv(x, w, **options),
            array(*x_shape),
            array(*w_shape),
        )


def test_the_norm_of_a_tree_is_exact_to_six_digits():
    """Of arrays smaller than a vector, of several parts with a rest, of no element, and of none at all."""
    tree = [array(70_001), array(3), jnp.float32(-2.0), array(0, 4), array(64, 1024, seed=1) * 1e3]
    want = np.sqrt(sum(np.sum(np.square(np.asarray(leaf, np.float64))) for leaf in tree))
    with native.form('native'):
        lowered = jax.jit(norm).lower(tree)
        assert lowered.as_text().count('@jaxgan_squares_float32') == 1
        assert float(lowered.compile()(tree)) == pytest.approx(want, rel=1e-6)
        assert jnp.isnan(jax.jit(norm)([jnp.full(40_000, 1.0).at[39_999].set(jnp.nan)]))
        assert jnp.isinf(jax.jit(norm)([jnp.full(40_000, 1e30)]))
        mixed = jax.jit(norm).lower([array(3), array(3).astype(jnp.bfloat16)])
    assert '@jaxgan_squares' not in mixed.as_text()
    with portable():
        assert '@jaxgan_squares' not in jax.jit(norm).lower(tree).as_text()


def program(form):
    shapes = [
        jax.ShapeDtypeStruct(s, jnp.float32) for s in ((64, *NETWORK_SHAPES[0][1:]), *NETWORK_SHAPES[1:])
    ]
    with native.form(form):
        return jax.jit(networks).lower(*shapes).as_text()


def test_a_context_chooses_the_form_and_jit_does_not_mix_them_up():
    assert program('native').count('@jaxgan_conv') >= 2
    assert '@jaxgan_conv' not in program('xla')
    assert program('portable').count('stablehlo.convolution') == 4


def test_portable_programs_export_and_native_ones_are_refused():
    args = [array(64, *NETWORK_SHAPES[0][1:]), *[array(*s) for s in NETWORK_SHAPES[1:]]]
    with native.form('native'), pytest.raises(ValueError, match='jaxgan_conv'):
        jax.export.export(jax.jit(networks))(*args)
    with portable():
        exported = jax.export.export(jax.jit(networks), platforms=['cpu', 'cuda', 'tpu'])(*args)
    assert 'custom_call' not in exported.mlir_module()
    assert_close(exported.call(*args), jax.jit(networks)(*args))


def test_portable_traces_to_lax_alone():
    """What ONNX converters can read: no primitive of ours, also in derivatives."""

    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for inner in jax.extend.core.jaxprs_in_params(equation.params):
                yield from names(inner)

    def gradient(*args):
        return jax.grad(lambda *a: jnp.sum(networks(*a) ** 2), argnums=(0, 1, 2))(*args)

    with portable():
        found = set(names(jax.make_jaxpr(gradient)(*[array(*s) for s in NETWORK_SHAPES]).jaxpr))
    assert 'conv_general_dilated' in found
    assert not {name for name in found if name.startswith('jaxgan')}


def test_portable_transposed_convolution_equals_the_usual_one():
    x, w = array(2, 4, 3, 10), array(4, 4, 10, 12)
    usual = conv_transpose(x, w, stride=2)
    with portable():
        assert_close(conv_transpose(x, w, stride=2), usual)


def test_vmap_over_images_and_kernels_equals_a_loop():
    x, w = array(3, 8, 6, 6, 16), array(3, 3, 3, 16, 16)
    with native.form('native'):
        text = jax.jit(jax.vmap(lambda x, w: conv(x, w, padding=1))).lower(x, w).as_text()
        got = jax.vmap(lambda x, w: conv(x, w, padding=1))(x, w)
    assert '@jaxgan_conv' in text
    assert_close(got, jnp.stack([lax_conv(a, b, padding=1) for a, b in zip(x, w, strict=True)]))


def test_a_program_for_several_devices_keeps_what_xla_can_partition():
    class Context:
        class module_context:
            class axis_context:
                num_devices = 8

    from jaxgan.ops import primitives

    assert primitives._devices(Context) == 8


def fresh(monkeypatch, **environment):
    monkeypatch.delenv('JAXGAN_KERNELS', raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(kernels, '_load', functools.cache(kernels._load.__wrapped__))
    monkeypatch.setattr(native, 'compute', native.no_kernels)
    kernels.enable.cache_clear()
    try:
        return kernels.enable()
    finally:
        kernels.enable.cache_clear()
        native.form.set_global('xla')


@pytest.mark.parametrize(
    ('environment', 'reason'),
    [
        ({'JAXGAN_KERNELS': 'off'}, 'switched off by JAXGAN_KERNELS'),
        ({'PATH': '', 'CXX': ''}, r'no C\+\+ compiler was found \(c\+\+, g\+\+, clang\+\+, or CXX\)'),
        ({'CXX': 'false'}, 'false failed'),
    ],
)
def test_without_kernels_the_reason_is_said_and_nothing_is_raised(monkeypatch, tmp_path, environment, reason):
    found = fresh(monkeypatch, XDG_CACHE_HOME=str(tmp_path), **environment)
    assert not found.enabled
    assert re.search(reason, found.reason)
    assert not list(tmp_path.rglob('*.so'))


def test_a_compilers_error_is_said_and_not_where_it_was_included(monkeypatch, tmp_path):
    compiler = tmp_path / 'cxx'
    says = ('In file included from a.cc:1:', 'b.h:2: error: no such type', 'c.h:3: error: another')
    compiler.write_text(
        '\n'.join(
            [
                '#!/bin/sh',
                '[ "$1" = --version ] && echo 1 && exit',
                *(f"echo '{line}' >&2" for line in says),
                'exit 1',
            ]
        )
    )
    compiler.chmod(0o755)
    found = fresh(monkeypatch, XDG_CACHE_HOME=str(tmp_path), CXX=str(compiler))
    assert found == (False, 'cxx failed: b.h:2: error: no such type')


def test_kernels_for_a_type_are_built_when_it_is_first_computed(monkeypatch, tmp_path):
    known = []
    monkeypatch.setattr(native, 'register', lambda dtype, library: known.append(dtype))
    assert fresh(monkeypatch, XDG_CACHE_HOME=str(tmp_path)).enabled
    assert known == ['float32']
    assert [path.name.split('-')[0] for path in tmp_path.rglob('*.so')] == ['float32']
    native.compute('bfloat16')
    assert native.compute('float32')
    assert not native.compute('float64')
    assert known == ['float32', 'bfloat16']
    assert sorted(path.name.split('-')[0] for path in tmp_path.rglob('*.so')) == ['bfloat16', 'float32']


def test_a_cache_folder_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / 'file').write_text('')
    found = fresh(monkeypatch, XDG_CACHE_HOME=str(tmp_path / 'file'))
    assert not found.enabled
    assert 'file' in found.reason


REPEATABLE = """
import sys, jax, numpy as np
from jaxgan import kernels
from jaxgan.ops import conv, norm
assert kernels.enable().enabled
def f(x, w, v):
    return conv(jax.numpy.tanh(conv(x, w, padding=1)), v, padding=1, groups=2)
random = np.random.default_rng(0)
x, w, v = (random.standard_normal(s, np.float32) for s in ((33, 9, 9, 64), (3, 3, 64, 32), (3, 3, 16, 32)))
gradient = jax.grad(lambda *a: jax.numpy.sum(f(*a) ** 2), argnums=(0, 1, 2))
found = jax.jit(gradient)(x, w, v)
print([hash(np.asarray(leaf).tobytes()) for leaf in (*found, jax.jit(norm)((*found, x)))])
"""


@pytest.mark.multiprocess
def test_results_do_not_depend_on_the_number_of_threads():
    def run(flags):
        env = os.environ | {'XLA_FLAGS': flags, 'JAXGAN_KERNELS': '', 'PYTHONHASHSEED': '0'}
        return subprocess.run(
            [sys.executable, '-c', REPEATABLE], env=env, check=True, capture_output=True, text=True
        ).stdout

    assert run('--xla_cpu_multi_thread_eigen=true') == run('--xla_cpu_multi_thread_eigen=false')
