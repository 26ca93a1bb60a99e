"""A tuning that two processes share, one of which is killed in the middle of its trial."""

import importlib.util
import time

import pandas as pd
import pytest

from micrographia.runs.run import Run


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="micrographia[tune] is not installed")
def test_a_trial_of_a_killed_process_goes_on_in_the_other(desk, terminal, training):
    command = ("train", "sweep=optuna", "how.sweep.metric=score/mig", "how.sweep.trials=3", "model.beta=interval(1,4)")
    command = (*command, "how.sweep.intermediate=val/loss", *training, "budget.steps=200", "how.progress=false")
    killed = terminal.start(*command)
    while not (checkpoints := list(desk.glob("runs/train/*/last.ckpt"))):
        assert killed.poll() is None, killed.communicate()[1]
        time.sleep(0.01)
    lasting = terminal.start(*command)
    while len(list(desk.glob("runs/train/*/config.yaml"))) < 2:  # each has a trial
        assert lasting.poll() is None, lasting.communicate()[1]
        assert killed.poll() is None, killed.communicate()[1]
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    out, err = lasting.communicate(timeout=1800)
    assert lasting.returncode == 0, err
    assert "Traceback" not in err
    assert f"{checkpoints[0].parent.relative_to(desk)}: resuming" in err
    (file,) = (desk / "runs" / "sweeps").glob("*.csv")
    table = pd.read_csv(file)
    assert table["trial"].tolist() == [1, 2, 3]
    assert table["end"].tolist() == ["done"] * 3
    assert table["validations"].tolist() == [20] * 3
    assert table["run"].nunique() == 3
    assert all(Run(desk / run).finished for run in table["run"])
    assert out.splitlines() == [table.loc[table["score/mig"].idxmax(), "run"]]

    status, again, _ = terminal.run(*command)
    assert (status, again) == (0, out)
    assert len(list(desk.glob("runs/train/*/result.json"))) == 3
    locks = list((desk / "runs" / "sweeps").glob(".*.lock"))
    assert len(locks) == 1  # of the study; processes leave none
