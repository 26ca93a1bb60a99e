"""Predictions by runs of every kind, against what the runs themselves say of the same images."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image

from micrographia.cli import command, main
from micrographia.errors import UserError
from micrographia.inversion.solutions import Solutions
from micrographia.runs.run import Run
from micrographia.tasks import predicting
from micrographia.tasks.predict import predict, settings
from micrographia.tasks.recovering import chosen_method

CLASSES = ("copepod", "diatom", "medusa")
FOLDER = ("data=image_folder", "data.root=mine", "data.size=32", "how.progress=false")


def write_classes(root):
    """Three classes that differ in size and brightness, in pictures of several sizes."""
    draws = np.random.default_rng(0)
    for kind, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for number in range(14):
            side = 14 + kind * 4 + number % 3
            pixels = draws.integers(0, 90 + 60 * kind, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with images, ``mine``, and with finished runs, of which most have learned from them."""
    folder = tmp_path_factory.mktemp("desk")
    write_classes(folder / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MICROGRAPHIA_CACHE", str(folder / "cache"))
        patch.setattr(Run, "save_figure", lambda *_: None)
        tiny = ("budget.steps=4", "budget.epochs=null", "budget.batch_size=8", "budget.validate_every=2")
        vae = ("model@source.model=beta_vae", "data@source.data=image_folder", "source.data.root=mine")
        vae = (*vae, *(f"source.{option}" for option in (*FOLDER[2:3], *tiny)))
        transfer = (
            *("source=trained", *vae, "finetune.epochs=1", "finetune.batch_size=8", "baseline=false", "labels=6"),
            *("interpretation.images=9", "interpretation.traversals=0", "interpretation.resamples=2"),
            *("interpretation.steps=2", "interpretation.counterfactuals.images=0", "interpretation.importance=[]"),
            *("probes.gbt.trees=5", "probes.mlp.steps=9", "probes.logistic.iterations=9", "naming.samples=20"),
        )
        assert command(["transfer", *FOLDER, *transfer]) == 0
        assert command(["train", "model=cnn", *FOLDER, *tiny, "model.filters=4"]) == 0
        generator = (
            *("model.channel_max=4", "model.z_dim=8", "model.w_dim=6", "model.mapping_layers=2", "model.w_samples=100"),
            *("model.sample_kimg=null", "budget.kimg=0.016", "budget.batch_size=8", "budget.validate_every=2"),
        )
        cells = ("data.size=32", "data.layout.replicates=4", "data.layout.fields=1", "data.layout.cells=4", "images=1")
        search = ("methods.rls.schedule.steps=2", "methods.rls.solutions=2", "~methods.no_regularization")
        flow = (
            *("model.hidden=8", "model.standard_samples=500", "data.count=500", "data.held_out=100", "budget.steps=2"),
            *("budget.batch_size=32", "budget.validate_every=1"),
        )
        search = (*search, *(f"flow.{option}" for option in flow), "degradation.steps.reduce.factor=4")
        search = (
            *search,
            *(f"generator.{option}" for option in generator),
            *cells,
            "intervals.images=1",
            "how.progress=false",
        )
        assert command(["superresolve", *search]) == 0
    return folder


@pytest.fixture
def desk(runs, monkeypatch):
    """The folder of the runs, in which this process is."""
    monkeypatch.chdir(runs)
    return runs


@pytest.fixture
def how():
    return settings(["how.progress=false", "how.accelerator=cpu"])[1]


def run_of(verb, kind="*"):
    """The finished run of a verb, seen from where it lies."""
    return Run(next(iter(sorted(Path("runs", verb).glob(f"{kind}-*/result.json")))).parent)


def told_of(run, files):
    """Codes, class and part of a transfer's items, under the names of their files."""
    codes = pd.read_csv(run.folder / "tables" / "codes_after.csv", index_col="item")
    return codes.sort_index().set_axis(files)


def in_order(root="mine"):
    """Names of the images in the order of the run's items."""
    from micrographia.data.image_folder import ImageFolder

    return ImageFolder("mine", root, size=32).arrange()["file"].tolist()


@pytest.mark.parametrize("probe", ["gbt", "mlp"])
def test_a_transfer_says_of_files_what_it_said_of_its_own_images(desk, how, tmp_path, probe):
    run = run_of("transfer")
    found = predict(run.folder, "mine", tmp_path / "out", probe=probe, how=how)
    assert (found.images, found.unreadable) == (42, 0)
    table = found.table.set_index("file").loc[in_order()]
    own = told_of(run, in_order())
    latents = list(own.columns.drop(["class", "part"]))
    np.testing.assert_allclose(table[latents], own[latents], rtol=1e-4, atol=1e-5)
    former = run.table("confusion").query("phase == 'after' and probe == @probe and part == 'test'").set_index("class")
    tested = own["part"] == "test"
    for name in CLASSES:
        taken = table["class"][tested & (own["class"] == name)].value_counts()
        assert taken.reindex(CLASSES, fill_value=0).tolist() == former.loc[name, list(CLASSES)].tolist()
    likely = table[[f"probability_{name}" for name in CLASSES]]
    np.testing.assert_allclose(likely.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(likely.max(axis=1), table["probability"])
    kept = ~table["rejected"][own["part"] == "val"]
    assert kept.mean() >= 0.95
    assert (table["rejection_threshold"] == table["rejection"][own["part"] == "val"].max()).all()
    assert (table["probe"] == probe).all()


def test_numbers_depend_on_neither_batch_nor_company_nor_interruptions(desk, how, tmp_path, monkeypatch):
    run = run_of("transfer")
    whole = predict(run.folder, "mine", tmp_path / "whole", how=how, rejection="knn", kept=0.8)
    text = (whole.folder / "predictions.csv").read_bytes()
    batch_of, batches = predicting.batch_of, []

    def interrupted(*arguments):
        batches.append(1)
        if len(batches) == 3:
            raise KeyboardInterrupt
        return batch_of(*arguments)

    monkeypatch.setattr(predicting, "batch_of", interrupted)
    asked = {"batch_size": 5, "how": how, "rejection": "knn", "kept": 0.8}
    with pytest.raises(KeyboardInterrupt):
        predict(run.folder, "mine", tmp_path / "parts", **asked)
    assert len(pd.read_csv(tmp_path / "parts" / "predictions.csv")) == 10
    with (tmp_path / "parts" / "predictions.csv").open("a") as file:
        file.write("diatom/9.png,diat")
    predict(run.folder, "mine", tmp_path / "parts", **asked)
    assert (tmp_path / "parts" / "predictions.csv").read_bytes() == text
    alone = predict(run.folder, "mine/medusa/3.png", tmp_path / "alone", **asked).table.iloc[0]
    assert alone.drop("file").equals(whole.table.set_index("file").loc["medusa/3.png"])


def test_nothing_of_the_training_but_the_run_is_needed(desk, how, tmp_path, monkeypatch):
    source, run = told_of(run_of("transfer"), in_order()), desk / run_of("transfer").folder
    monkeypatch.chdir(tmp_path)
    (desk / "mine").rename(desk / "elsewhere")
    try:
        found = predict(run, desk / "elsewhere", tmp_path / "out", probe="gbt", how=how)
    finally:
        (desk / "elsewhere").rename(desk / "mine")
    latents = list(source.columns.drop(["class", "part"]))
    np.testing.assert_allclose(found.table[latents], source[latents].loc[found.table["file"]], rtol=1e-4, atol=1e-5)


def test_a_classifier_says_of_files_what_it_said_of_its_own_images(desk, how, tmp_path):
    run = run_of("train", "cnn")
    table = predict(run.folder, "mine", tmp_path / "out", how=how).table
    assert list(table) == ["file", "class", "probability", "flag", *(f"probability_{name}" for name in CLASSES)]
    truth = table["file"].str.split("/").str[0]
    found = pd.crosstab(truth, table["class"]).reindex(columns=CLASSES, fill_value=0)
    former = run.table("confusion").groupby("class")[list(CLASSES)].sum()
    assert found.to_numpy().tolist() == former.loc[found.index].to_numpy().tolist()


def test_of_a_vae_there_are_the_latents(desk, how, tmp_path):
    run = run_of("train", "beta_vae")
    table = predict(run.folder, "mine/diatom/*.png", tmp_path / "out", how=how).table
    assert table["file"].tolist() == sorted(f"{number}.png" for number in range(14))
    assert list(table)[2:] == run.record("model")["latents"]
    assert table.iloc[:, 2:].notna().all(axis=None)


@pytest.mark.parametrize("method", ["bicubic", "rls"])
def test_low_resolution_images_are_recovered_and_measured(desk, how, tmp_path, method):
    run = run_of("superresolve")
    kept = [Solutions.load(file) for file in sorted((run.folder / "solutions" / "bicubic").glob("*.safetensors"))]
    former = run.table("measurements").query("method == @method")
    keys = torch.cat([part.keys for part in kept]).tolist()
    images = dict(zip(keys, lows(run, keys), strict=True))
    (tmp_path / "low").mkdir()
    for key, image in images.items():
        metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "GFP"]}}
        counts = np.rint(image * 8000).astype(np.uint16)
        tifffile.imwrite(tmp_path / "low" / f"{key}.tif", counts, ome=True, photometric="minisblack", metadata=metadata)
    np.save(tmp_path / "low" / "no_image.npy", np.zeros(3))
    tifffile.imwrite(tmp_path / "low" / "large.tif", np.zeros((2, 9, 9), np.uint16))
    found = predict(run.folder, tmp_path / "low", tmp_path / "out", method=method, how=how)
    assert (found.images, found.unreadable) == (len(keys), 1)
    assert pd.read_csv(found.folder / "unreadable.csv").to_numpy().tolist() == [
        ["large.tif", "is 9 x 9 px; the run's degradation makes images of 8 x 8 px. Cut it to them."]
    ]
    table = found.table
    alone = predict(run.folder, tmp_path / "low" / f"{keys[-1]}.tif", tmp_path / "alone", method=method, how=how).table
    rest = table[table["file"] == f"{keys[-1]}.tif"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, rest, rtol=1e-3)
    solutions = {"bicubic": 1, "rls": 2}[method]
    assert table["solution"].tolist() == list(range(solutions)) * len(keys)
    assert {"translocation_ratio", "nucleus_area_px", "lr_residual", "log_p", "flag"} <= set(table)
    for file, rows in table.groupby("file"):
        own = former[former["item"] == int(Path(file).stem)].iloc[0]
        first = rows.iloc[0]
        assert first["lr_residual"] == pytest.approx(own["lr_residual"], rel=0.05)
        if first["flag"] == own["flag"] == "":
            assert first["translocation_ratio"] == pytest.approx(own["translocation_ratio"], rel=0.05)
        with tifffile.TiffFile(found.folder / first["image"]) as written:
            pixels, names = written.asarray(), written.ome_metadata
        assert (pixels.dtype, pixels.shape) == (np.uint16, (2, 32, 32))
        assert 'Name="DNA"' in names
        assert 'Name="GFP"' in names
        if method == "bicubic":  # the search's generator has learned nothing
            low = images[int(Path(file).stem)] * 8000
            assert pixels.mean() == pytest.approx(low.mean(), rel=0.05)


