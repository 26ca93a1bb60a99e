"""``micrographia data`` as a user types it, with a server on this machine."""

import os
from dataclasses import replace

import pytest

from micrographia.cli import command, main
from micrographia.data.catalogue import bbbc021
from micrographia.data.catalogue.public_set import Download
from micrographia.data.catalogue.sets import SETS
from micrographia.tasks import data as task

from .conftest import png, zipped
from .test_sets import BBBC021_TABLE, LENSLESS, VACUOLES, lay_out


@pytest.fixture
def served(server, monkeypatch):
    """The catalogue, its vacuoles and BBBC021 served from here."""
    server.files = {
        "Dataset.zip": zipped(VACUOLES),
        bbbc021.IMAGES: BBBC021_TABLE.encode(),
        bbbc021.MECHANISMS: b"compound,concentration,moa\n",
        **{
            f"BBBC021_v1_images_{plate}.zip": zipped({f"{plate}/{plate}_B02_s1_w1AB.tif": png()})
            for plate in ("Week1_22123", "Week1_22141")
        },
    }
    vacuoles = replace(SETS["yeast/vacuoles"], downloads=(Download(server.address("Dataset.zip")),), images=24)
    monkeypatch.setitem(task.SETS, "yeast/vacuoles", vacuoles)
    tables = tuple(Download(server.address(name)) for name in (bbbc021.IMAGES, bbbc021.MECHANISMS))
    monkeypatch.setitem(task.SETS, "bbbc021", replace(bbbc021.BBBC021, downloads=tables))
    monkeypatch.setattr(bbbc021, "ADDRESS", server.address("").rstrip("/"))
    monkeypatch.setattr(bbbc021, "ARCHIVE_BYTES", 1000)
    return server


