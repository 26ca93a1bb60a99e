import json
import multiprocessing
import os
import signal
import time

import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.runs.address import digest
from micrographia.runs.run import Run, obtain

WHAT = {"task": "train", "name": "model-data", "seed": 0}


def how_in(folder):
    return {"paths": {"runs": str(folder / "runs"), "cache": str(folder / "cache")}}


def counting(calls):
    def recipe(what, how, run):
        calls.append(run.folder)
        run.save_table("scores", pd.DataFrame({"score": [1.0]}))
        return {"score": 1.0}

    return recipe


def test_a_finished_run_is_returned_not_repeated(tmp_path):
    calls = []
    first = obtain(WHAT, how_in(tmp_path), counting(calls))
    again = obtain(WHAT, how_in(tmp_path), counting(calls))
    assert calls == [first.folder]
    assert again.folder == first.folder
    assert again.metrics == {"score": 1.0}
    assert again.table("scores")["score"].tolist() == [1.0]
    assert again.config == WHAT


def test_another_precision_is_another_run(tmp_path):
    calls = []
    full = obtain(WHAT, {**how_in(tmp_path), "precision": "32-true"}, counting(calls))
    half = obtain(WHAT, {**how_in(tmp_path), "precision": "bf16-mixed"}, counting(calls))
    assert half.folder != full.folder
    assert half.config["precision"] == "bf16-mixed"
    assert full.folder == obtain(WHAT, how_in(tmp_path), counting(calls)).folder
    assert len(calls) == 2


def test_the_folder_says_how_the_run_was_executed(tmp_path):
    how = {**how_in(tmp_path), "threads": 3, "accelerator": "cpu"}
    environment = obtain(WHAT, how, counting([])).record("environment")
    assert environment["how"] == how
    assert environment["threads"] == 3
    assert environment["packages"]["pillow"]


def test_the_folder_is_task_name_digest(tmp_path):
    run = obtain(WHAT, how_in(tmp_path), counting([]))
    assert run.folder.parent == tmp_path / "runs" / "train"
    assert run.folder.name.startswith("model-data-")
    assert run.result["digest"] == run.folder.name.rpartition("-")[2]
    assert {"task", "name", "digest", "status", "seconds", "metrics"} <= set(run.result)
    assert json.loads((run.folder / "environment.json").read_text())["packages"]["torch"]


def test_rerun_makes_it_anew_and_keeps_the_former(tmp_path):
    calls = []
    run = obtain(WHAT, how_in(tmp_path), counting(calls))
    (run.folder / "last.ckpt").write_text("of the former run")
    obtain(WHAT, how_in(tmp_path), counting(calls), rerun=True)
    assert len(calls) == 2
    assert not run.checkpoint.exists()
    assert Run(run.folder.with_name(run.folder.name + ".previous")).finished


def test_a_rerun_that_is_refused_leaves_the_former_run(tmp_path):
    def refuse(what, how, run):
        raise UserError("data.root: no such folder")

    run = obtain(WHAT, how_in(tmp_path), counting([]))
    with pytest.raises(UserError, match="no such folder"):
        obtain(WHAT, how_in(tmp_path), refuse, rerun=True)
    assert run.finished
    assert [folder.name for folder in run.folder.parent.iterdir() if folder.is_dir()] == [run.folder.name]


def test_a_run_that_ships_is_returned_unless_it_is_to_be_made_anew(tmp_path, monkeypatch):
    calls = []
    shipped = obtain(WHAT, how_in(tmp_path / "package"), counting(calls))
    monkeypatch.setattr("micrographia.runs.run.shipped_folder", {digest(WHAT): shipped.folder}.get)
    assert obtain(WHAT, how_in(tmp_path), counting(calls)).folder == shipped.folder
    assert len(calls) == 1
    own = obtain(WHAT, how_in(tmp_path), counting(calls), rerun=True)
    assert own.folder == tmp_path / "runs" / "train" / shipped.folder.name
    assert obtain(WHAT, how_in(tmp_path), counting(calls)).folder == own.folder
    assert len(calls) == 2


def test_a_failed_recipe_leaves_no_result(tmp_path):
    def fail(what, how, run):
        run.save_table("half", pd.DataFrame({"x": [1]}))
        raise UserError("the loss is not finite")

    with pytest.raises(UserError, match="not finite"):
        obtain(WHAT, how_in(tmp_path), fail)
    run = obtain(WHAT, how_in(tmp_path), counting([]))
    assert run.finished


def test_a_run_that_is_refused_at_once_leaves_no_folder(tmp_path):
    def refuse(what, how, run):
        raise UserError("data.root: is no folder.")

    with pytest.raises(UserError, match="is no folder"):
        obtain(WHAT, how_in(tmp_path), refuse)
    assert not list((tmp_path / "runs" / "train").glob("*/config.yaml"))


def test_an_older_versions_run_is_returned_with_a_notice(tmp_path, caplog):
    run = obtain(WHAT, how_in(tmp_path), counting([]))
    run.save_record("result", {**run.result, "version": "0.0.1"})
    with caplog.at_level("INFO", logger="micrographia"):
        obtain(WHAT, how_in(tmp_path), counting([]))
    assert "by version 0.0.1" in caplog.text


def slow_recipe(what, how, run):
    with (run.folder / "calls").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(1.5)
    return {"score": 1.0}


def obtain_slowly(folder):
    obtain(WHAT, how_in(folder), slow_recipe)


def test_two_processes_make_one_run_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=obtain_slowly, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    (calls,) = (tmp_path / "runs" / "train").glob("*/calls")
    assert len(calls.read_text().splitlines()) == 1


def test_a_killed_process_leaves_no_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=obtain_slowly, args=(tmp_path,))
    worker.start()
    while not list((tmp_path / "runs").glob("train/*/calls")):
        time.sleep(0.05)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    started = time.monotonic()
    assert obtain(WHAT, how_in(tmp_path), counting([])).finished
    assert time.monotonic() - started < 1
