"""``sweep=optuna``: tune keys of any verb on a metric of its runs. Each trial is a run, found again at its address."""

import difflib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micrographia.console import show_notices
from micrographia.errors import UserError
from micrographia.presets import chosen
from micrographia.runs.environment import commanded
from micrographia.runs.grouping import grouped
from micrographia.runs.run import How, Run, What, address_of, located, with_precision
from micrographia.tasks.jobs import Job, reason
from micrographia.tasks.search_space import Dimension, check_trial, search_space, split_overrides, written
from micrographia.tasks.sweep import label
from micrographia.tasks.trials import StudyError, Trials, counted
from micrographia.tasks.tuning_report import conclude
from micrographia.training.pruning import StoppedError, Watch, values_of, watched
from micrographia.verbs import recipe_of

if TYPE_CHECKING:
    from optuna import Trial

log = logging.getLogger(__name__)

MOST_FAILURES = 3  # at the start, one after the other: what is wrong is then no matter of the values that are tuned
ENGINE = "sweep="  # how the override begins that asks for a tuning
SETTINGS = "how.sweep."
# Settings by which one study differs from another: of which runs, judged how, proposed and stopped by what.
PROPOSING = (
    *("metric", "direction", "seed", "baseline", "random"),
    *("intermediate", "intermediate_direction", "patience", "warmup"),
)


@dataclass(frozen=True)
class Tuning:
    """What is tuned, from the command line."""

    verb: str
    fixed: Sequence[str]
    space: Sequence[Dimension]
    what: What
    how: How

    @property
    def settings(self) -> Mapping[str, Any]:
        """``how.sweep``."""
        return self.how["sweep"]

    @property
    def plain(self) -> list[str]:
        """Overrides that make a trial's run by itself, beside the trial's own."""
        return [override for override in self.fixed if not override.startswith((ENGINE, SETTINGS))]

    @property
    def name(self) -> str:
        """Name of the study: the same for the same runs, space, metric and proposals, however many trials."""
        settings = [f"{name}={self.settings[name]}" for name in PROPOSING]
        address = address_of(with_precision(self.what, self.how), self.how)
        jobs = [Job((repr(dimension),)) for dimension in self.space]
        return label(self.verb, [dimension.key for dimension in self.space], jobs, " ".join([address, *settings]))


def tune(verb: str, options: Sequence[str], overrides: Sequence[str]) -> int:
    """Run trials until there are as many as asked for, and say what was found; return the exit status.

    Parameters
    ----------
    options
        Hydra's, of which a tuning takes none.
    overrides
        Of the command; those that hold an interval or several values are tuned.

    Raises
    ------
    UserError
        If nothing is tuned, the metric is none of the runs', or the study cannot be kept.
    """
    if options:
        raise UserError(f"sweep=optuna with {' '.join(options)}: it makes its runs by itself. Leave that out.")
    show_notices()
    tuning = read_tuning(verb, overrides)
    file = Path(tuning.how["paths"]["runs"], "sweeps", f"{tuning.name}.sqlite")
    trials = Trials(file, tuning.space, tuning.settings)
    log.info("%s: %d of %d trials are done", file, ended(trials), tuning.settings["trials"])
    try:
        with grouped(tuning.name, chosen(tuning.fixed)):
            run_trials(tuning, trials)
        return conclude(verb, tuning.plain, tuning.settings, trials)
    finally:
        trials.close()


def read_tuning(verb: str, overrides: Sequence[str]) -> Tuning:
    """Check a command line, and what it tunes."""
    fixed, swept = split_overrides(overrides)
    what, how = check_trial(verb, fixed)
    settings = how["sweep"]
    given = {override.partition("=")[0].lstrip("+") for override in swept}
    swept += [written(key, values) for key, values in (settings["space"] or {}).items() if key.lstrip("+") not in given]
    if not swept:
        raise UserError(
            "sweep=optuna: no key is tuned. Give at least one an interval or choices, as 'model.beta=interval(1,16)', "
            "'optimizer.lr=tag(log,interval(1e-5,1e-3))' or model=beta_vae,factor_vae."
        )
    if settings["intermediate"] and verb == "superresolve":
        raise UserError("how.sweep.intermediate: superresolve trains nothing of its own that could be stopped.")
    return Tuning(verb, fixed, search_space(verb, fixed, swept), what, how)


