"""Where images shall go, looked at before the long part: names, folders that are files, pictures that are too large."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxgan.errors import InputError
from jaxgan.files import check_above, check_file
from jaxgan.images import grid_size
from jaxgan.marks import animation, pictures


def check_target(out: str, scale: int | None, films: Sequence[str] = ()) -> Path:
    """Tell what is to be written from its name: a picture, a film, or a folder (no suffix).

    Args:
        out: the name.
        scale: by which pixels are enlarged; not for folders.
        films: suffixes of those.

    Raises:
        InputError: nothing is written by that name.
    """
    target = Path(out)
    if target.suffix.lower() in films:
        animation.format_of(target)
    elif target.suffix:
        pictures.format_of(target)
    if scale is not None and not (target.suffix and scale >= 1):
        raise InputError(f'scale {scale} must be at least 1, and is not for folders')
    if target.suffix:
        return check_file(target)
    if target.exists() and not target.is_dir():
        raise InputError(f'cannot write {target}: it is a file')
    check_above(target)
    return target


def check_apart(target: Path, starts: Iterable[str | None]) -> None:
    """Refuse to write into a folder from which a command starts: its codes would be gone.

    Args:
        target: a folder or a file.
        starts: as ``starts.find_start`` takes them; None: none.

    Raises:
        InputError: it is one of them.
    """
    for text in starts:
        for name in () if text is None else (text, text.rpartition('#')[0]):
            if name and Path(name).is_dir() and target.is_dir() and Path(name).samefile(target):
                raise InputError(
                    f'cannot write {target}: {text} lies there, and would be overwritten; name another folder'
                )


def check_grid(
    n: int, shape: tuple[int, int, int], columns: int | None, scale: int | None, form: str
) -> None:
    """Check that so many images fit into one picture.

    Args:
        n: images.
        shape: of one, [h, w, c].
        columns: of the grid.
        scale: of the grid.
        form: Pillow's name of the format.

    Raises:
        InputError: they do not.
    """
    if shape != (1, 1, 2):
        pictures.check_size(*grid_size(n, *shape[:2], columns, None, scale), form)
