"""What super-resolved images measure, beside the images themselves and the truth."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.errors import UserError
from micrographia.interpretation.controls import with_text
from micrographia.inversion.checks import NAN
from micrographia.inversion.solutions import Solutions
from micrographia.measure.assays.assay import CellAssay
from micrographia.runs.run import Metrics, Run
from micrographia.runs.writing import write_atomically
from micrographia.scores.assay_quality import agreement, assay_quality, transfer_accuracy
from micrographia.scores.wells import Comparison
from micrographia.tasks.subjects import Subjects, known_of

log = logging.getLogger(__name__)

REFERENCE = "hr"
"""The images themselves, among the methods."""
RESAMPLES, FEWER_RESAMPLES = 1000, 200  # of wells, for the principal value and for the others
CALIBRATED = "assay.safetensors"
CALIBRATION = 1000  # training images that background, illumination and the support vector machine are taken from


def calibrated(assay: CellAssay, data: IndexedImages, controls: Comparison | None) -> tuple[CellAssay, pd.DataFrame]:
    """A measurement with background and illumination of the training images, and what it measures on these."""
    indices = spread(data.indices("train"), CALIBRATION)
    images = torch.cat(list(data.chunks(indices)))
    assay = assay.calibrate(images)
    known = known_of(data, indices).drop(columns=[*assay.values, "nucleus_area_px"], errors="ignore")
    return assay, with_text(assay.table(images, known.index).join(known), controls)


def keep_calibration(assay: CellAssay, run: Run) -> None:
    """Keep a measurement's background and illumination in the run, for images that come later."""
    content = save({name: np.asarray(value) for name, value in assay.calibration.items()})
    write_atomically(run.folder / CALIBRATED, lambda part: part.write_bytes(content))


