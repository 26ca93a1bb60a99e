"""``micrographia transfer``: a source model carried to target images, fine-tuned there, and read by probes."""

import copy
import logging
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from micrographia.config import instantiate
from micrographia.data.datamodule import PARTS, IndexedImages, all_indices, require_parts, spread
from micrographia.data.few_labels import FewLabels
from micrographia.errors import UserError, within
from micrographia.interpretation.counterfactuals import check_counterfactuals, explain_answers
from micrographia.interpretation.differences import contrast_of, tell_apart
from micrographia.interpretation.evidence import Evidence, look_at
from micrographia.interpretation.open_set import finetuning_data, leave_out, left_out_classes, unseen_phases
from micrographia.interpretation.projections import draw_projections, require_packages
from micrographia.interpretation.readings import read_latents
from micrographia.interpretation.traversals import measure_traversals
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import Network
from micrographia.models.vae.vae import VAE
from micrographia.plots.curves import curves_figure
from micrographia.plots.images import contact_sheet
from micrographia.runs.run import How, Metrics, Run, What, obtain
from micrographia.scores.naming import lost_names
from micrographia.tasks.assembly import build_data, encode, load_vae, source_run
from micrographia.tasks.meaning import describe_latents, name_latents
from micrographia.tasks.probing import build_probes, check_probes, fit_probes, save_probes
from micrographia.training.fit import device_of, fit
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.show import transfer_table

log = logging.getLogger(__name__)


