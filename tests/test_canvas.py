"""A canvas is the generator's own image where it is that small, a torus where it tiles, and the same in any windows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import canvas, latents
from jaxgan.errors import InputError
from jaxgan.models import DCGANGenerator, MLPGenerator, R3GANGenerator, SNGANGenerator, StyleGAN2Generator
from jaxgan.networks import from_linen

Z = 6
MODELS = {
    'dcgan': DCGANGenerator(16, width=4, norm='none', refine=4),
    'r3gan': R3GANGenerator(16, widths=(8, 8, 4), groups=(2, 2, 2), blocks_per_stage=1),
    'sngan': SNGANGenerator(32, width=2),
    'stylegan2': StyleGAN2Generator(8, w_dim=6, mapping_layers=1, channel_base=64, channel_max=8),
}
NAMES = ['dcgan', *(pytest.param(name, marks=pytest.mark.slow) for name in ('stylegan2', 'r3gan', 'sngan'))]


@functools.cache
def made(name):
    """A generator with random parameters, also where training starts from zeros, and its field of 5 x 4 cells."""
    network = from_linen(MODELS[name])
    z = latents.normal(Z)(jax.random.key(1), 2)
    params, aux = jax.jit(network.init)(jax.random.key(0), z, None)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    moved = [leaf + 0.1 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, moved)
    keys = canvas.draw_keys(jax.random.key(5), range(5), range(4))
    cells = canvas.draw_latents(latents.normal(Z), keys)
    if network.mapping is not None:
        codes = network.mapping(params, aux, cells.reshape(-1, Z), None)
        return network, params, aux, np.asarray(codes).reshape(5, 4, *codes.shape[1:]), keys
    return network, params, aux, np.asarray(cells), None


def unit_of(network):
    return canvas.check_field(network).unit


def whole(name, cells=None, keys=None, window=10**6, tile=True):
    network, params, aux, own, its_keys = made(name)
    cells, keys = (own, its_keys) if cells is None else (cells, keys)
    field = canvas.check_field(network)
    size = [(n if tile else n + field.overlap) * field.unit for n in cells.shape[:2]]
    return canvas.assemble(
        canvas.paint(
            network, params, aux, cells.shape[:2], canvas.hold(cells, keys), tile=tile, window=window
        ),
        *size,
    )


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_of_one_cell_it_is_the_ordinary_image(name):
    network, params, aux, cells, _ = made(name)
    one = cells[:1, :1]
    if network.synthesis is None:
        wanted = jax.jit(network.infer)(params, aux, one[0], None)[0]
    else:
        wanted = jax.jit(network.synthesis)(params, aux, one[0])[0]
    np.testing.assert_allclose(whole(name, one, tile=False), wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_rolling_the_field_rolls_the_canvas(name):
    """By one cell: a unit of pixels, round the ends; so no place differs from another, and there is no seam."""
    network, _, _, cells, keys = made(name)
    unit = unit_of(network)
    rolled = whole(
        name,
        np.roll(cells, (1, -1), (0, 1)),
        None if keys is None else keys[np.roll(np.arange(5), 1)][:, np.roll(np.arange(4), -1)],
    )
    found = whole(name)
    assert found.std() > 0.01
    np.testing.assert_allclose(
        np.roll(found, (unit, -unit), (0, 1)), rolled, atol=1e-5 * max(1, np.abs(found).max())
    )


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('tile', [True, False])
def test_windows_do_not_show(name, tile):
    """In windows of two units, of which the last overlap others, as in one pass."""
    network = made(name)[0]
    found = whole(name, window=2 * unit_of(network), tile=tile)
    wanted = whole(name, tile=tile)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1, np.abs(wanted).max()))


def test_a_window_that_sees_too_little_shows(monkeypatch):
    """The reach is no larger than it must be, or the test above could not fail."""
    network, params, aux, cells, keys = made('dcgan')
    blind = network._replace(field=canvas.check_field(network)._replace(reach=1))
    parts = canvas.paint(blind, params, aux, (5, 4), canvas.hold(cells, keys), window=2 * unit_of(network))
    found = canvas.assemble(parts, 40, 32)
    assert np.abs(found - whole('dcgan')).max() > 1e-3


@pytest.mark.slow
def test_seams_are_as_steep_as_the_inside():
    """The mean difference of neighbours across the edges where a tiled canvas meets itself, and everywhere."""
    network, params, aux, _, _ = made('dcgan')
    keys = canvas.draw_keys(jax.random.key(9), range(24), range(24))
    cells = np.asarray(canvas.draw_latents(latents.normal(Z), keys))
    found = canvas.assemble(canvas.paint(network, params, aux, (24, 24), canvas.hold(cells)), 192, 192)
    for axis in (0, 1):
        steps = np.abs(found - np.roll(found, 1, axis)).mean(axis=(1 - axis, 2))
        phase = steps.reshape(-1, unit_of(network))[:, 0]  # the layers' own grid repeats with the unit
        assert 0.8 < phase[0] / phase[1:].mean() < 1.25


def test_a_larger_world_begins_alike():
    small, large = (canvas.draw_keys(jax.random.key(2), *map(range, size)) for size in ((2, 3), (4, 5)))
    sampler = latents.normal(Z)
    np.testing.assert_array_equal(
        canvas.draw_latents(sampler, small), canvas.draw_latents(sampler, large)[:2, :3]
    )
    assert len(np.unique(np.asarray(canvas.draw_latents(sampler, large)).reshape(20, Z), axis=0)) == 20


@pytest.mark.slow
@pytest.mark.parametrize('span', [1, 3])
def test_a_window_s_cells_are_those_of_the_field(span):
    """Bit for bit, also round the field's ends: so a window needs no other cells."""
    sampler, key, grid = latents.with_signs(Z, 2), jax.random.key(4), (5, 4)
    draw = functools.partial(canvas.draw_smooth, sampler, key, grid, span=span, signs=2)
    whole = np.asarray(draw(np.arange(5), np.arange(4)))
    rows, columns = np.arange(3, 6) % 5, np.arange(2, 8) % 4
    np.testing.assert_array_equal(draw(rows, columns), whole[rows][:, columns])


