import json
import os

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image

from micrographia.data.datamodule import PARTS
from micrographia.data.image_folder import ImageFolder
from micrographia.data.listing import read_table
from micrographia.data.reading import read_image
from micrographia.data.splitting import in_order
from micrographia.errors import UserError


def make_folder(root, classes=("a", "b"), count=10, shape=(12, 10, 3), dtype=np.uint8, suffix="png"):
    """Class folders of random images; returns the root."""
    generator = np.random.default_rng(0)
    for label in classes:
        (root / label).mkdir(parents=True)
        for number in range(count):
            path = root / label / f"{number:03d}.{suffix}"
            pixels = generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
            if suffix == "tif":
                tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "CYX"})
            else:
                Image.fromarray(pixels).save(path)
    return root


def make_table(root, **columns):
    """A flat folder of images with a table; returns the root."""
    root.mkdir()
    table = pd.DataFrame(columns)
    for number, name in enumerate(table["file"]):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(root / name)
    table.to_csv(root / "labels.csv", index=False)
    return root


def folder(root, **options):
    return ImageFolder("test", str(root), **{"size": 16, **options})


def all_indices(data):
    return torch.cat([data.indices(part) for part in PARTS])


def test_class_folders(tmp_path):
    data = folder(make_folder(tmp_path / "set", classes=("b", "a"), count=25))
    data.setup()
    assert data.classes == ("a", "b")
    assert data.shape == (3, 16, 16)
    assert [len(data.indices(part)) for part in PARTS] == [32, 8, 10]
    assert sorted(all_indices(data).tolist()) == list(range(50))
    train = data.indices("train")
    assert data.images(train).shape == (32, 3, 16, 16)
    assert data.images(train).dtype == torch.uint8
    table = data.table(train)
    assert list(table.index) == train.tolist()
    assert [data.classes[code] for code in data.targets(train)] == table["class"].tolist()
    for part, count in {"train": 16, "val": 4, "test": 5}.items():
        assert data.table(data.indices(part))["class"].value_counts().to_dict() == {"a": count, "b": count}


def test_constructor_reads_nothing(tmp_path):
    folder(tmp_path / "nowhere")


def test_images_are_those_of_their_rows(tmp_path):
    root = make_folder(tmp_path / "set", shape=(16, 16, 3))
    data = folder(root)
    indices = torch.tensor([13, 2])
    for name, image in zip(data.table(indices)["file"], data.images(indices), strict=True):
        assert (image.permute(1, 2, 0).numpy() == np.asarray(Image.open(root / name))).all()


def test_train_loader_gives_floats_and_targets(tmp_path):
    data = folder(make_folder(tmp_path / "set"))
    data.setup("fit")
    data.fit(seed=0, batch_size=4, steps=3, interval=3, labelled=True)
    batches = list(data.train_dataloader())
    assert len(batches) == 3
    assert batches[0]["image"].shape == (4, 3, 16, 16)
    assert set(batches[0]["target"].tolist()) <= {0, 1}


def test_class_folders_win_over_a_table_unless_named(tmp_path):
    root = make_folder(tmp_path / "set")
    names = [f"{label}/{number:03d}.png" for label in "ab" for number in range(10)]
    pd.DataFrame({"file": names, "class": ["even", "odd"] * 10}).to_csv(root / "labels.csv", index=False)
    by_folder, by_table = folder(root), folder(root, table="labels.csv")
    by_folder.setup()
    by_table.setup()
    assert by_folder.classes == ("a", "b")
    assert by_table.classes == ("even", "odd")


def test_a_table_beside_one_folder_of_images_is_proposed(tmp_path):
    root = make_folder(tmp_path / "set", classes=["images"])
    (root / "labels.csv").write_text("file,class\nimages/000.png,a\n")
    fails(r"single class, images.*data\.table=labels\.csv", root)


def test_files_of_a_format_that_is_not_read_are_told(tmp_path, caplog):
    root = make_folder(tmp_path / "set")
    for name in ("a/000.czi", "b/0.webp", "b/1.webp", "readme.txt", "a/.hidden"):
        (root / name).write_text("no image")
    folder(root).setup()
    assert f"{root}: files left out: 2 .webp, 1 .czi." in caplog.text


