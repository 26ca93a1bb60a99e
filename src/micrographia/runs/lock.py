"""One process makes a run; others wait for it."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from micrographia.errors import UserError

log = logging.getLogger(__name__)

# What file systems answer that have no locks: some network mounts of clusters.
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextmanager
def held(file: Path, made: Path, setting: str = "how.paths.runs") -> Iterator[None]:
    """Hold a lock, saying so when another process has it first.

    The system frees it when its process dies. On a file system without locks a second file beside the first, which
    names process and host, stands for it; that of a dead process is passed over on the same host.

    Parameters
    ----------
    file
        What is locked.
    made
        What it is locked for, in messages.
    setting
        What names another place.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    lock: BaseFileLock = FileLock(file, fallback_to_soft=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            acquire(lock, made)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            lock = SoftFileLock(file.with_name(f"{file.name}.soft"))
            acquire(lock, made)
    except OSError as error:
        raise UserError(
            f"{made}: cannot be written ({error.strerror}). Set {setting}=FOLDER to one that can."
        ) from error
    try:
        yield
    finally:
        lock.release()


def acquire(lock: BaseFileLock, made: Path) -> None:
    """Take a lock, or wait for it and say so."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if isinstance(lock, SoftFileLock):
            log.info("%s: %s; waiting. If that process is gone, delete %s", made, owner(lock), lock.lock_file)
        else:
            log.info("%s: another process is making it; waiting", made)
        lock.acquire()


def owner(lock: SoftFileLock) -> str:
    """Who holds a lock that is a file."""
    try:
        process, host = Path(lock.lock_file).read_text().split()[:2]
    except (OSError, ValueError):
        return "another process is making it"
    return f"process {process} on {host.partition('?')[0]} is making it"
