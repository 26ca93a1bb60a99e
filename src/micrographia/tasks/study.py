"""``micrographia study``: every sweep of a study, then its tables and figures."""

import shlex
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from micrographia.console import console, show_notices
from micrographia.durations import time_left
from micrographia.errors import UserError
from micrographia.overrides import is_execution
from micrographia.runs.job_records import FAILED
from micrographia.search_path import check_own_folders, say_shadows, study_files
from micrographia.studies.estimate import seconds_left
from micrographia.studies.expansion import StudyJob, SweepPlan, group_name, plan
from micrographia.studies.reading import find_study, read_study
from micrographia.studies.specification import Budget, Study
from micrographia.studies.state import read_state, save_mistakes, save_state
from micrographia.tasks.composing import print_config, without_show
from micrographia.verbs import FLAGS, MANY

DEFAULT = "smoke"  # budget
RUNS = "how.paths.runs"


def study_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia study NAME|PATH [budget=NAME] [key=value ...] [--dry-run] [--yes]``, or ``study list``.

    Returns
    -------
    The exit status: 2 if a job failed.

    Raises
    ------
    UserError
        If the study, its file, a budget or an override has a mistake.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    arguments, shown = without_show(arguments)
    names = [item for item in arguments if not item.startswith("-") and "=" not in item]
    overrides = [item for item in arguments if "=" in item and not item.startswith("--")]
    if option := next((item for item in arguments if item.startswith("-") and item not in FLAGS["study"]), None):
        raise UserError(f"{option}: study takes {' and '.join(FLAGS['study'])}, budget=NAME and key=value.")
    if len(names) != 1:
        raise UserError(f"study: one study at a time, these are {len(names)}: {', '.join(names) or 'none'}.")
    if names == ["list"]:
        if stray := next((item for item in arguments if item != "list" and not item.startswith("how.")), None):
            raise UserError(f"study list: it takes {RUNS}=FOLDER, and no {stray}.")
        return show_config("list", DEFAULT, []) if shown else list_studies(runs_folder(overrides))
    budget = next((item.partition("=")[2] for item in overrides if item.startswith("budget=")), DEFAULT)
    given = [item for item in overrides if not item.startswith("budget=")]
    if shown:
        return show_config(names[0], budget, given)
    study = find_study(names[0])
    return run_study(study, study.budget(budget), given, *(flag in arguments for flag in FLAGS["study"]))


def show_config(name: str, budget: str, given: Sequence[str]) -> int:
    """Print the overrides with which each sweep of a study would be made."""
    content: dict[str, Any] = {}
    if name != "list":
        study = find_study(name)
        plans = plan(study, study.budget(budget), given)
        content["sweeps"] = {made.name: {"verb": made.verb, "overrides": list(made.overrides)} for made in plans}
    print_config(f"study {name}", content)
    return 0


def overview() -> str:
    """Text of ``micrographia study --help``."""
    return (
        "micrographia study: all sweeps of a study, then its tables and figures\n\n"
        "  micrographia study NAME|PATH [budget=smoke|standard|paper] [key=value ...] [--dry-run] [--yes]\n"
        "  micrographia study list\n\n"
        "budget=NAME  how much is made: smoke (the default) takes minutes on two cores, paper is as published\n"
        "key=value    for all jobs, over what the study says: how.threads=1 hydra/launcher=joblib logger=wandb\n"
        f"--dry-run    print the jobs, how many are done, and how long the others take; make none\n"
        f"--yes        start more than {MANY} jobs\n"
        "--cfg job    print the overrides of each sweep, at the end of the command\n\n"
        "Finished jobs are not made again: after an interruption the same command goes on.\n"
        f"The last line on stdout is the study's folder. Studies: {', '.join(study_files())}."
    )


def run_study(study: Study, budget: Budget, given: Sequence[str], dry: bool = False, yes: bool = False) -> int:
    """Make what is missing of a study, then its result; return the exit status."""
    from micrographia.studies.gathering import check_keys
    from micrographia.studies.result import write_result
    from micrographia.tasks.study_jobs import look_up

    show_notices()
    check_own_folders()
    say_shadows()
    plans = plan(study, budget, given)
    jobs = [job for sweep in plans for job in sweep.jobs]
    folder = folder_of(study, budget, given)
    if len(jobs) > MANY and not yes and not dry:
        refuse_many(study, budget, jobs)
    if len(jobs) > MANY:
        notice(f"study {study.name}: looking which of {len(jobs)} jobs are done")
    for sweep in plans:
        look_up(sweep.jobs)
    check_keys(study, jobs)
    for job in jobs:
        job.before = job.run is not None
    if dry:
        show_jobs(study, budget, jobs)
        print(folder)
        return 0
    about = {"study": study.name, "question": study.question, "budget": budget.name, "file": str(study.file)}
    named = study.name if study_files().get(study.name) == study.file else str(study.file)
    refuse_another(folder, study)
    about["command"] = shlex.join(["micrographia", "study", named, f"budget={budget.name}", *given])
    save_state(folder, about, jobs)
    for sweep in plans:
        make_sweep(study, sweep, folder, about, jobs)
    files = save_mistakes(folder, jobs)
    show_closing(study, plans, jobs, files)
    pages = write_result(study, budget, jobs, folder, about["command"])
    for page in pages:
        notice(str(page))
    if not pages:
        notice(f"study {study.name}: no job is done, so that there is no result")
    elif (logger := logger_of(jobs)).get("_target_"):
        from micrographia.studies.upload import upload_result

        upload_result(folder, about, group_name(study, budget), logger)
    print(folder, flush=True)
    return 2 if any(job.status == FAILED for job in jobs) else 0


