"""Hostile configurations: a run's config.json, recipe files, values on the command line."""

import json
from pathlib import Path

from hostile_case import Case, argv, train
from hostile_files import arrays, npz_bytes, run

from jaxgan.config import Config
from jaxgan.configjson import to_dict, to_json

CONTINUED = ['train', '--workdir', 'run', '--dry-run', '--steps', '1']
DEEP = '[' * 100_000 + ']' * 100_000


def saved(name: str, text: str | bytes, *words: str, command: str = 'train') -> Case:
    """A run's folder with this config.json, and a training that would continue it."""

    def make(folder: Path) -> list[str]:
        path = folder / 'run/config.json'
        path.parent.mkdir()
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return CONTINUED if command == 'train' else [command, 'run']

    return Case(f'config.json: {name}', make, words)


def changed(name: str, path: str, value: object, *words: str) -> Case:
    """A config.json with one value changed; ``path`` is dotted."""
    values = to_dict(Config())
    *parents, last = path.split('.')
    node = values
    for parent in parents:
        node = node[int(parent)] if isinstance(node, list) else node[parent]
    node[last] = value
    return saved(name, json.dumps(values), *words)


def recipe(name: str, text: str, *words: str) -> Case:
    """A recipe file, which is a program: its faults are one line, too."""

    def make(folder: Path) -> list[str]:
        (folder / 'mine.py').write_bytes(text.encode('utf-8', 'surrogateescape'))
        return train('--config', 'mine.py')

    return Case(f'recipe: {name}', make, ('mine.py', *words))


def option(name: str, *arguments: str, words: tuple[str, ...] = (), classes: bool = True) -> Case:
    """Options beside a small data set of 16 pixels."""

    def make(folder: Path) -> list[str]:
        found = arrays()
        if not classes:
            del found['y_train']
        (folder / 'data.npz').write_bytes(npz_bytes(found))
        return train('--data.name', 'npz:data.npz', *arguments)

    return Case(f'option: {name}', make, words or arguments[-1:])


def _evaluated(folder: Path) -> list[str]:
    path = run(folder / 'run') / 'config.json'
    path.write_text(path.read_text().replace('"flip"', '"flop"'))
    return ['evaluate', 'run']