def test_help_and_list_name_every_set(capsys, tmp_path):
    assert command(["data"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in SETS)
    assert "micrographia data fetch" in text
    (tmp_path / "human/sipakmed").mkdir(parents=True)
    (tmp_path / "human/sipakmed/a.bmp").touch()
    assert command(["data", "list", f"how.paths.data={tmp_path}"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == list(SETS)
    assert " here " in lines["human_cells/sipakmed"]
    assert " by hand " in lines["plankton/lensless"]
    assert " not here " in lines["yeast/vacuoles"]
    assert " number not published  size not published " in lines["plankton/whoi15"]
    assert " 192 images  size not published " in lines["assay/bbbc014"]
    assert not any("?" in line for line in lines.values())
    for name, words in {
        "bbbc021": ("39,600, 1280 x 1024 px", "46,200 MB", "by table: the mechanism of action"),
        "plankton/planktonset": ("121, by folder", "91 MB"),
        "assay/bbbc014": ("by plate map: control", "size     not published"),
        "plankton/whoi15": ("images   number not published",),
    }.items():
        assert command(["data", "list", name]) == 0
        text = capsys.readouterr().out
        assert all(word in text for word in words)
    assert command(["data", "list", "plankton/lensless"]) == 0
    text = capsys.readouterr().out
    assert all(words in text for words in ("CC BY 4.0", "ARCELLA VULGARIS (640)", "in a browser from", "Pastore"))


def test_fetch_prints_the_folder_and_fetches_once(capsys, served, tmp_path):
    arguments = ["data", "fetch", "yeast/vacuoles", f"how.paths.data={tmp_path}"]
    for _ in range(2):
        assert command(arguments) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'yeast/vacuoles'}\n"
    assert served.asked == ["Dataset.zip"]
    assert (tmp_path / "yeast/vacuoles/images.csv").is_file()
    command(["data", "list", f"how.paths.data={tmp_path}"])
    assert " fetched " in next(line for line in capsys.readouterr().out.splitlines() if "vacuoles" in line)


def test_plates_of_bbbc021_by_week_and_compound(capsys, served, tmp_path):
    arguments = ["data", "fetch", "bbbc021", f"how.paths.data={tmp_path}"]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "Name some: weeks=[1]" in capsys.readouterr().err
    assert command([*arguments, "weeks=[1]", "compounds=[taxol]"]) == 0
    folder = tmp_path / "hcs/bbbc021"
    assert [path.name for path in folder.glob("Week*/*")] == ["Week1_22123_B02_s1_w1AB.tif"]
    assert command([*arguments, "weeks=[1]"]) == 0
    assert len(list(folder.glob("Week*/*"))) == 2
    assert served.asked.count("BBBC021_v1_images_Week1_22123.zip") == 1


def test_what_lies_there_by_hand_is_made_ready(capsys, tmp_path):
    lay_out(tmp_path / "plankton/lensless", {"TRAIN_IMAGE/VOLVOX/1.png": png(), "TEST_IMAGE/VOLVOX/2.png": png(1)})
    assert command(["data", "fetch", "plankton/lensless", f"how.paths.data={tmp_path}"]) == 0
    assert (tmp_path / "plankton/lensless/images.csv").read_text().splitlines() == [
        "file,class,part",
        "TEST_IMAGE/VOLVOX/2.png,VOLVOX,test",
        "TRAIN_IMAGE/VOLVOX/1.png,VOLVOX,train",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["feth"], "data feth: no such command. There are: data list, data fetch"),
        (["fetch"], "data fetch: name a set: plankton/lensless"),
        (["fetch", "plankton/lenses"], "plankton/lenses: no such public set. There are: plankton/lensless"),
        (["fetch", "dsprites", "brodatz"], "data fetch: one set at a time, these are 2"),
        (["fetch", "plankton/lensless"], "Download TRAIN_IMAGE and TEST_IMAGE in a browser"),
        (["fetch", "dsprites", "weeks=[1]"], "weeks, compounds: dsprites has none"),
        (["fetch", "bbbc021", "weeks=[1,a]"], "micrographia: weeks=[1, 'a']: expected"),
        (["fetch", "bbbc021", "compounds=5"], "micrographia: compounds=5: expected"),
        (["fetch", "dsprites", "how.paths.data=null"], "how.paths.data=null: expected"),
        (["preview", "synthetic/cells", "per_class=-1"], "micrographia: per_class=-1: expected"),
        (["preview", "synthetic/cells", "output=null"], "micrographia: output=null: expected"),
        (["fetch", "dsprites", "--force"], "--force: data fetch takes --cfg job, at the end, and key=value"),
        (["fetch", "dsprites", "keap=true"], "keap: no such key (did you mean keep?)"),
        (["list", "mnist"], "mnist: no such public set"),
        (["check"], "data check: name a set, or image_folder data.root=PATH"),
        (["check", "mnist"], "data=mnist: no such choice"),
        (["check", "image_folder"], "data.root: no value given"),
        (["check", "image_folder", "data.root=nowhere"], "data.root: nowhere is no folder"),
        (["check", "synthetic/cells"], "synthetic/cells: is rendered, no files lie anywhere"),
        (["preview"], "data preview: name a set"),
        (["preview", "bbbc021"], "bbbc021: is read by data=bbbc021/fields: micrographia data preview bbbc021/fields."),
        (
            ["fetch", "bbbc021/fields"],
            "bbbc021/fields: reads the public set bbbc021: name that, as in micrographia data",
        ),
        (["check", "bbbc021/fields"], "micrographia data fetch bbbc021 brings it."),
        (["check", "assay/bbbc014"], "micrographia data fetch assay/bbbc014 brings it."),
        (["preview", "yeast/vacuoles"], "micrographia data fetch yeast/vacuoles brings it."),
        (["preview", "dsprites"], "dsprites: is read by no data=dsprites"),
        (["preview", "synthetic/cells", "per_clas=3"], "per_clas: no such key (did you mean per_class?)"),
        (["check", "dsprites"], "nothing was fetched there. micrographia data fetch dsprites does."),
    ],
)
def test_mistakes_are_answered(capsys, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["data", *arguments])
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) <= 2


