"""What latents mean on target images: one recipe for a transfer and for the evaluation of a finished run."""

import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from micrographia.data.datamodule import PARTS, IndexedImages, all_indices, require_parts
from micrographia.data.few_labels import FewLabels
from micrographia.errors import UserError
from micrographia.interpretation.counterfactuals import check_counterfactuals, explain_answers
from micrographia.interpretation.differences import Contrast, contrast_of, tell_apart
from micrographia.interpretation.evidence import Evidence, look_at
from micrographia.interpretation.open_set import leave_out, left_out_classes, unseen_phases
from micrographia.interpretation.projections import draw_projections
from micrographia.interpretation.readings import read_latents
from micrographia.interpretation.traversals import measure_traversals
from micrographia.models.vae.vae import VAE
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.tasks.assembly import build_data, encode
from micrographia.tasks.meaning import describe_latents
from micrographia.tasks.probing import build_probes, fit_probes, save_probes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Questions:
    """What is asked of a target's images, found to be answerable before any work.

    Attributes
    ----------
    target : IndexedImages
        The images.
    truth : DataFrame
        ``part`` and, where there are classes, ``class`` of every item, under its index.
    left_out : list of str
        Classes to leave out in turn.
    contrast : Contrast or None
        Conditions to tell apart.
    labelled : FewLabels or None
        The images whose class probes learn from; None: all of the training part.
    """

    target: IndexedImages
    truth: pd.DataFrame
    left_out: list[str]
    contrast: Contrast | None
    labelled: FewLabels | None = None

    @property
    def known(self) -> pd.DataFrame:
        """Class and part of every item, the training part being those whose class is known."""
        if self.labelled is None:
            return self.truth
        few = self.truth.index.isin(self.labelled.indices("train").tolist())
        unlabelled = (self.truth["part"] == "train") & ~few
        return self.truth.assign(part=self.truth["part"].mask(unlabelled, "unlabelled"))


def questions_of(target: IndexedImages, what: What) -> Questions:
    """The questions that a config asks of a target.

    Raises
    ------
    UserError
        If a part is empty, or a class, a probe, a column or a condition that the config names is not there.
    """
    require_parts(target)
    truth = labels(target)
    if not target.classes:
        if what["open_set"]["classes"]:
            raise UserError(f"open_set.classes: {target.name} has no classes. Set data.table, or leave it empty.")
        return Questions(target, truth, [], contrast_of(target, what))
    left_out = left_out_classes(what["open_set"], truth)
    check_counterfactuals(what["interpretation"]["counterfactuals"], what["probes"], target.classes)
    return Questions(target, truth, left_out, contrast_of(target, what), few_labels(target, what))


def few_labels(target: IndexedImages, what: What) -> FewLabels | None:
    """The training images whose class is known, where ``labels`` says how many of each; None: all are."""
    if what.get("labels") is None:
        return None
    few = FewLabels(target, what["labels"], what["seed"])
    few.report("labels")
    return few


def images_of_source(what: What, how: How, source: Run) -> IndexedImages:
    """Images of the size, and through the backbone, that a source was trained with.

    Raises
    ------
    UserError
        If they do not fit the source.
    """
    backbone = source.config.get("backbone") or {}
    expected = tuple(source.record("model")["shape"])
    size = None if backbone.get("_target_") else expected[-1]
    data = build_data(what, how, size, backbone)
    if len(expected) == len(data.shape) == 3 and data.shape[0] != expected[0]:
        raise UserError(
            f"source: it takes images of {expected[0]} channels, those of {data.name} have {data.shape[0]}. Choose a "
            f"source that was trained on such images, or, of an image folder, data.model_channels={expected[0]}."
        )
    if tuple(data.shape) != expected:
        raise UserError(
            f"data.size: the source model takes items of shape {expected}, the target gives {tuple(data.shape)}. "
            "Leave data.size=null to follow the source."
        )
    return data


def interpret(
    models: Mapping[str, VAE], questions: Questions, unseen: Collection[str], what: What, how: How, run: Run
) -> Metrics:
    """Encode the target by each model, say what the latents follow and move, and explain classifiers on the codes.

    Parameters
    ----------
    models
        By phase: ``before`` and ``after`` fine-tuning. Answers are explained of the last one.
    unseen
        Classes of which fine-tuning has seen no image.
    what
        With ``seed``, ``probes``, ``interpretation``, ``open_set`` and, for the same probes on the raw input,
        ``baseline``; ``labels`` where few are known.
    """
    target, truth, settings = questions.target, questions.truth, what["interpretation"]
    evidence = look_at(target, questions.contrast, what, how, run)
    metrics: Metrics = dict(evidence.metrics)
    codes = {}
    for phase, model in models.items():
        codes[phase] = encode(model, target, all_indices(target), model.latent_names)
        metrics |= describe(model, codes[phase], questions, evidence, settings, how, run, phase)
    if not target.classes:
        log.info("data %s has no classes: no probes, and so no counterfactuals, importance and open set", target.name)
        return metrics
    seen = codes | ({"baseline": raw_inputs(target)} if what.get("baseline") else {})
    if questions.labelled is not None:
        run.save_table("labelled", questions.labelled.labelled())
    results = fit_probes(seen, questions.known, target.classes, what, how)
    metrics |= save_probes(results, codes, truth["class"], run)
    last = list(models)[-1]
    fitted = {probe: result for (phase, probe), result in results.items() if phase == last}
    metrics |= explain_answers(
        fitted, models[last], codes[last], truth["part"], target, evidence.measured, settings, run
    )
    draw_projections(codes, truth["class"], settings["projections"], what["seed"], how, run)
    told = unseen_phases(codes, questions.left_out, unseen)
    probes = partial(build_probes, what)
    return metrics | leave_out(questions.left_out, told, questions.known, target, probes, what["open_set"], how, run)


def describe(
    model: VAE,
    codes: pd.DataFrame,
    questions: Questions,
    evidence: Evidence,
    settings: Mapping[str, Any],
    how: How,
    run: Run,
    phase: str,
) -> Metrics:
    """Keep one phase's codes, draw what its latents do, say what they follow and which conditions they tell apart."""
    run.save_table(f"codes_{phase}", codes.join(questions.truth), index=True)
    metrics = describe_latents(model, questions.target, run, f"_{phase}")
    metrics |= read_latents(codes, evidence.measured, settings, run, phase)
    metrics |= measure_traversals(model, codes, evidence.measured, settings, how, run, phase)
    if evidence.contrast is not None:
        metrics |= tell_apart(model, codes, evidence.contrast, evidence.differences, questions.target, run, phase)
    return metrics


def labels(data: IndexedImages) -> pd.DataFrame:
    """Part and, where there are classes, class of every item, under its index."""
    tables = []
    for part in PARTS:
        indices = data.indices(part)
        known = {"class": data.table(indices)["class"].to_numpy()} if data.classes else {}
        index = pd.Index(indices.tolist(), name="item")
        tables.append(pd.DataFrame(known | {"part": part}, index=index))
    return pd.concat(tables)


def raw_inputs(data: IndexedImages) -> pd.DataFrame:
    """The model's own input as columns: pixels, or a backbone's features."""
    indices = all_indices(data)
    values = np.empty((len(indices), math.prod(data.shape)), np.float32)  # once: this is the largest table of a run
    done = 0
    for chunk in data.chunks(indices):
        values[done : done + len(chunk)] = chunk.flatten(1)
        done += len(chunk)
    names = [f"x{column}" for column in range(values.shape[1])]
    return pd.DataFrame(values, columns=names, index=pd.Index(indices.tolist(), name="item"), copy=False)
