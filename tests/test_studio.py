"""The studio without a browser: its files and their hashes, its server, and its random numbers and credits beside Python's."""

import hashlib
import http.client
import io
import json
import subprocess
import tarfile
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from studios import DCGAN, find_node, make_generator

from jaxgan.cli import main
from jaxgan.credentials import Credit, from_xmp, to_xmp
from jaxgan.errors import InputError, MachineError
from jaxgan.latents import normal, with_signs
from jaxgan.metrics.assets import MissingAsset
from jaxgan.sampling import make_sampler, of_keys, seed_keys
from jaxgan.studio import describe, runtime, server
from jaxgan.studio.command import page_files
from jaxgan.studio.folder import check_target, write_folder

PAGE = {'index.html': b'<p>hi', 'model.json': b'{}', 'worker.js': b'1', 'runtime/a.wasm': b'\0asm'}


# The runtime


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Small files in place of onnxruntime-web's, and an empty cache."""
    contents = {'ort.mjs': b'export default 1', 'ort.wasm': b'\0asm'}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    monkeypatch.setattr(runtime, 'FILES', hashes)
    monkeypatch.setenv('JAXGAN_CACHE', str(tmp_path / 'cache'))
    return contents


def pack(path, contents):
    with tarfile.open(path, 'w:gz') as archive:
        for name, data in contents.items():
            entry = tarfile.TarInfo(f'package/dist/{name}')
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def test_the_runtime_from_a_package_and_from_folders(files, tmp_path):
    archive = pack(tmp_path / 'ort.tgz', files)
    assert runtime.find_runtime(archive) == files
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter='data')
    for folder in ('.', 'package', 'package/dist'):
        assert runtime.find_runtime(tmp_path / folder) == files


def test_a_tampered_runtime_is_refused(files, tmp_path):
    archive = pack(tmp_path / 'ort.tgz', {**files, 'ort.wasm': b'\0evil'})
    with pytest.raises(InputError, match=r'ort\.wasm in .*ort\.tgz is not that of onnxruntime-web .*SHA-256'):
        runtime.find_runtime(archive)
    with pytest.raises(InputError, match='is no package of onnxruntime-web'):
        runtime.find_runtime(pack(tmp_path / 'less.tgz', {'ort.mjs': files['ort.mjs']}))
    (tmp_path / 'text.tgz').write_bytes(b'no archive')
    with pytest.raises(InputError, match='is no package of onnxruntime-web'):
        runtime.find_runtime(tmp_path / 'text.tgz')
    with pytest.raises(InputError, match='there is no such file or folder'):
        runtime.find_runtime(tmp_path / 'absent')


def test_the_runtime_comes_by_npm_once(files, tmp_path, monkeypatch):
    calls = []

    def npm(command, **_):
        calls.append(command)
        folder = command[command.index('--pack-destination') + 1]
        pack(f'{folder}/onnxruntime-web.tgz', files)
        return subprocess.CompletedProcess(command, 0, '', '')

    monkeypatch.setattr(runtime, 'find_npm', lambda: tmp_path / 'npm')
    monkeypatch.setattr(runtime.subprocess, 'run', npm)
    assert runtime.find_runtime() == files
    assert runtime.find_runtime() == files
    assert len(calls) == 1
    assert f'onnxruntime-web@{runtime.VERSION}' in calls[0] and '--ignore-scripts' in calls[0]
    kept = tmp_path / 'cache/runtime' / f'onnxruntime-web-{runtime.VERSION}'
    (kept / 'ort.mjs').write_bytes(b'tampered')
    with pytest.raises(InputError, match=r'ort\.mjs in .* is not that of'):
        runtime.find_runtime()


def test_without_npm_it_says_what_to_do(files, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, 'find_npm', lambda: None)
    with pytest.raises(
        MissingAsset, match=r'install Node\.js, or give the \.tgz of the npm package .* by --runtime'
    ):
        runtime.find_runtime()
    failing = tmp_path / 'npm'
    failing.write_text('#!/bin/sh\necho npm notice >&2; echo npm ERR! network is down >&2; exit 1\n')
    failing.chmod(0o755)
    monkeypatch.setattr(runtime, 'find_npm', lambda: failing)
    with pytest.raises(MissingAsset, match=r'npm could not fetch .* \(npm ERR! network is down\)') as caught:
        runtime.find_runtime()
    assert '\n' not in str(caught.value)


# The folder and the server


def test_a_studio_replaces_studios_only(tmp_path):
    target = tmp_path / 'deep' / 'studio'
    write_folder(target, PAGE)
    write_folder(target, {**PAGE, 'index.html': b'<p>new'})
    assert (target / 'index.html').read_bytes() == b'<p>new'
    assert [path.name for path in target.parent.iterdir()] == ['studio']
    other = tmp_path / 'mine'
    other.mkdir()
    (other / 'letter.txt').write_text('dear')
    with pytest.raises(InputError, match='it holds other files'):
        check_target(other)
    with pytest.raises(InputError, match='it is a file'):
        check_target(other / 'letter.txt')
    (tmp_path / 'file').write_text('')
    with pytest.raises(MachineError, match='cannot be written'):
        write_folder(tmp_path / 'file' / 'studio', PAGE)


