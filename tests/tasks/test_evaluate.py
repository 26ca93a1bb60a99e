import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.runs.run import Run
from micrographia.scores.disentanglement import mig, modularity
from micrographia.tasks.assembly import build_data, load_model
from micrographia.tasks.scoring import score_run

FEW = (
    *(
        "samples=400",
        "scores.dci.trees=3",
        "scores.omes.samples=60",
        "scores.irs.references=5",
        "scores.irs.batch=10",
    ),
    *("scores.beta_vae.votes=20", "scores.beta_vae.test_votes=10", "scores.beta_vae.batch=4"),
    *("scores.factor_vae.votes=20", "scores.factor_vae.test_votes=10", "scores.factor_vae.batch=4"),
    *(
        "scores.factor_vae.samples=50",
        "interpretation.images=12",
        "interpretation.traversals=2",
        "interpretation.steps=2",
    ),
)
NAMES = {
    *("mig", "sap", "modularity", "explicitness", "dci_disentanglement", "dci_completeness", "dci_informativeness"),
    *("beta_vae", "factor_vae", "irs", "omes", "mvg", "total_correlation", "latent_information", "active_units"),
}
HOW = {"accelerator": "cpu", "threads": None, "paths": {"runs": "runs", "cache": "cache"}, "progress": False}


