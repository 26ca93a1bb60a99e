"""Data frames and Markdown tables as tables of a page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import compress

import pandas as pd

from micrographia import ranking
from micrographia.reporting.blocks import Cell, Column, Table
from micrographia.reporting.metrics import decimals, plain

MOST_ROWS = 200
PLAIN = re.compile(r"[-\u2212]?(?:\d[\d,]*)?\.?\d+(?:e[-+\u2212]?\d+)?")
ENDS = ("difference", "low", "high")  # columns of one unit
NUMBER = re.compile(rf"(?:< ?)?{PLAIN.pattern}(?: ± [\d.,]+)?(?: ?%)?")
# What the columns of a study's tests are called.
TITLES = {
    **{"sd": "± sd", "low": "95 % interval", "p t": "p, t-test", "p sign flip": "p, sign flip"},
    **{"p wilcoxon": "p, Wilcoxon", "p t holm": "Holm: p, t-test", "p sign flip holm": "Holm: p, sign flip"},
    **{"p wilcoxon holm": "Holm: p, Wilcoxon"},
}


def table_of(
    frame: pd.DataFrame,
    caption: str,
    note: str = "",
    best: Mapping[str, int] | None = None,
    rivals: pd.Series | None = None,
    titles: Mapping[str, str] | None = None,
    sortable: bool = False,
    folded: bool = False,
) -> Table:
    """A data frame as a table; of a long one the first rows, which the note tells.

    Parameters
    ----------
    best
        Columns whose best value is marked: 1 for the largest, -1 for the smallest.
    rivals
        Of each row, whether it may be the best; None where any may.
    titles
        Headings of columns where not their names.
    """
    shown = frame.head(MOST_ROWS)
    if len(frame) > len(shown):
        note = f"{note} The first {len(shown)} of {len(frame)} rows.".strip()
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) and frame[name].dtype != bool for name in frame]
    whole = {
        name for name, known in zip(frame, numeric, strict=True) if known and (frame[name].dropna() % 1 == 0).all()
    }
    kept = [True] * len(frame) if rivals is None else rivals.tolist()
    tops = {
        name: ranking.best(dict(compress(enumerate(frame[name]), kept)), sign, partial(plain, whole=name in whole))
        for name, sign in (best or {}).items()
        if name in frame
    }
    rows = [
        [
            Cell(plain(float(value), name in whole), order_of(float(value)), place in tops.get(str(name), ()))
            if is_number and not pd.isna(value)
            else Cell("" if is_missing(value) else str(value))
            for name, value, is_number in zip(shown, row, numeric, strict=True)
        ]
        for place, row in enumerate(shown.itertuples(index=False, name=None))
    ]
    names = {name: (titles or {}).get(str(name), str(name).replace("_", " ")) for name in frame}
    columns = [Column(names[name], bool(is_number)) for name, is_number in zip(frame, numeric, strict=True)]
    return Table(caption, columns, rows, note, sortable, folded=folded)


def order_of(value: float) -> float | None:
    """What a number is sorted by: itself, where JSON and HTML can hold it."""
    return value if abs(value) < float("inf") else None


def is_missing(value: object) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (isinstance(value, float) and value != value) or value is pd.NA or value is pd.NaT


def markdown_table(text: str, caption: str) -> Table | None:
    """The first pipe table of a Markdown text, its bold cells marked as the best; what stands below it is the note."""
    lines = text.splitlines()
    start = next((place for place, line in enumerate(lines[:-1]) if is_row(line) and is_rule(lines[place + 1])), None)
    if start is None:
        return None
    end = next((place for place in range(start + 2, len(lines)) if not is_row(lines[place])), len(lines))
    head, rule, *body = (cells(line) for line in lines[start:end])
    texts = [[unmarked(line[place]) for line in body if place < len(line)] for place in range(len(head))]
    columns = [
        Column(unmarked(title), bar.endswith(":") or are_numbers(own))
        for title, bar, own in zip(head, rule, texts, strict=True)
    ]
    rows = [[Cell(unmarked(cell), sort_key(unmarked(cell)), is_bold(cell)) for cell in row] for row in body]
    note = unmarked(" ".join(line.strip() for line in lines[end:] if line.strip()))
    return Table(caption, columns, rows, note, sortable=True)


def is_row(line: str) -> bool:
    """Whether a line is a row of a pipe table."""
    return line.lstrip().startswith("|")


def is_rule(line: str) -> bool:
    """Whether a line parts the head of a pipe table from its body."""
    return is_row(line) and set(line.strip()) <= set("|-: ")


def cells(line: str) -> list[str]:
    r"""Cells of a row of a pipe table.

    Examples
    --------
    >>> cells(r"| a | b \| c |")
    ['a', 'b | c']
    """
    parts = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [part.strip().replace("\\|", "|") for part in parts]


def is_bold(text: str) -> bool:
    """Whether a Markdown text is bold as a whole."""
    return len(text) > 4 and text.startswith("**") and text.endswith("**")


def unmarked(text: str) -> str:
    """A Markdown text without its marks of emphasis and code."""
    return re.sub(r"\*\*|`", "", text)


def sort_key(text: str) -> float | None:
    """The number that a cell begins with; None where it begins with none.

    Examples
    --------
    >>> sort_key("50.1 ± 2 %"), sort_key("\u22120.5"), sort_key("< .001"), sort_key("rls")
    (50.1, -0.5, 0.001, None)
    """
    found = re.match(r"\s*(?:<\s*)?([-\u2212+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)", text)
    return float(found[1].replace(",", "").replace("\N{MINUS SIGN}", "-")) if found else None


def are_numbers(texts: Sequence[str]) -> bool:
    """Whether the cells of a column are numbers, as 3 or < .001, of which some may be missing.

    Examples
    --------
    >>> are_numbers(["3", "< .001", "–"]), are_numbers(["3", "3 px"]), are_numbers(["–"])
    (True, False, False)
    """
    told = [text for text in texts if text not in ("", "–", "—")]
    return bool(told) and all(NUMBER.fullmatch(text) for text in told)


def tests_table(text: str, caption: str) -> Table | None:
    """The paired tests of a study, folded: in few digits, intervals in one column, what is always the same below."""
    table = markdown_table(text, caption)
    if table is None or not table.rows:
        return table
    titles = [column.title for column in table.columns]
    alike = [row[titles.index(title)] for row in table.rows for title in ENDS if title in titles]
    same, columns = [], {}
    for column, cells_ in zip(table.columns, zip(*table.rows, strict=True), strict=True):
        own = list(cells_)
        if column.title in (*ENDS, "sd"):  # p-values keep their three decimals
            own = rounded(cells_, alike if column.title in ENDS else cells_)
        is_known = column.title == "pairs" or not column.numeric
        if is_known and len(own) > 1 and len({cell.text for cell in own}) == 1:
            same.append(f"{column.title} {own[0].text}")
        else:
            columns[column.title] = own
    if "low" in columns and "high" in columns:
        ends = zip(columns["low"], columns.pop("high"), strict=True)
        columns["low"] = [replace(low, text=f"{low.text} to {high.text}") for low, high in ends]
    heads = [
        Column(TITLES.get(title, title), title == "low" or are_numbers([cell.text for cell in own]))
        for title, own in columns.items()
    ]
    note = f"The same in every row: {', '.join(same)}." if same else ""
    return Table(caption, heads, list(zip(*columns.values(), strict=True)), note, sortable=True, folded=True)


def rounded(column: Sequence[Cell], alike: Sequence[Cell]) -> list[Cell]:
    """Numbers of a column in as many decimals as show the largest of those alike in three digits; others stay."""
    values = [cell.order for cell in alike if PLAIN.fullmatch(cell.text) and isinstance(cell.order, float)]
    if not values or all(value % 1 == 0 for value in values):
        return list(column)
    digits = decimals(values)
    return [
        replace(cell, text=f"{cell.order:.{digits}f}".replace("-", "\N{MINUS SIGN}"))
        if PLAIN.fullmatch(cell.text) and isinstance(cell.order, float)
        else cell
        for cell in column
    ]


def grid(
    caption: str, corner: str, rows: Mapping[str, Mapping[str, Cell]], columns: Sequence[Column], note: str = ""
) -> Table:
    """A table with a heading for each row: cells by the titles of row and column, empty where there is none."""
    body = [[Cell(title), *(found.get(column.title, Cell("")) for column in columns)] for title, found in rows.items()]
    return Table(caption, [Column(corner), *columns], body, note, sortable=len(rows) > 3)
