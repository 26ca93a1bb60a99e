"""The progress bar of a training: batches done, images a second, time left, loss."""

from typing import Any, Literal

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from micrographia.console import console
from micrographia.training.curves import counting
from micrographia.training.line_progress import LineProgress
from micrographia.training.notebook_progress import NotebookProgress

SPEED_OVER = 600.0  # seconds over which a speed is taken: a slow machine has two items no oftener


def progress_bar(visible: bool = True) -> Progress:
    """Bar on stderr with what is done, speed and time left; each task has the field ``note``.

    Where the terminal is narrow the title is cut first. A notebook shows a line of its own; where there is no terminal,
    a line is printed each minute.
    """
    kind = NotebookProgress if console.is_jupyter else Progress if console.is_terminal else LineProgress
    return kind(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=console,
        disable=not visible,
        refresh_per_second=4,
        speed_estimate_period=SPEED_OVER,
    )


def rate(speed: float, per: str = "s") -> str:
    """A speed with what it counts; also one far below 1.

    Examples
    --------
    >>> rate(1234.5), rate(0.453, "min")
    ('1,234 images/s', '0.45 images/min')
    """
    return f"{speed:,.0f} images/{per}" if speed >= 10 else f"{speed:.2g} images/{per}"


class WorkProgress:
    """Callback ``(done, total)`` that shows a bar from the first item to the last.

    Parameters
    ----------
    title
        What is being done.
    visible
        Whether there is a bar at all.
    per
        Time in which images are counted: ``s`` or ``min``.
    """

    def __init__(self, title: str, visible: bool = True, per: Literal["s", "min"] = "s"):
        self.title = title
        self.visible = visible
        self.per = per
        self.bar: Progress | None = None
        self.finished = False

    def __call__(self, done: float, total: int) -> None:
        """Move on; 0 done opens the bar, so that the first items have a speed; the last one closes it, once."""
        if self.finished and done >= total:
            return
        if self.bar is None:
            self.bar = progress_bar(self.visible)
            self.task = self.bar.add_task(self.title, total=total, note="")
            self.bar.start()
            self.first = done
        self.bar.update(self.task, completed=done, total=total)
        task = self.bar.tasks[self.task]
        speed = task.speed or (done - self.first) / (task.elapsed or 1.0)  # rich knows none before the second item
        self.bar.update(self.task, note=rate(speed * {"s": 1, "min": 60}[self.per], self.per) if speed else "")
        self.finished = done >= total
        if self.finished:
            self.close()

    def close(self) -> None:
        """Take the bar off, wherever it stands."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class TrainingProgress(Callback):
    """Show a training's progress.

    Parameters
    ----------
    title
        What is trained.
    total
        Batches in all.
    """

    def __init__(self, title: str, total: int, visible: bool = True):
        self.title = title
        self.total = total
        self.bar = progress_bar(visible)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar, at the batches that a resumed run has done."""
        self.task = self.bar.add_task(self.title, total=self.total, completed=counting(pl_module).batches, note="")
        self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Move on; the loss is read every tenth batch, since reading it makes a GPU wait."""
        module = counting(pl_module)
        done = module.batches
        if done % 10 == 0 or done == self.total:
            speed = self.bar.tasks[self.task].speed or 0.0
            images = speed * module.images / max(done, 1)
            loss = float(module.parts["loss"])
            shown = f"{rate(images)}  " if images else ""
            self.bar.update(self.task, completed=done, note=f"{shown}loss {loss:.4g}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self.bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar, so that the message stands below it."""
        self.bar.stop()
