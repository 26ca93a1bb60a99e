"""A progress bar in a notebook, for which rich would need widgets: a line of HTML that is written over."""

import time
from html import escape
from typing import Any

from rich.progress import Progress, Task, TaskID

EVERY = 0.25  # seconds between two drawings


class NotebookProgress(Progress):
    """The bars of rich as HTML, while the work lasts; they are taken off at its end."""

    def __init__(self, *columns: Any, **options: Any):
        super().__init__(*columns, **options)
        self.handle: Any = None
        self.drawn = 0.0

    def start(self) -> None:
        """Open the line."""
        if not self.disable and self.handle is None:
            from IPython.display import HTML, display

            self.handle = display(HTML(self.markup()), display_id=True)

    def stop(self) -> None:
        """Take the line off."""
        self.write("")
        self.handle = None

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task as rich does, and draw it now and then."""
        super().update(task_id, **changes)
        self.draw()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Move a task on as rich does, and draw it now and then."""
        super().advance(task_id, advance)
        self.draw()

    def draw(self) -> None:
        """Write the line anew, unless that was done a moment ago."""
        if time.monotonic() - self.drawn >= EVERY:
            self.drawn = time.monotonic()
            self.write(self.markup())

    def write(self, markup: str) -> None:
        """Write over the line, where there is one."""
        if self.handle is not None:
            from IPython.display import HTML

            self.handle.update(HTML(markup))

    def markup(self) -> str:
        """All tasks as HTML."""
        return "".join(map(line_of, self.tasks))


def line_of(task: Task) -> str:
    """A task as a line of HTML.

    Examples
    --------
    >>> line_of(Task(TaskID(0), "probes", 9, 3, _get_time=lambda: 0.0, fields={"note": "gbt"}))
    '<div><progress value="3" max="9" aria-label="probes"></progress> probes 3/9 gbt</div>'
    """
    title, note, total = escape(task.description), escape(str(task.fields.get("note", ""))), task.total or 0
    left = "" if task.time_remaining is None or task.finished else f", {task.time_remaining:.0f} s left"
    bar = f'<progress value="{task.completed:g}" max="{total:g}" aria-label="{title}"></progress>'
    return f"<div>{bar} {title} {task.completed:g}/{total:g} {note}{left}</div>"
