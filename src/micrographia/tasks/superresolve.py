"""``micrographia superresolve``: from low-resolution images to those behind them, and to what these measure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages
from micrographia.data.image_folder import ImageFolder
from micrographia.data.latents import mapping_fingerprint
from micrographia.data.restoring import write_ome_tiff
from micrographia.errors import UserError
from micrographia.inversion.method import Method
from micrographia.inversion.prediction import superresolve as solve
from micrographia.inversion.problem import Problem
from micrographia.inversion.solutions import Solutions
from micrographia.measure.assays.assay import CellAssay
from micrographia.models.flow import LatentFlow
from micrographia.models.gan.generator import Generator
from micrographia.models.latent_encoder import LatentEncoder
from micrographia.plots.measurements import dose_figure, measurement_figure
from micrographia.plots.recovery import recovery_figure
from micrographia.runs.run import How, Metrics, Run, What, obtain
from micrographia.scores.images import image_scores
from micrographia.scores.wells import Comparison
from micrographia.tasks.assay_report import (
    assay_metrics,
    calibrated,
    measurements,
    quality,
    trusted_rows,
)
from micrographia.tasks.assembly import DEFAULT_SIZE, load_generator, load_model, source_run
from micrographia.tasks.meaning import spread
from micrographia.tasks.subjects import Subjects, are_low, find_subjects
from micrographia.training.fit import prepare_threads
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.progress import WorkProgress
from micrographia.training.show import recovery_table

IMAGE_SCORES = ("psnr", "ssim", "ms_ssim", "spectrum_error")
DRAWN = 8  # images on the sheet


def superresolve(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a super-resolution config: read back, resumed or made."""
    return obtain(what, how, recover, rerun)


