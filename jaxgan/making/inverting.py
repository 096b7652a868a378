"""Finding the codes of images with a trained generator: what to compile, where to start, and how near it came."""

import dataclasses
import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import inversion
from jaxgan.errors import InputError, unknown
from jaxgan.images import to_float
from jaxgan.inversion import Settings
from jaxgan.inversion.objective import Distance, Objective
from jaxgan.metrics.extractors import NAMES, PERCEPTUAL_NAMES, load, load_perceptual
from jaxgan.opened import Generator
from jaxgan.spaces import Space, Statistics

STARTS_AT_ONCE = {'cpu': 32, '': 1024}
"""Of all images together, by kind of device: more are not faster. An image's bits depend on this number, not on its neighbours."""
EYES = ('auto', 'discriminator', 'none')
PRIOR, SPARSE_PRIOR = 1e-4, 1e-3
"""Of whole pictures; of masks and sketches, which say too little to keep a code where images are good."""
CANDIDATES = 2**31
"""Folded into the seed for candidates, none of which is then the image of a seed, which would be found at once."""
DECODED = 64  # candidates at once


@dataclasses.dataclass(frozen=True)
class Way:
    """How to search."""

    space: str | None = None
    """None: w where there are styles, else z."""
    starts: int = 16
    candidates: int = 1024
    steps: int = 500
    seed: int = 0
    features: str = 'auto'
    coarse: int = 1
    noise: bool = False
    prior: float = PRIOR
    """What it costs a code to be far from the mean."""

    def __post_init__(self) -> None:
        if not 0 <= self.prior < math.inf:
            raise InputError(f'prior {self.prior} must be at least 0')
        for name, least, most in (
            ('starts', 1, 1024), ('candidates', 1, 2**20), ('steps', 1, 100_000), ('seed', 0, 2**32 - 1), ('coarse', 1, 1024),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(f'{name} {value} must be in {least}..{most}')
        if self.features not in (*EYES, *NAMES, *PERCEPTUAL_NAMES):
            raise unknown('features', self.features, (*EYES, *NAMES, *PERCEPTUAL_NAMES))


Warm = Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray | None]]
"""``(pixels uint8 [n, H, W, C], labels [n] or None) -> (codes [n, k, ...], labels [n, k] or None)``: starts of each image; the labels that
it is given are those of the nearest random images."""


class Found(NamedTuple):
    """What was found of each image."""

    codes: np.ndarray
    labels: np.ndarray | None
    noise: dict[str, np.ndarray] | None
    """Maps [n, h, w] by layer, where they were fitted."""
    losses: np.ndarray
    """[n], penalties included."""
    steps: np.ndarray
    """int [n]."""