def transfer(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a transfer config: read back, resumed or made."""
    return obtain(what, how, carry_over, rerun)


def carry_over(what: What, how: How, run: Run) -> Metrics:
    """Encode the target before and after fine-tuning, classify from both and from the raw input, and explain."""
    check_probes(what["probes"])
    require_packages(what["interpretation"])
    source = source_run(what["source"], how)
    target = target_data(what, how, source)
    truth = labels(target)
    known = truth if what["labels"] is None else few_labels(target, truth, what, run)
    left_out = left_out_classes(what["open_set"], truth)
    learned = finetuning_data(target, left_out, what["open_set"])
    check_counterfactuals(what["interpretation"]["counterfactuals"], what["probes"], target.classes)
    contrast = contrast_of(target, what)
    factors = known_factors(source, what, how)
    draw_samples(target, run)
    with opened_loggers(how, run, what) as loggers:
        before = model = load_vae(source, how, "source.run")
        evidence = look_at(target, contrast, what, how, run)
        scores: Metrics = {}
        phases = {"before": explain(before, target, evidence, what, how, run, "before")}
        if what["finetune"]["epochs"]:
            model = finetune(before, learned, what, how, run, loggers)
            scores = rename_latents(before, model, factors, what, run)
            phases["after"] = explain(model, target, evidence, what, how, run, "after")
        codes = {name: phase.features for name, phase in phases.items()}
        seen = codes | ({"baseline": raw_inputs(target)} if what["baseline"] else {})

        results = fit_probes(seen, known, target.classes, what, how)
        metrics = save_probes(results, codes, truth["class"], run)
        metrics |= {name: value for phase in phases.values() for name, value in phase.metrics.items()}
        metrics |= evidence.metrics | scores
        last = list(phases)[-1]
        fitted = {probe: result for (phase, probe), result in results.items() if phase == last}
        metrics |= explain_answers(
            fitted, model, codes[last], truth["part"], target, evidence.measured, what["interpretation"], run
        )
        draw_projections(codes, truth["class"], what["interpretation"]["projections"], what["seed"], how, run)
        unseen = unseen_phases(codes, left_out, what["open_set"])
        probes = partial(build_probes, what)
        metrics |= leave_out(left_out, unseen, known, target, probes, what["open_set"], how, run)
        record = target.record()
        if what["labels"] is not None:
            record["labelled"] = {"train": int((known["part"] == "train").sum())}
        run.save_record("data", record)
        log_results(loggers, run, metrics, trained_images(what, learned))
    transfer_table(what["name"], record, metrics)
    return metrics


@dataclass
class Phase:
    """What the probes see of the target at one stage, a named row per item, and what is known of it."""

    features: pd.DataFrame
    metrics: Metrics


def target_data(what: What, how: How, source: Run) -> IndexedImages:
    """Target images of the size, and through the backbone, that the source was trained with."""
    config = source.config
    if config.get("task") != "train":
        raise UserError(f"source.run: {source.folder} is a {config.get('task')} run. Name the folder of a train run.")
    backbone = config.get("backbone") or {}
    size = None if backbone.get("_target_") else source.record("model")["shape"][-1]
    data = build_data(what, how, size, backbone)
    if not data.classes:
        raise UserError(
            f"data {data.name}: transfer needs classes. Put the images into one folder per class, or set data.table."
        )
    require_parts(data)
    expected = tuple(source.record("model")["shape"])
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


def draw_samples(target: IndexedImages, run: Run) -> None:
    """Draw training images of every class as the model sees them: a row each, or one image each of many classes."""
    if len(target.shape) != 3:  # features cannot be looked at
        return
    each, columns = (6, 6) if len(target.classes) <= 24 else (1, 8)
    indices = target.indices("train")
    classes = target.table(indices)["class"].to_numpy()
    chosen = {name: spread(indices[torch.as_tensor(classes == name)], each) for name in target.classes}
    titles = [name for name, rows in chosen.items() for _ in rows]
    run.save_figure("samples", contact_sheet(target.images(torch.cat(list(chosen.values()))), titles, columns))


def explain(model: VAE, target: IndexedImages, evidence: Evidence, what: What, how: How, run: Run, phase: str) -> Phase:
    """Encode every part of the target under the latents' names, draw what the latents do, say what they follow."""
    codes = encode(model, target, all_indices(target), model.latent_names)
    run.save_table(f"codes_{phase}", codes.join(labels(target)), index=True)
    settings = what["interpretation"]
    metrics = describe_latents(model, target, run, f"_{phase}")
    metrics |= read_latents(codes, evidence.measured, settings, run, phase)
    metrics |= measure_traversals(model, codes, evidence.measured, settings, how, run, phase)
    if evidence.contrast is not None:
        metrics |= tell_apart(model, codes, evidence.contrast, evidence.differences, target, run, phase)
    return Phase(codes, metrics)


def finetune(before: VAE, target: IndexedImages, what: What, how: How, run: Run, loggers: list[Any]) -> VAE:
    """Train a copy of the source model as a beta-VAE on the target's training part, without its labels."""
    options = what["finetune"]
    if options.get("beta") is None and getattr(before, "capacity", None) is not None:
        raise UserError(
            "finetune.beta: the source held its KL at a capacity, so that its beta is no weight of the KL here. "
            "Give one, as finetune.beta=1."
        )
    beta = getattr(before, "beta", 1.0) if options["beta"] is None else options["beta"]
    model = BetaVAE(
        name=before.name,
        shape=before.shape,
        network=partial(same_network, before),
        latents=before.latents,
        optimizer=instantiate(options["optimizer"], "finetune.optimizer"),
        seed=what["seed"],
        reconstruction=before.reconstruction,
        deviation=before.deviation,
        beta=beta,
    )
    budget = {"epochs": options["epochs"], "steps": None, "batch_size": options["batch_size"]}
    with within("finetune"):
        fit(model, target, budget, how, run.folder, f"fine-tuning on {target.name}", what["seed"], loggers)
    run.save_figure("curves", curves_figure(pd.read_csv(run.folder / "curves.csv")))
    model.labelled_latents = before.labelled_latents  # names are earned by one rule before and after
    return model.eval().to(device_of(how))


def same_network(model: VAE, shape: tuple[int, ...], latents: int) -> Network:
    """A copy of a model's network with its weights."""
    return copy.deepcopy(model.network).cpu()


def known_factors(source: Run, what: What, how: How) -> IndexedImages | None:
    """The source's data set where its factors are known, for naming fine-tuned latents; built before the work."""
    if not what["finetune"]["epochs"] or not source.record("model")["factors"]:
        return None
    return build_data(source.config, how)


def rename_latents(before: VAE, after: VAE, known: IndexedImages | None, what: What, run: Run) -> Metrics:
    """Derive the latents' names again on source images, and report those that fine-tuning, and no other rule, lost.

    Returns
    -------
    dict
        How disentangled both models are on the same source images: ``score_<phase>/mig`` and ``score_<phase>/omes``.
    """
    if known is None:
        after.latent_names = before.latent_names
        return {}
    former, meaning = (name_latents(model, known, **what["naming"]) for model in (before, after))
    after.latent_names = meaning.names
    run.save_table("latents_after", meaning.table)
    run.save_table("association_after", meaning.association, index=True)
    if lost := lost_names(former.names, meaning.names):
        log.info("after fine-tuning no latent stands for %s any more", ", ".join(lost))
    return {
        name.replace("score/", f"score_{phase}/"): value
        for phase, found in (("before", former), ("after", meaning))
        for name, value in found.scores.items()
    }


def labels(data: IndexedImages) -> pd.DataFrame:
    """Class and part of every item, under its index."""
    tables = []
    for part in PARTS:
        indices = data.indices(part)
        index = pd.Index(indices.tolist(), name="item")
        tables.append(pd.DataFrame({"class": data.table(indices)["class"].to_numpy(), "part": part}, index=index))
    return pd.concat(tables)


def few_labels(target: IndexedImages, truth: pd.DataFrame, what: What, run: Run) -> pd.DataFrame:
    """Class and part of every item, the training part being those few whose label is known; kept in a table."""
    few = FewLabels(target, what["labels"], what["seed"])
    few.report("labels")
    run.save_table("labelled", few.labelled())
    unlabelled = (truth["part"] == "train") & ~truth.index.isin(few.indices("train").tolist())
    return truth.assign(part=truth["part"].mask(unlabelled, "unlabelled"))


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


def trained_images(what: What, target: IndexedImages) -> int:
    """Images that fine-tuning saw, the loggers' x axis."""
    options = what["finetune"]
    if not options["epochs"]:
        return 0
    per_batch = min(options["batch_size"], len(target.indices("train")))
    return options["epochs"] * target.steps_per_epoch(options["batch_size"]) * per_batch
