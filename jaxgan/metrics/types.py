"""What measures are made of: a fixed network from images to features, and features.

Images here are what a user would see: uint8 [B, H, W, C] with 1 or 3 channels. Generated images are rounded to bytes before
anything is measured, as the published numbers are.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float, UInt8

Bytes = UInt8[Array, 'b h w c']


class Features(NamedTuple):
    """What an extractor says of a batch of images."""

    pool: Float[Array, 'b d']
    """The features between which distances are measured, float32."""
    logits: Mapping[str, Float[Array, 'b _']]
    """Unnormalized class scores by the name of what they tell apart ('class', 'digit', an attribute); may be empty."""


class Extractor(NamedTuple):
    """A fixed network from images to features.

    ``apply`` is pure and jit-able; ``params`` are its first argument, so that they are placed once and not baked into a program.
    """

    name: str
    """Which network, and which weights: 'inception-2015', 'vgg16', 'dinov2-vits14', 'mnist', 'pixel_avatars'."""
    label: str
    """How its distances are called after FD-, KID-, ...: 'VGG16'; empty for inception-2015 only, whose FD is the FID."""
    digest: str
    """SHA-256 of the file of weights, hexadecimal."""
    resize: str
    """What happens to an image before the network sees it, in a few words."""
    params: Any
    apply: Callable[[Any, Bytes], Features]


class Perceptual(NamedTuple):
    """A distance between images, such as LPIPS: ``apply(params, a, b) -> [B]``, float32, on float images in [-1, 1]."""

    name: str
    digest: str
    params: Any
    apply: Callable[[Any, Float[Array, 'b h w c'], Float[Array, 'b h w c']], Float[Array, ' b']]
