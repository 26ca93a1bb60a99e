"""Files that cannot be used with the others of their folder, each with what is wrong."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from micrographia.data.decoding import VERSION, Progress, in_threads
from micrographia.data.pixel_cache import PixelCache, file_state
from micrographia.data.planes import ImageHeader
from micrographia.data.reading import read_image
from micrographia.errors import UserError

MOST = ", most files have "  # what is only unlike the others


def find_faults(
    root: Path, names: Sequence[str], nan: bool = False, cache: Path | None = None, progress: Progress | None = None
) -> dict[str, str]:
    """Read every file once, and say which are missing, damaged, or not of the type and channels of most.

    Parameters
    ----------
    root, names
        Folder, and the files' names below it.
    nan
        Whether pixels may be NaN.
    cache
        Folder in which the result is kept, as long as no file changes; None keeps none.
    progress
        Called with (files read, of how many).
    """
    if cache is None:
        return faults_of(root, names, nan, progress)
    states = [[name, *file_state(root / name)] for name in names]
    entry = PixelCache(cache, {"version": VERSION, "root": str(root.resolve()), "nan": nan, "faults of": states})
    found = entry.load()
    if found is not None and any(attempt(root / name, root, nan)[0] for name in unreadable(found[1]["faults"])):
        found = None  # what ailed it was not the file: a disk that was away, a right or a package that was missing
    if found is None:
        faults = faults_of(root, names, nan, progress)
        usable = (np.asarray(name not in faults) for name in names)
        found = entry.save(usable, (len(names),), np.dtype(bool), {"faults": faults})
    return dict(found[1]["faults"])


def faults_of(root: Path, names: Sequence[str], nan: bool, progress: Progress | None) -> dict[str, str]:
    """What `find_faults` keeps."""
    headers: list[tuple[str, ImageHeader]] = []
    faults: dict[str, str] = {}
    tries = in_threads(lambda name: attempt(root / name, root, nan), names)
    for number, (name, (header, _, problem)) in enumerate(zip(names, tries, strict=True), start=1):
        if header is None:
            faults[name] = problem
        else:
            headers.append((name, header))
        if progress is not None and (number % 100 == 0 or number == len(names)):
            progress(number, len(names))
    return faults | dict(odd_ones(headers))


def unreadable(faults: dict[str, str]) -> list[str]:
    """Files that could not be read at all."""
    return [name for name, problem in faults.items() if MOST not in problem]


def attempt(path: Path, root: Path, nan: bool = False) -> tuple[ImageHeader | None, np.ndarray | None, str]:
    """Header and pixels of a file, or else what is wrong with it, below ``root``."""
    try:
        return *read_image(path, nan), ""
    except UserError as error:
        return None, None, str(error).removeprefix(f"{path}: ").replace(f"{root}/", "")


def odd_ones(headers: Sequence[tuple[str, ImageHeader]]) -> list[tuple[str, str]]:
    """Files whose type or number of channels is not that of most."""
    found = []
    for what, of in (
        ("pixels of type {}", lambda header: str(header.dtype)),
        ("{} channels", lambda header: header.shape[0]),
    ):
        counts = Counter(of(header) for _, header in headers)
        usual = counts.most_common(1)[0][0] if counts else None
        allowed = {1, 3} if usual in (1, 3) else {usual}  # grey beside RGB is read as RGB
        if set(counts) - allowed:
            named = what.format(usual)
            found += [
                (name, f"{what.format(of(header))}{MOST}{named}")
                for name, header in headers
                if of(header) not in allowed
            ]
    return found
