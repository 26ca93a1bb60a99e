import importlib.util

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from micrographia.data.datamodule import PARTS
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.runs.address import composed
from micrographia.runs.run import Run
from micrographia.tasks.export import export
from micrographia.tasks.report import report
from micrographia.tasks.transfer import notice_ground

needs_efficientnet = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite_pytorch") is None, reason="micrographia[efficientnet] is not installed"
)
PRESETS = {"plankton": 3, "human_cells": 2, "yeast": 3, "bbbc021": 2}


def trained_source(tiny, method="beta_vae"):
    return ("source=trained", f"model@source.model={method}", *tiny.source(*tiny.training, *tiny.sprites))


@pytest.mark.usefixtures("kept_runs")
def test_the_main_job_end_to_end(micrographia, tiny):
    run = micrographia("transfer", *trained_source(tiny), *tiny.cells, *tiny.transfer)
    probes = run.table("probes")
    assert set(probes["phase"]) == {"before", "after", "baseline"}
    assert set(probes["probe"]) == {"gbt", "mlp", "logistic"}
    assert set(probes["part"]) == {"train", "val", "test"}
    for probe in ("gbt", "mlp", "logistic"):
        for phase in ("before", "after", "baseline"):
            row = probes.query("probe == @probe and phase == @phase and part == 'test'").iloc[0]
            for score in ("accuracy", "balanced_accuracy", "macro_f1"):
                assert run.metrics[f"probe/{probe}/{phase}/{score}"] == pytest.approx(row[score])
    importance = run.table("importance")
    assert set(importance["phase"]) == {"before", "after"}
    assert importance.groupby(["phase", "probe", "kind"]).size().eq(10).all()

    assert set(zip(importance["probe"], importance["kind"], strict=True)) == {
        ("gbt", "gain"),
        *((probe, "permutation") for probe in ("gbt", "mlp", "logistic")),
    }
    components = run.table("principal_components_after").set_index("component")
    assert components["explained"].sum() == pytest.approx(1)
    assert set(components.columns) == {"explained", *importance.query("phase == 'after'")["feature"]}
    assert list(run.table("projections_before")) == ["item", "pca_1", "pca_2"]
    codes = run.table("codes_after")
    assert len(codes) == 120
    assert codes.shape[1] == 1 + 10 + 2
    assert run.metrics["latents_before/reconstruction"] > 0
    assert run.metrics["latents_after/reconstruction"] > 0
    (source,) = (run.folder.parents[1] / "train").glob("beta_vae-*")
    for score in ("mig", "omes"):  # of both models, on the source's images
        assert run.metrics[f"score_before/{score}"] == pytest.approx(Run(source).metrics[f"score/{score}"])
        assert 0 <= run.metrics[f"score_after/{score}"] <= 1
    features = run.table("features").set_index("item")
    assert len(features) == len(codes.query("part == 'test'"))
    found = run.table("latents_and_features_after")
    latents = [name for name in codes.columns if name not in ("item", "class", "part")]
    assert set(found["latent"]) == set(latents)
    both = codes.set_index("item").loc[features.index]
    row = found.query("latent == @latents[0] and feature == 'area'").iloc[0]
    assert row["spearman"] == pytest.approx(both[latents[0]].corr(features["area"], method="spearman"))
    names = run.table("readable_latents_before")
    assert not (run.folder / "tables" / "differences_before.csv").exists()  # of classes nobody named two
    assert run.metrics["latents_before/readable"] == names["named"].sum()
    assert run.metrics["latents_after/mvg"] == pytest.approx(
        mvg_of(run.table("measured_variance_after").set_index("latent").drop(columns="specificity"))
    )
    assert (run.folder / "figures" / "traversals_after.html").read_text().count('type="range"') == 10
    page = report([str(run.folder)], 20_000_000)
    assert all(f">{title}</h2>" in page for title in ("Results", "Classification", "Traversals", "Latents", "Training"))
    assert page.count('<input type="range"') == 20
    moved = run.table("traversals_after")
    assert moved.groupby("latent").size().eq(2 * 2).all()
    check_counterfactuals(run)
    for figure in (
        "samples",
        "measured_variance_after",
        "latents_and_features_after",
        "traversals_before",
        "traversals_after",
        "importance",
        "projections",
        "codes",
        "probes",
        "confusion_gbt",
    ):
        assert (run.folder / "figures" / f"{figure}.png").stat().st_size > 1000


