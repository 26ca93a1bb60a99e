import importlib.util

import numpy as np
import pandas as pd
import pytest
import yaml

from micrographia.config import config_directory
from micrographia.models.vae.beta_vae import BetaVAE

needs_wandb = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None, reason="micrographia[wandb] is not installed"
)
needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="micrographia[tensorboard] is not installed"
)


class Killed(BaseException):
    """Stands for a signal that ends the process."""


def of_kind(records, kind):
    return [content for name, content in records if name == kind]


def history(records):
    """One row per log: the curves, and last the result."""
    return [row["item"] for row in of_kind(records, "history")]


def losses(records, name="train/loss"):
    """Rows of batches, images, loss."""
    return np.array([(row["batches"], row["images"], row[name]) for row in history(records) if name in row])


def curve(run, name="train/loss"):
    """The same rows as the run's own curves have them."""
    curves = pd.read_csv(run.folder / "curves.csv").query("name == @name")
    assert len(curves)
    return curves[["batches", "images", "value"]].to_numpy()


def summary(records):
    return {name: value for row in of_kind(records, "summary") for name, value in row["update"].items()}


def shown(kind, run):
    suffix = {"table": "csv", "figure": "png"}[kind]
    return {f"{kind}/{file.stem}" for file in (run.folder / f"{kind}s").glob(f"*.{suffix}")}


def logged(kind, records):
    return {
        name.removesuffix(".path") for name in history(records)[-1] if name.startswith(kind) and name.endswith(".path")
    }


@needs_wandb
def test_each_training_of_a_sweep_is_a_wandb_run(micrographia, tiny, tmp_path, monkeypatch, wandb_records):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    command = ("train", "logger=wandb", "how.log_every=1", *tiny.training, *tiny.sprites, "seed=0,1", "-m")
    runs = micrographia(*command)
    ids = set()
    for run in runs:
        (records,) = wandb_records(run.folder)
        (start,) = of_kind(records, "run")
        ids.add(start["run_id"])
        config = start["config"]["update"]
        config.pop("_wandb")
        assert config == run.config
        assert losses(records) == pytest.approx(curve(run))
        assert losses(records, "val/loss") == pytest.approx(curve(run, "val/loss"))
        assert history(records)[-1]["images"] == 16
        assert summary(records).items() >= run.metrics.items()
        assert logged("table", records) == shown("table", run) >= {"table/latents"}
        assert logged("figure", records) == shown("figure", run) >= {"figure/traversals"}
    assert len(ids) == 2
    (table,) = (tmp_path / "runs" / "sweeps").glob("*.csv")
    starts = [of_kind(wandb_records(run.folder)[0], "run")[0] for run in runs]
    assert [start["run_group"] for start in starts] == [table.stem] * 2
    assert [start["tags"] for start in starts] == [["train", "beta_vae", "texture_dsprites"]] * 2
    assert not (tmp_path / "wandb").exists()
    assert not (tmp_path / "home").exists()

    assert [run.folder for run in micrographia(*command)] == [run.folder for run in runs]
    assert len(list(tmp_path.rglob("*.wandb"))) == 2  # a run that is returned makes no W&B run


@needs_wandb
@pytest.mark.usefixtures("undrawn")
def test_a_resumed_training_continues_its_wandb_run(micrographia, tiny, tmp_path, monkeypatch, wandb_records):
    step = BetaVAE.training_step

    def mortal_step(self, batch, batch_idx):
        if self.batches == 3:
            raise Killed
        return step(self, batch, batch_idx)

    command = ("train", "logger=wandb", "how.log_every=1", *tiny.training, *tiny.sprites, "budget.steps=4")
    with monkeypatch.context() as patch:
        patch.setattr(BetaVAE, "training_step", mortal_step)
        with pytest.raises(Killed):
            micrographia(*command)
    former = [path.name.rpartition("-")[2] for path in tmp_path.glob("runs/train/*/wandb/offline-run-*")]
    run = micrographia(*command)
    (records,) = wandb_records(run.folder)
    assert [of_kind(records, "run")[0]["run_id"]] == former == [run.record("wandb")["id"]]
    for name in ("train/loss", "val/loss"):
        assert losses(records, name) == pytest.approx(curve(run, name))
    assert [batches for batches, *_ in curve(run)] == [1, 2, 3, 4]

    again = micrographia(*command, "how.rerun=true")
    assert again.folder == run.folder
    (anew,) = wandb_records(again.folder)
    assert of_kind(anew, "run")[0]["run_id"] not in former


@needs_wandb
def test_a_transfer_and_its_source_are_a_wandb_run_each(micrographia, tiny, tmp_path, wandb_records):
    run = micrographia(
        *("transfer", "logger=wandb", "source=trained", "model@source.model=beta_vae", "how.log_every=1"),
        *(*tiny.source(*tiny.training, *tiny.sprites), *tiny.carried, "data.count=60"),
    )
    (records,) = wandb_records(run.folder)
    (source,) = [wandb_records(result.parent)[0] for result in (tmp_path / "runs" / "train").glob("*/result.json")]
    starts = [of_kind(own, "run")[0] for own in (source, records)]
    assert [start["job_type"] for start in starts] == ["train", "transfer"]
    assert len({start["run_id"] for start in starts}) == len(list(tmp_path.rglob("*.wandb"))) == 2
    assert losses(records) == pytest.approx(curve(run))
    assert history(records)[-1]["images"] == losses(records)[-1][1]
    assert summary(records).items() >= run.metrics.items()
    assert logged("figure", records) == shown("figure", run)
    assert logged("table", records) == shown("table", run)
    (files,) = run.folder.glob("wandb/offline-run-*/files")
    probes = pd.read_json(files / history(records)[-1]["table/probes.path"], typ="series")
    table = pd.DataFrame(probes["data"], columns=probes["columns"])
    pd.testing.assert_frame_equal(table, run.table("probes"), check_dtype=False)


