"""The jobs of a study: which are done, and making those that are not."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from micrographia.errors import UserError
from micrographia.hydra_messages import explain, explained, is_mistake
from micrographia.presets import check_presets
from micrographia.runs.run import How, Run, What, addressed_run
from micrographia.schema import check_run
from micrographia.studies.composition import Composer
from micrographia.studies.expansion import StudyJob, SweepPlan, expand, products, swept_keys
from micrographia.tasks.jobs import Job, reason, run_jobs

LOOK_EVERY = 2.0  # seconds between two looks at which runs are finished
Said = Callable[[int, float | None], None]


def look_up(jobs: Sequence[StudyJob]) -> None:
    """Compose each job, and find its run; an evaluation of a run that is not there waits.

    Raises
    ------
    UserError
        With the sweep, if a job's overrides do not fit its verb.
    """
    composers: dict[str, Composer] = {}
    for job in jobs:
        if job.origin and not job.origin.run:
            continue
        compose = composers.setdefault(job.verb, Composer(job.verb))
        overrides = launched(job)
        try:
            with explained(job.verb, overrides):
                check_presets(job.verb, overrides)
                job.what, job.how = compose(overrides)
                check_run({**job.what, "how": job.how})
        except UserError as error:
            raise UserError(f"sweep {job.sweep}: {error}") from error
        try:
            job.place, job.obstacle = place_of(job.verb, job.what, job.how), ""
        except UserError as error:
            job.obstacle = str(error)


def launched(job: StudyJob) -> tuple[str, ...]:
    """Overrides with which a job is launched: with the run that it evaluates, if any."""
    return (*job.overrides, f"run='{job.origin.run.folder}'") if job.origin and job.origin.run else job.overrides


def place_of(verb: str, what: What, how: How) -> Run:
    """The run of a job, finished or not."""
    if verb == "evaluate":
        from micrographia.tasks.evaluated import described

        what = described(what, how, Run.named(what["run"]))
    return addressed_run(what, how)


def make(plan: SweepPlan, said: Said) -> None:
    """Run those jobs of a sweep that are not done, in as few of Hydra's multiruns as there can be.

    A launcher that dies, as for want of memory, leaves mistakes; those of its jobs that are done are done.

    Parameters
    ----------
    said
        Called with the number of jobs that are done, and the seconds left, whenever one more is.
    """
    for job in plan.jobs:
        if job.origin and not job.origin.run:
            job.mistake = f"the run of sweep {job.origin.sweep} that it evaluates has failed."
    left = [job for job in plan.jobs if not job.run and not (job.origin and not job.origin.run)]
    answers: dict[tuple[str, ...], Job] = {}
    with watched(left, len(plan.jobs) - len(left), said):
        for overrides in products([launched(job) for job in left]):
            try:
                returned = run_jobs(plan.verb, [*overrides, *plan.hydra], sweeping=True, swept=swept_keys(plan.jobs))
                answers |= {job.overrides: job for job in returned}
            except Exception as error:  # Hydra's for an unknown launcher is an OSError, too
                told = explain(error, plan.verb, overrides) if is_mistake(error) else reason(error)
                answers |= {job: Job(job, mistake=told) for job in expand(overrides)}
    look_up(left)
    for job in left:
        answer = answers.get(launched(job), Job(job.overrides))
        job.log = answer.log
        if not job.run:
            job.mistake = answer.mistake or job.obstacle or "ended without a result, and said nothing."


@contextmanager
def watched(jobs: Sequence[StudyJob], before: int, said: Said, every: float = LOOK_EVERY) -> Iterator[None]:
    """Look now and then which of the jobs' runs are finished, by whichever process.

    Parameters
    ----------
    before
        Jobs of the sweep that are not among these.
    said
        As of `make`.
    """
    over = threading.Event()
    started = time.monotonic()

    def look() -> None:
        shown = 0
        while not over.wait(every):
            done = sum(job.run is not None for job in jobs)
            if done > shown:
                shown = done
                with suppress(UserError):  # a full disk, say: whoever waits for the jobs is told, too
                    said(before + done, (time.monotonic() - started) / done * (len(jobs) - done))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
