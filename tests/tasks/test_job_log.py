"""The log file of a job."""

import logging
import warnings
from pathlib import Path

import pytest

from micrographia.tasks.job_log import LogFile, log_file, logged


def test_notices_and_warnings_are_in_the_log_and_on_stderr(tmp_path, capsys, caplog):
    caplog.set_level("INFO", logger="micrographia")
    file = tmp_path / "logs" / "job.log"
    with logged(file, ["micrographia", "train", "seed=1"]) as log:
        logging.getLogger("micrographia.runs.run").info("a notice")
        logging.getLogger("a.library").warning("a warning of a library")
        warnings.warn("a warning of Python", stacklevel=1)
        log.add("failed: a mistake")
    logging.getLogger("a.library").warning("after the job")
    text = file.read_text()
    noted = ("train seed=1 (process", "a notice", "of a library", "UserWarning: a warning of Python", "a mistake")
    for expected in noted:
        assert text.count(expected) == 1
    assert "after the job" not in text
    assert "a warning of a library" in capsys.readouterr().err


def test_a_job_that_is_started_again_has_one_log(tmp_path):
    for attempt in range(2):
        with logged(tmp_path / "job.log", ["micrographia", f"attempt {attempt}"]):
            pass
    assert [line.split("attempt ")[1][0] for line in (tmp_path / "job.log").read_text().splitlines()] == ["0", "1"]


def test_a_job_whose_log_cannot_be_opened_has_none(tmp_path, caplog):
    (tmp_path / "logs").write_text("a file in the folder's place")
    with caplog.at_level("WARNING", logger="micrographia"), logged(tmp_path / "logs" / "job.log", []) as log:
        assert log is None
    assert "no log is written" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_costs_the_log_alone(capsys):
    handler = LogFile(Path("/dev/full"))
    handler.add("what nobody reads")
    assert capsys.readouterr().err == ""


def test_a_log_is_named_by_what_the_job_is(tmp_path):
    many = {f"model.parameter_{n}": "1" for n in range(40)}
    assert len(log_file(tmp_path, "train", many, [*many]).name) < 200
    assert log_file(tmp_path, "train", many, []) != log_file(tmp_path, "train", {**many, "seed": "1"}, [])
    assert log_file(tmp_path, "train", {**many, "seed": "1"}, ["seed"]).name.startswith("train-seed=1-")
    assert log_file(tmp_path, "train", {"data.root": "/a/b"}, ["data.root"]).parent == tmp_path / "sweeps" / "logs"
