"""From values to cells: mean and standard deviation over seeds, and paired tests across methods."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from micrographia.errors import UserError
from micrographia.scores.paired import LEAST_PAIRS, holm, paired_test
from micrographia.studies.gathering import names_of
from micrographia.studies.specification import Entry, Study, as_list, value_text


@dataclass(frozen=True)
class Summary:
    """What one table or figure shows.

    Parameters
    ----------
    values
        A row per value, of `micrographia.studies.gathering.gather`.
    cells
        A row per cell: the entry's rows and columns, ``n``, ``mean``, ``sd`` (n - 1; NaN for one value).
    tests
        A row per comparison; None where none is asked for.
    """

    entry: Entry
    values: pd.DataFrame
    cells: pd.DataFrame
    tests: pd.DataFrame | None = None


def summarise(entry: Entry, values: pd.DataFrame, study: Study) -> Summary:
    """Cells of an entry, in the order of the study's labels, and its tests.

    Raises
    ------
    UserError
        If a cell would mix what differs in more than the keys over which means are taken.
    """
    keys = [*entry.rows, *entry.columns]
    needed = [*keys, *entry.over]
    if missing := next((key for key in needed if key not in values), None):
        raise UserError(f"result.{entry.name}: {missing} is no column. There are: {names_of(values)}.")
    values = within_runs(entry, values, needed)
    check_unmixed(entry, values, needed)
    for key in dict.fromkeys(needed):
        values = values.assign(**{key: pd.Categorical(values[key], ordered(values[key], study.labels), ordered=True)})
    cells = values.groupby(keys, observed=True, sort=True)["value"].agg(n="count", mean="mean", sd="std").reset_index()
    values = values.sort_values(needed, kind="stable").reset_index(drop=True)
    return Summary(entry, values, cells, tests_of(entry, values) if "compare" in entry.node else None)


def within_runs(entry: Entry, values: pd.DataFrame, needed: Sequence[str]) -> pd.DataFrame:
    """One value per run and cell, where the entry says how its rows are joined; two jobs of one run count once."""
    keys = list(dict.fromkeys([*needed, "run"]))
    if "per_run" in entry.node:
        return values.groupby(keys, observed=True, sort=False)["value"].agg(entry.node["per_run"]).reset_index()
    if entry.node.get("kind") == "boxes":
        return values
    return values.drop_duplicates([*keys, *(name for name in entry.pieces if name in values), "value"])


def check_unmixed(entry: Entry, values: pd.DataFrame, needed: Sequence[str]) -> None:
    """Refuse a cell with several values for one seed."""
    if entry.node.get("kind") == "boxes":
        return
    for _, group in values.groupby(list(dict.fromkeys(needed)), observed=True, sort=False):
        if len(group) < 2:
            continue
        several = {key: list(dict.fromkeys(group[key].astype(str))) for key in group if key not in ("value", "run")}
        shown = [f"{key} ({', '.join(found[:4])})" for key, found in several.items() if len(found) > 1]
        what = " and ".join(shown[:3]) + (" differ" if len(shown) > 1 else " differs") if shown else "several values"
        hint = "Name it among rows, columns or over, or choose with where" if shown else "Set per_run: mean"
        raise UserError(f"result.{entry.name}: a mean would mix what is not alike: {what} within a cell. {hint}.")


def ordered(values: pd.Series, labels: Mapping[str, str]) -> list[str]:
    """Values of a key in the order that they are shown in: as the labels stand, then numbers, then as they come.

    Examples
    --------
    >>> ordered(pd.Series(["16", "8", "b", "a"]), {"a": "A"})
    ['a', '8', '16', 'b']
    """
    found = list(dict.fromkeys(values.astype(str)))
    first = [value for value in labels if value in found]
    numbers = sorted((value for value in found if is_number(value) and value not in first), key=float)
    return [*first, *numbers, *(value for value in found if value not in first and value not in numbers)]


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def tests_of(entry: Entry, values: pd.DataFrame) -> pd.DataFrame:
    """Paired test of each value of a key against the reference, in each of the other rows and columns.

    Returns
    -------
    DataFrame with a row per comparison: the other keys, the compared key, ``reference``, ``pairs``, ``difference``
    (mean), ``sd``, ``low``, ``high``, and each test's p-value, plain and after Holm over all rows.

    Raises
    ------
    UserError
        If no value is of the reference.
    """
    compare = entry.node["compare"]
    across, reference = compare["across"], value_text(compare["reference"])
    pair = as_list(compare.get("pair")) or entry.over
    if missing := next((key for key in pair if key not in values), None):
        raise UserError(f"result.{entry.name}.compare.pair: {missing} is no column. There are: {names_of(values)}.")
    if reference not in values[across].tolist():
        there = ", ".join(dict.fromkeys(values[across].astype(str)))
        raise UserError(
            f"result.{entry.name}.compare.reference={reference}: no {across} of that name. There are: {there}."
        )
    others = [key for key in (*entry.rows, *entry.columns) if key != across]
    rows = []
    for place, group in values.groupby(others, observed=True, sort=True) if others else [((), values)]:
        of = {
            key: own.groupby(pair, observed=True)["value"].mean() for key, own in group.groupby(across, observed=True)
        }
        known = dict(zip(others, place, strict=True))
        for name, own in of.items():
            if name == reference or reference not in of:
                continue
            both = pd.concat({"own": own, "reference": of[reference]}, axis=1, join="inner")
            found = paired_test(both["own"].to_numpy(), both["reference"].to_numpy())
            rows.append({**known, across: name, "reference": reference, **found.as_row()})
    if not rows:
        raise UserError(f"result.{entry.name}.compare: nothing stands beside {across}={reference}.")
    table = pd.DataFrame(rows)
    for column in ("p_t", "p_sign_flip", "p_wilcoxon"):
        table[f"{column}_holm"] = holm(table[column].to_numpy())
    return table


def least_pairs(tests: pd.DataFrame) -> tuple[int, int]:
    """Fewest and most pairs of the comparisons."""
    return int(tests["pairs"].min()), int(tests["pairs"].max())


def describe_tests(summary: Summary, labels: Mapping[str, str]) -> str:
    """The test in a sentence: what is compared, over which pairs, how it is corrected."""
    if summary.tests is None:
        return ""
    compare = summary.entry.node["compare"]
    pair = " and ".join(as_list(compare.get("pair")) or summary.entry.over)
    reference = labels.get(value_text(compare["reference"]), value_text(compare["reference"]))
    low, high = least_pairs(summary.tests)
    pairs = f"{low} pairs" if low == high else f"{low} to {high} pairs"
    if high < LEAST_PAIRS:
        return f"Compared with {reference} pair by pair ({pairs} by {pair}): too few for a test."
    return (
        f"Against {reference}: paired t-test, sign-flip permutation and Wilcoxon test over {pairs} by {pair}; "
        f"p-values after Holm over {len(summary.tests)} comparison{'s' * (len(summary.tests) > 1)}."
    )
