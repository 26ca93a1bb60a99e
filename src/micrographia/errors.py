"""The errors that a user can cause and mend, and what is said of them."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

# Errors of a disk that is full or must not be written to.
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


class UserError(Exception):
    """A mistake in the input: shown in one or two lines, without a traceback, and exit status 2.

    The message says what is wrong, where (file or key), and what to do.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"micrographia: {self}"]


@contextmanager
def within(part: str) -> Iterator[None]:
    """Say of a mistake in which part of the config it is, where its message cannot know.

    Examples
    --------
    >>> with within("source"):
    ...     raise UserError("optimizer.lr=-1: expected a positive number.")
    Traceback (most recent call last):
    micrographia.errors.UserError: in source: optimizer.lr=-1: expected a positive number.
    """
    try:
        yield
    except UserError as error:
        raise UserError(f"in {part}: {error}") from error


@contextmanager
def needing(purpose: str, extra: str) -> Iterator[None]:
    """Say of a package that is not installed what needs it, and which of our extras brings it.

    Examples
    --------
    >>> with needing("a projection by umap", "umap"):
    ...     raise ModuleNotFoundError(name="umap")
    Traceback (most recent call last):
    micrographia.errors.UserError: a projection by umap needs the package umap: pip install 'micrographia[umap]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{purpose} needs the package {error.name}: pip install 'micrographia[{extra}]'") from error


def answer(error: UserError | OSError) -> str:
    """What to say of a mistake, or of a disk that refuses; any other error of the system is raised again, as a bug."""
    if isinstance(error, UserError):
        return str(error)
    if error.errno not in REFUSALS:
        raise error
    return (
        f"{error.filename or 'a file'}: {error.strerror}. Finished runs are kept; make room, or set "
        "how.paths.runs=FOLDER or how.paths.cache=FOLDER, then start the same command again."
    )
