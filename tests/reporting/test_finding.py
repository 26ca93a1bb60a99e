"""What the paths of a report name: runs, folders of runs, sweeps, studies; and what is answered otherwise."""

import json

import pytest

from micrographia.errors import UserError
from micrographia.reporting.finding import find
from micrographia.reporting.records import read_records


def names(found):
    return [run.folder.name for run in found.runs]


def test_a_run_and_a_folder_of_runs_are_found_once(written):
    first, second = written.transfer("0000000001"), written.superresolve()
    found = find([str(written.root), str(first.folder)])
    assert names(found) == [second.folder.name, first.folder.name]


def test_former_runs_and_hidden_folders_are_left_alone(written):
    run = written.transfer()
    run.folder.with_name(run.folder.name + ".previous").mkdir()
    (run.folder.with_name(run.folder.name + ".previous") / "result.json").write_text("{}")
    (written.root / ".cache").mkdir()
    (written.root / ".cache" / "config.yaml").write_text("")
    assert names(find([str(written.root)])) == [run.folder.name]


def test_a_sweep_brings_its_runs_and_tells_which_are_gone(written):
    run = written.transfer()
    file = written.root / "sweeps" / "transfer-seed-01234567.csv"
    file.parent.mkdir()
    file.write_text(f"metric,mean,sd,runs,folders\nscore/mig,0.5,0.1,2,transfer/{run.folder.name} transfer/gone-1\n")
    found = find([str(file)])
    assert names(found) == [run.folder.name]
    assert found.sweeps[0].table["mean"].tolist() == [0.5]
    assert found.aside == ["transfer/gone-1 of transfer-seed-01234567.csv is not there any more"]
    assert not found.sweeps[0].jobs  # written by an older version

    file.with_suffix(".json").write_text(json.dumps({"jobs": [{"overrides": ["seed=1"], "status": "failed"}]}))
    assert find([str(file)]).sweeps[0].jobs == [{"overrides": ["seed=1"], "status": "failed"}]
    file.with_suffix(".json").write_text("[1")
    broken = find([str(file)])
    assert not broken.sweeps[0].jobs
    assert "transfer-seed-01234567.json cannot be read" in broken.aside[0]


def test_a_study_brings_the_runs_of_its_jobs_and_stands_apart_from_other_runs(written):
    run = written.transfer()
    folder = written.study([run])
    found = find([str(folder)])
    assert found.studies[0].record["question"] == "Which term does it need?"
    assert names(found) == [run.folder.name]
    whole = find([str(written.root)])
    assert names(whole) == [run.folder.name]
    assert not whole.studies
    assert "micrographia report" in whole.aside[0]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere: no such file or folder"),
        (".", "no run lies there"),
        ("table.csv", "table.csv: no table of a sweep, it has no column metric"),
        ("picture.csv", r"picture.csv: is no table that can be read \(.*\). Name the CSV of a sweep"),
        ("photo.png", r"photo.png: is no run, sweep or study. Name a run's folder, .*runs/sweeps/NAME.csv"),
        ("study", r"study.json: cannot be read \(.*\). Give the study's command once more"),
    ],
)
def test_what_is_no_run_is_answered(path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for name in ("picture.csv", "photo.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\xff\xfe")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.json").write_text("{")
    with pytest.raises(UserError, match=message):
        find([path])


def test_unfinished_and_unreadable_runs_are_told_as_such(written):
    whole, unfinished = written.transfer("0000000001"), written.transfer("0000000002", finished=False)
    broken, empty = written.transfer("0000000003"), written.transfer("0000000004")
    letter = written.transfer("0000000005", finished=False)
    (letter.folder / "config.yaml").write_text("x")
    (broken.folder / "result.json").write_text("{ not json")
    (empty.folder / "result.json").write_text("{}")
    records = read_records([whole, unfinished, broken, empty, letter])
    assert [record.status for record in records] == ["finished", "unfinished", *["unreadable"] * 3]
    assert "config.yaml: is no configuration of a run (no task)" in records[4].mistake
    assert "same command goes on" in records[1].problem
    assert "result.json" in records[2].problem
    assert "has no metrics" in records[3].problem


def test_runs_of_one_name_have_ids_of_their_own(written, tmp_path):
    run = written.transfer()
    other = type(written)(tmp_path / "other").transfer()
    first, second = read_records([run, other])
    assert first.id == f"run-{run.folder.name}"
    assert second.id == f"run-{run.folder.name}~1"
