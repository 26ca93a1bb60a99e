"""Multirun: wherever ``-m`` stands, whatever becomes of one job."""

import pytest


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
    assert answers == [
        "micrographia: model.beta=high: expected a number.",
        "micrographia: 1 of the sweep's jobs failed; the others are done.",
    ]


def test_a_choice_that_does_not_exist_stops_a_sweep_before_it_starts(desk, mistake, training):
    answer = mistake("train", "-m", *training, "model=beta_vae,vae")
    assert answer.startswith("micrographia: model=vae: no such choice")
    assert not (desk / "runs" / "train").exists()
