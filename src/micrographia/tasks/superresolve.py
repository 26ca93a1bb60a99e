"""``micrographia superresolve``: from low-resolution images to those behind them, and to what these measure."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages, spread
from micrographia.data.image_folder import ImageFolder
from micrographia.data.synthetic.assay import SimulatedAssay
from micrographia.degradations import Degradation
from micrographia.devices.crew import assembled
from micrographia.devices.obtaining import obtain_together
from micrographia.errors import UserError
from micrographia.inversion.method import Method
from micrographia.inversion.prediction import superresolve as solve
from micrographia.inversion.problem import Problem
from micrographia.inversion.solutions import Solutions
from micrographia.plots.measurements import dose_figure, measurement_figure
from micrographia.plots.recovery import HIGH, recovery_figure, recovery_page
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.scores.wells import Comparison
from micrographia.tasks.assay_report import (
    assay_metrics,
    calibrated,
    keep_calibration,
    measured_rows,
    measurements,
    quality,
    report_unmeasured,
)
from micrographia.tasks.assembly import load_flow, load_generator
from micrographia.tasks.fidelity import feature_network, fidelity
from micrographia.tasks.intervals import draw_solutions, error_bars
from micrographia.tasks.model_card import write_card
from micrographia.tasks.recovered_files import write_images
from micrographia.tasks.recovery_inputs import (
    as_seen,
    build_assay,
    build_method,
    checked_methods,
    generated,
    load_encoder,
    require_inputs,
    require_truth,
)
from micrographia.tasks.scaling import networks_alike
from micrographia.tasks.subjects import Subjects, are_low, chosen, degraded, find_subjects
from micrographia.training.fit import prepare_threads
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.progress import WorkProgress
from micrographia.training.show import recovery_table

log = logging.getLogger(__name__)

DRAWN = 8  # images on the sheet


def superresolve(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a super-resolution config: read back, resumed or made."""
    return write_card(obtain_together(what, how, recover, rerun))


