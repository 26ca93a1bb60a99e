"""``micrographia evaluate``: scores of finished runs, of one or of a whole sweep, and what their latents mean."""

import logging
import re
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from glob import has_magic
from pathlib import Path

import torch
from joblib import Parallel, delayed

from micrographia.console import show_notices
from micrographia.errors import UserError
from micrographia.runs.run import PREVIOUS, How, Run, What, obtain
from micrographia.scores.disentanglement import udr
from micrographia.tasks.assembly import descends
from micrographia.tasks.evaluated import described
from micrographia.tasks.jobs import Job, reason
from micrographia.tasks.scoring import score_run
from micrographia.tasks.sweep import distinguishing_keys, summarise
from micrographia.training.progress import progress_bar
from micrographia.training.show import scores_table

log = logging.getLogger(__name__)

VAES = "micrographia.models.vae."
MOST_PROCESSES = 8  # at once unless more are asked for: each holds a model and its images


def evaluate(what: What, how: How, rerun: bool = False) -> list[Job]:
    """Obtain the evaluations of the run, or of all runs, that ``what["run"]`` names.

    Returns
    -------
    list of Job
        One per run to evaluate, without a run of its own where it failed.
    """
    pattern = what["run"]
    if not has_magic(pattern):
        wanted = described(what, how, Run.named(pattern))
        run = obtain(wanted, how, score_run, rerun)
        scores_table(f"{pattern}: scores of disentanglement", run.table("scores"))
        return [Job((), run, wanted)]
    scored, unreadable = matching_runs(pattern)
    evaluations = evaluate_all(scored, what, how, rerun)
    settings = {key: value for key, value in what.items() if key not in ("task", "run")}
    overrides = distinguishing_keys([run.config for run in scored])
    jobs = [
        Job(tuple(own), evaluation, {**run.config, "evaluation": settings})
        for own, evaluation, run in zip(overrides, evaluations, scored, strict=True)
    ]
    jobs.sort(key=lambda job: [by_number(override) for override in job.overrides])
    jobs += [Job((f"run={folder}",)) for folder in unreadable]
    summarise("evaluate", jobs, further=agreement, common=f"{pattern} {settings}")
    return jobs


def by_number(text: str) -> list[tuple[int, float, str]]:
    """Key to sort texts by, in which numbers stand in their own order.

    Examples
    --------
    >>> sorted(["seed=10", "seed=9", "beta=1"], key=by_number)
    ['beta=1', 'seed=9', 'seed=10']
    """
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(1, float(part), "") if position % 2 else (0, 0.0, part) for position, part in enumerate(parts)]


def matching_runs(pattern: str) -> tuple[list[Run], list[Path]]:
    """Finished runs with a VAE among the paths that a pattern matches; of a run made anew, the present one.

    Returns
    -------
    The runs, and folders of finished runs that cannot be read, of which the log says why.

    Raises
    ------
    UserError
        If there is none.
    """
    path = Path(pattern).expanduser()
    try:
        folders = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except ValueError as error:
        raise UserError(f"run={pattern}: no pattern of paths ({error}).") from error
    finished = [Run(folder) for folder in folders if Run(folder).finished and folder.suffix != PREVIOUS]
    found, unreadable = [], []
    for run in finished:
        try:
            if holds_vae(run):
                found.append(run)
        except UserError as error:
            log.error("%s", error)
            unreadable.append(run.folder)
    if left := len(finished) - len(found) - len(unreadable):
        log.info("%d of the matching runs hold no VAE, and are left out", left)
    if not found:
        raise UserError(
            f"run={pattern}: no finished run with a VAE among the {len(folders)} paths that match. "
            'Name folders of runs, in quotes, as "run=runs/train/*vae*".'
        )
    return found, unreadable


def holds_vae(run: Run) -> bool:
    """Whether a run trained a VAE, or carried one to a target."""
    config = run.config
    node = config.get("model") or {}
    return config["task"] == "transfer" or (run.weights.exists() and "_target_" in node and descends(node, VAES))


def evaluate_all(scored: Sequence[Run], what: What, how: How, rerun: bool) -> list[Run | None]:
    """Evaluate many runs, several at once in processes of their own; what befalls one leaves the others alone."""
    threads = how["threads"] or torch.get_num_threads()
    processes = min(how["processes"] or min(threads, MOST_PROCESSES), len(scored))
    quiet = {**how, "threads": max(1, threads // processes), "progress": False}
    found: list[Run | None] = [None] * len(scored)
    with progress_bar(how["progress"]) as bar:
        task = bar.add_task("evaluations", total=len(scored), note=f"{processes} at once")
        attempts = (delayed(attempt)(place, run, what, quiet, rerun) for place, run in enumerate(scored))
        try:
            for place, evaluation, mistake in Parallel(processes, return_as="generator_unordered")(attempts):
                found[place] = evaluation
                if mistake:
                    log.error("%s: %s", scored[place].folder, mistake)
                bar.advance(task)
        except BrokenExecutor as error:
            raise UserError(
                "a process that evaluates runs has died, most often for want of memory. Finished evaluations are kept: "
                "start the same command again with how.processes=1."
            ) from error
    return found


def attempt(place: int, scored: Run, what: What, how: How, rerun: bool) -> tuple[int, Run | None, str]:
    """Evaluate one run: its place among others, its evaluation, and why there is none where it failed."""
    show_notices()
    try:
        return place, obtain(described(what, how, scored), how, score_run, rerun), ""
    except Exception as error:  # a GPU without memory, say, or a bug: the other runs are none the worse
        return place, None, reason(error)


def agreement(evaluations: Sequence[Run]) -> dict[str, list[float]]:
    """How far models that differ in their seeds agree with each other (UDR): a value per model, of two and more.

    None where they were scored on different images, as where the data have another seed too.
    """
    if len(evaluations) < 2:
        return {}
    if any(run.config["data"] != evaluations[0].config["data"] for run in evaluations):
        log.info("no UDR of models that were scored on different images: name one set for all, data=...")
        return {}
    codes = {run.folder.name: run.table("codes") for run in evaluations}
    divergences = {run.folder.name: run.table("divergences").set_index("latent")["divergence"] for run in evaluations}
    return {"score/udr": udr(codes, divergences).per_model.tolist()}
