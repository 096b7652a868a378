"""The command line: ``jaxgan train | sample | export | evaluate | compare | report | prepare | zoo |
verify-checkpoint | bench``.

Each command is a function here that parses with tyro, calls, and prints. Bad input is one line on standard error
and exit code 2; ``--debug`` shows the traceback.
"""

import contextlib
import dataclasses
import io
import math
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from jaxgan.config import Config, step_images
from jaxgan.errors import Failure, InputError, MachineError, unknown
from jaxgan.lock import check_free
from jaxgan.options import (
    CompareOptions,
    EvaluateOptions,
    ExportOptions,
    PrepareOptions,
    ReportOptions,
    SampleOptions,
    VerifyOptions,
    ZooOptions,
)
from jaxgan.signals import catch_signals

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Train a GAN. The same command again continues the run. All fields of the recipe can be set here."""

    recipe: Annotated[Config, tyro.conf.arg(name='')]
    config: str | None = None
    """Python file with get_config() -> Config, or its name in configs/; None: the embedded pixel_avatars."""
    workdir: str | None = None
    """The run's folder (default: runs/ and the configuration's name)."""
    steps: int | None = None
    """Train for so many steps, instead of --images."""
    dry_run: bool = False
    """Read the data, build, compile and time one dispatch, but do not train and write nothing."""
    profile: bool = False
    """Do not train: trace a few dispatches into the run's folder, profile/, and print where the time goes."""
    strict_env: bool = False
    """Refuse to continue a run in another environment (versions, processor, devices, cores, flags), which changes bits."""
    watchdog: float = 0.0
    """End with exit code 3 and all stacks when no step has finished for so many seconds; 0: never. It must be longer than
    the time between two lines of metrics."""


def train(argv: Sequence[str]) -> int:
    """Run ``jaxgan train``."""
    with catch_signals():  # from here on, before the slow imports
        return _train(argv)


def _train(argv: Sequence[str]) -> int:
    path, rest = _take(argv, '--config')
    from jaxgan.recipes import load_recipe

    recipe = load_recipe(path)
    options = _parse(TrainOptions, rest, 'train', TrainOptions(recipe, path))
    name = Path(path).stem if path else 'pixel_avatars'
    config = options.recipe
    if options.steps is not None:
        config = dataclasses.replace(config, images=options.steps * step_images(config))
    if not (options.watchdog >= 0 and math.isfinite(options.watchdog)):
        raise InputError(f'--watchdog {options.watchdog} must be at least 0 seconds')
    if options.dry_run and options.profile:
        raise InputError('--dry-run writes nothing and --profile writes a trace: choose one')
    workdir = Path(options.workdir or Path('runs') / name)
    if not options.dry_run:
        check_free(workdir)  # before the slow imports
    from jaxgan.commands import train_command

    return train_command(
        config,
        workdir,
        dry_run=options.dry_run,
        profiled=options.profile,
        strict_env=options.strict_env,
        watchdog=options.watchdog,
    )


def sample(argv: Sequence[str]) -> int:
    """Run ``jaxgan sample``."""
    options = _parse(SampleOptions, argv, 'sample')
    from jaxgan.commands import sample_command

    return sample_command(**dataclasses.asdict(options))


def export(argv: Sequence[str]) -> int:
    """Run ``jaxgan export``."""
    options = _parse(ExportOptions, argv, 'export')
    from jaxgan.commands import export_command

    return export_command(**dataclasses.asdict(options))


def report(argv: Sequence[str]) -> int:
    """Run ``jaxgan report``."""
    options = _parse(ReportOptions, argv, 'report')
    from jaxgan.report import report_command

    return report_command(**dataclasses.asdict(options))


def prepare(argv: Sequence[str]) -> int:
    """Run ``jaxgan prepare``."""
    options = _parse(PrepareOptions, argv, 'prepare')
    from jaxgan.data.tfds import prepare as prepare_data

    prepare_data(options.name, options.data_dir)
    return 0