def test_a_batch_of_which_nothing_can_be_searched_is_flagged(desk, how, tmp_path):
    for number, image in enumerate((np.full((2, 8, 8), 500.0), np.full((2, 8, 8), np.nan))):
        tifffile.imwrite(tmp_path / f"{number}.tif", image.astype(np.float32), metadata={"axes": "CYX"})
    given = {"method": "rls", "limits": [[0, 8000]], "how": how}
    found = predict(run_of("superresolve").folder, tmp_path, tmp_path / "out", **given)
    first = found.table.query("solution == 0")
    assert [flag.split("; ")[0] for flag in first["flag"]] == ["constant", "NaN pixels"]
    assert first[["translocation_ratio", "lr_residual", "log_p"]].isna().all(axis=None)
    assert not list(found.folder.rglob("*.ome.tif"))


def lows(run, keys):
    """What the run has seen of some keys."""
    from micrographia.config import instantiate
    from micrographia.tasks.assembly import build_data

    what, plain = run.config, settings([])[1]
    data = build_data(what, plain, 32, {})
    indices = torch.tensor(keys)
    high = torch.cat(list(data.chunks(indices)))
    return instantiate(what["degradation"], "degradation")(high, indices).numpy().clip(0, 1)


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(desk, tmp_path, capsys):
    folder = tmp_path / "images (of, mine)"
    folder.mkdir()
    (folder / "torn.png").write_bytes((desk / "mine" / "medusa" / "1.png").read_bytes()[:90])
    (folder / "empty.tif").touch()
    run = run_of("train", "cnn").folder
    words = ["predict", f"run={run}", f"input={folder}", f"output={tmp_path / 'out'}", "how.progress=false"]
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "none of 2 images could be read; the first, empty.tif: is empty (0 bytes)" in shown.err
    (folder / "empty.tif").unlink()
    Image.fromarray(np.zeros((70, 70, 3), np.uint8)).save(folder / "black.png")
    assert command(words) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(tmp_path / "out")]
    assert "could not be read: 1, the first torn.png" in shown.err
    assert pd.read_csv(tmp_path / "out" / "unreadable.csv")["file"].tolist() == ["torn.png"]
    assert "predicted: 1 in " in shown.err
    assert pd.read_csv(tmp_path / "out" / "predictions.csv")["flag"].tolist() == ["constant"]
    assert "have changed" not in shown.err
    written = (tmp_path / "out" / "predictions.csv").stat().st_mtime
    os.utime(folder / "black.png", (written + 5, written + 5))
    for _ in range(2):
        assert command(words) == 0
        shown = capsys.readouterr().err
        assert "changed since they were predicted, and not asked again: 1, the first black.png" in shown


