"""What is read of a run's folder for a page; what is missing or damaged leaves the rest alone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from micrographia.durations import duration
from micrographia.errors import UserError
from micrographia.runs.run import Run

log = logging.getLogger(__name__)

PROCESSORS = ("x86_64", "AMD64", "arm64", "aarch64", "i386", "i686", "ppc64le", "s390x", "riscv64")
DONE, UNFINISHED, UNREADABLE = "finished", "unfinished", "unreadable"


@dataclass(eq=False)
class RunRecord:
    """A run as it is shown.

    Parameters
    ----------
    folder
        Where it lies.
    status
        ``finished``, ``unfinished`` or ``unreadable``.
    config, result, environment, data
        Content of its records; empty where there is none.
    problem
        Why it is not whole, in a sentence.
    id
        Of its place on the page.
    """

    folder: Path
    status: str
    config: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    id: str = ""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat metrics; empty of a run that is not finished."""
        return self.result.get("metrics", {})

    @property
    def task(self) -> str:
        """The verb that made it."""
        return str(self.result.get("task") or self.config.get("task") or "")

    @property
    def data_name(self) -> str:
        """The name of its data set."""
        return str((self.config.get("data") or {}).get("name", ""))

    @property
    def seed(self) -> str:
        """Its seed, as text."""
        return str(self.config.get("seed", ""))

    @property
    def command(self) -> str:
        """The command that made it."""
        words = str(self.environment.get("command") or self.result.get("command") or "")
        return words.replace("__main__.py", "micrographia", 1) if words.startswith("__main__.py") else words

    @property
    def facts(self) -> dict[str, str]:
        """Where, when and with what it was made."""
        environment, seconds = self.environment, self.result.get("seconds")
        commit = str(environment.get("commit") or "")
        images = self.data.get("images") if isinstance(self.data.get("images"), dict) else {}
        found = {
            "folder": str(self.folder),
            "status": self.status,
            "data": self.data_name,
            "images": ", ".join(f"{count:,} {part}" for part, count in (images or {}).items()),
            "seed": self.seed,
            "finished": self.when,
            "took": duration(float(seconds)) if seconds is not None else "",
            "version": f"micrographia {environment['micrographia']}" if "micrographia" in environment else "",
            "commit": commit[:10] + ("+changes" if commit.endswith("+changes") else ""),
            "device": device_words(str(environment.get("device", ""))),
            "threads": str(environment.get("threads", "")),
            "torch": str((environment.get("packages") or {}).get("torch", "")),
        }
        return {name: text for name, text in found.items() if text}

    @property
    def when(self) -> str:
        """When its result was written."""
        file = self.folder / "result.json"
        if self.status != DONE:
            return ""
        return datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")

    def table(self, name: str, index: bool = False) -> pd.DataFrame:
        """A CSV of its folder; empty where it is not there or cannot be read, which the log says."""
        file = self.folder / name
        if not file.is_file():
            return pd.DataFrame()
        try:
            table = pd.read_csv(file, index_col=0 if index else None)
        except (OSError, ValueError) as error:
            log.warning("%s: cannot be read (%s), left out of the page", file, " ".join(str(error).split()))
            return pd.DataFrame()
        return table.fillna({"flag": ""}) if "flag" in table else table

    def files(self, pattern: str) -> Sequence[Path]:
        """Files of its folder that match a pattern, by name."""
        return sorted(self.folder.glob(pattern))


def device_words(device: str) -> str:
    """A recorded device as it is shown: runs without a GPU record their processor's architecture alone.

    Examples
    --------
    >>> device_words("x86_64"), device_words("NVIDIA H200")
    ('CPU (x86_64)', 'NVIDIA H200')
    """
    return f"CPU ({device})" if device in PROCESSORS else device


def read_records(runs: Sequence[Run]) -> list[RunRecord]:
    """Read several runs, each with an id of its own: by its folder's name, which studies link to."""
    records: list[RunRecord] = []
    for run in runs:
        record = read_record(run)
        name = f"run-{run.folder.resolve().name}"
        alike = sum(other.id == name or other.id.startswith(f"{name}~") for other in records)
        record.id = f"{name}~{alike}" if alike else name
        records.append(record)
    return records


def read_record(run: Run) -> RunRecord:
    """Read what a run's folder holds; a run that is not finished or not readable is shown as such."""
    try:
        config = run.config if (run.folder / "config.yaml").is_file() else {}
        others: dict[str, Any] = {
            name: run.record(name) if (run.folder / f"{name}.json").is_file() else {}
            for name in ("environment", "data")
        }
        if not run.finished:
            note = "This run is not finished: what it has made so far is shown. The same command goes on with it."
            return RunRecord(run.folder, UNFINISHED, config, problem=note, **others)
        result = run.result
        if not isinstance(result.get("metrics"), dict):
            raise UserError(f"{run.folder / 'result.json'}: has no metrics. Make the run anew.")
        return RunRecord(run.folder, DONE, config, result, **others)
    except UserError as error:
        log.warning("%s", error)
        return RunRecord(run.folder, UNREADABLE, problem=f"This run cannot be read: {error}")
