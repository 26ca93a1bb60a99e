"""Bad input is answered in two or three lines that name it; what is finished stays, nothing partial counts as whole."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from micrographia.runs.run import Run

CNN = ("train", "model=cnn", "model.filters=4", "budget.steps=2", "budget.batch_size=4")
FOLDER = ("data=image_folder", "data.root=images")


class Harmful:
    """Executes code when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("executed",))


def files_of(folder):
    """Content of every file of a run."""
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def runs_in(desk):
    """Folders of trainings."""
    return set((desk / "runs" / "train").glob("[!.]*"))


# Images


def test_a_corrupt_image_is_named(desk, mistake, picture_folders):
    images = picture_folders(cats=10, dogs=10)
    good = (images / "cats" / "3.png").read_bytes()
    (images / "cats" / "3.png").write_bytes(good[: len(good) // 2])
    assert "images/cats/3.png" in mistake(*CNN, *FOLDER)
    assert not list(desk.glob("runs/train/*/result.json"))
    (images / "cats" / "3.png").write_text("no image at all")
    assert "images/cats/3.png" in mistake(*CNN, *FOLDER)
    assert not list((desk.parent / "cache").glob("*.npy"))


def test_an_empty_class_folder_is_named(desk, mistake, picture_folders):
    images = picture_folders(cats=10, dogs=10)
    (images / "birds").mkdir()
    assert "images/birds: class folder without an image" in mistake(*CNN, *FOLDER)


def test_a_single_class_is_refused(mistake, picture_folders):
    picture_folders(cats=10)
    answer = mistake(*CNN, *FOLDER)
    assert "class" in answer
    assert "cats" in answer


def test_a_table_that_names_missing_files_is_answered(mistake, picture_folders):
    images = picture_folders(cats=10, dogs=10)
    (images / "labels.csv").write_text("file,class\ncats/0.png,cat\ncats/77.png,cat\ndogs/1.png,dog\n")
    answer = mistake(*CNN, *FOLDER, "data.table=labels.csv")
    assert "labels.csv: 1 of 3 files do not exist" in answer
    assert "cats/77.png" in answer


# Losses, weights, checkpoints


def test_a_loss_that_is_not_finite_leaves_other_runs_alone(desk, mistake, source, training):
    before = files_of(source)
    assert "optimizer.lr" in mistake("train", *training, "budget.steps=20", "optimizer.lr=1e30")
    assert files_of(source) == before
    assert runs_in(desk) == {source}  # nothing had been made of the bad one


def test_a_loss_that_is_not_finite_names_the_part_that_is_trained(mistake, transfer, source):
    answer = mistake("transfer", *transfer, "source.optimizer.lr=1e30")
    assert "in source: " in answer
    assert "Lower optimizer.lr" in answer
    assert "in finetune: " in mistake(*carry_over(source), "finetune.optimizer.lr=1e30")


def carry_over(folder):
    return ("transfer", "source=path", f"source.run={folder}", "data=synthetic/cells", "data.count=60")


def test_weights_of_another_architecture_are_refused(desk, source, mistake, micrographia, training):
    _, (other,), _ = micrographia("train", *training, "budget.steps=2", "model.latents=4")
    shutil.copy(desk / other / "weights.safetensors", source / "weights.safetensors")
    answer = mistake(*carry_over(source))
    assert f"{source}/weights.safetensors: weights of another architecture" in answer


@pytest.mark.parametrize("damage", ["cut short", "pickle"])
def test_damaged_weights_are_refused(damage, source, mistake):
    weights = source / "weights.safetensors"
    if damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        torch.save({"state_dict": Harmful()}, weights, pickle_module=pickle)
    assert f"{weights}: not a readable weights file" in mistake(*carry_over(source))
    assert not Path("executed").exists()


@pytest.mark.parametrize("damage", ["cut short", "empty", "pickle", "other numbers"])
def test_a_damaged_checkpoint_is_named_and_kept(damage, source, mistake, micrographia, training):
    """The user decides whether to delete it; deleting it starts the run anew."""
    (source / "result.json").unlink()
    checkpoint = source / "last.ckpt"
    whole = checkpoint.read_bytes()
    if damage == "cut short":
        checkpoint.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        checkpoint.write_bytes(b"")
    elif damage == "pickle":
        torch.save({"state_dict": Harmful()}, checkpoint, pickle_module=pickle)
    else:
        torch.save([1, 2], checkpoint)
    damaged = checkpoint.read_bytes()
    answer = mistake("train", *training, "budget.steps=2")
    assert "last.ckpt: " in answer
    assert "Delete it" in answer
    assert not Path("executed").exists()
    assert not (source / "result.json").exists()
    assert checkpoint.read_bytes() == damaged
    if damage == "empty":
        checkpoint.unlink()
        status, _, _ = micrographia("train", *training, "budget.steps=2")
        assert status == 0
        assert Run(source).finished


@pytest.mark.parametrize("name", ["model.json", "config.yaml"])
def test_a_damaged_record_of_a_source_is_named(name, source, mistake):
    (source / name).write_text('{"half": ')
    assert f"{source}/{name}" in mistake(*carry_over(source))


def test_a_damaged_result_is_named(source, mistake, training):
    (source / "result.json").write_text('{"half": ')
    assert f"{source.name}/result.json: cannot be read" in mistake("train", *training, "budget.steps=2")


# Disks


@pytest.mark.parametrize(
    ("size", "failing"), [(100, "config.yaml"), (50_000, "last.ckpt")], ids=["at once", "at the checkpoint"]
)
def test_a_full_disk_keeps_what_is_finished(size, failing, desk, source, mistake, full_disk, training):
    before = files_of(source)
    with full_disk(size):
        answer = mistake("train", *training, "budget.steps=3")
    assert failing in answer
    assert "File too large" in answer
    assert "free space" in answer
    assert files_of(source) == before
    (other,) = runs_in(desk) - {source}
    names = {path.name for path in other.iterdir()} if other.exists() else set()
    assert not {"result.json", "weights.safetensors", "last.ckpt"} & names
    assert not [name for name in names if name.startswith(".")]


def test_weights_that_no_longer_fit_on_the_disk(desk, mistake, full_disk, training, source):
    """The checkpoint is there already: only the weights fail."""
    (source / "result.json").unlink()
    (source / "weights.safetensors").unlink()
    with full_disk(50_000):
        assert "weights.safetensors: cannot be written" in mistake("train", *training, "budget.steps=2")
    assert not (source / "weights.safetensors").exists()
    assert json.loads((source / "model.json").read_text())


@pytest.mark.parametrize("sweep", [(), ("-m",)])
def test_a_read_only_runs_folder_is_named(sweep, desk, mistake, read_only, training):
    with read_only(desk / "runs"):
        answer = mistake("train", *training, *sweep)
    assert "runs" in answer
    assert "how.paths.runs" in answer


def test_an_unwritable_cache_is_named(desk, mistake, read_only, picture_folders):
    picture_folders(cats=10, dogs=10)
    with read_only(desk / "locked"):
        answer = mistake(*CNN, *FOLDER, "how.paths.cache=locked")
    assert "locked" in answer
    assert "how.paths.cache" in answer
