"""A progress bar in a notebook, for which rich would need widgets: a line of HTML that is written over."""

from html import escape
from typing import Any

from rich.progress import Task

from micrographia.training.drawn_progress import DrawnProgress


class NotebookProgress(DrawnProgress):
    """The bars of rich as HTML, while the work lasts; they are taken off at its end."""

    every = 0.25

    def __init__(self, *columns: Any, **options: Any):
        super().__init__(*columns, **options)
        self.handle: Any = None

    def start(self) -> None:
        """Open the line."""
        super().start()
        if not self.disable and self.handle is None:
            from IPython.display import HTML, display

            self.handle = display(HTML(self.markup()), display_id=True)

    def stop(self) -> None:
        """Take the line off."""
        self.write("")
        self.handle = None

    def draw(self) -> None:
        """Write the line anew."""
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
    >>> line_of(Task(0, "probes", 9, 3, _get_time=lambda: 0.0, fields={"note": "gbt"}))
    '<div><progress value="3" max="9" aria-label="probes"></progress> probes 3/9 gbt</div>'
    """
    title, note, total = escape(task.description), escape(str(task.fields.get("note", ""))), task.total or 0
    left = "" if task.time_remaining is None or task.finished else f", {task.time_remaining:.0f} s left"
    bar = f'<progress value="{task.completed:g}" max="{total:g}" aria-label="{title}"></progress>'
    return f"<div>{bar} {title} {task.completed:g}/{total:g} {note}{left}</div>"
