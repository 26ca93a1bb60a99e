"""The values that a table or figure is made of: one row for each, with the run that it comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from micrographia.errors import UserError
from micrographia.runs.run import Run
from micrographia.studies.expansion import StudyJob, swept_keys
from micrographia.studies.patterns import matches
from micrographia.studies.specification import Entry, Study, as_list, value_text

NOWHERE = "—"  # stands for a key that a job does not have
OWN = ["sweep", "run"]  # columns that every value has


def gather(entry: Entry, jobs: Sequence[StudyJob]) -> pd.DataFrame:
    """Values of an entry, a row each.

    Parameters
    ----------
    jobs
        Finished jobs; two of one run give its values once for each combination of keys.

    Returns
    -------
    DataFrame with the columns ``sweep``, ``run`` (its folder), every key that the entry names or that is swept, the
    pieces of the patterns or the columns of the runs' table, and ``value``.

    Raises
    ------
    UserError
        If no run has what is asked for.
    """
    sweeps = as_list(entry.node.get("where", {}).get("sweep")) or [job.sweep for job in jobs]
    jobs = [job for job in jobs if job.sweep in sweeps]  # tables of others may have other columns
    swept = swept_keys(jobs)
    named = [key for key in entry.keys if key not in entry.pieces]
    rows = []
    for job in jobs:
        known = {key: value_text(job.choices[key]) if key in job.choices else NOWHERE for key in swept}
        found = table_rows(entry, job) if "from" in entry.node else metric_rows(entry, job)
        columns = {key for row in found[:1] for key in row}
        known |= {key: lookup(key, job, jobs) for key in named if key not in columns and key not in OWN}
        own = {"sweep": job.sweep, "run": str(job.run.folder) if job.run else ""}
        rows += [{**own, **known, **row} for row in found]
    if not rows:
        raise UserError(nothing(entry, jobs))
    table = chosen(pd.DataFrame(rows), entry)
    return table.assign(value=table["value"].astype(float) * entry.node.get("scale", 1))


def metric_rows(entry: Entry, job: StudyJob) -> list[dict[str, Any]]:
    """A job's metrics that the patterns match, in the order of the run."""
    metrics = run_of(job).metrics
    return [
        {"metric": name, **pieces, "value": metrics[metric]}
        for name, pattern in entry.patterns.items()
        for metric, pieces in matches(pattern, metrics).items()
    ]


def table_rows(entry: Entry, job: StudyJob) -> list[dict[str, Any]]:
    """Rows of a table of a job's run, a row for each column of values; flagged rows are among them."""
    name = entry.node["from"].removeprefix("tables/")
    run = run_of(job)
    if not (run.folder / "tables" / f"{name}.csv").exists():
        return []
    table = run.table(name)
    values = as_list(entry.node["values"])
    if missing := next((column for column in values if column not in table), None):
        raise UserError(
            f"result.{entry.name}.values={missing}: {name}.csv of {run.folder} has no such column. "
            f"It has: {', '.join(map(str, table))}."
        )
    others = [column for column in table if column not in values]
    texts = table[others].map(lambda value: NOWHERE if pd.isna(value) else value_text(value))
    long = pd.concat([texts.assign(metric=column, value=table[column]) for column in values], ignore_index=True)
    return [{str(key): item for key, item in row.items()} for row in long.dropna(subset=["value"]).to_dict("records")]


def run_of(job: StudyJob) -> Run:
    """The run of a job that is finished."""
    if job.run is None:
        raise ValueError(f"{job.sweep}: {' '.join(job.overrides)} has no finished run")
    return job.run


def lookup(key: str, job: StudyJob, jobs: Sequence[StudyJob]) -> str:
    """Value of a key in a job: of its overrides, by the full name or one short in its sweep, else of its config."""
    full = full_name(key, [other for other in jobs if other.sweep == job.sweep])
    if full in job.choices:
        return value_text(job.choices[full])
    for config in (job.what, job.origin.what if job.origin else None):
        node: Any = config
        for part in full.replace("/", ".").split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping):
            node = node.get("name")
        if node is not None:
            return value_text(node)
    return NOWHERE


