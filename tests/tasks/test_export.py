import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import tifffile
import torch
import yaml
from PIL import Image

from micrographia.cli import command, main
from micrographia.data.datamodule import unit_range
from micrographia.data.reading import read_image
from micrographia.errors import UserError
from micrographia.models.exported import load_exported
from micrographia.pretrained import pretrained_folder, pretrained_names
from micrographia.runs.run import Run
from micrographia.tasks import parity
from micrographia.tasks.assembly import build_data, load_model
from micrographia.tasks.export import export
from micrographia.tasks.model_card import CARD, count_of, model_card

TINY = ("budget.steps=1", "budget.epochs=null", "budget.batch_size=8", "budget.validate_every=1", "how.progress=false")
HOW = {"accelerator": "cpu", "threads": 1, "progress": False, "paths": {"runs": "runs", "cache": "cache"}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with tiny finished trainings, and the images that they saw."""
    folder = tmp_path_factory.mktemp("exported")
    generator = np.random.default_rng(0)
    for name in ("copepod", "diatom"):
        (folder / "colour" / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 256, (20 + 5 * number, 60 - 3 * number, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "colour" / name / f"{number}.png")
    (folder / "deep").mkdir()
    rows = [(f"{number}.tif", "ab"[number % 2], f"p{number % 4 // 2}") for number in range(24)]
    for number, (name, _, _) in enumerate(rows):
        pixels = generator.integers(0, 3000 + 100 * number, (2, 30, 24), dtype=np.uint16)
        tifffile.imwrite(folder / "deep" / name, pixels, metadata={"axes": "CYX"})
    table = "".join(",".join(row) + "\n" for row in [("file", "class", "plate"), *rows])
    (folder / "deep" / "labels.csv").write_text(table)
    commands = {
        "cnn": ("model=cnn", "data=image_folder", "data.root=colour", "data.invert=true", "data.pad_quantile=0.5"),
        "vae": ("model=beta_vae", "data=image_folder", "data.root=deep", "data.plate=[plate]", "data.size=32"),
        "latent": ("model=transfer_classifier", "data=synthetic/cells", "data.count=60"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MICROGRAPHIA_CACHE", str(folder / "cache"))
        patch.setattr("micrographia.runs.run.Run.save_figure", lambda run, name, figure: None)
        for name, overrides in commands.items():
            assert command(["train", *overrides, *TINY, f"how.paths.runs=runs/{name}"]) == 0
    return folder


@pytest.fixture
def run_of(runs, monkeypatch):
    """A finished training by its name, in the folder in which it was made."""
    monkeypatch.chdir(runs)
    return lambda name: Run(next((runs / "runs" / name / "train").glob("[!.]*-*")))


def session_of(folder):
    return onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def test_a_graph_classifies_files_of_any_size_as_the_run_does(run_of, tmp_path):
    run = run_of("cnn")
    made = export(run, output=tmp_path / "out", how=HOW)
    assert made.difference < 1e-5
    assert made.prepared < 1e-6
    assert made.compared == "4 images of image_folder"
    assert [path.name for path in made.files] == ["model.onnx", CARD]
    session = session_of(made.folder)
    data = build_data(run.config, HOW)
    indices = torch.arange(0, len(data), 3)
    expected = load_model(run, HOW).predict_proba(unit_range(data.images(indices))).numpy()
    shapes = set()
    for index, row in zip(indices.tolist(), expected, strict=True):
        _, image = read_image(data.root / data.table(torch.tensor([index]))["file"].iloc[0])
        shapes.add(image.shape)
        (found,) = session.run(None, {"image": image[None].astype(np.float32)})
        np.testing.assert_allclose(found[0], row, atol=1e-5)
    assert len(shapes) > 4
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == ["copepod", "diatom"]
    assert json.loads(known["channels"]) == ["red", "green", "blue"]
    assert known["digest"] == run.result["digest"]
    assert "not known to micrographia" in known["licence_of_data"]
    assert onnx.load(made.files[0]).opset_import[0].version == 17


def test_plates_that_are_scaled_each_by_itself_are_fed_with_their_limits(run_of, tmp_path):
    run = run_of("vae")
    made = export(run, output=tmp_path, how=HOW)
    assert made.difference < 1e-4
    session = session_of(made.folder)
    assert [entry.name for entry in session.get_inputs()] == ["image", "limits"]
    image = np.full((2, 2, 30, 24), 1000, np.float32)
    limits = np.array([[[0, 2000]] * 3, [[900, 1100]] * 3], np.float32)
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {"image": image, "limits": limits}), strict=True))
    assert list(outputs) == ["latents", "log_variances"]
    assert outputs["latents"].shape == (2, 10)
    np.testing.assert_allclose(*outputs["latents"], atol=1e-6)  # both are 0.5
    assert json.loads(session.get_modelmeta().custom_metadata_map["channels"]) == ["0", "1"]


def test_safetensors_hold_the_same_model(run_of, tmp_path):
    for name, outputs in (("latent", ["probabilities", "latents"]), ("vae", ["latents", "log_variances"])):
        run = run_of(name)
        made = export(run, "safetensors", tmp_path / name, how=HOW)
        assert made.difference < 1e-6
        model = load_exported(made.folder)
        assert list(model.output_names) == outputs
        described = json.loads((made.folder / "model.json").read_text())
        assert described == model.description
        assert described["latents"] == run.record("model")["latents"] or name == "latent"
    assert not (run.folder / "export").exists()


def test_a_shipped_generator_and_an_encoder_of_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export("pretrained/stylegan2_golgi", "safetensors", images=2, how=HOW).difference < 1e-6
    images, w = load_exported("runs/export/stylegan2_golgi")(torch.zeros(2, 128))
    assert images.shape == (2, 2, 64, 64)
    assert w.shape == (2, 128)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in pretrained_names() if "flow" not in name])
def test_every_shipped_model_has_a_graph(name, tmp_path):
    assert export(f"pretrained/{name}", output=tmp_path, images=4, how=HOW).difference < 1e-4


def test_what_differs_is_not_kept(run_of, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(parity.Exportable, "expected", lambda self, items: (torch.zeros(len(items), 2),))
    with pytest.raises(UserError, match=r"on 4 images .* differs from the trained one by .*Nothing was kept"):
        export(run_of("cnn"), "safetensors", out, how=HOW)
    assert list(tmp_path.iterdir()) == []


def test_random_images_stand_in_for_those_that_are_gone(run_of, tmp_path):
    run = Run(shutil.copytree(run_of("cnn").folder, tmp_path / "cnn"))
    (run.folder / CARD).unlink()
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    config["data"]["root"] = "/gone"
    (run.folder / "config.yaml").write_text(yaml.safe_dump(config))
    made = export(run, "safetensors", images=3, how=HOW)
    assert made.compared == "3 random images, since /gone is not there,"
    assert made.folder == run.folder / "export"
    assert (made.folder / CARD).read_text() == model_card(run)


def test_the_command_ends_with_the_folder(run_of, tmp_path, capsys):
    words = ["export", f"run={run_of('latent').folder}", "format=safetensors", f"output={tmp_path / 'out'}"]
    assert command([*words, "how.threads=1"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(tmp_path / "out")]
    assert "largest difference from the trained model" in shown.err
    assert command([*words, "--cfg", "job"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["format"] == "safetensors"
    assert command(["export", "--help"]) == 0
    assert "format=onnx|safetensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["run=pretrained/latent_flow_golgi"], "Export the generator: run=pretrained/stylegan2_golgi"),
        (["run=nowhere"], "run: nowhere is no folder. Name a finished run"),
        (["run=pretrained/ada_gvae", "format=tflite"], "format=tflite: expected"),
        (["run=pretrained/ada_gvae", "colour=red"], "colour"),
        (["pretrained/ada_gvae"], "export takes run=PATH, key=value"),
        (["format=onnx"], "run: no value given"),
    ],
)
def test_mistakes_are_answered_in_a_line(words, answer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["export", *words])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert answer in shown.err
    assert len(shown.err.splitlines()) <= 2
    assert shown.out == ""


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_what_brings_it(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs the package {package}: pip install 'micrographia\[onnx\]'"):
        export("pretrained/ada_gvae", how=HOW)


def test_runs_without_a_model_name_the_one_to_export(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "config.yaml").write_text("task: evaluate\nname: x\nrun: runs/train/vae\n")
    with pytest.raises(UserError, match="Export the run that it scored: run=runs/train/vae"):
        export(tmp_path, "safetensors", how=HOW)
    (tmp_path / "config.yaml").write_text("task: superresolve\nname: x\ngenerator: {run: pretrained/stylegan2_golgi}\n")
    with pytest.raises(UserError, match="Export its generator: run=pretrained/stylegan2_golgi"):
        export(tmp_path, "safetensors", how=HOW)


# Model cards


def parts_of(card):
    """Front matter and sections of a card."""
    _, head, body = card.split("---\n", 2)
    sections = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in body.split("\n## ")[1:]}
    return yaml.safe_load(head), sections


def test_a_finished_run_has_a_card(run_of):
    run = run_of("cnn")
    card = (run.folder / CARD).read_text()
    assert card == model_card(run)
    head, sections = parts_of(card)
    assert head["license"] == "unknown"
    assert head["pipeline_tag"] == "image-classification"
    score = head["model-index"][0]["results"][0]
    assert score["dataset"] == {"name": "image_folder", "type": "user", "split": "test"}
    assert score["metrics"][0]["value"] == pytest.approx(run.metrics["classifier/test/accuracy"], abs=1e-4)
    assert "licence: not known to micrographia" in sections["Data"]
    assert "images: 12 train, 4 val, 4 test" in sections["Data"]
    assert "Parts were drawn image by image" in sections["Limits"]
    assert "larger than the square that all are padded to" in sections["Limits"]
    assert "| classifier/test/accuracy |" in sections["Scores"]
    assert sections["Scores"].splitlines()[2].endswith("| 4 |")
    assert run.result["digest"] in sections["How it was made"]
    assert "how." not in sections["How it was made"]


def test_scores_are_of_no_more_images_than_there_are():
    seen = SimpleNamespace(images={"train": 300, "val": 900, "test": 40})
    facts = SimpleNamespace(sets=[seen], config={"model": {"feature_images": 2000}})
    counts = {name: count_of(name, facts) for name in ("frechet/features", "latents/kl", "probe/gbt/after/accuracy")}
    assert counts == {"frechet/features": 300, "latents/kl": 512, "probe/gbt/after/accuracy": 40}


def test_a_card_says_where_the_encoder_learned(run_of):
    _, sections = parts_of(model_card(run_of("latent")))
    assert "**texture_dsprites** (source trained on)" in sections["Data"]
    assert "simulated images alone" in sections["Limits"]
    _, sections = parts_of(model_card(run_of("vae")))
    assert "Each plate is scaled by limits of its own" in sections["Limits"]
    assert "1 of the model's channels are zero" in sections["Limits"]


def test_limits_follow_from_what_a_run_has_kept(run_of, tmp_path):
    run = Run(shutil.copytree(run_of("cnn").folder, tmp_path / "cnn"))
    record = run.record("model")
    record["data"] |= {"images": {"train": 9, "val": 1, "test": 0}, "group": "slide", "labelled": {"train": 4}}
    record["data"] |= {"left_out": {"a.png": "damaged"}, "repeats": True, "plates": ["P1"]}
    run.save_record("model", record)
    table = run.table("confusion")
    train = table["part"] == "train"
    table.loc[train, ["copepod", "diatom"]] = [[30, 0], [0, 2]]
    run.save_table("confusion", table)
    _, sections = parts_of(model_card(run))
    for told in (
        "There was no test part",
        "4 labelled images of the train part",
        "1 files could not be used",
        "Channels are repeated",
        "One plate only (P1)",
        "Classes are uneven: from 2 (diatom) to 30 (copepod) training images",
    ):
        assert told in sections["Limits"]
    assert "image by image" not in sections["Limits"]


def test_names_that_fine_tuning_lost_are_a_limit(tmp_path):
    run = Run(tmp_path)
    run.save_record("result", {"task": "transfer", "digest": "0", "metrics": {"latents_after/active": 1.0}})
    (tmp_path / "config.yaml").write_text(
        "task: transfer\nname: x\nseed: 3\ndata: {name: mine, root: /mine}\nsource: {run: pretrained/ada_gvae}\n"
    )
    run.save_record("data", {"images": {"train": 5, "val": 2, "test": 2}})
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "codes_before.csv").write_text("item,Scale,z1\n0,1,1\n")
    (tmp_path / "tables" / "codes_after.csv").write_text("item,z0,z1\n0,1,1\n")
    _, sections = parts_of(model_card(run))
    assert "After fine-tuning no latent stands for Scale any more." in sections["Limits"]
    assert "No latent has earned a name" in sections["Limits"]
    assert "1 of 2 latents hold nothing" in sections["Limits"]


@pytest.mark.parametrize("name", pretrained_names())
def test_cards_that_ship_are_those_of_their_runs(name):
    folder = pretrained_folder(name)
    card = (folder / CARD).read_text()
    assert card == model_card(Run(folder)), "mend it: python -m micrographia.pretrained --renew"
    assert parts_of(card)[0]["license"] == "apache-2.0"
