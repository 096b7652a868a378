"""The command line: ``jaxgan COMMAND ...``.

Each command is a line in ``COMMANDS``: its options, a dataclass of which tyro makes a parser, and a function of them. Bad input is one line on standard error
and exit code 2; ``--debug`` shows the traceback.
"""

import contextlib
import dataclasses
import importlib
import io
import math
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import tyro

from jaxgan.config import Config, step_images
from jaxgan.errors import Failure, InputError, as_failure, one_line, unknown
from jaxgan.lazy import importing
from jaxgan.notices import take
from jaxgan.overview import overview
from jaxgan.parallel.launch import find_job
from jaxgan.run.lock import check_free
from jaxgan.run.signals import catch_signals

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Train a GAN. The same command again continues the run. All fields of the recipe can be set here."""

    recipe: Annotated[Config, tyro.conf.arg(name='')]
    config: str | None = None
    """Python file with get_config() -> Config, or its name in configs/, or a run's config.json; None: the embedded pixel_avatars."""
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
    distributed: Literal['auto', 'off', 'jax'] = 'auto'
    """Several processes: if SLURM, Open MPI, Kubernetes or a TPU pod says so; never; or as JAX itself finds out."""
    coordinator: str | None = None
    """HOST:PORT of process 0 (default: from the launcher)."""
    processes: int | None = None
    """How many processes there are (default: from the launcher)."""
    process_id: int | None = None
    """Which of them this is, from 0 (default: from the launcher)."""
    join_seconds: int = 300
    """How long to wait for all processes to come."""


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
    given = (options.coordinator, options.processes, options.process_id)
    job = find_job(options.distributed, *given, os.environ)
    if not options.dry_run and job is None:
        check_free(workdir)  # before the slow imports
    with importing():
        from jaxgan import kernels
        from jaxgan.parallel.join import joined
    with joined(job, options.join_seconds) as crew:
        kernels.enable_beside(config.dtype)  # they may have to be compiled: before the other slow imports
        with importing():
            from jaxgan.commands import train_command

        return train_command(
            config,
            workdir,
            crew,
            dry_run=options.dry_run,
            profiled=options.profile,
            strict_env=options.strict_env,
            watchdog=options.watchdog,
        )


class Command(NamedTuple):
    """A command that is a function of its options; both as 'module:name', for no module is imported before it is needed."""

    options: str
    function: str


