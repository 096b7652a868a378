"""What the commands do, once their options are parsed."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgan import build, kernels, zoo
from jaxgan.config import Config, check, step_images
from jaxgan.configjson import to_dict
from jaxgan.data import open_source, summary
from jaxgan.errors import InputError
from jaxgan.parallel.distributed import ALONE, Alone
from jaxgan.privacy.plan import tell
from jaxgan.run.lock import hold
from jaxgan.run.rundir import PROFILE, open_run
from jaxgan.run.trainer import Trainer, make_trainer
from jaxgan.run.training import train
from jaxgan.runtime import keep_freed_memory, keep_programs

MARKED_WELL = 64  # pixels a side from which a mark in the weights is hard to see: docs/responsible.md


def train_command(
    config: Config,
    workdir: Path,
    crew: Alone = ALONE,
    *,
    dry_run: bool = False,
    profiled: bool = False,
    strict_env: bool = False,
    watchdog: float = 0.0,
) -> int:
    """Say what was found, build everything, then train; a dry run stops before it writes anything.

    A profile is written instead of training, and leaves whatever else is in the folder as it is.
    """
    console = Console(highlight=False)
    build.build_recipe(check(config))  # before data are read, or prepared somewhere
    crew.same('configuration', to_dict(config))
    crew.decide(lambda: open_run(workdir, config))
    with contextlib.ExitStack() as stack:
        if not dry_run and crew.writes:
            stack.enter_context(hold(workdir, console.print))
        trainer = stack.enter_context(_prepared(config, crew, console))
        if dry_run:
            rehearse(trainer, console)
            return 0
        if profiled:
            return profile_command(trainer, workdir / PROFILE, crew)
        console.print(f'run: {workdir}', soft_wrap=True, markup=False)
        return train(trainer, workdir, crew, strict_env=strict_env, watchdog=watchdog, at_end=write_documents)


def write_documents(run: Path, say: Callable[[str], None]) -> None:
    """Write a finished run's documents; what goes wrong is one line, and costs the training nothing."""
    from jaxgan.documents import writing  # slow, and not needed before the end

    writing.at_end(run, say)


@contextlib.contextmanager
def _prepared(config: Config, crew: Alone, console: Console) -> Iterator[Trainer]:
    """Open the data, build a trainer and say what was found."""
    loading = kernels.enable_beside(config.dtype)  # where it must compile, the data are read meanwhile
    source = open_source(config.data)
    crew.same('data set', dataclasses.asdict(source.info))
    console.print(summary(source))
    kept = jax.default_backend() == 'cpu' and keep_freed_memory()
    programs = keep_programs()
    trainer = make_trainer(config, source)
    crew.same('state', trainer.memory(compiled=False))  # all have come so far
    with contextlib.ExitStack() as stack:
        stack.callback(trainer.feed.close)
        describe(trainer, console)
        if crew.processes == 1 and not loading.done():
            trainer.feed.load()  # rather than wait
        console.print(f'kernels: {loading.result()}', soft_wrap=True)
        if kept:
            console.print('memory: freed blocks are kept (glibc mallopt), for speed on CPU')
        console.print(f'compiled programs: {programs}', soft_wrap=True)
        yield trainer


def mark_told(size: int) -> str:
    """Say what a mark in the weights is, and what it costs small images.

    >>> mark_told(64)
    'the generator learns to emit the mark of the secret'
    """
    said = 'the generator learns to emit the mark of the secret'
    return (
        said
        if size >= MARKED_WELL
        else f'{said}; below {MARKED_WELL} pixels this costs quality that can be seen'
    )


def describe(trainer: Trainer, console: Console) -> None:
    """Print devices, parameters, batch and length."""
    config, state = trainer.config, trainer.abstract
    devices = jax.devices()
    console.print(f'devices: {len(devices)} x {devices[0].device_kind} ({jax.default_backend()})')
    sizes = {name: count(getattr(state, name).params) for name in ('g', 'd')}
    console.print(f'parameters: generator {sizes["g"]:,}, discriminator {sizes["d"]:,}')
    console.print(
        f'batch: {config.batch_size}; length: {trainer.total_steps:,} steps, {config.images:,} images; '
        f'{config.dtype}; {config.steps_per_dispatch} steps a dispatch'
    )
    if config.fingerprint:
        console.print(f'fingerprint: {mark_told(trainer.source.info.size)}', soft_wrap=True)
    if trainer.plan is not None:
        console.print(f'planned {tell(trainer.plan, trainer.plan.updates)}', soft_wrap=True)
    if config.data.subset is not None:
        console.print(f'subset: {trainer.source.info.count:,} images of the split, by data.subset')
    if config.data.exclude:
        console.print(f'excluded: {len(config.data.exclude):,} images, by data.exclude')
    if trainer.evaluator.note:
        console.print(trainer.evaluator.note, soft_wrap=True, markup=False)


def rehearse(trainer: Trainer, console: Console) -> None:
    """Run and time one dispatch, and say how long the training would take."""
    trainer.init.start()
    trainer.program.start()
    trainer.feed.load()
    state, length = trainer.init(), trainer.length
    console.print(trainer.program.describe())
    each = f'each of {trainer.devices} devices' if trainer.devices > 1 else 'the device'
    parts = [f'{name} {count / 2**20:,.1f} MiB' for name, count in trainer.memory().items()]
    console.print(f'memory of {each}: {", ".join(parts)}')
    state, _ = jax.block_until_ready(trainer.dispatch(state, 0, length))
    started = time.perf_counter()
    jax.block_until_ready(trainer.dispatch(state, length, length))
    seconds = (time.perf_counter() - started) * trainer.total_steps / length
    rate = trainer.total_steps * step_images(trainer.config) / seconds
    console.print(f'dry run: {rate:,.0f} images/s; the training would take about {seconds / 60:,.1f} min')


def profile_command(trainer: Trainer, folder: Path, crew: Alone = ALONE) -> int:
    """Write a profile and print its table."""
    from jaxgan.run.profiling import profile, table

    if crew.processes > 1:
        raise InputError('--profile is for one process: profile there, and train with several')

    trainer.program.start()
    trainer.feed.load()
    print(table(profile(trainer, folder)))
    print(f'trace: {folder} (TensorBoard; or its .trace.json.gz in https://ui.perfetto.dev)')
    return 0


def count(params: Any) -> int:
    """Count the numbers in a tree."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def prepare_command(name: str, data_dir: str | None) -> int:
    """Download and prepare a TFDS data set."""
    from jaxgan.data.tfds import prepare

    prepare(name, data_dir)
    return 0


def zoo_command(family: str | None) -> int:
    """Print the families as tables, one line a member."""
    console = Console(highlight=False)
    for name, rows in zoo.choose(family).items():
        table = Table(title=f'{name} ({len(rows)})', title_justify='left', show_header=False, box=None)
        table.add_column(no_wrap=True, style='bold')
        table.add_column(overflow='fold')
        for member, line in rows.items():
            table.add_row(member, escape(line.replace('``', '')))
        console.print(table)
        console.print()
    return 0
