"""``micrographia report`` as it is called: where the page is written, what is printed, what is answered."""

import importlib.util
import json
import re

import pytest
import yaml

from micrographia.cli import command
from micrographia.errors import UserError
from micrographia.runs.run import Run

needs_wandb = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None, reason="micrographia[wandb] is not installed"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run("runs/train/vae-on-sprites-0123456789")
    run.folder.mkdir(parents=True)
    (run.folder / "config.yaml").write_text(yaml.safe_dump({"task": "train", "seed": 3, "data": {"name": "sprites"}}))
    run.save_record("result", {"task": "train", "metrics": {"score/mig": 0.5}, "seconds": 1})
    return run


def test_the_page_is_written_beside_the_runs_and_named_last(run, capsys):
    assert command(["report", str(run.folder)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "runs/reports/vae-on-sprites-0123456789.html"
    page = (run.folder.parents[1] / "reports" / "vae-on-sprites-0123456789.html").read_text()
    assert "MIG" in page
    assert "0.500" in page


def test_output_names_the_file(run, capsys, tmp_path):
    assert command(["report", "runs", "output=pages/all.html"]) == 0
    assert capsys.readouterr().out.splitlines() == ["pages/all.html"]
    assert (tmp_path / "pages" / "all.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "report: name a run's folder"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["runs", "--open"], "--open: report takes --wandb"),
        (["runs", "outptu=a.html"], "outptu"),
        (["runs", "megabytes=0"], "^megabytes=0: expected"),
        (["runs", "output=runs"], "output=runs: is a folder"),
        (["runs", "logger=tensorboard"], "can be uploaded to wandb only"),
    ],
)
def test_mistakes_are_answered(run, arguments, message):
    with pytest.raises(UserError, match=message):
        command(["report", *arguments, *([] if arguments else ["output=x.html"])])


def test_help_and_configuration_are_printed(capsys):
    assert command(["report", "--help"]) == 0
    assert "PATH is the folder of a run" in capsys.readouterr().out
    assert command(["report", "runs", "--wandb", "--cfg", "job"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["paths"] == ["runs"]
    assert shown["how"]["logger"]["project"] == "micrographia"


@needs_wandb
def test_wandb_takes_the_page_offline_as_html_and_as_an_artifact(run, wandb_records, tmp_path):
    assert command(["report", str(run.folder), "--wandb", "how.logger.project=cells"]) == 0
    ((*records,),) = wandb_records(tmp_path / "runs" / "reports")
    start = next(content for kind, content in records if kind == "run")
    assert (start["project"], start["job_type"]) == ("cells", "report")
    text = json.dumps(records)
    assert "report-vae-on-sprites-0123456789" in text
    media = list((tmp_path / "runs" / "reports" / "wandb").glob("offline-run-*/files/media/html/*.html"))
    assert len(media) == 1
    assert media[0].read_text() == (tmp_path / "runs" / "reports" / f"{run.folder.name}.html").read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_real_sweep_is_reported_from_its_table(micrographia, tiny, tmp_path):
    micrographia("train", "-m", "model.beta=1,4", "seed=0,1", *tiny.training, *tiny.sprites)
    (file,) = (tmp_path / "runs" / "sweeps").glob("train-*.csv")
    assert command(["report", str(file)]) == 0
    page = (tmp_path / "runs" / "reports" / f"{file.stem}.html").read_text()
    assert page.count('<details class="run"') == 4
    assert re.search(r'<th scope="row"[^>]*>beta=1</th>', page)
    assert "OMES" in page
