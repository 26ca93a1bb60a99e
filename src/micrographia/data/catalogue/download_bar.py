"""The progress of one download on the console."""

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from micrographia.console import console


class DownloadBar:
    """Bytes of one file, speed and time left, as pooch tells them.

    Parameters
    ----------
    name
        Of the file.
    """

    def __init__(self, name: str):
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )
        self.task = self.bar.add_task(name, total=None)

    @property
    def total(self) -> float | None:
        """Bytes of the file."""
        return self.bar.tasks[0].total

    @total.setter
    def total(self, size: float) -> None:
        self.bar.start()
        self.bar.reset(self.task, total=size or None)  # a second try begins anew

    def update(self, count: int) -> None:
        """So many bytes more."""
        self.bar.advance(self.task, count)

    def reset(self) -> None:
        """Begin again; pooch then updates to the full size."""
        self.bar.reset(self.task, total=self.total)

    def close(self) -> None:
        """End."""
        self.bar.stop()
