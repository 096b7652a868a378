"""Feed the readers of files with damaged input, guided by the code that it reaches: for hours, at night.

    python docs/scripts/fuzz.py image --seconds 600
    for target in $(python docs/scripts/fuzz.py --list); do python docs/scripts/fuzz.py $target --seconds 300; done

Needs atheris (``pip install atheris``), which has wheels for Python 3.11 to 3.13 on Linux; without it the script says so and ends
with 0. A finding ends it with another code: the input is then in ``crash-*`` in the folder of ``--corpus``. The readers and what they
promise are those of ``tests/fuzz_targets.py``, which the tests feed with 10,000 inputs by hypothesis.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / 'tests'


def main() -> int:
    """Parse, instrument the readers, and hand over to atheris."""
    os.environ.setdefault('JAX_PLATFORMS', 'cpu')
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('target', nargs='?', help='a reader (see --list)')
    parser.add_argument('--seconds', type=int, default=300, help='how long')
    parser.add_argument(
        '--corpus', type=Path, help='a folder that keeps inputs of interest (default: none is kept)'
    )
    parser.add_argument('--list', action='store_true', help='list the readers')
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        print('atheris is not installed: nothing is fuzzed')
        return 0
    with atheris.instrument_imports(include=['jaxgan', 'PIL', 'json', 'zipfile', 'pickletools', 'numpy.lib']):
        from fuzz_targets import TARGETS, check_reader
    if options.list:
        print(' '.join(TARGETS))
        return 0
    if options.target not in TARGETS:
        parser.error(f'unknown reader {options.target!r} (allowed: {", ".join(TARGETS)})')
    target = TARGETS[options.target]
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix='jaxgan-fuzz-'))
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(target.seeds()):
        (corpus / f'seed{i}').write_bytes(seed)
    arguments = [
        sys.argv[0],
        str(corpus),
        f'-max_total_time={options.seconds}',
        f'-artifact_prefix={corpus}/',
        '-max_len=65536',
        '-timeout=5',
        '-rss_limit_mb=3072',
        '-print_final_stats=1',
    ]
    atheris.Setup(arguments, lambda data: check_reader(target.read, data) and None)
    atheris.Fuzz()
    return 0


if __name__ == '__main__':
    sys.exit(main())
