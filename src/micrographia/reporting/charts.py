"""Tables of a run as charts: what is drawn, and in words what can be seen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from micrographia.plots.curves import PARTS, quantity_order
from micrographia.plots.importance import MEASURES, feature_order
from micrographia.plots.measurements import by_size
from micrographia.plots.style import phase_order
from micrographia.reporting.blocks import Chart, Variant
from micrographia.reporting.metrics import plain, wording
from micrographia.training.show import PHASES, PROBES, is_percentage

POINTS = 200  # of a curve at most
VALUES = 400  # of a box at most
BARS = 24  # latents at most
CELLS = 60  # rows and columns of a matrix at most


def curves_chart(curves: pd.DataFrame) -> Chart | None:
    """Every logged quantity over the images seen, a panel each; None without a finite value."""
    curves = curves[np.isfinite(curves["value"].astype(float))].sort_values("images", kind="stable")
    curves = curves[curves["name"].str.split("/").str[0].isin(list(PARTS))]
    if curves.empty:
        return None
    split = curves["name"].str.partition("/")
    curves = curves.assign(part=split[0], quantity=split[2])
    panels, told = [], []
    for quantity in quantity_order(curves["quantity"].unique().tolist()):
        lines = {}
        for part, (label, _) in PARTS.items():
            rows = thinned(curves[(curves["quantity"] == quantity) & (curves["part"] == part)])
            if len(rows):
                lines[label] = {"x": rows["images"].tolist(), "y": rounded(rows["value"])}
                ends = f"from {plain(rows['value'].iloc[0])} to {plain(rows['value'].iloc[-1])}"
                told.append(f"{label} {wording(quantity)} goes {ends}")
        values = curves.loc[curves["quantity"] == quantity, "value"]
        steep = bool(values.min() > 0 and values.max() > 10 * values.median())  # as the run's own figure draws it
        panels.append({"title": wording(quantity), "lines": lines, "log": steep})
    alt = f"Line charts over the images seen, up to {int(curves['images'].max()):,}: {'; '.join(told[:6])}."
    spec = {"type": "lines", "panels": panels, "x": "images seen"}
    return Chart("Learning curves", [Variant("", spec, alt)])


def confusion_chart(table: pd.DataFrame) -> Chart | None:
    """Confusion matrices on the test images: of each phase and probe, the last phase first."""
    test = table[table["part"] == "test"] if "part" in table else table
    keys = [key for key in ("phase", "probe") if key in test]
    labels = [key for key in test if key not in (*keys, "part")]
    if test.empty or not labels or len(test) > 100 * CELLS:
        return None
    variants = []
    for names, rows in test.groupby(keys, sort=False) if keys else [((), test)]:
        counts = rows.set_index(labels[0])[labels[1:]].astype(float)
        counts = counts.loc[:, counts.columns.isin(counts.index.astype(str))]
        if len(counts) > CELLS:
            continue
        known = dict(zip(keys, map(str, names), strict=True))
        words = [PROBES.get(known["probe"], known["probe"])] if "probe" in known else []
        words += [PHASES.get(known["phase"], known["phase"])] if "phase" in known else []
        variants.append((known.get("phase", ""), confusion_variant(", ".join(words), counts)))
    order = ["after", "before", "baseline"]
    variants.sort(key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))
    return Chart("Confusion", [variant for _, variant in variants]) if variants else None


def confusion_variant(label: str, counts: pd.DataFrame) -> Variant:
    """One confusion matrix, shaded by the share of the true class."""
    values = counts.to_numpy()
    totals = values.sum(1, keepdims=True)
    shares = np.divide(values, totals, out=np.zeros_like(values), where=totals > 0)
    rows, columns = [str(name) for name in counts.index], [str(name) for name in counts.columns]
    wrong = values * ~np.eye(*values.shape, dtype=bool)
    alt = f"Confusion matrix of {len(rows)} classes"
    alt += f" by {label}" if label else ""
    if values.sum():
        alt += f": {np.trace(values) / values.sum():.0%} of {int(values.sum())} test images lie on the diagonal"
    if wrong.any():
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        alt += f"; most often {rows[row]} is taken for {columns[column]} ({int(wrong[row, column])})"
    texts = [[f"{count:.4g}" for count in row] for row in values]
    return Variant(
        label, heat(rows, columns, shares, texts, "predicted class", "true class", "share of the true class"), f"{alt}."
    )


def matrix_chart(
    title: str, matrices: Mapping[str, pd.DataFrame], measure: str, across: str, note: str = "", whole: float = 1.0
) -> Chart | None:
    """Latents by something else, as a heat map: one view for each of several matrices, labelled by its key.

    Parameters
    ----------
    measure, across
        What the values are; what stands in the columns.
    whole
        Value that is shaded in full, unless a larger one is there; 0: the largest of each matrix, which its key tells.
    """
    variants = []
    for label, matrix in matrices.items():
        matrix = matrix.dropna(how="all").dropna(axis="columns", how="all").iloc[:CELLS, :CELLS]
        if matrix.empty:
            continue
        values = matrix.to_numpy(dtype=float)
        rows, columns = [str(name) for name in matrix.index], [str(name) for name in matrix.columns]
        sizes = np.nan_to_num(np.abs(values))
        strongest = sorted(np.ndindex(*sizes.shape), key=lambda place: -sizes[place])[:3]
        told = ", ".join(
            f"{rows[row]} with {columns[column]} ({plain(float(values[row, column]))})" for row, column in strongest
        )
        alt = f"Heat map of {len(rows)} latents by {len(columns)} {across}s, {measure}; strongest: {told}."
        digits = 2 if sizes.max() >= 0.1 else 3
        texts = [[in_digits(value, digits) for value in row] for row in values]
        shaded = measure if whole else f"{measure}, shaded up to the largest"
        spec = heat(rows, columns, values, texts, across, "latent", shaded, whole)
        variants.append(Variant(label, spec, alt))
    return Chart(title, variants, note) if variants else None


def in_digits(value: float, digits: int) -> str:
    """A value in so many decimals; what would be zeros alone is one.

    Examples
    --------
    >>> in_digits(-0.256, 2), in_digits(0.004, 2), in_digits(float("nan"), 2)
    ('\u22120.26', '0', '')
    """
    if np.isnan(value):
        return ""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return "0"
    return f"\N{MINUS SIGN}{text}" if value < 0 else text


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    texts: list[list[str]],
    x: str,
    y: str,
    measure: str,
    whole: float = 1.0,
) -> dict[str, Any]:
    """A matrix to draw: signed values diverge from 0, others rise from 0, to a whole or their largest."""
    finite = values[np.isfinite(values)]
    signed = bool(len(finite) and finite.min() < -1e-6)
    top = float(max(whole, np.abs(finite).max(initial=0.0))) or 1.0
    return {
        **{"type": "heat", "rows": list(rows), "columns": list(columns), "texts": texts},
        **{"values": [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in values]},
        **{"x": x, "y": y, "measure": measure, "domain": [-top, top] if signed else [0, top]},
    }


def importance_chart(table: pd.DataFrame) -> Chart | None:
    """Importance of each latent before and after fine-tuning: a view for each probe and kind."""
    table = table[table["phase"].isin(["before", "after"]) & np.isfinite(table["importance"].astype(float))]
    if table.empty:
        return None
    phases = phase_order(table["phase"].tolist())
    features = feature_order(table, phases[-1])
    order = list(MEASURES)
    places = sorted(
        dict.fromkeys(zip(table["kind"], table["probe"], strict=True)),
        key=lambda place: order.index(place[0]) if place[0] in order else len(order),
    )
    variants = []
    for kind, probe in places:
        rows = table[(table["kind"] == kind) & (table["probe"] == probe)]
        means = rows.groupby(["feature", "phase"])["importance"].mean()
        found = [name for name in features if name in set(rows["feature"])][:BARS]
        bars = [
            {"name": name, "phase": phase, "value": round(float(means[name, phase]), 5)}
            for name in found
            for phase in phases
            if (name, phase) in means.index
        ]
        measure = MEASURES.get(kind, kind).replace("\n", " ")
        last = means.xs(phases[-1], level="phase").nlargest(3) if phases[-1] in rows["phase"].tolist() else means[:0]
        leaders = ", ".join(f"{name} ({plain(value)})" for name, value in last.items())
        alt = f"Bars of {len(found)} latents, {measure}, {' and '.join(phases)} fine-tuning; largest: {leaders}."
        spec = {"type": "bars", "bars": bars, "names": found, "phases": phases, "x": measure}
        variants.append(Variant(f"{PROBES.get(probe, probe)}: {measure}", spec, alt))
    return Chart("Importance of latents", variants)


def boxes_chart(table: pd.DataFrame, values: Sequence[str], condition: str | None) -> Chart | None:
    """Measurements by method and condition, as boxes: a view for each measured column.

    Parameters
    ----------
    table
        A row per cell and method: ``method``, the measured columns and that of the condition.
    values
        Measured columns, the principal one first.
    condition
        Column of the conditions; None where all cells are of one.
    """
    methods = list(dict.fromkeys(table["method"]))
    variants = []
    for value in values:
        rows = table[np.isfinite(table[value].astype(float))]
        if rows.empty:
            continue
        groups = by_size(rows[condition].unique().tolist()) if condition else ["all"]
        boxes, told = [], []
        for method in methods:
            for group in groups:
                own = rows[rows["method"] == method]
                own = own if condition is None else own[own[condition] == group]
                if len(own):
                    kept = evenly(np.sort(own[value].to_numpy(float)), VALUES)
                    boxes.append(
                        {"method": wording(method), "group": str(group), "values": rounded(kept), "n": len(own)}
                    )
                    told.append(f"{wording(method)}, {group}: median {plain(float(own[value].median()))} of {len(own)}")
        spec = {
            "type": "boxes",
            "boxes": boxes,
            "groups": [str(group) for group in groups],
            "y": value.replace("_", " "),
        }
        alt = f"Box plots of {value.replace('_', ' ')} by method and condition. {'; '.join(told[:8])}."
        variants.append(Variant(value.replace("_", " "), spec, alt))
    return Chart("Measurements", variants) if variants else None


def groups_chart(table: pd.DataFrame, metrics: Mapping[str, str], title: str) -> Chart | None:
    """Groups of runs compared: mean and standard deviation of each metric, a view each.

    Parameters
    ----------
    table
        A row per group and metric: ``label``, ``metric``, ``mean``, ``sd``.
    metrics
        From metrics to their words.
    """
    variants = []
    for metric, words in metrics.items():
        rows = table[(table["metric"] == metric) & np.isfinite(table["mean"].astype(float))]
        if len(rows) < 2:
            continue
        scale = 100 if is_percentage(metric) else 1
        dots = [
            {
                "name": row["label"],
                "mean": scale * row["mean"],
                "sd": None if np.isnan(row["sd"]) else scale * row["sd"],
                "n": row["runs"],
            }
            for row in rows.to_dict("records")
        ]
        rows = rows.assign(mean=scale * rows["mean"])
        words += ", %" if scale > 1 else ""
        top = rows.sort_values("mean").iloc[-1]
        alt = f"{words}: {len(rows)} groups of runs, from {plain(rows['mean'].min())} to {plain(rows['mean'].max())}, "
        alt += f"the largest of {top['label']}."
        variants.append(Variant(words, {"type": "dots", "dots": dots, "x": words}, alt))
    return Chart(title, variants) if variants else None


def thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows evenly, the first and the last among them, not more than are drawn."""
    return rows if len(rows) <= POINTS else rows.iloc[np.linspace(0, len(rows) - 1, POINTS).round().astype(int)]


def evenly(ordered: np.ndarray, most: int) -> np.ndarray:
    """Sorted values, of very many evenly by rank: their quantiles stay."""
    return ordered if len(ordered) <= most else ordered[np.linspace(0, len(ordered) - 1, most).round().astype(int)]


def rounded(values: Any) -> list[float]:
    """Values in five significant digits, which is more than is seen."""
    return [float(f"{value:.5g}") for value in values]
