"""Trained generators from their folders: a run's checkpoint or an export, checked, with all that a command needs to make images."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy

from jaxgan import build
from jaxgan.card import check_card, check_weights, make_card
from jaxgan.checkpoints.restore import restore_average, restore_discriminator
from jaxgan.credentials import USUAL, Credit, Marks, without_folders
from jaxgan.errors import InputError, unknown
from jaxgan.export import WITHOUT_DATA_CARD, flatten, has_data_card, load_export
from jaxgan.generatorfolder import kind_of
from jaxgan.inversion import apply_patch
from jaxgan.notices import notice
from jaxgan.run.rundir import BEST, CHECKPOINTS
from jaxgan.sampling import make_sampler
from jaxgan.spaces import Space, Statistics, count_layers, make_space, spaces_of, statistics
from jaxgan.types import Network, Sampler

CENTER_SEED = 2**32 - 1
"""Of the latents whose mean code is a space's centre."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """A trained generator and what is known about it."""

    params: Any
    aux: Any
    card: dict[str, Any]  # 'architecture' and 'data', as in an export
    checkpoint: Path | None = None  # what it was read from, of a run
    marks: Marks = USUAL  # how its images are marked

    @functools.cached_property
    def network(self) -> Network:
        """The generator as functions."""
        return build.build_generator(self.card['architecture'])

    @functools.cached_property
    def latents(self) -> Sampler:
        """The distribution of its latents."""
        return build.build_latents(self.card['architecture'])

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the weights, as an export's card has it."""
        tensors = flatten({'params': self.params, 'aux': self.aux})
        return hashlib.sha256(safetensors.numpy.save(tensors)).hexdigest()

    @property
    def labels(self) -> list[str]:
        """Name the classes; empty for an unconditional generator."""
        return self.card['labels']

    @property
    def data(self) -> str:
        """Name the data it was trained on as others may read it: a file or folder of its maker's by its last part."""
        return without_folders(self.card['data']['name'])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        architecture = self.card['architecture']
        return architecture['size'], architecture['size'], architecture['channels']

    @functools.cached_property
    def layers(self) -> int:
        """Count the styles of an image; 1 without styles."""
        return count_layers(self.network, self.latents, self.params, self.aux, bool(self.labels))

    @property
    def parts(self) -> int:
        """Count the parts of a latent that go to different layers; 1: it is not cut."""
        return build.latent_parts(self.card['architecture'])

    @functools.cached_property
    def on_device(self) -> tuple[Any, Any]:
        """``(params, aux)`` on the device, put there once: for programs that run many times."""
        return jax.device_put((self.params, self.aux))

    def tuned(self, patch: dict[str, np.ndarray]) -> Any:
        """Add a patch to the parameters, on the device; the last one is kept.

        Raises:
            InputError: it is of another generator.
        """
        if self._tuned.get('patch') is not patch:
            params = jax.device_put(apply_patch(self.params, patch))
            self._tuned.update(patch=patch, params=params)
        return self._tuned['params']

    @functools.cached_property
    def _tuned(self) -> dict[str, Any]:
        return {}

    def sampler(self) -> Callable[..., np.ndarray]:
        """Make ``sample(seeds, labels=None) -> uint8 [n, H, W, C]`` (``sampling.make_sampler``), which knows the classes."""
        return make_sampler(self.network, self.latents, self.params, self.aux, classes=len(self.labels))

    def choose_space(self, name: str | None) -> Space:
        """Make the space named; by default w where there are styles, else z.

        Raises:
            InputError: this generator does not have it.
        """
        name = name or ('w' if 'w' in spaces_of(self.network) else 'z')
        return make_space(self.network, name, self.layers)

    def center(self, space: Space, label: int | None = None, n: int = 10_000) -> Statistics:
        """Measure how the codes of a space are spread, for one class or all, once; the same each time."""
        known = (space.name, label, n)
        if known not in self._centers:
            self._centers[known] = self._measured(space, label, n)
        return self._centers[known]

    @functools.cached_property
    def _centers(self) -> dict[tuple[str, int | None, int], Statistics]:
        return {}

    def _measured(self, space: Space, label: int | None, n: int) -> Statistics:
        labels = None
        if self.labels:
            labels = np.arange(n, dtype=np.int32) % len(self.labels)
            labels = labels if label is None else np.full(n, label, np.int32)
        if space.name == 'w+':  # all styles of an image are one w, which is less to keep
            found = self.center(self.choose_space('w'), label, n)
            return jax.tree.map(lambda value: np.repeat(value[None], self.layers, axis=0), found)

        @jax.jit
        def measure(params: Any, aux: Any, key: Any, labels: Any) -> Statistics:
            return statistics(space, self.latents, params, aux, key, labels, n)

        found = measure(self.params, self.aux, jax.random.key(CENTER_SEED), labels)
        return jax.tree.map(np.asarray, found)

    def discriminator(self) -> tuple[Network, Any, Any] | None:
        """Read the discriminator that was trained with it, ``(network, params, aux)``, once; None: exports have none."""
        return self._discriminator

    @functools.cached_property
    def _discriminator(self) -> tuple[Network, Any, Any] | None:
        if self.checkpoint is None:
            return None
        params, aux = restore_discriminator(self.checkpoint.parent, int(self.checkpoint.name))
        return build.build_discriminator(self.card['architecture']), params, aux

    def credit(self, seeds: str = '', index: int | None = None, /, **details: object) -> Credit:
        """Say where an image comes from, and how it is marked; details that are None are left out."""
        told = {name: str(value) for name, value in details.items() if value is not None}
        return Credit(self.digest, self.data, seeds, told, index, self.marks)


