import json

import pytest

from micrographia.cli import OPTIONS, SHOWN, command
from micrographia.completion.candidates import ACTIONS, Line, candidates, public_sets
from micrographia.completion.candidates import OPTIONS as OFFERED
from micrographia.data.catalogue.sets import SETS
from micrographia.presets import presets
from micrographia.tasks.data import ACTIONS as DATA_ACTIONS
from micrographia.verbs import COMMANDS, VERBS


def offered(text):
    """Candidates for the last word of a line."""
    *before, word = text.split(" ")
    return list(candidates(Line(before, word)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tr", ["train", "transfer"]),
        ("--v", ["--version"]),
        ("train model=be", ["model=beta_vae"]),
        ("train -m model=beta_vae,fac", ["model=beta_vae,factor_vae"]),
        ("train model/net", ["model/network="]),
        ("train model/network=re", ["model/network=reference_conv"]),
        ("train +model.be", ["+model.beta="]),
        ("train model=factor_vae model.ga", ["model.gamma="]),
        ("train model.gamma model=factor_vae model.ga", ["model.gamma="]),
        ("train budg", ["budget."]),
        ("train how.paths.r", ["how.paths.runs="]),
        ("train optimizer._t", ["optimizer._target_="]),
        ("train hydra/launcher=submitit_s", ["hydra/launcher=submitit_slurm"]),
        ("train how.precision=b", ["how.precision=bf16-mixed"]),
        ("train how.progress=", ["how.progress=true", "how.progress=false"]),
        ("train model.reconstruction=g", ["model.reconstruction=gaussian"]),
        ("train data.antialias=t", ["data.antialias=true"]),
        ("train --cfg ", list(SHOWN["--cfg"])),
        ("train --conf", ["--config-dir"]),
        ("train --package bud", ["budget"]),
        ("transfer source.model.be", ["source.model.beta="]),
        ("transfer source=trained source.optimizer.l", ["source.optimizer.lr="]),
        ("transfer source=trained model@source.model=fac", ["model@source.model=factor_vae"]),
        ("transfer source=pre", [f"source=pretrained/{name}" for name in
            ("ada_gvae", "ada_gvae_efficientnet_lite0", "beta_vae", "factor_vae")]),
        ("transfer probe@probes.g", ["probe@probes.gbt="]),
        ("transfer interpretation.projections=[t", ["interpretation.projections=[tsne]"]),
        ("superresolve generator=pretrained/g", ["generator=pretrained/golgi"]),
        ("superresolve given=", ["given=high", "given=low", "given=null"]),
        ("evaluate run=pretrained/fac", ["run=pretrained/factor_vae"]),
        ("predict run=pretrained/s", []),
        ("train data=latents data.generator.run=pretrained/", [f"data.generator.run=pretrained/stylegan2_{assay}" for
            assay in ("golgi", "translocation")]),
        ("data ", list(ACTIONS)),
        ("data check synthetic/y", ["synthetic/yeast"]),
        ("data preview synthetic/yeast per", ["per_class="]),
        ("data fetch bb", ["bbbc021"]),
        ("data fetch bbbc021 weeks=", ["weeks=all", "weeks=null"]),
        ("study rls_abl", ["rls_ablation"]),
        ("study rls_ablation budget=", ["budget=smoke", "budget=standard", "budget=paper"]),
        ("study rls_ablation how.th", ["how.threads="]),
        ("study rls_ablation --", ["--cfg", "--dry-run", "--yes", "--config-dir", "--help"]),
        ("report megab", ["megabytes="]),
        ("doctor --j", ["--json"]),
        ("completion z", ["zsh"]),
        ("train task", []),
        ("train nothing.", []),
        ("nonsense mod", []),
    ],
)  # fmt: skip
def test_what_is_offered(text, expected):
    assert offered(text) == expected


@pytest.mark.parametrize("verb", VERBS)
def test_presets_are_those_of_the_verb(verb):
    assert offered(f"{verb} experiment=") == [f"experiment={name}" for name in presets(verb)]


def test_every_verb_is_offered_and_answers_help(capsys):
    assert offered("") == [*VERBS, *COMMANDS]
    for verb in COMMANDS:
        assert command([verb, "--help"]) == 0
        assert f"micrographia {verb}" in capsys.readouterr().out


def test_lists_that_stand_twice_are_the_same():
    assert public_sets() == sorted(SETS, key=public_sets().index)
    assert set(public_sets()) == set(SETS)
    assert list(ACTIONS) == list(DATA_ACTIONS)
    assert set(OFFERED) <= OPTIONS.keys()


def test_files_and_folders_of_ones_own(desk):
    (desk / "my images").mkdir()
    (desk / "my images" / "one.png").touch()
    (desk / "mine.csv").touch()
    assert offered("train data.root=m") == ["data.root=mine.csv", "data.root=my images/"]
    assert list(candidates(Line(["report"], "my images/"))) == ["my images/one.png"]
    assert list(candidates(Line(["train", "--config-dir"], "m"))) == ["my images/"]


def finished(folder, task, name, target):
    """A run's folder with what tells that it is finished, and of which model."""
    run = folder / task / name
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(f"task: {task}\nmodel:\n  name: one\n  _target_: {target}\nseed: 0\n")
    (run / "result.json").write_text(json.dumps({"status": "done"}))


def test_runs_of_ones_own_by_what_they_hold(desk):
    finished(desk / "runs", "train", "vae-1", "own.OwnVAE")
    finished(desk / "runs", "train", "gan-2", "micrographia.models.gan.stylegan2.StyleGAN2")
    finished(desk / "other", "train", "vae-3", "own.OwnVAE")
    (desk / "runs" / "train" / "vae-4").mkdir()  # not finished
    assert offered("transfer source=runs/") == ["source=runs/train/vae-1"]
    assert offered("superresolve generator=ru") == ["generator=runs/train/gan-2"]
    assert offered("evaluate run=runs/train/v") == ["run=runs/train/vae-1"]
    finished(desk / "runs", "transfer", "vae-1-to-cells", "")
    finished(desk / "runs", "superresolve", "gan-2-on-cells", "")
    transfer, recovered = "run=runs/transfer/vae-1-to-cells", "run=runs/superresolve/gan-2-on-cells"
    assert offered("export run=runs/") == ["run=runs/train/gan-2", "run=runs/train/vae-1", transfer]
    assert offered("predict run=runs/") == ["run=runs/train/vae-1", transfer, recovered]
    assert offered("evaluate how.paths.runs=other run=o") == ["run=other/train/vae-3"]
    assert offered("evaluate run=oth") == ["run=other/"]
    assert offered("train data=latents data.generator.run=runs/train/g") == ["data.generator.run=runs/train/gan-2"]