def mvg_of(matrix):
    """Mean difference of the two latents that move a trait most."""
    ranked = np.sort(matrix.to_numpy(), axis=0)
    return (ranked[-1] - ranked[-2]).mean()


def check_counterfactuals(run):
    """What moved is told in units and deviations of the training codes."""
    moves = run.table("counterfactuals")
    codes = run.table("codes_after").set_index("item")
    deviations = codes.query("part == 'train'").drop(columns=["class", "part"]).std(ddof=0)
    assert (moves["probe"] == "gbt").all()
    assert (moves["answer"] != moves["target"]).all()
    for row in moves.to_dict("records"):
        assert row["from"] == pytest.approx(codes.loc[row["item"], row["latent"]])
        assert row["to"] - row["from"] == pytest.approx(row["move"] * deviations[row["latent"]], rel=1e-4)
    lengths = moves["move"].abs().groupby(moves["item"]).sum()
    assert run.metrics["counterfactual/length"] == pytest.approx(lengths.median(), abs=0.1)


def test_a_counterfactual_needs_a_probe_and_a_class_that_exist(micrographia, capsys):
    key = "interpretation.counterfactuals"
    micrographia("transfer", f"{key}.probe=svm", status=2)
    assert f"{key}.probe=svm: no such probe. There are: gbt, mlp, logistic." in capsys.readouterr().err
    micrographia("transfer", f"{key}.target=platelet", status=2)
    assert f"{key}.target=platelet: no such class. There are: " in capsys.readouterr().err


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_no_finetuning_leaves_out_the_phase(micrographia, tiny):
    options = [option for option in tiny.carried if not option.startswith("finetune")]
    run = micrographia("transfer", *trained_source(tiny), *tiny.cells, *options, "finetune=none")
    assert set(run.table("probes")["phase"]) == {"before", "baseline"}
    how = composed("export", ["how.threads=1", "how.progress=false", f"how.paths.runs={run.folder.parents[1]}"])[1]
    made = export(run, "safetensors", images=4, how=how)  # the source's encoder, before the target's preparation
    assert made.compared == "4 images of cells"
    assert made.difference < 1e-5


