import numpy as np
import pandas as pd
import pytest
from PIL import Image

from micrographia.data.plates import fields
from micrographia.errors import UserError

from .conftest import WELLS, write_bmp, write_plate_map


def test_bbbc021_knows_what_was_done_to_each_well(plates):
    found = fields.bbbc021(str(plates))
    found.require_files()
    assert found.channels == ("DAPI", "Tubulin", "Actin")
    assert len(found.rows) == 3 * len(WELLS) * 2
    rows = found.rows.set_index(["plate", "well", "site"])
    one = rows.loc[("Week2_24121", "C03", "s2")]
    assert one[["compound", "concentration", "week", "class"]].tolist() == ["taxol", 1.0, 2, "Microtubule stabilizers"]
    assert set(rows["class"]) == {"DMSO", "Microtubule stabilizers", "Protein synthesis", "unknown"}
    assert found.paths(0)[1].name == found.paths(0)[0].name.replace("_w1", "_w2")
    assert set(fields.bbbc021(str(plates), annotated=True).rows["class"]) == set(rows["class"]) - {"unknown"}
    assert set(fields.bbbc021(str(plates), weeks=[2]).rows["plate"]) == {"Week2_24121"}
    assert set(fields.bbbc021(str(plates), compounds=["taxol"]).rows["well"]) == {"C02", "C03"}
    with pytest.raises(UserError, match=r"no field in .* is of these weeks, plates, compounds"):
        fields.bbbc021(str(plates), weeks=[9])


def test_plates_that_were_not_fetched_are_left_out_unless_named(plates):
    for path in (plates / "Week1_22141").iterdir():
        path.unlink()
    (plates / "Week1_22141").rmdir()
    assert set(fields.bbbc021(str(plates)).rows["plate"]) == {"Week1_22123", "Week2_24121"}
    named = fields.bbbc021(str(plates), plates=["Week1_22141"])
    with pytest.raises(UserError, match=r"42 of 42 files are not in .* the first Week1_22141/"):
        named.require_files()


DOSES = [column * 10.0 for _ in range(8) for column in range(12)]


def test_bbbc013_has_its_controls_where_the_plate_maps_put_them(tmp_path):
    images = tmp_path / "BBBC013_v1_images_bmp"
    images.mkdir()
    doses = np.array(DOSES).reshape(8, 12)
    doses[:4, 1] = 0
    doses[4:, :] = np.roll(doses[4:, :], 1, axis=1)
    doses[4:, 1] = 0
    doses[4:, 11] = 0
    for row in "ABCDEFGH":
        for column in range(1, 13):
            for channel in (1, 2):
                write_bmp(images / f"Channel{channel}-{column:02}-{row}-{column:02}.BMP", column)
    write_plate_map(tmp_path / "BBBC013_v1_platemap_all.txt", doses.ravel())
    found = fields.bbbc013(str(tmp_path))
    found.require_files()
    rows = found.rows.set_index("well")
    assert len(rows) == 96
    assert found.channels == ("DNA", "GFP")
    assert found.paths(0)[0].name == "Channel2-01-A-01.BMP"
    of = rows["class"].to_dict()
    assert [of[well] for well in ("A01", "A02", "A07", "A12")] == ["control", "control", "treated", "positive"]
    assert [of[well] for well in ("E01", "E02", "E07", "E12")] == ["positive", "control", "treated", "empty"]
    assert rows.loc[["D05", "E05"], "compound"].tolist() == ["wortmannin", "LY294002"]
    (images / "Channel1-03-B-03.BMP").unlink()
    lacking = fields.bbbc013(str(tmp_path))
    assert len(lacking.rows) == 96
    with pytest.raises(UserError, match=r"1 of 192 files are not in .*, the first .*/Channel1-03-B-03\.BMP\."):
        lacking.require_files()
    for path in images.glob("Channel2*"):
        path.unlink()
    with pytest.raises(UserError, match=r"95 of 190 files are not in .*, the first .*/Channel2-01-A-01\.BMP\."):
        fields.bbbc013(str(tmp_path)).require_files()
    write_bmp(images / "Channel1-99-A-01.BMP", 0)
    with pytest.raises(UserError, match=r"Channel1-01-A-01\.BMP and .*Channel1-99-A-01\.BMP are of one well"):
        fields.bbbc013(str(tmp_path))


