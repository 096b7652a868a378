"""The layers of docs/architecture.md, read from the imports; and the size of functions and modules."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PEERS = ROOT / 'jaxgan/bench/peers'  # programs for a Python with PyTorch: no part of the package
FILES = sorted(path for path in (ROOT / 'jaxgan').rglob('*.py') if path.parent != PEERS)
LEAVES = ('losses', 'regularizers', 'augment', 'latents', 'ema', 'optimizers', 'schedules', 'models', 'ops')
CORE = (
    *LEAVES,
    'types',
    'networks',
    'spectral',
    'state',
    'guard',
    'phases',
    'critic',
    'steps',
    'onestage',
    'sharedfakes',
    'extensions',
    'sampling',
    'spaces',
    'variation',
    'inversion',
    'directions',
    'walks',
    'canvas',
    'rejection',
    'watermark',
    'fingerprint',
    'privacy',
    'errors',
    'lazy',
    'version',
)
SHELL = (
    'credentials',
    'marks',
    'datamanifest',
    'run',
    'opened',
    'report',
    'documents',
    'copyindex',
    'making',
    'studio',
    'evaluating',
    'provenance',
)
"""What works with trained generators, from below: each imports only parts before it."""
FLAX_MODULES = ('jaxgan/networks.py', 'jaxgan/models/')


def name(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


@functools.cache
def nodes(path):
    """A file's imports and functions, at any depth: it is parsed once for all tests."""
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]


@functools.cache
def imports(path):
    """All modules that a file imports, also inside functions."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f'{node.module}.{alias.name}' for alias in node.names}
    return found


def package(module):
    """The part of jaxgan that a module belongs to: 'jaxgan.ops.conv' -> 'ops'."""
    parts = module.split('.')
    return parts[1] if parts[0] == 'jaxgan' and len(parts) > 1 else None


PARTS = {package(name(path)) for path in FILES} - {None}


def parts_used(path):
    return set(map(package, imports(path))) & PARTS


def test_leaves_import_types_and_ops_only():
    for path in FILES:
        own = package(name(path))
        if own in LEAVES:
            assert parts_used(path) <= {own, 'types', 'ops', 'errors'}, path


def test_the_step_knows_signatures_only():
    assert parts_used(ROOT / 'jaxgan/steps.py') <= {'types', 'state', 'phases', 'critic', 'ops'}
    assert parts_used(ROOT / 'jaxgan/critic.py') <= {'types', 'state', 'errors'}
    assert parts_used(ROOT / 'jaxgan/onestage.py') <= {
        'types',
        'state',
        'phases',
        'critic',
        'steps',
        'errors',
    }
    assert parts_used(ROOT / 'jaxgan/phases.py') <= {'types', 'state', 'guard'}
    assert parts_used(ROOT / 'jaxgan/guard.py') <= {'types', 'state'}
    assert parts_used(ROOT / 'jaxgan/state.py') <= {'types'}
    assert parts_used(ROOT / 'jaxgan/networks.py') <= {'types', 'spectral'}
    assert parts_used(ROOT / 'jaxgan/spectral.py') <= {'types', 'errors'}
    assert parts_used(ROOT / 'jaxgan/types.py') == set()


def test_the_core_never_imports_the_shell():
    for path in FILES:
        if package(name(path)) in CORE:
            assert parts_used(path) <= set(CORE), path


def test_only_models_and_one_adapter_know_flax_linen():
    for path in FILES:
        if any(module.startswith('flax.linen') for module in imports(path)):
            assert str(path.relative_to(ROOT)).startswith(FLAX_MODULES), path


def test_only_storage_knows_orbax():
    for path in FILES:
        if any(module.startswith('orbax') for module in imports(path)):
            assert name(path) == 'jaxgan.checkpoints.storage', path


def test_only_build_maps_names_to_the_families():
    families = {'losses', 'regularizers', 'augment', 'models', 'latents', 'ema', 'optimizers'}
    for path in FILES:
        own = package(name(path))
        if own not in (*CORE, 'build', 'build_optimizer', None):
            assert not parts_used(path) & families, path


def test_only_sharding_and_the_trainer_mention_a_mesh():
    for path in FILES:
        own = package(name(path))
        if 'jax.sharding' in imports(path):
            assert own in ('parallel', 'data', 'checkpoints'), path


def test_the_benchmarks_stand_apart():
    for path in FILES:
        if package(name(path)) not in ('bench', 'cli'):
            assert 'bench' not in parts_used(path), path
    for path in PEERS.glob('*.py'):
        assert not any(package(module) or module == 'jaxgan' for module in imports(path)), path


def test_what_works_with_generators_imports_downwards_only():
    for path in FILES:
        own = package(name(path))
        if own in SHELL:
            above = set(SHELL[SHELL.index(own) + 1 :])
            assert not parts_used(path) & above, path


def test_marks_reach_nothing_that_makes_or_judges_pictures():
    uses = {own: set() for own in map(package, map(name, FILES)) if own}
    for path in FILES:
        if package(name(path)) in uses:
            uses[package(name(path))] |= parts_used(path)
    reached, left = set(), {'marks'}
    while left:
        reached |= left
        left = {part for own in left for part in uses[own]} - reached
    assert not reached & set(SHELL[2:])


def functions(path):
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, (node.end_lineno - body[0].lineno + 1) if body else 0


def test_functions_and_modules_are_small():
    files = [*FILES, *PEERS.glob('*.py')]
    sizes = sorted(size for path in files for _, size in functions(path))
    assert sizes[int(0.9 * len(sizes))] <= 25
    assert sizes[-1] <= 60
    for path in files:
        assert path.read_text().count('\n') <= 300, path


@pytest.mark.parametrize('script', ['train.py', 'sample.py'])
def test_scripts_are_thin(script):
    assert (ROOT / script).read_text().count('\n') < 60
