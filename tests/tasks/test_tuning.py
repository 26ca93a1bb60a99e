import importlib.util
import json
import math
import shlex

import pandas as pd
import pytest

from micrographia.cli import main
from micrographia.runs.run import Run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="micrographia[tune] is not installed"
)

SWEEP = ("sweep=optuna", "how.sweep.metric=score/mig", "how.progress=false")
SPACE = ("model.beta=interval(1,16)", "optimizer.lr=tag(log,interval(1e-5,1e-3))")


class Killed(BaseException):
    """Stands for a signal that ends the process."""


@pytest.fixture
def recipe(monkeypatch):
    """Let a training give metrics that follow from its configuration at once; returns what has been trained."""
    trained = []

    def replace(metrics):
        def train_model(what, how, run):
            trained.append((what["model"]["beta"], what["optimizer"]["lr"]))
            return metrics(what)

        monkeypatch.setattr("micrographia.tasks.train.train_model", train_model)
        return trained

    replace(hill)
    return replace


def hill(what):
    """Highest at beta 6 and a rate of 3e-4."""
    return {"score/mig": -abs(what["model"]["beta"] - 6) - abs(math.log10(what["optimizer"]["lr"]) + 3.5)}


@pytest.fixture
def tune(tmp_path, monkeypatch, capsys, recipe):
    """Give a command: exit status, stdout's lines, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["train", *SWEEP, *arguments])
        shown = capsys.readouterr()
        return stopped.value.code, shown.out.splitlines(), shown.err

    return run


def trials_in(folder):
    (file,) = (folder / "runs" / "sweeps").glob("*.csv")
    return pd.read_csv(file)


def test_the_best_run_is_named_and_its_command_makes_it(tune, tmp_path, recipe):
    trained = recipe(hill)
    status, out, err = tune(*SPACE, "how.sweep.trials=12")
    assert status == 0
    table = trials_in(tmp_path)
    assert table["end"].tolist() == ["done"] * 12
    assert table["trial"].tolist() == list(range(1, 13))
    assert table["default"].tolist() == [True] + [False] * 11
    assert tuple(table.loc[0, ["model.beta", "optimizer.lr"]]) == (1.0, 1e-4)
    best = table.loc[table["score/mig"].idxmax()]
    assert out == [best["run"]]
    assert best["score/mig"] > -5  # the defaults are at -5.5
    command = shlex.split(err.splitlines()[-1])
    assert command[:2] == ["micrographia", "train"]
    assert f"model.beta={float(best['model.beta'])!r}" in command
    assert not any("sweep" in word for word in command)
    trained.clear()
    with pytest.raises(SystemExit) as stopped:
        main(command[1:])
    assert stopped.value.code == 0
    assert trained == []  # it is found at its address
    assert "what mattered: " in err
    assert "default" in err


def test_a_metric_may_be_minimized(tune, tmp_path):
    _, out, _ = tune(*SPACE, "how.sweep.trials=4", "how.sweep.direction=minimize")
    table = trials_in(tmp_path)
    assert out == [table.loc[table["score/mig"].idxmin(), "run"]]


def test_the_space_may_stand_in_the_config_and_the_command_line_goes_first(tune, tmp_path):
    inside = "how.sweep.space={model.beta: {low: 2, high: 4}, optimizer.lr: [1e-4, 1e-3]}"
    assert tune(inside, "model.beta=interval(8,9)", "how.sweep.trials=5", "how.sweep.baseline=false")[0] == 0
    table = trials_in(tmp_path)
    assert table["model.beta"].between(8, 9).all()
    assert set(table["optimizer.lr"]) <= {1e-4, 1e-3}
    assert not table["default"].any()


def test_more_trials_go_on_with_the_study_and_nothing_is_repeated(tune, tmp_path, recipe):
    trained = recipe(hill)
    tune(*SPACE, "how.sweep.trials=3")
    tune(*SPACE, "how.sweep.trials=3")
    assert len(trained) == 3
    tune(*SPACE, "how.sweep.trials=6")
    assert len(trained) == 6
    assert len(set(trained)) == 6  # a seed does not begin anew


def test_a_killed_study_goes_on_as_it_would_have(tune, tmp_path, recipe):
    recipe(hill)
    tune(*SPACE, "how.sweep.trials=5", "how.sweep.random=2", "how.paths.runs=whole")

    def mortal(what):
        if len(list(tmp_path.glob("runs/train/*/result.json"))) == 2:
            raise Killed
        return hill(what)

    recipe(mortal)
    with pytest.raises(Killed):
        main(["train", *SWEEP, *SPACE, "how.sweep.trials=5", "how.sweep.random=2"])
    recipe(hill)
    status, _, err = tune(*SPACE, "how.sweep.trials=5", "how.sweep.random=2")
    assert status == 0
    assert "trial 3: its process has ended; it goes on" in err
    (whole,) = (pd.read_csv(file) for file in (tmp_path / "whole" / "sweeps").glob("*.csv"))
    table = trials_in(tmp_path)
    assert table["end"].tolist() == ["done"] * 5
    columns = ["trial", "model.beta", "optimizer.lr", "score/mig"]
    pd.testing.assert_frame_equal(table[columns], whole[columns], check_exact=True)
    (kept,) = (tmp_path / "runs" / "sweeps").glob("*.sqlite")
    (other,) = (tmp_path / "whole" / "sweeps").glob("*.sqlite")
    assert kept.name == other.name


def test_a_failed_trial_is_recorded_and_the_others_go_on(tune, tmp_path, recipe):
    def fragile(what):
        if what["model"]["beta"] > 8:
            raise RuntimeError("out of memory")
        return hill(what)

    recipe(fragile)
    status, _, err = tune(*SPACE, "how.sweep.trials=6")
    assert status == 0
    table = trials_in(tmp_path)
    failed = table["model.beta"] > 8
    assert failed.any()
    assert table["end"].tolist() == ["failed" if lost else "done" for lost in failed]
    assert table.loc[failed, "mistake"].str.contains("out of memory").all()
    assert table.loc[failed, "score/mig"].isna().all()
    assert f"{failed.sum()} failed" in err


def test_a_metric_that_is_no_number_is_a_failure(tune, tmp_path, recipe):
    recipe(lambda what: {"score/mig": math.nan if what["model"]["beta"] > 8 else 0.5})
    assert tune(*SPACE, "how.sweep.trials=4")[0] == 0
    table = trials_in(tmp_path)
    assert (table["end"] == "failed").tolist() == (table["model.beta"] > 8).tolist()


def test_what_fails_from_the_start_ends_the_study(tune, tmp_path, recipe):
    def broken(what):
        raise RuntimeError("no device")

    recipe(broken)
    status, out, err = tune(*SPACE, "how.sweep.trials=20")
    assert (status, out) == (2, [])
    assert "the first 3 trials failed, the last: RuntimeError: no device" in err


def test_a_metric_that_no_run_has_is_answered_with_those_near(tune, tmp_path, recipe):
    recipe(lambda what: {"score/mig": 0.5, "score/omes": 0.25, "latents/kl": 2.0})
    status, out, err = tune(*SPACE, "how.sweep.metric=score/mig/mean")
    assert (status, out) == (2, [])
    answer = err.splitlines()[-1]
    assert answer.startswith("micrographia: how.sweep.metric=score/mig/mean: the run in runs/train/")
    assert "it has score/mig" in answer
    assert len(list(tmp_path.glob("runs/train/*/result.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ([], "sweep=optuna: no key is tuned. Give at least one an interval or choices"),
        ([*SPACE, "-m"], "sweep=optuna with -m: it makes its runs by itself"),
        ([*SPACE, "how.sweep.direction=up"], "how.sweep.direction=up: expected one of maximize, minimize"),
        ([*SPACE, "how.sweep.trails=3"], "how.sweep.trails: no such key (did you mean trials?)"),
        (["model.bta=interval(1,2)"], "model.bta: no such key (did you mean beta?)"),
        (["model.beta=interval(1"], "no viable alternative|mismatched|missing|extraneous"),
        (["how.sweep.space={model.beta: 3}"], "how.sweep.space: model.beta: 3 is no interval"),
    ],
)
def test_mistakes_are_answered(arguments, answer, tune, tmp_path):
    status, out, err = tune(*arguments)
    assert (status, out) == (2, [])
    assert any(part in err for part in answer.split("|"))
    assert len(err.splitlines()) <= 2
    assert not (tmp_path / "runs").exists()


def test_a_metric_is_needed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["train", "sweep=optuna", *SPACE])
    assert "how.sweep.metric: no value given. Add how.sweep.metric=VALUE" in capsys.readouterr().err


def test_a_study_that_cannot_be_read_is_named(tune, tmp_path):
    tune(*SPACE, "how.sweep.trials=1")
    (file,) = (tmp_path / "runs" / "sweeps").glob("*.sqlite")
    file.write_text("no database " * 100)
    status, out, err = tune(*SPACE, "how.sweep.trials=2")
    assert (status, out) == (2, [])
    assert f"{file.relative_to(tmp_path)}: the study cannot be read or written (file is not a database)" in err


def test_optuna_that_is_not_installed_is_named(tune, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    status, out, err = tune(*SPACE)
    assert (status, out) == (2, [])
    assert "sweep=optuna needs the package optuna: pip install 'micrographia[tune]'" in err


def test_the_configuration_is_shown_without_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["train", *SWEEP, *SPACE, "--cfg", "job"])
    assert stopped.value.code == 0
    assert "metric: score/mig" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_tuning_changes_no_address(tune, tmp_path, recipe):
    """A run of a tuning is that of the same command without one."""
    trained = recipe(hill)
    tune("model.beta=choice(1,2)", "how.sweep.trials=2", "how.sweep.random=1")
    with pytest.raises(SystemExit):
        main(["train", "model.beta=1"])
    assert len(trained) == len(set(trained)) <= 2
    for result in tmp_path.glob("runs/train/*/result.json"):
        assert "sweep" not in json.dumps(Run(result.parent).config)


def test_intervals_without_a_tuning_are_answered(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for options in ([], ["-m"]):
        with pytest.raises(SystemExit):
            main(["train", "model.beta=interval(1,2)", *options])
        assert "intervals are searched by sweep=optuna how.sweep.metric=METRIC" in capsys.readouterr().err


def test_a_training_that_promises_less_is_stopped_and_can_go_on(tmp_path, monkeypatch, capsys, tiny):
    """Real trainings: rates below the default's lower the loss more slowly."""
    monkeypatch.chdir(tmp_path)
    training = (*tiny.training, *tiny.sprites, "budget.steps=6", "how.progress=false")
    stopping = ("how.sweep.intermediate=val/loss", "how.sweep.patience=1", "how.sweep.warmup=0", "how.sweep.trials=3")
    with pytest.raises(SystemExit) as ended:
        main(["train", *SWEEP, *training, *stopping, "optimizer.lr=tag(log,interval(1e-9,1e-4))"])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert "2 stopped early" in shown.err
    table = trials_in(tmp_path)
    assert table["end"].tolist() == ["done", "stopped", "stopped"]
    assert table["validations"].tolist() == [3, 1, 1]
    assert shown.out.splitlines() == [table.loc[0, "run"]]
    stopped = Run(tmp_path / table.loc[1, "run"])
    assert stopped.checkpoint.exists()
    assert not stopped.finished

    with pytest.raises(SystemExit) as ended:
        main(["train", *training, f"optimizer.lr={float(table.loc[1, 'optimizer.lr'])!r}"])
    assert ended.value.code == 0
    assert f"{table.loc[1, 'run']}: resuming" in capsys.readouterr().err
    assert stopped.finished


def test_the_runs_of_a_tuning_have_a_wandb_group(tune, tmp_path, tiny, wandb_records, monkeypatch):
    pytest.importorskip("wandb", reason="micrographia[wandb] is not installed")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path / "cache"))
    arguments = (
        *SWEEP,
        *tiny.training,
        *tiny.sprites,
        "logger=wandb",
        "model.beta=interval(1,2)",
        "how.sweep.trials=1",
    )
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(["train", *arguments])
    (study,) = (tmp_path / "runs" / "sweeps").glob("*.sqlite")
    (folder,) = (result.parent for result in tmp_path.glob("runs/train/*/result.json"))
    (records,) = wandb_records(folder)  # the second start makes none
    (start,) = (content for kind, content in records if kind == "run")
    assert start["run_group"] == study.stem
    assert start["tags"] == ["train", "beta_vae", "texture_dsprites"]