@pytest.mark.slow
@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_probes_learn_from_few_labels_and_finetuning_from_all_images(micrographia, tiny):
    given = ("transfer", *trained_source(tiny), *tiny.cells, *tiny.carried)
    whole, few, fewer = (micrographia(*given, f"labels={labels}") for labels in ("null", 4, 2))
    chosen = few.table("labelled")
    assert chosen["part"].eq("train").all()
    assert chosen.groupby("class").size().eq(4).all()
    assert set(fewer.table("labelled")["item"]) < set(chosen["item"])
    assert few.record("data")["labelled"] == {"train": 24}
    for phase in ("before", "after"):  # codes do not depend on labels
        pd.testing.assert_frame_equal(few.table(f"codes_{phase}"), whole.table(f"codes_{phase}"))
    counts = few.table("probes").groupby("part")["n"].unique()
    assert counts["train"].tolist() == [24]  # of the raw baseline, too
    pd.testing.assert_series_equal(
        few.table("probes").query("part != 'train'")["n"], whole.table("probes").query("part != 'train'")["n"]
    )


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_labels_that_are_not_seen_teach_nothing(micrographia, tiny, monkeypatch):
    """Spoil the labels of all other training images: probes answer the same."""
    given = ("transfer", *trained_source(tiny), *tiny.cells, *tiny.carried, "labels=3", "open_set.classes=[monocyte]")
    first = micrographia(*given)
    known = set(first.table("labelled")["item"])
    table = SyntheticCells.table

    def spoiled(data, indices):
        found = table(data, indices)
        train = set(data.indices("train").tolist())
        hidden = np.array([item in train and item not in known for item in indices.tolist()])
        found.loc[hidden, "class"] = np.where(found.loc[hidden, "class"] == "monocyte", "monocyte", "lymphocyte")
        return found

    monkeypatch.setattr(SyntheticCells, "table", spoiled)
    monkeypatch.setattr("micrographia.data.few_labels.FewLabels.draw", lambda few, part: torch.tensor(sorted(known)))
    again = micrographia(*given, "how.rerun=true")
    for name in ("probes", "open_set_predictions"):
        pd.testing.assert_frame_equal(
            again.table(name).query("part != 'train'") if name == "probes" else again.table(name),
            first.table(name).query("part != 'train'") if name == "probes" else first.table(name),
        )


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_trains_each_source_once_and_nothing_twice(micrographia, tiny, tmp_path, capsys):
    sweep = (
        *("transfer", *trained_source(tiny), *tiny.carried, "finetune=none", "data.count=60,66"),
        *("~probes.mlp", "~probes.logistic"),
        *("source.model.beta=1,2,4", "-m"),
    )
    sweep = [option for option in sweep if not option.startswith(("finetune.", "probes.mlp", "probes.logistic"))]
    runs = micrographia(*sweep)
    assert len({run.folder for run in runs}) == 6
    sources = list((tmp_path / "runs" / "train").glob("*/result.json"))
    assert len(sources) == 3
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").rglob("*") if file.is_file()}
    again = micrographia(*sweep)
    assert [run.folder for run in again] == [run.folder for run in runs]
    now = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").rglob("*") if file.is_file()}
    changed = {file.relative_to(tmp_path / "runs").parts[0] for file in now if now[file] != written.get(file)}
    assert changed <= {".sweeps", "sweeps"}  # what is recorded of the sweep itself


@pytest.mark.usefixtures("undrawn")
def test_a_standalone_source_is_the_same_run(micrographia, tiny, tmp_path):
    source = micrographia("train", *tiny.training, *tiny.sprites)
    micrographia("transfer", *trained_source(tiny), *tiny.cells, *tiny.carried)
    assert [file.parent for file in (tmp_path / "runs" / "train").glob("*/result.json")] == [source.folder]


def test_the_source_follows_the_seed_unless_given(tiny):
    followed, _ = composed("transfer", [*trained_source(tiny), "seed=3"])
    assert followed["source"]["seed"] == 3
    own, _ = composed("transfer", [*trained_source(tiny), "seed=3", "source.seed=1"])
    assert own["source"]["seed"] == 1


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_only_the_training_part_of_the_target_is_learned_from(micrographia, tiny, monkeypatch):
    """Spoil validation and test images: codes of training images, weights and the fitted trees stay the same."""
    clean = micrographia("transfer", *trained_source(tiny), *tiny.cells, *tiny.carried)
    images = SyntheticCells.images

    def spoiled(self, indices):
        rendered = images(self, indices)
        held_out = torch.cat([self.indices("val"), self.indices("test")])
        rendered[torch.isin(indices, held_out)] = 128
        return rendered

    monkeypatch.setattr(SyntheticCells, "images", spoiled)
    other = micrographia("transfer", *trained_source(tiny), *tiny.cells, *tiny.carried, "how.rerun=true")
    assert other.folder == clean.folder
    learned_the_same(Run(clean.folder.with_name(f"{clean.folder.name}.previous")), other)


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_only_the_training_part_of_a_folder_is_learned_from(micrographia, tiny, tmp_path):
    """Brighter and larger images for validation and test: scaling, padding, weights and probes stay the same."""
    generator = np.random.default_rng(0)
    rows = [{"file": f"{number:02d}.tif", "class": "ab"[number % 2], "part": PARTS[number % 3]} for number in range(36)]
    (tmp_path / "images").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "images" / "labels.csv", index=False)
    for row in rows:
        image = generator.integers(100, 4000, (2, 20, 24), dtype=np.uint16)
        tifffile.imwrite(tmp_path / "images" / row["file"], image, metadata={"axes": "CYX"})
    command = (
        *("transfer", *trained_source(tiny), "data=image_folder", "data.root=images", "data.split=part"),
        *tiny.carried,
    )
    clean = micrographia(*command)
    for row in rows:
        if row["part"] != "train":
            image = generator.integers(20_000, 60_000, (2, 48, 40), dtype=np.uint16)
            tifffile.imwrite(tmp_path / "images" / row["file"], image, metadata={"axes": "CYX"})
    other = micrographia(*command)
    assert other.folder != clean.folder
    assert other.record("data")["limits"] == clean.record("data")["limits"]
    learned_the_same(clean, other)


