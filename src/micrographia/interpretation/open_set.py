"""Classes left out in turn: what they are taken for, how far away they lie, whether one notices them."""

import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, unit_range
from micrographia.data.features import FeatureData
from micrographia.data.without_classes import WithoutClasses
from micrographia.errors import UserError
from micrographia.plots.open_set import distances_figure, rejection_figure
from micrographia.probes import Probe, fit_probe
from micrographia.runs.run import How, Metrics, Run
from micrographia.scores.open_set import KEY, OpenSet, OpenSetResult, known_classes
from micrographia.training.progress import progress_bar

log = logging.getLogger(__name__)

MEASURES = ("auroc", "fpr95", "rejected")


def left_out_classes(settings: Mapping[str, Any], truth: pd.DataFrame) -> list[str]:
    """Names of the classes to leave out, each once; checked against class and part of all items before any work.

    Raises
    ------
    UserError
        If there is no such class, it has no test images, or too few others remain for probes or for fine-tuning.
    """
    names = [str(name) for name in dict.fromkeys(settings["classes"])]
    for name in names:
        known_classes(name, truth["class"].astype(str), truth["part"])
    kept = (truth["part"] == "train") & ~truth["class"].astype(str).isin(names)
    if settings["exclude_from_finetuning"] and not kept.any():
        raise UserError(f"{KEY}: they leave nothing to learn from in fine-tuning. Name fewer at a time.")
    return names


def finetuning_data(target: IndexedImages, left_out: list[str], settings: Mapping[str, Any]) -> IndexedImages:
    """What fine-tuning learns from: the target, without all classes left out where that was asked for."""
    return WithoutClasses(target, left_out) if left_out and settings["exclude_from_finetuning"] else target


def unseen_phases(
    codes: Mapping[str, pd.DataFrame], left_out: list[str], unseen: Collection[str]
) -> dict[str, pd.DataFrame]:
    """Codes of the phases whose model has not learned from the classes left out, and word of one that has.

    Parameters
    ----------
    unseen
        Classes of which fine-tuning has seen no image.
    """
    seen = [name for name in left_out if name not in unseen]
    if not seen or "after" not in codes:
        return dict(codes)
    log.info(
        "open set: fine-tuning has seen %s, so only the phase before it is told of; "
        "a transfer with open_set.exclude_from_finetuning=true leaves them out there too",
        ", ".join(seen),
    )
    return {phase: table for phase, table in codes.items() if phase != "after"}


def leave_out(
    names: list[str],
    phases: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame,
    target: IndexedImages,
    probes: Callable[[], Mapping[str, Probe]],
    settings: Mapping[str, Any],
    how: How,
    run: Run,
) -> Metrics:
    """Leave each class out of the probes' and the scores' training in turn, and save what becomes of its test images.

    Parameters
    ----------
    names
        Classes to leave out.
    phases
        For each phase the codes of all items, by a model that has not learned from these classes.
    truth
        ``class`` and ``part`` of all items.
    target
        Where images of the classes are drawn from.
    probes
        Makes unfitted probes by name.

    Returns
    -------
    dict
        ``open_set/<class>/<phase>/<score>/`` with ``auroc``, ``fpr95`` and ``rejected``.
    """
    if not names:
        return {}
    compare = OpenSet(settings["neighbours"], settings["kept"], settings["resamples"])
    found: dict[tuple[str, str], OpenSetResult] = {}
    with progress_bar(how["progress"]) as bar:
        task = bar.add_task("classes left out", total=len(names) * len(phases), note="")
        for phase, codes in phases.items():
            for name in names:
                bar.update(task, note=f"{name}, {phase}")
                rows = truth["class"].astype(str) != name
                order = known_classes(name, truth["class"].astype(str), truth["part"])
                rows &= truth["class"].astype(str).isin(order)
                fitted = {
                    key: fit_probe(
                        probe, codes[rows], truth["class"][rows].astype(str), truth["part"][rows], order, importance=()
                    )
                    for key, probe in probes().items()
                }
                probabilities = {key: result.probabilities(codes) for key, result in fitted.items()}
                found[name, phase] = compare.compare(name, codes, truth["class"], truth["part"], probabilities)
                bar.advance(task)
    scores = run.save_table("open_set", gathered({key: result.scores for key, result in found.items()}))
    run.save_table("open_set_distances", gathered({key: result.distances for key, result in found.items()}))
    predictions = {key: result.predictions.reset_index(names="item") for key, result in found.items()}
    run.save_table("open_set_predictions", gathered(predictions))
    run.save_figure("open_set", rejection_figure(scores, settings["kept"]))
    for name in names:
        draw_distances(name, found, phases, truth, target, run)
    return {
        f"open_set/{row['class']}/{row['phase']}/{row['score']}/{measure}": row[measure]
        for row in scores.to_dict("records")
        for measure in MEASURES
    }


def gathered(tables: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Tables of all classes and phases below each other, with columns that say which."""
    joined = [
        pd.concat([pd.DataFrame({"class": name, "phase": phase}, index=table.index), table], axis=1)
        for (name, phase), table in tables.items()
    ]
    return pd.concat(joined, ignore_index=True)


def draw_distances(
    name: str,
    found: Mapping[tuple[str, str], OpenSetResult],
    phases: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame,
    target: IndexedImages,
    run: Run,
) -> None:
    """Draw the distances of one class in all phases from what the first probe takes it for, beside an image of each."""
    pictures = target.inner if isinstance(target, FeatureData) else target
    tables, images = {}, {}
    for phase, codes in phases.items():
        table = found[name, phase].distances
        tables[phase] = table[table["by"] == table["by"].unique()[1]].reset_index(drop=True)  # 0 is the nearest mean
        if len(pictures.shape) == 3:
            pair = [typical(codes, truth, name), typical(codes, truth, tables[phase]["taken_for"].iloc[0])]
            images[phase] = unit_range(pictures.images(torch.tensor(pair)))
    label = re.sub(r"[^\w.-]+", "_", name)
    run.save_figure(f"open_set_{label}", distances_figure(name, tables, images))


def typical(codes: pd.DataFrame, truth: pd.DataFrame, name: str) -> int:
    """Index of the test item (of any, where there is none) whose code is nearest to its class's mean."""
    of_class = truth["class"].astype(str) == name
    tested = of_class & (truth["part"] == "test")
    own = codes[tested if tested.any() else of_class]
    nearest = own.sub(own.mean()).pow(2).sum(axis=1).to_numpy().argmin()
    return int(own.index.to_numpy()[nearest])
