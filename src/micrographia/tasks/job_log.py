"""The log file of a job: notices and warnings of its process, and why it failed."""

import logging
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

log = logging.getLogger(__name__)

PACKAGE = "micrographia"
LONGEST_NAME = 120  # characters of the overrides in a log's name; file systems take 255
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_file(runs: Path, verb: str, choices: Mapping[str, str], swept: Sequence[str]) -> Path:
    """Where the log of a job is: its name tells it from other jobs, and not how it is executed.

    Parameters
    ----------
    runs
        Folder of runs.
    choices
        The job's overrides that say what its run is.
    swept
        Keys that have several values.

    Examples
    --------
    >>> choices = {"data": "synthetic/cells", "seed": "0"}
    >>> log_file(Path("runs"), "train", choices, ["seed"]).as_posix()
    'runs/sweeps/logs/train-seed=0-7e96193d.log'
    """
    words = [f"{key}={value}" for key, value in choices.items()]
    shown = "-".join([verb, *(f"{key}={choices[key]}" for key in swept if key in choices)])
    digest = sha256("\n".join([verb, *sorted(words)]).encode()).hexdigest()[:8]
    name = re.sub(r"[^\w.=-]+", ".", shown)[:LONGEST_NAME]
    return runs / "sweeps" / "logs" / f"{name}-{digest}.log"


class LogFile(logging.FileHandler):
    """Takes log records and texts; a disk that is full costs the log and not the job."""

    def __init__(self, path: Path):
        super().__init__(path, encoding="utf-8")
        self.path = path

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing: what the job itself cannot write is answered by it."""

    def add(self, text: str) -> None:
        """Write a text that is no log record."""
        self.handle(logging.LogRecord(PACKAGE, logging.INFO, "", 0, "%s", (text,), None))


@contextmanager
def logged(file: Path, command: Sequence[str]) -> Iterator[LogFile | None]:
    """Write what is noticed and warned of in this process to a file as well; without one if it cannot be opened.

    Parameters
    ----------
    file
        It is added to: a job that is started again has one log.
    command
        What is noted first.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = LogFile(file)
    except OSError as error:
        log.warning("%s: no log is written (%s)", file, error.strerror)
        yield None
        return
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.add(f"{' '.join(command)} (process {os.getpid()} on {platform.node()})")
    # Without a handler on the root, logging would show warnings of other packages on stderr: they still are.
    others = logging.StreamHandler(sys.stderr)
    others.setLevel(logging.WARNING)
    others.addFilter(lambda record: not record.name.startswith(PACKAGE))
    show = warnings.showwarning

    def show_and_write(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> Any:
        show(message, category, filename, lineno, file, line)
        handler.add(warnings.formatwarning(message, category, filename, lineno, line).rstrip())

    root = logging.getLogger()
    root.addHandler(handler)
    root.addHandler(others)
    warnings.showwarning = show_and_write
    try:
        yield handler
    finally:
        warnings.showwarning = show
        root.removeHandler(others)
        root.removeHandler(handler)
        handler.close()