def test_bbbc014_has_two_kinds_of_cells(tmp_path):
    images = tmp_path / "BBBC014_v1_images"
    images.mkdir()
    for row in "AH":
        for column in (1, 2, 12):
            for channel in (1, 2):
                write_bmp(images / f"Channel {channel}-{column:02}-{row}-{column:02}-00.Bmp", column)
    write_plate_map(tmp_path / "BBBC014_v1_platemap_all.txt", DOSES)
    rows = fields.bbbc014(str(tmp_path)).rows.set_index("well")
    assert rows["cells"].to_dict() == {
        **dict.fromkeys(("A01", "A02", "A12"), "MCF7"),
        **dict.fromkeys(("H01", "H02", "H12"), "A549"),
    }
    assert rows.loc[["A01", "A02", "A12"], "class"].tolist() == ["control", "treated", "positive"]
    assert rows.loc["H12", "dose"] == 110
    write_plate_map(tmp_path / "BBBC014_v1_platemap_all.txt", DOSES[:-1])
    with pytest.raises(UserError, match=r"holds 95 doses, a plate has 96 wells"):
        fields.bbbc014(str(tmp_path))


def test_fields_of_your_own(tmp_path):
    for name in ("1a.bmp", "1b.bmp", "2a.bmp", "2b.bmp"):
        write_bmp(tmp_path / name, 0)
    table = pd.DataFrame(
        {
            "plate": ["P2", "P1"],
            "well": ["A1", "A1"],
            "drug": ["x", "none"],
            "dna": ["1a.bmp", "2a.bmp"],
            "actin_file": ["1b.bmp", "2b.bmp"],
            "note": ["", "good"],
        }
    )
    table.to_csv(tmp_path / "fields.csv", index=False)
    channels = {"DNA": "dna", "actin": "actin_file"}
    found = fields.plate_of_files(str(tmp_path), "fields.csv", channels, label="drug")
    found.require_files()
    assert found.rows["plate"].tolist() == ["P1", "P2"]
    assert found.rows["class"].tolist() == ["none", "x"]
    assert found.files["actin"].tolist() == ["2b.bmp", "1b.bmp"]
    assert "note" in found.rows
    with pytest.raises(UserError, match=r"fields\.csv: has no column acton\. It has plate, well"):
        fields.plate_of_files(str(tmp_path), "fields.csv", {"DNA": "acton"}, label="drug")
    with pytest.raises(UserError, match=r"data\.fields\.table: other\.csv does not exist"):
        fields.plate_of_files(str(tmp_path), "other.csv", channels)


def test_the_sbs_plate_takes_the_wells_that_are_there(tmp_path):
    (tmp_path / "fields").mkdir()
    table = ["ImageNumber,Column,Row,SBS_Doses,SBS_Controls", "1,1,A,0,-1", "2,2,A,3,0", "3,12,A,10,1", "4,1,H,10,1"]
    (tmp_path / "plate_1049_metadata.csv").write_text("\n".join(table))
    for well in ("A01", "A02", "H01"):
        for channel in ("dna", "fkhr_gfp"):
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"fields/{well}_{channel}.png")
    found = fields.sbs(str(tmp_path))
    found.require_files()
    assert found.channels == ("DNA", "GFP")
    assert found.rows.set_index("well")[["class", "dose"]].to_numpy().tolist() == [
        ["control", 0],
        ["treated", 3],
        ["positive", 10],
    ]


def test_folders_and_tables_that_are_missing_are_answered(tmp_path):
    for read in (fields.bbbc021, fields.bbbc013, fields.bbbc014, fields.sbs):
        with pytest.raises(UserError, match=r"data\.fields\.root: .*nowhere is no folder"):
            read(str(tmp_path / "nowhere"))
        with pytest.raises(UserError, match=r"no such file|cannot be read"):
            read(str(tmp_path))
