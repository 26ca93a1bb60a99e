"""Progress where there is no terminal, as in the log of a cluster's job: a line a minute."""

import logging

from rich.progress import Task

from micrographia.durations import duration, time_left
from micrographia.training.drawn_progress import DrawnProgress

log = logging.getLogger(__name__)

SHORTEST = 1.0  # seconds of work that is worth a line


class LineProgress(DrawnProgress):
    """The tasks of rich as notices, and how they ended; work of less than a second has none."""

    every = 60.0

    def draw(self) -> None:
        """Print a line for each task that is not finished."""
        for task in self.tasks:
            if not task.finished:
                log.info("%s", line_of(task))

    def stop(self) -> None:
        """Print how far each task has come, once."""
        for task in self.tasks:
            if not self.disable and (task.elapsed or 0.0) >= SHORTEST:
                log.info("%s", line_of(task))
            self.remove_task(task.id)


def line_of(task: Task) -> str:
    """A task as a line of text.

    Examples
    --------
    >>> line_of(Task(0, "probes", 9, 3, _get_time=lambda: 0.0, fields={"note": "gbt"}))
    'probes: 3 of 9, gbt, time left unknown'
    """
    total = "?" if task.total is None else f"{task.total:,.0f}"
    note = " ".join(str(task.fields.get("note", "")).split())
    time = duration(task.finished_time or 0.0) if task.finished else time_left(task.time_remaining)
    return f"{task.description}: {', '.join([f'{task.completed:,.0f} of {total}', *filter(None, [note]), time])}"
