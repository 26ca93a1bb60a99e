import contextlib
import importlib.util
import io
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from micrographia.errors import UserError
from micrographia.runs.run import Run
from micrographia.training.loggers import (
    LONGEST_TABLE,
    TensorBoardLogger,
    WandbLogger,
    kept_id,
    log_results,
    opened_loggers,
    usual_mode,
)
from micrographia.training.pruning import StoppedError

needs_wandb = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None, reason="micrographia[wandb] is not installed"
)
needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="micrographia[tensorboard] is not installed"
)
CONFIG = {"task": "train", "name": "tiny", "model": {"beta": 4.0, "capacity": None}}
WANDB = {"logger": {"_target_": "micrographia.training.loggers.WandbLogger", "tags": ["a tag"]}}
TENSORBOARD = {"logger": {"_target_": "micrographia.training.loggers.TensorBoardLogger"}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with a table and a figure, and a home folder to be left alone."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    run = Run(tmp_path / "runs of today" / "tiny-0123456789")
    run.save_table("latents", pd.DataFrame({"latent": ["Scale", None], "strength": [0.5, np.nan]}))
    (run.folder / "figures").mkdir()
    Image.fromarray(np.full((5, 7, 3), 200, np.uint8)).save(run.folder / "figures" / "curves.png")
    return run


def log_two_losses(loggers):
    for batches in (1, 2):
        for logger in loggers:
            values = {"train/loss": 1 / batches, "images": 8 * batches, "batches": batches}
            logger.log_metrics(values, step=batches)


def log_everything(how, run):
    with opened_loggers(how, run, CONFIG) as loggers:
        log_two_losses(loggers)
        log_results(loggers, run, {"score/mig": 0.25}, images=16)


def of_kind(records, kind):
    return [content for name, content in records if name == kind]


@needs_wandb
def test_wandb_has_config_losses_metrics_tables_and_figures(run, wandb_records):
    log_everything(WANDB, run)
    (records,) = wandb_records(run.folder)
    (start,) = of_kind(records, "run")
    assert start["run_id"] == run.record("wandb")["id"]
    assert (start["display_name"], start["job_type"], start["project"]) == (run.folder.name, "train", "micrographia")
    assert start["tags"] == ["a tag", "train"]
    assert {key: start["config"]["update"][key] for key in CONFIG} == CONFIG
    *losses, result = [row["item"] for row in of_kind(records, "history")]
    assert [(row["images"], row["batches"], row["train/loss"]) for row in losses] == [(8, 1, 1.0), (16, 2, 0.5)]
    assert result["images"] == 16
    metrics = of_kind(records, "metric")
    assert {"glob_name": "*", "step_metric": "images"}.items() <= metrics[-1].items()
    assert not any("global_step" in str(metric) for metric in metrics)
    summary = {name: value for row in of_kind(records, "summary") for name, value in row["update"].items()}
    assert summary["score/mig"] == 0.25
    (files,) = (run.folder / "wandb").glob("offline-run-*/files")
    assert pd.read_json(files / result["table/latents.path"], typ="series")["data"] == [["Scale", 0.5], [None, None]]
    assert Image.open(files / result["figure/curves.path"]).size == (7, 5)
    (end,) = of_kind(records, "exit")
    assert end["exit_code"] == 0


@needs_wandb
def test_wandb_keeps_its_files_in_the_run_folder_and_off_stdout(run, tmp_path, monkeypatch, capfd, caplog):
    caplog.set_level("INFO", "micrographia")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    log_everything(WANDB, Run(run.folder.relative_to(tmp_path)))
    assert set(tmp_path.iterdir()) == before
    assert capfd.readouterr().out == ""
    (notice,) = [record.getMessage() for record in caplog.records if record.name.startswith("micrographia")]
    told, _, sync = notice.partition(" && ")
    assert told == "W&B works offline. To send this run: wandb login"
    dry = subprocess.run(
        sync.replace("wandb sync", f"{shlex.quote(sys.executable)} -m wandb sync --dry-run"),
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Would sync 1 run" in dry.stdout + dry.stderr


def fail(how, run):
    """Log two losses, save the curves as at a checkpoint, and end in a mistake."""
    with contextlib.suppress(UserError), opened_loggers(how, run, CONFIG) as loggers:
        log_two_losses(loggers)
        loggers[0].save()
        raise UserError("the loss is not a number")


@needs_wandb
def test_one_tag_may_stand_without_brackets(run, wandb_records):
    log_everything({"logger": {**WANDB["logger"], "tags": "baseline"}}, run)
    (records,) = wandb_records(run.folder)
    assert of_kind(records, "run")[0]["tags"] == ["baseline", "train"]


@needs_wandb
@pytest.mark.parametrize(("own", "expected"), [(None, "sweep-0"), ("of the user", "of the user")])
def test_runs_of_a_sweep_have_its_group_and_tags_unless_the_user_says_otherwise(
    own, expected, run, monkeypatch, wandb_records
):
    monkeypatch.setenv("MICROGRAPHIA_GROUP", "sweep-0")
    monkeypatch.setenv("MICROGRAPHIA_TAGS", f"drl/plankton,{'x' * 70}")
    if own:
        monkeypatch.setenv("WANDB_RUN_GROUP", own)
    log_everything(WANDB, run)
    (start,) = of_kind(wandb_records(run.folder)[0], "run")
    assert start["run_group"] == expected
    assert start["tags"] == ["a tag", "train", "drl/plankton", "x" * 64]


@needs_wandb
def test_a_run_that_a_tuning_stopped_has_not_failed(run, wandb_records):
    with contextlib.suppress(StoppedError), opened_loggers(WANDB, run, CONFIG) as loggers:
        log_two_losses(loggers)
        raise StoppedError("stopped after 2 of 5 validations")
    assert of_kind(wandb_records(run.folder)[0], "exit")[0]["exit_code"] == 0


@needs_wandb
def test_a_failed_run_is_closed_as_failed(run, wandb_records):
    fail(WANDB, run)
    (records,) = wandb_records(run.folder)
    assert of_kind(records, "exit")[0]["exit_code"] == 1


@needs_wandb
def test_a_resumed_run_keeps_its_id_and_replaces_what_was_not_sent(run, wandb_records):
    fail(WANDB, run)
    former = kept_id(run)
    with opened_loggers(WANDB, run, CONFIG) as loggers:
        for logger in loggers:
            logger.forget_after(batches=1, images=8)
            logger.log_metrics({"train/loss": 0.25, "images": 16, "batches": 2}, step=2)
        log_results(loggers, run, {}, images=16)
    (records,) = wandb_records(run.folder)
    (start,) = of_kind(records, "run")
    assert start["run_id"] == former
    assert start["resume"]
    *losses, result = [row["item"] for row in of_kind(records, "history")]
    assert [(row["images"], row["batches"], row["train/loss"]) for row in losses] == [(8, 1, 1.0), (16, 2, 0.25)]
    assert result["images"] == 16


@needs_wandb
def test_what_was_sent_stays(run, wandb_records):
    fail(WANDB, run)
    (file,) = run.folder.glob("wandb/offline-run-*/*.wandb")
    file.with_name(f"{file.name}.synced").touch()
    log_everything(WANDB, run)
    assert len(wandb_records(run.folder)) == 2


@needs_wandb
def test_a_run_resumed_online_logs_only_what_wandb_lacks(run, wandb_records):
    fail(WANDB, run)
    logger = WandbLogger(run, CONFIG)
    logger.known = 16  # as W&B would answer
    logger.forget_after(batches=2, images=16)
    for images in (8, 24):
        logger.log_metrics({"train/loss": 0.25, "images": images, "batches": images // 8})
    logger.close(failed=False)
    (records,) = wandb_records(run.folder)
    assert [row["item"]["images"] for row in of_kind(records, "history")] == [16, 24]


@needs_wandb
def test_runs_of_one_process_do_not_meet(run, tmp_path, wandb_records):
    other = Run(tmp_path / "runs" / "other-9876543210")
    other.folder.mkdir(parents=True)
    with opened_loggers(WANDB, run, CONFIG) as loggers, opened_loggers(WANDB, other, CONFIG) as others:
        log_two_losses(others)
        log_two_losses(loggers)
        log_two_losses(loggers)
    ((long,), (short,)) = wandb_records(run.folder), wandb_records(other.folder)
    assert (len(of_kind(long, "history")), len(of_kind(short, "history"))) == (4, 2)
    assert kept_id(run) != kept_id(other)


@needs_wandb
def test_tables_longer_than_wandb_shows_stay_behind(run, wandb_records, caplog):
    caplog.set_level("INFO", "micrographia")
    run.save_table("codes", pd.DataFrame({"x": np.zeros(LONGEST_TABLE + 1)}))
    log_everything(WANDB, run)
    (records,) = wandb_records(run.folder)
    result = of_kind(records, "history")[-1]["item"]
    assert "table/latents.path" in result
    assert not any(name.startswith("table/codes") for name in result)
    assert "codes stays in the run's folder" in caplog.text


@needs_wandb
def test_wandb_is_online_only_with_an_account(run, tmp_path, monkeypatch):
    import wandb

    assert usual_mode() == "offline"  # as WANDB_MODE says
    wandb.teardown()  # else it remembers the environment of the process's start
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no terminal to ask for a key
    try:
        assert usual_mode() == "offline"
        with pytest.raises(UserError, match=r"logger=wandb: .*how\.logger\.mode=offline"):
            WandbLogger(run, CONFIG, mode="online")
        monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
        assert usual_mode() == "online"
    finally:
        wandb.teardown()


@needs_tensorboard
def test_tensorboard_has_losses_by_images_metrics_figures_and_config(run):
    log_everything(TENSORBOARD, run)
    events = accumulated(run)
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(8, 1.0), (16, 0.5)]
    assert [(event.step, event.value) for event in events.Scalars("score/mig")] == [(16, 0.25)]
    (figure,) = events.Images("figure/curves")
    assert (figure.step, figure.width, figure.height) == (16, 7, 5)
    assert "beta: 4.0" in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert set(events.Tags()["scalars"]) == {"train/loss", "score/mig"}


@needs_tensorboard
def test_tensorboard_shows_a_resumed_run_once(run):
    for images in (0, 8):  # started anew, and resumed from a checkpoint at 8 images
        with opened_loggers(TENSORBOARD, run, CONFIG) as loggers:
            for logger in loggers:
                logger.forget_after(images // 8, images)
            log_two_losses(loggers[1:] if images == 0 else [])
            for logger in loggers[1:]:
                logger.log_metrics({"train/loss": 0.75, "images": 16, "batches": 2})
    assert [(event.step, event.value) for event in accumulated(run).Scalars("train/loss")] == [(8, 1.0), (16, 0.75)]


def accumulated(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run.folder / "tensorboard")).Reload()


@pytest.mark.parametrize(("logger", "module"), [(WandbLogger, "wandb"), (TensorBoardLogger, "torch.utils.tensorboard")])
def test_a_logger_that_is_not_installed_is_named(logger, module, run, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    extra = module.rpartition(".")[2]
    with pytest.raises(UserError, match=rf"logger={extra}: .* pip install 'micrographia\[{extra}\]'"):
        logger(run, CONFIG)
