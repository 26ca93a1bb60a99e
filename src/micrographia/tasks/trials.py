"""The trials of a tuning in an SQLite file, which processes share and which outlives them."""

import logging
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from micrographia.errors import UserError, needing
from micrographia.tasks.search_space import Choices, Dimension, Interval

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

PATIENCE = 60  # seconds that a process waits for another one's write to SQLite
LONGEST_MISTAKE = 2000  # characters that SQLite keeps of why a trial failed


class StudyError(UserError):
    """The study itself cannot be read or written, so that no trial can go on."""


class Trials:
    """A study that several processes may work on, each trial in one of them at a time.

    A process holds a lock of its own while it lives, and each trial names it. Trials whose process has died are handed
    out again under their number; what they reported before counts. Proposals follow from the seed, the trial's number
    and the trials before it, so that a study which was interrupted goes on as it would have.

    Parameters
    ----------
    file
        The SQLite file; made if it is not there.
    settings
        ``how.sweep``.

    Raises
    ------
    UserError
        If Optuna is not installed.
    StudyError
        If the file cannot be read or written.
    """

    def __init__(self, file: Path, space: Sequence[Dimension], settings: Mapping[str, Any]):
        with needing("sweep=optuna", "tune"):
            import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.file = file
        self.settings = settings
        self.space = {dimension.key: dimension for dimension in space}
        self.distributions = {key: distribution(dimension) for key, dimension in self.space.items()}
        self.worker = secrets.token_hex(4)
        self.guard = FileLock(file.with_name(f".{file.stem}.lock"))
        self.alive = FileLock(self.lock_of(self.worker))
        with self.exclusive():
            self.storage = optuna.storages.RDBStorage(
                f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": PATIENCE}}
            )
            self.study: Study = optuna.create_study(
                study_name=file.stem,
                storage=self.storage,
                direction=settings["direction"],
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=settings["patience"], n_warmup_steps=settings["warmup"] + 1
                ),
            )
            if settings["baseline"] and not self.all():
                self.enqueue_defaults()
            self.alive.acquire()

    def enqueue_defaults(self) -> None:
        """Let the first trial have the values that the keys have otherwise."""
        values = {key: dimension.default for key, dimension in self.space.items()}
        if outside := [key for key, value in values.items() if value is None]:
            log.info("no trial of the defaults: that of %s is not among its values", ", ".join(outside))
            return
        self.study.enqueue_trial(values, user_attrs={"default": True})

    def all(self) -> "list[FrozenTrial]":
        """Every trial, by number."""
        return self.study.get_trials(deepcopy=False)

    def take(self) -> "Trial | None":
        """The next trial for this process, with its values; None when there are as many as were asked for."""
        import optuna

        with self.exclusive():
            self.free_those_of_the_dead()
            trials = self.all()
            waiting = [trial for trial in trials if trial.state.name == "WAITING"]
            if len(trials) - len(waiting) >= self.settings["trials"]:
                return None
            number = waiting[0].number if waiting else len(trials)
            self.study.sampler = optuna.samplers.TPESampler(
                seed=int(np.random.SeedSequence([self.settings["seed"], number]).generate_state(1)[0]),
                n_startup_trials=self.settings["random"],
                multivariate=True,
                constant_liar=True,  # trials of other processes count as bad until they end
            )
            trial = self.study.ask(self.distributions)
            trial.set_user_attr("worker", self.worker)
        return trial

    def free_those_of_the_dead(self) -> None:
        """Let trials wait again whose process is no more; only one process at a time may look."""
        from optuna.trial import TrialState

        for trial in self.all():
            worker = trial.user_attrs.get("worker", "")
            if trial.state.name != "RUNNING" or (worker and not self.is_dead(worker)):
                continue
            log.info("trial %d: its process has ended; it goes on", trial.number + 1)
            self.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def is_dead(self, worker: str) -> bool:
        """Whether a process has ended, whose lock the system frees then."""
        if worker == self.worker:
            return True  # it is asking for another trial
        lock = FileLock(self.lock_of(worker))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        self.lock_of(worker).unlink(missing_ok=True)
        return True

    def lock_of(self, worker: str) -> Path:
        """File that a process holds locked while it lives."""
        return self.file.with_name(f".{self.file.stem}.{worker}.lock")

    def overrides(self, trial: "Trial") -> list[str]:
        """The overrides that a trial's values are."""
        return [self.space[key].override(value) for key, value in trial.params.items()]

    def note(self, trial: "Trial", **facts: Any) -> None:
        """Keep what is known of a trial beside its values."""
        with self.recording():
            for name, fact in facts.items():
                trial.set_user_attr(name, fact)

    def done(self, trial: "Trial", value: float) -> None:
        """Record a trial's metric."""
        with self.recording():
            self.study.tell(trial, value)

    def stopped(self, trial: "Trial") -> None:
        """Record that a trial was stopped for promising little."""
        from optuna.trial import TrialState

        with self.recording():
            self.study.tell(trial, state=TrialState.PRUNED)

    def failed(self, trial: "Trial", mistake: str) -> None:
        """Record that a trial failed, and why."""
        from optuna.trial import TrialState

        self.note(trial, mistake=mistake[-LONGEST_MISTAKE:])
        with self.recording():
            self.study.tell(trial, state=TrialState.FAIL)

    def reporter(self, trial: "Trial") -> Callable[[list[float]], bool]:
        """What takes a trial's logged values so far, and answers whether it is to be stopped."""
        same = self.settings["intermediate_direction"] == self.settings["direction"]
        sign = 1 if same else -1  # Optuna knows one direction only, that of the metric

        def report(values: list[float]) -> bool:
            with self.recording():
                known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
                for step, value in enumerate(values, 1):
                    if step not in known:
                        trial.report(sign * value, step)
                return trial.should_prune()

        return report

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the one process that makes the study or hands out a trial."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.guard.acquire()
        except OSError as error:
            raise StudyError(
                f"{self.file}: cannot be written ({error.strerror}). Set how.paths.runs=FOLDER to one that can."
            ) from error
        try:
            with self.recording():
                yield
        finally:
            self.guard.release()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Answer a study that cannot be read or written.

        Raises
        ------
        StudyError
            With the file, why, and what to do.
        """
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, OptunaError) as error:
            cause = error.__cause__ or error
            reason = str(getattr(cause, "orig", None) or cause).splitlines()[0]
            raise StudyError(
                f"{self.file}: the study cannot be read or written ({reason}). Finished runs are kept: make the file "
                "readable, or move it away, and start the same command again; finished runs are then found by trials."
            ) from error

    def close(self) -> None:
        """Let go of the file and of this process's lock."""
        self.storage.engine.dispose()
        self.alive.release()
        self.lock_of(self.worker).unlink(missing_ok=True)


@dataclass(frozen=True)
class Counts:
    """How many trials ended in which way."""

    done: int
    stopped: int
    failed: int
    running: int


def counted(trials: "Sequence[FrozenTrial]") -> Counts:
    """Count trials by how they ended."""
    names = [trial.state.name for trial in trials]
    return Counts(*(names.count(name) for name in ("COMPLETE", "PRUNED", "FAIL", "RUNNING")))


def distribution(dimension: Dimension) -> "BaseDistribution":
    """Optuna's name for what a key may have."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match dimension:
        case Choices():
            return CategoricalDistribution(dimension.values)
        case Interval(whole=True):
            return IntDistribution(
                int(dimension.low), int(dimension.high), log=dimension.log, step=int(dimension.step or 1)
            )
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
