"""Hydra's launchers, held to an answer of every job, whatever becomes of its worker."""

import itertools
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from filelock import FileLock, Timeout
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from joblib import cpu_count, effective_n_jobs

from micrographia.errors import UserError
from micrographia.tasks.answers import Answers
from micrographia.tasks.jobs import Job, JobRunner

log = logging.getLogger(__name__)

Batch = Mapping[int, Sequence[str]]  # overrides of jobs, by number

held_devices: list[FileLock] = []  # of this process, until it ends


def spread(hydra: Hydra, verb: str, overrides: Sequence[str], runner: JobRunner) -> list[list[Job]]:
    """Do what Hydra's own multirun does, with a launcher that answers for every job.

    Parameters
    ----------
    overrides
        Of the command; several values of a key are a job each.
    runner
        What makes the runs of a job.

    Returns
    -------
    list of list of Job
        What each job of the sweep has made.
    """
    config = hydra.compose_config(verb, list(overrides), RunMode.MULTIRUN, with_log_configuration=True)
    if (folder := str(config.hydra.sweep.dir)).startswith("~"):  # Hydra would make a folder of that name
        overrides = [*overrides, f"hydra.sweep.dir='{Path(folder).expanduser()}'"]
        config = hydra.compose_config(verb, overrides, RunMode.MULTIRUN, with_log_configuration=True)
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=verb)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    sweeper = Plugins.instance().instantiate_sweeper(config=config, hydra_context=context, task_function=runner)
    given = list(config.hydra.overrides.task)
    runner.swept = tuple(dict.fromkeys([*runner.swept, *swept_keys(given)]))
    with ExitStack() as stack:
        # Its class is told by its name, since Hydra loads plugins anew. With it no process but this one can die.
        if sweeper.launcher and type(sweeper.launcher).__name__ != "BasicLauncher":
            answers = Answers(Path(config.hydra.sweep.dir).absolute() / uuid4().hex)
            stack.callback(answers.remove)
            sweeper.launcher = AnsweringLauncher(sweeper.launcher, config.hydra.launcher, runner, answers)
            stack.enter_context(redirect_stdout(sys.stderr))  # Ray shows there what its processes print
            stack.callback(end_ray)
        batches = sweeper.sweep(arguments=given)
    callbacks.on_multirun_end(config=config, config_name=verb)
    return [job.return_value for batch in batches for job in batch]


