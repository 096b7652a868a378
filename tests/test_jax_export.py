"""Programs of jax.export: they sample without jaxgan, the same images, and lower for every platform."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import build
from jaxgan.errors import DamagedError, InputError, UnverifiedError
from jaxgan.export import load_export, save_export
from jaxgan.making import jaxfile
from jaxgan.making.export import export_command
from jaxgan.making.programs import make_programs, weights_of
from jaxgan.marks.watermarking import mark
from jaxgan.modelconfig import DCGAN, StyleGAN2
from jaxgan.opened import Generator, open_generator
from jaxgan.ops import native
from jaxgan.sampling import make_sampler

pytest.importorskip('flatbuffers', reason='jax.export writes with flatbuffers')

PLAIN = DCGAN(latent_dim=8, width=4, norm='none')
STYLED = StyleGAN2(latent_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)


def make_generator(model, size=16, classes=0, dtype='float32'):
    """A generator that was never trained, with a card as exports have it."""
    architecture = build.architecture(model, size, 3, classes, dtype)
    network, latents = build.build_generator(architecture), build.build_latents(architecture)
    label = np.zeros(2, np.int32) if classes else None
    params, aux = jax.jit(network.init)(jax.random.key(1), latents(jax.random.key(0), 2), label)
    card = {
        'architecture': architecture,
        'labels': [f'class {i}' for i in range(classes)],
        'data': {'name': 'toys', 'licence': 'CC0-1.0'},
        'trained': {'step': 1, 'images_seen': 8},
        'latents': {'distribution': 'normal', 'dim': 8},
        'image_range': [-1.0, 1.0],
        'layout': 'NHWC',
    }
    return Generator(params, aux, card)


@pytest.fixture(scope='module')
def found():
    return make_generator(PLAIN)


@pytest.fixture(scope='module')
def files(found):
    return jaxfile.to_programs(found)


@pytest.fixture
def source(found, tmp_path):
    return str(save_export(tmp_path / 'source', found.params, found.aux, found.card))


def test_a_program_samples_batches_of_any_size_on_any_platform(found, files):
    loaded = jax.export.deserialize(bytearray(files['sample.stablehlo']))
    assert loaded.platforms == ('cpu', 'cuda', 'tpu')
    sampler = make_sampler(found.network, found.latents, found.params, found.aux)
    wanted = mark(sampler([3, 4, 5]), found.credit()).pixels
    for n in (1, 3):
        made = np.asarray(loaded.call(weights_of(found), np.arange(3, 3 + n, dtype=np.uint32)))
        assert made.dtype == np.uint8
        assert np.abs(made.astype(int) - wanted[:n]).max() <= 1


def test_no_compiled_kernels_are_in_a_program(found):
    seen = []
    program = make_programs(found)['generator']

    def function(*given):
        seen.append(native.form.value)
        return program.function(*given)

    with native.form('native'):
        jaxfile.export(program._replace(function=function), weights_of(found))
    assert set(seen) == {'xla'}


def test_other_pixels_are_not_written(found, files):
    other = make_generator(DCGAN(latent_dim=8, width=4, norm='none', output='linear'))
    with pytest.raises(UnverifiedError, match=r'differ by \d+ of 255'):
        jaxfile.check_programs(other, files)


def test_psi_needs_styles_and_programs(source, found, tmp_path):
    with pytest.raises(InputError, match=r'psi 0\.5: this generator has no styles'):
        make_programs(found, 0.5)
    with pytest.raises(InputError, match='--format safetensors writes none'):
        export_command(source, str(tmp_path / 'out'), 'safetensors', 0.5, None, False)
    with pytest.raises(InputError, match='is an export already'):
        export_command(source, str(tmp_path / 'out'), 'safetensors', None, None, False)
    assert not (tmp_path / 'out').exists()


def test_an_export_with_programs_is_read_and_verified(found, files, tmp_path):
    folder = save_export(tmp_path / 'out', found.params, found.aux, found.card, files)
    assert open_generator(folder).digest == found.digest
    save_export(folder, found.params, found.aux, found.card, files)  # takes the place of an older one
    (folder / 'sample.stablehlo').write_bytes(files['sample.stablehlo'][:-1])
    with pytest.raises(DamagedError, match=r'sample\.stablehlo does not match its SHA-256'):
        load_export(folder)


def test_an_export_to_onnx_is_not_read(tmp_path):
    (tmp_path / 'generator.json').write_text('{}')
    (tmp_path / 'generator.onnx').write_bytes(b'')
    with pytest.raises(InputError, match='is an export to ONNX'):
        open_generator(tmp_path)


@pytest.mark.multiprocess
def test_the_folder_samples_without_jaxgan(source, found, tmp_path):
    out = tmp_path / 'out'
    assert export_command(source, str(out), 'jax', None, None, False) == 0
    code = "import sys, runpy; sys.modules['jaxgan'] = None; sys.argv = ['sample.py', *sys.argv[2:]]; runpy.run_path('sample.py', run_name='__main__')"
    seeds = [str(seed) for seed in (7, 0, 4294967295)]
    subprocess.run(
        [sys.executable, '-c', code, '-', str(tmp_path / 'images.npy'), *seeds],
        cwd=out,
        check=True,
        env=os.environ,
    )
    sampler = make_sampler(found.network, found.latents, found.params, found.aux)
    wanted = mark(sampler([7, 0, 4294967295]), found.credit()).pixels
    made = np.load(tmp_path / 'images.npy')
    assert made.shape == wanted.shape
    assert np.abs(made.astype(int) - wanted).max() <= 1
    assert 'jaxgan' not in [
        line.split()[1]
        for line in Path(out / 'sample.py').read_text().splitlines()
        if line.startswith('import')
    ]


@pytest.mark.slow
@pytest.mark.parametrize('classes', [0, 3])
def test_styles(classes):
    found = make_generator(STYLED, classes=classes)
    labels = [np.int32([2, 0])] if classes else []
    files = jaxfile.to_programs(found, 0.5)
    assert jaxfile.check_programs(found, files, 0.5) <= 1
    call = {
        name: jax.export.deserialize(bytearray(files[f'{name}.stablehlo'])).call
        for name in ('generator', 'mapping', 'synthesis')
    }
    weights, z = weights_of(found), found.latents(jax.random.key(5), 2)
    image = call['generator'](weights, z, *labels)
    w = call['mapping'](weights, z, *labels)
    np.testing.assert_allclose(call['synthesis'](weights, w), image, rtol=1e-5, atol=1e-5)
    center = found.center(found.choose_space('w')).mean
    full = np.asarray(found.network.mapping(found.params, found.aux, z, *labels))
    np.testing.assert_allclose(w, center + 0.5 * (full - center), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_bfloat16_samples_as_here():
    found = make_generator(DCGAN(latent_dim=8, width=4), classes=2, dtype='bfloat16')
    assert jaxfile.check_programs(found, jaxfile.to_programs(found)) <= 1
