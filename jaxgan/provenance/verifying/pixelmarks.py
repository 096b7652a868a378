"""The watermark's layer: the mark of each candidate's key, in one image, in a film, or in many small images together."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxgan import watermark
from jaxgan.images import repeats
from jaxgan.provenance.verifying.candidates import DIGEST, Candidate
from jaxgan.provenance.verifying.layers import Layer
from jaxgan.provenance.verifying.seen import Seen
from jaxgan.watermark import Detection
from jaxgan.watermark.blocks import BASIS, SIDE

NAME = 'watermark'
MOST_SIZES = 4
SEARCHED = 4  # keys
AS_IT_IS = 'as it is'
Size = tuple[int, int]
Read = Callable[[bytes], Detection]
Look = Callable[[Candidate], Detection]
UNDERFLOW = -300.0  # of the logarithm of a p-value


class Hit(NamedTuple):
    """The best of all candidates and all ways."""

    candidate: Candidate
    found: Detection
    log10_p: float
    """Of the p-value, all tries counted."""
    tries: int
    """Keys times ways."""
    how: str
    """What had to be done to the image; empty: nothing."""

    @property
    def p_value(self) -> float:
        """The p-value, all tries counted."""
        return float(10.0 ** max(self.log10_p, UNDERFLOW))


def best(
    images: np.ndarray, keys: Sequence[Candidate], search: bool, fpr: float, sizes: Sequence[Size] = ()
) -> Hit | None:
    """Find the key whose mark an image, or images together, most probably carry; None: no keys, or images too small for a mark.

    Each key is tried on the images as they are, on them reduced where they consist of squares of one colour, and by a search in one of
    them, for the first few keys. By Bonferroni's inequality the least p-value is multiplied by the number of keys and of ways, whether all were gone or not.

    Args:
        images: uint8 [n, h, w, c].
        keys: to try.
        search: look in other places, too.
        fpr: where less than this was found, no further way is gone.
        sizes: that the images may have had before.
    """
    if not keys or not len(images) or not watermark.capacity(*images.shape[1:3]):
        return None
    ways = _ways(images, search, sizes)
    found = None
    for how, look in ways:
        tried = keys[:SEARCHED] if look is ways[-1][1] and search else keys
        hit = _least(look, how, tried, len(keys) * len(ways))
        found = hit if found is None or hit.log10_p < found.log10_p else found
        if found.p_value <= fpr:
            break
    return found


def _ways(images: np.ndarray, search: bool, sizes: Sequence[Size]) -> list[tuple[str, Look]]:
    """List what is tried, the cheapest first, a search last."""
    readers = _readers(images)
    ways: list[tuple[str, Look]] = [('', _as_they_are(readers))]
    if not search:
        return ways
    factor = repeats(images[0], SIDE)
    reduced = images[:, ::factor, ::factor]
    if factor > 1:
        ways.append((f'when it is reduced by {factor}', _as_they_are(_readers(reduced))))
    read = (lambda key: readers(BASIS)(key)) if len(images) == 1 else None  # a large picture is read once
    searcher = watermark.make_searcher(images[len(images) // 2], sizes, read)
    ways.append(('', lambda one: searcher(one.key)))
    return ways


def _readers(images: np.ndarray) -> Callable[[np.ndarray], Read]:
    """Read images together, when a basis is first asked for, and once for all keys of it."""
    made: dict[int, Read] = {}

    def of(basis: np.ndarray) -> Read:
        if id(basis) not in made:
            made[id(basis)] = watermark.make_reader(images, basis)
        return made[id(basis)]

    return of


def _as_they_are(readers: Callable[[np.ndarray], Read]) -> Look:
    """Look for the key of a candidate in images as they are."""
    return lambda one: readers(one.basis)(one.key)


def _least(look: Look, how: str, keys: Sequence[Candidate], tries: int) -> Hit:
    pairs = [(look(one), one) for one in keys]
    found, candidate = min(pairs, key=lambda pair: pair[0].log10_p)
    searched = '' if found.how == AS_IT_IS else found.how
    log10_p = min(0.0, float(found.log10_p) + math.log10(tries))
    return Hit(candidate, found, log10_p, tries, how or searched)


def together(groups: Sequence[np.ndarray], keys: Sequence[Candidate], sizes: Sequence[Size]) -> Hit | None:
    """Test images of one size as one: what many small ones show that none shows alone.

    Args:
        groups: uint8 [n, h, w, c] each.
        keys: to try; on the images as they are, and mirrored.
        sizes: (height, width) that they may have had before, by the record; they are tried brought back to these, too.
    """
    images = np.concatenate(groups)
    others = [size for size in dict.fromkeys(sizes) if size != images.shape[1:3]][:MOST_SIZES]
    ways = [
        ('', images),
        *((f'when they are brought back to {size[1]}x{size[0]}', scaled(images, size)) for size in others),
    ]
    ways = [(how, tried) for how, tried in ways if watermark.capacity(*tried.shape[1:3])]
    tries = len(keys) * len(ways) * 2
    found = [
        _least(_as_they_are(_readers(turned)), ', '.join(filter(None, (how, name))), keys, tries)
        for how, tried in ways
        for name, turned in (('', tried), ('mirrored', tried[:, :, ::-1]))
        if keys
    ]
    return min(found, key=lambda hit: hit.log10_p, default=None)


def scaled(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize images uint8 [n, h, w, c]: averaged where a side is a multiple, else bicubic."""
    ways = Image.Resampling
    whole = images.shape[1] % size[0] == 0 and images.shape[2] % size[1] == 0
    found = [
        np.asarray(
            Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one).resize(
                (size[1], size[0]), ways.BOX if whole else ways.BICUBIC
            )
        )
        for one in images
    ]
    return np.stack(found).reshape(len(images), *size, -1)


