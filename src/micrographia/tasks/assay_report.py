"""What super-resolved images measure, beside the images themselves and the truth."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.inversion.solutions import Solutions
from micrographia.measure.assays.assay import CellAssay
from micrographia.runs.run import Metrics
from micrographia.scores.assay_quality import agreement, assay_quality, transfer_accuracy
from micrographia.scores.wells import Comparison
from micrographia.tasks.meaning import spread
from micrographia.tasks.subjects import Subjects, as_text, known_of

log = logging.getLogger(__name__)

REFERENCE = "hr"
"""The images themselves, among the methods."""
CALIBRATION = 1000  # training images that background, illumination and the support vector machine are taken from


def calibrated(assay: CellAssay, data: IndexedImages, controls: Comparison | None) -> tuple[CellAssay, pd.DataFrame]:
    """A measurement with background and illumination of the training images, and what it measures on these."""
    indices = spread(data.indices("train"), CALIBRATION)
    images = torch.cat(list(data.chunks(indices)))
    assay = assay.calibrate(images)
    known = known_of(data, indices).drop(columns=[*assay.values, "nucleus_area_px"], errors="ignore")
    return assay, with_text(assay.table(images, known.index).join(known), controls)


def measurements(
    assay: CellAssay, recovered: Mapping[str, Solutions], subjects: Subjects, controls: Comparison | None
) -> pd.DataFrame:
    """One row per image, method and solution: what was measured, what is known (truth as ``true_...``), and a flag."""
    known = subjects.known.rename(columns={name: f"true_{name}" for name in (*assay.values, "nucleus_area_px")})
    tables = []
    if subjects.high is not None:
        reference = assay.table(subjects.high, known.index).rename_axis("item").reset_index()
        tables.append(reference.assign(method=REFERENCE, solution=0))
    for name, solutions in recovered.items():
        images = solutions.images.flatten(0, 1).clamp(0, 1)
        found = assay.table(images, solutions.table["key"].tolist()).rename_axis("item").reset_index()
        searched = solutions.table[["solution", "lr_residual", "log_p"]]
        flags = joined(solutions.table["flag"], found["flag"])
        tables.append(pd.concat([found.assign(method=name, flag=flags), searched], axis=1))
    return with_text(pd.concat(tables, ignore_index=True).join(known, on="item"), controls)


def with_text(table: pd.DataFrame, controls: Comparison | None) -> pd.DataFrame:
    """A table whose conditions are text, as the config names them."""
    if controls is None:
        return table
    return table.assign(**{controls.condition: table[controls.condition].map(as_text)})


def with_replicates(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """A table in which all rows are of one condition or well, where it does not tell: then there are no intervals."""
    return table.assign(**{name: "all" for name in (comparison.condition, comparison.well) if name not in table})


def joined(first: pd.Series, second: pd.Series) -> list[str]:
    """Two columns of flags as one."""
    return ["; ".join(flag for flag in flags if flag) for flags in zip(first, second, strict=True)]


def measured_rows(table: pd.DataFrame, value: str, trusted: bool = True) -> pd.DataFrame:
    """Rows of first solutions that were measured, each beside what the image itself measured (``hr_<value>``).

    Parameters
    ----------
    trusted
        Only rows without any flag; otherwise also those whose image is flagged, but not those without a measurement.
    """
    first = table[table["solution"] == 0]
    rows = first[first["flag"] == ""] if trusted else first[first[value].notna()]
    reference = rows[rows["method"] == REFERENCE].set_index("item")[value]
    return rows.assign(**{f"hr_{value}": rows["item"].map(reference)})


def quality(
    trusted: pd.DataFrame,
    training: pd.DataFrame | None,
    values: Sequence[str],
    comparison: Comparison | None,
    seed: int,
) -> pd.DataFrame:
    """Every score of the assay by method, with its interval over wells.

    Parameters
    ----------
    trusted
        Rows of `measured_rows`.
    training
        Measurements of training images, by which the support vector machine learns; None: there is none.
    values
        Measured columns, the principal one first.
    comparison
        The controls; None where there are none, then there is agreement only.

    Returns
    -------
    DataFrame with columns ``method``, ``score`` (``z_prime``, ``ssmd``, ``auc``; ``svm``, the balanced accuracy of the
    machine; ``correlation`` and ``mae_hr`` with the image's own measurement; ``mae`` and ``bias`` against the truth),
    ``value``, ``low``, ``high`` and counts.
    """
    principal = values[0]
    trusted = with_replicates(trusted, comparison or Comparison())
    training = None if training is None else with_replicates(training, comparison or Comparison())
    tables = []
    for method, rows in trusted.groupby("method", sort=False):
        parts = []
        if comparison is not None:
            if missing := unmeasured(rows, comparison):
                log.info("%s: no cell of the control %s could be measured: no quality", method, missing)
            else:
                parts.append(assay_quality(rows, principal, comparison, seed=seed))
                known = None if training is None else training[training["flag"] == ""]
                if known is not None and not unmeasured(known, comparison):
                    machine = transfer_accuracy(known, rows, values, comparison, seed=seed)
                    parts.append(machine.loc[["balanced_accuracy"]].rename(index={"balanced_accuracy": "svm"}))
        if method != REFERENCE and rows[f"hr_{principal}"].notna().sum() > 1:
            names = {"pearson": "correlation", "mae": "mae_hr"}
            found = agreement(rows, principal, f"hr_{principal}", comparison, seed=seed)
            parts.append(found.loc[list(names)].rename(index=names))
        if f"true_{principal}" in rows and len(rows) > 1:
            parts.append(agreement(rows, principal, f"true_{principal}", comparison, seed=seed).loc[["mae", "bias"]])
        if parts:
            tables.append(pd.concat(parts).rename_axis("score").reset_index().assign(method=method))
    columns = ["method", "score", "value", "low", "high"]
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)
    return table[[*columns, *(name for name in table if name not in columns)]]


def unmeasured(rows: pd.DataFrame, comparison: Comparison) -> str | None:
    """The control of which no row is left, if there is one."""
    found = set(rows[comparison.condition])
    return next((str(value) for value in (comparison.negative, comparison.positive) if value not in found), None)


def assay_metrics(table: pd.DataFrame, prefix: str = "assay") -> Metrics:
    """Scores as flat metrics, ``<prefix>/<score>/<method>``."""
    return {
        f"{prefix}/{row['score']}/{row['method']}": float(row["value"])
        for row in table.to_dict("records")
        if pd.notna(row["value"])
    }
