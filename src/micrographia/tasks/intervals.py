"""Several solutions per image: how they look, and error bars, calibrated on cells that are not reported on."""

import logging
import math
from collections.abc import Sequence

import pandas as pd
import torch

from micrographia.data.datamodule import spread
from micrographia.inversion.solutions import Solutions
from micrographia.plots.measurements import interval_figure
from micrographia.plots.recovery import solutions_figure
from micrographia.runs.run import Metrics, Run
from micrographia.scores.solution_intervals import calibrate, coverage, uncalibrated
from micrographia.tasks.assay_report import REFERENCE
from micrographia.tasks.subjects import Subjects

log = logging.getLogger(__name__)

ROWS, COLUMNS = 4, 8  # images on the sheet of solutions, and solutions of each


def draw_solutions(
    method: str, solutions: Solutions, subjects: Subjects, table: pd.DataFrame | None, value: str, run: Run
) -> None:
    """Draw several solutions of some images beside each other, each under what it measures.

    Parameters
    ----------
    table
        Of `measurements`; None where nothing was measured.
    value
        The measured column.
    """
    rows = spread(torch.arange(len(subjects.keys)), ROWS)
    count = min(solutions.images.shape[1], COLUMNS)
    names = {str(number + 1): number for number in range(count)}
    columns = {"low resolution": subjects.low[rows]}
    columns |= {name: solutions.images[rows, number] for name, number in names.items()}
    if subjects.high is not None:
        columns["high resolution"] = subjects.high[rows]
    keys = subjects.keys[rows].tolist()
    titles = [str(key) for key in keys]
    if table is None:
        run.save_figure(f"solutions_{method}", solutions_figure(columns, titles, {}, {}))
        return
    by_image = table.set_index(["method", "solution", "item"])
    places = {name: [(method, number, key) for key in keys] for name, number in names.items()}
    if subjects.high is not None:
        places["high resolution"] = [(REFERENCE, 0, key) for key in keys]
    found = {name: by_image.loc[own] for name, own in places.items()}
    labels = {name: [shown(number) for number in own[value]] for name, own in found.items()}
    doubted = {name: (own["flag"] != "").tolist() for name, own in found.items()}
    axis = f"{value.replace('_', ' ')} above each image; grey where it is flagged"
    run.save_figure(f"solutions_{method}", solutions_figure(columns, titles, labels, doubted, axis))


def shown(number: float) -> str:
    """A measurement in three digits; a dash where there is none.

    Examples
    --------
    >>> shown(0.43), shown(123.4), shown(math.nan)
    ('0.430', '123', '–')
    """
    return f"{number:#.3g}".rstrip(".") if math.isfinite(number) else "–"


def error_bars(
    reported: pd.DataFrame, calibration: pd.DataFrame, methods: Sequence[str], value: str, nominal: float, run: Run
) -> Metrics:
    """Table and figure of the intervals of every method that has several solutions, and how often they cover.

    A method of which too few cells could be measured has none, and that is said.
    """
    tables = []
    for method in methods:
        try:
            tables.append(intervals_of(reported, calibration, method, value, nominal))
        except ValueError as error:
            log.info("%s: no intervals, since %s; intervals.images asks for more", method, error)
    if not tables:
        return {}
    table = run.save_table("intervals", pd.concat(tables, ignore_index=True))
    run.save_figure(
        "intervals", interval_figure(table, value, "true" if f"true_{value}" in reported else "high-resolution")
    )
    return interval_metrics(table)


def reference_column(table: pd.DataFrame, value: str) -> str:
    """The column of `measurements` that a measurement should meet: the truth, else what the image itself measures."""
    return f"true_{value}" if f"true_{value}" in table else f"hr_{value}"


def solution_table(table: pd.DataFrame, method: str, value: str) -> tuple[pd.Series, pd.DataFrame]:
    """Reference and measured solutions of a method's cells: ``(n,)`` and ``(n, K)``, by item; NaN what is flagged."""
    hr = table[table["method"] == REFERENCE].set_index("item")[value]
    rows = table[table["method"] == method]
    rows = rows.assign(**{f"hr_{value}": rows["item"].map(hr), value: rows[value].where(rows["flag"] == "")})
    solutions = rows.pivot(index="item", columns="solution", values=value)
    reference = rows.groupby("item", sort=False)[reference_column(table, value)].first()
    return reference.reindex(solutions.index), solutions


def intervals_of(
    reported: pd.DataFrame, calibration: pd.DataFrame, method: str, value: str, nominal: float
) -> pd.DataFrame:
    """The interval of each reported cell: ``median``, ``low``, ``high``, at face value too, and the ``reference``.

    Parameters
    ----------
    reported, calibration
        Tables of `measurements`: of the cells to report on, and of others whose reference is known.
    nominal
        Share of cells that the intervals should cover, in 0..1.

    Raises
    ------
    ValueError
        If too few of the calibration cells could be measured.
    """
    rule = calibrate(*solution_table(calibration, method, value), nominal)
    reference, solutions = solution_table(reported, method, value)
    calibrated, face = rule(solutions), uncalibrated(nominal)(solutions)
    found = calibrated.assign(low_face_value=face["low"], high_face_value=face["high"], factor=rule.factor)
    return found.assign(method=method, item=solutions.index.to_numpy(), nominal=nominal, reference=reference.to_numpy())


def interval_metrics(table: pd.DataFrame) -> Metrics:
    """Share of the references that the intervals cover, and how wide these are, calibrated and at face value.

    Returns
    -------
    ``assay/coverage/<method>`` and ``assay/interval_width/<method>``, the mean width in the measurement's units; the
    same of the intervals at face value as ``..._face_value/...``. None where no cell has an interval.
    """
    metrics: Metrics = {}
    for method, rows in table.groupby("method", sort=False):
        face = rows[["low_face_value", "high_face_value"]].set_axis(["low", "high"], axis=1)
        for kind, bounds in {"": rows, "_face_value": face}.items():
            metrics[f"assay/coverage{kind}/{method}"] = coverage(rows["reference"], bounds)
            metrics[f"assay/interval_width{kind}/{method}"] = float((bounds["high"] - bounds["low"]).mean())
    return {name: number for name, number in metrics.items() if math.isfinite(number)}