def recover(what: What, how: How, run: Run) -> Metrics:
    """Degrade images, recover them by every method, score and measure what was recovered."""
    prepare_threads(how)
    degradation = instantiate(what["degradation"], "degradation")
    size = size_of(what)
    if size % degradation.factor:
        raise UserError(f"degradation: {size} px cannot be reduced {degradation.factor} times.")
    low = are_low(what, how, size, size // degradation.factor)
    generator = load_generator(what["generator"], how, "generator")
    data, subjects, controls = find_subjects(what, how, generator, degradation, low)
    flow, encoder = load_flow(what["flow"], how, generator), load_encoder(what["encoder"], how)
    problem = Problem(generator, degradation, flow, encoder)
    # What could be refused is refused before the searches, which take hours.
    assay = build_assay(what, generator.channels)
    methods = {name: build_method(name, what, how, problem) for name in what["methods"]}

    recovered = {name: solved(name, method, how, run, problem, subjects) for name, method in methods.items()}
    metrics = fidelity(recovered, subjects, run)
    if assay is not None:
        metrics |= measure(assay, recovered, subjects, data, controls, what, run)
    draw_images(recovered, subjects, run)
    if isinstance(data, ImageFolder) and low:
        write_images(recovered, subjects, data, run)

    run.save_record("data", data.record() | {"low resolution": low})
    with opened_loggers(how, run, what) as loggers:
        log_results(loggers, run, metrics, len(subjects.keys))
    recovery_table(what["name"], len(subjects.keys), metrics)
    return metrics


def size_of(what: What) -> int:
    """Side of the generator's images, known before it is trained."""
    node = what["generator"]
    if "task" in node:
        return node["data"].get("size") or DEFAULT_SIZE
    return Run.named(node["run"], "generator.run").record("model")["shape"][-1]


def load_flow(node: Mapping[str, Any], how: How, generator: Generator) -> LatentFlow | None:
    """The flow over the generator's latents; None where there is to be none.

    Raises
    ------
    UserError
        If the run is of another model, or over the latents of another generator.
    """
    if "task" not in node and node["run"] is None:
        return None
    run = source_run(node, how, "flow")
    flow = load_model(run, how)
    if not isinstance(flow, LatentFlow):
        raise UserError(f"flow: a {type(flow).__name__} has no density. Name a run of model=latent_flow.")
    if run.record("model")["data"].get("generator") != mapping_fingerprint(generator):
        raise UserError(f"flow: {run.folder} has learned the latents of another generator. Train one: flow=trained.")
    return flow


def load_encoder(node: Mapping[str, Any], how: How) -> LatentEncoder | None:
    """The network that gives searches their first codes; None where there is none."""
    if node["run"] is None:
        return None
    encoder = load_model(source_run(node, how, "encoder"), how)
    if not isinstance(encoder, LatentEncoder):
        raise UserError(f"encoder: a {type(encoder).__name__} makes no codes. Name a run of model=latent_encoder.")
    return encoder


def build_assay(what: What, channels: int) -> CellAssay | None:
    """The measurement, which must name the images' channels; None where nothing is to be measured."""
    if not what["measurement"].get("_target_"):
        return None
    assay = instantiate(what["measurement"], "measurement")
    if len(assay.channels) != channels:
        raise UserError(
            f"measurement.channels names {', '.join(assay.channels)}, the images have {channels} channels. "
            "Name them in order, or set measurement=none."
        )
    return assay


def solved(name: str, method: Method, how: How, run: Run, problem: Problem, subjects: Subjects) -> Solutions:
    """All subjects' solutions by one method; those that the run's folder holds are not made again."""
    progress = WorkProgress(name, how["progress"], per="min")
    folder = run.folder / "solutions" / name
    try:
        return solve(method, problem, subjects.low_of, subjects.keys, folder, how["accelerator"], progress=progress)
    finally:
        progress.close()


def build_method(name: str, what: What, how: How, problem: Problem) -> Method:
    """A method from its config, fit for the problem; one that uses a trained network gets it."""
    node = dict(what["methods"][name])
    given = {"seed": what["seed"]} if "terms" in node else {}
    if "network" in node:
        network = dict(node.pop("network"))
        if "task" in network and network["data"].get("size") is None:
            network["data"] = {**network["data"], "size": problem.shape[1]}
        given["network"] = load_model(source_run(network, how, f"methods.{name}.network"), how)
    method = instantiate(node, f"methods.{name}", **given)
    method.check(problem)
    return method


def fidelity(recovered: Mapping[str, Solutions], subjects: Subjects, run: Run) -> Metrics:
    """Score the first solutions, against the images themselves where they are known; means over rows without a flag."""
    tables = []
    for name, solutions in recovered.items():
        first = solutions.table[solutions.table["solution"] == 0].reset_index(drop=True).assign(method=name)
        if subjects.high is not None:
            scores = image_scores(solutions.images[:, 0].clamp(0, 1), subjects.high)
            first = first.join(scores[list(IMAGE_SCORES)])
        tables.append(first.join(subjects.known, on="key"))
    table = run.save_table("images", pd.concat(tables, ignore_index=True))
    metrics: Metrics = {}
    for name in recovered:
        rows = table[table["method"] == name]
        trusted = rows[rows["flag"] == ""]
        metrics[f"flagged/{name}"] = len(rows) - len(trusted)
        for score in ("lr_residual", *IMAGE_SCORES):
            if score in trusted and trusted[score].notna().any():
                metrics[f"image/{score}/{name}"] = float(trusted[score].mean())
    return metrics


def measure(
    assay: CellAssay,
    recovered: Mapping[str, Solutions],
    subjects: Subjects,
    data: IndexedImages,
    controls: Comparison | None,
    what: What,
    run: Run,
) -> Metrics:
    """Measure the cell in every image, as if it were the true one; tables, figures, and how well it was measured."""
    training = None
    if subjects.high is not None:  # else the data's training part is of low resolution too
        assay, training = calibrated(assay, data, controls)
    table = run.save_table("measurements", measurements(assay, recovered, subjects, controls))
    value = assay.values[0]
    trusted = trusted_rows(table, value)
    if trusted.empty:
        return {}
    draw_measurements(trusted, value, controls, run)
    return assay_metrics(run.save_table("assay", quality(trusted, training, assay.values, controls, what["seed"])))


def write_images(recovered: Mapping[str, Solutions], subjects: Subjects, data: ImageFolder, run: Run) -> None:
    """Write each image's first solution as ``images/<method>/<file>.ome.tif``, in the units of the image's file."""
    names = subjects.known["file"].tolist()
    for method, solutions in recovered.items():
        for key, name, item in zip(solutions.keys.tolist(), names, solutions.images[:, 0], strict=True):
            if item.isfinite().all():
                file = run.folder / "images" / method / below(name)
                write_ome_tiff(file, *data.restored(key, item.numpy()))


def below(name: str) -> Path:
    """Where in a folder the OME-TIFF of a file is written: never above it, whatever the table says.

    Examples
    --------
    >>> below("a/cell.png").as_posix(), below("/data/../b.tif").as_posix()
    ('a/cell.ome.tif', 'data/b.ome.tif')
    """
    path = Path(name)
    return Path(*[part for part in path.parts if part not in ("..", path.anchor)]).with_suffix(".ome.tif")


def draw_images(recovered: Mapping[str, Solutions], subjects: Subjects, run: Run) -> None:
    """Draw some of the images: low resolution, each method's first solution, high resolution."""
    rows = spread(torch.arange(len(subjects.keys)), DRAWN)
    columns = {"low resolution": subjects.low[rows]}
    columns |= {name: solutions.images[rows, 0] for name, solutions in recovered.items()}
    if subjects.high is not None:
        columns["high resolution"] = subjects.high[rows]
    run.save_figure("recovered", recovery_figure(columns, [str(key) for key in subjects.keys[rows].tolist()]))


def draw_measurements(trusted: pd.DataFrame, value: str, controls: Comparison | None, run: Run) -> None:
    """Draw a measurement by method and condition, and against the dose where there is one."""
    methods = list(dict.fromkeys(trusted["method"]))
    conditions = "all" if controls is None else trusted[controls.condition]
    run.save_figure("measurements", measurement_figure(trusted.assign(condition=conditions), value, methods))
    if {"dose", "well"} <= set(trusted):
        run.save_figure("doses", dose_figure(trusted, value, methods))
