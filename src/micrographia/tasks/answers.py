"""What the jobs of a sweep say of themselves, in a folder that all of its processes reach."""

import pickle
import shutil
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from micrographia.errors import UserError
from micrographia.runs.writing import write_atomically


class Answers:
    """Answers of the jobs of one command: they outlive the processes that gave them.

    A launcher whose worker dies may lose the results of all its jobs, also of those that had ended.

    Parameters
    ----------
    folder
        Of this command alone.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def begin(self, job: Sequence[str], log: Path) -> None:
        """Note that a job was started, and where its log is."""
        self.write(job, "log", str(log))

    def give(self, job: Sequence[str], answer: Any) -> None:
        """Note what a job has made."""
        self.write(job, "answer", answer)

    def log(self, job: Sequence[str]) -> Path | None:
        """Where the log of a job is; None if it was never started."""
        log = self.read(job, "log")
        return None if log is None else Path(log)

    def of(self, job: Sequence[str]) -> Any:
        """What a job has made; None if it never said."""
        return self.read(job, "answer")

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, job: Sequence[str], kind: str, content: Any) -> None:
        """Write one file; on a full disk the job is none the worse, since its launcher returns its answer, too."""
        with suppress(UserError):
            write_atomically(self.place(job, kind), lambda part: part.write_bytes(pickle.dumps(content)))

    def read(self, job: Sequence[str], kind: str) -> Any:
        """Read one file; None if it is not there."""
        with suppress(FileNotFoundError):
            return pickle.loads(self.place(job, kind).read_bytes())
        return None

    def place(self, job: Sequence[str], kind: str) -> Path:
        """File of a job, which its overrides name: jobs with the same overrides are one run."""
        return self.folder / f"{sha256(repr(sorted(job)).encode()).hexdigest()[:16]}.{kind}"
