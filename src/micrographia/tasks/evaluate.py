"""``micrographia evaluate``: scores of disentanglement of finished runs, of one or of a whole sweep."""

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from glob import has_magic
from multiprocessing import get_context
from pathlib import Path

import torch

from micrographia.console import show_notices
from micrographia.errors import UserError
from micrographia.runs.run import How, Run, What, obtain
from micrographia.scores.disentanglement import udr
from micrographia.tasks.scoring import score_run
from micrographia.tasks.sweep import Job, distinguishing_keys, summarise
from micrographia.training.progress import progress_bar
from micrographia.training.show import scores_table

log = logging.getLogger(__name__)

MOST_PROCESSES = 8  # at once unless more are asked for: each holds a model and its images


def evaluate(what: What, how: How, rerun: bool = False) -> list[Job]:
    """Obtain the evaluations of the run, or of all runs, that ``what["run"]`` names.

    Returns
    -------
    list of Job
        One per evaluated run, without a run of its own where it failed.
    """
    scored = matching_runs(what["run"])
    wanted = [{**what, "name": run.config["name"], "run": str(run.folder)} for run in scored]
    if len(wanted) == 1:
        run = obtain_scores(wanted[0], how, rerun)
        scores_table(f"{scored[0].folder}: scores of disentanglement", run.table("scores"))
        return [Job((), run, wanted[0])]
    evaluations = evaluate_all(wanted, how, rerun)
    overrides = distinguishing_keys([run.config for run in scored])
    settings = {key: value for key, value in what.items() if key not in ("task", "run")}
    jobs = [
        Job(tuple(own), evaluation, {**run.config, "evaluation": settings})
        for own, evaluation, run in zip(overrides, evaluations, scored, strict=True)
    ]
    jobs.sort(key=lambda job: job.overrides)
    summarise("evaluate", jobs, further=agreement)
    return jobs


def matching_runs(pattern: str) -> list[Run]:
    """The run of that name, or the finished runs with a VAE among those that a pattern matches.

    Raises
    ------
    UserError
        If there is none.
    """
    if not has_magic(pattern):
        return [Run.named(pattern)]
    path = Path(pattern).expanduser()
    folders = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    finished = [Run(folder) for folder in folders if Run(folder).finished]
    found = [run for run in finished if holds_vae(run)]
    if left := len(finished) - len(found):
        log.info("%d of the matching runs hold no VAE, and are left out", left)
    if not found:
        raise UserError(
            f"run={pattern}: no finished run with a VAE among the {len(folders)} paths that match. "
            'Name folders of runs, in quotes, as "run=runs/train/*vae*".'
        )
    return found


def holds_vae(run: Run) -> bool:
    """Whether a run trained a VAE, or fine-tuned one."""
    config = run.config
    target = str((config.get("model") or {}).get("_target_"))
    return run.weights.exists() and (config["task"] == "transfer" or target.startswith("micrographia.models.vae."))


def evaluate_all(wanted: Sequence[What], how: How, rerun: bool) -> list[Run | None]:
    """Evaluate many runs, several at once in processes of their own; a mistake in one leaves the others alone."""
    threads = how["threads"] or torch.get_num_threads()
    processes = min(how["processes"] or min(threads, MOST_PROCESSES), len(wanted))
    quiet = {**how, "threads": max(1, threads // processes), "progress": False}
    found: list[Run | None] = [None] * len(wanted)
    # Started afresh: a forked process would inherit torch's threads in whatever state they are.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=show_notices)
    with progress_bar(how["progress"]) as bar:
        task = bar.add_task("evaluations", total=len(wanted), note=f"{processes} at once")
        begun = {pool.submit(obtain_scores, what, quiet, rerun): place for place, what in enumerate(wanted)}
        try:
            for future in as_completed(begun):
                place = begun[future]
                try:
                    found[place] = future.result()
                except (UserError, OSError) as error:
                    log.error("%s: %s", wanted[place]["run"], error)
                bar.advance(task)
        finally:
            pool.shutdown(cancel_futures=True)
    return found


def obtain_scores(what: What, how: How, rerun: bool) -> Run:
    """Obtain the evaluation of one run."""
    return obtain(what, how, score_run, rerun)


def agreement(evaluations: Sequence[Run]) -> dict[str, list[float]]:
    """How far models that differ in their seeds agree with each other (UDR), of each of two or more."""
    if len(evaluations) < 2:
        return {}
    codes = {run.folder.name: run.table("codes") for run in evaluations}
    return {"score/udr": udr(codes).per_model.tolist()}