def kept_calibration(assay: CellAssay, run: Run) -> CellAssay:
    """A measurement with the background and the illumination that a run keeps.

    Raises
    ------
    UserError
        If it keeps none.
    """
    file = run.folder / CALIBRATED
    if not file.exists():
        raise UserError(
            f"run={run.folder}: made by an earlier version, which did not keep how its measurement was calibrated. "
            "Make it anew: its command with how.rerun=true. Or measure nothing: measure=false."
        )
    try:
        return assay.calibrated_by(load(file.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{file}: cannot be read ({error}). Make the run anew: its command with how.rerun=true."
        ) from error


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
        images, keys = solutions.images.flatten(0, 1).clamp(0, 1), solutions.table["key"]
        whole = images.flatten(1).isfinite().all(1).numpy()  # of what could not be searched there is only its flag
        found = assay.table(images[whole], keys.index[whole]).reindex(keys.index)
        unexplained = (solutions.table["flag"] == "").map({True: NAN, False: ""})
        found = found.assign(item=keys, flag=found["flag"].where(whole, unexplained))
        searched = solutions.table[["solution", "lr_residual", "log_p"]]
        flags = joined(solutions.table["flag"], found["flag"])
        tables.append(pd.concat([found.assign(method=name, flag=flags), searched], axis=1))
    return with_text(pd.concat(tables, ignore_index=True).join(known, on="item"), controls)


def with_replicates(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """A table in which all rows are of one condition or well, where it does not tell: then there are no intervals."""
    return table.assign(**{name: "all" for name in (comparison.condition, comparison.well) if name not in table})


def joined(first: pd.Series, second: pd.Series) -> list[str]:
    """Two columns of flags as one, each flag once."""
    both = zip(first, second, strict=True)
    return ["; ".join(dict.fromkeys(word for flags in pair if flags for word in flags.split("; "))) for pair in both]


def measured_rows(table: pd.DataFrame, values: Sequence[str], trusted: bool = True) -> pd.DataFrame:
    """Rows of first solutions that were measured, each beside what the image itself measured (``hr_<value>``).

    Parameters
    ----------
    values
        Measured columns, the principal one first.
    trusted
        Only rows without any flag; otherwise also those whose image is flagged, but not those without a measurement.
    """
    first = table[table["solution"] == 0]
    rows = first[first["flag"] == ""] if trusted else first[first[values[0]].notna()]
    reference = rows[rows["method"] == REFERENCE].set_index("item")
    return rows.assign(**{f"hr_{value}": rows["item"].map(reference[value]) for value in values})


def quality(
    rows: pd.DataFrame,
    training: pd.DataFrame | None,
    values: Sequence[str],
    comparison: Comparison | None,
    seed: int,
) -> pd.DataFrame:
    """Every score of the assay by method, with its interval over wells.

    Parameters
    ----------
    rows
        Of `measured_rows`.
    training
        Measurements of training images, by which the support vector machine learns; None: there is none.
    values
        Measured columns, the principal one first.
    comparison
        The controls; None where there are none, then there is agreement only.

    Returns
    -------
    DataFrame with columns ``method``, ``score`` (see `separation`, `agreements` and `machines`; those of other values
    than the principal one end with the value's name), ``value``, ``low``, ``high`` and counts.
    """
    rows = with_replicates(rows, comparison or Comparison())
    known = None if training is None else with_replicates(training, comparison or Comparison())
    tables = []
    for method, own in rows.groupby("method", sort=False):
        parts = [] if comparison is None else machines(own, known, values, comparison, seed)
        for value in values:
            principal = value == values[0]
            given: dict[str, Any] = {"seed": seed, "resamples": RESAMPLES if principal else FEWER_RESAMPLES}
            found = agreements(own, value, comparison, method == REFERENCE, **given)
            if comparison is not None:
                found = [*separation(own, value, comparison, **given), *found]
            ending = "" if principal else f"_{value}"
            parts += [part.set_axis([f"{score}{ending}" for score in part.index]) for part in found]
        if parts:
            tables.append(pd.concat(parts).rename_axis("score").reset_index().assign(method=method))
    columns = ["method", "score", "value", "low", "high"]
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)
    return table[[*columns, *(name for name in table if name not in columns)]]


def report_unmeasured(table: pd.DataFrame, value: str, comparison: Comparison) -> None:
    """Say, once for each method, of which control nothing was measured, or nothing without a flag."""
    rows = with_replicates(table[table["solution"] == 0].dropna(subset=[value]), comparison)
    for method in dict.fromkeys(table["method"]):
        own = rows[rows["method"] == method]
        if missing := unmeasured(own, comparison):
            log.info("%s: no cell of the control %s could be measured: no quality", method, missing)
        elif missing := unmeasured(own[own["flag"] == ""], comparison):
            log.info("%s: all cells of the control %s have a flag: quality over all rows only", method, missing)


def separation(rows: pd.DataFrame, value: str, comparison: Comparison, **given: Any) -> list[pd.DataFrame]:
    """``z_prime``, ``ssmd`` and ``auc`` of the controls; nothing where one of them was not measured."""
    if unmeasured(rows.dropna(subset=[value]), comparison):
        return []
    return [assay_quality(rows, value, comparison, **given)]


def agreements(
    rows: pd.DataFrame, value: str, comparison: Comparison | None, is_reference: bool, **given: Any
) -> list[pd.DataFrame]:
    """``correlation`` and ``mae_hr`` with the images' own measurement, ``mae`` and ``bias`` against the truth."""
    names = {"pearson": "correlation", "mae": "mae_hr"}
    parts = []
    if not is_reference and len(rows.dropna(subset=[value, f"hr_{value}"])) > 1:
        found = agreement(rows, value, f"hr_{value}", comparison, **given)
        parts.append(found.loc[list(names)].rename(index=names))
    if f"true_{value}" in rows and len(rows.dropna(subset=[value, f"true_{value}"])) > 1:
        parts.append(agreement(rows, value, f"true_{value}", comparison, **given).loc[["mae", "bias"]])
    return parts


def machines(
    rows: pd.DataFrame, training: pd.DataFrame | None, values: Sequence[str], comparison: Comparison, seed: int
) -> list[pd.DataFrame]:
    """Balanced accuracy of support vector machines that learned on training images: by the principal value, by all."""
    if training is None:
        return []
    parts = []
    for name, columns in {"svm": [values[0]], "svm_all_values": list(values)}.items():
        complete = rows.dropna(subset=columns)
        known = training[training["flag"] == ""].dropna(subset=columns)
        if not (unmeasured(known, comparison) or unmeasured(complete, comparison)):
            found = transfer_accuracy(known, complete, columns, comparison, seed=seed)
            parts.append(found.loc[["balanced_accuracy"]].rename(index={"balanced_accuracy": name}))
    return parts


def unmeasured(rows: pd.DataFrame, comparison: Comparison) -> str | None:
    """The control of which no row is left, if there is one."""
    found = set(rows[comparison.condition])
    return next((str(value) for value in (comparison.negative, comparison.positive) if value not in found), None)


def assay_metrics(table: pd.DataFrame, prefix: str = "assay") -> Metrics:
    """Scores as flat metrics, ``<prefix>/<score>/<method>``.

    With the ``wells`` of the control that has fewer and, of three wells and more, the ``p_value`` of the controls'
    difference.
    """
    rows = table.to_dict("records")
    found = {
        f"{prefix}/{row['score']}/{row['method']}": float(row["value"]) for row in rows if math.isfinite(row["value"])
    }
    for row in rows:
        if row["score"] == "auc":
            found[f"{prefix}/wells/{row['method']}"] = float(min(row["wells_negative"], row["wells_positive"]))
            if pd.notna(row["p_value"]):
                found[f"{prefix}/p_value/{row['method']}"] = float(row["p_value"])
    return found
