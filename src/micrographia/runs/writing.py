"""Files that are written whole or not at all."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micrographia.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_atomically(path: Path, write: Callable[[Path], object], key: str = "how.paths.runs") -> None:
    """Call ``write`` on a temporary file beside ``path`` and rename it: a reader never sees half a file.

    Parameters
    ----------
    key
        Config key of the folder that the file lies in, for messages.

    Raises
    ------
    UserError
        If the disk is full or the folder cannot be written.
    """
    # The suffix is kept, because writers (figures, tables) choose the format by it.
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}). Finished runs are kept; "
            f"free space or set {key}=FOLDER, then start the same command again."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def write_figure(path: Path, figure: "Figure", key: str = "how.paths.runs", **options: Any) -> None:
    """Write a figure as PNG; letters that no font has are boxes, without a warning for each.

    Parameters
    ----------
    key
        As of `write_atomically`.
    options
        Of ``savefig``.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
        write_atomically(path, lambda part: figure.savefig(part, **options), key)


def remove_partial_files(folder: Path) -> None:
    """Delete what `write_atomically` left in a folder when its process was killed; nobody may be writing there."""
    for part in folder.rglob(".*.part*"):
        part.unlink(missing_ok=True)