GOOD = to_json(Config())
SAVED = [
    saved('empty', '', 'cannot be read'),
    saved('white', ' \n\n\t ', 'cannot be read'),
    saved('null', 'null', 'None', 'object'),
    saved('a list', '[]', '[]', 'object'),
    saved('a number', '3', '3', 'object'),
    saved('a text', '"config"', 'object'),
    saved('cut off', GOOD[: len(GOOD) // 2], 'cannot be read'),
    saved('more after the end', GOOD + '{}', 'cannot be read', 'Extra data'),
    saved('not utf-8', GOOD.encode() + b'\xff\xfe', 'cannot be read', 'utf-8'),
    saved('utf-16', GOOD.encode('utf-16'), 'cannot be read'),
    saved('byte order mark', b'\xef\xbb\xbf' + GOOD.encode(), 'cannot be read', 'BOM'),
    saved('random bytes', bytes(range(256)) * 8, 'cannot be read'),
    saved('zeros', bytes(4096), 'cannot be read'),
    saved('nested deeply', DEEP, 'cannot be read', 'nested'),
    saved('an object nested deeply', '{"a":' * 50_000 + '1' + '}' * 50_000, 'cannot be read', 'nested'),
    saved(
        'nested deeply inside a field', GOOD.replace('"loss": "relativistic"', f'"loss": {DEEP}'), 'nested'
    ),
    saved('a number of 100,000 digits', GOOD.replace('"seed": 0', f'"seed": {"9" * 100_000}'), 'digits'),
    saved('1e400', GOOD.replace('"burn_in": 200000', '"burn_in": 1e400'), 'burn_in', 'inf'),
    saved('a rate of 1e400', GOOD.replace('0.0002', '1e400', 1), 'learning_rate', 'inf'),
    saved('NaN', GOOD.replace('"beta1": 0.0', '"beta1": NaN', 1), 'NaN'),
    saved('Infinity', GOOD.replace('"clip": 10.0', '"clip": Infinity', 1), 'Infinity'),
    saved('-Infinity', GOOD.replace('"clip": 10.0', '"clip": -Infinity', 1), '-Infinity'),
    saved('the same key twice', GOOD.replace('"seed": 0', '"seed": 0, "seed": 1'), 'seed', 'twice'),
    saved(
        'a nested key twice', GOOD.replace('"clip": 10.0', '"clip": 1.0, "clip": 10.0', 1), 'clip', 'twice'
    ),
    saved('a megabyte of text', GOOD.replace('relativistic', 'x' * 1_000_000), 'loss'),
    saved('a command in a name', GOOD.replace('relativistic', '$(touch canary)'), 'loss', 'canary'),
    saved('line breaks in a key', GOOD.replace('"seed"', '"se\\ned\\u001b[31m"'), 'se', 'ed'),
    saved('a report of one cut off', GOOD[:100], 'cannot be read', command='report'),
    saved('a report of a list', '[1]', 'list', command='report'),
    saved('a report of one nested deeply', DEEP, 'cannot be read', command='report'),
    saved('a report of random bytes', bytes(range(256)), 'cannot be read', command='report'),
    saved('a report of NaN', 'NaN', 'NaN', command='report'),
    changed('an unknown key', 'batchsize', 3, "'batchsize'", "did you mean 'batch_size'?"),
    changed('an unknown nested key', 'data.nmae', 'x', "'nmae'", "did you mean 'name'?"),
    changed('an unknown key of the model', 'model.widht', 3, "'widht'", "did you mean 'width'?"),
    changed('a number as text', 'batch_size', '16', 'batch_size', "'16'"),
    changed('a fraction for a count', 'batch_size', 16.5, 'batch_size', '16.5'),
    changed('true for a count', 'batch_size', True, 'batch_size', 'True'),
    changed('1 for a yes', 'conditional', 1, 'conditional', '1'),
    changed('null for a count', 'batch_size', None, 'batch_size', 'None'),
    changed('a list for a record', 'data', [], 'data', '[]'),
    changed('null for a record', 'ema', None, 'ema', 'None'),
    changed('a text for a record', 'g_optimizer', 'adam', 'g_optimizer', "'adam'"),
    changed('a record for a list', 'penalties', {}, 'penalties', '{}'),
    changed('a pair of three', 'augment_p', [0, 0, 0], 'augment_p', '[0, 0, 0]', '2 values'),
    changed('a pair that is none', 'augment_p', 1.0, 'augment_p', '1.0'),
    changed('another kind of model', 'model.kind', 'dcgna', "'dcgna'", "did you mean 'dcgan'?"),
    changed('a model without a kind', 'model.kind', None, 'model kind', 'None'),
    changed('a list as the kind of model', 'model.kind', ['dcgan'], 'model kind', 'dcgan'),
    changed('a record as a choice', 'spectral_norm', {'a': 1}, 'spectral_norm', "{'a': 1}"),
    changed('a list as a choice', 'dtype', ['float32'], 'dtype', 'float32'),
    changed('another choice', 'dtype', 'float23', "'float23'", "did you mean 'float32'?"),
    changed('a number for a name', 'loss', 7, 'loss', '7'),
    changed('an augmentation that is none', 'augment', ['colour'], "'colour'", "did you mean 'color'?"),
    changed('another crop', 'data.crop', 'centre', "'centre'", "did you mean 'center'?"),
    changed('a size below 1', 'data.size', 0, 'data.size', '0'),
    changed('two channels', 'data.channels', 2, 'channels', '2'),
    changed('a whole number that no float holds', 'g_optimizer.beta1', 10**400, 'beta1', '1000'),
    changed('a constructor', '__class__', 'os.system', "'__class__'"),
    changed('a YAML tag', 'loss', '!!python/object/apply:os.system ["touch canary"]', 'loss', 'python'),
    Case('config.json: read by evaluate', _evaluated, ('config.json', "'flop'", "did you mean 'flip'?")),
]
RECIPES = [
    recipe('a slip of syntax', 'def get_config(:\n', 'SyntaxError'),
    recipe('another indentation', 'def f():\n  a\n    b\n', 'IndentationError'),
    recipe('no get_config', 'x = 1\n', 'get_config'),
    recipe('empty', '', 'get_config'),
    recipe('get_config is no function', 'get_config = 3\n', 'TypeError'),
    recipe('get_config needs an argument', 'def get_config(size): ...\n', 'TypeError', 'size'),
    recipe('returns nothing', 'def get_config(): ...\n', 'NoneType', 'Config'),
    recipe('returns a dict', 'def get_config():\n    return {}\n', 'dict', 'Config'),
    recipe('raises', 'def get_config():\n    raise KeyError("lost")\n', 'KeyError', 'lost'),
    recipe('raises at import', '1 / 0\n', 'ZeroDivisionError'),
    recipe('leaves the program', 'import sys\nsys.exit("bye")\n', 'SystemExit', 'bye'),
    recipe('recurses', 'def get_config():\n    return get_config()\n', 'RecursionError'),
    recipe('imports what is not there', 'import not_here_at_all\n', 'ModuleNotFoundError', 'not_here_at_all'),
    recipe('zeros', 'x = 1\0\n', 'null bytes'),
    recipe('not utf-8', 'x = "\udcff"\n', 'SyntaxError', 'utf-8'),
    recipe('nested deeply', f'x = {"(" * 500}{")" * 500}\n', 'parentheses'),
    recipe(
        'a field of another type',
        'from jaxgan.config import Config\ndef get_config():\n    return Config(batch_size="16")\n',
        'batch_size',
        "'16'",
    ),
    recipe(
        'a message of many lines',
        'def get_config():\n    raise ValueError("one\\ntwo\\x1b[31m" + "x" * 5000)\n',
        'one two',
    ),
    Case(
        'recipe: a folder named x.py',
        lambda folder: [(folder / 'x.py').mkdir(), train('--config', 'x.py')][1],
        ("'x.py'",),
    ),
    Case('recipe: not there', lambda folder: train('--config', 'rign25'), ("'rign25'",)),
    Case('recipe: a name with a zero', lambda folder: train('--config', 'a\0b'), ('config',)),
    Case('recipe: a name too long', lambda folder: train('--config', 'x' * 5000), ('config',)),
    Case('recipe: no name', lambda folder: ['train', '--config'], ('--config', 'value')),
    Case(
        'recipe: another kind of file',
        lambda folder: [(folder / 'x.yaml').write_text('a: 1'), train('--config', 'x.yaml')][1],
        ('x.yaml', 'Python'),
    ),
]
OPTIONS = [
    argv('option: no such command', 'trian', words=("'trian'", "did you mean 'train'?")),
    argv('option: a command with a line break', 'tr\nain\x1b[31m', words=('train',)),
    argv('option: an option without a value', 'sample', 'run', '--n', words=('--n',)),
    argv('option: no source', 'sample', words=('Missing', 'folder')),
    argv('option: a source too many', 'sample', 'a', 'b', words=('b',)),
    argv('option: a source that is not there', 'sample', 'nowhere', words=('nowhere', 'does not exist')),
    argv('option: a source that is empty', 'sample', '', words=('run',)),
    argv('option: a source with a zero', 'sample', 'a\0b', words=('a',)),
    argv('option: a source of 5,000 letters', 'sample', 'x' * 5000, words=('xxx',)),
    argv('option: no images of sample', 'sample', 'nowhere', '--n', '0', words=('n 0',)),
    argv('option: -1 images', 'sample', 'nowhere', '--n=-1', words=('n -1',)),
    argv('option: 10^12 images', 'sample', 'nowhere', '--n', str(10**12), words=('n 1000000000000',)),
    argv('option: a seed of sample below 0', 'sample', 'nowhere', '--seed=-5', words=('seed', '-5')),
    argv('option: a seed of sample above 2^32', 'sample', 'nowhere', '--seed', str(2**32), words=('seed', '4294967296')),
    argv('option: seeds that are none', 'sample', 'nowhere', '--seeds', 'a-b', words=('seeds', 'a-b')),
    argv('option: seeds backwards', 'sample', 'nowhere', '--seeds', '9-3', words=('9-3',)),
    argv('option: 10^12 seeds', 'sample', 'nowhere', '--seeds', '0-999999999999', words=('0-999999999999',)),
    argv('option: another kind of picture', 'sample', 'nowhere', '--out', 'a.jpg', words=("'.jpg'",)),
    argv('option: n of evaluate', 'evaluate', 'nowhere', '--n', '1', words=('n 1',)),
    argv('option: evaluate nothing', 'evaluate', 'nowhere', words=('nowhere', 'does not exist')),
    argv('option: compare nothing', 'compare', 'nowhere', 'nowhere', words=('nowhere',)),
    argv('option: report nothing', 'report', 'nowhere', words=('nowhere', 'does not exist')),
    argv('option: export nothing', 'export', 'nowhere', 'out', words=('nowhere', 'does not exist')),
    argv('option: no such family', 'zoo', 'lossses', words=("'lossses'", "did you mean 'losses'?")),
    argv('option: prepare nothing', 'prepare', '../../etc', words=("'../../etc'",)),
    option('an unknown option', '--batch-sise', '3', words=('--batch-sise', 'did you mean --batch-size?')),
    option('a text for a count', '--batch-size', 'many'),
    option('a fraction for a count', '--batch-size', '1.5'),
    option('1e400 for a count', '--batch-size', '1e400'),
    option('no batch', '--batch-size', '0'),
    option('a batch below 0', '--batch-size=-4', words=('batch_size', '-4')),
    option('a batch of 10^18', '--batch-size', str(10**18)),
    option('a batch of 10^9', '--batch-size', str(10**9)),
    option('NaN for a rate', '--g-optimizer.learning-rate', 'nan', '1', words=('learning_rate', 'nan')),
    option('1e400 for a rate', '--g-optimizer.learning-rate', '1e400', '1', words=('learning_rate', 'inf')),
    option('a rate below 0', '--d-optimizer.learning-rate', '1', '-1', words=('learning_rate', '-1')),
    option('beta of 1', '--g-optimizer.beta1', '1', words=('beta1', '1')),
    option('NaN for beta', '--g-optimizer.beta1', 'nan', words=('beta1', 'nan')),
    option('NaN for a target', '--ada', 'b', '--ada-target', 'nan', words=('ada_target', 'nan')),
    option('NaN for a probability', '--augment', 'color', '--augment-p', 'nan', '1', words=('augment_p', 'nan')),
    option('NaN for top_k', '--top-k', 'nan', '1', words=('top_k', 'nan')),
    option('NaN for the ramp', '--ema.rampup', 'nan', words=('rampup', 'nan')),
    option('inf for the half-life', '--ema.half-life', 'inf', '1', words=('half_life', 'inf')),
    option('a clip of 0', '--g-optimizer.clip', '0', words=('clip', '0')),
    option('NaN for frequencies', '--model', 'dcgan', '--model.d-scale', 'nan', words=('d-scale',)),
    option('a seed below 0', '--seed=-1', words=('seed', '-1')),
    option('a seed above 2^32', '--seed', str(2**32)),
    option('no images', '--steps', '0', words=('images', '0')),
    option('steps below 0', '--steps=-1', words=('-',)),
    option('10^30 steps', '--steps', str(10**30), words=('images',)),
    option('an unknown loss', '--loss', 'hing', words=("'hing'", "did you mean 'hinge'?")),
    option('an unknown penalty', '--penalties.0.name', 'r3', words=("'r3'",)),
    option('an unknown optimizer', '--g-optimizer.name', 'adagard', words=("'adagard'", "did you mean 'adagrad'?")),
    option('an unknown augmentation', '--augment', 'colour', words=('colour',)),
    option('an unknown set of ADA', '--ada', 'bgcx', '--loss', 'hinge', words=('bgcx',)),
    option('a split that is none', '--data.split', 'train[', words=("'train['",)),
    option('an unknown split', '--data.split', 'trian', words=("'trian'",)),
    option('a slice of nothing', '--data.split', 'train[5:5]', words=("'train[5:5]'",)),
    option('a slice of a huge number', '--data.split', f'train[{"9" * 5000}:]', words=('split',)),
    option('a size below 0', '--data.size=-4', words=('data.size', '-4')),
    option('a size of 0', '--data.size', '0', words=('data.size', '0')),
    option('a size of 10^9', '--data.size', str(10**9), words=('data.size', '1000000000')),
    option('a side that no DCGAN has', '--data.size', '24', words=('24',)),
    option('width of 0', '--model.width', '0', words=('width', '0')),
    option('width below 0', '--model.width=-3', words=('width', '-3')),
    option('width of 10^9', '--model.width', str(10**9), '--model.max-width', str(10**9), words=('model.width', '1000000000')),
    option('latents of 10^12', '--model.latent-dim', str(10**12), words=('latent_dim', '1000000000000')),
    option('microbatches that do not divide', '--microbatches', '3', words=('4', '3 microbatches')),
    option('microbatches below 0', '--microbatches=-1', words=('microbatches', '-1')),
    option('a grid of 0', '--grid', '0', words=('grid', '0')),
    option('a grid of 10^12', '--grid', str(10**12), words=('grid', '1000000000000')),
    option('10^12 steps a dispatch', '--steps-per-dispatch', str(10**12), '--steps', '400000000', words=('steps_per_dispatch',)),
    option('keep none', '--keep', '0', words=('keep', '0')),
    option('d_steps of 10^9', '--d-steps', str(10**9), words=('d_steps',)),
    option('measures without evaluation', '--evaluation.n', '3', words=('evaluation.every',)),
    option('an unknown measure', '--evaluation.every', '4', '--evaluation.measures', 'fdd', '--evaluation.best', 'none',
           words=("'fdd'", "did you mean 'fd'?")),
    option('an unknown extractor', '--evaluation.every', '4', '--evaluation.extractor', 'vgg17', words=("'vgg17'",)),
    option('two options that exclude each other', '--profile', words=('--dry-run', '--profile')),
    Case('option: a workdir that is a file', lambda folder: [(folder / 'run').write_text(''), train()][1], ('run',)),
    Case('option: a workdir with other files',
         lambda folder: [(folder / 'run').mkdir(), (folder / 'run/a').touch(), train()][2], ('run', 'no run')),
    Case('option: a workdir below a file',
         lambda folder: [(folder / 'a').touch(), train('--workdir', 'a/b')][1], ('a/b',)),
    option('a workdir with a zero', '--workdir', 'a\0b', words=('workdir',)),
    option('a workdir of 5,000 letters', '--workdir', 'x' * 5000, words=('xxx', '255 bytes')),
    option('labels without any', '--conditional', words=('labels', 'data.npz'), classes=False),
    option('a label that is none', '--data.label', 'colour', words=("'colour'",)),
    option('R3GAN with too many stages', '--model', 'r3-gan', words=('r3-gan',)),
]  # fmt: skip
CASES = [*SAVED, *RECIPES, *OPTIONS]