def test_only_table_of_a_flat_folder_is_used_and_order_of_rows_is_not(tmp_path):
    names = [f"{number}.png" for number in range(40)]
    root = make_table(tmp_path / "set", file=names, time=[5, 10] * 20, well=[f"w{n // 4}" for n in range(40)])
    first = folder(root, label="time", group=["well"])
    first.setup()
    assert first.classes == ("5", "10")
    table = pd.read_csv(root / "labels.csv").sample(frac=1, random_state=0)
    table.to_csv(root / "labels.csv", index=False)
    second = folder(root, label="time", group=["well"])
    for part in PARTS:
        assert second.table(second.indices(part)).equals(first.table(first.indices(part)))
    wells = [set(first.table(first.indices(part))["well"]) for part in PARTS]
    assert sum(map(len, wells)) == len(set.union(*wells)) == 10
    assert list(first.table(torch.tensor([0])).columns) == ["file", "class", "well"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "drawn image by image, train, val and test can share 10 wells, the first P, w0. data.group=[plate,well]"),
        ({"group": ["plate", "well", "site"]}, "drawn by plate + well + site, train, val and test can share 10 wells"),
        ({"group": ["plate", "well"]}, None),
        ({"group": ["half"]}, None),  # holds whole wells
        ({"split": "part"}, None),  # given
        ({"split": "none"}, None),
    ],
)
def test_groups_that_cut_through_wells_are_said_once_where_parts_are_drawn(tmp_path, caplog, options, said):
    numbers = range(40)
    columns = {
        "class": ["x", "y"] * 20,
        "plate": ["P"] * 40,
        "well": [f"w{n // 4}" for n in numbers],
        "site": [n % 4 // 2 for n in numbers],
        "half": [n // 8 for n in numbers],
        "part": [("train", "train", "val", "test")[n // 4 % 4] for n in numbers],
    }
    root = make_table(tmp_path / "set", file=[f"{n:02}.png" for n in numbers], **columns)
    folder(root, **options).setup()
    messages = [record.message for record in caplog.records if "wells" in record.message]
    assert len(messages) == (said is not None)
    assert all(said in message for message in messages)


def test_class_names_stay_as_written(tmp_path):
    root = make_table(tmp_path / "set", file=[f"{n}.png" for n in range(20)], **{"class": ["NA", "01"] * 10})
    data = folder(root)
    data.setup()
    assert data.classes == ("01", "NA")


def test_given_values_make_the_test_part_and_groups_the_validation(tmp_path):
    names = [f"{number:02d}.png" for number in range(60)]
    root = make_table(
        tmp_path / "set",
        file=names,
        moa=["x", "y"] * 30,
        plate=["p1"] * 40 + ["p2"] * 20,
        field=[number // 4 for number in range(60)],
    )
    data = folder(root, label="moa", split="plate", test=["p2"], group=["field"])
    assert set(data.table(data.indices("test"))["plate"]) == {"p2"}
    train, val = (data.table(data.indices(part)) for part in ("train", "val"))
    assert set(train["plate"]) == set(val["plate"]) == {"p1"}
    assert not set(train["field"]) & set(val["field"])
    assert len(val) == 8


def test_part_folders(tmp_path):
    make_folder(tmp_path / "set" / "train_annotated", count=10)
    make_folder(tmp_path / "set" / "TEST_IMAGE", count=3)
    data = folder(tmp_path / "set", split="folders")
    assert [len(data.indices(part)) for part in PARTS] == [16, 4, 6]
    assert data.table(data.indices("test"))["file"].str.startswith("TEST_IMAGE/").all()
    with pytest.raises(UserError, match=r"data\.split=folders"):
        folder(tmp_path / "set").setup()


def test_folder_inside_the_class_folder_can_be_the_group(tmp_path):
    for label in "ab":
        for plate in range(6):
            make_folder(tmp_path / "set" / label, classes=[f"plate{plate}"], count=2)
    data = folder(tmp_path / "set", group=["folder"])
    data.setup()
    plates = [set(data.table(data.indices(part))["folder"]) for part in PARTS]
    assert sum(map(len, plates)) == 6


def test_include_keeps_only_some_classes(tmp_path):
    root = make_folder(tmp_path / "set", classes=("a", "b", "c"))
    data = folder(root, include=["c", "a"])
    data.setup()
    assert data.classes == ("a", "c")
    assert len(all_indices(data)) == 20


# Pixels


def test_deep_images_are_float16_in_unit_range(tmp_path):
    root = make_folder(tmp_path / "set", shape=(2, 12, 10), dtype=np.uint16, suffix="tif")
    data = folder(root)
    images = data.images(all_indices(data))
    assert images.dtype == torch.float16
    assert images.min() == 0
    assert images.max() <= 1
    assert (images[:, 2] == 0).all()
    assert data.record()["channels"] == "0, 1, zero"
    assert "of the training part" in data.record()["intensity"]


def test_given_limits_become_0_and_1(tmp_path):
    root = make_folder(tmp_path / "set", shape=(2, 16, 16), dtype=np.uint16, suffix="tif")
    data = folder(root, limits=[[100, 300], [0, 1000]], model_channels=2)
    file = root / data.table(torch.tensor([0]))["file"].item()
    counts = read_image(file)[1].astype(float)
    expected = np.stack([(counts[0] - 100) / 200, counts[1] / 1000]).clip(0, 1)
    np.testing.assert_allclose(data.images(torch.tensor([0]))[0].float(), expected, atol=1e-3)
    assert data.record()["limits"] == [[100.0, 300.0], [0.0, 1000.0]]
    values, _ = data.restored(0, np.full((2, 16, 16), 0.5))
    assert values[:, 0, 0].tolist() == [200, 500]


def test_inverting_leaves_the_missing_channel_zero(tmp_path):
    root = make_folder(tmp_path / "set", shape=(2, 12, 10), suffix="tif")
    plain, inverted = folder(root, fit="resize"), folder(root, fit="resize", invert=True)
    indices = all_indices(plain)
    assert (inverted.images(indices)[:, 2] == 0).all()
    total = plain.images(indices)[:, :2].int() + inverted.images(indices)[:, :2].int()
    assert (total - 255).abs().max() <= 2  # the resize rounds twice


def test_more_than_three_channels_ask(tmp_path):
    root = make_folder(tmp_path / "set", shape=(5, 12, 10), dtype=np.uint16, suffix="tif")
    with pytest.raises(UserError, match=r"data\.channels: the images have 5 channels"):
        folder(root).setup()
    assert folder(root, channels=[4, "0"]).record()["channels"] == "4, 0, zero"


@pytest.mark.parametrize("intensity", ["percentile", "image", "dtype"])
def test_nothing_is_fitted_on_validation_or_test(tmp_path, intensity):
    """Other pixels and sizes outside the training part leave every training item as it was."""
    root = make_folder(tmp_path / "set", count=12, shape=(2, 12, 10), dtype=np.uint16, suffix="tif")
    before = folder(root, intensity=intensity)
    train = before.images(before.indices("train")).clone()
    others = torch.cat([before.indices("val"), before.indices("test")])
    for name in before.table(others)["file"]:
        pixels = np.full((2, 70, 90), 65535, np.uint16)
        tifffile.imwrite(root / name, pixels, photometric="minisblack", metadata={"axes": "CYX"})
    after = folder(root, intensity=intensity)
    assert torch.equal(after.indices("train"), before.indices("train"))
    assert torch.equal(after.images(after.indices("train")), train)
    assert after.record()["limits"] == before.record()["limits"]
    assert after.record()["side"] == before.record()["side"] == 12


def test_grey_and_colour_may_be_mixed(tmp_path):
    root = make_folder(tmp_path / "set")
    Image.fromarray(np.full((12, 10), 99, np.uint8)).save(root / "a" / "000.png")
    data = folder(root)
    assert data.images(torch.tensor([0]))[0, :, 8, 8].tolist() == [99] * 3
    assert data.record()["channels"] == "grey, grey, grey; red, green, blue"


def test_mixed_depths_and_channels_are_errors_naming_files(tmp_path):
    root = make_folder(tmp_path / "depth")
    Image.fromarray(np.full((12, 10), 99, np.uint16)).save(root / "a" / "000.png")
    with pytest.raises(UserError, match=r"\.png: its pixels are .*Save all images with one type"):
        folder(root).setup()
    root = make_folder(tmp_path / "channels", shape=(2, 12, 10), suffix="tif")
    tifffile.imwrite(root / "a" / "000.tif", np.zeros((12, 10), np.uint8))
    with pytest.raises(UserError, match=r"has 2 channels, .*000\.tif has 1"):
        folder(root).setup()


def test_float_images_beyond_one_need_percentiles(tmp_path):
    root = make_folder(tmp_path / "set")
    for path in root.rglob("*.png"):
        path.unlink()
        tifffile.imwrite(path.with_suffix(".tif"), np.full((4, 4), 7, np.float32))
    with pytest.raises(UserError, match=r"\.tif: holds values from 7 to 7, beyond 0..1"):
        folder(root, intensity="dtype").setup()
    folder(root).setup()


# Cache


def test_cache_gives_the_same_and_reads_no_image(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "set", shape=(3, 12, 10), dtype=np.uint16, suffix="tif")
    plain = folder(root)
    indices = all_indices(plain)
    cache = str(tmp_path / "cached")
    first = folder(root, cache=cache)
    assert torch.equal(first.images(indices), plain.images(indices))
    monkeypatch.setattr("micrographia.data.decoding.read_image", None)
    monkeypatch.setattr("micrographia.data.decoding.read_header", None)
    second = folder(root, cache=cache)
    assert torch.equal(second.images(indices), plain.images(indices))
    assert second.record() == first.record() == plain.record()


def test_changed_file_or_setting_makes_another_entry(tmp_path):
    root = make_folder(tmp_path / "set")
    cache = tmp_path / "cached"

    def entries(**options):
        data = folder(root, cache=str(cache), **options)
        data.setup()
        return data, len(list(cache.glob("*.npy")))

    assert [entries()[1], entries()[1], entries(invert=True)[1], entries(split_seed=1)[1]] == [1, 1, 2, 3]
    path = root / "a" / "000.png"
    Image.fromarray(np.zeros((12, 10, 3), np.uint8)).save(path)
    os.utime(path, ns=(1, 1))
    data, count = entries()
    assert count == 4
    assert data.images(torch.tensor([0])).max() == 0


def test_damaged_or_unfinished_entry_is_made_anew(tmp_path):
    root = make_folder(tmp_path / "set")
    cache = tmp_path / "cached"
    whole = folder(root, cache=str(cache))
    indices = all_indices(whole)
    images = whole.images(indices).clone()
    array = next(cache.glob("*.npy"))
    array.write_bytes(array.read_bytes()[:300])
    assert torch.equal(folder(root, cache=str(cache)).images(indices), images)
    next(cache.glob("*.json")).unlink()
    assert torch.equal(folder(root, cache=str(cache)).images(indices), images)


def test_failing_image_leaves_no_entry(tmp_path):
    root = make_folder(tmp_path / "set")
    path = root / "b" / "009.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"009\.png"):
        folder(root, cache=str(tmp_path / "cached")).setup()
    assert list((tmp_path / "cached").iterdir()) == []


def test_full_disk_is_a_clear_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.lib.format.write_array_header_1_0", full)
    with pytest.raises(UserError, match=r"cached: decoded images cannot be written \(No space left"):
        folder(make_folder(tmp_path / "set"), cache=str(tmp_path / "cached")).setup()


def test_progress_counts_to_the_end(tmp_path):
    heard = []
    folder(make_folder(tmp_path / "set"), progress=lambda done, total: heard.append((done, total))).setup()
    assert heard[-1] == (20, 20)
    assert heard == sorted(heard)


# Bad input


def fails(match, root, **options):
    with pytest.raises(UserError, match=match) as error:
        folder(root, **options).setup()
    assert len(str(error.value).splitlines()) <= 2


def test_folders_without_images(tmp_path):
    fails(r"nowhere is no folder", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    fails(r"empty holds no images", tmp_path / "empty")
    root = make_folder(tmp_path / "set")
    (root / "c").mkdir()
    (root / "c" / "notes.txt").write_text("none")
    fails(r"set/c: class folder without an image", root)


def test_single_class(tmp_path):
    fails(r"single class, a\b", make_folder(tmp_path / "set", classes=["a"]))
    data = folder(tmp_path / "set", label=None)
    assert data.classes == ()
    assert "class" not in data.table(data.indices("train"))


def test_loose_images_have_no_classes(tmp_path):
    root = make_folder(tmp_path / "set", classes=["a"]) / "a"
    data = folder(root)
    counts = [len(data.indices(part)) for part in PARTS]
    assert min(counts) > 0
    assert sum(counts) == len(list(root.iterdir()))
    with pytest.raises(UserError, match="needs a data set with labels"):
        data.targets(data.indices("test"))


def test_no_split_leaves_all_images_in_train(tmp_path):
    root = make_folder(tmp_path / "set", classes=["a"], count=1) / "a"
    data = folder(root, split="none")
    assert [len(data.indices(part)) for part in PARTS] == [1, 0, 0]


def test_class_with_too_few_images(tmp_path):
    root = make_folder(tmp_path / "set")
    make_folder(root, classes=["rare"], count=2)
    fails(r"class rare has no image in the train part", root)


def test_class_in_too_few_groups(tmp_path):
    names = [f"{number:02d}.png" for number in range(24)]
    smears = [f"s{number % 8}" for number in range(20)] + ["s8"] * 4
    root = make_table(tmp_path / "set", file=names, **{"class": ["a", "b"] * 10 + ["c"] * 4}, smear=smears)
    fails(r"class c has no image in the .* part when split by smear", root, group=["smear"])


def test_corrupt_and_empty_images(tmp_path):
    root = make_folder(tmp_path / "set")
    (root / "a" / "003.png").write_bytes(b"")
    fails(r"a/003\.png: is empty", root)
    (root / "a" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n rubbish")
    fails(r"a/003\.png: cannot be read", root)


def test_faulty_tables(tmp_path):
    names = [f"{number:02d}.png" for number in range(20)]
    root = make_table(tmp_path / "set", file=names, **{"class": ["a", "b"] * 10})
    good = pd.read_csv(root / "labels.csv")
    fails(r"data\.label: .*labels\.csv has no column kind. It has file, class", root, label="kind")
    fails(r"data\.file: .*has no column image", root, file="image")
    fails(r"data\.group: .*has no column plate. It has file, class", root, group=["plate"])
    fails(r"data\.split: .*has no column fold", root, split="fold")
    fails(r"data\.table: other\.csv does not exist", root, table="other.csv")
    fails(r"data\.split=folders: a table has no part folders", root, split="folders")
    fails(r"data\.include: no class c", root, include=["c"])
    fails(r"data\.include: a single class, a, is left", root, include=["a"])
    fails(r"data\.size=0: expected a side", root, size=0)

    def table(rows):
        rows.to_csv(root / "labels.csv", index=False)

    table(pd.concat([good, pd.DataFrame({"file": ["x.png", "y.png"], "class": "a"})]))
    fails(r"labels\.csv: 2 of 22 files do not exist below .*, the first x\.png", root)
    table(pd.concat([good, pd.DataFrame({"file": ["../elsewhere/3.png"], "class": "a"})]))
    fails(r"labels\.csv: 1 of 21 files lie outside .*, the first \.\./elsewhere/3\.png", root)
    table(pd.concat([good, good.iloc[:1]]))
    fails(r"names 00\.png twice \(row 22\)", root)
    table(good.assign(**{"class": ["", *good["class"][1:]]}))
    fails(r"row 2 has no class", root)
    table(good.iloc[:0])
    fails(r"names no images", root)
    (root / "labels.csv").write_bytes(b"")
    fails(r"cannot be read as a table", root)
    (root / "labels.csv").write_bytes(b"\xff\xfe\x00\x81")
    fails(r"cannot be read as a table", root)
    table(good)
    good.to_csv(root / "second.csv", index=False)
    fails(r"several tables \(labels\.csv, second\.csv\)", root)


def test_a_file_that_is_named_twice_in_two_ways_is_refused(tmp_path):
    root = make_table(tmp_path / "set", file=[f"{n}.png" for n in range(8)], **{"class": ["a", "b"] * 4})
    table = pd.read_csv(root / "labels.csv")
    pd.concat([table, table.iloc[:1].assign(file="./0.png")]).to_csv(root / "labels.csv", index=False)
    fails(r"names 0\.png twice", root)


def test_groups_are_told_apart_by_what_is_written(tmp_path):
    """Spaces around a name, and empty cells that make numbers of a column fractions, change no group and no part."""
    names = [f"{number:02d}.png" for number in range(24)]
    plates = ["P1", " P1", "P2", "P2 ", "P3", "P4"] * 4
    root = make_table(tmp_path / "set", file=names, **{"class": ["a"] * 12 + ["b"] * 12}, plate=plates)
    data = folder(root, split="plate", test=["P2"])
    assert len(data.indices("test")) == 8
    assert set(data.table(data.indices("test"))["plate"]) == {"P2"}
    numbered = [1, 2, None, 2, 1, 3] * 4
    root = make_table(tmp_path / "numbers", file=names, **{"class": ["a"] * 12 + ["b"] * 12}, plate=numbered)
    assert len(folder(root, split="plate", test=["2"]).indices("test")) == 8


def test_one_plate_is_one_group_in_a_long_table(tmp_path, monkeypatch):
    """Read in parts, a column would hold the plate 0 as a number here and as a text there."""
    rows = pd.DataFrame({"file": [f"{n}.png" for n in range(20_000)], "class": "a", "plate": np.arange(20_000) % 4})
    rows["plate"] = rows["plate"].astype(object).where(rows.index < 19_000, "A")
    rows = rows.join(pd.DataFrame(0, index=rows.index, columns=[f"c{n}" for n in range(60)]))
    rows.to_csv(tmp_path / "labels.csv", index=False)
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: True)
    read = read_table(tmp_path, tmp_path / "labels.csv", "file", "class")
    assert set(read["plate"]) == {"0", "1", "2", "3", "A"}


@pytest.mark.parametrize("with_table", [True, False])
def test_folders_named_for_parts_are_no_classes(tmp_path, with_table):
    root = make_folder(tmp_path / "set", classes=("train", "test"))
    if with_table:
        (root / "labels.csv").write_text("file,class\ntrain/000.png,a\n")
    answer = r"data\.table=labels\.csv reads the classes" if with_table else "give each a folder for every class"
    fails(rf"the folders test, train .* are named for parts, not for classes: {answer}", root)


def test_a_part_folder_without_class_folders_is_named(tmp_path):
    root = tmp_path / "set"
    make_folder(root / "train")
    make_folder(root, classes=["test"])
    fails(r"set/test has no class folders", root, split="folders")
    fails(r"use their split with data\.split=folders", root)


def test_channels_in_another_order_are_told(tmp_path):
    root = make_folder(tmp_path / "set", shape=(2, 12, 10), suffix="tif")
    for path in root.rglob("*.tif"):
        names = ["DAPI", "actin"] if int(path.stem) % 2 else ["actin", "DAPI"]
        pixels = np.stack([np.full((12, 10), 200 if name == "DAPI" else 50, np.uint8) for name in names])
        path.unlink()
        tifffile.imwrite(path.with_suffix(".ome.tif"), pixels, metadata={"axes": "CYX", "Channel": {"Name": names}})
    fails(r"its channels are .*Choose them by name, as data\.channels=\[", root)
    data = folder(root, channels=["DAPI", "actin"])
    assert set(data.images(all_indices(data))[:, 0].flatten().tolist()) == {200}


def test_images_that_lose_their_scale_are_counted(tmp_path):
    root = make_folder(tmp_path / "set", shape=(12, 10))
    Image.fromarray(np.zeros((40, 30), np.uint8)).save(root / "a" / "000.png")
    assert "(1 larger ones shrunk to it)" in folder(root, pad_quantile=0.5).record()["size"]
    assert "shrunk" not in folder(root, fit="resize").record()["size"]


def test_classes_have_one_order_whatever_they_are_called():
    assert in_order({"10", "nan", "30", "20"}) == ("10", "20", "30", "nan")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", None),
        ("test_fraction", 0.0),
        ("val_fraction", 1.0),
        ("pad_quantile", 0.0),
        ("percentiles", [99, 1]),
        ("limits", [[5, 4]]),
        ("limits", [[0, 1], [0, 1]]),
        ("limits", [[0, 1, 2]]),
        ("test", ["p2"]),
    ],
)
def test_impossible_settings_name_their_key(tmp_path, key, value):
    with pytest.raises(UserError, match=rf"data\.{key}"):
        folder(tmp_path, **{key: value})


def test_balanced_sampling_draws_classes_alike(tmp_path):
    root = make_folder(tmp_path / "set", classes=("many",), count=60)
    make_folder(root, classes=("few",), count=10)
    for sampling, least in (("uniform", 0), ("balanced", 20)):
        data = folder(root, sampling=sampling)
        loader = data.fit(0, 10, 5, interval=5, labelled=True).train_dataloader()
        targets = torch.cat([batch["target"] for batch in loader])
        train = data.indices("train")
        assert len(targets) == 50
        counts = targets.bincount(minlength=2)
        assert counts.min() >= least
        assert set(torch.cat([data.draw_indices(10, 0, step) for step in range(5)]).tolist()) <= set(train.tolist())
    with pytest.raises(UserError, match=r"data\.sampling=balanced: the images have no classes\. Set it to uniform"):
        folder(root, sampling="balanced", label=None).arrange()


def plates_of_three(root, bright=(1, 3)):
    """Two plates of 16-bit images, the second one brighter: controls of even grey, drugs of twice as much."""
    root.mkdir()
    rows = []
    for plate, factor in zip(("p1", "p2"), bright, strict=True):
        generator = np.random.default_rng(0)
        for kind, level in (("DMSO", 1000), ("drug", 2000)):
            for number in range(8):
                name = f"{plate}_{kind}_{number}.tif"
                pixels = factor * generator.integers(level // 2, level, (1, 16, 16))
                tifffile.imwrite(root / name, pixels.astype(np.uint16), photometric="minisblack")
                rows.append({"file": name, "class": kind, "plate": plate})
    pd.DataFrame(rows).to_csv(root / "labels.csv", index=False)
    return root


def test_zscore_spans_deviations_around_the_mean_of_the_training_part(tmp_path):
    data = folder(plates_of_three(tmp_path / "set"), intensity="zscore", deviations=2.0, model_channels=1)
    train = data.indices("train")
    files = [data.root / name for name in data.table(train)["file"]]
    pixels = np.stack([read_image(file)[1] for file in files]).astype(float)
    low, high = pixels.mean() - 2 * pixels.std(), pixels.mean() + 2 * pixels.std()
    np.testing.assert_allclose(data.record()["limits"], [[low, high]], rtol=1e-5)
    expected = ((pixels - low) / (high - low)).clip(0, 1)
    np.testing.assert_allclose(data.images(train).float(), expected, atol=1e-3)
    assert data.record()["intensity"].startswith("mean +- 2 deviations of the training part: ")


@pytest.mark.parametrize("intensity", ["percentile", "zscore"])
@pytest.mark.parametrize("cached", [True, False])
def test_each_plate_can_be_scaled_by_its_own_controls(tmp_path, intensity, cached):
    root = plates_of_three(tmp_path / "set")
    cache = str(tmp_path / "cache") if cached else None
    options = {"intensity": intensity, "model_channels": 1, "cache": cache}
    data = folder(root, plate=["plate"], control="DMSO", **options)
    table = data.arrange()
    images = data.images(torch.arange(len(table))).float().mean((1, 2, 3)).numpy()
    means = {key: images[rows].mean() for key, rows in table.groupby(["plate", "class"]).indices.items()}
    assert means["p1", "DMSO"] == pytest.approx(means["p2", "DMSO"], abs=0.02)
    assert means["p1", "drug"] > means["p1", "DMSO"] + 0.2
    limits = data.record()["limits_of_plates"]
    assert np.array(limits["p2"])[0, 1] == pytest.approx(3 * np.array(limits["p1"])[0, 1], rel=0.02)
    together = folder(root, **options).images(torch.arange(len(table))).float().mean((1, 2, 3)).numpy()
    brighter = (table["plate"] == "p2").to_numpy()
    assert together[brighter].mean() > together[~brighter].mean() + 0.2
    row = int(np.flatnonzero(table["plate"] == "p2")[0])
    values, _ = data.restored(row, np.full((1, 16, 16), 1.0))
    assert values[0, 0, 0] == round(limits["p2"][0][1])


def test_what_no_plate_can_be_scaled_by_is_said(tmp_path):
    root = plates_of_three(tmp_path / "set")
    with pytest.raises(UserError, match=r"data\.plate: no column slide\. There are file, class, plate"):
        folder(root, plate=["slide"], model_channels=1).setup()
    table = pd.read_csv(root / "labels.csv")
    table.assign(day=[None, *["mon"] * (len(table) - 1)]).to_csv(root / "days.csv", index=False)
    with pytest.raises(UserError, match=r"data\.plate: p1_DMSO_0\.tif has no day"):
        folder(root, table="days.csv", plate=["day"], model_channels=1).setup()
    (root / "days.csv").unlink()
    with pytest.raises(UserError, match=r"data\.control: no class water"):
        folder(root, plate=["plate"], control="water", model_channels=1).setup()
    with pytest.raises(UserError, match=r"data\.plate: there are no limits to fit"):
        folder(root, plate=["plate"], intensity="dtype", model_channels=1).setup()
    with pytest.raises(UserError, match=r"data\.control: there are no limits to fit"):
        folder(root, control="DMSO", limits=[[0, 9]], model_channels=1).setup()
    flat = make_table(tmp_path / "flat", file=[f"{n}.png" for n in range(20)], **{"class": ["x", "y"] * 10})
    with pytest.raises(UserError, match=r"data\.intensity: by dtype, as of 8 bit"):
        folder(flat, control="x", model_channels=1).setup()


def test_only_the_controls_of_the_training_part_give_limits_where_no_plates_are_named(tmp_path):
    root = plates_of_three(tmp_path / "set")
    data = folder(root, control="DMSO", model_channels=1, percentiles=[0, 100])
    table = data.arrange()
    chosen = (data.parts == "train") & (table["class"] == "DMSO").to_numpy()
    highest = max(read_image(root / name)[1].max() for name in table["file"][chosen])
    assert data.record()["limits"][0][1] == highest


@pytest.mark.parametrize("cached", [True, False])
def test_damaged_images_stop_or_are_skipped_and_counted(tmp_path, caplog, cached):
    root = make_folder(tmp_path / "set", count=20)
    whole = folder(root)
    parts = dict(zip(whole.arrange()["file"], whole.parts, strict=True))
    content = (root / "a/003.png").read_bytes()
    (root / "a/003.png").write_bytes(content[:-100])
    (root / "b/004.png").write_bytes(b"")
    (root / "b/005.png").unlink()
    (root / "b/005.png").symlink_to("005.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(root / "b/006.png")  # 16 bit
    cache = str(tmp_path / "cache") if cached else None
    with pytest.raises(UserError, match=r"b/004\.png: is empty"):
        folder(root, cache=cache).setup()
    data = folder(root, on_error="skip", cache=cache)
    data.setup()
    assert "4 of 40 images left out (data.on_error=skip)" in caplog.text
    assert set(data.record()["left_out"]) == {"a/003.png", "b/004.png", "b/005.png", "b/006.png"}
    assert len(data.images(all_indices(data))) == 36
    kept = dict(zip(data.arrange()["file"], data.parts, strict=True))
    assert kept == {name: part for name, part in parts.items() if name not in data.faults}
    again = folder(root, on_error="skip", cache=cache)
    again.setup()
    assert torch.equal(again.images(all_indices(again)), data.images(all_indices(data)))
    assert again.faults == data.faults


def test_a_table_may_name_files_that_are_gone_if_they_are_skipped(tmp_path):
    names = [f"{n}.png" for n in range(20)]
    root = make_table(tmp_path / "set", file=names, **{"class": ["x", "y"] * 10})
    (root / "7.png").unlink()
    with pytest.raises(UserError, match=r"1 of 20 files do not exist"):
        folder(root, model_channels=1).setup()
    data = folder(root, model_channels=1, on_error="skip")
    data.setup()
    assert data.faults == {"7.png": "no such file."}
    for name in names:
        (root / name).write_bytes(b"gone")
    with pytest.raises(UserError, match=r"no image of .* can be read"):
        folder(root, model_channels=1, on_error="skip").setup()


def test_dropped_transparency_is_said_once(tmp_path, caplog):
    caplog.set_level("INFO", "micrographia")
    folder(make_folder(tmp_path / "clear", shape=(12, 10, 4))).setup()
    folder(make_folder(tmp_path / "opaque")).setup()
    said = [record.message for record in caplog.records if "alpha" in record.message]
    assert said == ["20 of 20 images have an alpha channel (transparency), which is dropped"]


def test_a_cache_is_not_reused_when_an_image_moves_to_another_plate(tmp_path):
    root = plates_of_three(tmp_path / "set")
    options = {"plate": ["plate"], "control": "DMSO", "model_channels": 1, "cache": str(tmp_path / "cache")}
    options |= {"intensity": "zscore", "deviations": 10.0}  # wide enough that nothing is clipped
    before = folder(root, **options)
    before.setup()
    table = pd.read_csv(root / "labels.csv")
    moved = table["file"] == "p2_drug_0.tif"
    table.loc[moved, "plate"] = "p1"
    table.to_csv(root / "labels.csv", index=False)
    row = before.arrange()["file"].tolist().index("p2_drug_0.tif")
    after, fresh = folder(root, **options), folder(root, **{**options, "cache": None})
    assert torch.equal(after.images(torch.tensor([row])), fresh.images(torch.tensor([row])))
    assert not torch.equal(after.images(torch.tensor([row])), before.images(torch.tensor([row])))


def test_one_of_several_groups_of_a_class_can_be_the_test_part(tmp_path, caplog):
    """As one compound of a mechanism, whose other compounds are learned from."""
    names = [f"{number}.png" for number in range(40)]
    drugs = ["taxol", "epothilone", "emetine", "cycloheximide"] * 10
    moa = ["stabilizer", "stabilizer", "synthesis", "synthesis"] * 10
    root = make_table(tmp_path / "set", file=names, **{"class": moa, "compound": drugs})
    data = folder(root, split="compound", test=["taxol"], model_channels=1)
    data.setup()
    assert "the test part (data.test) has no image of class synthesis" in caplog.text
    assert set(data.table(data.indices("test"))["compound"]) == {"taxol"}
    assert set(data.table(data.indices("train"))["class"]) == {"stabilizer", "synthesis"}
    assert not data.table(data.indices("train"))["compound"].isin(["taxol"]).any()
    with pytest.raises(UserError, match=r"class stabilizer has no image in the train part"):
        folder(root, split="compound", test=["taxol", "epothilone"], model_channels=1).arrange()


def test_a_file_that_can_be_read_again_is_no_longer_left_out(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "set")
    cache = str(tmp_path / "cache")
    away = {root / "a/001.png"}

    def reading(path, nan=False):
        if path in away:
            raise UserError(f"{path}: cannot be read as an image (Input/output error).")
        return read_image(path, nan)

    monkeypatch.setattr("micrographia.data.faults.read_image", reading)
    first = folder(root, on_error="skip", cache=cache)
    first.setup()
    assert set(first.faults) == {"a/001.png"}
    away.clear()
    again = folder(root, on_error="skip", cache=cache)
    again.setup()
    assert not again.faults
    assert len(all_indices(again)) == 20


@pytest.mark.parametrize("cached", [True, False])
def test_a_file_that_is_lost_after_it_was_looked_at_stops_or_is_left_out(tmp_path, caplog, cached):
    root = make_folder(tmp_path / "set")
    content = (root / "a/003.png").read_bytes()
    options = {"cache": str(tmp_path / "cache")} if cached else {}
    stopped = folder(root, **options)
    skipping = folder(root, on_error="skip", **options)
    parts = dict(zip(stopped.arrange()["file"], stopped.parts, strict=True))
    assert len(skipping.arrange()) == len(skipping.headers) == 20
    (root / "a/003.png").unlink()
    with pytest.raises(UserError, match=r"a/003\.png: no such file"):
        stopped.setup()
    skipping.setup()
    assert "1 of 20 images left out (data.on_error=skip), the first a/003.png: no such file" in caplog.text
    assert set(skipping.record()["left_out"]) == {"a/003.png"}
    assert len(skipping.images(all_indices(skipping))) == len(skipping.codes) == len(skipping.headers) == 19
    del parts["a/003.png"]
    assert dict(zip(skipping.arrange()["file"], skipping.parts, strict=True)) == parts
    (root / "a/003.png").write_bytes(content)
    again = folder(root, on_error="skip", **options)
    again.setup()
    assert not again.faults


def test_a_mistake_that_no_file_makes_is_said_at_once_where_files_are_skipped(tmp_path):
    root = make_folder(tmp_path / "set", shape=(5, 12, 10), dtype=np.uint16, suffix="tif")
    looked = []
    data = folder(root, on_error="skip", progress=lambda done, of: looked.append((done, of)))
    with pytest.raises(UserError, match=r"data\.channels: the images have 5 channels"):
        data.setup()
    assert looked == [(20, 20)]


def test_a_class_of_which_nothing_can_be_read_is_refused(tmp_path):
    root = make_folder(tmp_path / "set", classes=("a", "b", "c"))
    for path in (root / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"no image of class b can be read"):
        folder(root, on_error="skip").setup()


def test_grey_beside_colour_stays_when_something_else_is_left_out(tmp_path):
    root = make_folder(tmp_path / "set", count=8)
    for number in range(8):
        Image.fromarray(np.full((12, 10), 9, np.uint8)).save(root / "a" / f"grey{number}.png")
    tifffile.imwrite(root / "a" / "five.tif", np.zeros((5, 12, 10), np.uint8), photometric="minisblack")
    data = folder(root, on_error="skip")
    data.setup()
    assert set(data.faults) == {"a/five.tif"}


def test_names_too_long_to_be_files_are_missing_ones(tmp_path):
    root = make_table(tmp_path / "set", file=[f"{n}.png" for n in range(20)], **{"class": ["x", "y"] * 10})
    table = pd.read_csv(root / "labels.csv")
    table.loc[len(table)] = ["n" * 300 + ".png", "x"]
    table.to_csv(root / "labels.csv", index=False)
    with pytest.raises(UserError, match=r"1 of 21 files do not exist"):
        folder(root, model_channels=1).setup()
    data = folder(root, model_channels=1, on_error="skip", cache=str(tmp_path / "cache"))
    data.setup()
    assert len(data.faults) == 1


@pytest.mark.parametrize("intensity", ["percentile", "zscore", "dtype", "image"])
@pytest.mark.parametrize("cached", [True, False])
def test_new_images_are_read_as_those_that_were_learned_from(tmp_path, intensity, cached):
    """Other images beside them, and other sides, change nothing of what was fitted before."""
    learned = folder(
        make_folder(tmp_path / "learned", shape=(2, 12, 10), dtype=np.uint16, suffix="tif"), intensity=intensity
    )
    learned.setup()
    root = make_folder(tmp_path / "new", shape=(2, 20, 30), dtype=np.uint16, suffix="tif")
    for kind in ("a", "b"):
        for path in (tmp_path / "learned" / kind).iterdir():
            (root / kind / f"again_{path.name}").write_bytes(path.read_bytes())
    options = {"intensity": intensity, "cache": str(tmp_path / "cache") if cached else None}
    new = folder(root, fitted=learned.record(), **options)
    names = new.arrange()["file"].tolist()
    rows = [names.index(name.replace("/", "/again_")) for name in learned.arrange()["file"]]
    assert torch.equal(new.images(torch.tensor(rows)), learned.images(torch.arange(len(rows))))
    assert {key: new.record()[key] for key in ("limits", "side", "rule")} == {
        key: learned.record()[key] for key in ("limits", "side", "rule")
    }
    own = folder(root, **options)
    assert not torch.equal(own.images(torch.tensor(rows)), learned.images(torch.arange(len(rows))))


@pytest.mark.parametrize(
    "settings",
    [
        {"intensity": "dtype"},
        {"limits": [[100, 3000]]},
        {"intensity": "percentile", "percentiles": (5, 80)},
        {"intensity": "zscore", "deviations": 1.5},
        {"intensity": "image", "percentiles": (5, 80)},
        {"intensity": "image", "percentiles": (5, 80), "channels": [1], "invert": True},
        {"invert": True, "background": "zero"},
        {"invert": True, "channels": [2, 0], "pad_quantile": 0.5},
        {"fit": "resize", "control": "a"},
    ],
)
@pytest.mark.parametrize("deep", [True, False])
def test_a_record_alone_repeats_how_images_were_read(tmp_path, settings, deep):
    if settings.get("control") and not deep:
        settings = {**settings, "intensity": "percentile"}
    kind = {"dtype": np.uint16 if deep else np.uint8, "suffix": "tif"}
    learned = folder(make_folder(tmp_path / "learned", shape=(3, 12, 10), **kind), **settings)
    record = json.loads(json.dumps(learned.record()))  # as a run keeps it
    new = make_folder(tmp_path / "new", classes=("c", "d"), shape=(3, 9, 14), **kind)
    alone = folder(new, fitted=record)
    read = np.stack([image.numpy() for image in alone.images(torch.arange(20))])
    # The settings themselves, on the second folder's files, with what the first one's conversion has fitted.
    paths = [learned.root / name for name in learned.arrange()["file"]]
    sources, plates = learned.scaled_by(learned.arrange(), paths)
    conversion = learned.recipe.prepare(paths, learned.parts == "train", sources, plates)
    expected = np.stack([conversion(new / name) for name in alone.arrange()["file"]])
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected)
    for key in set(record) - {"images", "classes", "size"}:
        assert alone.record()[key] == record[key], key
    item = np.random.default_rng(0).random((3, 16, 16))
    first = learned.root / learned.arrange()["file"].iloc[0]
    (new / alone.arrange()["file"].iloc[0]).write_bytes(first.read_bytes())
    np.testing.assert_array_equal(alone.restored(0, item)[0], learned.restored(0, item)[0])


def test_a_record_of_a_former_version_and_channels_of_ones_own_are_taken(tmp_path):
    learned = folder(
        make_folder(tmp_path / "learned", shape=(5, 12, 10), dtype=np.uint16, suffix="tif"), channels=[3, 1]
    )
    record = learned.record()
    assert record["chosen"] == [3, 1]
    own = folder(learned.root, channels=[1, 3], fitted=record)
    everything = torch.arange(20)
    limits = [record["limits"][1], record["limits"][0], *record["limits"][2:]]
    swapped = folder(learned.root, channels=[1, 3], fitted={**record, "limits": limits})
    assert torch.equal(swapped.images(everything)[:, [1, 0]], learned.images(everything)[:, [0, 1]])
    assert own.record()["chosen"] == [1, 3]
    kept = ("dtype", "rule", "limits", "side")
    former = folder(learned.root, channels=[3, 1], fitted={key: record[key] for key in kept})
    assert torch.equal(former.images(everything), learned.images(everything))


def test_what_was_fitted_to_images_of_another_kind_is_refused(tmp_path):
    deep = folder(make_folder(tmp_path / "deep", shape=(2, 12, 10), dtype=np.uint16, suffix="tif"))
    flat = make_folder(tmp_path / "flat")
    with pytest.raises(UserError, match=r"images of 8 bit, learned from were more than 8 bit"):
        folder(flat, fitted=deep.record()).setup()
    plates = folder(plates_of_three(tmp_path / "plates"), plate=["plate"], model_channels=1)
    with pytest.raises(UserError, match=r"data\.plate: learned from were plates that were scaled each by itself"):
        folder(tmp_path / "deep", fitted=plates.record()).setup()


def test_names_that_are_no_text_stop_or_are_left_out_and_counted(tmp_path, caplog):
    root = make_folder(tmp_path / "set")
    (root / "a" / "003.png").rename(os.fsdecode(os.fsencode(root / "a") + b"/n\xff.png"))
    with pytest.raises(UserError, match=r"its name is no text \(UTF-8\), and 1 in all\. Rename the file"):
        folder(root).setup()
    data = folder(root, on_error="skip")
    data.setup()
    assert len(all_indices(data)) == 19
    assert "its name is no text (UTF-8), and 1 in all left out" in caplog.text
