"""Figures of runs, gathered for one sheet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from micrographia.errors import UserError
from micrographia.studies.expansion import StudyJob, swept_keys
from micrographia.studies.gathering import chosen, lookup, run_of
from micrographia.studies.specification import Entry
from micrographia.studies.tabulating import label


def collected(entry: Entry, jobs: Sequence[StudyJob], labels: Mapping[str, str]) -> list[tuple[str, Path]]:
    """The figure of each run, with what tells it from the others; of runs that differ in seeds only, the first's.

    Raises
    ------
    UserError
        If no run has the figure.
    """
    there = [job for job in jobs if job.run and (job.run.folder / entry.node["collect"]).is_file()]
    if not there:
        run = next(job.run for job in jobs if job.run)
        names = ", ".join(file.relative_to(run.folder).as_posix() for file in sorted(run.folder.glob("figures/*.png")))
        raise UserError(f"result.{entry.name}.collect={entry.node['collect']}: no run has it. There are: {names}.")
    keys = entry.named("x", "hue", "panels") or [key for key in swept_keys(there) if key not in entry.over]
    columns = list(dict.fromkeys([*keys, *entry.keys, "sweep"]))
    rows = [{key: job.sweep if key == "sweep" else lookup(key, job, there) for key in columns} for job in there]
    table = chosen(pd.DataFrame(rows).assign(place=range(len(there))), entry)
    several = [*(["sweep"] if table["sweep"].nunique() > 1 and "sweep" not in keys else []), *keys]
    pictures: dict[str, Path] = {}
    for row in table.to_dict("records"):
        title = ", ".join(f"{label(key, labels)} {label(row[key], labels)}" for key in several)
        pictures.setdefault(title, run_of(there[row["place"]]).folder / entry.node["collect"])
    return list(pictures.items())