class Eye(NamedTuple):
    """What looks at images besides pixels."""

    name: str
    distance: Distance | None
    params: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Inverter:
    """A generator, and a way to find the codes of images in it; every program is compiled once."""

    generator: Generator
    way: Way = Way()

    @functools.cached_property
    def space(self) -> Space:
        """Where the codes are."""
        return self.generator.choose_space(self.way.space)

    @functools.cached_property
    def eye(self) -> Eye:
        """What looks besides pixels."""
        eye = choose_eye(self.generator, self.way.features)
        return eye._replace(params=jax.device_put(eye.params))

    @functools.cached_property
    def objective(self) -> Objective:
        """What is to become small."""
        return inversion.make_objective(self.eye.distance, coarse=self.way.coarse)

    @functools.cached_property
    def spread(self) -> Statistics:
        """How the codes are spread."""
        return self.generator.center(self.space)

    @functools.cached_property
    def settings(self) -> Settings:
        """How the search goes in this space."""
        if self.way.noise and 'noise' not in self.generator.aux:
            raise InputError('noise: this generator has no noise maps to fit')
        return settings_for(self.space.name, self.way)

    @functools.cached_property
    def chunk(self) -> int:
        """How many images are projected at once; of fewer, the last is repeated."""
        most = STARTS_AT_ONCE.get(jax.default_backend(), STARTS_AT_ONCE[''])
        return max(1, most // self.way.starts)

    def find(
        self,
        pixels: np.ndarray,
        label: int | None = None,
        mask: np.ndarray | None = None,
        warm: Warm | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Found:
        """Find the codes of images.

        Args:
            pixels: uint8 [n, H, W, C].
            label: the class of all; None: whichever fits best.
            mask: [H, W, 1], of all; 1 where pixels are known.
            warm: makes starts, in the place of the farthest.
            progress: is told how many images are done.
        """
        targets = to_float(pixels)
        starts, labels = self._starts(targets, label, mask, warm and functools.partial(warm, pixels))
        key = jax.random.key(self.way.seed)
        done: list[Any] = []
        for i in range(0, len(targets), self.chunk):
            part = _padded(targets[i : i + self.chunk], self.chunk)
            masks = None if mask is None else np.broadcast_to(mask, (*part.shape[:3], 1))
            own = jax.tree.map(lambda a, i=i: _padded(a[i : i + self.chunk], self.chunk), (starts, labels))
            found = self._project(
                *self.generator.on_device, self.eye.params, self.spread, part, *own, key, masks
            )  # fmt: skip
            done.append(jax.tree.map(np.asarray, found))
            if progress:
                progress(min(i + self.chunk, len(targets)))
        found = jax.tree.map(lambda *parts: np.concatenate(parts)[: len(targets)], *done)
        labels = None if labels is None else labels[np.arange(len(targets)), found.starts]
        return Found(found.codes, labels, found.noise, found.losses, found.steps)

    def measure(
        self, images: np.ndarray, pixels: np.ndarray, mask: np.ndarray | None
    ) -> list[dict[str, Any]]:
        """Measure how near bytes are to bytes: PSNR, SSIM, and the distance of what the eye sees."""
        known = None if mask is None else np.broadcast_to(mask, (len(pixels), *mask.shape))
        block = self.way.coarse
        small = [
            np.asarray(inversion.coarsened(jnp.asarray(a, jnp.float32), block)) for a in (images, pixels)
        ]
        small_mask = None if known is None else inversion.coarsened(jnp.asarray(known), block)
        values = {'psnr': np.asarray(inversion.psnr(small[0], small[1], small_mask))}
        if mask is None and block == 1:
            values['ssim'] = np.asarray(inversion.ssim(images, pixels))
            if self.eye.distance is not None:
                see = jax.jit(self.eye.distance)
                pairs = [
                    (to_float(images[i : i + 1]), to_float(pixels[i : i + 1])) for i in range(len(pixels))
                ]
                values['features'] = np.array([float(see(self.eye.params, a, b)[0]) for a, b in pairs])
        return [{name: round(float(v[i]), 5) for name, v in values.items()} for i in range(len(pixels))]

    def draw(self, params: Any, key: Any, n: int, label: int | None = None) -> tuple[Any, Any]:
        """Draw random codes and their labels, each class in turn; pure."""
        labels = self._classes(n, label)
        return self._codes(params, self.generator.aux, key, labels, n), labels

    def _classes(self, n: int, label: int | None) -> Any:
        labels = None
        if self.generator.labels:
            labels = jnp.arange(n, dtype=jnp.int32) % len(self.generator.labels)
            labels = labels if label is None else jnp.full((n,), label, jnp.int32)
        return labels

    @functools.cached_property
    def _codes(self) -> Callable:
        space, latents = self.space, self.generator.latents

        def codes(params: Any, aux: Any, key: Any, labels: Any, n: int) -> Any:
            return space.encode(params, aux, latents(key, n), labels)

        return jax.jit(codes, static_argnums=4)

    @functools.cached_property
    def _decode(self) -> Callable:
        return jax.jit(self.space.decode)

    @functools.cached_property
    def _project(self) -> Callable:
        return jax.jit(inversion.make_projector(self.space, self.objective, self.settings))

    @functools.cached_property
    def _near(self) -> Callable:
        return jax.jit(functools.partial(inversion.nearest, n=self.way.starts, coarse=self.way.coarse))

    def _candidates(self, label: int | None) -> tuple[Any, Any, Any]:
        """Draw candidates for starts, and make their images: codes, labels, images."""
        n = max(self.way.candidates, self.way.starts)
        key = jax.random.fold_in(jax.random.key(self.way.seed), CANDIDATES)
        weights, labels = self.generator.on_device, self._classes(n, label)
        codes = self._codes(*weights, key, labels, n)
        rows = jax.tree.map(lambda a: _padded(np.asarray(a), -(-n // DECODED) * DECODED), (codes, labels))
        parts = [jax.tree.map(operator.itemgetter(slice(i, i + DECODED)), rows) for i in range(0, n, DECODED)]
        images = [self._decode(*weights, *part) for part in parts]
        return codes, labels, jnp.concatenate(images)[:n]

    def _starts(
        self, targets: np.ndarray, label: int | None, mask: np.ndarray | None, warm: Callable | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Choose starts [n, S, ...] and their labels [n, S]: the nearest candidates, after those of ``warm``."""
        codes, labels, images = self._candidates(label)
        near = []
        for i in range(0, len(targets), self.chunk):
            part = _padded(targets[i : i + self.chunk], self.chunk)
            masks = None if mask is None else np.broadcast_to(mask, (*part.shape[:3], 1))
            near.append(np.asarray(self._near(images, part, mask=masks)))
        rows = np.concatenate(near)[: len(targets)]
        starts = jax.tree.map(lambda a: np.asarray(a)[rows], (codes, labels))
        if warm is None:
            return starts
        own = warm(None if labels is None else starts[1][:, 0])
        return jax.tree.map(
            lambda a, b: np.concatenate([a, b], axis=1, dtype=b.dtype)[:, : self.way.starts], own, starts
        )


def settings_for(space: str, way: Way) -> Settings:
    """Choose what was measured to be best in a space; see docs/studio.md."""
    common = {'steps': way.steps, 'prior': way.prior, 'noise': 1.0 if way.noise else None}
    if space == 'z':
        return Settings(jitter=0.0, **common)
    return Settings(jitter=0.05, between=1e-4 if space == 'w+' else 0.0, **common)


def choose_eye(generator: Generator, name: str) -> Eye:
    """Choose what looks besides pixels.

    Raises:
        InputError: an export has no discriminator, or there is no such extractor.
    """
    found = generator.discriminator() if name in ('auto', 'discriminator') else None
    if found is not None:
        network, params, aux = found
        return Eye(
            'discriminator', inversion.discriminator_distance(network, bool(generator.labels)), (params, aux)
        )
    if name == 'discriminator':
        raise InputError('features discriminator: an export has none; take the run, or none')
    if name in NAMES:
        extractor = load(name)
        return Eye(name, _pooled(extractor.apply), extractor.params)
    if name in PERCEPTUAL_NAMES:
        perceptual = load_perceptual(name)
        return Eye(name, perceptual.apply, perceptual.params)
    return Eye('none', None, None)


def _pooled(apply: Callable) -> Distance:
    """Make a distance of an extractor's features, as parts of their length, which takes floats in [-1, 1]."""

    def look(params: Any, images: Any) -> dict[str, Any]:
        return {'pool': apply(params, (images + 1) * 127.5).pool[:, None, None]}

    return lambda params, a, b: inversion.deep_distance(look(params, a), look(params, b))


def _padded(values: Any, n: int) -> np.ndarray:
    values = np.asarray(values)
    return np.concatenate([values, np.repeat(values[-1:], n - len(values), axis=0)])
