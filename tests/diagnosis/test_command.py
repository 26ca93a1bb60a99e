import io
import json
import re
import subprocess
import sys

import pytest
from rich.console import Console

from micrographia.cli import command, main
from micrographia.diagnosis import probe
from micrographia.diagnosis.finding import Finding
from micrographia.diagnosis.probe import Probe, device_findings
from micrographia.diagnosis.showing import as_table

NO_GPU = {"threads": 1, "cuda_build": None, "driver": False, "mps": False, "cuda": [], "cuda_mistake": ""}
GPU = NO_GPU | {
    "cuda_build": "13.0",
    "driver": True,
    "cuda": [{"index": 0, "name": "A GPU", "free": 60 * 2**30, "total": 80 * 2**30}],
}


@pytest.fixture
def probed(monkeypatch):
    """Let another program stand for the one that imports what is heavy."""

    def replace(program):
        def start():
            run = [sys.executable, "-c", program]
            return Probe(subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

        monkeypatch.setattr(Probe, "start", start)

    return replace


WELL = f"import json; print(json.dumps({{'torch': {NO_GPU!r}, 'lightning': True, 'models': {{'one': ''}}}}))"


def test_all_is_well_and_told(probed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    probed(WELL)
    assert command(["doctor", "how.threads=1"]) == 0
    text = capsys.readouterr().out
    for section in ("versions", "devices", "machine", "threads", "storage", "settings", "optional parts", "what to do"):
        assert re.search(rf"^{section}$", text, re.M), section
    assert "how.threads       1: torch takes so many" in text
    assert list(tmp_path.iterdir()) == []


def test_json_is_for_others(probed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "a-secret")
    monkeypatch.chdir(tmp_path)
    probed(WELL)
    assert command(["doctor", "--json", f"how.paths.runs={tmp_path}/runs"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert found["status"] in ("ok", "note", "warning")
    assert {finding["section"] for finding in found["findings"]} >= {"versions", "machine", "storage"}
    assert str(tmp_path) not in text
    assert "~/runs" in text
    assert "a-secret" not in text


@pytest.mark.parametrize(
    ("program", "stage", "said"),
    [
        ("import nothing_of_that_name", "import torch", "No module named 'nothing_of_that_name'"),
        (f"print('{{\"torch\": {json.dumps(NO_GPU)}}}'); raise RuntimeError('odd')", "import pytorch_lightning", "odd"),
        ("import os; os.abort()", "import torch", "ended by signal 6"),
        ("import time; time.sleep(60)", "import torch", "no answer within"),
    ],
)
def test_a_library_that_fails_is_named_and_is_no_end(program, stage, said, probed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Probe.finish, "__defaults__", (2.0,))
    probed(program)
    assert command(["doctor", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "broken"
    (broken,) = [finding for finding in found["findings"] if finding["mark"] == "broken"]
    assert broken["name"] == stage
    assert said in broken["value"]
    assert stage in broken["advice"]


def test_a_shipped_model_that_does_not_load_is_broken():
    looked = Probe(None, {"torch": NO_GPU, "lightning": True, "models": {"one": "", "two": "OSError: gone"}})
    marks = {finding.name: finding.mark for finding in looked.findings({"accelerator": "auto"})}
    assert marks["two"] == "broken"
    assert marks["load"] == "ok"


@pytest.mark.parametrize(
    ("torch", "accelerator", "marks", "said"),
    [
        (NO_GPU, "auto", ["ok", "ok"], "models train on cpu"),
        (NO_GPU, "gpu", ["ok", "broken"], "no such device"),
        (GPU, "auto", ["ok", "ok"], "models train on cuda"),
        (GPU, "cpu", ["ok", "ok"], "models train on cpu"),
        (NO_GPU | {"driver": True}, "auto", ["warning", "ok"], "models train on cpu"),
        (GPU | {"cuda": [], "cuda_mistake": "CUDA unknown error"}, "auto", ["warning", "ok"], "models train on cpu"),
        (NO_GPU | {"mps": True}, "auto", ["ok", "ok"], "models train on mps"),
    ],
)
def test_devices(torch, accelerator, marks, said):
    found = list(device_findings(torch, {"accelerator": accelerator}))
    assert [finding.mark for finding in found] == marks
    assert said in found[-1].value


def test_what_is_heavy_is_looked_at(capsys):
    assert {"threads", "cuda", "mps"} <= probe.look_at_torch().keys()
    assert set(probe.load_shipped().values()) == {""}


def test_a_setup_that_composes_nothing_is_told_and_the_rest_looked_at(probed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROGRAPHIA_CONF", "nowhere")
    probed(WELL)
    assert command(["doctor"]) == 2
    text = capsys.readouterr().out
    assert "no such folder" in text
    assert "Before any command can run:" in text
    assert "lock files" in text


@pytest.mark.parametrize("arguments", [["--jsn"], ["model=cnn"], ["how.threds=1"], ["how.threads=many"], ["runs"]])
def test_mistakes_are_answered(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", *arguments])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert arguments[0].partition("=")[0] in shown.err
    assert len(shown.err.splitlines()) <= 3


def rendered(findings, width, unicode=True):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(as_table(findings, unicode))
    return console.file.getvalue().splitlines()


FINDINGS = [
    Finding("versions", "torch", "2.13.0"),
    Finding("optional parts", "shap", 'pip install "micrographia[shap]"  for interpretation.importance=[shap]', "note"),
    Finding("storage", "lock files", "not on this file system " * 5, "warning", "Keep runs elsewhere. " * 6),
    Finding("versions", "zuko", "missing", "broken", "pip install 'zuko>=1.5'"),
]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width):
    lines = rendered(FINDINGS, width)
    assert max(map(len, lines)) <= width
    assert any('pip install "micrographia[shap]"' in line for line in lines)
    advice = lines[lines.index("what to do") + 1 :]
    assert advice[0].strip() == "Before any command can run:"
    assert "✗ zuko: pip install 'zuko>=1.5'" in advice[1]
    assert "! lock files: Keep runs elsewhere." in advice[2]


def test_a_terminal_without_unicode_shows_letters():
    assert all(line.isascii() for line in rendered(FINDINGS, 80, unicode=False))