def test_a_run_is_scored_once_on_what_it_was_trained_on(micrographia, tiny):
    trained = micrographia("train", "model=beta_vae", "model.latents=4", *tiny.training, *tiny.sprites)
    run = micrographia("evaluate", f"run={trained.folder}", *FEW)
    assert run.folder.name.startswith("beta_vae-texture_dsprites-")
    assert run.folder.parent.name == "evaluate"
    table = run.table("scores").set_index("score")
    assert set(table.index) == NAMES
    assert {f"score/{name}" for name in NAMES if math.isfinite(table["value"][name])} == set(run.metrics)
    assert table["low"].isna().all()

    codes, factors = run.table("codes"), run.table("factors")
    assert codes.shape == (400, 4)
    assert factors.columns.tolist() == ["Texture", "Color", "Shape", "Scale", "Orientation", "PosX", "PosY"]
    assert run.metrics["score/mig"] == pytest.approx(mig(codes, factors).score, abs=1e-6)
    assert run.metrics["score/modularity"] == pytest.approx(modularity(codes, factors).score, abs=1e-6)
    assert run.table("matrix_mig").shape == (4, 8)
    knowing = {"mig", "sap", "modularity", "explicitness", "dci", "beta_vae", "factor_vae", "irs", "omes", "mvg"}
    assert set(run.table("per_factor")["score"]) == knowing
    assert run.record("settings")["dci"]["booster"] == "lightgbm"
    assert (run.folder / "figures" / "scores.png").stat().st_size > 1000

    written = (run.folder / "result.json").stat().st_mtime_ns
    again = micrographia("evaluate", f"run={trained.folder}", *FEW)
    assert (again.folder / "result.json").stat().st_mtime_ns == written


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_the_codes_are_the_models_own_of_the_images_with_these_factors(micrographia, tiny):
    trained = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    run = micrographia("evaluate", f"run={trained.folder}", "only=[mig]", "samples=20")
    model, data = load_model(trained, HOW), build_data(trained.config, HOW)
    mean, logvar = model.encode(data.of_factors(run.table("factors")).float() / 255)
    assert np.allclose(run.table("codes"), mean.detach().numpy(), atol=1e-5)
    prior = torch.distributions.Normal(0, 1)
    posterior = torch.distributions.Normal(mean, (logvar / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, prior).mean(0).detach().numpy()
    divergences = run.table("divergences")
    assert divergences["latent"].tolist() == list(run.table("codes").columns)
    assert np.allclose(divergences["divergence"], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_intervals_and_single_scores_on_request(micrographia, tiny):
    trained = micrographia("train", *tiny.training, *tiny.sprites)
    few = [argument for argument in FEW if "scores.dci" not in argument]
    run = micrographia("evaluate", f"run={trained.folder}", "bootstrap=4", "~scores.dci", "scores.omes.alpha=0.8", *few)
    table = run.table("scores").set_index("score")
    assert set(table.index) == {name for name in NAMES if not name.startswith("dci")}
    bounded = table.drop(index=["total_correlation", "active_units"])
    assert (bounded["low"] <= bounded["value"]).all()
    assert (bounded["value"] <= bounded["high"]).all()
    assert run.record("settings")["omes"]["alpha"] == 0.8


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_another_set_with_known_factors(micrographia, tiny):
    trained = micrographia("train", *tiny.training, *tiny.sprites)
    scores = "only=[mig,irs]"
    run = micrographia("evaluate", f"run={trained.folder}", "data=synthetic/cells", "samples=100", scores, *FEW[3:5])
    assert "lobes" in run.table("factors")
    shape = micrographia("evaluate", f"run={trained.folder}", "data=synthetic/golgi", "samples=100", scores, status=2)
    assert shape is None


@pytest.mark.usefixtures("undrawn")
def test_a_set_without_factors_gets_the_scores_that_need_none(micrographia, tiny, real_layouts):
    trained = micrographia("train", "data=plankton/ndsb", "data.size=64", *tiny.training)
    run = micrographia("evaluate", f"run={trained.folder}", *FEW)
    assert set(run.metrics) <= {"score/total_correlation", "score/latent_information", "score/active_units"}
    assert "score/active_units" in run.metrics


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_a_transfer_is_scored_after_its_fine_tuning(micrographia, tiny):
    source = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    moved = micrographia("transfer", f"source={source.folder}", *tiny.cells, *tiny.carried, "baseline=false")
    only = ("only=[mig]", "samples=30")
    before = micrographia("evaluate", f"run={source.folder}", *only)
    after = micrographia("evaluate", f"run={moved.folder}", *only)
    assert after.table("factors").equals(before.table("factors"))
    assert not np.allclose(after.table("codes"), before.table("codes"))


SAID = {
    *("codes", "latents_and_features", "readable_latents", "traversals", "measured_variance"),
    *("projections", "principal_components"),
}
OF_PROBES = ("features", "probes", "importance", "confusion", "counterfactuals", "open_set", "open_set_distances")


@pytest.mark.slow
@pytest.mark.usefixtures("kept_runs")
def test_a_transfer_is_interpreted_as_it_was_when_it_was_made(micrographia, tiny):
    source = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    names = SyntheticCells.classes[:2]
    asked = (f"open_set.classes=[{','.join(names)}]", "open_set.resamples=3")
    command = ("transfer", f"source={source.folder}", *tiny.cells, *tiny.transfer, *asked, "baseline=false")
    moved = micrographia(*command, "open_set.exclude_from_finetuning=true")
    run = micrographia("evaluate", f"run={moved.folder}", *FEW[:-3], *tiny.interpretation, *asked)
    tables = [f"{name}_{phase}" for name in SAID for phase in ("before", "after")] + list(OF_PROBES)
    for name in tables:
        pd.testing.assert_frame_equal(run.table(name), moved.table(name), rtol=1e-4, atol=1e-5, obj=name)
    on_target = [{name for name in found.metrics if not name.startswith("score")} for found in (run, moved)]
    assert on_target[0] == on_target[1]
    assert set(run.table("scores")["score"]) >= NAMES
    figures = {file.name for file in (moved.folder / "figures").iterdir()} - {"samples.png", "curves.png"}
    assert figures <= {file.name for file in (run.folder / "figures").iterdir()}
    assert "traversals_after.html" in figures
    further = (
        "interpretation.counterfactuals.probe=logistic",
        "interpretation.importance=[own]",
        "open_set.classes=[]",
    )
    other = micrographia("evaluate", f"run={moved.folder}", *FEW[:-3], *tiny.interpretation, *further)
    assert set(other.table("counterfactuals")["probe"]) == {"logistic"}
    assert set(other.table("importance")["kind"]) == {"gain"}
    assert not (other.folder / "tables" / "open_set.csv").exists()


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_fine_tuning_that_has_seen_a_class_tells_nothing_of_its_novelty(micrographia, tiny, capsys):
    source = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    moved = micrographia("transfer", f"source={source.folder}", *tiny.cells, *tiny.carried, "baseline=false")
    asked = (f"open_set.classes=[{SyntheticCells.classes[0]}]", "open_set.resamples=0", "only=[active_units]")
    command = ("evaluate", f"run={moved.folder}", "interpret=true", *FEW[:1], *tiny.interpretation, *asked)
    assert set(micrographia(*command).table("open_set")["phase"]) == {"before"}
    micrographia(*command, "open_set.exclude_from_finetuning=true", status=2)
    assert "open_set.exclude_from_finetuning" in capsys.readouterr().err


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_a_training_is_interpreted_on_a_target_with_classes(micrographia, tiny):
    trained = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    command = ("evaluate", f"run={trained.folder}", *tiny.interpretation, "scores.omes.samples=20", "samples=50")
    target = ("data=synthetic/cells", *tiny.cells, "interpret=true", "only=[active_units]")
    run = micrographia(*command, *target, "+probe@probes.tree=gbt", "probes.tree.trees=2")
    assert set(run.table("probes")["probe"]) == {"tree"}
    assert set(run.table("probes")["phase"]) == {"before"}
    assert len(run.table("codes_before")) == 120
    assert "latents_before/readable" in run.metrics
    by_default = micrographia(*command, *target, "interpretation.importance=[]")
    assert set(by_default.table("probes")["probe"]) == {"gbt", "mlp", "logistic"}


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_a_set_without_classes_is_interpreted_without_probes(micrographia, tiny):
    trained = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    command = ("evaluate", f"run={trained.folder}", "samples=50", "only=[active_units]", *tiny.interpretation)
    assert not (micrographia(*command).folder / "tables" / "codes_before.csv").exists()
    run = micrographia(*command, "interpret=true")
    assert {"latents_before/readable", "latents_before/mvg"} <= set(run.metrics)
    assert list(run.table("codes_before"))[-1] == "part"
    assert not (run.folder / "tables" / "probes.csv").exists()
    micrographia(*command, "interpret=true", "open_set.classes=[heart]", status=2)


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_a_transfer_without_fine_tuning_is_evaluated_by_its_sources_model(micrographia, tiny):
    source = micrographia("train", "model.latents=3", *tiny.training, *tiny.sprites)
    few = (*tiny.probes, *tiny.uninterpreted, "baseline=false")
    moved = micrographia("transfer", f"source={source.folder}", "finetune=none", *tiny.cells, *few)
    only = ("only=[mig]", "samples=30")
    run = micrographia("evaluate", f"run={moved.folder}", "interpret=true", *only, *tiny.interpretation)
    assert run.metrics["score/mig"] == micrographia("evaluate", f"run={source.folder}", *only).metrics["score/mig"]
    pd.testing.assert_frame_equal(run.table("codes_before"), moved.table("codes_before"), atol=1e-5)
    assert run.folder.name.startswith(moved.config["name"])


@pytest.mark.usefixtures("undrawn")
def test_other_names_and_other_images_are_other_evaluations(micrographia, tiny, real_layouts):
    training = ("data=plankton/ndsb", "data.size=64", *tiny.training)
    trained = micrographia("train", *training)
    first = micrographia("evaluate", f"run={trained.folder}", "only=active_units")
    record = trained.record("model")
    trained.save_record("model", {**record, "latents": [f"name{latent}" for latent in range(10)]})
    renamed = micrographia("evaluate", f"run={trained.folder}", "only=active_units")
    assert renamed.folder != first.folder
    assert renamed.table("codes").columns[0] == "name0"
    next((real_layouts / "plankton").rglob("*.jpg")).unlink()
    assert micrographia("evaluate", f"run={trained.folder}", "only=active_units").folder != renamed.folder


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_a_transfer_at_half_precision_finds_its_source_again(micrographia, tiny):
    bf16 = "how.precision=bf16-mixed"
    source = ("source=trained", "model@source.model=beta_vae", "source.model.latents=3")
    moved = micrographia(
        "transfer", *source, *tiny.source(*tiny.training, *tiny.sprites), *tiny.cells, *tiny.carried, bf16
    )
    after = micrographia("evaluate", f"run={moved.folder}", "only=[active_units]", "samples=30")
    assert after.table("codes").shape == (30, 3)


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_a_score_can_be_switched_off(micrographia, tiny):
    trained = micrographia("train", *tiny.training, *tiny.sprites)
    run = micrographia("evaluate", f"run={trained.folder}", "only=null", "scores.dci=null", *FEW[:1], *FEW[2:])
    assert not any("dci" in name for name in run.metrics)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_whole_sweep_in_processes_with_the_agreement_of_its_seeds(micrographia, tiny, tmp_path):
    micrographia("train", "-m", "model.latents=3", "seed=0,1", *tiny.training, *tiny.sprites)
    micrographia("train", "model.latents=3", "model.beta=4", *tiny.training, *tiny.sprites)
    micrographia("train", "model=cnn", "model.filters=2", "data=synthetic/cells", *tiny.training, *tiny.cells)
    only = ("only=[mig,active_units]", "samples=60")
    former = next((tmp_path / "runs" / "train").glob("beta_vae-*"))
    shutil.copytree(former, f"{former}.previous")  # as how.rerun=true leaves it
    runs = micrographia("evaluate", "run=runs/train/*", "how.processes=2", *only)
    assert len(runs) == 3
    (file,) = (runs[0].folder.parents[1] / "sweeps").glob("evaluate-*.csv")
    table = pd.read_csv(file)
    rows = {beta: set(found["metric"]) for beta, found in table.groupby("model.beta")}
    assert rows == {1: {"score/mig", "score/active_units", "score/udr"}, 4: {"score/mig", "score/active_units"}}
    assert table["runs"].tolist() == [2, 2, 2, 1, 1]
    assert table["seeds varied"].tolist() == 3 * ["training (2)"] + 2 * ["none"]
    again = micrographia("evaluate", "run=runs/train/*", "how.processes=1", "samples=61", *only[:1])
    assert len(again) == 3
    assert len(list((runs[0].folder.parents[1] / "sweeps").glob("evaluate-*.csv"))) == 2  # of other settings
    alone = micrographia("evaluate", f"run={Run(runs[0].config['run']).folder}", *only)
    assert alone.folder.name == runs[0].folder.name  # found again, and the same in a process of its own


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere"], "nowhere"),
        (["run=runs/train/*nothing*"], "no finished run with a VAE"),
        (["run=pretrained/stylegan2_translocation"], "no VAE"),
        (["scores.mig.bins=0.5"], "scores.mig.bins"),
        (["scores.mig.bims=3"], "scores.mig.bims"),
        (["scores.dci.booster=forest"], "booster"),
        (["only=[mig,mag]"], "no score mag"),
        (["only=[]"], "no score is named"),
        (["run=5"], "run=5: expected text"),
        (["run=null"], "run=null: expected text"),
        (["run=runs/**vae*"], "no pattern of paths"),
        (["scores.dci=5"], "scores.dci=5: expected"),
        (["only=dci", "samples=50", "+scores.dci.depth=0"], "scores.dci: depth=0"),
        (["only=irs", "samples=50", "scores.irs.batch=1"], "scores.irs: batch=1"),
        (["only=mig", "samples=50", "scores.mig.bins=0"], "scores.mig: bins=0"),
        (["samples=1"], "samples"),
        (["how.processes=0"], "how.processes"),
    ],
)
def test_mistakes_are_told(arguments, message, micrographia, capsys):
    from micrographia.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "how.progress=false", *arguments])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


