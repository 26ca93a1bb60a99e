"""The jobs of one command: composed by Hydra, spread by whichever launcher, and what each of them has made."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from micrographia.config import HYDRA_SETTINGS
from micrographia.console import show_notices
from micrographia.errors import UserError, answer
from micrographia.overrides import is_execution
from micrographia.runs.address import check_effect, split_config
from micrographia.runs.environment import commanded
from micrographia.runs.job_records import DONE, FAILED
from micrographia.runs.run import Run
from micrographia.schema import check_apart, check_run
from micrographia.search_path import (
    check_own_folders,
    hydra_initialized,
    looking_in,
    make_importable,
    own_folders,
)
from micrographia.tasks.answers import Answers
from micrographia.tasks.job_log import LogFile, log_file, logged
from micrographia.verbs import recipe_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

PROCESS = uuid4().hex  # tells this process from those that a launcher starts, on whichever machine


@dataclass(frozen=True)
class Job:
    """One job of a command.

    Parameters
    ----------
    overrides
        What the command line says of it.
    run
        The run that it made or found; None if it failed.
    what
        What that run is.
    mistake
        Why there is none.
    log
        Its log file, where it is one of a sweep.
    """

    overrides: tuple[str, ...]
    run: Run | None = None
    what: Mapping[str, Any] | None = None
    mistake: str = ""
    log: Path | None = None

    @property
    def choices(self) -> dict[str, str]:
        """Values of the overrides that say what the run is, by key."""
        pairs = [override.lstrip("+").partition("=") for override in self.overrides]
        return {key: value for key, _, value in pairs if not is_execution(key)}

    @property
    def status(self) -> str:
        """Where it stands."""
        return DONE if self.run else FAILED


def run_jobs(
    verb: str,
    overrides: Sequence[str],
    sweeping: bool = False,
    swept: Sequence[str] = (),
    quiet: bool = False,
) -> list[Job]:
    """Make each run of a command; what befalls one job leaves the others alone.

    Parameters
    ----------
    verb
        Whose config is composed.
    overrides
        Those of the command.
    sweeping
        Several values of a key are a job each (``-m``), which ``hydra/launcher`` spreads.
    swept
        Keys that tell the jobs from others beside those that have several values here, as where these jobs are what an
        interrupted sweep has left.
    quiet
        Leave it to the caller to say where the runs are, and why the only job has failed.

    Returns
    -------
    list of Job
        In the order of the sweep. The folder of each run is printed on stdout.
    """
    from hydra.core.utils import setup_globals

    from micrographia.tasks.launching import spread

    setup_globals()
    given = [*HYDRA_SETTINGS, *overrides]
    with hydra_initialized(f"micrographia {verb}") as hydra:
        check_own_folders()
        runner = JobRunner(verb, sweeping, tuple(swept), quiet, own_folders=tuple(own_folders()))
        if not sweeping:
            return list(hydra.run(verb, runner, given).return_value)
        returned = spread(hydra, verb, given, runner)
    for jobs in returned:
        if not quiet and not any(jobs is made for made in runner.made):  # they were run in another process
            print_folders(jobs)
    return [job for jobs in returned for job in jobs]


@dataclass
class JobRunner:
    """What Hydra calls for each job, here or, pickled, in a process of a launcher.

    Parameters
    ----------
    verb
        Of the command.
    sweeping
        A job has a log, and a bug in it, too, leaves the others alone.
    swept
        Keys that name its log.
    quiet
        The caller says where the runs are, and why the only job has failed.
    answers
        Where jobs in other processes leave what they have made.
    threads
        CPU threads of a job that names none.
    shares_devices
        Several processes share the machine's GPUs.
    process, folder
        That the command was given in.
    own_folders
        The user's config folders, which a launcher's processes may not know of.
    made
        What the jobs in this process have made.
    """

    verb: str
    sweeping: bool
    swept: tuple[str, ...] = ()
    quiet: bool = False
    answers: Answers | None = None
    threads: int | None = None
    shares_devices: bool = False
    process: str = PROCESS
    folder: Path = field(default_factory=Path.cwd)
    own_folders: tuple[Path, ...] = ()
    made: list[list[Job]] = field(default_factory=list)

    def __call__(self, config: "DictConfig") -> list[Job]:
        """Make the runs of a job where the command was given, and answer for what befalls it."""
        if self.process != PROCESS:
            os.chdir(self.folder)  # relative paths mean what they mean to the command
        with looking_in(self.own_folders):
            make_importable()
            return self.made_of(config)

    def made_of(self, config: "DictConfig") -> list[Job]:
        """Make the runs of a job, with a log if it is one of a sweep."""
        from hydra.core.hydra_config import HydraConfig

        show_notices()
        overrides = tuple(HydraConfig.get().overrides.task)
        if not self.sweeping:
            jobs = self.answered(config, overrides, None)
        else:
            file = log_file(runs_folder(config), self.verb, Job(overrides).choices, self.swept)
            if self.answers:
                self.answers.begin(overrides, file)
            with logged(file, ["micrographia", self.verb, *overrides]) as log_of_job:
                jobs = [replace(job, log=file) for job in self.answered(config, overrides, log_of_job)]
            if self.answers:
                self.answers.give(overrides, jobs)
        if self.process == PROCESS and not self.quiet:
            print_folders(jobs)
        self.made.append(jobs)
        return jobs

    def answered(self, config: "DictConfig", overrides: tuple[str, ...], log: LogFile | None) -> list[Job]:
        """Make the runs of a job; where it fails, say so on stderr and in its log, and return why."""
        try:
            # stdout carries the run's folder alone, whatever a library prints
            with commanded(self.verb, overrides), redirect_stdout(sys.stderr):
                return self.jobs_of(config, overrides)
        except Exception as error:
            mistake = told = mistake_of(error)
            if not mistake:
                if not self.sweeping:
                    raise
                trace = "".join(format_exception(error)).strip()
                mistake = f"{type(error).__name__}: {error}"
                told = f"{mistake} (traceback: {log.path})" if log else trace
            if log:
                log.add(f"failed: {mistake if told == mistake else trace}")
            if self.sweeping or not self.quiet:
                print(f"micrographia: {told}", file=sys.stderr, flush=True)
            return [Job(overrides, mistake=mistake)]

    def jobs_of(self, config: "DictConfig", overrides: tuple[str, ...]) -> list[Job]:
        """Check a composed config and make its run; ``evaluate`` makes one of each run that its pattern matches."""
        what, how = checked_config(config, overrides)
        made = recipe_of(self.verb)(what, self.with_share(how), rerun=how["rerun"])
        done = made if isinstance(made, list) else [Job((), made, what)]
        return [replace(job, overrides=(*overrides, *job.overrides)) for job in done]

    def with_share(self, how: dict[str, Any]) -> dict[str, Any]:
        """How a job is executed: with its share of the machine, and without a bar beside others on a terminal."""
        if self.process == PROCESS:
            return how
        if self.shares_devices and self.answers:
            from micrographia.tasks.launching import take_device

            take_device(self.answers.folder)
        return {
            **how,
            "threads": how["threads"] or self.threads,
            "progress": how["progress"] and not sys.stderr.isatty(),
        }


def checked_config(config: "DictConfig", overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """*What* and *how* of a composed config.

    Raises
    ------
    UserError
        At the first key that does not exist, or value that does not fit.
    """
    check_effect(config, overrides)
    what, how = split_config(config)
    check_run({**what, "how": how})
    check_apart(what, how["paths"])
    return what, how


def runs_folder(config: "DictConfig") -> Path:
    """Folder of runs of a config that may yet be wrong elsewhere."""
    return Path(str(config.how.paths.runs)).expanduser()


def mistake_of(error: Exception) -> str:
    """What to say of a user's mistake or of a disk that refuses; empty of any other error, which is a bug."""
    if isinstance(error, (UserError, OSError)):
        with suppress(OSError):
            return answer(error)
    return ""


def reason(error: Exception) -> str:
    """Why there is no run: a user's mistake in its own words, anything else with its traceback."""
    return mistake_of(error) or "".join(format_exception(error)).strip()


def print_folders(jobs: Sequence[Job]) -> None:
    """Print the folders of jobs' runs on stdout."""
    for job in jobs:
        if job.run:
            print(job.run.folder, flush=True)
