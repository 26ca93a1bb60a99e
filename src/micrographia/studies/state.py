"""What a study's folder holds of its progress: ``study.json``, and the mistakes of the jobs that failed."""

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from micrographia.runs.job_records import FAILED, job_record
from micrographia.runs.lock import held
from micrographia.runs.writing import write_atomically
from micrographia.studies.expansion import StudyJob

STATE = "study.json"


def writing(folder: Path) -> AbstractContextManager[None]:
    """The lock under which a study's folder is written: two processes of one study take turns."""
    return held(folder.with_name(f".{folder.name}.lock"), folder)


def save_state(folder: Path, about: dict[str, Any], jobs: Sequence[StudyJob]) -> None:
    """Write ``study.json``: the question, the command, and each job with its overrides, run and status."""
    listed = [{"sweep": job.sweep, "verb": job.verb, **job_record(job)} for job in jobs]
    content = json.dumps({**about, "jobs": listed}, indent=2) + "\n"
    with writing(folder):
        write_text(folder / STATE, content)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Content of ``study.json``; None where there is none that can be read."""
    try:
        return dict(json.loads((folder / STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def save_mistakes(folder: Path, jobs: Sequence[StudyJob]) -> dict[int, Path]:
    """Write why each job failed, in a file of its own; files of jobs that have been done since are removed.

    Returns
    -------
    The files by the jobs' places.
    """
    files = {}
    for place, job in enumerate(jobs):
        name = re.sub(r"[^\w.-]+", ".", f"{job.sweep}-{place + 1}")
        file = folder / "failed" / f"{name}.log"
        if job.status == FAILED:
            log = [f"log: {job.log}"] if job.log else []
            command = f"micrographia {job.verb} {shlex.join(job.overrides)}"
            text = "\n".join([command, *log, "", job.mistake, ""])
            write_text(file, text)
            files[place] = file
        else:
            file.unlink(missing_ok=True)
    return files


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))