def folder_of(study: Study, budget: Budget, given: Sequence[str]) -> Path:
    """Folder of a study's result; of one whose jobs are other ones by the command line, a folder of its own."""
    name = group_name(study, budget)
    if changed := sorted(override for override in given if not is_execution(override.partition("=")[0])):
        name += f"-{sha256(' '.join(changed).encode()).hexdigest()[:8]}"
    return runs_folder(given) / "studies" / name


def refuse_another(folder: Path, study: Study) -> None:
    """Leave the folder of another study of the same name alone; a file that was moved is the same study.

    Raises
    ------
    UserError
        With both files.
    """
    other = Path((read_state(folder) or {}).get("file") or study.file)
    if other.exists() and not other.samefile(study.file):
        raise UserError(
            f"{study.file}: {folder} holds the result of {other}, which has the same name. "
            "Rename one of them, or set how.paths.runs=FOLDER."
        )


def logger_of(jobs: Sequence[StudyJob]) -> Mapping[str, Any]:
    """The logger of a study's jobs, as its first one has it."""
    return next((job.how["logger"] for job in jobs if job.how), {})


def runs_folder(given: Sequence[str]) -> Path:
    """Where runs are kept, by the command line or by default."""
    named = [item.partition("=")[2] for item in given if item.startswith(f"{RUNS}=")]
    return Path(named[-1].strip("'\"") if named else "runs").expanduser()


def refuse_many(study: Study, budget: Budget, jobs: Sequence[StudyJob]) -> None:
    """Stop before many jobs are started by mistake.

    Raises
    ------
    UserError
        With the number of jobs of each sweep.
    """
    names = dict.fromkeys(job.sweep for job in jobs)
    counts = ", ".join(f"{name} {sum(job.sweep == name for job in jobs):,}" for name in names)
    raise UserError(
        f"{study.name} budget={budget.name}: {len(jobs):,} jobs ({counts}), more than {MANY}. "
        "Look at them with --dry-run; start them with --yes."
    )


def make_sweep(study: Study, sweep: SweepPlan, folder: Path, about: dict[str, Any], jobs: Sequence[StudyJob]) -> None:
    """Make what is missing of one sweep, telling of the progress."""
    from micrographia.tasks.study_jobs import look_up, make

    if sweep.of:  # its jobs have an address once what they evaluate is there
        look_up(sweep.jobs)
    title, count = f"study {study.name}, sweep {sweep.name}", len(sweep.jobs)
    left = [job for job in sweep.jobs if not job.run]
    if not left:
        notice(f"{title}: all {count} jobs are done")
        return
    notice(f"{title}: job {count - len(left) + 1} of {count}, {time_left(seconds_left(sweep.jobs))}")

    def said(done: int, seconds: float | None) -> None:
        save_state(folder, about, jobs)
        if done < count:
            notice(f"{title}: job {done + 1} of {count}, {time_left(seconds)}")

    try:
        make(sweep, said)
    finally:
        save_state(folder, about, jobs)


def show_jobs(study: Study, budget: Budget, jobs: Sequence[StudyJob]) -> None:
    """Print each job on stdout, and on stderr how many are done and how long the others take."""
    for job in jobs:
        run = f"  {job.run.folder}" if job.run else ""
        origin = f" of ({' '.join(job.origin.overrides)})" if job.origin else ""
        print(f"{job.status:<6}  {job.sweep}  {job.verb} {shlex.join(job.overrides)}{origin}{run}")
    for obstacle in dict.fromkeys(job.obstacle for job in jobs if job.obstacle):
        count = sum(job.obstacle == obstacle for job in jobs)
        notice(f"{count} of the jobs cannot start: {obstacle}")
    done = sum(job.run is not None for job in jobs)
    seconds = seconds_left(jobs, budget.about)
    left = "nothing left to do" if done == len(jobs) else time_left(seconds)
    if seconds is None:
        left = "unknown how long the others take until the first of each sweep is done"
    notice(f"{study.name}, budget {budget.name}: {done} of {len(jobs)} jobs done, {left}")


def notice(text: str) -> None:
    """A line on stderr; not by the log, which Hydra's launchers take over and give back between jobs."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def show_closing(study: Study, plans: Sequence[SweepPlan], jobs: Sequence[StudyJob], files: dict[int, Path]) -> None:
    """Table on stderr of what became of each sweep's jobs; below it each that failed, why, and its file."""
    from rich.table import Table

    table = Table(title=f"study {study.name}", title_justify="left")
    for column in ("sweep", "done", "finished before", "failed"):
        table.add_column(column, justify="left" if column == "sweep" else "right")
    for sweep in plans:
        before = sum(job.before for job in sweep.jobs)
        done = sum(job.run is not None for job in sweep.jobs) - before
        table.add_row(sweep.name, str(done), str(before), str(sum(job.status == FAILED for job in sweep.jobs)))
    console.print(table)
    for place, file in files.items():
        job = jobs[place]
        why = job.mistake.splitlines()[-1] if job.mistake.startswith("Traceback") else job.mistake
        notice(f"failed: {job.sweep}: {' '.join(job.overrides)}\n  {why}\n  {file}")


def list_studies(runs: Path) -> int:
    """Print each study that ships with its question, and below it what was begun, at whichever budget and settings."""
    budgets: dict[str, None] = {}
    for name, file in study_files().items():
        study = read_study(file)
        budgets |= dict.fromkeys(study.budgets)
        print(f"{name:<28}{study.question}  ({study.source})")
        for folder in sorted((runs / "studies").glob(f"{name}-*")):
            state = read_state(folder)
            if state and state["study"] == name:
                done = sum(job["status"] == "done" for job in state["jobs"])
                print(f"  {folder}: {done} of {len(state['jobs'])} jobs done")
    notice(f"Budgets: {', '.join(budgets)}. What was begun stands below its study.")
    return 0
