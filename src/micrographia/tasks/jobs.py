"""The jobs of one command: composed by Hydra, spread by whichever launcher, and what each of them has made."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import format_exception
from typing import Any

from omegaconf import DictConfig

from micrographia.config import HYDRA_SETTINGS, config_directory
from micrographia.console import show_notices
from micrographia.errors import UserError, answer
from micrographia.runs.address import check_effect, split_config
from micrographia.runs.run import Run
from micrographia.schema import check_apart, check_run
from micrographia.verbs import recipe_of

log = logging.getLogger(__name__)

# Keys and groups that say how a run is executed.
EXECUTION = ("how", "logger", "sweep", "hydra")


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
    """

    overrides: tuple[str, ...]
    run: Run | None = None
    what: Mapping[str, Any] | None = None
    mistake: str = ""

    @property
    def choices(self) -> dict[str, str]:
        """Values of the overrides that say what the run is, by key."""
        pairs = [override.lstrip("+").partition("=") for override in self.overrides]
        return {key: value for key, _, value in pairs if key.split(".")[0].split("/")[0] not in EXECUTION}


def run_jobs(verb: str, overrides: Sequence[str], sweeping: bool = False, folder: str | None = None) -> list[Job]:
    """Make each run of a command; what befalls one job leaves the others alone.

    Parameters
    ----------
    verb
        Whose config is composed.
    overrides
        Those of the command.
    sweeping
        Several values of a key are a job each (``-m``), which ``hydra/launcher`` spreads.
    folder
        A config folder that is looked through before the package's own.

    Returns
    -------
    list of Job
        In the order of the sweep. The folder of each run is printed on stdout.
    """
    from hydra import version
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.utils import JobReturn, setup_globals

    version.setbase("1.3")
    setup_globals()
    search_path = create_config_search_path(str(config_directory()))
    if folder is not None:
        search_path.prepend("command-line", f"file://{Path(folder).absolute()}")
    hydra = Hydra.create_main_hydra2(f"micrographia {verb}", search_path)
    given = [*HYDRA_SETTINGS, *overrides]
    said: list[list[Job]] = []
    run_job = job_runner(verb, said, sweeping)
    try:
        if not sweeping:
            return list(hydra.run(verb, run_job, given).return_value)
        batches: Iterable[Iterable[JobReturn]] = hydra.multirun(verb, run_job, given)
        returned: list[list[Job]] = [job.return_value for batch in batches for job in batch]
    finally:
        GlobalHydra.instance().clear()
    for jobs in returned:
        if jobs not in said:  # they were run in another process
            say(jobs)
    return [job for jobs in returned for job in jobs]


def job_runner(verb: str, said: list[list[Job]], sweeping: bool) -> Callable[[DictConfig], list[Job]]:
    """Make the function that Hydra calls for each job, here or in a process of its own.

    Parameters
    ----------
    said
        Takes what was printed in this process.
    sweeping
        A bug in one job, too, leaves the others alone.
    """

    def run_job(config: DictConfig) -> list[Job]:
        from hydra.core.hydra_config import HydraConfig

        show_notices()
        overrides = tuple(HydraConfig.get().overrides.task)
        try:
            jobs = jobs_of(verb, config, overrides)
        except (UserError, OSError) as error:
            jobs = [Job(overrides, mistake=answer(error))]
        except Exception as error:
            if not sweeping:
                raise
            jobs = [Job(overrides, mistake="".join(format_exception(error)).strip())]
        say(jobs)
        said.append(jobs)
        return jobs

    return run_job


def checked_config(config: DictConfig, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
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


def jobs_of(verb: str, config: DictConfig, overrides: tuple[str, ...]) -> list[Job]:
    """Check a composed config and make its run; ``evaluate`` makes one of each run that its pattern matches."""
    what, how = checked_config(config, overrides)
    made = recipe_of(verb)(what, how, rerun=how["rerun"])
    done = made if isinstance(made, list) else [Job((), made, what)]
    return [replace(job, overrides=(*overrides, *job.overrides)) for job in done]


def say(jobs: Sequence[Job]) -> None:
    """Print the folders of jobs' runs on stdout, and on stderr why there is none."""
    for job in jobs:
        if job.run:
            print(job.run.folder, flush=True)
        elif job.mistake:
            print(f"micrographia: {job.mistake}", file=sys.stderr, flush=True)
