"""Each entry of the catalogue, fetched from archives of its real layout, is read by its data config."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from micrographia.config import config_directory, instantiate
from micrographia.data.catalogue import bbbc021, planktonset, preparation
from micrographia.data.catalogue.fetching import fetch
from micrographia.data.catalogue.public_set import Download
from micrographia.data.catalogue.sets import SETS
from micrographia.data.datamodule import PARTS
from micrographia.errors import UserError
from micrographia.runs.address import composed

from .conftest import png, zipped

CLASSES = ("Akashiwo", "Chaetoceros", "detritus", "pennate")


def lay_out(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def pictures(pattern, **values):
    """Small images, a file for each combination of the values in a pattern."""
    names = [""]
    for key, several in values.items():
        names = [f"{name}|{key}={value}" for name in names for value in several]
    fields = [dict(part.split("=", 1) for part in name.split("|")[1:]) for name in names]
    return {pattern.format(**given): png(number) for number, given in enumerate(fields)}


def smear(seed=0):
    """A smear as a JPEG, and its pixels as they are read back."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue(), np.asarray(Image.open(buffer).convert("RGB"))


def bmp(seed):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png(seed))).save(buffer, "BMP")
    return buffer.getvalue()


VACUOLES = pictures(
    "Dataset/images/{part}/{kind}/{n}.png",
    part=("train_annotated", "train_clustershcf", "test"),
    kind=("condensed", "multiple", "negative", "positive"),
    n=range(3),
)
WHOI = pictures("2007/{kind}/IFCB1_2007_{n}.png", kind=CLASSES, n=range(12))
LENSLESS = pictures(
    "{part}/{kind}/{n}.png", part=("TRAIN_IMAGE", "TEST_IMAGE", "TRAIN_MASK"), kind=("DILEPTUS", "VOLVOX"), n=range(4)
)
PLANKTONSET = pictures(
    "0127422/2.3/data/0-data/FINAL_Plankton_Segments_12082014/{kind}/{n}.jpg", kind=("copepod", "fish"), n=range(8)
)
SIPAKMED = {
    f"im_{kind}/im_{kind}/{place}{smear:03}{cell}.bmp": bmp(smear)
    for kind in ("Parabasal", "Metaplastic")
    for smear in range(8)
    for place, cell in (("", ""), ("CROPPED/", "_01"), ("CROPPED/", "_02"))
}


def read(name, root, *overrides):
    what, _ = composed("train", [f"data={name}", "data.size=32", f"how.paths.data={root}", *overrides])
    return instantiate(what["data"], "data")


def counts(data):
    return {part: len(data.indices(part)) for part in PARTS}


def test_names_are_choices_of_data_or_no_image_folders():
    choices = {
        path.relative_to(config_directory() / "data").with_suffix("").as_posix()
        for path in (config_directory() / "data").rglob("*.yaml")
    }
    assert set(SETS) - choices == {"bbbc021", "dsprites", "brodatz"}
    for name in (set(SETS) & choices) | {"bbbc021/fields"}:
        what, _ = composed("train", [f"data={name}", "how.paths.data=there"])
        root = what["data"]["fields"]["root"] if "fields" in what["data"] else what["data"]["root"]
        assert root.startswith(f"there/{SETS[name.removesuffix('/fields')].folder}")


@pytest.mark.parametrize("name", SETS)
def test_an_entry_says_what_a_user_must_know(name):
    public = SETS[name]
    assert all((public.about, public.page.startswith("https://"), public.licence, public.citation, public.layout))
    assert bool(public.downloads) != bool(public.by_hand)
    assert all(download.address.startswith("https://") for download in public.downloads)


def test_vacuoles_have_the_published_split_and_no_clusters(server, tmp_path):
    server.files["Dataset.zip"] = zipped(VACUOLES)
    fetch(replace(SETS["yeast/vacuoles"], downloads=(Download(server.address("Dataset.zip")),)), tmp_path)
    data = read("yeast/vacuoles", tmp_path)
    assert len(data.arrange()) == 24
    assert data.classes == tuple(SETS["yeast/vacuoles"].classes)
    assert counts(data)["test"] == 12
    assert set(data.table(data.indices("test"))["file"].str.split("/").str[2]) == {"test"}


def test_whoi15_takes_its_classes_of_the_year(server, tmp_path):
    server.files["2007.zip"] = zipped(WHOI)
    fetch(replace(SETS["plankton/whoi15"], downloads=(Download(server.address("2007.zip")),)), tmp_path)
    with pytest.raises(UserError, match=r"data\.include: no class Asterionellopsis"):
        read("plankton/whoi15", tmp_path).arrange()
    data = read("plankton/whoi15", tmp_path, "data.include=[Chaetoceros,detritus,pennate]")
    data.arrange()
    assert data.classes == ("Chaetoceros", "detritus", "pennate")
    assert len(data.arrange()) == 36
    assert all(count >= 3 for count in counts(data).values())


@pytest.mark.parametrize(
    ("name", "files", "classes", "images"),
    [
        ("plankton/lensless", LENSLESS, ("DILEPTUS", "VOLVOX"), 16),
        ("plankton/planktonset", PLANKTONSET, ("copepod", "fish"), 16),
        ("human_cells/sipakmed", SIPAKMED, ("Metaplastic", "Parabasal"), 32),
    ],
)
def test_what_was_fetched_by_hand_is_made_ready(tmp_path, name, files, classes, images):
    folder = tmp_path / SETS[name].folder
    lay_out(folder, files)
    SETS[name].prepare(folder)
    data = read(name, tmp_path)
    data.setup()
    assert data.classes == classes
    assert sum(counts(data).values()) == images
    rows = data.arrange()
    if name == "human_cells/sipakmed":
        assert rows["file"].str.contains("/CROPPED/").all()
        parts = rows.assign(part=data.parts).groupby("smear")["part"].nunique()
        assert len(parts) == 16
        assert (parts == 1).all()
    if name == "plankton/lensless":
        assert counts(data)["test"] == 8