def test_an_output_of_something_else_is_refused_before_any_work(desk, how, tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "reader_of", None)
    (tmp_path / "predictions.csv").write_text("file,class\n")
    with pytest.raises(UserError, match=r"holds a predictions\.csv of something else"):
        predict(run_of("transfer").folder, "mine", tmp_path, how=how)


def test_a_transfer_of_older_packages_is_told(desk, how, tmp_path, caplog):
    run = run_of("transfer")
    confusion = run.folder / "tables" / "confusion.csv"
    former = confusion.read_text()
    table = pd.read_csv(confusion)
    try:
        table.assign(**{CLASSES[0]: table[CLASSES[0]] + 1}).to_csv(confusion, index=False)
        predict(run.folder, "mine/medusa", tmp_path / "out", probe="gbt", how=how)
    finally:
        confusion.write_text(former)
    assert "probe gbt, fitted anew to the run's codes, does not answer as it did in the run" in caplog.text


@pytest.mark.parametrize(
    ("verb", "options", "answer"),
    [
        ("transfer", {"probe": "svm"}, "probe=svm: the run has no such probe. It has: gbt, mlp, logistic."),
        ("transfer", {"method": "rls"}, "method=rls: of superresolve runs only"),
        ("transfer", {"kept": 0.2}, "kept=0.2: expected a number from 0.5 to 1 or null"),
        ("transfer", {"rejection": "odds"}, "rejection=odds: expected one of mahalanobis, knn, probability"),
        (
            "transfer",
            {"channels": [9]},
            "none of 42 images could be read; the first, copepod/0.png: channels: no channel",
        ),
        ("superresolve", {"method": "pulse"}, "method=pulse: the run has no such method. It has: bicubic, rls."),
        ("superresolve", {"probe": "gbt"}, "super-resolves, and has no probes"),
        ("train", {"probe": "gbt"}, "is a training, which has no probes"),
    ],
)
def test_what_a_run_cannot_answer_is_said(desk, how, tmp_path, verb, options, answer):
    with pytest.raises(UserError) as refused:
        predict(run_of(verb).folder, "mine", tmp_path / "out", how=how, **options)
    assert answer in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2


