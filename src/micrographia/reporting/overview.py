"""What runs have in common: headline numbers, commands, a table of all, studies, jobs that failed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from micrographia.durations import duration
from micrographia.reporting.blocks import Block, Cell, Code, Column, Facts, Gallery, Note, Section, Table
from micrographia.reporting.comparison import best_of_alike
from micrographia.reporting.finding import Study
from micrographia.reporting.metrics import heading_of, leaders, leading, number, title_of, wording
from micrographia.reporting.pictures import Allowance, embedded
from micrographia.reporting.records import DONE, RunRecord
from micrographia.reporting.summary import headline_cards, result_tables, spread_over
from micrographia.reporting.tables import markdown_table, table_of
from micrographia.runs.seeds import flat

FAILED = "failed"
LONGEST_MISTAKE = 240  # characters of why a job failed


def glance(records: Sequence[RunRecord], commands: Sequence[str], aside: Sequence[str]) -> Section:
    """Headline numbers where all runs are of one group, how many there are, and what made them."""
    blocks: list[Block] = []
    if len(records) == 1:
        facts = records[0].facts
        blocks.append(
            Facts({name: facts[name] for name in ("data", "images", "seed", "finished", "took") if name in facts})
        )
    else:
        done = [record for record in records if record.status == DONE]
        seconds = sum(float(record.result.get("seconds") or 0) for record in done)
        counts = pd.Series([record.task or record.status for record in records]).value_counts(sort=False)
        kinds = {"runs": ", ".join(f"{count} {task}" for task, count in counts.items())}
        unfinished = {
            status: str(count)
            for status in ("unfinished", "unreadable")
            if (count := sum(record.status == status for record in records))
        }
        times = {"computing time": duration(seconds)} if seconds else {}
        blocks.append(Facts({**kinds, **unfinished, **times}))
    if commands:
        blocks.append(Code("\n".join(commands), "command" if len(commands) == 1 else "commands"))
    blocks += [Note(f"{text}.") for text in aside]
    return Section("What was run", blocks)


def seeds_section(records: Sequence[RunRecord], title: str, varied: str) -> Section:
    """Runs that differ in seeds only: means and standard deviations."""
    metrics = spread_over([record.metrics for record in records])
    intro = f"Mean ± standard deviation over {len(records)} runs that differ in seeds only"
    intro += f"; seeds varied: {varied}." if varied else "."
    return Section(title, [headline_cards(metrics), *result_tables(metrics)], intro)


def run_table(records: Sequence[RunRecord], settings: Mapping[str, str]) -> Section:
    """Every run in a row, to filter and to sort; its name leads to what is known of it.

    Parameters
    ----------
    settings
        What tells each run, by its id, from the others.
    """
    finished = [record.metrics for record in records if record.metrics]
    kinds = leading(dict.fromkeys(name for metrics in finished for name in metrics)) if finished else []
    columns = [Column("run"), Column("task"), Column("data"), Column("seed", True)]
    columns += [Column(heading_of(names), True, ", ".join(names)) for names in kinds]
    columns += [Column("settings"), Column("status"), Column("took", True)]
    shown = {names[0]: {record: leader(record, names) for record in records} for names in kinds}
    marked = {metric: best_runs(own, metric) for metric, own in shown.items()}
    rows = []
    for record in records:
        cells = [
            Cell(record.folder.name, record.folder.name, link=record.id, hint=str(record.folder)),
            Cell(record.task),
            Cell(record.data_name),
            Cell(record.seed, float(record.seed) if record.seed.isdigit() else None),
        ]
        for names in kinds:
            if (top := shown[names[0]][record]) is None:
                cells.append(Cell(""))
                continue
            value = record.metrics[top]
            cells.append(Cell(number(top, value), value, record in marked[names[0]], hint=title_of(top)))
        cells += [Cell(settings.get(record.id, "")), Cell(record.status, hint=record.problem)]
        seconds = record.result.get("seconds")
        cells.append(Cell(duration(float(seconds)), float(seconds)) if seconds is not None else Cell(""))
        rows.append(cells)
    filters = {
        title: sorted({row[place].text for row in rows if row[place].text})
        for place, title in ((1, "task"), (2, "data"), (len(columns) - 2, "status"))
    }
    filters = {title: values for title, values in filters.items() if len(values) > 1}
    told = [{row[place].text for row in rows} for place in range(len(columns))]
    kept = [
        place for place in range(len(columns)) if told[place] != {""} and (place not in (1, 2) or len(told[place]) > 1)
    ]
    note = (
        "The best of each column is marked, among runs of one task on the same images." if any(marked.values()) else ""
    )
    table = Table(
        "All runs",
        [columns[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        note,
        True,
        filters,
    )
    return Section("Runs", [table])


def leader(record: RunRecord, names: Sequence[str]) -> str | None:
    """The metric of several alternatives in which a run is best; None where it has none of them."""
    values = {name: record.metrics[name] for name in names if name in record.metrics}
    return next(iter(leaders(values, names[0])), next(iter(values), None))


def best_runs(shown: Mapping[RunRecord, str | None], metric: str) -> set[RunRecord]:
    """The runs that are best by what is shown of them, each among those of its task that were scored on the same."""
    known = {record: record.metrics[name] for record, name in shown.items() if name and record.data_name}
    settings = {record: dict(flat(record.config)) for record in known}
    found: set[RunRecord] = set()
    for task in {record.task for record in known}:
        rivals = {record: value for record, value in known.items() if record.task == task}
        found |= best_of_alike(rivals, settings, metric)
    return found


def study_section(study: Study, allowance: Allowance) -> Section:
    """A study: its question, its command, each table and figure of its folder, and its jobs."""
    record = study.record
    blocks: list[Block] = []
    if command := record.get("command"):
        blocks.append(Code(str(command), "command"))
    described = set()
    for file in sorted(study.folder.glob("*.md")):
        text = file.read_text(encoding="utf-8")
        if file.name != "README.md" and (table := markdown_table(text, words(file.stem))):
            blocks.append(table)
            described.add(file.stem)
    for file in sorted(study.folder.glob("*.csv")):
        if file.stem in described or file.stem.endswith("_long"):
            continue
        try:
            blocks.append(table_of(pd.read_csv(file), words(file.stem), sortable=True))
        except (OSError, ValueError) as error:
            blocks.append(Note(f"{file.name} cannot be read: {' '.join(str(error).split())}."))
    blocks += pictures_of(study.folder, allowance)
    if jobs := [job for job in record.get("jobs") or [] if isinstance(job, dict)]:
        blocks.append(jobs_table(jobs))
    return Section(f"Study {study.folder.name}", blocks, str(record.get("question") or ""))


def with_failures(section: Section, jobs: Sequence[Mapping[str, Any]]) -> Section:
    """A sweep's section with those of its jobs that failed: what tells them from the others, and why."""
    failed = [job for job in jobs if job.get("status") == FAILED]
    if not failed:
        return section
    common = set.intersection(*(set(job.get("overrides") or []) for job in jobs))
    own = [{**job, "overrides": [word for word in job.get("overrides") or [] if word not in common]} for job in failed]
    told = f"{len(failed)} of {len(jobs)} jobs failed and {'is' if len(failed) == 1 else 'are'} left out."
    blocks = [*section.blocks, jobs_table(own, "Jobs that failed")]
    return replace(section, blocks=blocks, intro=f"{told} {section.intro}".strip())