def learned_the_same(clean, other):
    """Codes of training images, and the probes' scores on them, are equal; those of other images are not."""
    codes, former = other.table("codes_after"), clean.table("codes_after")
    train = codes["part"] == "train"
    pd.testing.assert_frame_equal(codes[train], former[train])
    assert not codes[~train].equals(former[~train])
    assert other.weights.read_bytes() == clean.weights.read_bytes()
    probes, kept = (run.table("probes").query("part == 'train'").reset_index(drop=True) for run in (other, clean))
    pd.testing.assert_frame_equal(probes, kept)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("preset", "classes"), PRESETS.items())
def test_every_preset_runs_from_pixels(preset, classes, micrographia, tiny, real_layouts):
    run = micrographia("transfer", f"experiment=drl/{preset}", *tiny.transfer)
    assert run.metrics["chance/balanced_accuracy"] == pytest.approx(1 / classes)


@needs_efficientnet
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("preset", "classes"), PRESETS.items())
def test_every_preset_runs_from_features(preset, classes, micrographia, tiny, real_layouts):
    options = (*tiny.transfer, "naming.samples=20")
    if preset != "plankton":  # fine-tuned once: the sprites' features, by which latents are named, take long
        options = (*tiny.probes, "finetune=none")
    run = micrographia("transfer", f"experiment=drl/{preset}_features", *options)
    assert run.metrics["chance/balanced_accuracy"] == pytest.approx(1 / classes)


CONTRAST = "contrast={column: class, negative: DMSO, positive: Protein synthesis, well: well, replicate: field}"


@pytest.mark.usefixtures("kept_runs", "real_layouts")
def test_two_conditions_are_told_apart_over_fields(micrographia, tiny):
    options = [option for option in tiny.carried if option != "interpretation.images=0"]
    command = ("transfer", *trained_source(tiny), "data=bbbc021/cells", *options, "interpretation.resamples=5")
    run = micrographia(*command, "baseline=false", CONTRAST)
    for phase in ("before", "after"):
        table = run.table(f"differences_{phase}").set_index("column")
        assert (table["resampled"] == "field").all()
        assert table[["replicates_negative", "replicates_positive"]].eq(5).all(axis=None)
        assert table[["wells_negative", "wells_positive"]].eq(1).all(axis=None)
        assert table["p_least"].to_numpy() == pytest.approx(2 / 252)
        codes = run.table(f"codes_{phase}").query("part == 'test'")
        means = codes.groupby("class")[list(table.index)].mean()  # three cells in each field
        np.testing.assert_allclose(table["difference"], means.loc["Protein synthesis"] - means.loc["DMSO"], atol=1e-5)
        assert run.metrics[f"difference/{phase}/significant"] == (table["q"] < 0.05).sum()
        assert abs(run.metrics[f"difference/{phase}/leading"]) == pytest.approx(table["effect"].abs().max())
        assert (run.folder / "figures" / f"differences_{phase}.png").stat().st_size > 1000
        assert (run.folder / "figures" / f"phenotype_{phase}.png").stat().st_size > 1000
    features = run.table("differences_features").set_index("column")
    assert features.loc[["area", "orientation"], "unit"].tolist() == ["px^2", "degree, period 180"]
    assert set(features.index) == set(run.table("features")) - {"item"}


