"""What runs have in common: headline numbers, commands, a table of all."""

from collections.abc import Mapping, Sequence

import pandas as pd

from micrographia.durations import duration
from micrographia.reporting.blocks import Block, Cell, Code, Column, Facts, Note, Section, Table
from micrographia.reporting.comparison import best_of_alike
from micrographia.reporting.metrics import heading_of, leaders, leading, number, title_of
from micrographia.reporting.records import DONE, RunRecord
from micrographia.reporting.summary import headline_cards, result_tables, spread_over
from micrographia.runs.seeds import flat


def glance(
    records: Sequence[RunRecord], commands: Sequence[str], aside: Sequence[str], jobs: Sequence[Table] = ()
) -> Section:
    """How many runs there are, what made them, and the jobs of studies."""
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
    blocks += jobs
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
    columns += [Column("status"), Column("took", True)]
    columns += [Column(heading_of(names), True, ", ".join(names)) for names in kinds]
    columns += [Column("settings")]
    shown = {names[0]: {record: leader(record, names) for record in records} for names in kinds}
    settings_of = {record: dict(flat(record.config)) for record in records if record.metrics}
    marked = {metric: best_runs(own, metric, settings_of) for metric, own in shown.items()}
    rows = []
    for record in records:
        cells = [
            Cell(record.folder.name, record.folder.name, link=record.id, hint=str(record.folder)),
            Cell(record.task),
            Cell(record.data_name),
            Cell(record.seed, float(record.seed) if record.seed.isdigit() else None),
        ]
        cells.append(Cell(record.status, hint=record.problem))
        seconds = record.result.get("seconds")
        cells.append(Cell(duration(float(seconds)), float(seconds)) if seconds is not None else Cell(""))
        for names in kinds:
            if (top := shown[names[0]][record]) is None:
                cells.append(Cell(""))
                continue
            value = record.metrics[top]
            cells.append(Cell(number(top, value), value, record in marked[names[0]], hint=title_of(top)))
        cells.append(Cell(settings.get(record.id, "")))
        rows.append(cells)
    filters = {
        title: sorted({row[place].text for row in rows if row[place].text})
        for place, title in ((1, "task"), (2, "data"), (4, "status"))
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


def best_runs(
    shown: Mapping[RunRecord, str | None], metric: str, settings: Mapping[RunRecord, Mapping[str, object]]
) -> set[RunRecord]:
    """The runs that are best by what is shown of them, each among those of its task that were scored on the same."""
    known = {record: record.metrics[name] for record, name in shown.items() if name and record.data_name}
    found: set[RunRecord] = set()
    for task in {record.task for record in known}:
        rivals = {record: value for record, value in known.items() if record.task == task}
        found |= best_of_alike(rivals, settings, metric)
    return found