def layer(seen: Seen, keys: Sequence[Candidate], hit: Hit | None, fpr: float) -> Layer:
    """Say what the watermark says of a file."""
    if not len(seen.images):
        return Layer(NAME, 'not looked at', seen.problem)
    if not keys:
        return Layer(
            NAME, 'not looked at', 'nothing names a model whose mark it may have: name one with --model'
        )
    if hit is None:
        return Layer(NAME, 'nothing', 'it is too small for a mark (8 pixels a side)')
    model, claimed = hit.candidate.model, seen.credit.get('model', '')
    facts = {
        'model': model, 'named_by': hit.candidate.named_by, 'secret': hit.candidate.secret, 'how': hit.how,
        'bits': hit.found.bits, 'matches': hit.found.matches, 'tries': hit.tries,
    }  # fmt: skip
    if hit.p_value > fpr:
        words = f'no mark of {_counted(len(keys), "key")}{_hint(seen)}{_wanting(seen, keys)}'
        return Layer(NAME, 'nothing', words, hit.p_value, facts)
    words = f'the mark of model {model[:12]} (named by {hit.candidate.named_by}; {_secrecy(hit)})'
    if len(seen.images) > 1:
        words += f' in {len(seen.images)} {"frames" if seen.animated else "images"} together'
    if DIGEST.fullmatch(claimed) and claimed != model:
        words += f', which contradicts its metadata: they name model {claimed[:12]}'
        facts['contradicts'] = claimed
    return Layer(NAME, 'proves', words, hit.p_value, facts)


def _secrecy(hit: Hit) -> str:
    if hit.candidate.secret:
        return 'made with the secret'
    return 'public: who knows the model can forge it'


def _wanting(seen: Seen, keys: Sequence[Candidate]) -> str:
    if not seen.credit.get('key') or any(key.secret for key in keys):
        return ''
    return f'; its metadata name the secret {seen.credit["key"][:8]}, without which no mark of it is found (--mark-key)'


def _hint(seen: Seen) -> str:
    height, width = seen.size
    small = len(seen.images) == 1 and height * width < 128 * 128
    return f'; alone a picture of {width}x{height} pixels may be too small to show one' if small else ''


def _counted(n: int, name: str) -> str:
    return f'{n} {name}{"" if n == 1 else "s"}'