COMMANDS: dict[str, Command | None] = {
    'train': None,  # whose options are the recipe's, too
    'sample': Command('jaxgan.making.options.sample:SampleOptions', 'jaxgan.making.sample:sample_command'),
    'project': Command(
        'jaxgan.making.options.project:ProjectOptions', 'jaxgan.making.project:project_command'
    ),
    'vary': Command('jaxgan.making.options.vary:VaryOptions', 'jaxgan.making.vary:vary_command'),
    'interpolate': Command(
        'jaxgan.making.options.interpolate:InterpolateOptions',
        'jaxgan.making.interpolate:interpolate_command',
    ),
    'directions': Command(
        'jaxgan.making.options.directions:DirectionsOptions', 'jaxgan.making.directions:directions_command'
    ),
    'edit': Command('jaxgan.making.options.edit:EditOptions', 'jaxgan.making.edit:edit_command'),
    'walk': Command('jaxgan.making.options.walk:WalkOptions', 'jaxgan.making.walk:walk_command'),
    'canvas': Command('jaxgan.making.options.canvas:CanvasOptions', 'jaxgan.making.canvas:canvas_command'),
    'encoder': Command(
        'jaxgan.making.options.encoder:EncoderOptions', 'jaxgan.making.encoding:encoder_command'
    ),
    'export': Command('jaxgan.making.options.export:ExportOptions', 'jaxgan.making.export:export_command'),
    'studio': Command('jaxgan.making.options.studio:StudioOptions', 'jaxgan.studio.command:studio_command'),
    'evaluate': Command('jaxgan.options:EvaluateOptions', 'jaxgan.evaluating:evaluate_command'),
    'audit': Command(
        'jaxgan.provenance.copying.options.audit:AuditOptions',
        'jaxgan.provenance.copying.audit:audit_command',
    ),
    'plan': Command(
        'jaxgan.provenance.copying.options.plan:PlanOptions', 'jaxgan.provenance.copying.plan:plan_command'
    ),
    'compare': Command('jaxgan.options:CompareOptions', 'jaxgan.evaluating:compare_command'),
    'report': Command('jaxgan.options:ReportOptions', 'jaxgan.report:report_command'),
    'reproduce': Command('jaxgan.options:ReproduceOptions', 'jaxgan.run.reproduce:reproduce_command'),
    'exposure': Command(
        'jaxgan.provenance.consent.options.exposure:ExposureOptions',
        'jaxgan.provenance.consent.exposure:exposure_command',
    ),
    'remove': Command(
        'jaxgan.provenance.consent.options.remove:RemoveOptions',
        'jaxgan.provenance.consent.removal:remove_command',
    ),
    'card': Command('jaxgan.documents.options:CardOptions', 'jaxgan.documents.writing:card_command'),
    'prepare': Command('jaxgan.options:PrepareOptions', 'jaxgan.commands:prepare_command'),
    'manifest': Command(
        'jaxgan.datamanifest.options:ManifestOptions', 'jaxgan.datamanifest.command:manifest_command'
    ),
    'zoo': Command('jaxgan.options:ZooOptions', 'jaxgan.commands:zoo_command'),
    'verify': Command(
        'jaxgan.provenance.verifying.options:VerifyOptions',
        'jaxgan.provenance.verifying.verify:verify_command',
    ),
    'index': Command('jaxgan.copyindex.options:IndexOptions', 'jaxgan.copyindex.command:index_command'),
    'attribute': Command(
        'jaxgan.provenance.copying.options.attribute:AttributeOptions',
        'jaxgan.provenance.copying.attribute:attribute_command',
    ),
    'verify-checkpoint': Command('jaxgan.options:VerifyOptions', 'jaxgan.checkpoints.verify:verify_command'),
    'bench': Command('jaxgan.bench.options:BenchOptions', 'jaxgan.bench.run:bench_command'),
}
USAGE = f'usage: jaxgan {{{",".join(COMMANDS)}}} ...   (jaxgan --help says what each does, jaxgan COMMAND --help lists its options)'


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, a ``Failure``'s code, 128 + signal after a saved stop."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = '--debug' in arguments
    arguments = [argument for argument in arguments if argument != '--debug']
    with warnings.catch_warnings():
        warnings.filterwarnings(
            'ignore', module=r'PIL\.'
        )  # of files from strangers: what matters is an error
        return _run(arguments, debug)


def _run(arguments: list[str], debug: bool) -> int:
    take()  # what an earlier command in this process left
    try:
        code = _command(arguments)
        sys.stdout.flush()
        for text in take():
            print(f'note: {text}', file=sys.stderr)
        return code
    except BrokenPipeError:
        return _nobody_reads()
    except (Failure, OSError, MemoryError, RuntimeError) as error:
        failure = as_failure(error)
        if debug or failure is None:
            raise
        print(f'error: {one_line(failure)}', file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:  # a training catches signals itself
        print('interrupted', file=sys.stderr)
        return 128 + signal.SIGINT


def _command(arguments: list[str]) -> int:
    if not arguments:
        print(USAGE)
        return 2
    if arguments[0] in ('-h', '--help', 'help'):
        print(overview({name: _options(name).__doc__ or '' for name in COMMANDS}))
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise unknown('command', name, COMMANDS)
    command = COMMANDS[name]
    if command is None:
        return train(rest)
    options = _parse(_options(name), rest, name)
    return _named(command.function)(**vars(options))


def _options(name: str) -> Any:
    command = COMMANDS[name]
    return TrainOptions if command is None else _named(command.options)


def _named(place: str) -> Any:
    """Import what 'module:name' says."""
    module, name = place.split(':')
    with importing():
        return getattr(importlib.import_module(module), name)


def _nobody_reads() -> int:
    """End quietly, as ``head`` wants it: what is still to be written at exit goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


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
            sys.stdout.flush()
            raise
        raise InputError(_one_line(errors.getvalue())) from None


def _one_line(box: str) -> str:
    """Flatten a box of text: its message, and the nearest option where it names one."""
    lines = [line.strip('│ ') for line in box.splitlines() if not line.startswith(('╭', '╰'))]
    parts = ' '.join('\n' if line and not line.strip('─-') else line for line in lines).split('\n')
    titled = '╭' not in box and len(parts) > 1  # on an ASCII terminal the title is a part of its own
    message = parts[1 if titled else 0].strip()
    message = re.sub(r'^Error parsing recipe[\w.]*: ', '', message)  # ours, which names the field itself
    text = ' '.join(parts)
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
