"""How much a copy may be changed before it is told no more from another image of the same kind: measured, for each data set.

Where all images are alike (faces put together from the same parts), a neighbour is nearer than a JPEG of the image itself,
and no threshold tells copies from likeness. So the changes are done to some training images, and the share that is found
is kept in the index.
"""

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from jaxgan.copyindex.calibration import places_of
from jaxgan.copyindex.index import EXACT, Planted, Threshold
from jaxgan.marks.pictures import to_image
from jaxgan.metrics.copies import Index
from jaxgan.metrics.copyscreen import Screen

PLANTS = 200  # training images that are changed
ALIKE = 0.5  # of copies with a change that are found: with fewer, that no match is found says nothing of them


def back(image: Image.Image, like: np.ndarray) -> np.ndarray:
    """Resize an image to the size of another."""
    height, width = like.shape[:2]
    resized = (
        image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)
    )
    return np.asarray(resized).reshape(like.shape)


def shifted(x: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Shift by up to four pixels; the border is repeated."""
    height, width = x.shape[:2]
    padded = np.pad(x, ((4, 4), (4, 4), (0, 0)), mode='edge')
    return padded[4 - dy : 4 - dy + height, 4 - dx : 4 - dx + width]


def jpeg(x: np.ndarray, quality: int) -> np.ndarray:
    """Store as JPEG and read again."""
    buffer = io.BytesIO()
    to_image(x).save(buffer, 'JPEG', quality=quality)
    return back(Image.open(buffer), x)


def cropped(x: np.ndarray, share: float) -> np.ndarray:
    """Cut out the middle of an enlarged image, and reduce it."""
    side = 8 * x.shape[0]
    edge = round(side * share)
    start = (side - edge) // 2
    large = to_image(x).resize((side, side), Image.Resampling.BICUBIC)
    return back(large.crop((start, start, start + edge, start + edge)), x)


def resized(x: np.ndarray, factor: float) -> np.ndarray:
    """Change the size, and back."""
    side = round(x.shape[0] * factor)
    return back(to_image(x).resize((side, side), Image.Resampling.BICUBIC), x)


def brighter(x: np.ndarray, factor: float) -> np.ndarray:
    """Multiply all values."""
    return np.clip(np.rint(x.astype(np.float32) * factor), 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'mirrored and shifted': lambda x: shifted(x[:, ::-1], 2, -1),
    'enlarged and reduced': lambda x: resized(x, 3.0),
    'halved and enlarged': lambda x: resized(x, 0.5),
    'JPEG 75': lambda x: jpeg(x, 75),
    'JPEG 50': lambda x: jpeg(x, 50),
    'cropped to 0.9': lambda x: cropped(x, 0.9),
    'brighter by 1.2': lambda x: brighter(x, 1.2),
}


def measure(
    read: Callable[[np.ndarray], np.ndarray], count: int, index: Index, thresholds: Sequence[Threshold]
) -> tuple[Planted, ...]:
    """Change some training images, and count how many are found.

    Args:
        read: gives training images by their rows in the index, uint8 [k, h, w, c].
        count: how many there are.
        index: of them.
        thresholds: of the index.
    """
    images = read(places_of(count, PLANTS))
    screen = Screen(index, max(EXACT, *(one.ratio for one in thresholds)))
    found = []
    for name, change in CHANGES.items():
        ratios = screen(np.stack([change(image) for image in images])).ratios
        found.append(Planted(name, tuple(float(np.mean(ratios < one.ratio)) for one in thresholds)))
    return tuple(found)


def too_alike(planted: Sequence[Planted], place: int) -> list[str]:
    """List the changes after which fewer than half of the copies are found, at the threshold of a place."""
    return [one.change for one in planted if one.found[place] < ALIKE]


def told(planted: Sequence[Planted], place: int) -> str:
    """Say what is found, and of what nothing is told."""
    shares = ', '.join(f'{one.change} {one.found[place]:.0%}' for one in planted)
    said = f'of changed training images this finds: {shares}'
    alike = too_alike(planted, place)
    if alike:
        said += f'\nimages of this set are too alike to tell copies that were {", ".join(alike)}: of such copies, no match says nothing'
    return said
