"""The image files that a user names: a folder, one file, or a pattern of paths."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path

from micrographia.data.reading import SUFFIXES, files_below, is_image_file, is_there
from micrographia.data.survey import is_text, is_unread, shown
from micrographia.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputFiles:
    """Image files below a folder.

    Attributes
    ----------
    root : Path
        The folder.
    names : list of str
        Their names relative to it, sorted.
    unreadable : dict of str to str
        What cannot even be opened, a folder or a name that is no text, and why.
    """

    root: Path
    names: list[str]
    unreadable: dict[str, str] = field(default_factory=dict)


def input_files(given: str, results: str) -> InputFiles:
    """Image files of a folder (at any depth), of a pattern, or the one that is named.

    Parameters
    ----------
    given
        Path or pattern.
    results
        Name of a file that tells folders of results: nothing in these is an image to look at.

    Raises
    ------
    UserError
        If there is no such path, or no image of a format that is read.
    """
    path = Path(given).expanduser()
    if is_image_file(path) and is_there(path):
        if not is_line(path, path.parent):
            raise UserError(f"input={shown(path)}: its name is no line of text (UTF-8). Rename the file.")
        return InputFiles(path.parent, [path.name])
    if path.is_dir():
        return gathered(path, [path], given, results)
    if path.exists():
        raise UserError(f"input={given}: a file of this type is not read. Save images as one of {', '.join(SUFFIXES)}.")
    if not has_magic(str(path)):
        raise UserError(f"input={given}: no such file or folder (looked in {path.absolute().parent}).")
    fixed = path.parts[: next(place for place, part in enumerate(path.parts) if has_magic(part))]
    root = Path(*fixed) if fixed else Path()
    try:
        matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except ValueError as error:
        raise UserError(f"input={given}: no pattern of paths ({error}).") from error
    if not matches:
        raise UserError(f"input={given}: no file matches. Write the pattern in quotes, as input='images/*.tif'.")
    return gathered(root, matches, given, results)


def gathered(root: Path, places: list[Path], given: str, results: str) -> InputFiles:
    """Images among some files and in some folders, with names below ``root``."""
    names: set[str] = set()
    unreadable: dict[str, str] = {}
    others: Counter[str] = Counter()

    def closed(error: OSError) -> None:
        unreadable[below(Path(error.filename), root)] = f"must not be read ({error.strerror})"

    for place in places:
        whole = place.is_file() or (is_image_file(place) and is_there(place))
        for path in [place] if whole else without_results(place, results, closed):
            name = below(path, root)
            if not is_image_file(path):
                others.update([path.suffix.lower()] if is_unread(path) else [])
            elif not is_line(path, root):
                unreadable[name] = "its name is no line of text. Rename the file"
            else:
                names.add(path.relative_to(root).as_posix())
    counts = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in others.most_common(3))
    formats = f"Save images as one of {', '.join(SUFFIXES)}."
    if not names and not unreadable:
        raise UserError(f"input={given}: holds no image{f', but {counts}' if counts else ''}. {formats}")
    if counts:
        log.warning("%s: files left out: %s. %s", given, counts, formats)
    return InputFiles(root, sorted(names), unreadable)


def without_results(folder: Path, results: str, closed: Callable[[OSError], object]) -> Iterator[Path]:
    """Files below a folder, but for those in folders of results."""
    left_out: list[str] = []
    for path in files_below(folder, closed):
        if path.name == results:  # files of a folder come before those of the folders in it
            left_out.append(f"{path.parent}/")
        elif not any(str(path).startswith(place) for place in left_out):
            yield path


def is_line(path: Path, root: Path) -> bool:
    """Whether a file's path is text, and its name below a folder one line of it, as it stands in a table."""
    return is_text(path) and not {"\n", "\r"} & set(str(path.relative_to(root)))


def below(path: Path, root: Path) -> str:
    """A path relative to a folder, as text that can be written."""
    inner = path.relative_to(root) if path.is_relative_to(root) else path
    return shown(inner) if inner.parts else "."