@pytest.mark.usefixtures("kept_runs", "undrawn", "real_layouts")
def test_controls_of_the_data_are_told_apart_and_too_few_wells_give_no_p_value(micrographia, tiny):
    options = [option for option in tiny.carried if not option.startswith("finetune")]
    shared = ("transfer", *trained_source(tiny), "finetune=none", "baseline=false", *options)
    declared = ("data=assay/translocation", "data.model_channels=3")
    table = micrographia(*shared, *declared).table("differences_before")
    assert table[["replicates_negative", "replicates_positive"]].eq(4).all(axis=None)  # rows B and F, two wells each
    assert table["q"].notna().all()
    run = micrographia(*shared, *declared, "data.test=[B]")
    assert run.table("differences_before")[["p", "q", "effect_low"]].isna().all(axis=None)
    assert "difference/before/significant" not in run.metrics
    assert np.isfinite(run.metrics["difference/before/leading"])


@pytest.mark.usefixtures("kept_runs", "real_layouts")
@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ("{column: moas, negative: DMSO, positive: Drug}", "contrast.column: the table of bbbc021_cells has no column"),
        (
            "{column: class, negative: DMSO, positive: Drug}",
            "contrast.positive=Drug: no such value in the column class",
        ),
        (
            "{column: class, negative: DMSO, positive: Protein synthesis, replicate: site}",
            "contrast.replicate: the table of bbbc021_cells has no column site",
        ),
        (
            "{column: plate, negative: Week4_27801, positive: Week4_27821}",
            "contrast.negative=Week4_27801: no image of the test part",
        ),
    ],
)
def test_conditions_that_are_not_there_are_answered(contrast, message, micrographia, tiny, capsys):
    command = ("transfer", *trained_source(tiny), "data=bbbc021/cells", *tiny.transfer)
    micrographia(*command, f"contrast={contrast}", status=2)
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("kept_runs")
def test_classes_are_left_out_in_turn(micrographia, tiny):
    names = SyntheticCells.classes[:2]
    run = micrographia(
        *("transfer", *trained_source(tiny), *tiny.cells, *tiny.carried, "baseline=false"),
        *(f"open_set.classes=[{','.join(names)}]", "open_set.resamples=5", "open_set.exclude_from_finetuning=true"),
    )
    scores, predictions = run.table("open_set"), run.table("open_set_predictions")
    assert set(zip(scores["class"], scores["phase"], strict=True)) == {
        (n, p) for n in names for p in ("before", "after")
    }
    assert set(scores["score"]) == {
        "mahalanobis",
        "knn",
        *(f"probability_{name}" for name in ("gbt", "mlp", "logistic")),
    }
    codes = run.table("codes_before").set_index("item")
    for name, rows in predictions.groupby("class"):
        assert set(codes.loc[rows["item"], "class"]) == {name}
        assert set(codes.loc[rows["item"], "part"]) == {"test"}
        assert name not in set(rows[["nearest mean", "gbt", "mlp", "logistic"]].to_numpy().ravel())
    distances = run.table("open_set_distances")
    assert distances.groupby(["class", "phase", "by"]).size().eq(10).all()
    row = scores.iloc[0]
    prefix = f"open_set/{row['class']}/{row['phase']}/{row['score']}"
    for measure in ("auroc", "fpr95", "rejected"):
        assert run.metrics[f"{prefix}/{measure}"] == pytest.approx(row[measure])
    for name in names:
        assert (run.folder / "figures" / f"open_set_{name.replace(' ', '_')}.png").stat().st_size > 1000


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_fine_tuning_does_not_learn_from_classes_that_are_left_out_of_it(micrographia, tiny, monkeypatch):
    """Spoil a class's images: weights stay the same where it is left out; where not, nothing is told of after."""
    name = SyntheticCells.classes[1]
    options = (*trained_source(tiny), *tiny.cells, *tiny.carried, "baseline=false", "open_set.resamples=0")
    command = ("transfer", *options, f"open_set.classes=[{name}]")
    clean = micrographia(*command, "open_set.exclude_from_finetuning=true")
    seen = micrographia(*command)
    assert set(seen.table("open_set")["phase"]) == {"before"}
    assert seen.weights.read_bytes() != clean.weights.read_bytes()
    images = SyntheticCells.images

    def spoiled(self, indices):
        rendered = images(self, indices)
        rendered[self.targets(indices) == 1] = 128
        return rendered

    monkeypatch.setattr(SyntheticCells, "images", spoiled)
    other = micrographia(*command, "open_set.exclude_from_finetuning=true", "how.rerun=true")
    assert other.weights.read_bytes() == clean.weights.read_bytes()


