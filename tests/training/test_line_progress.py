import re

import pytest

from micrographia.training import drawn_progress, line_progress, progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves, for rich and for the lines."""
    now = [1000.0]
    monkeypatch.setattr(drawn_progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def lines(caplog, monkeypatch):
    monkeypatch.setattr(line_progress, "SHORTEST", 0.0)
    caplog.set_level("INFO", logger="micrographia")
    return lambda: [record.getMessage() for record in caplog.records]


def test_without_a_terminal_long_work_prints_a_line_a_minute(clock, lines):
    work = progress.WorkProgress("reading")
    for done in range(1, 5):
        work(done, 4)
        clock[0] += 40  # a line is due after the second step: 80 s
    first, last = lines()
    assert first.startswith("reading: 3 of 4, ")
    assert " left" in first or "time left unknown" in first
    assert last.startswith("reading: 4 of 4, ")
    assert last.endswith((" s", " min"))


def test_without_a_terminal_short_work_prints_how_it_ended(lines):
    work = progress.WorkProgress("reading")
    work(1, 3)
    assert lines() == []
    work.close()
    (line,) = lines()
    assert line.startswith("reading: 1 of 3")


def test_work_of_a_moment_prints_nothing(lines, monkeypatch):
    monkeypatch.setattr(line_progress, "SHORTEST", 1.0)
    progress.WorkProgress("reading")(3, 3)
    assert lines() == []


def test_work_that_is_opened_before_it_is_done_has_a_speed(lines):
    work = progress.WorkProgress("predicting")
    work(0, 40)
    work(40, 40)
    (line,) = lines()
    assert re.fullmatch(r"predicting: 40 of 40, [\d,.e+]+ images/s, .* s", line)


def test_no_line_is_printed_where_none_is_wanted(clock, lines):
    work = progress.WorkProgress("reading", visible=False)
    for done in range(1, 4):
        work(done, 3)
        clock[0] += 100
    assert lines() == []


def test_a_stop_that_is_repeated_prints_nothing_more(lines):
    bar = progress.progress_bar()
    bar.add_task("probes", total=2, note="")
    with bar:
        pass
    bar.stop()
    assert len(lines()) == 1