def full_name(key: str, jobs: Sequence[StudyJob]) -> str:
    """The override that a short name means: the one that ends with it; otherwise the name as it is.

    Raises
    ------
    UserError
        If several do.
    """
    keys = list(dict.fromkeys(name for job in jobs for name in job.choices))
    if key in keys:
        return key
    ending = [name for name in keys if name.replace("/", ".").replace("@", ".").endswith(f".{key}")]
    swept = [name for name in ending if name in swept_keys(jobs)] or ending
    if len(swept) > 1:
        raise UserError(f"{key}: is short for {' and '.join(swept)}. Write the one that is meant.")
    return swept[0] if swept else key


def check_keys(study: Study, jobs: Sequence[StudyJob]) -> None:
    """Refuse keys of the result that no job of a study has, before hours are spent.

    Keys of an entry that reads runs' tables may be their columns, and are checked when these are there.

    Raises
    ------
    UserError
        With the entry and the key.
    """
    known = [job for job in jobs if job.what is not None]
    for entry in study.result:
        if "metrics" in entry.node:
            check_alike(study, entry, known)
        for key in entry.keys if known and "from" not in entry.node else ():
            if key in entry.pieces or key in OWN or key in entry.over:  # nothing need vary for a mean
                continue
            if all(lookup(key, job, jobs) == NOWHERE for job in known):
                names = [*entry.pieces, "sweep", *swept_keys(jobs)]
                raise UserError(
                    f"{study.file}: result.{entry.name}: {key} is no key of its runs, and no piece of its metrics. "
                    f"There are: {', '.join(names)}; and the keys of their configuration."
                )


def check_alike(study: Study, entry: Entry, jobs: Sequence[StudyJob]) -> None:
    """Refuse an entry whose means would mix jobs that differ in what it does not name, before these are made.

    Raises
    ------
    UserError
        With the entry and the keys.
    """
    if entry.node.get("kind") == "boxes":
        return
    made_later = (*entry.pieces, *OWN)  # what only the metrics tell
    needed = [key for key in (*entry.rows, *entry.columns, *entry.over) if key not in made_later]
    wanted = {key: list(map(value_text, as_list(values))) for key, values in entry.node.get("where", {}).items()}
    groups: dict[tuple[str, ...], list[StudyJob]] = {}
    for job in jobs:
        known = {key: lookup(key, job, jobs) for key in wanted if key not in made_later}
        if "sweep" in wanted:
            known["sweep"] = job.sweep
        if all(known[key] in wanted[key] for key in known):
            groups.setdefault((job.sweep, *(lookup(key, job, jobs) for key in needed)), []).append(job)
    for alike in groups.values():
        if len({str(job.place.folder) if job.place else " ".join(job.overrides) for job in alike}) < 2:
            continue
        differing = [key for key in swept_keys(alike) if key not in needed]
        raise UserError(
            f"{study.file}: result.{entry.name}: a mean would mix jobs of sweep {alike[0].sweep} that differ in "
            f"{' and '.join(differing[:3])}. Name it among rows, columns or over, or choose with where."
        )


def chosen(table: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    """Rows that have the values that an entry asks for."""
    for key, values in entry.node.get("where", {}).items():
        if key not in table:
            raise UserError(f"result.{entry.name}.where.{key}: no such column. There are: {names_of(table)}.")
        wanted = [value_text(value) for value in as_list(values)]
        some = table[table[key].isin(wanted)]
        if some.empty:
            there = ", ".join(dict.fromkeys(table[key].astype(str)))
            raise UserError(f"result.{entry.name}.where.{key}={', '.join(wanted)}: no run has it. There are: {there}.")
        table = some
    return table.reset_index(drop=True)


def names_of(table: pd.DataFrame) -> str:
    """A table's columns in a row."""
    return ", ".join(map(str, table.columns))


def nothing(entry: Entry, jobs: Sequence[StudyJob]) -> str:
    """Say that no run has what an entry asks for, and what there is."""
    if "from" in entry.node:
        tables = dict.fromkeys(file.stem for job in jobs for file in sorted(run_of(job).folder.glob("tables/*.csv")))
        return f"result.{entry.name}.from={entry.node['from']}: no run has it. Tables: {', '.join(tables) or 'none'}."
    metrics = list(dict.fromkeys(name for job in jobs for name in run_of(job).metrics))
    shown = ", ".join(metrics[:30]) + (f", and {len(metrics) - 30} more" if len(metrics) > 30 else "")
    patterns = ", ".join(entry.patterns.values())
    return f"result.{entry.name}.metrics={patterns}: no run has such a metric. There are: {shown or 'none'}."
