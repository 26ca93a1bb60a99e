"""Which runs, sweeps and studies the paths of a report name."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from micrographia.errors import UserError
from micrographia.pretrained import run_folder
from micrographia.reporting.paths import check_paths
from micrographia.runs.run import PREVIOUS, Run

STUDY = "study.json"
RUN_FILES = ("result.json", "config.yaml")


@dataclass(frozen=True)
class Sweep:
    """A sweep's table, as the sweep wrote it: a row per group of runs and metric; and its jobs, where known."""

    file: Path
    table: pd.DataFrame
    jobs: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Study:
    """A study's folder with its record."""

    folder: Path
    record: dict[str, Any]


@dataclass
class Found:
    """What lies at the paths of a report, each once and in their order."""

    runs: list[Run] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)  # what was seen and not taken, in words

    def add(self, run: Run) -> None:
        """Take a run that is not there yet."""
        if all(run.folder.resolve() != other.folder.resolve() for other in self.runs):
            self.runs.append(run)


def find(paths: Sequence[str]) -> Found:
    """Runs, sweeps and studies at paths: folders of runs, folders that hold some, tables of sweeps, studies.

    Raises
    ------
    UserError
        If a path is not there, is none of these, or nothing is found.
    """
    check_paths(paths)
    found = Found()
    for path in paths:
        folder = run_folder(path)
        if folder.is_file():
            take_sweep(folder, found)
        elif (folder / STUDY).is_file():
            take_study(folder, found)
        else:
            for run in runs_below(folder, found):
                found.add(run)
    if not (found.runs or found.sweeps or found.studies):
        raise UserError(
            f"{', '.join(paths)}: no run lies there (none of its folders has a config.yaml). "
            "Make one, as by micrographia transfer, or name its folder."
        )
    return found


def runs_below(folder: Path, found: Found) -> list[Run]:
    """Runs in a folder and below it, by path; what else lies there is told."""
    runs = []
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(PREVIOUS))
        if STUDY in files:
            found.aside.append(f"{here} is a study and has a page of its own: micrographia report {here}")
            folders.clear()
        elif set(RUN_FILES) & set(files):
            runs.append(Run(here))
            folders.clear()
    return runs


def take_sweep(file: Path, found: Found) -> None:
    """Take the table of a sweep, and those of its runs that are still there."""
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file}: is no table that can be read ({' '.join(str(error).split())}). Name the CSV of a sweep, as "
            "runs/sweeps/NAME.csv."
        ) from error
    if missing := [name for name in ("metric", "mean", "sd", "runs", "folders") if name not in table]:
        raise UserError(
            f"{file}: no table of a sweep, it has no column {', '.join(missing)}. "
            "Sweeps write theirs as runs/sweeps/<verb>-<swept keys>-<digest>.csv."
        )
    found.sweeps.append(Sweep(file, table, jobs_beside(file, found)))
    for name in dict.fromkeys(" ".join(table["folders"].astype(str)).split()):
        folder = file.absolute().parents[1] / name
        if folder.is_dir():
            found.add(Run(shortest(folder)))
        else:
            found.aside.append(f"{name} of {file.name} is not there any more")


def jobs_beside(file: Path, found: Found) -> list[dict[str, Any]]:
    """The record of a sweep's jobs beside its table; none beside one of an older version, and that cannot be read."""
    record = file.with_suffix(".json")
    if not record.is_file():
        return []
    try:
        return [dict(job) for job in json.loads(record.read_text(encoding="utf-8"))["jobs"]]
    except (OSError, ValueError, TypeError, KeyError):
        found.aside.append(f"{record} cannot be read, so that nobody knows which jobs of the sweep failed")
        return []


def take_study(folder: Path, found: Found) -> None:
    """Take a study, and the runs of its jobs.

    Raises
    ------
    UserError
        If its record is damaged.
    """
    try:
        record = dict(json.loads((folder / STUDY).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{folder / STUDY}: cannot be read ({' '.join(str(error).split())}). Give the study's command once more: "
            "finished jobs are not made again."
        ) from error
    found.studies.append(Study(folder, record))
    for name in dict.fromkeys(named_folders(record)):
        places = [Path(name), *(parent / name for parent in folder.absolute().parents[:3])]
        run = next((place for place in places if any((place / file).is_file() for file in RUN_FILES)), None)
        if run is not None:
            found.add(Run(shortest(run)))


def named_folders(node: Any) -> list[str]:
    """Every folder that a study's record names under ``folder``, ``folders`` or ``run``, at any depth."""
    if isinstance(node, list):
        return [name for child in node for name in named_folders(child)]
    if not isinstance(node, dict):
        return []
    own: list[str] = []
    for key in ("folder", "folders", "run"):
        value = node.get(key)
        own += value.split() if isinstance(value, str) else [name for name in value or [] if isinstance(name, str)]
    return own + [name for child in node.values() for name in named_folders(child)]


def shortest(folder: Path) -> Path:
    """A folder as seen from where the command runs, where it lies below that."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def page_name(paths: Sequence[str]) -> str:
    """Name of the page of paths.

    Examples
    --------
    >>> page_name(["runs/transfer/a-0123456789/"]), page_name(["runs/sweeps/transfer-seed-12345678.csv"])
    ('a-0123456789', 'transfer-seed-12345678')
    >>> page_name(["runs/train", "runs/transfer", "x"])
    'train-and-2-more'
    """
    first = Path(paths[0]).absolute()
    name = first.stem if first.suffix == ".csv" else first.name or "report"
    return name if len(paths) == 1 else f"{name}-and-{len(paths) - 1}-more"