def swept_keys(overrides: Sequence[str]) -> tuple[str, ...]:
    """Keys of the overrides that have several values.

    Examples
    --------
    >>> swept_keys(["seed=0,1", "model.beta=4", "+data.fixed.Color=1,2", "data.channels=[0,1]"])
    ('seed', 'data.fixed.Color')
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return tuple(override.get_key_element().lstrip("+") for override in parsed if override.is_sweep_override())


def end_ray() -> None:
    """Leave Ray, where its launcher has started or joined it, which else goes on printing."""
    if ray := sys.modules.get("ray"):
        ray.shutdown()


class AnsweringLauncher(Launcher):
    """A launcher that returns something of every job: what it has made, or that its worker died.

    Where the death of one worker ends the others (joblib), jobs that were cut short are started once more, each alone,
    so that the one at fault is told from the rest; then those follow that had not been started.

    Parameters
    ----------
    launcher
        The plugin's.
    settings
        Its configuration, ``hydra.launcher``.
    runner
        What makes the runs of a job.
    answers
        Where jobs leave theirs.
    """

    def __init__(self, launcher: Launcher, settings: Mapping[str, Any], runner: JobRunner, answers: Answers):
        self.launcher = launcher
        self.settings = settings
        self.runner = runner
        self.answers = runner.answers = answers
        self.returned: dict[int, JobReturn] = {}
        self.errors: dict[int, Exception] = {}  # why the launcher returned nothing

    def setup(self, **given: Any) -> None:
        """Set up the plugin's launcher, as Hydra does."""
        self.launcher.setup(**given)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Launch a batch of jobs, as Hydra's sweepers ask for."""
        batch: Batch = dict(enumerate(job_overrides, initial_job_idx))
        self.runner.shares_devices = self.is_named("JoblibLauncher")
        waiting = batch
        while waiting:
            self.attempt(waiting)
            missing = {number: job for number, job in waiting.items() if number not in self.returned}
            if missing.keys() == batch.keys() and not any(map(self.begun, missing.values())):
                raise UserError(f"hydra/launcher: no job could be started. {reason(self.errors[initial_job_idx])}")
            if self.is_named("LocalLauncher", "SlurmLauncher"):  # jobs of submitit die each for itself
                break
            cut_short = {number: job for number, job in missing.items() if self.begun(job)}
            for number, job in cut_short.items():
                log.warning("job %d was cut short by the death of a worker: it is started once more, alone", number)
                self.attempt({number: job})
            if len(missing) - len(cut_short) == len(waiting):
                break
            waiting = {number: job for number, job in missing.items() if number not in cut_short}
        return [self.returned.get(number) or self.lost(number, job) for number, job in batch.items()]

    def attempt(self, batch: Batch) -> None:
        """Let the plugin launch jobs, and gather what they have made, also if it raises."""
        try:
            self.runner.threads = threads_of_each(self.settings, len(batch))
            with patient_submitit() if self.is_named("LocalLauncher", "SlurmLauncher") else nullcontext():
                found: Sequence[Any] = self.launcher.launch(list(batch.values()), min(batch))
        except Exception as error:  # whatever a plugin raises
            found = [error] * len(batch)
        for (number, job), result in zip(batch.items(), found, strict=True):
            made = self.answers.of(task_overrides(job))
            if isinstance(result, JobReturn) and result.status is JobStatus.COMPLETED:
                self.returned[number] = result
            elif made is not None:
                self.returned[number] = JobReturn(status=JobStatus.COMPLETED, _return_value=made)
            else:
                self.errors[number] = result._return_value if isinstance(result, JobReturn) else result

    def begun(self, job: Sequence[str]) -> bool:
        """Whether a job was started."""
        return self.answers.log(task_overrides(job)) is not None

    def lost(self, number: int, job: Sequence[str]) -> JobReturn:
        """What is returned of a job whose worker died."""
        overrides = task_overrides(job)
        what = (
            "its worker died; the same command goes on from its last checkpoint" if self.begun(job) else "not started"
        )
        mistake = f"{what}. {reason(self.errors[number])}"
        answer = [Job(tuple(overrides), mistake=mistake, log=self.answers.log(overrides))]
        return JobReturn(status=JobStatus.COMPLETED, _return_value=answer)

    def is_named(self, *classes: str) -> bool:
        """Whether the plugin's launcher is of one of the named classes."""
        return type(self.launcher).__name__ in classes


def task_overrides(job: Sequence[str]) -> list[str]:
    """Overrides of a job, as it knows them itself."""
    return list(filter_overrides(job))


def reason(error: Exception) -> str:
    """What kind of error a plugin raised, and its first sentence."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def threads_of_each(launcher: Mapping[str, Any], jobs: int) -> int | None:
    """CPU threads of each of a launcher's jobs, unless ``how.threads`` says; None leaves torch's choice.

    Parameters
    ----------
    launcher
        Its configuration.
    jobs
        How many it is given.

    Examples
    --------
    >>> threads_of_each({"_target_": "SlurmLauncher", "cpus_per_task": 4}, 100)
    4
    """
    name = launcher["_target_"].rpartition(".")[2]
    if launcher.get("cpus_per_task"):
        return int(launcher["cpus_per_task"])
    if "OMP_NUM_THREADS" in os.environ or name not in ("JoblibLauncher", "LocalLauncher"):
        return None  # the user has chosen, or the cluster does
    at_once = effective_n_jobs(launcher["n_jobs"]) if name == "JoblibLauncher" else jobs
    return max(1, cpu_count() // min(at_once, jobs))


@contextmanager
def patient_submitit() -> Iterator[None]:
    """Let submitit's launcher wait for all of its jobs, while it would give up at the first that has no result."""
    from submitit import Job as Submitted

    results = Submitted.results

    def results_or_error(job: Any) -> list[Any]:
        try:
            return results(job)
        except Exception as error:
            return [error]

    with patch.object(Submitted, "results", results_or_error):
        yield


def take_device(folder: Path) -> None:
    """Let this process see one of the machine's GPUs alone, another one than the processes beside it.

    Parameters
    ----------
    folder
        That these processes have in common.
    """
    import torch

    if held_devices:
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = list(map(str, range(torch.cuda.device_count()))) if visible is None else visible.split(",")
    if len(devices) < 2:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for place in itertools.count():  # there may be more processes than devices
        lock = FileLock(folder / f"worker-{place}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        held_devices.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
        return
