"""``micrographia transfer``: a source model carried to target images, fine-tuned there, and read by probes."""

import copy
import logging
from functools import partial
from typing import Any

import pandas as pd
import torch

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages, spread, unit_range
from micrographia.devices.obtaining import obtain_together
from micrographia.errors import UserError, within
from micrographia.interpretation.open_set import finetuning_data
from micrographia.interpretation.projections import require_packages
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import Network
from micrographia.models.vae.vae import VAE
from micrographia.plots.curves import curves_figure
from micrographia.plots.images import contact_sheet
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.scores.naming import lost_names
from micrographia.tasks.assembly import build_data, load_vae, source_run
from micrographia.tasks.evaluated import unseen_classes
from micrographia.tasks.interpreting import images_of_source, interpret, questions_of
from micrographia.tasks.meaning import name_latents
from micrographia.tasks.model_card import write_card
from micrographia.tasks.probing import check_probes
from micrographia.training.fit import device_of, fit
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.show import transfer_table

log = logging.getLogger(__name__)

BRIGHT = 0.6  # of white, beyond which a ground is bright; less than the rest of it is dark


def transfer(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a transfer config: read back, resumed or made."""
    return write_card(obtain_together(what, how, carry_over, rerun))


def carry_over(what: What, how: How, run: Run) -> Metrics:
    """Fine-tune the source on the target, say what the latents mean before and after, and classify from them."""
    check_probes(what["probes"])
    require_packages(what["interpretation"])
    source = source_run(what["source"], how)
    target = target_data(what, how, source)
    questions = questions_of(target, what)
    learned = finetuning_data(target, questions.left_out, what["open_set"])
    factors = known_factors(source, what, how)
    draw_samples(target, run)
    if what["data"].get("invert") is False and factors is not None:
        notice_ground(target, factors)
    scores: Metrics = {}
    with opened_loggers(how, run, what) as loggers:
        models = {"before": load_vae(source, how, "source.run")}
        if what["finetune"]["epochs"]:
            models["after"] = finetune(models["before"], learned, what, how, run, loggers)
            scores = rename_latents(models["before"], models["after"], factors, what, run)
        metrics = interpret(models, questions, unseen_classes(what), what, how, run) | scores
        record = target.record()
        if questions.labelled is not None:
            record["labelled"] = questions.labelled.counts()
        run.save_record("data", record)
        log_results(loggers, run, metrics, trained_images(what, learned))
    transfer_table(what["name"], record, metrics)
    return metrics


def target_data(what: What, how: How, source: Run) -> IndexedImages:
    """Target images with classes, as the source takes them."""
    config = source.config
    if config.get("task") != "train":
        raise UserError(f"source.run: {source.folder} is a {config.get('task')} run. Name the folder of a train run.")
    data = images_of_source(what, how, source)
    if not data.classes:
        raise UserError(
            f"data {data.name}: transfer needs classes. Put the images into one folder per class, or set data.table."
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


def notice_ground(target: IndexedImages, known: IndexedImages) -> None:
    """Say that the target shows dark objects on bright ground, where the source has learned bright ones on dark."""
    if len(target.shape) != 3 or len(known.shape) != 3:
        return
    bright, dark = (ground(data) for data in (target, known))
    if bright > BRIGHT > 1 - BRIGHT > dark:
        log.warning(
            "%s: its images are bright at their borders (%.2f of white), those of %s dark (%.2f): latents may "
            "say little of them. data.invert=true turns them round; figures/samples.png shows what the model sees.",
            *(target.name, bright, known.name, dark),
        )


def ground(data: IndexedImages, count: int = 64) -> float:
    """Median along the borders of some training images, 0 black to 1 white."""
    images = unit_range(data.images(spread(data.indices("train"), count)))
    rows = torch.cat([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], -1)
    return float(rows.median())


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


def trained_images(what: What, target: IndexedImages) -> int:
    """Images that fine-tuning saw, the loggers' x axis."""
    options = what["finetune"]
    if not options["epochs"]:
        return 0
    per_batch = min(options["batch_size"], len(target.indices("train")))
    return options["epochs"] * target.steps_per_epoch(options["batch_size"]) * per_batch
