"""One walk below a folder, for what is read of it and what stands for it in a run's address."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk(
    root: Path,
    onerror: Callable[[OSError], object] | None = None,
    onloop: Callable[[Path], object] | None = None,
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder with the names of the folders and files in it, as `os.walk` has it: take names out to enter fewer.

    Links to folders are followed, but for those that lead back to a folder they lie in; hidden folders are left out.

    Parameters
    ----------
    onerror
        Called with the error of each folder that must not be read.
    onloop
        Called with each link that leads back.
    """
    for place, folders, files in os.walk(root, followlinks=True, onerror=onerror):
        parent = Path(place)
        entered = []
        for name in sorted(name for name in folders if not name.startswith(".")):
            if not leads_back(parent / name):
                entered.append(name)
            elif onloop is not None:
                onloop(parent / name)
        folders[:] = entered
        yield parent, folders, files


def leads_back(path: Path) -> bool:
    """Whether a folder is a link to one of those around it: all that is below would be there twice, without end."""
    if not os.path.islink(path):  # noqa: PTH114  (of a closed folder, pathlib's raises)
        return False
    around = path.absolute().parents
    return os.path.realpath(path) in {os.path.realpath(folder) for folder in around}
