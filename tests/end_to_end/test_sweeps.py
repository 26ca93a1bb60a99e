"""Multirun: wherever ``-m`` stands, whatever becomes of one job."""

import pandas as pd
import pytest

from micrographia.errors import UserError


@pytest.mark.parametrize("place", [0, 2, None], ids=["before", "among", "after"])
def test_m_stands_anywhere(place, desk, micrographia, training, monkeypatch):
    monkeypatch.setattr("micrographia.tasks.train.train_model", lambda what, how, run: {"score": 1.0})
    arguments = [*training, "budget.steps=1,2"]
    arguments.insert(len(arguments) if place is None else place, "-m")
    status, out, err = micrographia("train", *arguments, "how.progress=false")
    assert status == 0, err
    assert len(set(out)) == 2
    assert all((desk / line / "result.json").exists() for line in out)
    assert [path.name for path in desk.iterdir()] == ["runs"]


def test_one_failing_job_does_not_stop_the_others(desk, micrographia, training):
    status, out, err = micrographia(
        "train", "-m", *training, "budget.steps=1", "model.beta=1,high,2", "seed=0", "how.progress=false"
    )
    assert status == 2
    assert len(set(out)) == 2
    assert all((desk / line / "result.json").exists() for line in out)
    answers = [line for line in err.splitlines() if line.startswith("micrographia: ")]
    (log,) = (desk / "runs" / "sweeps" / "logs").glob("*beta=high*.log")
    assert answers == [
        "micrographia: model.beta=high: expected a number.",
        "micrographia: 3 jobs: 2 done, 1 failed",
        f"micrographia: failed: model.beta=high: model.beta=high: expected a number. (log: {log.relative_to(desk)})",
    ]
    assert "failed: model.beta=high: expected a number." in log.read_text()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(5, "Input/output error")])
def test_a_bug_in_one_job_is_in_its_log_and_stops_no_other(error, desk, micrographia, training, monkeypatch):
    def fail(what, how, run):
        if what["seed"] == 1:
            raise error
        return {"score/mig": 1.0}

    monkeypatch.setattr("micrographia.tasks.train.train_model", fail)
    status, out, err = micrographia("train", "-m", *training, "seed=0,1,2", "how.progress=false")
    assert status == 2
    assert len(out) == 2
    assert "Traceback" not in err
    (log,) = (desk / "runs" / "sweeps" / "logs").glob("*seed=1-*.log")
    assert f"micrographia: {type(error).__name__}: {error} (traceback: {log.relative_to(desk)})" in err.splitlines()
    assert "Traceback" in log.read_text()
    again = micrographia("train", "-m", *training, "seed=0,2,3", "how.progress=false")
    assert "micrographia: 3 jobs: 1 done, 2 found finished" in again[2].splitlines()


def test_a_choice_that_does_not_exist_stops_a_sweep_before_it_starts(desk, mistake, training):
    answer = mistake("train", "-m", *training, "model=beta_vae,vae")
    assert answer.startswith("micrographia: model=vae: no such choice")
    assert not (desk / "runs" / "train").exists()


@pytest.fixture
def quick_transfer(monkeypatch):
    """Let a transfer give metrics that follow from its seeds at once; its fourth seed is a mistake."""

    def carry_over(what, how, run):
        if what["seed"] == 4:
            raise UserError("seed=4: refused by the test.")
        score = (what["seed"] + what["source"].get("seed", 0)) / 10
        return {"probe/gbt/before/balanced_accuracy": score, "probe/gbt/before/accuracy": 1.0}

    monkeypatch.setattr("micrographia.tasks.transfer.carry_over", carry_over)


def sweep_file(desk):
    (file,) = (desk / "runs" / "sweeps").glob("*.csv")
    return file


def test_a_table_joins_the_runs_that_differ_in_seeds_alone(desk, micrographia, transfer, quick_transfer):
    command = ("transfer", *transfer, "-m", "seed=0,1,2", "finetune.epochs=1,2", "how.progress=false")
    status, out, err = micrographia(*command)
    assert status == 0
    assert len(set(out)) == 6
    table = pd.read_csv(sweep_file(desk))
    assert sweep_file(desk).name.startswith("transfer-finetune.epochs-seed-")
    assert f"the table as CSV: runs/sweeps/{sweep_file(desk).name}" in err.splitlines()
    assert table["finetune.epochs"].tolist() == [1, 2]
    assert table["seeds varied"].tolist() == ["source (3), target (3)"] * 2
    assert table["runs"].tolist() == [3, 3]
    assert table["mean"].tolist() == pytest.approx([0.2, 0.2])
    assert table["sd"].tolist() == pytest.approx([0.2, 0.2])
    assert "20.0 ± 20.0" in err
    assert "6 runs; balanced accuracy on the test images, %" in " ".join(err.split())

    again = micrographia(*command)
    assert again[:2] == (0, out)
    assert pd.read_csv(sweep_file(desk)).equals(table)
    assert "20.0 ± 20.0" in again[2]


def test_a_fixed_source_leaves_the_spread_of_the_target(desk, micrographia, transfer, quick_transfer):
    micrographia("transfer", *transfer, "-m", "source.seed=7", "seed=0,1", "how.progress=false")
    assert pd.read_csv(sweep_file(desk))["seeds varied"].tolist() == ["target (2)"]


def test_failed_jobs_are_counted_and_left_out(desk, micrographia, transfer, quick_transfer):
    status, out, err = micrographia("transfer", *transfer, "-m", "seed=2,4,3", "source.seed=0", "how.progress=false")
    assert status == 2
    assert len(out) == 2
    assert "1 job failed and is left out." in " ".join(err.split())
    table = pd.read_csv(sweep_file(desk))
    assert table["runs"].tolist() == [2]
    assert table["mean"].tolist() == pytest.approx([0.25])


def test_a_single_job_has_no_table(desk, micrographia, transfer, quick_transfer):
    _, out, err = micrographia("transfer", *transfer, "-m", "seed=1", "how.progress=false")
    assert len(out) == 1
    assert "CSV" not in err
    assert not list((desk / "runs" / "sweeps").glob("*.csv"))
