"""Hostile data: folders of images, .npz files, names of data sets, images for ``evaluate``."""

import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hostile_case import Case, train
from hostile_files import arrays, encoded, npz_bytes, picture
from PIL import Image

PNG = encoded('PNG')
JPEG = encoded('JPEG', quality=95)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(
    width: int, height: int, *, bits: int = 8, colour: int = 2, data: bytes = b'', more: bytes = b''
) -> bytes:
    """A PNG file whose header says whatever it likes."""
    header = struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, 0)
    head = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + more
    return head + chunk(b'IDAT', zlib.compress(data, 9)) + chunk(b'IEND', b'')


def long_text() -> bytes:
    """A PNG file with 100 MB of text in 100 kB."""
    text = chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(100_000_000), 9))
    return png(8, 8, data=bytes(8 * 25), more=text)


def gif_header(width: int, height: int) -> bytes:
    return (
        b'GIF89a'
        + struct.pack('<HH', width, height)
        + b'\0\0\0,'
        + struct.pack('<HHHH', 0, 0, width, height)
        + b'\0\2\0;'
    )


def tiff_header(width: int, height: int) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
               (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 16)]  # fmt: skip
    directory = b''.join(struct.pack('<HHII', *entry) for entry in entries)
    return (
        b'II*\0' + struct.pack('<I', 24) + bytes(16) + struct.pack('<H', len(entries)) + directory + bytes(4)
    )


def one_bad(name: str, file: str, data: bytes | Callable[[], bytes], *words: str) -> Case:
    """A folder of two good images and this file."""

    def make(folder: Path) -> list[str]:
        _folder(folder, {'a.png': PNG, file: data() if callable(data) else data, 'z.png': PNG})
        return train('--data.name', 'folder:images')

    return Case(f'image: {name}', make, ('1 of 3 images', file, *words))


def laid(
    name: str, files: dict[str, bytes], *words: str, options: tuple[str, ...] = (), code: int = 2
) -> Case:
    """A folder of these files."""

    def make(folder: Path) -> list[str]:
        _folder(folder, files)
        return train('--data.name', 'folder:images', *options)

    return Case(f'folder: {name}', make, words, code)


def built(name: str, build: Callable[[Path], object], *words: str, options: tuple[str, ...] = ()) -> Case:
    """A folder that this function makes."""

    def make(folder: Path) -> list[str]:
        (folder / 'images').mkdir()
        build(folder / 'images')
        return train('--data.name', 'folder:images', *options)

    return Case(f'folder: {name}', make, words)


def npz(
    name: str, data: bytes | dict | Callable[[], bytes], *words: str, options: tuple[str, ...] = ()
) -> Case:
    """A file data.npz of these bytes or arrays."""

    def make(folder: Path) -> list[str]:
        made = data() if callable(data) else data
        (folder / 'data.npz').write_bytes(npz_bytes(made) if isinstance(made, dict) else made)
        return train('--data.name', 'npz:data.npz', *options)

    return Case(f'npz: {name}', make, ('data.npz', *words))


def named(name: str, data: str, *words: str) -> Case:
    return Case(f'data set: {name}', lambda folder: train('--data.name', data), words)


def evaluated(name: str, files: dict[str, bytes] | bytes, *words: str) -> Case:
    """Images given to ``jaxgan evaluate``: a folder's, or an .npz."""

    def make(folder: Path) -> list[str]:
        if isinstance(files, bytes):
            (folder / 'made.npz').write_bytes(files)
        else:
            _folder(folder, files)
        real = np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3), np.uint8)
        (folder / 'real.npz').write_bytes(npz_bytes({'x_train': real}))
        source = 'made.npz' if isinstance(files, bytes) else 'images'
        return ['evaluate', source, '--data', 'npz:real.npz', '--extractor', 'pixels']

    return Case(f'evaluate: {name}', make, words)


