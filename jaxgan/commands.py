"""What the commands do, once their options are parsed."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgan import build, images, kernels, zoo
from jaxgan.card import check_card, check_weights, make_card
from jaxgan.checkpoints.restore import restore_average
from jaxgan.config import Config, check, step_images
from jaxgan.configjson import to_dict
from jaxgan.data import open_source, summary
from jaxgan.errors import InputError, unknown
from jaxgan.export import load_export, save_export
from jaxgan.files import replacing
from jaxgan.parallel.distributed import ALONE, Alone
from jaxgan.run.lock import hold
from jaxgan.run.rundir import BEST, CHECKPOINTS, CONFIG, PROFILE, open_run
from jaxgan.run.trainer import Trainer, make_trainer
from jaxgan.run.training import train
from jaxgan.runtime import keep_freed_memory, keep_programs
from jaxgan.sampling import MAX_SEED, MAX_SEEDS, make_sampler, parse_seeds


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
        return train(trainer, workdir, crew, strict_env=strict_env, watchdog=watchdog)


@contextlib.contextmanager
def _prepared(config: Config, crew: Alone, console: Console) -> Iterator[Trainer]:
    """Open the data, build a trainer and say what was found."""
    load = kernels.enable if jax.device_count() == 1 else kernels.leave_to_xla
    ready = ThreadPoolExecutor(1).submit(load)  # where it must compile, the data are read meanwhile
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
        console.print(f'kernels: {ready.result()}', soft_wrap=True)
        if kept:
            console.print('memory: freed blocks are kept (glibc mallopt), for speed on CPU')
        console.print(f'compiled programs: {programs}', soft_wrap=True)
        yield trainer


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
    if trainer.evaluator.note:
        console.print(trainer.evaluator.note, soft_wrap=True, markup=False)


def rehearse(trainer: Trainer, console: Console) -> None:
    """Run and time one dispatch, and say how long the training would take."""
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


@dataclasses.dataclass(frozen=True)
class Generator:
    """A trained generator and what is known about it."""

    params: Any
    aux: Any
    card: dict[str, Any]  # 'architecture' and 'data', as in an export


def open_generator(path: Path, step: int | None = None, best: bool = False) -> Generator:
    """Open the averaged generator of a run, or an export.

    Args:
        path: a run's folder, or an export's.
        step: a run's checkpoint; None: the newest.
        best: the one that evaluation found best, instead of the newest.

    Raises:
        InputError: the folder is neither, or its checkpoint cannot be read.
    """
    if (path / 'generator.json').exists():
        if step is not None or best:
            raise InputError(f'{path} is an export: it has no checkpoint {"best" if best else step}')
        found = load_export(path)
        return _checked(Generator(found.params, found.aux, found.card), f'export {path}')
    if not (path / CONFIG).exists():
        kind = 'is neither a run nor an export' if path.exists() else 'does not exist'
        raise InputError(f'{path} {kind} (a run has config.json, an export generator.json)')
    if best and step is not None:
        raise InputError(f'step {step} and best name two checkpoints: choose one')
    if best and not (path / BEST).is_dir():
        raise InputError(
            f'{path} has no best checkpoint: it was trained without evaluation (--evaluation.every)'
        )
    params, aux, found_step, meta = restore_average(path / (BEST if best else CHECKPOINTS), step)
    return _checked(Generator(params, aux, make_card(meta, found_step)), f'checkpoint {found_step} of {path}')


def _checked(found: Generator, name: str) -> Generator:
    check_card(found.card, name)
    check_weights(found.card, found.params, found.aux, name)
    return found


def export_command(run: str, out: str, step: int | None, best: bool) -> int:
    """Export a run's averaged generator."""
    if (Path(run) / 'generator.json').exists():
        raise InputError(f'{run} is an export already')
    found = open_generator(Path(run), step, best)
    path = save_export(Path(out), found.params, found.aux, found.card)
    print(
        f'wrote {path}: {count(found.params):,} parameters, {found.card["trained"]["images_seen"]:,} images seen'
    )
    return 0


def sample_command(
    source: str,
    out: str,
    n: int,
    seed: int,
    seeds: str | None,
    label: str | None,
    columns: int | None,
    scale: int | None,
    step: int | None,
    best: bool,
) -> int:
    """Make images by seed, and write them as a grid, arrays, or single files."""
    if n < 1:
        raise InputError(f'n {n} must be at least 1')
    if n > MAX_SEEDS:
        raise InputError(f'n {n} must be at most {MAX_SEEDS}: ask for fewer at a time')
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f'seed {seed} must be in 0..{MAX_SEED}')
    chosen = parse_seeds(seeds if seeds is not None else f'{seed}-{seed + n - 1}')
    keep_programs()
    target = Path(out)
    if target.suffix not in ('.png', '.npz', ''):
        raise unknown('kind of output', target.suffix, ('.png', '.npz', 'a folder (no suffix)'))
    found = open_generator(Path(source), step, best)
    kernels.enable()
    labels = choose_labels(found.card, label, len(chosen))
    network = build.build_generator(found.card['architecture'])
    draw = make_sampler(network, build.build_latents(found.card['architecture']), found.params, found.aux)
    pixels = draw(chosen, labels)
    if target.suffix == '.png':
        images.save_png(target, images.picture(pixels, columns=columns, scale=scale))
    elif target.suffix == '.npz':
        save_arrays(target, pixels, chosen, labels)
    else:
        for one, number in zip(pixels, chosen, strict=True):
            images.save_png(target / f'seed{number:010d}.png', images.visible(one))
    print(f'wrote {target}: {len(chosen)} images of {pixels.shape[1]}x{pixels.shape[2]}')
    return 0


def choose_labels(card: dict[str, Any], label: str | None, n: int) -> np.ndarray | None:
    """Turn a class name or number into labels; none given: each class in turn.

    Raises:
        InputError: the generator has no classes, or not this one.
    """
    names = card['labels']
    if not names:
        if label is not None:
            raise InputError(f'label {label!r} was given, and this generator is unconditional')
        return None
    if label is None:
        return np.arange(n, dtype=np.int32) % len(names)
    if label in names:
        return np.full(n, names.index(label), np.int32)
    if label.isdigit():
        if int(label) >= len(names):
            raise InputError(f'label {label} is out of range: this generator has classes 0..{len(names) - 1}')
        return np.full(n, int(label), np.int32)
    raise unknown('label', label, names)


def save_arrays(path: Path, pixels: np.ndarray, seeds: list[int], labels: np.ndarray | None) -> None:
    """Write images, seeds and labels as an .npz, whole or not at all."""
    arrays = {'images': pixels, 'seeds': np.asarray(seeds, np.uint32)}
    if labels is not None:
        arrays['labels'] = labels
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)


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
