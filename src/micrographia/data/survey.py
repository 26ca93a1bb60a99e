"""What of a folder is not read: files of other formats, folders that are closed, links that lead back."""

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from micrographia.data.reading import SUFFIXES, files_below, is_image_file
from micrographia.errors import UserError

# Files that lie beside images and are none.
NO_IMAGES = (
    ".csv",
    ".tsv",
    ".txt",
    ".md",
    ".json",
    ".yaml",
    ".yml",
    ".xml",
    ".xlsx",
    ".ini",
    ".db",
    ".log",
    ".pdf",
    ".html",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Survey:
    """What of a folder is not read.

    Attributes
    ----------
    unread : list of Path
        Files that could be images, of a format that is not read.
    unnamed : list of Path
        Images whose names are no text.
    closed : dict of Path to str
        Folders that must not be read, and why.
    loops : list of Path
        Links to a folder that they lie in.
    """

    unread: list[Path] = field(default_factory=list)
    unnamed: list[Path] = field(default_factory=list)
    closed: dict[Path, str] = field(default_factory=dict)
    loops: list[Path] = field(default_factory=list)


def survey(root: Path) -> Survey:
    """Walk through a folder once and find what is not read."""
    found = Survey()

    def note(error: OSError) -> None:
        found.closed[Path(error.filename)] = error.strerror or type(error).__name__

    for path in files_below(root, note, found.loops.append):
        if is_unread(path):
            found.unread.append(path)
        elif is_image_file(path) and not is_text(path):
            found.unnamed.append(path)
    return found


def report(root: Path, stop: bool) -> None:
    """Say what of a folder is left out.

    Parameters
    ----------
    stop
        Refuse a folder with a closed one in it, rather than say so.

    Raises
    ------
    UserError
        If the folder itself is closed, or, with ``stop``, one below it.
    """
    found = survey(root)
    if found.closed:
        first, reason = next(iter(found.closed.items()))
        if stop or root in found.closed:
            raise UserError(
                f"{shown(first)}: must not be read ({reason}). Give yourself the right to, or take it out of {root}"
                + (", or set data.on_error=skip." if root not in found.closed else ".")
            )
        log.warning(
            "%s: %d folders left out (data.on_error=skip), the first %s: %s",
            *(root, len(found.closed), shown(first), reason),
        )
    if found.loops:
        log.warning(
            "%s: %d links left out, which lead back to a folder that they lie in, the first %s",
            *(root, len(found.loops), shown(found.loops[0])),
        )
    if found.unread:
        kinds = Counter(path.suffix.lower() for path in found.unread)
        counts = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in kinds.most_common(3))
        log.warning("%s: files left out: %s. Save images as one of %s.", root, counts, ", ".join(SUFFIXES))


def is_unread(path: Path) -> bool:
    """Whether a file could be an image, and is of a format that is not read; hidden files and texts are none.

    Examples
    --------
    >>> is_unread(Path("a/cell.czi")), is_unread(Path("a/cell.png")), is_unread(Path("a/readme.txt"))
    (True, False, False)
    """
    return not (path.name.startswith(".") or is_image_file(path) or path.suffix.lower() in NO_IMAGES)


def is_text(path: Path) -> bool:
    """Whether a file's name is text, which tables can hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: Path) -> str:
    """A file's name as a terminal can show it."""
    return os.fsencode(path).decode(errors="backslashreplace")
