"""A summary as a table: wide CSV, Markdown, and LaTeX with booktabs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import pandas as pd

from micrographia.reporting.metrics import decimals
from micrographia.studies.gathering import NOWHERE
from micrographia.studies.marking import Place, best_places
from micrographia.studies.summary import Summary, is_number
from micrographia.wording import METHODS, PROBES

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "×": r"$\times$",
    "—": "---",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


@dataclass(frozen=True)
class Wide:
    """A table as it is read.

    Parameters
    ----------
    row_titles
        Headings of the columns that name a row.
    rows
        Names of each row, one for each of these.
    columns
        Names of each column of values: one for each of the entry's column keys that tells them from each other.
    texts
        Of each cell, by row and column.
    best
        Whether a cell is the best of its column.
    """

    row_titles: list[str]
    rows: list[tuple[str, ...]]
    columns: list[tuple[str, ...]]
    texts: list[list[str]]
    best: list[list[bool]]


def wide_csv(summary: Summary) -> pd.DataFrame:
    """Numbers of a summary: a row for each of its rows; per column its mean, sd and n."""
    entry, cells = summary.entry, summary.cells
    rows = list(dict.fromkeys(entry.rows))
    names = [" ".join(map(str, place)) for place in places(cells, entry.columns)]
    frames = []
    for name, place in zip(names, places(cells, entry.columns), strict=True):
        own = at(cells, entry.columns, place).set_index(rows)[["mean", "sd", "n"]]
        frames.append(own.add_prefix(f"{name} " if name else ""))
    index = pd.MultiIndex.from_tuples(places(cells, rows), names=rows) if len(rows) > 1 else None
    wide = pd.concat(frames, axis=1)
    wide = wide.reindex(index if index is not None else [place[0] for place in places(cells, rows)])
    return wide.rename_axis(rows).reset_index()


def wide_table(summary: Summary, labels: Mapping[str, str]) -> Wide:
    """A summary as texts, mean ± sd, in the order of its cells."""
    entry, cells = summary.entry, summary.cells
    rows, columns = places(cells, entry.rows), places(cells, entry.columns)
    common = int(cells["n"].mode().iloc[0])
    texts = [[""] * len(columns) for _ in rows]
    means: dict[Place, float] = {}
    digits: dict[Place, int] = {}
    for position, column in enumerate(columns):
        own = at(cells, entry.columns, column)
        shown = entry.node.get("digits", decimals(own["mean"].tolist()))
        for place, row in enumerate(rows):
            cell = at(own, entry.rows, row)
            texts[place][position] = cell_text(cell, shown, common)
            if len(cell):
                means[row, column], digits[row, column] = float(cell["mean"].iloc[0]), shown
    marked = best_places(entry, means, digits)
    best = [[(row, column) in marked for column in columns] for row in rows]
    fixed = constant(summary)
    named = [place for place, key in enumerate(entry.rows) if key not in fixed]
    named_rows = [tuple(label(row[place], labels) for place in named) for row in rows]
    titles = [label(entry.rows[place], labels) for place in named]
    return Wide(titles, named_rows, headings(summary, columns, labels), texts, best)


def headings(summary: Summary, columns: Sequence[tuple[str, ...]], labels: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Names of each column of values, without the keys that are the same in all of them."""
    entry = summary.entry
    telling = [place for place in range(len(entry.columns)) if len({column[place] for column in columns}) > 1]
    if not telling:
        return [(entry.node.get("label") or label(entry.name, labels),)]
    return [tuple(heading(entry.columns[place], column[place], labels) for place in telling) for column in columns]


def constant(summary: Summary) -> dict[str, str]:
    """Keys that are the same in all cells, with their value: they stand in the caption; a first row key stays."""
    cells, entry = summary.cells, summary.entry
    rows = [key for key in entry.rows if cells[key].nunique() > 1]
    kept = rows or entry.rows[:1]
    keys = [key for key in (*entry.rows, *entry.columns) if key not in kept]
    return {key: str(cells[key].iloc[0]) for key in keys if cells[key].nunique() == 1}


def heading(key: str, value: str, labels: Mapping[str, str]) -> str:
    """A value where its key does not stand beside it: a number's key is named.

    Examples
    --------
    >>> heading("degradation.steps.reduce.factor", "8", {}), heading("method", "rls", {"rls": "RLS"})
    ('factor 8', 'RLS')
    """
    return f"{label(key, labels)} {value}" if is_number(value) and value not in labels else label(value, labels)