@needs_wandb
@pytest.mark.usefixtures("undrawn")
def test_a_preset_is_a_tag_and_a_group_of_ones_own_is_kept(micrographia, tiny, wandb_records):
    run = micrographia(
        *("train", "-m", "logger=wandb", "how.logger.group=mine", "how.logger.tags=[a]"),
        *("experiment=drl/demo_source", *tiny.training, *tiny.sprites),
    )
    (start,) = of_kind(wandb_records(run.folder)[0], "run")
    assert start["run_group"] == "mine"
    assert start["tags"] == ["a", "train", "ada_gvae", "texture_dsprites", "drl/demo_source"]


@needs_wandb
@pytest.mark.usefixtures("undrawn")
def test_an_agent_of_a_wandb_sweep_starts_the_shipped_command(micrographia, tiny, tmp_path, monkeypatch, wandb_records):
    """What W&B's own agent would start, with the environment it would give."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    sweep = yaml.safe_load((config_directory("experiments") / "wandb" / "train.yaml").read_text())
    proposed = {"args": {name: {"value": values["max"]} for name, values in sweep["parameters"].items()}}
    macros = {"env": ["/usr/bin/env"], "program": [sweep["program"]], **create_sweep_command_args(proposed)}
    words = [part for word in create_sweep_command(sweep["command"]) for part in macros.get(word[2:-1], [word])]
    assert words[:3] == ["/usr/bin/env", "micrographia", "train"]

    parameters = tmp_path / "config-agent1.yaml"
    parameters.write_text("wandb_version: 1\n" + yaml.safe_dump(proposed["args"]))
    for name, value in {"SWEEP_ID": "sweep1", "RUN_ID": "agent1", "SWEEP_PARAM_PATH": str(parameters)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    wandb = pytest.importorskip("wandb")
    wandb.teardown()  # else it remembers the environment of the process's start
    try:
        run = micrographia(*words[2:], *tiny.training, *tiny.sprites)
    finally:
        wandb.teardown()
    assert (run.config["model"]["beta"], run.config["optimizer"]["lr"]) == (16, 1e-3)
    (records,) = wandb_records(run.folder)
    (start,) = of_kind(records, "run")
    assert (start["run_id"], start["sweep_id"]) == ("agent1", "sweep1")
    assert sweep["metric"]["name"] in summary(records)


@needs_wandb
@needs_tensorboard
@pytest.mark.usefixtures("undrawn")
def test_wandb_tensorboard_and_csv_carry_the_same_scalars(micrographia, tiny, wandb_records):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    command = ("train", "how.log_every=1", "how.score_every=1", *tiny.training, *tiny.sprites)
    plain = micrographia(*command, "how.paths.runs=csv")
    noted = micrographia(*command, "logger=tensorboard", "how.paths.runs=tensorboard")
    sent = micrographia(*command, "logger=wandb", "how.paths.runs=wandb")

    metrics = pd.read_csv(plain.folder / "metrics.csv")
    assert dict(zip(metrics["name"], metrics["value"], strict=True)) == pytest.approx(plain.metrics)
    written = pd.concat([pd.read_csv(plain.folder / "curves.csv"), metrics])
    of_csv = {
        name: list(zip(rows["images"], rows["value"], strict=True)) for name, rows in written.groupby("name", sort=True)
    }
    assert {"train/loss", "val/loss", "val/mig", "score/mig"} <= of_csv.keys()

    events = EventAccumulator(str(noted.folder / "tensorboard")).Reload()
    of_tensorboard = {
        name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]
    }
    (records,) = wandb_records(sent.folder)
    of_wandb = {name: losses(records, name)[:, 1:].tolist() for name in of_csv if name not in plain.metrics}
    of_wandb |= {name: [(16, summary(records)[name])] for name in plain.metrics}
    logged_names = {name for row in history(records) for name in row if name.startswith(("train/", "val/"))}
    assert of_csv.keys() == of_tensorboard.keys() == of_wandb.keys() == logged_names | plain.metrics.keys()
    for name, rows in of_csv.items():
        assert np.array(of_tensorboard[name]) == pytest.approx(np.array(rows, float), rel=1e-6), name
        assert np.array(of_wandb[name]) == pytest.approx(np.array(rows, float), rel=1e-6), name


@needs_tensorboard
def test_a_training_is_on_tensorboard(micrographia, tiny):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = micrographia("train", "logger=tensorboard", "how.log_every=1", *tiny.training, *tiny.sprites)
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    for name in ("train/loss", "val/loss"):
        scalars = np.array([(event.step, event.value) for event in events.Scalars(name)])
        assert scalars == pytest.approx(curve(run, name)[:, 1:])
    for name, value in run.metrics.items():
        assert [(event.step, event.value) for event in events.Scalars(name)] == [(16, pytest.approx(value))]
    assert set(events.Tags()["images"]) == shown("figure", run)
