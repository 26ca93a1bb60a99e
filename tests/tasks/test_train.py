import importlib.util
import json
import shutil

import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.tasks.assembly import load_model

needs_efficientnet = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite_pytorch") is None, reason="micrographia[efficientnet] is not installed"
)


@pytest.mark.parametrize("method", ["beta_vae", "factor_vae", "ada_gvae"])
def test_each_method_trains_and_is_described(method, micrographia, tiny):
    run = micrographia("train", f"model={method}", *tiny.training, *tiny.sprites)
    assert run.folder.name.startswith(f"{method}-texture_dsprites-")
    assert {"latents/kl", "latents/active", "score/mig", "score/omes"} <= set(run.metrics)
    assert run.table("latents")["latent"].tolist() == [f"z{index}" for index in range(10)]
    for figure in ("curves", "reconstructions", "traversals", "association"):
        assert (run.folder / "figures" / f"{figure}.png").stat().st_size > 1000
    assert set(pd.read_csv(run.folder / "curves.csv")["name"]) >= {"val/loss", "val/kl"}


@pytest.mark.usefixtures("undrawn")
def test_a_run_is_returned_the_second_time(micrographia, tiny):
    first = micrographia("train", *tiny.training, *tiny.sprites)
    written = (first.folder / "result.json").stat().st_mtime_ns
    again = micrographia("train", *tiny.training, *tiny.sprites)
    assert again.folder == first.folder
    assert (again.folder / "result.json").stat().st_mtime_ns == written


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("method", [["model=beta_vae"], ["model=ada_gvae", "model.aggregator=labels"]])
def test_an_untrained_model_names_no_latent(method, micrographia, tiny):
    run = micrographia("train", *method, *tiny.training, *tiny.sprites, "naming.samples=1000")
    assert run.record("model")["latents"] == [f"z{index}" for index in range(10)]


@pytest.mark.usefixtures("undrawn")
def test_a_trained_model_reads_back_with_its_weights(micrographia, tiny):
    run = micrographia("train", *tiny.training, *tiny.sprites)
    how = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
    model = load_model(run, how)
    assert not model.training
    assert model.latent_names == run.record("model")["latents"]


def test_the_cnn_classifies_cells(micrographia, tiny):
    run = micrographia("train", "model=cnn", "model.filters=4", "data=synthetic/cells", *tiny.training, *tiny.cells)
    assert 0 <= run.metrics["classifier/test/balanced_accuracy"] <= 1
    assert run.metrics["chance/balanced_accuracy"] == pytest.approx(1 / 6)
    assert run.table("scores")["part"].tolist() == ["train", "val", "test"]
    confusion = run.table("confusion")
    classes = list(confusion.columns[2:])
    assert confusion["class"].tolist() == 3 * classes
    counts = confusion.groupby("part")[classes].sum().sum(axis=1)
    pd.testing.assert_series_equal(
        counts, run.table("scores").set_index("part")["n"], check_names=False, check_like=True
    )


@pytest.mark.usefixtures("undrawn")
def test_a_classifier_learns_from_few_labels_and_is_scored_on_all(micrographia, tiny, capsys):
    given = ("train", "model=cnn", "model.filters=4", "data=synthetic/cells", *tiny.training, *tiny.cells)
    whole = micrographia(*given).table("scores")
    run = micrographia(*given, "model.labels=2", "seed=3")
    pd.testing.assert_series_equal(run.table("scores")["n"], whole["n"])
    assert run.table("labelled").groupby(["part", "class"]).size().eq(2).all()
    assert run.record("model")["data"]["labelled"] == {"train": 12, "val": 12}
    last = micrographia(*given, "model.labels=2", "seed=3", "model.select=last")
    assert set(last.table("labelled")["part"]) == {"train"}  # nothing is selected by labels
    micrographia(*given, "model.labels=0", status=2)
    assert "model.labels=0: expected a whole number from 1 on or null." in capsys.readouterr().err


def test_a_model_without_labels_has_no_number_of_them(micrographia, tiny, capsys):
    micrographia("train", *tiny.training, *tiny.sprites, "+model.labels=5", status=2)
    assert "model.labels: no such key" in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_a_source_that_is_gone_is_not_trained_anew_to_read_a_model_back(micrographia, tiny, tmp_path):
    run = micrographia(
        *("train", "model=transfer_classifier", "source@model.source=trained", "model.source.seed=5"),
        *(f"model.source.{override}" for override in (*tiny.training, *tiny.sprites)),
        *("data=synthetic/cells", *tiny.training, *tiny.cells),
    )
    how = {"accelerator": "cpu", "threads": None, "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
    assert load_model(run, how).name == "transfer_classifier"
    (source,) = (tmp_path / "runs" / "train").glob("beta_vae-*")
    shutil.rmtree(source)
    with pytest.raises(UserError, match=r"model\.source: .*beta_vae.*is not in runs any more"):
        load_model(run, how)
    assert not source.exists()


@pytest.mark.usefixtures("undrawn")
def test_a_transfer_classifier_names_the_run_it_stands_on(micrographia, tiny):
    source = micrographia("train", *tiny.training, *tiny.sprites)
    run = micrographia(
        *("train", "model=transfer_classifier", "source@model.source=path", f"model.source.run={source.folder}"),
        *("data=synthetic/cells", *tiny.training, *tiny.cells),
    )
    assert "classifier/test/balanced_accuracy" in run.metrics
    moved = source.folder.with_name("elsewhere")
    source.folder.rename(moved)
    again = micrographia(
        *("train", "model=transfer_classifier", "source@model.source=path", f"model.source.run={moved}"),
        *("data=synthetic/cells", *tiny.training, *tiny.cells),
    )
    assert again.folder == run.folder  # a moved source is the same source


@pytest.mark.usefixtures("undrawn")
@needs_efficientnet
def test_a_source_on_features_keeps_their_range(micrographia, tiny):
    run = micrographia("train", "experiment=drl/source_features", *tiny.training, *tiny.grid)
    assert run.record("model")["shape"] == [1280]
    how = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
    network = load_model(run, how).network
    assert 0 <= float(network.lowest) < float(network.highest) < 20


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("preset", ["source", "demo_source"])
def test_the_source_presets_train(preset, micrographia, tiny):
    run = micrographia("train", f"experiment=drl/{preset}", *tiny.training, *tiny.sprites)
    assert run.config["model"]["aggregator"] == "labels"


def test_ada_gvae_refuses_data_without_factors(micrographia, tiny, capsys):
    micrographia("train", "model=ada_gvae", "data=synthetic/cells", *tiny.training, *tiny.cells, status=2)
    assert "has no known factors to draw pairs from" in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_environment_and_config_lie_in_the_folder(micrographia, tiny):
    run = micrographia("train", *tiny.training, *tiny.sprites, "seed=5")
    assert run.config["seed"] == 5
    assert "how" not in run.config
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["packages"]["pytorch-lightning"]
