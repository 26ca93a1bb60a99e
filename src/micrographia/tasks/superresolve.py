"""``micrographia superresolve``: from low-resolution images to those behind them, and to what these measure."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages, spread
from micrographia.data.image_folder import ImageFolder
from micrographia.data.latents import mapping_fingerprint
from micrographia.data.restoring import write_ome_tiff
from micrographia.data.synthetic.assay import SimulatedAssay
from micrographia.degradations import Degradation
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
from micrographia.scores.wells import Comparison
from micrographia.tasks.assay_report import (
    assay_metrics,
    calibrated,
    measured_rows,
    measurements,
    quality,
)
from micrographia.tasks.assembly import DEFAULT_SIZE, load_generator, load_model, source_run
from micrographia.tasks.fidelity import feature_network, fidelity
from micrographia.tasks.intervals import error_bars
from micrographia.tasks.subjects import Subjects, are_low, chosen, degraded, find_subjects
from micrographia.training.fit import prepare_threads
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.progress import WorkProgress
from micrographia.training.show import recovery_table

log = logging.getLogger(__name__)

DRAWN = 8  # images on the sheet


def superresolve(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a super-resolution config: read back, resumed or made."""
    return obtain(what, how, recover, rerun)


def recover(what: What, how: How, run: Run) -> Metrics:
    """Degrade images, recover them by every method, score and measure what was recovered."""
    prepare_threads(how)
    what = {**what, "methods": checked_methods(what["methods"])}
    degradation = instantiate(what["degradation"], "degradation")
    channels, size = generated(what)
    if size % degradation.factor:
        raise UserError(f"degradation: {size} px cannot be reduced {degradation.factor} times.")
    low = are_low(what, size, size // degradation.factor)
    # What could be refused is refused before generators are trained and codes searched, which takes hours.
    data, subjects, controls = find_subjects(what, how, channels, size, degradation, low)
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

    def solved_by(chosen: Mapping[str, Method], subjects: Subjects, kind: str) -> dict[str, Solutions]:
        folder = run.folder / kind
        return {name: solved(name, method, how, folder / name, problem, subjects) for name, method in chosen.items()}

    recovered = solved_by(methods, subjects, "solutions")
    metrics = fidelity(recovered, subjects, network, run)
    if assay is not None:
        training = None
        if low:
            assay = assay.calibrate(subjects.low)  # their background is that of the images behind them
        else:
            assay, training = calibrated(assay, data, controls)
        table = run.save_table("measurements", measurements(assay, recovered, subjects, controls))
        metrics |= assay_scores(table, training, assay.values, controls, what, run)
        if others is not None:
            again = solved_by({name: methods[name] for name in repeated}, others, "calibration")
            known = measurements(assay, again, others, controls)
            metrics |= error_bars(table, known, repeated, assay.values[0], what["intervals"]["nominal"], run)
    draw_images(recovered, subjects, run)
    if isinstance(data, ImageFolder) and low:
        write_images(recovered, subjects, data, run)

    run.save_record("data", data.record() | {"low resolution": low})
    with opened_loggers(how, run, what) as loggers:
        log_results(loggers, run, metrics, len(subjects.keys))
    recovery_table(what["name"], len(subjects.keys), metrics)
    return metrics


def checked_methods(nodes: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The methods' configs, without those that are null.

    Raises
    ------
    UserError
        If none is left, or one is no method.
    """
    methods = {name: node for name, node in nodes.items() if node is not None}
    if not methods:
        raise UserError("methods: none is left. Keep one, or add one as +inversion@methods.rls=rls.")
    for name, node in methods.items():
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise UserError(f"methods.{name}={node}: no method. Add one as +inversion@methods.{name}=rls.")
    return methods


def generated(what: What) -> tuple[int | None, int]:
    """Channels and side of the generator's images; one that is to be trained takes its channels from the data: None."""
    node = what["generator"]
    if "task" in node:
        return None, node["data"].get("size") or DEFAULT_SIZE
    shape = Run.named(node["run"], "generator.run").record("model")["shape"]
    if len(shape) != 3:
        raise UserError(f"generator.run: {node['run']} makes no images. Name a run of model=stylegan2.")
    return shape[0], shape[1]


def calibration_subjects(
    what: What,
    data: IndexedImages,
    degradation: Degradation,
    controls: Comparison | None,
    low: bool,
    repeated: Sequence[str],
) -> Subjects | None:
    """Cells that calibrate the intervals of methods with several solutions, others than those that are reported on.

    Of low-resolution images there are none, since nobody knows the truth.
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


def load_encoder(
    node: Mapping[str, Any], how: How, generator: Generator, degradation: Degradation
) -> LatentEncoder | None:
    """The network that gives searches their first codes; None where there is none.

    Raises
    ------
    UserError
        If the run is of another model, or finds the styles of another generator or degradation.
    """
    if "task" not in node and node["run"] is None:
        return None
    encoder = load_model(source_run(node, how, "encoder"), how)
    if not isinstance(encoder, LatentEncoder):
        raise UserError(f"encoder: a {type(encoder).__name__} makes no codes. Name a run of model=latent_encoder.")
    if mapping_fingerprint(encoder.generator) != mapping_fingerprint(generator):
        raise UserError("encoder: it has learned the styles of another generator. Train one: encoder=trained.")
    if encoder.degradation.factor != degradation.factor:
        raise UserError(
            f"encoder: it undoes a reduction by {encoder.degradation.factor}, not by {degradation.factor} as "
            "degradation.steps.reduce.factor says. Train one: encoder=trained."
        )
    # Filters are compared by what they do, whatever they are called.
    image = torch.rand(1, *encoder.shape, generator=torch.Generator().manual_seed(0))
    if not torch.allclose(encoder.degradation.clean(image), degradation.clean(image), atol=1e-4):
        raise UserError("encoder: it undoes another degradation than the config's. Train one: encoder=trained.")
    return encoder


def require_truth(assay: CellAssay, known: pd.DataFrame, what: What) -> None:
    """Refuse a measurement of which a simulated set knows no truth: it is made for another assay."""
    if not set(assay.values) & set(known):
        raise UserError(
            f"measurement: it reads {', '.join(assay.values)} off the images, of which data={what['data']['name']} "
            f"knows nothing. Set measurement={what['data']['name']}, or none."
        )


def build_assay(what: What, channels: int, size: int, low: bool) -> CellAssay | None:
    """The measurement, which must name the images' channels; None where nothing is to be measured.

    Parameters
    ----------
    size
        Side of the images in pixels.
    low
        Whether the images are of low resolution themselves, so that there is none to take an illumination from.
    """
    if not what["measurement"].get("_target_"):
        return None
    assay = instantiate(what["measurement"], "measurement")
    if len(assay.channels) != channels:
        raise UserError(
            f"measurement.channels names {', '.join(assay.channels)}, the images have {channels} channels. "
            "Name them in order, or set measurement=none."
        )
    if low and assay.illumination_px is not None:
        raise UserError(
            "measurement.illumination_px: illumination is taken from images of high resolution, and these are of low. "
            "Set it to null, and correct the images beforehand."
        )
    return assay.sized(size)


def solved(name: str, method: Method, how: How, folder: Path, problem: Problem, subjects: Subjects) -> Solutions:
    """All subjects' solutions by one method; those that the folder holds are not made again."""
    progress = WorkProgress(name, how["progress"], per="min")
    try:
        return solve(
            method,
            problem,
            subjects.low_of,
            subjects.keys,
            folder,
            how["accelerator"],
            progress=progress,
            blank=subjects.blank,
        )
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


def write_images(recovered: Mapping[str, Solutions], subjects: Subjects, data: ImageFolder, run: Run) -> None:
    """Write each image's first solution as ``images/<method>/<file>.ome.tif``, in the units of the image's file."""
    names = distinct(subjects.known["file"].tolist())
    for method, solutions in recovered.items():
        for key, name, item in zip(solutions.keys.tolist(), names, solutions.images[:, 0], strict=True):
            if item.isfinite().all():
                file = run.folder / "images" / method / name
                write_ome_tiff(file, *data.restored(key, item.numpy()))


def distinct(files: Sequence[str]) -> list[Path]:
    """Where the OME-TIFF of each file is written; where two would be one, their types stay in the names.

    Examples
    --------
    >>> [path.name for path in distinct(["a.png", "b.png", "b.tif"])]
    ['a.ome.tif', 'b.png.ome.tif', 'b.tif.ome.tif']
    """
    plain = [below(name) for name in files]
    several = {path for path, count in Counter(plain).items() if count > 1}
    return [
        path.with_name(f"{Path(name).name}.ome.tif") if path in several else path
        for path, name in zip(plain, files, strict=True)
    ]


def below(name: str) -> Path:
    """Where in a folder the OME-TIFF of a file is written: never above it, whatever the table says.

    Examples
    --------
    >>> below("a/cell.png").as_posix(), below("/data/../b.tif").as_posix()
    ('a/cell.ome.tif', 'data/b.ome.tif')
    >>> below("cell.ome.tif").as_posix()
    'cell.ome.tif'
    """
    path = Path(name)
    inner = Path(*[part for part in path.parts if part not in ("..", path.anchor)]).with_suffix("")
    stem = inner.stem if inner.suffix.lower() == ".ome" else inner.name
    return inner.with_name(f"{stem}.ome.tif")


def draw_images(recovered: Mapping[str, Solutions], subjects: Subjects, run: Run) -> None:
    """Draw some of the images: low resolution, each method's first solution, high resolution."""
    rows = spread(torch.arange(len(subjects.keys)), DRAWN)
    columns = {"low resolution": subjects.low[rows]}
    columns |= {name: solutions.images[rows, 0] for name, solutions in recovered.items()}
    if subjects.high is not None:
        columns["high resolution"] = subjects.high[rows]
    run.save_figure("recovered", recovery_figure(columns, [str(key) for key in subjects.keys[rows].tolist()]))


def draw_measurements(trusted: pd.DataFrame, value: str, controls: Comparison | None, run: Run) -> None:
    """Draw a measurement by method and condition, and against the dose where there is one; nothing without any row."""
    if trusted.empty:
        return
    methods = list(dict.fromkeys(trusted["method"]))
    conditions = "all" if controls is None else trusted[controls.condition]
    run.save_figure("measurements", measurement_figure(trusted.assign(condition=conditions), value, methods))
    if {"dose", "well"} <= set(trusted):
        run.save_figure("doses", dose_figure(trusted, value, methods))
