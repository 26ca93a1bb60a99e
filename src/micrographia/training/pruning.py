"""Stop trainings that promise little: what a tuning hears of a training on its way, and how it ends one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning import Callback, LightningModule, Trainer

from micrographia.errors import UserError

VALIDATED = "val/"  # how the names of what is logged at validations begin


class StoppedError(Exception):
    """A training was stopped for promising less than others. It is not finished, and would go on from ``last.ckpt``."""


@dataclass(frozen=True)
class Watch:
    """Who looks at a training's logged value after each validation.

    Parameters
    ----------
    name
        The logged value, as ``val/loss``.
    address
        Digest of the run whose own training is watched: not those of its inputs, which other runs may share.
    report
        Takes the values so far, one per validation that logged it; answers whether to stop.
    """

    name: str
    address: str
    report: Callable[[list[float]], bool]


WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch | None) -> Iterator[None]:
    """Let trainings in this block be watched."""
    token = WATCH.set(watch)
    try:
        yield
    finally:
        WATCH.reset(token)


def pruning(folder: Path, how: Mapping[str, Any]) -> list[Callback]:
    """The callback of the training in a run's folder; none where nobody watches it."""
    watch = WATCH.get()
    if watch is None or not folder.name.endswith(f"-{watch.address}"):
        return []
    return [Pruning(watch, folder, how["score_every"] or 1)]


def values_of(folder: Path, name: str) -> list[float]:
    """Values that a run has logged under a name, in their order; those before it was resumed among them."""
    curves = folder / "curves.csv"
    if not curves.exists():
        return []
    table = pd.read_csv(curves)
    return table.loc[table["name"] == name, "value"].astype(float).tolist()


class Pruning(Callback):
    """Report a logged value after each validation, and stop the training where the answer says so.

    It comes after the curves and the checkpoint are written, so that a stopped training can go on.

    Parameters
    ----------
    looks
        Validations until the rarest value is logged.

    Raises
    ------
    StoppedError
        To end the training.
    UserError
        If the training logs no such value.
    """

    def __init__(self, watch: Watch, folder: Path, looks: int):
        self.watch = watch
        self.folder = folder
        self.looks = looks

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and stop unless this was the last validation anyway."""
        validations = trainer.current_epoch + 1
        values = values_of(self.folder, self.watch.name)
        if not values:
            if validations >= self.looks:
                raise UserError(self.unknown())
            return
        if self.watch.report(values) and validations < (trainer.max_epochs or 0):
            raise StoppedError(f"stopped after {validations} of {trainer.max_epochs} validations")

    def unknown(self) -> str:
        """Say which values there are."""
        names = pd.read_csv(self.folder / "curves.csv")["name"].unique()
        found = ", ".join(sorted(name for name in names if name.startswith(VALIDATED)))
        return (
            f"how.sweep.intermediate={self.watch.name}: this training logs no such value at its validations; it logs: "
            f"{found}. Scores of disentanglement need how.score_every=1."
        )
