"""Groups of runs beside each other: what tells them apart, which is the best, and of which that can be said."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from micrographia.ranking import is_reference
from micrographia.reporting.blocks import Block, Cards, Cell, Column, Section, Table
from micrographia.reporting.charts import groups_chart
from micrographia.reporting.metrics import (
    Spread,
    best,
    direction,
    heading_of,
    leaders,
    leading,
    title_of,
    with_spread,
)
from micrographia.reporting.summary import card_of, card_words, which_of

Name = TypeVar("Name", bound=Hashable)
Settings = tuple[tuple[str, str], ...]  # keys of a configuration with their values

MOST_COLUMNS = 12  # metrics of a comparison, those that lead before the others
KNOWN = ("runs", "seeds varied", "metric", "mean", "sd", "folders", "label")
# What says on which images, and under which conditions, runs are scored.
CONDITIONS = ("data", "degradation", "untold", "images", "part", "experiment")
OF_CLASSES = ("probe", "classifier")  # metrics that mean the same whatever the size of the images


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


def comparison_section(comparison: Comparison) -> Section:
    """Groups of runs beside each other, as a table with the best marked and as dots with their deviations."""
    table = labelled(comparison.table)
    every = [str(name) for name in dict.fromkeys(table["metric"])]
    first = [name for names in leading(every) for name in names]
    metrics = [*first, *(name for name in every if name not in first)][:MOST_COLUMNS]
    found: dict[tuple[str, str], Any] = {(row["label"], row["metric"]): row for row in table.to_dict("records")}
    groups = {label: next(row for (own, _), row in found.items() if own == label) for label, _ in found}
    marked = {metric: best_of_alike(means_of(found, metric), groups, metric) for metric in metrics}
    rows = []
    for label, row in groups.items():
        cells = [Cell(label), Cell(str(row["runs"]), int(row["runs"]), hint=f"seeds varied: {row['seeds varied']}")]
        for metric in metrics:
            own = found.get((label, metric))
            if own is None:
                cells.append(Cell("–"))
                continue
            text = with_spread(metric, Spread(float(own["mean"]), float(own["sd"]), int(own["runs"])))
            cells.append(Cell(text, float(own["mean"]), label in marked[metric]))
        rows.append(cells)
    columns = [
        Column("group"),
        Column("n", True, "runs"),
        *(Column(heading_of([name]), True, name) for name in metrics),
    ]
    note = "Mean ± standard deviation over n runs that differ in seeds only"
    note += f"; {marking(groups.values(), metrics)}." if any(marked.values()) else "."
    blocks: list[Block] = [Table("Scores by group", columns, rows, note, sortable=True)]
    chart = groups_chart(table, {name: title_of(name) for name in metrics}, "Groups of runs")
    cards = best_groups(table)
    return Section(comparison.title, [*([cards] if cards.cards else []), *([chart] if chart else []), *blocks])


def means_of(found: Mapping[tuple[str, str], Any], metric: str) -> dict[str, float]:
    """A metric's mean in each group that has it."""
    return {label: float(row["mean"]) for (label, name), row in found.items() if name == metric}


def best_of_alike(values: Mapping[Name, float], settings: Mapping[Name, Mapping[str, Any]], metric: str) -> set[Name]:
    """The best by a metric, each among those that were scored on the same images under the same conditions."""
    alike: dict[tuple[tuple[str, str], ...], dict[Name, float]] = {}
    for name, value in values.items():
        alike.setdefault(conditions(settings[name], metric), {})[name] = value
    return set().union(*(best(own, metric) for own in alike.values()))


def conditions(settings: Mapping[str, Any], metric: str) -> Settings:
    """Those of some settings that say on what a metric is scored; of classes not the size of the images.

    Examples
    --------
    >>> conditions({"data.size": 64, "data.name": "a", "model.beta": 4, "seed": 1}, "image/psnr/rls")
    (('data.name', 'a'), ('data.size', '64'))
    >>> conditions({"data.size": 64, "images": 16, "seed": 1}, "probe/gbt/after/balanced_accuracy")
    (('images', '16'), ('seed', '1'))
    """
    names = [*CONDITIONS, *(["seed"] if "images" in settings else [])]  # a seed then says which images are taken
    left_out = ("data.size",) if metric.split("/")[0] in OF_CLASSES else ()
    found = {str(key): str(value) for key, value in settings.items() if key not in left_out}
    return tuple(sorted((key, value) for key, value in found.items() if first_word(key) in names))


def first_word(key: str) -> str:
    """The first word of a key, or of a group.

    Examples
    --------
    >>> first_word("data.size"), first_word("+untold@untold.second")
    ('data', 'untold')
    """
    return re.split(r"[./@]", key.lstrip("+"))[0]


def marking(groups: Iterable[Mapping[str, Any]], metrics: Sequence[str]) -> str:
    """What is marked in a table of groups."""
    several = len({conditions(group, metric) for group in groups for metric in metrics[:1]}) > 1
    return f"the best of each column is marked{', on the same images under the same conditions' if several else ''}"


def best_groups(table: pd.DataFrame) -> Cards:
    """The numbers that lead, each of the groups, and of the probes or methods, where it is best.

    Where groups were scored on other images, none is the best; of a single group nothing is said of groups.
    """
    cards = []
    groups: dict[str, Any] = {row["label"]: row for row in table.to_dict("records")}
    for names in leading(dict.fromkeys(map(str, table["metric"]))):
        rows = table[table["metric"].isin(names) & np.isfinite(table["mean"].astype(float))]
        alike = len({conditions(group, names[0]) for group in groups.values()}) == 1
        if rows.empty or not direction(names[0]) or (len(groups) > 1 and (is_reference(names[0]) or not alike)):
            continue
        found = {(row["label"], row["metric"]): row for row in rows.to_dict("records")}
        top = leaders({place: float(row["mean"]) for place, row in found.items()}, names[0])
        row = found[top[0]]
        label, _ = card_words(row["metric"])
        words = list(dict.fromkeys(card_words(metric)[1] for _, metric in top))
        notes = [which_groups([group for group, _ in top], len(groups)), ", ".join(words)]
        if len(groups) == 1:
            notes = [which_of(words, len(found), row["metric"])]
        spread = Spread(float(row["mean"]), float(row["sd"]), int(row["runs"]))
        cards.append(card_of(label, row["metric"], spread, notes))
    return Cards(cards)


def which_groups(labels: Sequence[str], count: int) -> str:
    """Which of several groups a number is of.

    Examples
    --------
    >>> which_groups(["beta=4"], 3), which_groups(["beta=1", "beta=4"], 3), which_groups(["beta=1", "beta=4"], 2)
    ('best group: beta=4', 'best groups, alike: beta=1 and beta=4', 'all groups alike')
    """
    each = list(dict.fromkeys(labels))
    if len(each) == 1:
        return f"best group: {each[0]}"
    return "all groups alike" if len(each) == count else f"best groups, alike: {' and '.join(each)}"


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
