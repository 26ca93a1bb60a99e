"""The worked examples of docs/extending.md, written to a folder as they stand there, and run."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import micrographia as mg
from micrographia.cli import command, main
from micrographia.completion.candidates import Line, candidates
from micrographia.help import verb_help
from micrographia.runs.run import Run

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, re.M | re.S))
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ micrographia (.*)$", PAGE, re.M)]
EXAMPLES = {
    "method": ("micrographia_conf/dip_vae.py", "micrographia_conf/model/dip_vae.yaml"),
    "data set": ("micrographia_conf/stack.py", "micrographia_conf/data/stack.yaml"),
    "score": ("micrographia_conf/hoyer.py", "micrographia_conf/score/hoyer.yaml"),
}
# What makes the page's commands take seconds.
TINY = {
    "train": (
        "budget.steps=2",
        "budget.batch_size=4",
        "data.samples={train: 16, val: 8, test: 8}",
        "naming.samples=50",
    ),
    "transfer": (
        *("finetune.epochs=1", "naming.samples=50", "probes.gbt.trees=2", "probes.mlp.steps=2", "baseline=false"),
        *("interpretation.images=0", "interpretation.projections=[]"),
    ),
    "evaluate": ("samples=200", "only=hoyer"),
    "data": ("per_class=2",),
}
QUIET = ("how.progress=false", "how.threads=1")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the page's files and a stack of images, in which this process is."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    generator = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    np.save(tmp_path / "images" / "images.npy", generator.integers(0, 255, (60, 64, 64), dtype=np.uint8))
    pd.DataFrame({"class": ["round", "long", "bent"] * 20}).to_csv(tmp_path / "images" / "labels.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in ("dip_vae", "stack", "hoyer"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


def given(named):
    """The page's first command that begins so, made to take seconds."""
    words = next(words for words in COMMANDS if words[: len(named)] == list(named))
    words = [word.replace("PATH", "images") for word in words]
    return [*words, *(item for item in TINY[words[0]] if item not in words), *QUIET]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_short(example):
    lines = [line for name in EXAMPLES[example] for line in FILES[name].splitlines() if line.strip()]
    assert len(lines) < 50


def test_the_method_is_trained_and_read_back(desk, capsys):
    assert command(given(["train", "model=dip_vae"])) == 0
    run = Run(capsys.readouterr().out.splitlines()[-1])
    assert run.config["model"]["_target_"] == "dip_vae.DIPVAE"
    assert "val/dip" in set(pd.read_csv(run.folder / "curves.csv")["name"])
    found = mg.train(overrides=given(["train", "model=dip_vae"])[1:])
    assert found.found
    assert Path(found.place).resolve() == run.folder.resolve()
    # A pattern of runs knows a VAE by what its class builds on.
    assert command(["evaluate", "run=runs/train/*", "only=active_units", "samples=100", "how.processes=1", *QUIET]) == 0
    assert "1 of" not in capsys.readouterr().err


def test_the_data_set_is_a_target(desk, capsys):
    assert command(given(["transfer", "data=stack"])) == 0
    run = Run(capsys.readouterr().out.splitlines()[-1])
    assert {name for name in run.metrics if name.startswith("probe/gbt/")}
    assert command(given(["data", "preview", "stack"])) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).is_dir()


def test_the_score_is_computed(desk, capsys):
    assert command(given(["evaluate"])) == 0
    run = Run(capsys.readouterr().out.splitlines()[-1])
    assert 0 < run.metrics["score/hoyer"] < 1


def test_a_score_that_returns_a_number_is_answered(desk, capsys):
    (desk / "micrographia_conf" / "hoyer.py").write_text("def hoyer(codes, scaled=True):\n    return 1.0\n")
    assert command(given(["evaluate"])) == 2
    assert "scores.hoyer: hoyer.hoyer returns float. A score returns a Score" in capsys.readouterr().err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_page_composes(words, desk, capsys):
    words = [re.sub(r"^(\w+=[^,]+),.*$", r"\1", word).replace("PATH", "images") for word in words if word != "-m"]
    assert command([*words, "--cfg", "job"]) == 0
    assert "task:" in capsys.readouterr().out


def test_own_choices_are_listed_everywhere(desk, capsys):
    text = verb_help("train", "")
    assert "dip_vae" in text
    assert "lab/first" in text
    assert "+score@KEY=hoyer" in text
    assert "model=dip_vae" in candidates(Line(["train"], "model=d"))
    assert "experiment=lab/first" in candidates(Line(["train"], "experiment=l"))
    assert "+score@scores.new=hoyer" in candidates(Line(["evaluate"], "+score@scores.new="))
    assert "model.off_diagonal=" in candidates(Line(["train", "model=dip_vae"], "model.off"))
    with pytest.raises(SystemExit):
        main(["train", "model=dip"])
    assert "dip_vae" in capsys.readouterr().err


def test_an_unknown_key_of_an_own_target_is_refused(desk, capsys):
    with pytest.raises(SystemExit):
        main(["data", "check", "stack", "data.root=images", "data.seed=1"])
    assert "data.seed: no such key" in capsys.readouterr().err


def test_the_address_does_not_follow_the_folder(desk, monkeypatch, capsys):
    def shown(*options):
        assert command(["train", "experiment=lab/first", "--cfg", "job", *options]) == 0
        return yaml.safe_load(capsys.readouterr().out)

    beside = shown()
    (desk / "micrographia_conf").rename(desk / "lab")
    assert shown("--config-dir", "lab") == beside
    monkeypatch.setenv("MICROGRAPHIA_CONF", str(desk / "lab"))
    (desk / "elsewhere").mkdir()
    monkeypatch.chdir(desk / "elsewhere")
    assert shown() == beside
