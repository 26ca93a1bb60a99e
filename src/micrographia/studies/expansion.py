"""The jobs of a study: its sweeps' overrides as Hydra's own sweeper multiplies them, and back into few sweeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from micrographia.errors import UserError
from micrographia.overrides import is_execution, is_hydra
from micrographia.runs.grouping import GROUP_VARIABLE, TAGS_VARIABLE
from micrographia.runs.job_records import DONE, FAILED, LEFT
from micrographia.runs.run import Run
from micrographia.studies.specification import Budget, Study, merged


@dataclass
class StudyJob:
    """One job of a study.

    Parameters
    ----------
    sweep, verb
        Where it belongs.
    overrides
        Its own, each with one value.
    origin
        The job whose run it evaluates.
    what
        What its run is; None where that cannot be told yet.
    place
        Its run, finished or not; None where it cannot be told yet.
    before
        Whether it was finished when the study started.
    obstacle
        What keeps it from being found, as images that are not there.
    mistake
        Why it failed.
    how
        How it is executed; empty where that cannot be told yet.
    log
        Its log file, of the last time that it was started here.
    """

    sweep: str
    verb: str
    overrides: tuple[str, ...]
    origin: "StudyJob | None" = None
    what: Mapping[str, Any] | None = None
    place: Run | None = None
    before: bool = False
    obstacle: str = ""
    mistake: str = ""
    how: Mapping[str, Any] = field(default_factory=dict)
    log: Path | None = None

    @property
    def run(self) -> Run | None:
        """Its finished run."""
        return self.place if self.place and self.place.finished else None

    @property
    def status(self) -> str:
        """Done, failed or to do."""
        return DONE if self.run else FAILED if self.mistake else LEFT

    @property
    def choices(self) -> dict[str, str]:
        """What the overrides say of the run, and of the one that it evaluates, by key."""
        pairs = [override.lstrip("+").partition("=") for override in self.overrides]
        own = {key: value for key, _, value in pairs if not is_execution(key) and not (self.origin and key == "run")}
        return {**(self.origin.choices if self.origin else {}), **own}


@dataclass(frozen=True)
class SweepPlan:
    """The jobs of one sweep, with what the launcher is told for all of them."""

    name: str
    verb: str
    overrides: tuple[str, ...]
    of: str = ""
    jobs: list[StudyJob] = field(default_factory=list)

    @property
    def hydra(self) -> list[str]:
        """Overrides of Hydra itself."""
        return [override for override in self.overrides if is_hydra(override)]


def plan(study: Study, budget: Budget, given: Sequence[str] = ()) -> list[SweepPlan]:
    """Expand every sweep of a budget.

    Parameters
    ----------
    given
        Overrides of the command line, for all sweeps, over those of the budget; an evaluation of another sweep's
        runs takes only those that say how it is executed.

    Raises
    ------
    UserError
        If a sweep has no job, or its overrides are no overrides.
    """
    plans: list[SweepPlan] = []
    for name, own in budget.overrides.items():
        sweep = study.sweeps[name]
        suited = [override for override in given if not sweep.of or is_execution(override.partition("=")[0])]
        made = SweepPlan(name, sweep.verb, merged([*grouped(study, budget, name), *own, *suited]), sweep.of)
        expanded = expand([override for override in made.overrides if not is_hydra(override)], name)
        origins = next((other.jobs for other in plans if other.name == sweep.of), [None])
        made.jobs.extend(StudyJob(name, sweep.verb, job, origin) for origin in origins for job in expanded)
        plans.append(made)
    return plans


def grouped(study: Study, budget: Budget, sweep: str) -> list[str]:
    """Hydra's settings that tell every job the group and the tags of its sweep, for loggers that show them."""
    told = {GROUP_VARIABLE: group_name(study, budget), TAGS_VARIABLE: f"{study.name},{sweep}"}
    return [f"++hydra.job.env_set.{name}='{value}'" for name, value in told.items()]


def group_name(study: Study, budget: Budget) -> str:
    """What loggers call the runs of a study together, and its folder is called."""
    return f"{study.name}-{budget.name}"


def expand(overrides: Sequence[str], sweep: str = "sweep") -> list[tuple[str, ...]]:
    """Every combination of the values that overrides give, in the order of Hydra's sweeper.

    Raises
    ------
    UserError
        If there is none, or Hydra cannot read an override.

    Examples
    --------
    >>> expand(["model=cnn", "seed=0,1"])
    [('model=cnn', 'seed=0'), ('model=cnn', 'seed=1')]
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        jobs = [tuple(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    except HydraException as error:
        raise UserError(f"sweep {sweep}: {str(error).splitlines()[0]}. Overrides are key=value.") from error
    if not jobs:
        raise UserError(f"sweep {sweep}: has no job; one of its keys has no value.")
    return jobs


def products(jobs: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Few sweeps, each as overrides, that together have exactly these jobs: what is left after a kill is no product.

    Examples
    --------
    >>> products([("a=1", "b=1"), ("a=0", "b=0"), ("a=0", "b=1")])
    [['a=1', 'b=1'], ['a=0', 'b=0,1']]
    >>> products(expand(["a=0,1", "b=0,1,2"]))
    [['a=0,1', 'b=0,1,2']]
    """
    blocks: list[tuple[tuple[str, ...], ...]] = [tuple((part,) for part in job) for job in jobs]
    for place in reversed(range(max((len(block) for block in blocks), default=0))):
        blocks = joined(blocks, place)
    return [[with_values(values) for values in block] for block in blocks]


def joined(blocks: Sequence[tuple[tuple[str, ...], ...]], place: int) -> list[tuple[tuple[str, ...], ...]]:
    """Blocks of which those that differ in one key only are one."""
    found: dict[Any, tuple[str, ...]] = {}
    for block in blocks:
        others = (block[:place], block[place + 1 :])
        found[others] = (*found.get(others, ()), *block[place])
    return [(*before, values, *after) for (before, after), values in found.items()]


def with_values(overrides: Sequence[str]) -> str:
    """Several overrides of one key as one.

    Examples
    --------
    >>> with_values(["seed=0", "seed=1"]), with_values(["~methods.rls=null"])
    ('seed=0,1', '~methods.rls=null')
    """
    key = overrides[0].partition("=")[0]
    return f"{key}={','.join(override.partition('=')[2] for override in overrides)}"


def swept_keys(jobs: Sequence[StudyJob]) -> list[str]:
    """Keys whose override is not the same in all jobs."""
    choices = [job.choices for job in jobs]
    keys: dict[str, None] = reduce(lambda found, own: found | dict.fromkeys(own), choices, {})
    return [key for key in keys if len({own.get(key) for own in choices}) > 1]