def recover(what: What, how: How, run: Run) -> Metrics:
    """Degrade images, recover them by every method, score and measure what was recovered."""
    prepare_threads(how)
    what = {**what, "methods": checked_methods(what["methods"])}
    degradation = instantiate(what["degradation"], "degradation")
    channels, size = generated(what)
    if size % degradation.factor:
        raise UserError(f"degradation: {size} px cannot be reduced {degradation.factor} times.")
    if size == degradation.factor:
        raise UserError(
            f"degradation: {size} px reduced {size} times are a single pixel, in which nothing is seen. Choose a "
            f"degradation.steps.reduce.factor of {size // 2} or less."
        )
    low = are_low(what, size, size // degradation.factor)
    # What could be refused is refused before generators are trained and codes searched, which takes hours.
    seen = as_seen(degradation, what["untold"], low)
    data, subjects, controls = find_subjects(what, how, channels, size, seen, low)
    what = networks_alike(what, data.record())
    require_inputs(what)
    assay = build_assay(what, data.shape[0], size, low)
    if assay is not None and isinstance(data, SimulatedAssay):
        require_truth(assay, subjects.known, what)
    repeated = [name for name, node in what["methods"].items() if node.get("solutions", 1) > 1]
    others = None
    if repeated and assay is not None:
        others = calibration_subjects(what, data, degradation, controls, low, repeated)
    network = feature_network(what, how)
    generator = load_generator(what["generator"], how, "generator")
    flow, encoder = load_flow(what["flow"], how, generator), load_encoder(what["encoder"], how, generator, degradation)
    problem = Problem(generator, degradation, flow, encoder)
    methods = {name: build_method(name, what, how, problem) for name in what["methods"]}
    searched = [name for name, method in methods.items() if method.code_layers(problem) is not None]
    if flow is None and searched:
        log.info(
            "flow=none: nobody knows which codes of %s are typical: their rows are flagged, and no mean over rows "
            "without a flag counts them",
            ", ".join(searched),
        )

    def solved_by(chosen: Mapping[str, Method], subjects: Subjects, kind: str) -> dict[str, Solutions]:
        folder = run.folder / kind
        return {name: solved(name, method, how, folder / name, problem, subjects) for name, method in chosen.items()}

    recovered = solved_by(methods, subjects, "solutions")
    metrics = fidelity(recovered, subjects, network, run)
    table = None
    if assay is not None:
        training = None
        if low:
            assay = assay.calibrate(subjects.low)  # their background is that of the images behind them
        else:
            assay, training = calibrated(assay, data, controls)
            if what["part"] == "train" and controls is not None:
                training = None
                log.info("part=train: no accuracy of a support vector machine, which has learned from these cells")
        keep_calibration(assay, run)
        table = run.save_table("measurements", measurements(assay, recovered, subjects, controls))
        metrics |= assay_scores(table, training, assay.values, controls, what, run)
        if others is not None:
            again = solved_by({name: methods[name] for name in repeated}, others, "calibration")
            known = measurements(assay, again, others, controls)
            metrics |= error_bars(table, known, repeated, assay.values[0], what["intervals"]["nominal"], run)
    draw_images(recovered, subjects, what["name"], run)
    for name in repeated:
        draw_solutions(name, recovered[name], subjects, table, assay.values[0] if assay else "", run)
    if isinstance(data, ImageFolder) and low:
        write_images(recovered, subjects, data, run)

    told_apart = {} if controls is None else {"controls": asdict(controls)}
    run.save_record("data", data.record() | {"low resolution": low} | told_apart)
    with opened_loggers(how, run, what) as loggers:
        log_results(loggers, run, metrics, len(subjects.keys))
    recovery_table(what["name"], len(subjects.keys), metrics, what["intervals"]["nominal"])
    return metrics


def calibration_subjects(
    what: What,
    data: IndexedImages,
    degradation: Degradation,
    controls: Comparison | None,
    low: bool,
    repeated: Sequence[str],
) -> Subjects | None:
    """Cells that calibrate the intervals of methods with several solutions, others than those that are reported on.

    They are reduced as the search is told, so that the intervals know nothing of what it does not. Of low-resolution
    images there are none, since nobody knows the truth.
    """
    part, count = what["intervals"]["part"], what["intervals"]["images"]
    if low:
        log.info("no intervals of %s: the truth of low-resolution images is not known", ", ".join(repeated))
        return None
    if part == what["part"]:
        raise UserError(
            f"intervals.part={part}: the intervals of {', '.join(repeated)} must be calibrated on other images than "
            f"part={what['part']}."
        )
    keys = chosen(data, part, count, controls, what["seed"], "intervals.part")
    return degraded(data, degradation, keys)


def solved(name: str, method: Method, how: How, folder: Path, problem: Problem, subjects: Subjects) -> Solutions:
    """All subjects' solutions by one method; those that the folder holds are not made again."""
    progress = WorkProgress(name, how["progress"], per="min")
    try:
        with assembled(how) as crew:
            return solve(
                method,
                problem,
                subjects.low_of,
                subjects.keys,
                folder,
                how["accelerator"],
                crew,
                progress=progress,
                blank=subjects.blank,
            )
    finally:
        progress.close()


def assay_scores(
    table: pd.DataFrame,
    training: pd.DataFrame | None,
    values: Sequence[str],
    controls: Comparison | None,
    what: What,
    run: Run,
) -> Metrics:
    """Score what was measured, and draw it.

    Returns
    -------
    Scores over the rows without a flag as ``assay/<score>/<method>``, over all that were measured as
    ``assay_all/<score>/<method>``, and the number of these as ``measured/<method>``.
    """
    tables: list[pd.DataFrame] = []
    metrics: Metrics = {}
    if controls is not None:
        report_unmeasured(table, values[0], controls)
    trusted, everything = (measured_rows(table, values, trusted) for trusted in (True, False))
    for prefix, name, rows, scored in (
        ("assay", "trusted", trusted, values),
        ("assay_all", "all", everything, values[:1]),
    ):
        if not rows.empty:
            found = quality(rows, training, scored, controls, what["seed"])
            tables.append(found.assign(rows=name))
            metrics |= assay_metrics(found, prefix)
    for method, rows in table[table["solution"] == 0].groupby("method", sort=False):
        metrics[f"measured/{method}"] = int(rows[values[0]].notna().sum())
    if tables:
        run.save_table("assay", pd.concat(tables, ignore_index=True))
        draw_measurements(trusted, values[0], controls, run)
    return metrics


def draw_images(recovered: Mapping[str, Solutions], subjects: Subjects, name: str, run: Run) -> None:
    """Draw some of the images, as a figure and under a slider: low resolution, each first solution, high resolution."""
    rows = spread(torch.arange(len(subjects.keys)), DRAWN)
    columns = {"low resolution": subjects.low[rows]}
    columns |= {method: solutions.images[rows, 0] for method, solutions in recovered.items()}
    if subjects.high is not None:
        columns[HIGH] = subjects.high[rows]
    keys = [str(key) for key in subjects.keys[rows].tolist()]
    run.save_figure("recovered", recovery_figure(columns, keys))
    titles = [f"image {key}" for key in keys]
    run.save_page("recovered", recovery_page(columns, titles, f"Images recovered from low resolution: {name}"))


def draw_measurements(trusted: pd.DataFrame, value: str, controls: Comparison | None, run: Run) -> None:
    """Draw a measurement by method and condition, and against the dose where there is one; nothing without any row."""
    if trusted.empty:
        return
    methods = list(dict.fromkeys(trusted["method"]))
    if controls is None:
        figure = measurement_figure(trusted.assign(condition="all"), value, methods)
    else:
        conditions = trusted.assign(condition=trusted[controls.condition].astype(str))
        known = {controls.negative: "negative", controls.positive: "positive"}
        roles = {str(value): known[value] for value in trusted[controls.condition].unique() if value in known}
        figure = measurement_figure(conditions, value, methods, controls.condition.replace("_", " "), roles)
    run.save_figure("measurements", figure)
    if {"dose", "well"} <= set(trusted):
        run.save_figure("doses", dose_figure(trusted, value, methods))
