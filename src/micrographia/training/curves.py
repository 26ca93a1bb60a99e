"""Losses over batches as one growing CSV, which a resumed run continues."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import Logger

from micrographia.models.counting import CountingModule
from micrographia.runs.writing import write_atomically

COLUMNS = ("batches", "images", "name", "value")
COUNTERS = ("images", "batches")  # among the values of every log, and their x axis


class RunLogger(Logger):
    """A Lightning logger that knows resumed runs, and takes a run's result as well as its losses."""

    @property
    def name(self) -> str:
        """Name of the logger."""
        return type(self).__name__

    @property
    def version(self) -> int:
        """Always 0: a resumed run continues what it logged."""
        return 0

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run's config is known from the start."""

    def forget_after(self, batches: int, images: int) -> None:
        """Drop what was logged later than the checkpoint that a run resumes from: it will be logged again."""

    def log_result(
        self, metrics: Mapping[str, float], tables: Mapping[str, Path], figures: Mapping[str, Path], images: int
    ) -> None:
        """Take the metrics, tables (CSV) and figures (PNG) of a run that was trained on so many images."""

    def close(self, failed: bool) -> None:
        """End the log."""


class CurveLogger(RunLogger):
    """Lightning logger that appends to ``curves.csv`` (batches, images, name, value), and ends with ``metrics.csv``.

    Parameters
    ----------
    folder
        Folder of the run.
    """

    def __init__(self, folder: str):
        super().__init__()
        self.path = Path(folder, "curves.csv")
        self.rows: list[tuple[int, int, str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row per metric at ``step`` batches."""
        images = int(metrics.get("images", 0))
        names = (name for name in metrics if name not in COUNTERS)
        self.rows += [(int(step or 0), images, name, float(metrics[name])) for name in names]

    def save(self) -> None:
        """Append what was logged since to the file."""
        if not self.rows:
            return
        fresh = pd.DataFrame(self.rows, columns=list(COLUMNS))
        former = pd.read_csv(self.path) if self.path.exists() else fresh.iloc[:0]
        table = pd.concat([former, fresh], ignore_index=True) if len(former) else fresh
        write_atomically(self.path, lambda part: table.to_csv(part, index=False))
        self.rows = []

    def finalize(self, status: str) -> None:
        """Write what is left."""
        self.save()

    def log_result(
        self, metrics: Mapping[str, float], tables: Mapping[str, Path], figures: Mapping[str, Path], images: int
    ) -> None:
        """Write the result's metrics as ``metrics.csv``: images, name, value."""
        rows = [(images, name, float(value)) for name, value in metrics.items()]
        table = pd.DataFrame(rows, columns=["images", "name", "value"])
        write_atomically(self.path.with_name("metrics.csv"), lambda part: table.to_csv(part, index=False))

    def forget_after(self, batches: int, images: int) -> None:
        """Drop rows later than the checkpoint."""
        if self.path.exists():
            table = pd.read_csv(self.path)
            write_atomically(self.path, lambda part: table[table["batches"] <= batches].to_csv(part, index=False))


class Curves(Callback):
    """Send a module's loss parts to its loggers every so many batches, by batches and images seen.

    Parameters
    ----------
    every
        Batches between two logged losses.
    """

    def __init__(self, every: int):
        self.every = every

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let a resumed run's curves end where its checkpoint does."""
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.forget_after(counting(pl_module).batches, counting(pl_module).images)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Log the last batch's loss parts."""
        module = counting(pl_module)
        if module.batches % self.every == 0:
            send(trainer, module, {f"train/{name}": float(value) for name, value in module.parts.items()})

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the validation's scores."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        send(trainer, counting(pl_module), values)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the curves to disk."""
        for logger in trainer.loggers:
            logger.save()


def send(trainer: Trainer, module: CountingModule, values: dict[str, float]) -> None:
    """Give values to every logger of a training, at the number of batches seen."""
    seen = {"images": module.images, "batches": module.batches}
    for logger in trainer.loggers:
        logger.log_metrics({**values, **seen}, step=module.batches)


def counting(module: LightningModule) -> CountingModule:
    """The module as one with counters, which Lightning's hooks do not know of."""
    assert isinstance(module, CountingModule)
    return module