def places(cells: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Values of keys that occur together, in the order of each key's categories; one empty place without keys."""
    if not keys:
        return [()]
    found = cells[list(keys)].drop_duplicates().sort_values(list(keys), kind="stable")
    return [tuple(map(str, place)) for place in found.itertuples(index=False, name=None)]


def at(cells: pd.DataFrame, keys: Sequence[str], place: Sequence[str]) -> pd.DataFrame:
    """Cells in which keys have certain values."""
    for key, value in zip(keys, place, strict=True):
        cells = cells[cells[key].astype(str) == value]
    return cells


def cell_text(cell: pd.DataFrame, digits: int, common: int) -> str:
    """Mean ± sd of a cell, with its n where that is not the table's."""
    if cell.empty:
        return NOWHERE
    found = cell.iloc[0]
    text = f"{found['mean']:.{digits}f}".replace("-", "\N{MINUS SIGN}")
    text += "" if math.isnan(found["sd"]) else f" ± {found['sd']:.{digits}f}"
    return text if found["n"] == common else f"{text} (n = {found['n']})"


def label(value: str, labels: Mapping[str, str]) -> str:
    """What stands for a value or a key in a table: its label, else itself with spaces, of a key its end.

    Methods and probes without a label are called what they are called everywhere.

    Examples
    --------
    >>> label("no_pw", {"no_pw": "without p(w)"}), label("balanced_accuracy", {}), label("source.model.beta", {})
    ('without p(w)', 'balanced accuracy', 'beta')
    """
    if known := labels.get(value) or METHODS.get(value) or PROBES.get(value):
        return known
    end = value if is_number(value) or value.startswith(".") else value.rpartition(".")[2]
    return (end or value).replace("_", " ")


def markdown(wide: Wide, caption: str) -> str:
    """A table in Markdown, the best of each column in bold, its caption below."""
    heads = [*wide.row_titles, *(", ".join(column) for column in wide.columns)]
    lines = [heads, ["---"] * len(wide.row_titles) + ["---:"] * len(wide.columns)]
    for names, texts, best in zip(wide.rows, wide.texts, wide.best, strict=True):
        cells = [f"**{text}**" if top else text for text, top in zip(texts, best, strict=True)]
        lines.append([*names, *cells])
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*rows, "", caption, ""])


def latex(wide: Wide, caption: str, name: str) -> str:
    """A table in LaTeX, for the packages booktabs; several keys of columns stand above each other."""
    count = len(wide.row_titles)
    depth = len(wide.columns[0])
    lines = []
    for level in range(depth):
        last = level == depth - 1
        cells = [escaped(title) if last else "" for title in wide.row_titles]
        rules = []
        if last:
            cells += [escaped(column[level]) for column in wide.columns]
        else:
            start = count + 1
            for _, group in groupby(wide.columns, key=itemgetter(slice(level + 1))):
                own = list(group)
                cells.append(rf"\multicolumn{{{len(own)}}}{{c}}{{{escaped(own[0][level])}}}")
                rules.append(rf"\cmidrule(lr){{{start}-{start + len(own) - 1}}}")
                start += len(own)
        lines.append(" & ".join(cells) + r" \\" + (f" {' '.join(rules)}" if rules else ""))
    body = []
    for names, texts, best in zip(wide.rows, wide.texts, wide.best, strict=True):
        shown = [
            rf"\textbf{{{escaped(text)}}}" if top else escaped(text) for text, top in zip(texts, best, strict=True)
        ]
        body.append(" & ".join([*map(escaped, names), *shown]) + r" \\")
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escaped(caption)}}}",
            rf"  \label{{tab:{name}}}",
            rf"  \begin{{tabular}}{{{'l' * count}{'r' * len(wide.columns)}}}",
            r"    \toprule",
            *(f"    {line}" for line in lines),
            r"    \midrule",
            *(f"    {line}" for line in body),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    r"""A text with LaTeX's own signs as letters.

    Examples
    --------
    >>> print(escaped("50 % of z_7 ± 1"))
    50 \% of z\_7 $\pm$ 1
    """
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def tests_table(tests: pd.DataFrame, labels: Mapping[str, str], caption: str) -> str:
    """Comparisons in Markdown, p-values in three decimals."""
    shown = tests.copy()
    for column in shown:
        shown[column] = [
            test_text(str(column), value) if isinstance(value, float) else label(str(value), labels)
            for value in shown[column].astype(object)
        ]
    heads = [label(str(column), labels) for column in shown]
    lines = [heads, ["---"] * len(heads), *shown.itertuples(index=False, name=None)]
    return "\n".join([*("| " + " | ".join(map(str, line)) + " |" for line in lines), "", caption, ""])


def test_text(column: str, value: float) -> str:
    """A number of a comparison."""
    if math.isnan(value):
        return NOWHERE
    if column.startswith("p_"):
        return "< .001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
