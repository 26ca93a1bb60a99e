"""What runs have in common: headline numbers, commands, groups of runs compared, a table of all, studies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from micrographia.durations import duration
from micrographia.reporting.blocks import Block, Cards, Cell, Code, Column, Facts, Note, Section, Table
from micrographia.reporting.charts import groups_chart
from micrographia.reporting.metrics import (
    Spread,
    best,
    direction,
    heading_of,
    leading,
    number,
    title_of,
    with_spread,
)
from micrographia.reporting.records import DONE, RunRecord
from micrographia.reporting.summary import card_of, card_words, headline_cards, result_tables, spread_over

MOST_COLUMNS = 12  # metrics of a comparison, those that lead before the others
Settings = tuple[tuple[str, str], ...]  # keys of a configuration with their values
KNOWN = ("runs", "seeds varied", "metric", "mean", "sd", "folders", "label")


@dataclass(frozen=True)
class Comparison:
    """Groups of runs that differ in more than seeds.

    Parameters
    ----------
    title
        What is compared.
    table
        As `micrographia.tasks.sweep.spread` has it: a row per group and metric, with the keys that tell groups apart.
    """

    title: str
    table: pd.DataFrame


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


def comparison_section(comparison: Comparison) -> Section:
    """Groups of runs beside each other, as a table with the best marked and as dots with their deviations."""
    table = labelled(comparison.table)
    every = [str(name) for name in dict.fromkeys(table["metric"])]
    leaders = [name for names in leading(every) for name in names]
    metrics = [*leaders, *(name for name in every if name not in leaders)][:MOST_COLUMNS]
    groups = list(dict.fromkeys(table["label"]))
    found: dict[tuple[str, str], Any] = {(row["label"], row["metric"]): row for row in table.to_dict("records")}
    rows = []
    for group in groups:
        first = next(row for (label, _), row in found.items() if label == group)
        cells = [
            Cell(group),
            Cell(str(first["runs"]), int(first["runs"]), hint=f"seeds varied: {first['seeds varied']}"),
        ]
        for metric in metrics:
            own = found.get((group, metric))
            values = {name: float(found[name, metric]["mean"]) for name in groups if (name, metric) in found}
            if own is None:
                cells.append(Cell("–"))
                continue
            text = with_spread(metric, Spread(float(own["mean"]), float(own["sd"]), int(own["runs"])))
            cells.append(Cell(text, float(own["mean"]), group in best(values, metric)))
        rows.append(cells)
    columns = [
        Column("group"),
        Column("n", True, "runs"),
        *(Column(heading_of([name]), True, name) for name in metrics),
    ]
    note = "Mean ± standard deviation over n runs that differ in seeds only; the best of each column is marked."
    blocks: list[Block] = [Table("Scores by group", columns, rows, note, sortable=True)]
    chart = groups_chart(table, {name: title_of(name) for name in metrics}, "Groups of runs")
    cards = best_groups(table)
    return Section(comparison.title, [*([cards] if cards.cards else []), *([chart] if chart else []), *blocks])


def best_groups(table: pd.DataFrame) -> Cards:
    """The numbers that lead, each of the group, and of the probe or method, where it is best."""
    cards = []
    for names in leading(dict.fromkeys(map(str, table["metric"]))):
        rows = table[table["metric"].isin(names) & np.isfinite(table["mean"].astype(float))]
        if rows.empty or not direction(names[0]):
            continue
        row = rows.assign(rank=direction(names[0]) * rows["mean"]).sort_values("rank").iloc[-1]
        label, rest = card_words(row["metric"])
        found = Spread(float(row["mean"]), float(row["sd"]), int(row["runs"]))
        cards.append(card_of(label, row["metric"], found, [f"best group: {row['label']}", rest]))
    return Cards(cards)


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """A sweep's table with a label for each group: its keys as `telling` has them."""
    keys = [str(name) for name in table if name not in KNOWN]
    rows = [
        tuple((key, str(value)) for key, value in zip(keys, values, strict=True) if str(value) not in ("", "nan"))
        for values in table[keys].itertuples(index=False, name=None)
    ]
    found = telling(list(dict.fromkeys(rows)))
    return table.assign(label=[found[row] or "all runs" for row in rows])


def telling(rows: Sequence[Settings]) -> dict[Settings, str]:
    """What tells several sets of settings from each other, in short.

    Where nodes have different names, as two models, these suffice, if no two sets look alike then; keys are written by
    their last words where these tell them apart.

    Examples
    --------
    >>> a, b = (("data.name", "x"), ("data.root", "/a")), (("data.name", "y"), ("data.root", "/b"))
    >>> list(telling([a, b]).values()), list(telling([(("model.beta", "1"),), (("model.beta", "4"),)]).values())
    (['data=x', 'data=y'], ['beta=1', 'beta=4'])
    """
    named = {row: tuple((key, value) for key, value in row if not is_named(key, row)) for row in rows}
    kept = named if len(set(named.values())) == len(named) else {row: row for row in rows}
    keys = {key for row in kept.values() for key, _ in row}
    endings = [ending(key) for key in keys]
    short = {key: ending(key) if endings.count(ending(key)) == 1 else key for key in keys}
    return {row: ", ".join(f"{short[key]}={value}" for key, value in pairs) for row, pairs in kept.items()}


def is_named(key: str, row: Settings) -> bool:
    """Whether a key lies in a node whose name is among the settings."""
    return any(other.endswith(".name") and other != key and key.startswith(other[: -len("name")]) for other, _ in row)


def ending(key: str) -> str:
    """The last word of a key; of a name, what is named."""
    return key.removesuffix(".name").rpartition(".")[2]


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
            values = {name: record.metrics[name] for name in names if name in record.metrics}
            top = max(values, key=lambda name: (direction(name) or 1) * values[name], default="")
            cells.append(Cell(number(top, values[top]), values[top], hint=title_of(top)) if top else Cell(""))
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
    table = Table(
        "All runs",
        [columns[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        "",
        True,
        filters,
    )
    return Section("Runs", [table])
