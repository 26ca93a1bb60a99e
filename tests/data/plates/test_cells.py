import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from micrographia.config import instantiate
from micrographia.data.datamodule import PARTS
from micrographia.data.image_folder import ImageFolder
from micrographia.data.plates import cropping, fields
from micrographia.data.plates.cells import PlateCells
from micrographia.data.plates.checking import check_fields
from micrographia.data.plates.cropping import read_field
from micrographia.data.plates.illumination import evened, illumination
from micrographia.data.reading import read_image
from micrographia.errors import UserError
from micrographia.measure.assays.nuclei import NucleusSegmentation
from micrographia.runs.address import composed
from micrographia.tasks.preview import sides_of

from .conftest import SIDE, field, places

DATA = os.environ.get("MICROGRAPHIA_DATA")


def cells(root, **settings):
    settings = {"crop_px": 24, "nuclei": NucleusSegmentation(14.0), "even_light": False, **settings}
    return PlateCells("cells", settings.pop("fields", None) or fields.bbbc021(str(root)), **settings)


def test_a_crop_is_the_square_around_a_nucleus_and_border_ones_are_left_out(plates):
    data = cells(plates)
    table = data.arrange()
    here = table[(table["plate"] == "Week1_22123") & (table["well"] == "B02") & (table["site"] == "s2")]
    expected = places(1)[:-1]
    found = here[["y", "x"]].to_numpy()
    assert len(found) == 9
    distance = np.abs(found[:, None] - expected[None]).max(2).min(1)
    assert (distance <= 1).all()
    y, x = found[4]
    raw = np.stack([tifffile.imread(path) for path in data.fields.paths(int(here.index[0]) // 9)])
    row = int(here.index[4])
    np.testing.assert_array_equal(data.crops[row], raw[:, y - 12 : y + 12, x - 12 : x + 12])
    assert data.images(torch.tensor([row])).shape == (1, 3, 24, 24)
    assert (sides_of(data) == 24).all()


def test_light_is_taken_out(plates):
    slope = np.linspace(0.6, 1.4, SIDE)[None, :] * np.linspace(0.8, 1.2, SIDE)[:, None]
    slope /= slope.mean()
    lit = [field(seed, 500, light=slope) for seed in range(12)]
    light = illumination(lit, 0.1)
    assert light.mean((1, 2)) == pytest.approx(1, abs=1e-5)
    flat = np.stack([evened(one, light)[2] for one in lit]).astype(float).mean(0)
    before = np.stack([one[2] for one in lit]).astype(float).mean(0)
    inside = (slice(16, -16), slice(16, -16))
    assert flat[inside].std() / flat[inside].mean() < 0.05
    assert flat[inside].std() < before[inside].std() / 4
    with pytest.raises(UserError, match=r"fields of one plate are \(160, 160\) and \(80, 80\) px"):
        illumination([lit[0], lit[0][:, :80, :80]])


def test_each_plate_is_scaled_by_its_own_controls(plates):
    data = cells(plates)
    table = data.arrange()
    means = {}
    for plate in ("Week1_22123", "Week1_22141"):  # the second one is twice as bright
        for kind in ("DMSO", "Protein synthesis"):
            rows = np.flatnonzero((table["plate"] == plate) & (table["class"] == kind))
            means[plate, kind] = data.images(torch.from_numpy(rows)).float().mean((0, 2, 3)).numpy()
    for kind in ("DMSO", "Protein synthesis"):
        np.testing.assert_allclose(means["Week1_22123", kind][:2], means["Week1_22141", kind][:2], atol=0.02)
    assert means["Week1_22123", "Protein synthesis"][1] > means["Week1_22123", "DMSO"][1]
    by_all = cells(plates, control=None)
    assert by_all.record()["limits"] != data.record()["limits"]
    with pytest.raises(UserError, match=r"data\.control: plate Week1_22123 has no cells of class nothing"):
        cells(plates, control="nothing").arrange()


@pytest.mark.parametrize(
    ("settings", "column", "test"),
    [
        ({"split": "plate", "test": ["Week2_24121"]}, "plate", {"Week2_24121"}),
        ({"split": "week", "test": ["2"]}, "week", {2}),
        ({"split": "well", "test": ["C02", "B02", "D02", "E02"]}, "well", {"C02", "B02", "D02", "E02"}),
    ],
)
def test_the_test_part_is_what_was_named_and_wells_stay_on_one_side(plates, settings, column, test):
    data = cells(plates, include=["DMSO", "Microtubule stabilizers", "Protein synthesis"], **settings)
    if column == "well":
        test = test - {"E02"}
        data = cells(
            plates,
            include=["DMSO", "Microtubule stabilizers", "Protein synthesis"],
            **{**settings, "test": sorted(test)},
        )
    tables = {part: data.table(data.indices(part)) for part in PARTS}
    assert set(tables["test"][column]) == test
    assert not set(tables["train"][column]) & test
    wells = [set(zip(table["plate"], table["well"], strict=True)) for table in tables.values()]
    assert sum(map(len, wells)) == len(set.union(*wells))
    assert data.classes == ("DMSO", "Microtubule stabilizers", "Protein synthesis")
    labels = data.targets(data.indices("test"))
    assert [data.classes[number] for number in labels.tolist()] == tables["test"]["class"].tolist()


def test_groups_that_cut_through_wells_are_refused_where_parts_are_drawn(plates):
    three = {"include": ["DMSO", "Microtubule stabilizers", "Protein synthesis"]}
    narrow = {"group": ["plate", "well", "site"], **three}
    said = r"data\.group: drawn by plate \+ well \+ site, train, val and test can share 18 wells.*Week1_22123, B02"
    with pytest.raises(UserError, match=said):
        cells(plates, **narrow).arrange()
    with pytest.raises(UserError, match=r"train and val can share 12 wells"):
        cells(plates, split="plate", test=["Week2_24121"], **narrow).arrange()
    cells(plates, split="none", **narrow).arrange()
    cells(plates, group=["plate", "compound"], **three).arrange()  # holds whole wells
    problems = check_fields(cells(plates, group=["plate", "well", "site"])).problems["problem"]
    assert problems.str.contains("can share 21 wells").any()


def test_crops_are_cut_once_and_kept(plates, tmp_path, monkeypatch):
    first = cells(plates, cache=str(tmp_path / "cache"), even_light=True)
    everything = torch.arange(len(first.arrange()))
    images = first.images(everything)
    in_memory = cells(plates, even_light=True)
    assert torch.equal(images, in_memory.images(everything))
    monkeypatch.setattr(cropping, "read_field", lambda fields, row: pytest.fail("read again"))
    again = cells(plates, cache=str(tmp_path / "cache"), even_light=True)
    assert torch.equal(images, again.images(everything))
    assert isinstance(again.crops, np.memmap)
    monkeypatch.undo()
    other = cells(plates, cache=str(tmp_path / "cache"), even_light=True, crop_px=30)
    assert other.images(everything[:1]).shape[-1] == 30
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_size_and_channels_are_the_models(plates):
    data = cells(plates, size=16, channels=["DAPI", "Actin"])
    assert data.shape == (2, 16, 16)
    images = data.images(data.indices("val"))
    assert images.shape[1:] == (2, 16, 16)
    assert images.dtype == torch.float16
    assert 0 <= images.min() < images.max() <= 1
    with pytest.raises(UserError, match=r"data\.channels: no channel DNA\. There are DAPI, Tubulin, Actin"):
        cells(plates, channels=["DNA"])


def test_a_network_learns_from_the_cells_of_fields(plates, tmp_path):
    from micrographia.cli import command

    arguments = ["data=bbbc021/fields", f"data.fields.root={plates}", "data.crop_px=24", "data.nuclei.diameter_px=14"]
    paths = [f"how.paths.runs={tmp_path / 'runs'}", f"how.paths.cache={tmp_path / 'cache'}", "how.progress=false"]
    budget = ["model=cnn", "model.filters=4", "data.size=32", "budget.steps=2", "budget.validate_every=2"]
    assert command(["train", *arguments, "data.split=plate", "data.test=[Week2_24121]", *budget, *paths]) == 0
    assert len(list((tmp_path / "runs/train").glob("cnn-bbbc021-*/result.json"))) == 1


def test_check_lists_the_files_of_fields(plates, capsys):
    from micrographia.cli import command

    arguments = ["data", "check", "bbbc021/fields", f"data.fields.root={plates}", "how.progress=false"]
    assert command(arguments) == 0
    assert "108 files, nothing against them" in capsys.readouterr().err
    found = fields.bbbc021(str(plates))
    found.paths(0)[0].write_bytes(b"")
    found.paths(1)[1].unlink()
    tifffile.imwrite(found.paths(2)[2], np.zeros((50, 50), np.uint16))
    assert command(arguments) == 1
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    names = [found.files.iloc[row, channel] for row, channel in ((0, 0), (1, 1), (2, 2))]
    assert set(lines) == set(names)
    assert "is empty" in lines[names[0]]
    assert "no such file" in lines[names[1]]
    assert lines[names[2]] == "has (50, 50) px, most of plate Week1_22123 have (160, 160)"


def test_faults_are_answered(plates):
    with pytest.raises(UserError, match=r"data\.nuclei: no nucleus was found in 42 fields"):
        cells(plates, nuclei=NucleusSegmentation(14.0, least_contrast=1e6)).arrange()
    with pytest.raises(UserError, match=r"data\.label: the fields have no column drug"):
        cells(plates, label="drug").arrange()
    with pytest.raises(UserError, match=r"data\.include: no class other"):
        cells(plates, include=["other", "DMSO"]).arrange()
    path = fields.bbbc021(str(plates)).paths(3)[1]
    tifffile.imwrite(path, np.zeros((50, 50), np.uint16))
    with pytest.raises(UserError, match=r"has \(50, 50\) px, .* has \(160, 160\)"):
        cells(plates).arrange()
    tifffile.imwrite(path, np.zeros((SIDE, SIDE), np.uint8))
    with pytest.raises(UserError, match=r"its pixels are uint8, those of"):
        cells(plates).arrange()
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"is empty \(0 bytes\)"):
        cells(plates).arrange()


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="MICROGRAPHIA_DATA names no folder of the real sets")
def test_the_real_plate_gives_the_cells_that_were_cut_by_hand():
    import pandas as pd

    root = Path(str(DATA)) / "hcs/sbs_translocation"
    data = PlateCells(
        "sbs", fields.sbs(str(root)), crop_px=48, nuclei=NucleusSegmentation(14.0), control="control", even_light=False
    )
    found = data.arrange()
    by_hand = pd.read_csv(root / "cells.csv")
    near = 0
    for well, cut in by_hand.groupby("well"):
        here = found.loc[found["well"] == well, ["y", "x"]].to_numpy()
        distance = np.abs(cut[["y", "x"]].to_numpy()[:, None] - here[None]).max(2).min(1)
        near += int((distance <= 4).sum())
    assert near > 0.9 * len(by_hand)
    assert set(found["class"]) == {"control", "positive", "treated"}


@pytest.mark.parametrize("cached", [True, False])
def test_damaged_fields_stop_or_are_skipped_and_counted(plates, tmp_path, caplog, cached):
    whole = cells(plates)
    table = whole.arrange()
    first, second = (whole.fields.paths(row) for row in (0, 3))
    first[1].write_bytes(first[1].read_bytes()[:500])
    second[0].unlink()
    with pytest.raises(UserError, match=r"1 of \d+ files are not in"):
        cells(plates).arrange()
    settings = {"on_error": "skip", "cache": str(tmp_path / "cache") if cached else None}
    data = cells(plates, **settings)
    assert len(data.arrange()) == (~table.index.isin(table.index[:9]) & ~table.index.isin(table.index[27:36])).sum()
    assert "2 of" in caplog.text
    assert len(data.record()["left_out"]) == 2
    again = cells(plates, **settings)
    assert again.record() == data.record()


def test_a_field_that_can_be_read_again_is_no_longer_left_out(plates, tmp_path, monkeypatch):
    away = set(cells(plates).fields.paths(2))

    def reading(fields, row):
        if away & set(fields.paths(row)):
            raise UserError(f"{fields.paths(row)[0]}: cannot be read as an image (Input/output error).")
        return read_field(fields, row)

    monkeypatch.setattr(cropping, "read_field", reading)
    settings = {"on_error": "skip", "cache": str(tmp_path / "cache")}
    first = cells(plates, **settings)
    assert len(first.arrange()) == 41 * 9
    assert len(cells(plates, **settings).arrange()) == 41 * 9
    away.clear()
    assert len(cells(plates, **settings).arrange()) == 42 * 9


def test_channels_that_are_not_taken_need_not_be_there(plates):
    whole = cells(plates)
    for row in range(42):
        whole.fields.paths(row)[2].unlink()
    data = cells(plates, channels=["Tubulin"])
    assert data.images(torch.arange(3)).shape == (3, 1, 24, 24)
    with pytest.raises(UserError, match=r"42 of 126 files are not in"):
        cells(plates).arrange()


def test_balanced_sampling_draws_each_class_as_often(plates):
    data = cells(plates, sampling="balanced")
    data.setup()
    train = data.indices("train")
    drawn = torch.cat([data.draw_indices(8, 0, step) for step in range(-(-len(train) // 8))])
    counts = data.targets(drawn[: len(train)]).bincount(minlength=len(data.classes))
    assert counts.max() - counts[counts > 0].min() <= 1
    own = data.targets(train).bincount(minlength=len(data.classes))
    assert own.max() - own.min() > 1


def test_ready_made_crops_of_a_plate_are_what_its_fields_give(plates, tmp_path):
    """The layout of ready-made cells (a folder per mechanism, metadata.csv), cut from the same fields."""
    data = cells(plates, split="plate", test=["Week2_24121"])
    table = data.arrange()
    root = tmp_path / "ready"
    rows = []
    for number, cell in table.iterrows():
        here = (data.fields.rows[["plate", "well", "site"]] == cell[["plate", "well", "site"]]).all(axis=1)
        paths = data.fields.paths(int(here.to_numpy().argmax()))
        kind, field_name = cell["class"].replace(" ", "_"), paths[0].stem.split("_", 2)[2]  # B02_s1_w10A000-AC92
        file = root / kind / f"{field_name}_{number}.tif"  # as B02_s1_w10A000-AC92_3.tif
        file.parent.mkdir(parents=True, exist_ok=True)
        y, x = cell["y"], cell["x"]
        crop = np.stack([tifffile.imread(path)[y - 12 : y + 12, x - 12 : x + 12] for path in paths])
        tifffile.imwrite(file, crop, photometric="minisblack", metadata={"axes": "CYX"})
        known = cell[["plate", "well", "site", "compound", "concentration", "replicate"]].to_dict()
        rows.append({"file": f"{kind}/{file.name}", "moa": cell["class"], "field": field_name, **known})
    pd.DataFrame(rows).to_csv(root / "metadata.csv", index=False)
    settings = {"table": "metadata.csv", "label": "moa", "split": "plate", "test": ["Week2_24121"], "group": ["field"]}
    ready = ImageFolder(
        "ready", str(root), 24, intensity="percentile", plate=["plate"], control="DMSO", fit="resize", **settings
    )
    order = [ready.arrange()["file"].tolist().index(row["file"]) for row in rows]
    raw = [read_image(ready.root / row["file"])[1] for row in rows]
    np.testing.assert_array_equal(np.stack(raw), data.crops)
    mine, theirs = data.images(torch.arange(len(rows))), ready.images(torch.tensor(order))
    torch.testing.assert_close(theirs, mine, atol=2**-10, rtol=0)
    of_test = [set(images.table(images.indices("test"))["plate"]) for images in (data, ready)]
    assert of_test == [{"Week2_24121"}] * 2


def test_a_field_may_lie_in_one_file_of_several_channels(tmp_path):
    rows = []
    for number in range(6):
        name = f"{number}.ome.tif"
        image = field(number, 500)[[1, 0, 2]]
        channels = {"axes": "CYX", "Channel": {"Name": ["GFP", "DNA", "other"]}}
        tifffile.imwrite(tmp_path / name, image, ome=True, photometric="minisblack", metadata=channels)
        rows.append({"plate": "p", "well": f"A0{number}", "class": "ab"[number % 2], "file": name})
    pd.DataFrame(rows).to_csv(tmp_path / "fields.csv", index=False)

    def data(channels, **settings):
        made = fields.plate_of_files(str(tmp_path), "fields.csv", channels)
        return cells(tmp_path, fields=made, control=None, **settings)

    by_name, by_number = data({"DNA": ["file", "DNA"], "GFP": ["file", "GFP"]}), data({"DNA": ["file", 1]})
    assert by_name.shape == (2, 24, 24)
    assert len(by_name.arrange()) == 54
    np.testing.assert_array_equal(by_name.arrange()["y"], by_number.arrange()["y"])
    y, x = by_name.arrange().loc[3, ["y", "x"]]
    np.testing.assert_array_equal(by_name.crops[3], field(0, 500)[:2, y - 12 : y + 12, x - 12 : x + 12])
    only = cells(tmp_path, fields=by_name.fields, control=None, channels=["GFP"])
    np.testing.assert_array_equal(only.arrange()["y"], by_name.arrange()["y"])  # the nuclei are still those of DNA
    torch.testing.assert_close(only.images(torch.arange(9)), by_name.images(torch.arange(9))[:, 1:])
    assert only.record()["channels"] == "GFP"
    with pytest.raises(UserError, match=r"data\.channels: names none"):
        cells(tmp_path, fields=by_name.fields, channels=[])
    with pytest.raises(UserError, match=r"has 3 channels \(GFP, DNA, other\), expected one grey channel\. Say which"):
        data({"DNA": "file"}).arrange()
    with pytest.raises(UserError, match=r"0\.ome\.tif: DNA: no channel DAPI in it\. It has GFP, DNA, other"):
        data({"DNA": ["file", "DAPI"]}).arrange()


def test_fields_unlike_most_stop_or_are_skipped(plates):
    whole = cells(plates)
    first, small = whole.fields.paths(0), whole.fields.paths(20)
    for path in first:
        tifffile.imwrite(path, (tifffile.imread(path) >> 8).astype(np.uint8))
    for path in small:
        tifffile.imwrite(path, tifffile.imread(path)[:80, :80])
    with pytest.raises(UserError, match=r"its pixels are uint8, those of most fields are uint16"):
        cells(plates).arrange()
    data = cells(plates, on_error="skip", even_light=True)
    assert len(data.arrange()) == 9 * 40
    assert {Path(name).name for name in data.record()["left_out"]} == {first[0].name, small[0].name}


def test_one_compound_of_a_mechanism_can_be_left_out(plates):
    table = (plates / "BBBC021_v1_moa.csv").read_bytes()
    (plates / "BBBC021_v1_moa.csv").write_bytes(table + b"water,7.0,Protein synthesis\r")
    data = cells(plates, split="compound", test=["water"])
    assert set(data.table(data.indices("test"))["compound"]) == {"water"}
    assert "Protein synthesis" in set(data.table(data.indices("train"))["class"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "0.tif"}, r"rows 2 and 7 both name 0\.tif"),
        ({"file": "./0.tif"}, r"rows 2 and 7 both name 0\.tif"),
        ({"file": "../0.tif"}, r"\.\./0\.tif lies outside data\.fields\.root"),
        ({"well": "A1"}, r"plate p has wells A01 and A1"),
        ({"well": ""}, r"row 7 has no well"),
        ({"class": " "}, r"row 7 has no class"),
    ],
)
def test_a_table_of_fields_that_could_leak_is_refused(tmp_path, change, message):
    row = {"plate": "p", "class": "a"}
    rows = [{**row, "well": f"A0{number}", "file": f"{number}.tif"} for number in range(5)]
    rows.append({**row, "well": "A09", "file": "9.tif", **change})
    pd.DataFrame(rows).to_csv(tmp_path / "fields.csv", index=False)
    with pytest.raises(UserError, match=message):
        fields.plate_of_files(str(tmp_path), "fields.csv", {"DNA": "file"})
    with pytest.raises(UserError, match=r"data\.fields\.channels\.DNA: expected COLUMN or \[COLUMN, NUMBER\]"):
        fields.plate_of_files(str(tmp_path), "fields.csv", {"DNA": ["file"]})


def test_fields_of_a_golgi_assay(tmp_path):
    rows = []
    for number in range(8):
        well, image = f"B{number + 1:02}", field(number, 500 + 100 * number)
        for channel, name in enumerate(("dna", "golgi")):
            tifffile.imwrite(tmp_path / f"{well}_{name}.tif", image[channel])
        files = {"dna": f"{well}_dna.tif", "golgi": f"{well}_golgi.tif"}
        rows.append(
            {"plate": "p", "well": well, "class": "control" if number < 4 else "treated", "dose": number, **files}
        )
    pd.DataFrame(rows).to_csv(tmp_path / "fields.csv", index=False)
    keys = ("data=assay/golgi_fields", f"data.fields.root={tmp_path}", "data.nuclei.diameter_px=14", "data.crop_px=24")
    data = instantiate(composed("inspect", [*keys, "data.size=24"])[0]["data"], "data")
    data.setup()
    assert (data.classes, data.channels, data.shape) == (("control", "treated"), ("DNA", "Golgi"), (2, 24, 24))
    assert data.controls == ("class", "control", "treated")
    wells = [set(data.table(data.indices(part))["well"]) for part in PARTS]
    assert sum(map(len, wells)) == len(set.union(*wells)) == 8
    assert set(data.arrange()["dose"].astype(int)) == set(range(8))
    what, _ = composed("superresolve", ["experiment=rls/golgi", *keys])
    assert what["data"]["name"] == "golgi_fields"