def evaluate(argv: Sequence[str]) -> int:
    """Run ``jaxgan evaluate``."""
    options = _parse(EvaluateOptions, argv, 'evaluate')
    from jaxgan.evaluating import evaluate_command

    return evaluate_command(**vars(options))


def compare(argv: Sequence[str]) -> int:
    """Run ``jaxgan compare``."""
    options = _parse(CompareOptions, argv, 'compare')
    from jaxgan.evaluating import compare_command

    return compare_command(options.first, options.second)


def zoo(argv: Sequence[str]) -> int:
    """Run ``jaxgan zoo``."""
    options = _parse(ZooOptions, argv, 'zoo')
    from jaxgan.commands import zoo_command

    return zoo_command(options.family)


def verify_checkpoint(argv: Sequence[str]) -> int:
    """Run ``jaxgan verify-checkpoint``."""
    options = _parse(VerifyOptions, argv, 'verify-checkpoint')
    from jaxgan.verify import verify_command

    return verify_command(options.run, options.step)


def bench(argv: Sequence[str]) -> int:
    """Run ``jaxgan bench``."""
    from jaxgan.bench.options import BenchOptions

    options = _parse(BenchOptions, argv, 'bench')
    from jaxgan.bench.run import bench_command

    return bench_command(**dataclasses.asdict(options))


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    'train': train,
    'sample': sample,
    'export': export,
    'evaluate': evaluate,
    'compare': compare,
    'report': report,
    'prepare': prepare,
    'zoo': zoo,
    'verify-checkpoint': verify_checkpoint,
    'bench': bench,
}
USAGE = f'usage: jaxgan {{{",".join(COMMANDS)}}} ...   (jaxgan COMMAND --help lists the options)'


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, a ``Failure``'s code, 128 + signal after a saved stop."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = '--debug' in arguments
    arguments = [argument for argument in arguments if argument != '--debug']
    if not arguments or arguments[0] in ('-h', '--help'):
        print(USAGE)
        return 0 if arguments else 2
    try:
        if arguments[0] not in COMMANDS:
            raise unknown('command', arguments[0], COMMANDS)
        return COMMANDS[arguments[0]](arguments[1:])
    except Failure as error:
        if debug:
            raise
        print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
        return error.code
    except OSError as error:
        if debug:
            raise
        where = f'{error.filename}: ' if error.filename else ''
        print(f'error: {where}{error.strerror or error}', file=sys.stderr)
        return MachineError.code
    except KeyboardInterrupt:  # a training catches signals itself
        print('interrupted', file=sys.stderr)
        return 128 + signal.SIGINT


def _parse(cls: type[T], argv: Sequence[str], command: str, default: Any = None) -> T:
    """Parse with tyro; what it prints as a box becomes one line."""
    errors = io.StringIO()
    extra = {} if default is None else {'default': default}
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                cls, args=list(argv), prog=f'jaxgan {command}', config=(tyro.conf.AvoidSubcommands,), **extra
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise InputError(_one_line(errors.getvalue())) from None


def _one_line(box: str) -> str:
    """Flatten a box of text: its message, and the nearest option where it names one."""
    lines = [line.strip('│ ') for line in box.splitlines() if not line.startswith(('╭', '╰'))]
    text = ' '.join(lines)
    message = re.split(r'─{3,}', text)[0].strip()
    near = re.search(r'Perhaps you meant:\s*(--[\w.-]+)', text)
    return message + (f'; did you mean {near.group(1)}?' if near else '')


def _take(argv: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """Take an option's value out of the arguments: the recipe must be known before the rest can be parsed."""
    rest, value, arguments = [], None, iter(argv)
    for argument in arguments:
        if argument == name:
            value = next(arguments, None)
            if value is None:
                raise InputError(f'{name} needs a value')
        elif argument.startswith(f'{name}='):
            value = argument.split('=', 1)[1]
        else:
            rest.append(argument)
    return value, rest