@pytest.fixture
def served(tmp_path):
    write_folder(tmp_path / 'studio', PAGE)
    (tmp_path / 'secret.txt').write_text('secret')
    with server.make_server(tmp_path / 'studio', 0) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running.server_address[1]
        running.shutdown()
        thread.join()


def ask(port, path, **headers):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.request('GET', path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def test_the_server_names_types_and_lists_nothing(served):
    for path, kind in (('/', 'text/html'), ('/worker.js', 'text/javascript'), ('/model.json', 'application/json'), ('/runtime/a.wasm', 'application/wasm')):  # fmt: skip
        status, headers, _ = ask(served, path)
        assert status == 200 and headers['Content-Type'].startswith(kind), path
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert headers['Content-Security-Policy'] == f"{server.POLICY}; frame-ancestors 'none'"
    for path in ('/runtime/', '/absent', '/../secret.txt', '/%2e%2e/secret.txt'):
        assert ask(served, path)[0] == 404, path
    assert ask(served, '/', Host='evil.example:80')[0] == 403
    assert ask(served, '/', Host=f'localhost:{served}')[2] == b'<p>hi'


def test_a_port_that_is_taken(served, tmp_path):
    with pytest.raises(MachineError, match=rf'port {served} cannot be served: .*; try --port 0'):
        server.make_server(tmp_path, served)
    with pytest.raises(InputError, match=r'port 70000 must be in 0\.\.65535'):
        server.make_server(tmp_path, 70_000)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['absent'], 'absent does not exist'),
        (['absent', '--count', '0'], 'count 0 must be in 1..400'),
        (['absent', '--port', '-1'], 'port -1 must be in 0..65535'),
        (['absent', '--out', 'pyproject.toml'], 'cannot write pyproject.toml: it is a file'),
        (['absent', '--prot', '80'], 'did you mean --port?'),
    ],
)
def test_bad_options_are_one_line(arguments, message, capsys):
    if '--out' not in arguments:
        arguments = [*arguments, '--out', 'no-such-folder/studio']
    assert main(['studio', *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_the_page_loads_nothing_from_elsewhere():
    files = page_files()
    text = files['index.html'].decode()
    assert f'http-equiv="Content-Security-Policy" content="{server.POLICY}"' in text
    assert "default-src 'self'" in text and 'unsafe-inline' not in text and "'unsafe-eval'" not in text
    assert '<style' not in text and ' style=' not in text and ' onclick' not in text
    for name, data in files.items():
        assert data.count(b'\n') <= 300, name
        found = data.replace(b'http://localhost:8000/', b'')
        if name != 'credit.js':  # names of vocabularies
            assert b'http://' not in found and b'https://' not in found, name
    for name in files:
        assert name.encode() in b''.join(files.values()) or name == 'index.html', f'{name} is used nowhere'


@pytest.mark.slow
def test_what_the_page_is_told(monkeypatch):
    generator = make_generator()
    generator.card['data'] |= {'name': 'npz:/home/ann/toys.npz', 'origin': '/home/ann/toys.npz'}
    told = describe.describe(generator, 7)
    json.dumps(told, allow_nan=False)
    assert told['model'] == generator.digest and told['shape'] == [16, 16, 3] and told['count'] == 7
    assert told['data'] == {'name': 'npz:toys.npz', 'licence': 'CC0 1.0'}
    assert told['space'] == {'name': 'z', 'size': 8, 'signs': 0, 'layers': 1}
    assert told['directions'] and all(len(d['vector']) == 8 and d['scale'] > 0 for d in told['directions'])
    points = make_generator({**DCGAN, 'channels': 1})
    monkeypatch.setattr(type(points), 'shape', (1, 1, 2))
    with pytest.raises(InputError, match='this generator makes 1x1 with 2 channels'):
        describe.check_pictures(points)


@pytest.mark.slow
def test_the_first_image_is_the_most_real(monkeypatch):
    generator = make_generator()
    assert describe.choose_first(generator, 9) == 0
    brightness = generator.network._replace(infer=lambda params, aux, x, label: params * x.mean((1, 2, 3)))
    images = make_sampler(generator.network, generator.latents, generator.params, generator.aux)(range(9))
    means = images.mean((1, 2, 3))
    for sign, wanted in ((1.0, means.argmax()), (-1.0, means.argmin())):
        monkeypatch.setattr(type(generator), 'discriminator', lambda self, sign=sign: (brightness, sign, {}))
        assert describe.choose_first(generator, 9) == wanted


# The page's JavaScript beside Python


@pytest.fixture(scope='module')
def node(tmp_path_factory):
    found = find_node()
    if not found:
        pytest.skip('no Node here: pip install pyright[nodejs] brings one')
    folder = tmp_path_factory.mktemp('page')
    for name, data in page_files().items():
        (folder / name).write_bytes(data)
    (folder / 'package.json').write_text('{"type": "module"}')
    (folder / 'quantiles.bin').write_bytes(describe.quantiles())

    def run(script, *arguments):
        done = subprocess.run(
            [found, '--input-type=module', '-e', script, '--', *arguments],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def test_seeds_are_those_of_python_to_the_bit(node):
    cases = [(0, 8, 0), (1, 8, 0), (17, 8, 3), (2**31, 8, 0), (2**32 - 1, 8, 3)]
    script = (
        'import fs from "node:fs"; import { latentOf, unfold } from "./random.js";'
        'const table = unfold(new Float32Array(new Uint8Array(fs.readFileSync("quantiles.bin")).buffer));'
        'for (const [seed, dim, signs] of JSON.parse(process.argv[1])) process.stdout.write(new Uint8Array(latentOf(seed, dim, signs, table).buffer));'
    )
    found = np.frombuffer(node(script, json.dumps(cases)), '<f4').reshape(len(cases), 8)
    for z, (seed, dim, signs) in zip(found, cases, strict=True):
        sampler = with_signs(dim, signs) if signs else normal(dim)
        np.testing.assert_array_equal(z, np.asarray(of_keys(sampler, seed_keys([seed]))[0]))


def test_threefry_is_jaxs(node):
    script = (
        'import { foldIn, keyOf, threefry } from "./random.js";'
        'console.log(JSON.stringify([foldIn(keyOf(7), 5), threefry([1, 2], [0, 3])]));'
    )
    folded, word = json.loads(node(script))
    assert folded == jax.random.key_data(jax.random.fold_in(jax.random.key(7), 5)).tolist()
    key = jax.random.wrap_key_data(jnp.asarray([1, 2], jnp.uint32))
    assert word[0] ^ word[1] == int(jax.random.bits(key, (4,), jnp.uint32)[3])


@pytest.mark.parametrize('source', ['', 'ab' * 32])
def test_credits_say_the_same(node, source):
    rights = 'mine, <b> & "yours"\n\'s \x07é 🙂'
    details = {'psi': '0.7', **({'source': source, 'rights': rights.replace('\x07', '')} if source else {})}
    credit = Credit('0' * 64, 'toys & co', '0-3,7', details)
    fields = {**credit.fields(), **({'rights': rights} if source else {})}
    script = 'import { toXmp } from "./credit.js"; process.stdout.write(toXmp(JSON.parse(process.argv[1])));'
    packet = node(script, json.dumps({**fields, 'label': ''}))
    assert from_xmp(packet) == from_xmp(to_xmp(credit))
    assert from_xmp(packet)['kind'] == credit.kind


def test_codes(node):
    script = (
        'import * as codes from "./codes.js";'
        'const z = { name: "z", size: 4, signs: 1, layers: 1 };'
        'const w = { name: "w+", size: 4, signs: 0, layers: 2, center: [1, 2], deviation: [1, 3] };'
        'const [a, b] = [Float32Array.of(1, 0, 0, 1), Float32Array.of(0, 1, 0, -1)];'
        'const rows = [codes.truncate(a, 0.5, z), codes.truncate(a, 0, w), codes.between(a, b, 0.5, z), codes.between(a, b, 0, z), codes.splice(a, b, 1, w),'
        'codes.edit(a, { 0: 2 }, [{ vector: [1, 0], scale: 0.5 }]), codes.near(a, 0, z), codes.fromText(codes.toText(b), z)];'
        'console.log(JSON.stringify([rows.map((row) => [...row]), codes.fromText("!", z), codes.fromText("AAAA", z)]));'
    )
    rows, broken, short = json.loads(node(script))
    half = 0.5**0.5
    wanted = [[0.5, 0, 0, 1], [1, 2, 1, 2], [half, half, 0, -1], [1, 0, 0, 1], [1, 0, 0, -1], [2, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, -1]]  # fmt: skip
    np.testing.assert_allclose(rows, wanted, rtol=1e-6)
    assert broken is None and short is None


def test_the_search_finds_the_lowest_place(node):
    """A sphere in the place of a generator: the loss is the squared distance of codes."""
    script = (
        'import { refine } from "./search.js";'
        'const aim = [1, -2, 0.5, 0, 3, -1];'
        'const engine = { score: async (codes) => codes.map((code) => code.reduce((sum, v, i) => sum + (v - aim[i]) ** 2, 0)) };'
        'const model = { space: { name: "z", size: 6, signs: 0, layers: 1 } };'
        'const start = { code: new Float32Array(6), loss: 15.25, label: 0 };'
        'const found = await refine(engine, model, start, 160, async () => {}, () => false);'
        'console.log(found.loss);'
    )
    assert float(node(script)) < 1e-4
