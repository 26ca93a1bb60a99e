"""Tasks of rich that are shown by other means than a terminal's bars: drawn anew now and then, as they change."""

import time
from typing import Any

from rich.progress import Progress, TaskID


class DrawnProgress(Progress):
    """The tasks of rich, drawn by `draw` when one of them has changed.

    Attributes
    ----------
    every : float
        Seconds between two drawings.
    """

    every: float

    def __init__(self, *columns: Any, **options: Any):
        super().__init__(*columns, **options)
        self.drawn = 0.0

    def start(self) -> None:
        """Begin; rich would start a thread that draws."""
        self.drawn = time.monotonic()

    def stop(self) -> None:
        """End."""

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task as rich does, and draw it now and then."""
        super().update(task_id, **changes)
        self.changed()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Move a task on as rich does, and draw it now and then."""
        super().advance(task_id, advance)
        self.changed()

    def changed(self) -> None:
        """Draw, unless that was done a moment ago or nothing is to be shown."""
        if not self.disable and time.monotonic() - self.drawn >= self.every:
            self.drawn = time.monotonic()
            self.draw()

    def draw(self) -> None:
        """Show how far all tasks are."""
        raise NotImplementedError