def _folder(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _loop(folder: Path) -> None:
    (folder / 'loop.png').symlink_to('loop.png')
    (folder / 'a.png').write_bytes(PNG)


def _links(folder: Path) -> None:
    (folder / 'sub').mkdir()
    for target, name in (('..', 'sub/up'), ('.', 'here'), ('sub', 'again')):
        (folder / name).symlink_to(target)


def _two_names(folder: Path) -> None:
    (folder / 'a.png').write_bytes(PNG)
    (folder / 'b.png').symlink_to('missing.png')


def _pipe(folder: Path) -> None:
    (folder / 'a.png').write_bytes(PNG)
    os.mkfifo(folder / 'pipe.png')


def _undecodable(folder: Path) -> None:
    (folder / os.fsdecode(b'\xff\xfe.png')).write_bytes(SVG)


class Canary:
    """A pickle of this makes a file when it is loaded."""

    def __reduce__(self):
        return (open, ('canary', 'w'))


def member(name: str, data: bytes) -> bytes:
    """An .npy file as a member of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def npy(header: str, data: bytes = b'') -> bytes:
    """An .npy file with this header."""
    text = header.encode('latin-1')
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text + data


def described(shape: str, kind: str = '|u1', order: str = 'False') -> str:
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


def bomb() -> bytes:
    """300 MB of zeros in 300 kB."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open('x_train.npy', 'w', force_zip64=True) as file,
    ):
        file.write(npy(described('(4096, 160, 160, 3)')))
        for _ in range(300):
            file.write(bytes(2**20))
    return buffer.getvalue()


def lying(size: int) -> bytes:
    """A zip whose directory says that a member is larger than it is."""
    data = bytearray(npz_bytes({'x_train': arrays()['x_train']}))
    place = data.rindex(b'PK\x01\x02')
    data[place + 24 : place + 28] = struct.pack('<I', size)
    return bytes(data)


def later() -> bytes:
    """A zip that says it needs version 12.6 of the format."""
    data = bytearray(GOOD)
    data[data.index(b'PK\1\2') + 6] = 126
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(npz_bytes(arrays()))
    for mark, offset in ((b'PK\x01\x02', 8), (b'PK\x03\x04', 6)):
        place = data.find(mark)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(mark, place + 4)
    return bytes(data)


def objects() -> bytes:
    """An .npz of an object array: a pickle that makes a file."""
    data = pickle.dumps(np.array([Canary()], object))
    return member('x_train.npy', npy(described('(1,)', '|O'), data))


X = arrays()['x_train']
FLOAT = X / np.float32(255)
GOOD = npz_bytes(arrays())
MANY = {f'{i:02}.png': SVG for i in range(7)} | {'good.png': PNG}