def test_no_window_asks_for_the_whole_field():
    network, params, aux, cells, keys = made('dcgan')
    held, asked = canvas.hold(np.tile(cells, (4, 4, 1)), keys), []

    def source(rows, columns):
        asked.append((len(rows), len(columns)))
        return held(rows, columns)

    parts = list(canvas.paint(network, params, aux, (20, 16), source, window=2 * unit_of(network)))
    assert len(parts) == 80 == len(asked) and len(set(asked)) == 1
    assert max(asked[0]) < 10


@pytest.mark.slow
def test_smooth_fields_stay_normal_and_periodic():
    z = latents.normal(40)(jax.random.key(0), 30 * 30).reshape(30, 30, 40)
    found = np.asarray(canvas.smooth(np.pad(z, ((2, 2), (2, 2), (0, 0)), 'wrap'), 3))
    assert abs(found.std() - 1) < 0.05
    neighbours = np.mean(found * np.roll(found, 1, 0)) / np.mean(found**2)
    assert 0.6 < neighbours < 0.95 and abs(np.mean(found * np.roll(found, 6, 0))) < 0.1
    np.testing.assert_allclose(
        canvas.smooth(np.pad(np.roll(z, 2, 1), ((2, 2), (2, 2), (0, 0)), 'wrap'), 3),
        np.roll(found, 2, 1),
        atol=1e-5,
    )
    np.testing.assert_allclose(canvas.smooth(z, 1), z, rtol=1e-6)
    signs = np.asarray(canvas.smooth(latents.with_signs(4, 2)(jax.random.key(0), 25).reshape(5, 5, 4), 2, 2))
    assert (np.abs(signs[..., 2:]) == 1).all()


@pytest.mark.slow
def test_blending_keeps_the_spread_of_independent_maps():
    """Where maps overlap, what their latents make varies as much as in one map, and what the bias makes stays in between."""
    from jaxgan.models.fields import first_map

    kernel = jax.random.normal(jax.random.key(0), (8, 4 * 4 * 3)) / jnp.sqrt(8.0)
    z = jax.random.normal(jax.random.key(1), (1, 40, 40, 8))
    found = np.asarray(first_map(lambda z: (z @ kernel).reshape(*z.shape[:-1], 4, 4, 3) + 5, z))
    assert found.shape == (1, 82, 82, 3)
    inner = found[:, 2:-2, 2:-2]
    for i in range(2):
        for j in range(2):
            assert abs(inner[:, i::2, j::2].std() - float(kernel.std()) * 8**0.5) < 0.2
    assert abs(inner.mean() - 5) < 0.1
    flat = first_map(lambda z: jnp.full((*z.shape[:-1], 4, 4, 3), 7.0), z)
    np.testing.assert_allclose(flat, 7.0, rtol=1e-5)


def test_sizes_that_cannot_tile_name_those_that_can():
    field = MODELS['dcgan'].field
    assert field.unit == 8
    assert (canvas.count_cells(field, 16, True), canvas.count_cells(field, 16, False)) == (2, 1)
    assert (canvas.count_cells(field, 17, False), canvas.count_cells(field, 3, False)) == (2, 1)
    with pytest.raises(InputError, match=r'100 pixels cannot tile.*take 96 or 104'):
        canvas.count_cells(field, 100, True)
    with pytest.raises(InputError, match=r'take 8$'):
        canvas.count_cells(field, 5, True)


def test_other_generators_are_refused():
    with pytest.raises(InputError, match='convolutional behind its first layer'):
        canvas.check_field(from_linen(MLPGenerator(16)))
