import IPython.display
import pytest
from rich.table import Table

from micrographia.console import HouseConsole
from micrographia.training import progress


class Area:
    """What a notebook shows in a cell: the last of what is written there."""

    def __init__(self):
        self.shown = []

    def display(self, markup, display_id):
        self.update(markup)
        return self

    def update(self, markup):
        self.shown.append(markup.data)


@pytest.fixture
def area(monkeypatch):
    area = Area()
    monkeypatch.setattr(IPython.display, "display", area.display)
    monkeypatch.setattr(progress, "console", HouseConsole(stderr=True, force_jupyter=True))
    monkeypatch.setattr("micrographia.training.notebook_progress.NotebookProgress.every", 0)
    return area


def test_a_notebook_shows_a_bar_while_the_work_lasts(area):
    work = progress.WorkProgress("reading <a>")
    for done in range(1, 4):
        work(done, 3)
    assert area.shown[1].startswith('<div><progress value="1" max="3" aria-label="reading &lt;a&gt;">')
    assert "3/3" in area.shown[-2]
    assert area.shown[-1] == ""


def test_no_bar_is_shown_where_none_is_wanted(area):
    work = progress.WorkProgress("reading", visible=False)
    work(3, 3)
    with progress.progress_bar(False) as bar:
        bar.advance(bar.add_task("probes", total=2, note=""))
    assert area.shown == []


def test_tables_are_left_to_what_a_call_returns(area, monkeypatch):
    printed = []
    monkeypatch.setattr("rich.console.Console.print", lambda console, *objects, **options: printed.append(objects))
    HouseConsole(force_jupyter=True).print(Table())
    assert printed == []
    HouseConsole(force_jupyter=True).print("a notice")
    HouseConsole(force_jupyter=False).print(table := Table())
    assert printed == [("a notice",), (table,)]