IMAGES = [
    one_bad('0 bytes', 'b.png', b'', 'not an image'),
    one_bad('random bytes', 'b.png', bytes(range(256)) * 20, 'not an image'),
    one_bad('zeros', 'b.png', bytes(5000), 'not an image'),
    one_bad('an SVG named .png', 'b.png', SVG, 'not an image'),
    one_bad('HTML named .jpg', 'b.jpg', b'<!doctype html><script src="//x"></script>', 'not an image'),
    one_bad('PostScript named .png', 'b.png', b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(canary) (w) file\n', 'not an image'),
    one_bad('a pickle named .png', 'b.png', pickle.dumps(Canary()), 'not an image'),
    one_bad('a zip named .webp', 'b.webp', GOOD, 'not an image'),
    one_bad('a PNG of its first bytes', 'b.png', PNG[:8], 'b.png'),
    one_bad('a PNG without its end', 'b.png', PNG[: len(PNG) // 2], 'truncated'),
    one_bad('a PNG with a wrong checksum', 'b.png', PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], 'b.png'),
    one_bad('a PNG without pixels', 'b.png', png(32, 32), 'b.png'),
    one_bad('a PNG of 0x0', 'b.png', png(0, 0), 'b.png'),
    one_bad('a PNG that says 50,000x50,000', 'b.png', png(50_000, 50_000), '2500000000 pixels'),
    one_bad('a PNG that says 2^31-1 x 2^31-1', 'b.png', png(2**31 - 1, 2**31 - 1), '4611686014132420609 pixels'),
    one_bad('a PNG that says 2^31-1 x 1', 'b.png', png(2**31 - 1, 1), '2147483647 pixels'),
    one_bad('a PNG that says 12,000x12,000', 'b.png', png(12_000, 12_000), '12000x12000'),
    one_bad('a PNG of 9 bits', 'b.png', png(32, 32, bits=9), 'b.png'),
    one_bad('a PNG whose text unpacks to 100 MB', 'b.png', long_text, 'too large'),
    one_bad('a JPEG without its end', 'b.jpg', JPEG[: len(JPEG) // 2], 'truncated'),
    one_bad('a JPEG of its first bytes', 'b.jpg', JPEG[:20], 'b.jpg'),
    one_bad('a JPEG that says 65,000x65,000', 'b.jpg',
            JPEG.replace(struct.pack('>HH', 32, 32), struct.pack('>HH', 65_000, 65_000)), '4225000000 pixels'),
    one_bad('a GIF that says 65,535x65,535', 'b.gif', gif_header(65_535, 65_535), '4294836225 pixels'),
    one_bad('a GIF without its end', 'b.gif', encoded('GIF')[:200], 'b.gif'),
    one_bad('a TIFF that says 60,000x60,000', 'b.tiff', tiff_header(60_000, 60_000), '3600000000 pixels'),
    one_bad('a TIFF without pixels', 'b.tiff', tiff_header(32, 32)[:-40], 'b.tiff'),
    one_bad('a BMP that says 2^31', 'b.bmp',
            encoded('BMP')[:18] + struct.pack('<ii', 2**31 - 1, 32) + encoded('BMP')[26:], '68719476704 pixels'),
    one_bad('a WebP without its end', 'b.webp', encoded('WEBP')[:60], 'b.webp'),
    one_bad('a PPM that says 50,000x50,000', 'b.ppm', b'P6 50000 50000 255\n' + bytes(64), '2500000000 pixels'),
    one_bad('floats without a range', 'b.tiff', encoded('TIFF', mode='F'), 'range'),
    one_bad('whole numbers of 32 bits', 'b.tiff',
            (lambda b: (Image.fromarray(np.full((32, 32), 70_000, np.int32)).save(b, 'TIFF'), b.getvalue())[1])(io.BytesIO()), 'range'),
    one_bad('a name with a line break', 'b\nerror: fine.png', SVG)._replace(words=('1 of 3 images', 'b error: fine.png')),
    one_bad('a name with an escape', 'b\x1b[2J.png', SVG)._replace(words=('1 of 3 images', 'b\\x1b[2J.png')),
    one_bad('a name in another direction', 'b\u202egnp.exe.png', SVG)._replace(words=('1 of 3 images', 'b\\u202egnp')),
    one_bad('a name of 250 letters', 'b' * 246 + '.png', SVG),
    one_bad('a name of Unicode', 'é漢字🙂.png', SVG),
    one_bad('a name that is an option', '--help.png', SVG),
    one_bad('a name of spaces', '  .png', SVG)._replace(words=('1 of 3 images', '.png')),
    one_bad('a name with markup', '[red]b[/].png', SVG),
]  # fmt: skip
FOLDERS = [
    built('empty', lambda folder: None, 'no image', 'images'),
    built('of folders only', lambda folder: (folder / 'a/b/c').mkdir(parents=True), 'no image'),
    built('a folder named x.png', lambda folder: (folder / 'x.png').mkdir(), 'no image'),
    built('a link to itself', _loop, '1 of 2 images', 'loop.png', 'symbolic links'),
    built('links in a circle', _links, 'no image'),
    built('a link to nothing', _two_names, '1 of 2 images', 'b.png', 'No such file'),
    built('a pipe', _pipe, '1 of 2 images', 'pipe.png'),
    built('a name that is no text', _undecodable, '1 of 1 images', '\\udcff'),
    laid('other files', {'a.txt': b'', 'b.html': SVG}, 'no image'),
    laid('hidden images', {'.a.png': PNG}, 'no image'),
    laid('seven bad of eight, three named', MANY, '7 of 8 images', '00.png', '01.png', '02.png', '...', "'skip'"),
    laid('all bad and skipped', {'a.png': SVG}, 'no image', options=('--data.bad-images', 'skip')),
    laid('images of several sizes', {'a.png': PNG, 'b.png': encoded(side=16)}, '2 sizes', '32x32', '16x16', 'data.size'),
    laid('an image that is not square', {'a.png': png(32, 16, data=bytes(16 * 97))}, 'a.png', '32x16', "'center'"),
    laid('an image of 1x1', {'a.png': encoded(side=1), 'b.png': encoded(side=1)}, 'image size 1', '16'),
    laid('images outside of the labels', {'a.png': PNG, 'x/b.png': PNG}, '1 of 2 images', 'a.png'),
    laid('a label that there is not', {'x/a.png': PNG}, "'colour'", options=('--data.label', 'colour')),
    laid('a split that there is not', {'a.png': PNG}, "'test'", options=('--data.split', 'test')),
    laid('more images in a slice than there are', {'a.png': PNG}, "'train[5:]'", options=('--data.split', 'train[5:]')),
    Case('folder: is a file', lambda folder: [(folder / 'images').touch(), train('--data.name', 'folder:images')][1], ('images',)),
    Case('folder: is a link to itself',
         lambda folder: [(folder / 'images').symlink_to('images'), train('--data.name', 'folder:images')][1], ('images',)),
    named('folder not there', 'folder:nowhere', 'nowhere'),
    named('folder without a name', 'folder:', 'no image'),
    named('folder with a zero', 'folder:a\0b', 'no folder'),
    named('folder of 5,000 letters', 'folder:' + 'x' * 5000, 'xxx'),
    named('folder of a home that there is not', 'folder:~nobody_at_all/x', '~nobody_at_all'),
]  # fmt: skip
ARRAYS = [
    npz('0 bytes', b'', 'cannot read'),
    npz('random bytes', bytes(range(256)), 'cannot read'),
    npz('a text', b'not an archive', 'cannot read'),
    npz('a pickle that runs a program', pickle.dumps(Canary()), 'cannot read'),
    npz('an object array that runs a program', objects, "'x_train'", 'allow_pickle=False'),
    npz('a single array', npy(described('(4,)'), bytes(4)), 'single array'),
    npz('without its end', GOOD[: len(GOOD) // 2], 'cannot read'),
    npz('without its start', GOOD[100:], 'cannot read'),
    npz('a byte changed', GOOD[:5000] + bytes([GOOD[5000] ^ 255]) + GOOD[5001:], "'x_train'"),
    npz('an empty zip', b'PK\x05\x06' + bytes(18), 'no images'),
    npz('of a version to come', later, 'version'),
    npz('encrypted', encrypted, 'x_train'),
    npz('a directory that lies', lambda: lying(200), "'x_train'"),
    npz('300 MB of zeros', bomb, "'x_train'", 'times'),
    npz('a header of 2^40 images', member('x_train.npy', npy(described('(1099511627776, 16, 16, 3)'), bytes(99))), "'x_train'"),
    npz('a header of 2^62 bytes', member('x_train.npy', npy(described('(4611686018427387904,)'), bytes(99))), "'x_train'"),
    npz('a header of 2^70 bytes', member('x_train.npy', npy(described(f'({2**70},)'), bytes(99))), "'x_train'"),
    npz('a header of -1 images', member('x_train.npy', npy(described('(-1, 16, 16, 3)'), bytes(768))), "'x_train'"),
    npz('a header that is a program', member('x_train.npy', npy("open('canary', 'w')\n")), "'x_train'"),
    npz('a header that is none', member('x_train.npy', npy('{' * 1000)), "'x_train'"),
    npz('a header without its end', member('x_train.npy', b'\x93NUMPY\x01\x00\xff\xff{'), "'x_train'"),
    npz('a version that there is not', member('x_train.npy', b'\x93NUMPY\x09\x00' + bytes(200)), "'x_train'"),
    npz('a kind that there is not', member('x_train.npy', npy(described('(4,)', 'q9'))), "'x_train'"),
    npz('a member that is no array', member('x_train', b'text'), "'x_train'"),
    npz('a member above the folder', member('../x_train.npy', npy(described('(4,)'), bytes(4))), 'no images', '../x_train'),
    npz('a member at the root', member('/x_train.npy', npy(described('(4,)'), bytes(4))), 'no images', '/x_train'),
    npz('names with line breaks', member('a\nb\x1b.npy', npy(described('(4,)'), bytes(4))), 'no images', 'b\\x1b'),
    npz('other names', {'pictures': X}, 'no images', 'x_train', 'pictures'),
    npz('1,000 other names', {f'a{i}': X[:1, 0, 0] for i in range(1000)}, 'no images', 'a0'),
    npz('floats', {'x_train': FLOAT}, "'x_train'", 'float32'),
    npz('floats with NaN', {'x_train': FLOAT * np.float32(np.nan)}, "'x_train'", 'float32'),
    npz('whole numbers of 64 bits', {'x_train': X.astype(np.int64)}, "'x_train'", 'int64'),
    npz('big-endian', {'x_train': X.astype('>u2')}, "'x_train'", '>u2'),
    npz('texts', {'x_train': np.array(['a', 'b'])}, "'x_train'", '[2]'),
    npz('times', {'x_train': np.zeros((4, 4, 4), 'M8[s]')}, "'x_train'", 'datetime64'),
    npz('records', {'x_train': np.zeros((4, 4, 4), [('a', 'u1')])}, "'x_train'"),
    npz('a number', {'x_train': np.uint8(3)}, "'x_train'", '[]'),
    npz('no images', {'x_train': X[:0]}, "'x_train'", '[0, 16, 16, 3]'),
    npz('images of 0 pixels', {'x_train': X[:, :0]}, "'x_train'", '[12, 0, 16, 3]'),
    npz('four channels', {'x_train': np.zeros((4, 16, 16, 4), np.uint8)}, "'x_train'", '16, 4]'),
    npz('channels first', {'x_train': X.transpose(0, 3, 1, 2)}, "'x_train'", '[12, 3, 16, 16]'),
    npz('six axes', {'x_train': np.zeros((1, 1, 1, 1, 1, 1), np.uint8)}, "'x_train'"),
    npz('fewer labels', arrays(y_train=np.arange(5)), "'y_train'", '[5]', '[12]'),
    npz('labels below 0', arrays(y_train=np.arange(12) - 1), "'y_train'", '-1'),
    npz('labels as floats', arrays(y_train=np.arange(12.0)), "'y_train'", 'float64'),
    npz('labels of NaN', arrays(y_train=np.full(12, np.nan)), "'y_train'", 'float64'),
    npz('labels as texts', arrays(y_train=np.array(['a'] * 12)), "'y_train'", '[12]'),
    npz('labels of yes and no', arrays(y_train=np.ones(12, bool)), "'y_train'", 'bool'),
    npz('labels in two axes', arrays(y_train=np.zeros((12, 1), int)), "'y_train'", '[12, 1]'),
    npz('a label of 2^40', arrays(y_train=np.arange(12) + 2**40), "'y_train'", '1099511627776'),
    npz('a label of 2^63', arrays(y_train=np.arange(12, dtype=np.uint64) + 2**63), "'y_train'", '9223372036854775808'),
    npz('a label of 10^9', arrays(y_train=np.arange(12) * 90_000_000), "'y_train'", '990000000'),
    npz('labels that are objects', arrays(y_train=np.array([None] * 12)), "'y_train'", 'allow_pickle=False'),
    npz('fewer names of classes', arrays(classes=np.array(['a', 'b'])), "'classes'", '2', '3'),
    npz('one name as all classes', arrays(classes=np.array('abc')), "'classes'"),
    npz('names of classes as numbers', arrays(classes=np.arange(3.0)), "'classes'", 'float64'),
    npz('the same name of two classes', arrays(classes=np.array(['a', 'b', 'a'])), "'classes'", "'a'"),
    npz('names of classes as objects', arrays(classes=np.array([{}, {}, {}])), "'classes'", 'allow_pickle=False'),
    npz('a split that there is not', GOOD, "'test'", options=('--data.split', 'test')),
    npz('a label that there is not', GOOD, "'colour'", options=('--data.label', 'colour'))._replace(words=("'colour'",)),
    npz('images that are not square', {'x_train': X[:, :8]}, '16x8', "'center'"),
    named('npz not there', 'npz:nowhere.npz', 'nowhere.npz', 'No such file'),
    named('npz of a folder', 'npz:.', 'Is a directory'),
    named('npz with a zero', 'npz:a\0b', 'a\\x00b'),
    named('npz of a device without an end', 'npz:/dev/zero', '/dev/zero'),
    named('npz of 5,000 letters', 'npz:' + 'x' * 5000, 'xxx'),
]  # fmt: skip
NAMES = [
    named('none', '', "''"),
    named('a slip', 'cifar01', "'cifar01'", "'cifar10'"),
    named('not prepared', 'cifar10', 'not prepared', 'jaxgan prepare cifar10'),
    named('a path', '../../etc/passwd', "'../../etc/passwd'"),
    named('an absolute path', '/etc/passwd', "'/etc/passwd'"),
    named('a command', '$(touch canary)', 'touch canary'),
    named('a version that is none', 'cifar10:x', "'cifar10:x'"),
    named('a line break', 'cifar\n10', 'cifar'),
    named('a zero', 'cifar\x0010', 'cifar'),
    named('an attribute that there is not', 'pixel_avatars/hairr', 'hairr'),
    named('points of another shape', 'points:star5', "'points:star5'"),
    named('points without modes', 'points:ring0', "'points:ring0'"),
    named('points of too many modes', 'points:ring99999999999', "'points:ring99999999999'"),
    named('points of a grid that is no square', 'points:grid7', "'points:grid7'"),
    named('stacks of nothing', 'stacked:', "'stacked:'"),
    named('stacks of four', 'stacked4:mnist', "'stacked4:mnist'"),
    named('stacks of stacks', 'stacked:' * 40 + 'mnist', 'stacked'),
    named('stacks of 1,000 stacks', 'stacked:' * 1000 + 'mnist', 'stacked'),
    named('stacks of points', 'stacked:points:ring8', 'points:ring8'),
    named('stacks of what is not there', 'stacked:npz:nowhere.npz', 'nowhere.npz'),
]
EVALUATED = [
    evaluated('an empty folder', {'a.txt': b''}, 'no image'),
    evaluated('a bad image', {'a.png': PNG, 'b.png': SVG}, '1 of 2 images', 'b.png'),
    evaluated('a bomb', {'a.png': PNG, 'b.png': png(50_000, 50_000)}, '2500000000 pixels'),
    evaluated('one image', {'a.png': PNG}, 'images', '1 image', 'at least 2'),
    evaluated('an .npz of a pickle', objects(), "'x_train'", 'allow_pickle=False'),
    evaluated('an .npz that is none', b'no', 'made.npz'),
    evaluated('an .npz of floats', npz_bytes({'images': FLOAT}), "'images'", 'float32'),
    evaluated('an .npz of nothing', npz_bytes({'images': X[:0]}), "'images'"),
]
CASES = [*IMAGES, *FOLDERS, *ARRAYS, *NAMES, *EVALUATED]


def modes() -> dict[str, tuple[bytes, str]]:
    """Good images of odd kinds, and what becomes of each."""
    noise = np.random.default_rng(0)
    deep = Image.fromarray(noise.integers(0, 65_536, (32, 32)).astype(np.uint16))
    moving = io.BytesIO()
    picture().save(moving, 'GIF', save_all=True, append_images=[picture(seed=1)])
    layered = io.BytesIO()
    deep.save(layered, 'PNG')
    return {
        'grey': (encoded(mode='L'), 'L'),
        'grey with transparency': (encoded(mode='LA'), 'L'),
        'one bit': (encoded(mode='1'), 'L'),
        'sixteen bits': (layered.getvalue(), 'L'),
        'a palette': (encoded(mode='P'), 'RGB'),
        'transparency': (encoded(mode='RGBA'), 'RGB'),
        'CMYK': (encoded('JPEG', mode='CMYK'), 'RGB'),
        'YCbCr': (encoded('JPEG', mode='YCbCr'), 'RGB'),
        'animated': (moving.getvalue(), 'RGB'),
    }
