"""Digits for the suite ``modes``, and a classifier of them that is fitted in closed form."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import DataConfig, open_source, read_all
from jaxgan.errors import InputError

Classifier = Callable[[Any], np.ndarray]  # images [N, S, S] in [-1, 1] -> digits [N]
FEATURES = 1000


class Digits(NamedTuple):
    """Digits in [-1, 1] and what they are."""

    images: np.ndarray  # float32 [N, S, S]
    labels: np.ndarray  # int [N]


def open_digits(name: str) -> tuple[Digits, Digits]:
    """Read digits for training and testing, as 16x16 pixels.

    Args:
        name: PATH.npz, or the name of a data set, such as ``mnist`` of TFDS.

    Raises:
        InputError: there is no such data, or it is not of grey images in ten classes.
    """
    full = f'npz:{name}' if name.endswith('.npz') else name
    return _read(full, 'train'), _read(full, 'test')


def _read(name: str, split: str) -> Digits:
    found = read_all(open_source(DataConfig(name, split=split)))
    images, labels = found['image'], found.get('label')
    if labels is None or images.shape[-1] != 1 or set(np.unique(labels)) != set(range(10)):
        raise InputError(f'data {name}: modes needs grey images in ten classes, 0 to 9')
    return Digits(shrink(images[..., 0]), labels)


def shrink(images: np.ndarray) -> np.ndarray:
    """Pad uint8 images to 32x32 and average 2x2 pixels: float32 [N, 16, 16] in [-1, 1].

    Raises:
        InputError: they are larger than 32x32, or not square.
    """
    _, height, width = images.shape
    if height != width or height > 32 or height % 2:
        raise InputError(f'digits of {height}x{width} pixels: modes needs squares of an even side up to 32')
    margin = (32 - height) // 2
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    means = padded.reshape(-1, 16, 2, 16, 2).mean((2, 4), dtype=np.float32)
    return means / 127.5 - 1.0


def fit(train: Digits, test: Digits) -> tuple[Classifier, float]:
    """Fit a ridge regression on random cosines of the pixels; return it and its accuracy on the test digits.

    ``scores = cos(x W + b) C``, C from ``(F'F + I) C = F'Y``, F the features of the training digits, Y one-hot.

    References:
        Rahimi and Recht 2007, Random features for large-scale kernel machines, section 3 (algorithm 1).
    """
    random = np.random.default_rng(0)
    size = train.images[0].size
    w = random.normal(0.0, 1.6 / size**0.5, (size, FEATURES)).astype(np.float32)
    b = random.uniform(0.0, 2 * np.pi, FEATURES).astype(np.float32)

    def features(images: Any) -> np.ndarray:
        return np.cos(np.asarray(images, np.float32).reshape(len(images), -1) @ w + b)

    f = features(train.images)
    target = np.eye(10, dtype=np.float32)[train.labels]
    c = np.linalg.solve(f.T @ f + np.eye(FEATURES, dtype=np.float32), f.T @ target)

    def classify(images: Any) -> np.ndarray:
        return np.argmax(features(images) @ c, axis=1)

    return classify, float(np.mean(classify(test.images) == test.labels))
