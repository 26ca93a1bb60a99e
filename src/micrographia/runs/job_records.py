"""What is kept of a job, of a study or of a sweep: where it stands, its run, and why it has none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from micrographia.runs.run import Run

DONE, FAILED, LEFT = "done", "failed", "to do"


class RecordedJob(Protocol):
    """A job as its record needs it."""

    @property
    def overrides(self) -> Sequence[str]:
        """What the command line says of it."""

    @property
    def run(self) -> Run | None:
        """The run that it made or found."""

    @property
    def mistake(self) -> str:
        """Why there is none."""

    @property
    def log(self) -> Path | None:
        """Its log file."""

    @property
    def status(self) -> str:
        """Where it stands."""


def job_record(job: RecordedJob) -> dict[str, Any]:
    """A job as JSON can hold it."""
    return {
        "overrides": list(job.overrides),
        "status": job.status,
        "run": str(job.run.folder) if job.run else None,
        "mistake": job.mistake or None,
        "log": str(job.log) if job.log else None,
    }
