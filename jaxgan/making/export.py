"""``jaxgan export``: a generator for other programs."""

from pathlib import Path

from jaxgan.commands import count
from jaxgan.errors import InputError
from jaxgan.export import save_export
from jaxgan.opened import open_generator


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
