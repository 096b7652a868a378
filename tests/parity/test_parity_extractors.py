"""Inception against torch-fidelity's, DINOv2 against a transformer from the papers; both read from what torch.save writes."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
import weight_files
from runner import assert_same, torch_run

from jaxgan.metrics.extractors import dinov2, load
from jaxgan.metrics.extractors.vgg16 import normalize
from jaxgan.metrics.weights import read_weights

GOLDEN = Path(__file__).parent.parent / 'golden' / 'inception.json'
SEED = 5


def same_in_both_formats(path, state):
    """What torch.save wrote, in its two formats, is the state dict to the bit."""
    for name in (path, f'{path}.old'):
        tensors = read_weights(name).tensors
        assert set(state) <= set(tensors)
        for key, value in state.items():
            np.testing.assert_array_equal(tensors[key], value)


@pytest.mark.parity
def test_inception_is_torch_fidelitys(tmp_path):
    state = weight_files.inception_state(SEED)
    images = np.random.default_rng(SEED).integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    path = tmp_path / 'inception.pth'
    arrays = {'case': 'inception', 'pth': str(path), 'images': images}
    arrays |= {f'weights/{name}': value for name, value in state.items()}
    theirs = torch_run('torch_extractors.py', arrays, tmp_path)
    same_in_both_formats(path, state)
    if 'missing' in theirs:
        pytest.skip('needs torch-fidelity beside PyTorch (pip install --no-deps torch-fidelity==0.4.0)')
    made = load('inception-2015', path)
    assert len(read_weights(path).tensors) == 566
    found = jax.jit(made.apply)(made.params, images)
    ours = {'pool': found.pool, **found.logits}
    for name, value in ours.items():  # relative to the largest: stricter than assert_same where all are small
        worst = np.abs(np.asarray(value) - theirs[name]).max() / np.abs(theirs[name]).max()
        print(f'{name}: off by {worst:.1e} of the largest')
        assert worst < 1e-4
    golden = {'seed': SEED, 'pool': theirs['pool'][:, ::128].tolist()}
    golden |= {name: theirs[name][:, ::64].tolist() for name in ('class', 'class_biased')}
    if not GOLDEN.exists():  # made here, for the test that needs no PyTorch
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(golden) + '\n')
    stored = json.loads(GOLDEN.read_text())
    assert_same(
        {name: stored[name] for name in golden}, {name: np.array(value) for name, value in golden.items()}
    )


@pytest.mark.parity
@pytest.mark.parametrize(('height', 'width'), [(224, 224), (518, 518), (70, 154)])
def test_dinov2_is_the_papers(height, width, tmp_path):
    kind = dinov2.KINDS['dinov2-vits14']
    architecture = kind.architecture._replace(depth=3)
    state = dino_state(architecture)
    rng = np.random.default_rng(0)
    images = normalize(rng.integers(0, 256, (2, height, width, 3)).astype(np.float32))
    path = tmp_path / 'dino.pth'
    arrays = {'case': 'dinov2', 'pth': str(path), 'images': images, 'heads': architecture.heads}
    theirs = torch_run(
        'torch_extractors.py', arrays | {f'weights/{n}': v for n, v in state.items()}, tmp_path
    )
    same_in_both_formats(path, state)
    params = dinov2.convert(read_weights(path).tensors, architecture, str(path))
    ours = jax.jit(lambda params, x: dinov2.class_token(params, x, architecture))(params, images)
    worst = np.abs(np.asarray(ours) - theirs['pool']).max()
    print(f'off by {worst:.1e}, values to {np.abs(theirs["pool"]).max():.1f}')
    assert worst < 1e-4 * np.abs(theirs['pool']).max()


@pytest.mark.parity
def test_the_whole_dinov2_by_its_name(tmp_path):
    kind = dinov2.KINDS['dinov2-vits14']
    state = dino_state(kind.architecture)
    images = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    path = tmp_path / 'dino.pth'
    arrays = {'case': 'dinov2', 'pth': str(path), 'images': normalize(images.astype(np.float32)), 'heads': 6}
    theirs = torch_run(
        'torch_extractors.py', arrays | {f'weights/{n}': v for n, v in state.items()}, tmp_path
    )
    made = load('dinov2-vits14', path)
    assert made.label == 'DINOv2-S (other weights)'
    ours = np.asarray(jax.jit(made.apply)(made.params, images).pool)
    assert np.abs(ours - theirs['pool']).max() < 1e-4 * np.abs(theirs['pool']).max()


def dino_state(architecture):
    """Weights that keep attention uneven and every branch heard."""
    rng = np.random.default_rng(3)
    state = {}
    for name, shape in dinov2.shapes(architecture).items():
        spread = np.prod(shape[1:]) ** -0.5 if name.endswith('weight') and len(shape) > 1 else 0.3
        centre = 1.0 if name.endswith(('norm1.weight', 'norm2.weight', 'norm.weight')) else 0.0
        state[name] = (centre + spread * rng.standard_normal(shape)).astype(np.float32)
    return state
