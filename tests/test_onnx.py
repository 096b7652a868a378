"""Generators as ONNX: what onnxruntime computes is what JAX does, for every model; the files say what they are."""

import importlib.util
import json

import jax
import pytest
from test_jax_export import make_generator

from jaxgan.errors import InputError, UnverifiedError
from jaxgan.export import save_export
from jaxgan.making import onnxfile
from jaxgan.making.export import export_command
from jaxgan.modelconfig import (
    DCGAN,
    MLP,
    R3GAN,
    SNGAN,
    BigGAN,
    BigGANDeep,
    FastGAN,
    StyleGAN2,
    Transformer,
)

MODELS = {
    'biggan': (BigGAN(latent_dim=16, width=4, shared=8, attention=(16,)), 32),
    'biggan_deep': (BigGANDeep(latent_dim=16, width=8, shared=8, attention=(16,)), 32),
    'dcgan': (DCGAN(latent_dim=16, width=8), 16),
    'dcgan_plain': (DCGAN(latent_dim=16, width=8, norm='none', refine=4), 16),
    'fastgan': (FastGAN(latent_dim=16, width=4, max_width=32), 32),
    'mlp': (MLP(latent_dim=16, width=16, signs=3), 8),
    'r3gan': (R3GAN(latent_dim=16, widths=(16, 16, 8), groups=(4, 4, 2)), 16),
    'sngan': (SNGAN(latent_dim=16, width=4), 32),
    'stylegan2': (StyleGAN2(latent_dim=16, w_dim=16, mapping_layers=2, channel_base=128, channel_max=16), 16),
    'transformer': (Transformer(latent_dim=16, width=16, depth=2, heads=2), 16),
}
LARGE = {'biggan', 'biggan_deep', 'stylegan2'}  # they take long, and differ by their classes least
CASES = [(name, classes) for name in sorted(MODELS) for classes in ((3,) if name in LARGE else (0, 3))]
needs_packages = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ('jax2onnx', 'onnxruntime')),
    reason=f'needs jax2onnx and onnxruntime: {onnxfile.INSTALL}',
)


def moved(model, size, classes=0, dtype='float32'):
    """A generator whose every parameter differs from what it is initialized to (biases of 0, say)."""
    found = make_generator(model, size, classes, dtype)
    key = jax.random.key(3)
    found.__dict__['params'] = jax.tree.map(
        lambda leaf: leaf + 0.05 * jax.random.normal(key, leaf.shape), found.params
    )
    return found


@pytest.mark.parity
@pytest.mark.filterwarnings('ignore')
@needs_packages
@pytest.mark.parametrize(('name', 'classes'), CASES)
def test_onnx_makes_the_same_images(name, classes):
    found = moved(*MODELS[name], classes)
    files = onnxfile.to_onnx(found)
    styled = {'mapping.onnx', 'synthesis.onnx'} if name == 'stylegan2' else set()
    assert set(files) == {'generator.onnx'} | styled
    errors = onnxfile.check_onnx(found, files)
    if name in ('dcgan', 'stylegan2'):
        simple = {file: onnxfile.simplify(data) for file, data in files.items()}
        assert max(onnxfile.check_onnx(found, simple).values()) <= 2e-5
    print(f'\n| {name} | {classes} | {max(errors.values()):.0e} | {sum(map(len, files.values())):,} |')
    assert max(errors.values()) <= 2e-5


@pytest.mark.parity
@pytest.mark.filterwarnings('ignore')
@needs_packages
def test_bfloat16_becomes_float32_and_files_say_what_they_are():
    import onnx

    found = moved(DCGAN(latent_dim=8, width=4), 16, 2, 'bfloat16')
    files = onnxfile.to_onnx(found)
    model = onnx.load_model_from_string(files['generator.onnx'])
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.input] == ['z', 'label']
    assert [value.name for value in model.graph.output] == ['image']
    assert {value.type.tensor_type.shape.dim[0].dim_param for value in model.graph.input} == {'batch'}
    assert not model.graph.value_info
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told['jaxgan:model'] == found.digest
    assert told['jaxgan:licence'] == 'CC0-1.0'
    assert json.loads(told['jaxgan:labels']) == found.labels
    assert told['jaxgan:digital_source_type'].endswith('/trainedAlgorithmicMedia')
    assert onnxfile.to_onnx(found) == files  # the same bytes each time
    assert max(onnxfile.check_onnx(found, files).values()) <= 2e-5


@pytest.mark.parity
@pytest.mark.filterwarnings('ignore')
@needs_packages
def test_the_command_checks_before_it_writes(tmp_path, monkeypatch, capsys):
    found = moved(DCGAN(latent_dim=8, width=4, norm='none'), 16)
    source = str(save_export(tmp_path / 'source', found.params, found.aux, found.card))
    out = tmp_path / 'out'
    with monkeypatch.context() as patch:
        patch.setattr(onnxfile, 'TOLERANCE', 1e-12)
        with pytest.raises(UnverifiedError, match=r'generator.onnx: its output differs by .* from JAX'):
            export_command(source, str(out), 'onnx', None, None, False)
    assert not out.exists()
    assert export_command(source, str(out), 'onnx', None, None, False) == 0
    assert 'from JAX at most' in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {'generator.onnx', 'generator.json'}
    card = json.loads((out / 'generator.json').read_text())
    assert (card['sha256'], card['onnx']['opset']) == (found.digest, 23)


def test_weights_that_fit_into_no_file_are_refused(monkeypatch):
    monkeypatch.setattr(onnxfile, '_package', lambda name: None)
    monkeypatch.setattr(onnxfile, 'MOST_BYTES', 100)
    with pytest.raises(InputError, match='do not fit into a file of at most 100: take --format jax'):
        onnxfile.to_onnx(make_generator(MLP(latent_dim=8, width=4, depth=1), 8))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'jax2onnx', None)
    with pytest.raises(InputError, match=r"needs jax2onnx, .*--no-deps 'jax2onnx==0.17.1'"):
        onnxfile.to_onnx(make_generator(MLP(latent_dim=8, width=4, depth=1), 8))
