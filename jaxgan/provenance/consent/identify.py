"""Which image of a run's data somebody means: by its index, by a SHA-256, or by the picture itself."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan.checkpoints.filetable import hash_file
from jaxgan.data import DataConfig, ImageSource, read_many
from jaxgan.data.exclusion import digests, pixel_digest
from jaxgan.data.folder import FolderSource
from jaxgan.data.pixels import decode, to_pixels
from jaxgan.datamanifest.entries import NAME, Entry, read_manifest
from jaxgan.errors import InputError
from jaxgan.images import to_uint8
from jaxgan.marks.hashes import distance, phash, phashes

LARGEST = 1 << 28  # bytes of a picture's file that is read
PART = 256  # images that are read at once


class Found(NamedTuple):
    """What somebody named, and which images that is."""

    asked: str
    images: tuple[int, ...]
    """Indices, ascending; none, if nothing matches."""
    how: str
    """By what they were found; if they were not, what is nearest."""


class Finder:
    """Finds images of a source; what it has to read of all of them it reads once, and only if it is asked for."""

    def __init__(self, source: ImageSource, config: DataConfig, run: Path) -> None:
        """Begin.

        Args:
            source: the training's images.
            config: how they were prepared, which a picture is, too.
            run: its ``data_manifest.jsonl`` is believed, where there is one, in what it says of files and of groups.
        """
        self._source, self._config, self._run = source, config, run

    @functools.cached_property
    def pixels(self) -> list[str]:
        """SHA-256 of the pixels of each image."""
        return list(digests(self._source))

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """The data manifest's lines; none, if there is no manifest."""
        path = self._run / NAME
        found = read_manifest(path) if path.is_file() else []
        if found and len(found) != len(self._source):
            raise InputError(
                f'{path} has {len(found):,} lines, and {self._source.info.name} has {len(self._source):,} images'
            )
        return found

    @functools.cached_property
    def _files(self) -> list[str]:
        """SHA-256 of the file of each image, where they are files."""
        if self.entries:
            return [entry.sha256 for entry in self.entries]
        if not isinstance(self._source, FolderSource):
            return []
        return [hash_file(self._source.file(i)) for i in range(len(self._source))]

    def find(self, asked: str) -> Found:
        """Find what somebody names: an index, 64 digits of a SHA-256 of pixels or of a file, or a picture's file.

        Raises:
            InputError: it is none of these, or there is no such index.
        """
        if asked.isdecimal() and asked.isascii() and len(asked) < 64:
            return self._by_index(asked)
        if len(asked) == 64 and set(asked.lower()) <= set('0123456789abcdef'):
            return self._by_digest(asked, asked.lower())
        path = Path(asked)
        if not path.is_file():
            raise InputError(
                f'{asked!r} is no index, no SHA-256 (64 digits 0 to f), and there is no such picture'
            )
        return self._by_picture(asked, path)

    def name(self, image: int) -> str:
        """Tell the name of an image's file, or what else it is called."""
        if self.entries:
            return self.entries[image].name
        return self._source.file(image).name if isinstance(self._source, FolderSource) else str(image)

    def digest(self, image: int) -> str:
        """Compute the SHA-256 of one image's pixels."""
        return pixel_digest(read_many(self._source, [image])[0]['image'])

    def copies(self, images: Sequence[int]) -> list[int]:
        """List the other images with the same pixels, or in the same groups of near-duplicates of the data manifest."""
        wanted = {self.pixels[i] for i in images}
        found = {i for i, digest in enumerate(self.pixels) if digest in wanted}
        if self.entries:
            groups = {self.entries[i].group for i in images} - {None}
            found |= {entry.index for entry in self.entries if entry.group in groups}
        return sorted(found - set(images))

    def _by_index(self, asked: str) -> Found:
        if int(asked) >= len(self._source):
            raise InputError(
                f'there is no image {asked} of {self._source.info.name} (allowed: 0 to {len(self._source) - 1})'
            )
        return Found(asked, (int(asked),), 'index')

    def _by_digest(self, asked: str, digest: str) -> Found:
        for how, table in (('its pixels', self.pixels), ('its file', self._files)):
            images = tuple(i for i, one in enumerate(table) if one == digest)
            if images:
                return Found(asked, images, how)
        return Found(asked, (), 'no image has this SHA-256')

    def _by_picture(self, asked: str, path: Path) -> Found:
        if path.stat().st_size > LARGEST:
            raise InputError(f'{asked} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read')
        info, digest = self._source.info, hashlib.sha256(path.read_bytes()).hexdigest()
        picture = decode(str(path), asked)
        if info.dtype != 'uint8' or info.channels not in (1, 3):
            raise InputError(f'{info.name} has no pictures: name its images by index or SHA-256')
        same = tuple(i for i, one in enumerate(self._files) if one == digest)
        if same:
            return Found(asked, same, 'its file')
        pixels = to_pixels(picture, self._config, info.size, info.channels, asked)
        views = [('its pixels', pixels)] + [('its mirrored pixels', pixels[:, ::-1])] * self._config.flip
        for how, view in views:
            wanted = pixel_digest(view)
            images = tuple(i for i, one in enumerate(self.pixels) if one == wanted)
            if images:
                return Found(asked, images, how)
        return Found(asked, (), self._nearest(pixels))

    def _nearest(self, pixels: np.ndarray) -> str:
        """Say which image looks most like a picture, mirrored or not."""
        wanted = [phash(pixels), phash(pixels[:, ::-1])]
        found = [min(distance(one, int(own)) for one in wanted) for own in self._hashes()]
        best = int(np.argmin(found))
        named = f' ({self.name(best)})' if self.name(best) != str(best) else ''
        return (
            f'no image has these pixels; image {best}{named} looks most like it: {found[best]} of the 64 bits of their '
            'perceptual hashes differ'
        )

    def _hashes(self) -> list[int]:
        found: list[int] = []
        for first in range(0, len(self._source), PART):
            part = read_many(self._source, range(first, min(first + PART, len(self._source))))
            images = np.stack([sample['image'] for sample in part])
            found += phashes(images if images.dtype == np.uint8 else to_uint8(images)).tolist()
        return found
