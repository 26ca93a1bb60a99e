"""The folders in which runs, data and caches lie: whether they can be written and locked, and how much is free."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread

from filelock import FileLock, Timeout

from micrographia.diagnosis.finding import Finding, shown_path, size
from micrographia.runs.lock import WITHOUT_LOCKS

LITTLE = {"runs": 2 * 2**30, "data": 0, "cache": 2 * 2**30}  # bytes
PATIENCE = 5.0  # seconds that a file system has to answer


def storage_findings(paths: Mapping[str, str]) -> Iterator[Finding]:
    """Each of the folders, and locks in that of the runs."""
    for kind, path in paths.items():
        yield folder_finding(kind, Path(path))
    yield lock_finding(existing(Path(paths["runs"])))


def existing(folder: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def folder_finding(kind: str, folder: Path) -> Finding:
    """Whether a folder is there, can be written, and how much is free."""
    name = f"how.paths.{kind}"
    place = existing(folder)
    free = shutil.disk_usage(place).free
    there = "" if folder.is_dir() else ", not there yet"
    value = f"{shown_path(folder)}{there}: {size(free)} free"
    variable = {"data": "MICROGRAPHIA_DATA", "cache": "MICROGRAPHIA_CACHE"}.get(kind)
    elsewhere = f"{name}=FOLDER" + (f", or export {variable}=FOLDER" if variable else "")
    if kind != "data" and not os.access(place, os.W_OK | os.X_OK):
        return Finding("storage", name, f"{value}, but it cannot be written", "broken", f"Name another: {elsewhere}.")
    if free < LITTLE[kind]:
        return Finding("storage", name, value, "warning", f"Make room, or name another folder: {elsewhere}.")
    return Finding("storage", name, value)


def lock_finding(folder: Path) -> Finding:
    """Whether two processes can lock files of a folder against each other, as those that make one run do."""
    said: list[Finding] = []
    look = Thread(target=lambda: said.append(locked(folder)), daemon=True)  # some network mounts never answer
    look.start()
    look.join(PATIENCE)
    if said:
        return said[0]
    advice = "Locks of this file system do not answer. Keep runs elsewhere: how.paths.runs=FOLDER."
    return Finding("storage", "lock files", f"no answer within {PATIENCE:.0f} s", "broken", advice)


def locked(folder: Path) -> Finding:
    """Lock a file twice: the second must be refused."""
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as scratch:
            file = Path(scratch) / "lock"
            with FileLock(file, fallback_to_soft=False):
                try:
                    FileLock(file, fallback_to_soft=False).acquire(timeout=0)
                except Timeout:
                    return Finding("storage", "lock files", "work: two processes never make one run at once")
        advice = (
            "Do not start two commands that make the same run at once, or name a local folder: how.paths.runs=FOLDER."
        )
        return Finding("storage", "lock files", "do not exclude each other on this file system", "warning", advice)
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            advice = "A second file stands for the lock; after a crash on another host it has to be deleted by hand."
            return Finding("storage", "lock files", "not on this file system", "warning", advice)
        why = os.strerror(error.errno) if error.errno else str(error)
        mark = "broken" if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC) else "warning"
        advice = "Runs need a folder that can be written: how.paths.runs=FOLDER."
        return Finding("storage", "lock files", f"cannot be made ({why})", mark, advice)  # type: ignore[arg-type]