def test_check_lists_what_is_wrong_and_says_so_by_its_status(capsys, served, tmp_path):
    place = f"how.paths.data={tmp_path}"
    command(["data", "fetch", "yeast/vacuoles", place])
    capsys.readouterr()
    assert command(["data", "check", "yeast/vacuoles", place]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "24 images, nothing against them" in captured.err
    image = tmp_path / "yeast/vacuoles/Dataset/images/test/positive/1.png"
    image.write_bytes(image.read_bytes()[:50])
    assert command(["data", "check", "yeast/vacuoles", place]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("Dataset/images/test/positive/1.png: ") for line in lines)
    assert "cannot be read as an image" in lines[0]
    assert "50 bytes" in lines[1]


def test_check_compares_a_set_with_what_was_published(capsys, tmp_path):
    lay_out(tmp_path / "plankton/lensless", LENSLESS)
    place = f"how.paths.data={tmp_path}"
    with pytest.raises(SystemExit):
        main(["data", "check", "plankton/lensless", place])
    assert "micrographia data fetch plankton/lensless brings it, or makes ready" in capsys.readouterr().err
    command(["data", "fetch", "plankton/lensless", place])
    capsys.readouterr()
    assert command(["data", "check", "plankton/lensless", place]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert ".: has no class ARCELLA VULGARIS" in lines
    assert ".: class VOLVOX has 8 images, 640 were published" in lines
    assert ".: has 16 images, 6400 were published" in lines


def test_a_set_laid_out_by_hand_needs_no_network(capsys, served, tmp_path):
    lay_out(tmp_path / "yeast/vacuoles", VACUOLES)
    assert command(["data", "fetch", "yeast/vacuoles", f"how.paths.data={tmp_path}"]) == 0
    assert served.asked == []
    assert (tmp_path / "yeast/vacuoles/images.csv").is_file()
    lay_out(tmp_path / "dsprites", {"sprites.npz": b"x"})
    assert command(["data", "check", "dsprites", f"how.paths.data={tmp_path}"]) == 0
    assert "put there by hand" in capsys.readouterr().err
    lay_out(tmp_path / "plankton/planktonset", {"elsewhere/1.jpg": b"x"})
    with pytest.raises(SystemExit):
        main(["data", "fetch", "plankton/planktonset", f"how.paths.data={tmp_path}"])
    assert "Request accession 0127422" in capsys.readouterr().err


def test_names_that_are_no_text_or_markup_are_shown_as_they_are(capsys, tmp_path):
    root = tmp_path / "mine"
    lay_out(root, {f"{('[bold]', '[red]x')[number % 2]}/{number}.png": png(number) for number in range(30)})
    assert command(["data", "check", "image_folder", f"data.root={root}"]) == 0
    shown = capsys.readouterr().err
    assert "[bold]" in shown
    assert "[red]x" in shown
    try:
        (root / "[bold]" / os.fsdecode(b"Z\xeblle.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this disk takes no such name")
    (root / "[bold]" / os.fsdecode(b"Z\xeblle.czi")).touch()
    assert command(["data", "check", "image_folder", f"data.root={root}"]) == 1
    lines = capsys.readouterr().out
    assert "[bold]/Z\\xeblle.png: its name is no text" in lines
    assert "[bold]/Z\\xeblle.czi: left out" in lines
    with pytest.raises(SystemExit):
        main(["train", "data=image_folder", f"data.root={root}", f"how.paths.runs={tmp_path}"])
    assert "Z\\xeblle.png: its name is no text (UTF-8), and 1 in all. Rename the file." in capsys.readouterr().err


def test_check_of_a_folder_and_of_files_that_are_no_images(capsys, served, tmp_path, monkeypatch):
    lay_out(tmp_path / "mine", {f"{'ab'[number % 2]}/{number}.png": png(number) for number in range(30)})
    assert command(["data", "check", "image_folder", f"data.root={tmp_path / 'mine'}"]) == 0
    assert "One class alone" not in capsys.readouterr().err
    assert command(["data", "check", "image_folder", f"data.root={tmp_path / 'mine' / 'a'}"]) == 0
    assert "One class alone: nothing can be classified." in capsys.readouterr().err
    served.files["sprites.npz"] = b"numbers"
    monkeypatch.setitem(
        task.SETS, "dsprites", replace(SETS["dsprites"], downloads=(Download(served.address("sprites.npz")),))
    )
    place = f"how.paths.data={tmp_path}"
    command(["data", "fetch", "dsprites", place])
    assert command(["data", "check", "dsprites", place]) == 0
    (tmp_path / "dsprites/sprites.npz").write_bytes(b"numbars")
    capsys.readouterr()
    assert command(["data", "check", "dsprites", place]) == 1
    assert capsys.readouterr().out == "sprites.npz: holds other bytes than were fetched: its SHA-256 differs\n"
    (tmp_path / "dsprites/sprites.npz").unlink()
    capsys.readouterr()
    assert command(["data", "check", "dsprites", place]) == 1
    assert capsys.readouterr().out == "sprites.npz: was fetched and is missing\n"


def test_preview_draws_a_sheet_of_each_class(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path / "mine", {f"{'ab'[number % 2]} c/{number}.png": png(number) for number in range(30)})
    common = ["how.paths.cache=cache", "per_class=5", "how.progress=false"]
    assert command(["data", "preview", "image_folder", "data.root=mine", *common]) == 0
    assert capsys.readouterr().out == "previews/image_folder\n"
    assert sorted(path.name for path in (tmp_path / "previews/image_folder").iterdir()) == [
        "a_c.png",
        "b_c.png",
        "overview.png",
    ]
    assert command(["data", "preview", "synthetic/translocation", "data.size=32", "output=sheets", *common]) == 0
    sheets = tmp_path / "sheets/translocation"
    assert sorted(path.name for path in sheets.iterdir()) == ["control.png", "overview.png", "treated.png"]
    lay_out(tmp_path / "loose", {f"{number}.png": png(number) for number in range(20)})
    assert command(["data", "preview", "image_folder", "data.root=loose", "output=sheets", *common]) == 0
    assert sorted(path.name for path in (tmp_path / "sheets/image_folder").iterdir()) == ["all.png", "overview.png"]
