"""The fingerprint's layer: a mark that a generator itself emits, in pictures that any program made with its weights, or in the weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan import kernels
from jaxgan.generatorfolder import kind_of
from jaxgan.marks.secret import read_secret
from jaxgan.opened import choose_labels, open_generator
from jaxgan.provenance.verifying import pixelmarks
from jaxgan.provenance.verifying.candidates import SECRET, Candidate, fingerprint_of
from jaxgan.provenance.verifying.layers import Layer
from jaxgan.runtime import keep_programs

NAME = 'fingerprint'
SAMPLES = 256  # that a generator is judged by


def read_fingerprint(path: str | None) -> Candidate | None:
    """Read the secret of a fingerprint; None: none is looked for."""
    return None if path is None else fingerprint_of(read_secret(path, NAME))


def split_trees(names: Sequence[str], wanted: bool) -> tuple[list[str], list[str]]:
    """Tell runs and exports, whose weights are looked into where a fingerprint is wanted, from files and folders of pictures."""
    trees = [name for name in names if wanted and kind_of(Path(name))]
    return trees, [name for name in names if name not in trees]


def layer(images: np.ndarray, one: Candidate, fpr: float) -> Layer:
    """Say whether images carry the mark of a secret: those of one file, or samples of a generator.

    Args:
        images: uint8 [n, h, w, c]; one test is made of all.
        one: the secret's key.
        fpr: how improbable the mark must be by chance.
    """
    hit = pixelmarks.best(images, [one], False, fpr)
    if hit is None:
        return Layer(NAME, 'not looked at', 'there are no pixels, or too few for a mark (8 a side)')
    facts = {'secret': one.model, 'bits': hit.found.bits, 'matches': hit.found.matches, 'images': len(images)}
    together = f' in {len(images)} images together' if len(images) > 1 else ''
    if hit.p_value > fpr:
        return Layer(
            NAME,
            'nothing',
            f'no mark of the secret {one.model.removeprefix(SECRET)}{together}',
            hit.p_value,
            facts,
        )
    words = f'the mark of the secret {one.model.removeprefix(SECRET)}{together}: weights that were trained with it made this'
    return Layer(NAME, 'proves', words, hit.p_value, facts)


def of_tree(name: str, one: Candidate, fpr: float) -> Layer:
    """Look into the weights of a run or an export: are its generator's samples marked?

    Raises:
        InputError: it is damaged, or makes no pictures.
    """
    keep_programs()
    generator = open_generator(Path(name))
    if generator.shape[-1] not in (1, 3):
        return Layer(NAME, 'not looked at', f'it makes images of {generator.shape[-1]} channels')
    kernels.enable()
    labels = choose_labels(generator.card, None, SAMPLES)
    return layer(generator.sampler()(np.arange(SAMPLES), labels), one, fpr)
