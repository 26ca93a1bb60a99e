"""Error bars of a measurement from several solutions per image, calibrated on cells that are not reported on."""

import logging
from collections.abc import Sequence

import pandas as pd

from micrographia.plots.measurements import interval_figure
from micrographia.runs.run import Metrics, Run
from micrographia.scores.solution_intervals import calibrate, coverage, uncalibrated
from micrographia.tasks.assay_report import REFERENCE

log = logging.getLogger(__name__)


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
    """Share of the references that the intervals cover, calibrated and at face value: ``assay/coverage/<method>``."""
    metrics: Metrics = {}
    for method, rows in table.groupby("method", sort=False):
        face = rows[["low_face_value", "high_face_value"]].set_axis(["low", "high"], axis=1)
        metrics[f"assay/coverage/{method}"] = coverage(rows["reference"], rows)
        metrics[f"assay/coverage_face_value/{method}"] = coverage(rows["reference"], face)
    return metrics
