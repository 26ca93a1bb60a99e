"""One finished run: scores of its model's codes of images whose factors are known, and what they mean on a target."""

import logging
from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.progress import Progress, TaskID

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages, spread, unit_range
from micrographia.errors import UserError
from micrographia.interpretation.measured import measure_images
from micrographia.interpretation.projections import require_packages
from micrographia.interpretation.traversals import moved_features
from micrographia.models.vae.objectives import kl_to_standard
from micrographia.models.vae.vae import VAE
from micrographia.plots.scores import matrix_figure, scores_figure
from micrographia.pretrained import run_folder
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.scores.disentanglement import DCI, Score
from micrographia.scores.disentanglement.dci import DCI_SCORES
from micrographia.scores.disentanglement.mvg import distinct_traits
from micrographia.scores.disentanglement.omes import OMES
from micrographia.tasks.assembly import encode
from micrographia.tasks.evaluated import load_phases, training_of, unseen_classes
from micrographia.tasks.interpreting import Questions, images_of_source, interpret, questions_of
from micrographia.tasks.probing import check_probes
from micrographia.training.interventions import CHUNK, EncodedImages
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.progress import WorkProgress, progress_bar

log = logging.getLogger(__name__)

DIVERGENCE_SAMPLES = 1000  # images that tell how far a latent's posterior is from the prior
Result = Score | DCI | OMES
# What a score may take, by the name of its argument; further ones are settings.
INPUTS = ("codes", "factors", "sampler", "source", "models", "moved", "real")


def score_run(what: What, how: How, run: Run) -> Metrics:
    """Score what a run's codes tell of known factors and, where it is asked for, say what they mean on a target."""
    nodes = chosen_scores(what)
    scored = Run(run_folder(what["run"]))
    training = training_of(scored, how)
    questions = asked(what, how, scored, training)
    models = load_phases(scored, what["latents"], how)
    data = images_of_source(what, how, training)
    with opened_loggers(how, run, what) as loggers:
        metrics = score(models[list(models)[-1]], data, nodes, what, how, run)
        if questions is not None:
            metrics |= interpret(models, questions, unseen_classes(scored.config), what, how, run)
        log_results(loggers, run, metrics, 0)
    return metrics


def asked(what: What, how: How, scored: Run, training: Run) -> Questions | None:
    """What is asked of the images that the latents are to be interpreted on; None where they are not to be.

    Raises
    ------
    UserError
        If it cannot be answered.
    """
    if what["target"] is None:
        return None
    check_probes(what["probes"])
    require_packages(what["interpretation"])
    excluded = what["open_set"]["exclude_from_finetuning"]
    if excluded and scored is not training and not unseen_classes(scored.config):
        raise UserError(
            f"open_set.exclude_from_finetuning: {scored.folder} is finished. Leave it out, or make a transfer with it."
        )
    return questions_of(images_of_source({**what, "data": what["target"]}, how, training), what)


def score(
    model: VAE, data: IndexedImages, nodes: Mapping[str, Mapping[str, Any]], what: What, how: How, run: Run
) -> Metrics:
    """Encode images with known factors, and score what the codes tell of the factors."""
    with progress_bar(how["progress"]) as bar:
        task = bar.add_task("encoding", total=len(nodes), note="")
        given = inputs_of_scores(model, data, what, Watched(bar, task))
        if "mvg" in nodes:
            given |= measured_inputs(model, data, what["interpretation"], how)
        results: dict[str, Result] = {}
        for name, node in nodes.items():
            bar.update(task, description=name)
            if (result := compute(node, name, given, what)) is not None:
                results[name] = result
            bar.advance(task)
    if not results:
        raise UserError(f"scores: none of {', '.join(nodes)} can be had on data {data.name}.")

    table = run.save_table("scores", pd.concat([summary(name, each) for name, each in results.items()]))
    save_parts(results, dict(zip(table["score"], table["value"], strict=True)), run)
    for name in ("codes", "factors", "divergences"):
        if name in given:
            run.save_table(name, given[name])
    run.save_record("settings", {name: result.settings for name, result in results.items()})
    metrics = {f"score/{row['score']}": row["value"] for row in table.to_dict("records")}
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def chosen_scores(what: What) -> dict[str, Mapping[str, Any]]:
    """The scores that are asked for, each as its config.

    Raises
    ------
    UserError
        If a name is no score's, or what stands under it no settings.
    """
    scores = {name: node for name, node in what["scores"].items() if node is not None}
    names = list(scores) if what["only"] is None else what["only"]
    names = [names] if isinstance(names, str) else names
    if not names:
        raise UserError(f"only: no score is named. There are: {', '.join(scores)}.")
    if unknown := [name for name in names if name not in scores]:
        raise UserError(f"only: no score {unknown[0]}. There are: {', '.join(scores)}.")
    if odd := [name for name in names if not isinstance(scores[name], Mapping)]:
        raise UserError(f"scores.{odd[0]}={scores[odd[0]]}: expected the score's settings, or null for none.")
    return {name: scores[name] for name in names}


class Watched:
    """Callback with the number of items just encoded, which shows on a progress bar how many there have been."""

    def __init__(self, bar: Progress, task: TaskID):
        self.bar, self.task, self.items = bar, task, 0

    def __call__(self, count: int) -> None:
        """Count some more items."""
        self.items += count
        self.bar.update(self.task, note=f"{self.items:,} images encoded")