def test_red_cells_are_cut_out_around_their_centres(server, tmp_path):
    content, pixels = smear()
    top = "Chula-RBC-12-Dataset-fa130f4"
    server.files["HEAD.zip"] = zipped(
        {
            f"{top}/Dataset/1.jpg": content,
            f"{top}/Dataset/2.jpg": smear(1)[0],
            f"{top}/Label/1.txt": b"60 50 0\n3 90 11\n60 50 0\n70 40 10\n",
            f"{top}/Label/2.txt": b"64 48 12\n\n",
        }
    )
    chula = SETS["human_cells/chula_rbc12"]
    source = replace(chula.downloads[0], address=server.address("HEAD.zip"), size=None)
    folder = fetch(replace(chula, downloads=(source,)), tmp_path)
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    assert [(row["file"], row["smear"]) for row in rows] == [
        ("elliptocyte/2_64_48.png", "2.jpg"),
        ("hypochromia/1_3_90.png", "1.jpg"),
        ("normal/1_60_50.png", "1.jpg"),
    ]
    cell = np.asarray(Image.open(folder / "normal/1_60_50.png"))
    np.testing.assert_array_equal(cell, pixels[14:86, 24:96])
    corner = np.asarray(Image.open(folder / "hypochromia/1_3_90.png"))
    assert corner.shape == (72, 72, 3)
    np.testing.assert_array_equal(corner[:40, 33:], pixels[54:94, :39])
    np.testing.assert_array_equal(corner[:40, 32], pixels[54:94, 1])
    data = read("human_cells/chula_rbc12", tmp_path)
    assert list(data.root.glob("*/*.png"))


def test_cells_in_a_folder_of_no_class_are_answered(tmp_path):
    folder = tmp_path / "im_here" / SETS["human_cells/sipakmed"].folder
    lay_out(folder, SIPAKMED)
    SETS["human_cells/sipakmed"].prepare(folder)
    assert set(read("human_cells/sipakmed", tmp_path / "im_here").arrange()["class"]) == {"Metaplastic", "Parabasal"}
    lay_out(folder, {"Dyskeratotic/CROPPED/001_01.bmp": bmp(0)})
    with pytest.raises(UserError, match=r"001_01\.bmp: lies in no folder im_<class>"):
        SETS["human_cells/sipakmed"].prepare(folder)


@pytest.mark.parametrize("line", ["60 50", "60 50 0 1", "60 fifty 0", "600 50 0", "-1 4 3"])
def test_annotations_that_make_no_sense_are_answered(tmp_path, line):
    lay_out(tmp_path, {"Dataset/1.jpg": smear()[0], "Label/1.txt": line.encode()})
    with pytest.raises(UserError, match=r"1\.txt: (cannot be read as lines|.* lies outside the smear)"):
        preparation.cut_red_cells(tmp_path)


def test_a_layout_that_has_changed_is_answered(tmp_path):
    lay_out(tmp_path, {"elsewhere/1.jpg": smear()[0]})
    for prepare in (
        preparation.cut_red_cells,
        preparation.vacuoles_table,
        preparation.lensless_table,
        preparation.planktonset_table,
        preparation.sipakmed_table,
    ):
        with pytest.raises(UserError, match=rf"{tmp_path}: "):
            prepare(tmp_path)
    lay_out(tmp_path, {"Dataset/1.jpg": smear()[0], "Label/1.txt": b"1 two 3"})
    with pytest.raises(UserError, match=r"1\.txt: cannot be read as lines"):
        preparation.cut_red_cells(tmp_path)


BBBC021_TABLE = """TableNumber,Image_Metadata_Plate_DAPI,Image_Metadata_Compound
1,Week1_22123,taxol
1,Week1_22141,DMSO
2,Week10_40111,taxol
2,Week2_24121,emetine
"""


def test_plates_of_weeks_and_compounds(tmp_path):
    (tmp_path / bbbc021.IMAGES).write_text(BBBC021_TABLE)
    everything = ["Week1_22123", "Week1_22141", "Week2_24121", "Week10_40111"]
    assert bbbc021.plates(tmp_path, "all", None) == everything
    assert bbbc021.plates(tmp_path, [1], None) == everything[:2]
    assert bbbc021.plates(tmp_path, None, ["taxol"]) == ["Week1_22123", "Week10_40111"]
    assert bbbc021.plates(tmp_path, [10, 2], ["taxol", "emetine"]) == everything[2:]
    assert [download.name for download in bbbc021.archives(everything[:1])] == ["BBBC021_v1_images_Week1_22123.zip"]
    for weeks, compounds, message in (
        (None, None, r"its 4 plates take about 3 GB. Name some"),
        ([3], None, r"weeks: no plate is of week 3. Weeks: 1, 2, 10"),
        ("some", None, r"weeks=some: expected numbers"),
        (None, ["water"], r"compounds: water is not in the table. It has DMSO, emetine, taxol"),
        ([2], ["taxol"], r"no plate of these weeks holds one of these compounds"),
    ):
        with pytest.raises(UserError, match=message):
            bbbc021.plates(tmp_path, weeks, compounds)


def test_planktonset_names_its_classes():
    assert len(set(planktonset.CLASSES)) == 121
    assert {"copepod_calanoid", "shrimp-like_other", "protist_noctiluca"} <= set(planktonset.CLASSES)
    assert "unknown_sticks" in SETS["plankton/planktonset"].classed