def pictures_of(folder: Path, allowance: Allowance) -> list[Block]:
    """The figures of a study's folder."""
    found, broken = [], []
    for file in sorted(folder.glob("*.png")):
        try:
            if picture := embedded(file, words(file.stem), f"Figure of the study: {words(file.stem)}.", allowance):
                found.append(picture)
        except OSError as error:
            broken.append(Note(f"{file.name} cannot be read: {error}."))
    return [*([Gallery(found)] if found else []), *broken]


def jobs_table(jobs: Sequence[Mapping[str, object]], caption: str = "Jobs") -> Table:
    """The jobs of a study or of a sweep, with where each stands."""
    mistakes = [" ".join(str(job.get("mistake") or "").split())[:LONGEST_MISTAKE] for job in jobs]
    rows = []
    for job, mistake in zip(jobs, mistakes, strict=True):
        overrides = job.get("overrides") or []
        text = " ".join(map(str, overrides)) if isinstance(overrides, list) else str(overrides)
        name = Path(str(job.get("run") or job.get("folder") or "")).name
        log = str(job.get("log") or "") if mistake else ""
        cells = [Cell(str(job.get("sweep") or "")), Cell(text), Cell(str(job.get("status") or ""))]
        rows.append([*cells, Cell(name, link=f"run-{name}" if name else ""), Cell(mistake), Cell(log)])
    columns = [Column(title) for title in ("sweep", "overrides", "status", "run", "mistake", "log")]
    told = [place for place in range(len(columns)) if place in (1, 2) or any(row[place].text for row in rows)]
    statuses = sorted({row[2].text for row in rows})
    return Table(
        caption,
        [columns[place] for place in told],
        [[row[place] for place in told] for row in rows],
        "",
        True,
        {"status": statuses} if len(statuses) > 1 else {},
    )


def words(stem: str) -> str:
    """A file's name in words.

    Examples
    --------
    >>> words("table_2-tests"), words("psnr")
    ('Table 2 tests', 'PSNR')
    """
    text = wording(stem).replace("-", " ")
    return text[:1].upper() + text[1:]