def open_generator(
    path: Path, step: int | None = None, best: bool = False, marks: Marks = USUAL
) -> Generator:
    """Open the averaged generator of a run, or an export.

    Args:
        path: a run's folder, or an export's.
        step: a run's checkpoint; None: the newest.
        best: the one that evaluation found best, instead of the newest.
        marks: how its images are marked.

    Raises:
        InputError: the folder is neither, or its checkpoint cannot be read.
    """
    kind = kind_of(path)
    if kind == 'export':
        if step is not None or best:
            raise InputError(f'{path} is an export: it has no checkpoint {"best" if best else step}')
        found = load_export(path)
        if not has_data_card(path):
            notice(WITHOUT_DATA_CARD)
        made = Generator(found.params, found.aux, found.card, marks=marks)
        return _checked(made, f'export {path}')
    if not kind:
        problem = 'is neither a run nor an export' if path.exists() else 'does not exist'
        raise InputError(f'{path} {problem} (a run has config.json, an export generator.json)')
    if best and step is not None:
        raise InputError(f'step {step} and best name two checkpoints: choose one')
    if best and not (path / BEST).is_dir():
        raise InputError(
            f'{path} has no best checkpoint: it was trained without evaluation (--evaluation.every)'
        )
    folder = path / (BEST if best else CHECKPOINTS)
    params, aux, found_step, meta = restore_average(folder, step)
    card = make_card(meta, found_step)
    found = Generator(params, aux, card, folder / str(found_step), marks)
    return _checked(found, f'checkpoint {found_step} of {path}')


def _checked(found: Generator, name: str) -> Generator:
    check_card(found.card, name)
    check_weights(found.card, found.params, found.aux, name)
    return found


def choose_labels(card: dict[str, Any], label: str | None, n: int) -> np.ndarray | None:
    """Turn a class name or number into labels; none given: each class in turn.

    Raises:
        InputError: the generator has no classes, or not this one.
    """
    names = card['labels']
    if not names:
        if label is not None:
            raise InputError(f'label {label!r} was given, and this generator is unconditional')
        return None
    if label is None:
        return np.arange(n, dtype=np.int32) % len(names)
    if label in names:
        return np.full(n, names.index(label), np.int32)
    if label.isascii() and label.isdigit():
        if len(label) > 10 or int(label) >= len(names):
            raise InputError(f'label {label} is out of range: this generator has classes 0..{len(names) - 1}')
        return np.full(n, int(label), np.int32)
    raise unknown('label', label, names)