@pytest.mark.usefixtures("kept_runs")
def test_a_class_that_does_not_exist_is_answered_before_any_work(micrographia, tiny, capsys):
    micrographia("transfer", *trained_source(tiny), *tiny.cells, *tiny.transfer, "open_set.classes=[stentor]", status=2)
    answer = capsys.readouterr().err
    assert "open_set.classes: no class 'stentor'. Classes: " in answer
    assert SyntheticCells.classes[0] in answer


@pytest.mark.usefixtures("kept_runs")
def test_importance_and_projections_can_be_left_out(micrographia, tiny):
    options = [option for option in tiny.transfer if not option.startswith("finetune")]
    run = micrographia(
        *("transfer", *trained_source(tiny), *tiny.cells, *options, "finetune=none", "baseline=false"),
        *("interpretation.importance=[]", "interpretation.projections=[]"),
    )
    files = {file.stem for file in run.folder.rglob("*.*")}
    assert {"codes", "probes"} <= files
    assert not {"importance", "projections", "open_set"} & files


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_the_raw_input_can_be_left_out(micrographia, tiny):
    options = [option for option in tiny.carried if not option.startswith("finetune")]
    run = micrographia(*("transfer", *trained_source(tiny), *tiny.cells, *options, "finetune=none", "baseline=false"))
    assert set(run.table("probes")["phase"]) == {"before"}


def test_images_of_other_channels_than_the_source_takes_are_answered(micrographia, tiny, capsys):
    micrographia("transfer", "data=synthetic/translocation", *tiny.transfer, status=2)
    assert "source: it takes images of 3 channels, those of translocation have 2" in capsys.readouterr().err


@pytest.mark.usefixtures("kept_runs")
def test_a_target_without_classes_is_refused(micrographia, tiny, capsys):
    micrographia(
        *("transfer", *trained_source(tiny), "data=synthetic/texture_dsprites", *tiny.transfer),
        status=2,
    )
    assert "transfer needs classes" in capsys.readouterr().err


def test_a_classifier_is_no_source(micrographia, tiny, capsys):
    cnn = micrographia("train", "model=cnn", "model.filters=4", "data=synthetic/cells", *tiny.training, *tiny.cells)
    micrographia("transfer", "source=path", f"source.run={cnn.folder}", *tiny.cells, *tiny.transfer, status=2)
    assert "holds a CNN" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["transfer"], ["train", "model=cnn"]])
def test_a_set_without_a_test_part_is_answered(verb, real_layouts, micrographia, tiny, capsys):
    micrographia(*verb, "data=plankton/ndsb", "data.split=none", status=2)
    assert "no image is in the val part" in capsys.readouterr().err


def test_a_bright_ground_is_noticed_where_the_source_has_learned_a_dark_one(caplog):
    class Ground(SyntheticCells):
        def images(self, indices):
            return torch.full((len(indices), *self.shape), self.shade)

    target, known = (Ground(name=name, count=60, size=16) for name in ("mine", "sprites"))
    target.shade, known.shade = 0.9, 0.0
    notice_ground(target, known)
    assert "data.invert=true turns them round" in caplog.text
    caplog.clear()
    for target.shade, known.shade in ((0.9, 0.9), (0.1, 0.0), (0.5, 0.0)):
        notice_ground(target, known)
    assert not caplog.text
