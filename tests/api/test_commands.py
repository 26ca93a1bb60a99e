import logging
import shlex
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import micrographia as mg
from micrographia.cli import command
from micrographia.config import config_directory
from micrographia.degradations import Bicubic

QUIET = ("how.progress=false", "how.threads=1")


def test_a_call_makes_the_run_of_its_command(trained, here, training, capsys):
    settings, overrides = training
    capsys.readouterr()
    assert command(["train", *overrides, *QUIET]) == 0
    assert capsys.readouterr().out.splitlines() == [str(trained.path)]
    again = mg.train(overrides=[*overrides, *QUIET])
    assert (again.found, again.path, again.digest) == (True, trained.path, trained.path.name.rpartition("-")[2])
    assert mg.train(overrides=settings, how={"progress": False}).found
    assert capsys.readouterr().out == ""  # a call prints no folder


def test_hydra_and_logging_stay_as_they_were(trained, here, training):
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        with initialize_config_dir(str(config_directory()), version_base="1.3"):
            before = root.handlers[:], root.level
            for _ in range(2):
                assert mg.train(**training[0], how={"progress": False}).found
            assert compose("train", ["seed=3"]).seed == 3  # the caller's Hydra
            assert (root.handlers, root.level) == before
        assert not GlobalHydra.instance().is_initialized()
    finally:
        root.removeHandler(handler)


def test_an_interrupted_call_goes_on_and_can_be_interrupted_again(here, training, monkeypatch):
    settings = {**training[0], "seed": 5, "how": {"progress": False, "threads": 1}}
    before = signal.getsignal(signal.SIGINT)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr("micrographia.training.progress.TrainingProgress.on_train_batch_end", interrupt)
            with pytest.raises(KeyboardInterrupt):
                mg.train(**settings)
        assert signal.getsignal(signal.SIGINT) is before
    assert not mg.train(**settings).found


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mg.transfer(data="synthetic/cels"), r"data=synthetic/cels: no such choice \(did you mean"),
        (lambda: mg.train(seed=-1), "seed=-1: expected a whole number"),
        (lambda: mg.train(sede=1), r"sede: no such key \(did you mean seed\?\)"),
        (lambda: mg.train(experiment="drl/plankton"), "experiment=drl/plankton is a preset of transfer"),
        (lambda: mg.train(sweep="optuna"), "sweep=optuna: a tuning is a command of the terminal"),
        (lambda: mg.sweep("tarin", seed=[0, 1]), "tarin: no such command"),
        (lambda: mg.sweep("train", seed=range(300)), r"300 jobs, more than 200\. Say yes=True"),
        (lambda: mg.evaluate("runs/nothing"), "run: runs/nothing is no folder"),
        (lambda: mg.load("nothing"), "nothing is no folder"),
        (lambda: mg.transfer(np.zeros((2, 8, 8))), "classes: a transfer needs them"),
        (lambda: mg.transfer(None, ["a"]), "classes: of which images"),
        (lambda: mg.superresolve(None, pd.DataFrame()), "table: of which images"),
        (lambda: mg.report(), "report: name a run"),
        (lambda: mg.study("nothing"), "nothing"),
        (lambda: mg.preview("synthetic/cells", part="tset"), "part=tset: no such part"),
    ],
)
def test_a_mistake_is_raised_with_what_the_command_says(call, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mg.UserError, match=said) as raised:
        call()
    assert len(str(raised.value).splitlines()) <= 2
    assert raised.value.__cause__ is None
    assert raised.value._render_traceback_() == [f"micrographia: {raised.value}"]
    assert capsys.readouterr().out == ""


def test_an_array_is_super_resolved_by_the_same_run_each_time(here, search, capsys):
    cells = mg.preview("synthetic/translocation", count=2, part="test")
    low = Bicubic(8)(torch.from_numpy(cells.pixels)).clamp(0, 1)
    run = mg.superresolve(low, cells.table, generator="pretrained/translocation", **search)
    assert run.config["data"]["model_channels"] == 2
    measured = run.table("measurements")
    assert measured.groupby("method").size().to_dict() == {"bicubic": 2, "rls": 2}
    assert measured["true_translocation_ratio"].tolist() == pytest.approx(
        cells.table["translocation_ratio"].tolist() * 2, rel=1e-6
    )
    again = mg.superresolve(low.numpy(), cells.table, generator="pretrained/stylegan2_translocation", **search)
    assert (again.found, again.path) == (True, run.path)  # the same generator by another name
    capsys.readouterr()
    words = shlex.split(run.command)[1:]
    assert command([*words]) == 0
    assert capsys.readouterr().out.splitlines() == [str(run.path)]
    with pytest.raises(mg.UserError, match="a superresolve run trains no model"):
        run.model()


def test_arrays_with_classes_are_transferred(here, transfer):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (40, 3, 16, 16), dtype=np.uint8)
    images[::2, 0] //= 4
    run = mg.transfer(images, ["red", "grey"] * 20, **transfer)
    assert run.task == "transfer"
    probes = run.table("probes")
    assert set(probes["probe"]) == {"gbt", "mlp", "logistic"}
    assert run.table("codes_before")["class"].isin(["red", "grey"]).all()
    again = mg.transfer(images, np.array(["red", "grey"] * 20), **transfer)
    assert again.found
    assert again.digest == run.digest
    codes = run.encode(mg.preview("synthetic/texture_dsprites", count=2).pixels)  # of the source, without fine-tuning
    assert list(codes) == mg.load("pretrained/beta_vae").model("cpu").latent_names