def inputs_of_scores(model: VAE, data: IndexedImages, what: What, watched: Watched) -> dict[str, Any]:
    """Codes and factors of sampled images, and the sampler; of a set without known factors, codes of test images."""
    if not data.intervenable:
        log.info("data %s has no known factors: only scores that need none are computed", data.name)
        indices = spread(data.indices("test"), what["samples"])
        codes = encode(model, data, indices, model.latent_names)
        divergences = latent_divergences(model, data.chunks(spread(indices, DIVERGENCE_SAMPLES)))
        return {"codes": codes.reset_index(drop=True), "divergences": divergences}
    world = EncodedImages(model, data, watched)
    drawn = world.draw(what["samples"], np.random.default_rng(what["seed"]))
    codes = world.encode(drawn).reset_index(drop=True)
    items = unit_range(data.of_factors(drawn.iloc[:DIVERGENCE_SAMPLES])).split(CHUNK)
    return {
        "codes": codes,
        "factors": drawn.reset_index(drop=True),
        "divergences": latent_divergences(model, items),
        "sampler": world,
        "source": world,
    }


@torch.no_grad()
def measured_inputs(model: VAE, data: IndexedImages, settings: Mapping[str, Any], how: How) -> dict[str, Any]:
    """Features of real images, and of those decoded while each latent moves; nothing where features are decoded."""
    quiet = {**how, "progress": False}  # the bar of all scores is there already
    measured = None
    if model.network.of_images:
        measured = measure_images(data, settings["images"], quiet, kinds=settings["features"])
    if measured is None or not settings["traversals"] or not distinct_traits(measured.table, measured.periods):
        log.info("nothing of data %s can be decoded and measured: no measured variance gap", data.name)
        return {}
    codes = encode(model, data, torch.tensor(measured.table.index.to_list()), model.latent_names)
    progress = WorkProgress("", visible=False)
    moved = moved_features(model, codes, measured, settings["traversals"], settings["steps"], progress)
    return {"moved": moved, "real": measured.table, "periods": measured.periods}


@torch.no_grad()
def latent_divergences(model: VAE, chunks: Iterable[torch.Tensor]) -> pd.DataFrame:
    """A row per ``latent``: ``divergence``, the mean KL divergence of its posterior from the prior, in nats."""
    parts = [kl_to_standard(*model.encode(chunk.to(model.device))).cpu() for chunk in chunks]
    return pd.DataFrame({"latent": model.latent_names, "divergence": torch.cat(parts).mean(0).numpy()})


def compute(node: Mapping[str, Any], name: str, given: Mapping[str, Any], what: What) -> Result | None:
    """One score with its configured settings; None where what it takes is not there.

    Raises
    ------
    UserError
        If the score refuses its settings or the codes, or returns something else.
    """
    known = {"n_bootstrap": what["bootstrap"], "seed": what["seed"], "threads": torch.get_num_threads()}
    known |= {key: given[key] for key in ("periods",) if key in given}
    score = instantiate(node, f"scores.{name}")
    parameters = signature(score).parameters
    needed = [parameter for parameter in parameters if parameter in INPUTS]
    if not all(parameter in given for parameter in needed):
        return None
    settings = {key: value for key, value in known.items() if key in parameters and key not in node}
    try:
        result = score(*(given[parameter] for parameter in needed), **settings)
    except ValueError as error:
        raise UserError(f"scores.{name}: {error}.") from error
    if not isinstance(result, Result):
        raise UserError(
            f"scores.{name}: {node['_target_']} returns {type(result).__name__}. A score returns a Score of "
            "micrographia.scores.disentanglement."
        )
    return result


def summary(name: str, result: Result) -> pd.DataFrame:
    """A row per number of a result: ``score``, ``value``, ``low``, ``high`` (NaN without resamples), ``undefined``."""
    parts = {"score": name}
    if isinstance(result, DCI):
        parts = {part: f"{name}_{part}" for part in DCI_SCORES}
    unknown = pd.DataFrame(np.nan, index=list(parts), columns=["low", "high"])
    intervals = unknown if result.intervals is None else result.intervals
    rows = [
        {"score": label, "value": float(getattr(result, part)), **intervals.loc[part]} for part, label in parts.items()
    ]
    return pd.DataFrame(rows).assign(undefined=getattr(result, "undefined", ""))


def save_parts(results: Mapping[str, Result], values: Mapping[str, float], run: Run) -> None:
    """Keep parts per factor and per latent as two tables, matrices as tables and figures, and draw the factors' parts.

    Parameters
    ----------
    values
        The scores by the names that the table gives them.
    """
    for side in ("factor", "latent"):
        parts = [
            pd.DataFrame(getattr(result, f"per_{side}"))
            .rename_axis(side)
            .melt(ignore_index=False, var_name="part")
            .reset_index()
            .assign(score=name)
            for name, result in results.items()
            if len(getattr(result, f"per_{side}"))
        ]
        if parts:
            run.save_table(f"per_{side}", pd.concat(parts)[["score", side, "part", "value"]])
    for name, result in results.items():
        run.save_table(f"matrix_{name}", result.matrix, index=True)
        run.save_figure(f"matrix_{name}", matrix_figure(result.matrix, name))
    if any(len(result.per_factor) for result in results.values()):
        per_factor = {name: result.per_factor for name, result in results.items()}
        run.save_figure("scores", scores_figure(per_factor, values))