def without_search(overrides: Sequence[str]) -> list[str]:
    """The overrides of a tuning that hold one value: with these ``--cfg`` shows what the trials have in common."""
    return split_overrides(overrides)[0]


def ended(trials: Trials) -> int:
    """How many trials have ended, in whichever way."""
    counts = counted(trials.all())
    return counts.done + counts.stopped + counts.failed


def run_trials(tuning: Tuning, trials: Trials) -> None:
    """Take trials and run them, until there are enough of them."""
    failures, succeeded = 0, False
    while trial := trials.take():
        values = trials.overrides(trial)
        log.info("trial %d of %d: %s", trial.number + 1, tuning.settings["trials"], " ".join(values))
        try:
            value = run_trial(tuning, trials, trial, values)
        except StudyError:
            raise
        except StoppedError as stopped:
            log.info("trial %d: %s", trial.number + 1, stopped)
            trials.stopped(trial)
            succeeded = True
        except UnknownNameError as mistake:
            trials.failed(trial, str(mistake))
            raise UserError(str(mistake)) from mistake
        except Exception as error:  # a loss that is not finite, a GPU without memory: other values may fare better
            why = reason(error)
            log.error("trial %d failed: %s", trial.number + 1, why)
            trials.failed(trial, why)
            failures += 1
            if failures >= MOST_FAILURES and not succeeded:
                raise UserError(
                    f"the first {MOST_FAILURES} trials failed, the last: {why.splitlines()[-1]}\n"
                    "Mend what is wrong, and start the same command again."
                ) from error
        else:
            log.info("trial %d: %s %.6g", trial.number + 1, tuning.settings["metric"], value)
            trials.done(trial, value)
            succeeded = True


class UnknownNameError(UserError):
    """A metric or logged value that no trial of this study can have."""


def run_trial(tuning: Tuning, trials: Trials, trial: "Trial", values: Sequence[str]) -> float:
    """Obtain a trial's run, and return its metric.

    Raises
    ------
    StoppedError
        If its training was stopped on the way.
    UnknownNameError
        If no run has the metric.
    UserError
        If this run has no such metric, or one that is no finite number.
    """
    settings, verb = tuning.settings, tuning.verb
    what, how = check_trial(verb, [*tuning.fixed, *values])
    address = address_of(with_precision(what, how), how)
    run = located(Path(how["paths"]["runs"]) / verb, what["name"], address)
    trials.note(trial, run=str(run.folder))
    report = trials.reporter(trial)
    watch = Watch(settings["intermediate"], address, report) if settings["intermediate"] else None
    with watched(watch), commanded(verb, [*tuning.plain, *values]):
        run = recipe_of(verb)(what, how, rerun=how["rerun"])
    trials.note(trial, run=str(run.folder))  # one that ships lies elsewhere
    if watch and (logged := values_of(run.folder, watch.name)):
        report(logged)  # of a run that was finished before
    if settings["metric"] not in run.metrics:
        message = unknown_metric(settings["metric"], run)
        raise UserError(message) if counted(trials.all()).done else UnknownNameError(message)
    value = run.metrics[settings["metric"]]
    if not math.isfinite(value):
        raise UserError(f"{run.folder}: {settings['metric']} is {value}.")
    return value


def unknown_metric(metric: str, run: Run) -> str:
    """Say which metrics a run has that a wrong name may mean."""
    names = sorted(run.metrics)
    last = metric.rpartition("/")[2]
    near = [name for name in names if last and last in name] or difflib.get_close_matches(
        metric, names, n=8, cutoff=0.4
    )
    words = f"it has {', '.join((near or names)[:12])}"
    return f"how.sweep.metric={metric}: the run in {run.folder} has no such metric; {words} (see its result.json)."