def test_a_sweep_has_a_table_over_its_seeds(trained, here, training):
    runs = mg.sweep("train", seed=[0, 1], **training[0], how={"progress": False, "threads": 1})
    assert (len(runs), runs[0].path, runs.swept) == (2, trained.path, ["seed"])
    assert [run.found for run in runs] == [True, False]
    table = runs.table().set_index("metric")
    assert table["runs"].eq(2).all()
    values = [run.metrics["score/mig"] for run in runs]
    assert table.loc["score/mig", "mean"] == pytest.approx(np.mean(values))
    assert table.loc["score/mig", "sd"] == pytest.approx(np.std(values, ddof=1))
    assert runs.metrics["score/mig"].tolist() == pytest.approx(values)
    latents = runs.table("latents")
    assert latents["seed"].tolist() == ["0"] * 10 + ["1"] * 10
    assert list(latents)[:2] == ["seed", "latent"]
    assert "score/mig" in runs._repr_html_()
    assert runs.failed.empty
    (file,) = here.glob("runs/sweeps/train-seed-*.csv")  # as the command writes it
    assert pd.read_csv(file)["mean"].tolist() == pytest.approx(table["mean"].tolist())


def test_a_job_that_fails_leaves_the_others_alone(trained, here, training):
    data = {"data": training[0]["data"], "naming": training[0]["naming"], "how": {"progress": False}}
    settings = {"batch_size": 4, "validate_every": 2}
    runs = mg.sweep("train", overrides={"budget.steps": [2, -1]}, budget=settings, **data)
    assert len(runs) == 1
    assert runs.failed["budget.steps"].tolist() == ["-1"]
    assert "budget.steps=-1: expected" in runs.failed["mistake"].item()


def test_a_run_is_evaluated(trained, here):
    settings = {"only": ["mig"], "samples": 200, "bootstrap": 2, "how": {"progress": False}}
    found = mg.evaluate(trained, **settings)
    assert set(found.table("scores")["score"]) == {"mig"}
    assert mg.evaluate(trained.path, overrides={**settings}).found
    (same,) = mg.sweep("evaluate", run=[trained], **{**settings, "only": [["mig"]]})
    assert same.path == found.path
    with pytest.raises(mg.UserError, match="of a evaluate run no latents are scored"):
        mg.evaluate(found, **settings)


def test_a_report_is_written_and_shown(trained, here):
    page = mg.report(trained, output="page.html")
    assert page.path.read_text().startswith("<!doctype html>")
    shown = page._repr_html_()
    assert shown.startswith("<iframe title=")
    assert "&lt;!doctype html&gt;" in shown


STUDY = """
question: Does the seed matter?
source: nobody
sweeps:
  seeds:
    verb: train
    overrides: [{overrides}, "seed=0,1"]
budgets:
  smoke: {{}}
result:
  - table: scores
    metrics: "score/{{score}}"
    rows: [score]
"""


def test_a_study_is_returned_with_its_tables(trained, here, training, tmp_path, capsys):
    file = tmp_path / "own.yaml"
    file.write_text(STUDY.format(overrides=", ".join(f'"{override}"' for override in training[1])))
    mg.sweep("train", seed=[0, 1], **training[0], how={"progress": False, "threads": 1})
    capsys.readouterr()
    study = mg.study(file, how={"progress": False, "threads": 1})
    assert capsys.readouterr().out == ""
    assert study.question == "Does the seed matter?"
    assert study.jobs["status"].tolist() == ["done", "done"]
    assert study.jobs["run"].tolist()[0] == str(trained.path)
    assert study.tables == ["scores", "scores_long"]
    assert set(study.table("scores_long")["score"]) >= {"mig", "omes"}
    assert study.figures == ["scores"]
    assert "2 of 2 done" in study._repr_html_()
    with pytest.raises(mg.UserError, match="is no folder of a study"):
        mg.Study(tmp_path)


def test_runs_are_found_again(trained, here):
    table = mg.list_runs("runs/train")
    row = table[table["path"] == str(trained.path)].iloc[0]
    assert (row["task"], row["status"], row["seed"]) == ("train", "finished", 0)
    assert row["score/mig"] == trained.metrics["score/mig"]
    assert mg.load(row["path"]).digest == trained.digest


def test_a_data_set_is_looked_at():
    found = mg.preview("synthetic/cells", count=5, part="test", data={"count": 60})
    assert found.pixels.shape == (5, 3, 64, 64)
    assert found.pixels.dtype == np.float32
    assert 0 <= found.pixels.min() < found.pixels.max() <= 1
    assert len(found) == len(found.table) == 5
    assert found._repr_png_().startswith(b"\x89PNG")
    assert len(mg.preview("synthetic/cells", count=None, part="test", data={"count": 60})) == 9
