"""What is wrong with the fields of plates, in one pass."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from micrographia.data.catalogue.fetching import Fetched
from micrographia.data.plates import fields
from micrographia.data.plates.cells import PlateCells
from micrographia.data.plates.checking import check_fields

from .conftest import field, write_plate_map


def cells(root, **settings):
    return PlateCells("cells", fields.bbbc021(str(root)), crop_px=24, **settings)


def test_good_plates_have_nothing_against_them(plates):
    found = check_fields(cells(plates, split="plate", test=["Week2_24121"]))
    assert found.problems.empty
    assert found.conflicts().empty
    assert found.counts.loc["DMSO"].to_dict() == {"test": 4, "train, val": 8}
    assert found.summary["width"] == "160 to 160 px, median 160"
    drawn = check_fields(cells(plates))
    assert list(drawn.counts) == ["drawn of cells"]
    assert int(drawn.counts.to_numpy().sum()) == 42


def test_all_that_is_wrong_with_fields_is_said(plates):
    whole = cells(plates, split="plate", test=["Week2_24121"])
    cut, small, source = (whole.fields.paths(row) for row in (0, 5, 8))
    copied = whole.fields.paths(30)
    cut[1].write_bytes(cut[1].read_bytes()[:400])
    tifffile.imwrite(small[0], tifffile.imread(small[0])[:80])
    tifffile.imwrite(small[2], np.zeros((2, 160, 160), np.uint16), photometric="minisblack")
    shutil.copy(source[0], copied[0])
    found = check_fields(whole)
    problems = found.problems.groupby(found.problems["file"].str.rsplit("/").str[-1])["problem"].agg(" | ".join)
    assert "cannot be read as an image" in problems[cut[1].name]
    assert problems[small[0].name] == "has (80, 160) px, most of plate Week1_22123 have (160, 160)"
    assert "2 channels, most files have 1 channels" in problems[small[2].name]
    assert "expected one grey channel" in problems[small[2].name]
    assert set(problems.index) == {cut[1].name, small[0].name, small[2].name}
    pair = found.conflicts().iloc[0]
    assert {pair["file"].split("/")[1], pair["other"].split("/")[1]} == {source[0].name, copied[0].name}
    assert {pair["part"], pair["other_part"]} == {"test", "train, val"}


def test_a_channel_that_a_file_lacks_is_said(plates):
    data = cells(plates)
    data.fields = replace(data.fields, planes={"DAPI": 5})
    problems = check_fields(data).problems["problem"]
    assert len(problems) == 42
    assert (problems == "DAPI: no channel 5 in it. It has grey, numbers from 0.").all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"split": "foo"}, "data.split: the table of fields has no column foo"), ({"split": "plate"}, "data.split")],
)
def test_a_split_that_cannot_be_made_hides_nothing_else(plates, settings, message):
    data = cells(plates, **settings)
    data.fields.paths(0)[0].write_bytes(b"")
    found = check_fields(data).problems.set_index("file")["problem"]
    assert message in found["."]
    assert len(found) == 2


def assay_plate(root):
    """Twelve wells of BBBC014, an image per channel."""
    images = root / "BBBC014_v1_images"
    images.mkdir(parents=True)
    for column in range(1, 13):
        for channel in (1, 2):
            nuclei = field(column, 500)[0] // 20
            name = f"Channel {channel}-{column:02}-A-{column:02}.Bmp"
            Image.fromarray(nuclei.clip(0, 255).astype(np.uint8)).save(images / name)
    write_plate_map(root / "BBBC014_v1_platemap_all.txt", [column for _ in range(8) for column in range(12)])
    return images


def test_a_file_that_is_missing_of_an_assay_plate_is_named_and_hides_nothing(tmp_path):
    images = assay_plate(tmp_path)
    fetched = {f"{images.name}/{path.name}": Fetched(path.stat().st_size) for path in images.iterdir()}
    (images / "Channel 1-05-A-05.Bmp").unlink()
    (images / "Channel 2-06-A-06.Bmp").write_bytes(b"")
    for path in images.glob("*-A-07.Bmp"):
        path.unlink()
    data = PlateCells("cells", fields.bbbc014(str(tmp_path)), crop_px=24, control=None, on_error="skip")
    problems = check_fields(data, fetched).problems.groupby("file")["problem"].agg(" | ".join)
    assert problems.pop(f"{images.name}/Channel 1-05-A-05.Bmp") == "no such file."
    assert "is empty (0 bytes)" in problems.pop(f"{images.name}/Channel 2-06-A-06.Bmp")
    assert problems.to_dict() == {
        f"{images.name}/Channel {channel}-07-A-07.Bmp": "was fetched and is missing" for channel in (1, 2)
    }
    _, cropped = data.cropping.crops()
    assert set(data.fields.rows["well"].iloc[cropped["field"]]) == {
        f"A{column:02}" for column in range(1, 13) if column not in (5, 6, 7)
    }
