"""Train the small classifiers that come with jaxgan, and say how much they tell: minutes each on a core or two.

    python docs/scripts/train_extractors.py pixel_avatars
    python docs/scripts/train_extractors.py mnist --mnist mnist.npz      # x_train, y_train, x_test, y_test, as Keras has them

The same seed, versions and machine give the same file. Images get noise, so that the classifiers also tell what a generator
makes; digits are moved by up to two pixels, and half of them brought to 16 pixels as in ``stacked_mnist_small``.
"""

import argparse
import functools
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import safetensors.numpy

from jaxgan import kernels
from jaxgan.data.pixel_avatars.sheet import attribute_names, read_codes, read_images
from jaxgan.export import flatten
from jaxgan.metrics.extractors import small
from jaxgan.metrics.extractors.resize import box

BATCH, RATE, NOISE = 128, 2e-3, 0.15
EPOCHS = {'mnist': 8, 'pixel_avatars': 30}


def avatars(split: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read images [N, 16, 16, 3] and codes [N, attributes]."""
    return read_images(split), read_codes(split), list(attribute_names())


def digits(path: Path, split: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read images [N, 28, 28, 1] and labels [N, 1]."""
    with np.load(path, allow_pickle=False) as found:
        return found[f'x_{split}'][..., None], found[f'y_{split}'][:, None], ['digit']


def vary_digits(key, images):
    """Move digits by up to two pixels, and bring half of them to 16 pixels and back."""
    key, other = jax.random.split(key)
    x = small.digits_input(images)
    shifts = jax.random.randint(key, (len(x), 2), -2, 3)
    x = jax.vmap(lambda image, shift: jnp.roll(image, shift, (0, 1)))(x, shifts)
    coarse = box(box(x, 16), 32)
    return jnp.where(jax.random.bernoulli(other, 0.5, (len(x), 1, 1, 1)), coarse, x)


def make_step(name: str, heads: list[str], tx: optax.GradientTransformation):
    """Make the step: cross-entropy with smoothed labels, summed over the heads."""

    def loss(params, key, images, codes):
        key, amount, noise = jax.random.split(key, 3)
        x = vary_digits(key, images) if name == 'mnist' else images.astype(jnp.float32) / 127.5 - 1
        x += NOISE * jax.random.uniform(amount, (len(x), 1, 1, 1)) * jax.random.normal(noise, x.shape)
        logits = small.classify(small.ARCHITECTURES[name], params, x).logits
        terms = [
            optax.softmax_cross_entropy(
                logits[head], optax.smooth_labels(jax.nn.one_hot(codes[:, i], logits[head].shape[1]), 0.05)
            )
            for i, head in enumerate(heads)
        ]
        return jnp.mean(sum(terms))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, key, images, codes):
        value, gradient = jax.value_and_grad(loss)(params, key, images, codes)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    return step


def train(name: str, images: np.ndarray, codes: np.ndarray, heads: list[str], seed: int) -> dict:
    """Train from a seed, and return the parameters."""
    steps = len(images) // BATCH
    tx = optax.adamw(optax.cosine_decay_schedule(RATE, steps * EPOCHS[name]), weight_decay=1e-2)
    step = make_step(name, heads, tx)
    key, order = jax.random.key(seed), np.random.default_rng(seed)
    params = small.initial(small.ARCHITECTURES[name], key)
    state, start = tx.init(params), time.perf_counter()
    for epoch in range(EPOCHS[name]):
        chosen = order.permutation(len(images))[: steps * BATCH].reshape(steps, BATCH)
        values = []
        for i, rows in enumerate(chosen):
            now = jax.random.fold_in(key, epoch * steps + i)
            params, state, value = step(params, state, now, images[rows], codes[rows].astype(np.int32))
            values.append(value)
        print(
            f'epoch {epoch + 1}: loss {np.mean(values):.4f}, {time.perf_counter() - start:.0f} s', flush=True
        )
    return params


def report(name: str, path: Path, images: np.ndarray, codes: np.ndarray, heads: list[str]) -> None:
    """Print the accuracies of what was written: on test images as they are, and for digits at 16 pixels."""
    extractor = small.load(name, path)
    labels = {head: codes[:, i] for i, head in enumerate(heads)}
    found = small.accuracies(extractor, images, labels)
    print('as they are: ' + ', '.join(f'{head} {value:.2%}' for head, value in found.items()))
    if name == 'mnist':
        padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
        coarse = np.asarray(jnp.round(box(jnp.asarray(padded, jnp.float32), 16))).astype(np.uint8)
        print(f'at 16 pixels: digit {small.accuracies(extractor, coarse, labels)["digit"]:.2%}')


def main() -> None:
    """Train, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('name', choices=sorted(EPOCHS))
    parser.add_argument('--mnist', type=Path, help='a file of arrays with the digits')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='default: into the package')
    arguments = parser.parse_args()
    if arguments.name == 'mnist' and arguments.mnist is None:
        parser.error('mnist needs --mnist FILE.npz')
    kernels.enable()
    read = functools.partial(digits, arguments.mnist) if arguments.name == 'mnist' else avatars
    params = train(arguments.name, *read('train'), arguments.seed)
    tensors = {path: np.asarray(value, np.float16) for path, value in flatten(params).items()}
    out = arguments.out or small.shipped(arguments.name)
    out.write_bytes(safetensors.numpy.save(tensors))
    print(f'{out}: {out.stat().st_size / 1000:.0f} kB')
    report(arguments.name, out, *read('test'))


if __name__ == '__main__':
    main()
