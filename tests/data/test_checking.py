import hashlib
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from micrographia.data.catalogue.fetching import Fetched
from micrographia.data.checking import check_folder
from micrographia.data.image_folder import ImageFolder
from micrographia.errors import UserError


def picture(path, seed, side=24, dtype=np.uint8, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 200, (channels, side, side)).astype(dtype)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels if channels > 1 else pixels[0], photometric="minisblack")
    else:
        Image.fromarray(np.moveaxis(np.repeat(pixels, 3 // channels, 0), 0, -1)).save(path)
    return path


@pytest.fixture
def root(tmp_path):
    for number, kind in enumerate(("alive", "dead")):
        for image in range(15):
            picture(tmp_path / "set" / kind / f"{image:02}.png", 100 * number + image)
    return tmp_path / "set"


def check(root, **settings):
    return check_folder(ImageFolder("set", str(root), 24, **settings))


def test_a_good_folder_has_nothing_against_it(root):
    seen = []
    found = check_folder(ImageFolder("set", str(root), 24), progress=lambda *done: seen.append(done))
    assert found.problems.empty
    assert found.duplicates.empty
    assert found.counts.to_dict() == {
        "train": {"alive": 10, "dead": 10},
        "val": {"alive": 2, "dead": 2},
        "test": {"alive": 3, "dead": 3},
    }
    assert found.summary["width"] == "24 to 24 px, median 24"
    assert seen[-1] == (30, 30)


def test_everything_that_is_wrong_is_said_in_one_pass(root):
    (root / "alive/empty.png").touch()
    content = (root / "alive/00.png").read_bytes()
    (root / "alive/cut.png").write_bytes(content[:-200])
    long = "Zëlle " + "n" * 180 + ".png"
    (root / "dead" / long).write_bytes(b"no image")
    (root / "dead/really_a.tif").write_bytes(content)
    (root / "dead/loop.png").symlink_to("loop.png")
    (root / "dead/stack.czi").touch()
    picture(root / "dead/deep.tif", 5, dtype=np.uint16)
    picture(root / "dead/five.tif", 6, channels=5)
    Image.new("1", (12_000, 12_000)).save(root / "dead/huge.png")
    found = check(root)
    problems = found.problems.set_index("file")["problem"]
    expected = {
        "alive/empty.png": "is empty (0 bytes)",
        "alive/cut.png": "cannot be read as an image",
        f"dead/{long}": "cannot be read as an image",
        "dead/really_a.tif": "its content is PNG. Rename it to really_a.png",
        "dead/loop.png": "cannot be read as an image",
        "dead/stack.czi": "left out: .czi is not read",
        "dead/huge.png": "has more than 89,000,000 pixels",
    }
    for name, words in expected.items():
        assert words in problems[name]
    # One channel beside three is grey beside RGB, and is read as RGB.
    assert problems["dead/deep.tif"] == "pixels of type uint16, most files have pixels of type uint8"
    assert problems["dead/five.tif"] == "5 channels, most files have 3 channels"
    assert set(problems.index) == {*expected, "dead/deep.tif", "dead/five.tif"}
    assert not problems.str.contains(str(root), regex=False).any()


def test_an_empty_class_folder_hides_nothing_else(root):
    (root / "new").mkdir()
    (root / "alive/empty.png").touch()
    found = check(root).problems.set_index("file")["problem"]
    assert found["new"] == "class folder without an image"
    assert "is empty" in found["alive/empty.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read_is_said(root):
    (root / "alive").chmod(0)
    try:
        assert "alive" in set(check(root).problems["file"])
    finally:
        (root / "alive").chmod(0o755)


def test_files_beside_a_table_are_nothing_against_it(root):
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.png")]
    (root / "images.csv").write_text("\n".join(["file,class", *(f"{name},{name.split('/')[0]}" for name in names)]))
    (root / "LICENSE").touch()
    (root / "alive/001.dat").touch()
    assert check(root, table="images.csv").problems.empty


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_is_said(root):
    (root / "alive/00.png").chmod(0)
    assert "must not be read" in check(root).problems.set_index("file")["problem"]["alive/00.png"]


def test_copies_across_the_split_or_of_two_classes_are_said(root):
    (root / "dead/90.png").write_bytes((root / "alive/03.png").read_bytes())
    found = check(root)
    pairs = found.conflicts()
    assert pairs[["file", "other"]].to_numpy().tolist() == [["alive/03.png", "dead/90.png"]]
    assert pairs["place"].item().endswith(", class alive")
    table = root / "images.csv"
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = [f"{name},{name.split('/')[0]},{('train', 'val', 'test')[number % 3]}" for number, name in enumerate(names)]
    table.write_text("\n".join(["file,class,part", *rows]))
    (root / "alive/04.png").write_bytes((root / "alive/05.png").read_bytes())
    (root / "alive/07.png").write_bytes((root / "alive/10.png").read_bytes())
    found = check(root, table="images.csv", split="part")
    places = found.conflicts().set_index("file")[["other", "place", "other_place"]]
    assert places.loc["alive/04.png"].tolist() == ["alive/05.png", "val", "test"]
    assert "alive/07.png" not in places.index  # both are for validation
    assert len(found.duplicates) == 3


def test_a_table_that_names_missing_files_is_read_on(root):
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.png")]
    rows = [f"{name},{name.split('/')[0]}" for name in names]
    (root / "images.csv").write_text("\n".join(["file,class", *rows, "alive/gone.png,alive", "dead/lost.png,dead"]))
    found = check(root, table="images.csv")
    problems = found.problems.set_index("file")["problem"]
    assert problems["alive/gone.png"].startswith("no such file")
    assert problems["dead/lost.png"].startswith("no such file")
    assert len(problems) == 2
    assert found.counts.columns.tolist() == ["train", "val", "test"]


def as_fetched(root, hashed=True):
    """What a record would say of a folder."""
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.png")}
    return {
        name: Fetched(len(content), hashlib.sha256(content).hexdigest() if hashed else None)
        for name, content in contents.items()
    }


@pytest.mark.parametrize("hashed", [True, False])
def test_what_was_fetched_is_compared(root, hashed):
    fetched = as_fetched(root, hashed) | {"alive/gone.png": Fetched(9)}
    assert len(check_folder(ImageFolder("set", str(root), 24), fetched).problems) == 1
    content = bytearray((root / "alive/02.png").read_bytes())
    content[-1] ^= 1  # the checksum of an empty block, which no reader minds
    (root / "alive/02.png").write_bytes(bytes(content))
    (root / "alive/01.png").write_bytes((root / "alive/01.png").read_bytes() + b"x")
    problems = check_folder(ImageFolder("set", str(root), 24), fetched).problems.set_index("file")["problem"]
    assert f"{fetched['alive/01.png'].size} were fetched" in problems.pop("alive/01.png")
    assert problems.pop("alive/gone.png") == "was fetched and is missing"
    if hashed:
        assert problems.pop("alive/02.png") == "holds other bytes than were fetched: its SHA-256 differs"
    assert problems.empty


def test_images_that_were_not_fetched_are_said(root):
    fetched = as_fetched(root)
    names = list(fetched)
    picture(root / "alive/extra.png", 77)
    (root / ".hidden").mkdir()
    picture(root / ".hidden/part.png", 78)
    found = check_folder(ImageFolder("set", str(root), 24), fetched).problems
    assert found.to_numpy().tolist() == [["alive/extra.png", "was not fetched, and no table of the set names it"]]
    (root / "images.csv").write_text("\n".join(["file,class", *(f"{name},{name.split('/')[0]}" for name in names)]))
    table = ImageFolder("set", str(root), 24, table="images.csv")
    assert check_folder(table, fetched).problems["file"].tolist() == ["alive/extra.png"]
    with (root / "images.csv").open("a") as file:
        file.write("\nalive/extra.png,alive")
    assert check_folder(table, fetched).problems.empty
    for number in range(30):
        picture(root / "dead" / f"more{number:02}.png", 300 + number)
    found = check_folder(table, fetched).problems
    assert len(found) == 21
    assert found["problem"][0] == "holds 30 images that were not fetched, of which 20 are named here"


def test_images_that_a_table_does_not_name_are_counted(root):
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.png")]
    (root / "images.csv").write_text("\n".join(["file,class", *(f"{name},{name.split('/')[0]}" for name in names)]))
    assert "beside" not in check(root, table="images.csv").summary
    picture(root / "alive/extra.png", 77)
    found = check(root, table="images.csv")
    assert found.problems.empty
    assert found.summary["beside"] == "images that images.csv does not name: 1, the first alive/extra.png"


def test_no_folder_is_answered(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        check(tmp_path / "nowhere")
