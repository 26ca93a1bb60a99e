import importlib.util

import numpy as np
import pandas as pd
import pytest

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
    assert not (tmp_path / "wandb").exists()
    assert not (tmp_path / "home").exists()

    assert [run.folder for run in micrographia(*command)] == [run.folder for run in runs]
    assert len(list(tmp_path.rglob("*.wandb"))) == 2  # a run that is returned makes no W&B run


@needs_wandb
def test_a_resumed_training_continues_its_wandb_run(micrographia, tiny, tmp_path, monkeypatch, wandb_records):
    step = BetaVAE.training_step

    def mortal_step(self, batch, batch_idx):
        if self.batches == 3:
            raise Killed
        return step(self, batch, batch_idx)

    command = ("train", "logger=wandb", "how.log_every=1", *tiny.training, *tiny.sprites, "budget.steps=4")
    monkeypatch.setattr(BetaVAE, "training_step", mortal_step)
    with pytest.raises(Killed):
        micrographia(*command)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
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
        *(*tiny.source(*tiny.training, *tiny.sprites), *tiny.transfer, "data.count=60"),
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