@pytest.mark.usefixtures("undrawn")
def test_a_mistake_in_one_run_leaves_the_others_alone(micrographia, tiny, tmp_path, capsys):
    micrographia("train", "-m", "model.latents=3", "seed=0,1", *tiny.training, *tiny.sprites)
    spoiled = sorted((tmp_path / "runs" / "train").glob("beta_vae-*"))[0]
    (spoiled / "weights.safetensors").write_bytes(b"nothing")
    micrographia("evaluate", "run=runs/train/*", "how.processes=1", "only=mig", "samples=50", status=2)
    told = capsys.readouterr()
    assert "weights.safetensors: not a readable weights file" in told.err
    assert len(told.out.splitlines()) == 1


@pytest.mark.usefixtures("undrawn")
def test_whatever_befalls_one_run_the_others_are_evaluated(micrographia, tiny, tmp_path, capsys, monkeypatch):
    micrographia("train", "-m", "model.latents=3", "seed=0,1,2", *tiny.training, *tiny.sprites)
    unreadable, exhausted, _ = sorted((tmp_path / "runs" / "train").glob("beta_vae-*"))
    (unreadable / "config.yaml").write_text("{")

    def fails_once(what, how, run):
        if Path(what["run"]).name == exhausted.name:
            raise RuntimeError("CUDA out of memory")
        return score_run(what, how, run)

    monkeypatch.setattr("micrographia.tasks.evaluate.score_run", fails_once)
    micrographia("evaluate", "run=runs/train/*", "how.processes=1", "only=mig", "samples=50", status=2)
    told = capsys.readouterr()
    assert "config.yaml" in told.err
    assert "CUDA out of memory" in told.err
    assert "micrographia: 3 jobs: 1 done, 2 failed" in told.err.splitlines()
    assert len(told.out.splitlines()) == 1


@pytest.mark.usefixtures("undrawn")
def test_models_that_were_scored_on_different_images_are_not_compared(micrographia, tiny):
    data = ("data=synthetic/cells", "data.seed=0,1", *tiny.cells)
    micrographia("train", "-m", "model.latents=3", *data, *tiny.training)
    runs = micrographia("evaluate", "run=runs/train/*", "how.processes=1", "only=mig", "samples=50")
    (file,) = (runs[0].folder.parents[1] / "sweeps").glob("evaluate-*.csv")
    assert set(pd.read_csv(file)["metric"]) == {"score/mig"}