def test_runs_that_are_none_are_answered(desk, how, tmp_path):
    unfinished = tmp_path / "runs" / "train" / "a-1"
    unfinished.mkdir(parents=True)
    for run, answer in (("nowhere", "is no folder"), (unfinished, "is no run's folder"), ("pretrained/x", "no such")):
        with pytest.raises(UserError, match=answer):
            predict(run, "mine", tmp_path / "out", how=how)
    (unfinished / "config.yaml").touch()
    with pytest.raises(UserError, match="is not finished"):
        predict(unfinished, "mine", tmp_path / "out", how=how)
    with pytest.raises(UserError, match="says nothing of images"):
        predict("pretrained/latent_flow_golgi", "mine", tmp_path / "out", how=how)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("input=a",), "run: no value given. Add run=runs/transfer/NAME to the command"),
        (("run=a", "input=b"), "output: no value given"),
        (("run=a", "run=b"), "run: given more than once"),
        (("-m", "run=a"), "-m: predict takes key=value"),
        (("speed=9",), "speed: no such key"),
        (("batch_size=0",), "batch_size=0: expected a whole number from 1 on"),
    ],
)
def test_commands_that_are_wrong_are_answered(words, answer):
    with pytest.raises(UserError) as refused:
        command(["predict", *words])
    assert answer in str(refused.value)


def test_help_and_config_are_shown(capsys):
    assert command(["predict"]) == 0
    assert "micrographia predict run=PATH" in capsys.readouterr().out
    assert command(["predict", "--help"]) == 0
    assert "rejection: mahalanobis  # what tells images" in capsys.readouterr().out
    assert command(["predict", "run=a b", "probe=gbt", "how.threads=1", "--cfg", "job"]) == 0
    shown = capsys.readouterr().out
    assert "task: predict\nrun: a b\n" in shown
    assert "probe: gbt\n" in shown


def test_several_methods_want_a_name():
    assert chosen_method(None, ["pulse"]) == "pulse"
    with pytest.raises(UserError, match=r"method: the run has several\. Name one of them, as method=pulse"):
        chosen_method(None, ["bicubic", "pulse"])
