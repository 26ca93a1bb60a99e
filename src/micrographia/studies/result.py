"""A study's result: each table and figure as CSV, Markdown, LaTeX, PNG and PDF, and all of them on one page."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from micrographia.errors import UserError
from micrographia.plots.study import dots_figure, sheet_figure, study_figure
from micrographia.runs.writing import remove_partial_files, write_atomically, write_figure
from micrographia.studies.captions import caption, describe_best, missing
from micrographia.studies.collecting import collected
from micrographia.studies.expansion import StudyJob
from micrographia.studies.gathering import gather
from micrographia.studies.specification import Budget, Entry, Study
from micrographia.studies.state import write_text, writing
from micrographia.studies.summary import Summary, summarise
from micrographia.studies.tabulating import constant, heading, label, latex, markdown, tests_table, wide_csv, wide_table

DPI = 200
PAGE = "README.md"


def write_result(study: Study, budget: Budget, jobs: Sequence[StudyJob], folder: Path, command: str) -> list[Path]:
    """Build every table and figure from the jobs that are done.

    An entry that cannot be built, as of a metric that no run has, leaves the others alone.

    Returns
    -------
    The page that shows all of them; empty where no job is done.

    Raises
    ------
    UserError
        If an entry could not be built, when the others are written.
    """
    done = [job for job in jobs if job.run]
    if not done:
        return []
    sections, mistakes = [], []
    with writing(folder):
        remove_partial_files(folder)
        for entry in study.result:
            try:
                sections.append(write_entry(study, budget, jobs, done, entry, folder))
            except UserError as error:
                mistakes.append(str(error))
        page = [f"# {study.question}", "", f"{study.source}. `{command}`", "", missing(jobs), "", *sections]
        write_text(folder / PAGE, "\n".join(page))
    if mistakes:
        raise UserError(f"{study.file}: " + "\n".join(mistakes))
    return [folder / PAGE]


def write_entry(
    study: Study, budget: Budget, jobs: Sequence[StudyJob], done: Sequence[StudyJob], entry: Entry, folder: Path
) -> str:
    """Write one table or figure, and return its section of the page."""
    name = entry.name
    if "collect" in entry.node:
        pictures = collected(entry, done, study.labels)
        save_figure(folder / name, sheet_figure(pictures))
        text = " ".join([study.question, entry.node.get("caption", ""), missing(jobs)]).strip()
        return f"## {label(name, study.labels)}\n\n![{name}]({name}.png)\n\n{text}\n"
    summary = summarise(entry, gather(entry, done), study)
    wide = wide_table(summary, study.labels)
    below = " ".join([caption(study, budget, jobs, summary), describe_best(summary, wide, study.labels)]).strip()
    write_csv(folder / f"{name}_long.csv", summary.values)
    write_csv(folder / f"{name}.csv", wide_csv(summary))
    shown = markdown(wide, below)
    write_text(folder / f"{name}.md", shown)
    write_text(folder / f"{name}.tex", latex(wide, below, name))
    tests = ""
    if summary.tests is not None:
        write_csv(folder / f"{name}_tests.csv", summary.tests)
        tests = tests_table(summary.tests, study.labels, "")
        write_text(folder / f"{name}_tests.md", tests)
    save_figure(folder / name, draw(summary, study))
    return f"## {label(name, study.labels)}\n\n{shown}\n{tests}\n![{name}]({name}.png)\n"


def draw(summary: Summary, study: Study) -> Figure:
    """The figure of an entry; of a table, a dot per value, and mean and standard deviation by row and column."""
    entry, share = summary.entry, summary.entry.node.get("share", False)
    apart = [*entry.columns, *entry.named("hue")]
    values = named(summary.values, [*entry.rows, *entry.columns], apart, study)
    if entry.is_table:
        fixed = constant(summary)
        telling = [key for key in entry.columns if key not in fixed]
        rows = joined(values, [key for key in entry.rows if key not in fixed])
        columns = joined(values, telling) if telling else pd.Series(label(entry.name, study.labels), values.index)
        table = pd.DataFrame({"row": rows, "column": columns, "value": values["value"]})
        across = {"across": values[telling[-1]].nunique()} if len(telling) > 1 else {}
        return dots_figure(table, share, **across)
    node = entry.node
    values = values.rename(columns={node["x"]: "x", node.get("hue"): "hue", node.get("panels"): "panel"})
    return study_figure(
        values,
        node.get("kind", "points"),
        label(node["x"], study.labels),
        node.get("label", ""),
        node.get("share", False),
    )


def named(values: pd.DataFrame, keys: Sequence[str], apart: Sequence[str], study: Study) -> pd.DataFrame:
    """Values whose keys are shown by their labels, in the same order.

    Parameters
    ----------
    apart
        Keys whose name does not stand beside their values.
    """
    for key in dict.fromkeys(keys):
        names = {
            value: heading(key, value, study.labels) if key in apart else label(value, study.labels)
            for value in values[key].cat.categories
        }
        values = values.assign(**{key: values[key].cat.rename_categories(names)})
    return values


def joined(values: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """Several keys as one, in the order of all."""
    places = values[list(keys)].drop_duplicates().sort_values(list(keys), kind="stable")
    order = [", ".join(map(str, place)) for place in places.itertuples(index=False, name=None)]
    texts = values[list(keys)].astype(str).agg(", ".join, axis=1)
    return pd.Series(pd.Categorical(texts, list(dict.fromkeys(order)), ordered=True), values.index)


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG and PDF."""
    for suffix in (".png", ".pdf"):
        write_figure(path.with_suffix(suffix), figure, dpi=DPI, bbox_inches="tight")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV."""
    write_atomically(path, lambda part: table.to_csv(part, index=False))
