import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrographia.data.checking import check_folder
from micrographia.data.image_folder import ImageFolder
from micrographia.errors import UserError
from micrographia.runs.fingerprint import ContentHashes


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    for place in ("a", "a/inner", "b"):
        (tmp_path / "set" / place).mkdir(parents=True)
        for number in range(12):
            pixels = generator.integers(0, 200, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / place / f"{number:02}.png")
    return tmp_path / "set"


@pytest.fixture
def close(monkeypatch):
    """Close a folder also to the superuser, who may enter all."""
    closed = set()
    scandir = os.scandir

    def refusing(path="."):
        if Path(path) in closed:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return closed.add


def folder(root, **options):
    return ImageFolder("set", str(root), 16, **options)


def problems(root, **options):
    return check_folder(folder(root, **options)).problems.set_index("file")["problem"]


def test_a_link_that_leads_back_is_no_class_and_is_told(root, caplog):
    address, rows = ContentHashes().of_folder(root), folder(root).arrange()
    (root / "all").symlink_to(".")
    (root / "b" / "up").symlink_to(root)
    looped = folder(root)
    assert looped.arrange().equals(rows)
    assert looped.classes == ("a", "b")
    assert "2 links left out, which lead back to a folder that they lie in, the first" in caplog.text
    assert ContentHashes().of_folder(root) == address
    assert dict(problems(root)) == dict.fromkeys(
        ("all", "b/up"), "left out: a link that leads back to a folder it lies in"
    )


def test_a_linked_folder_is_read_as_deep_as_it_is_hashed(root, tmp_path):
    more = tmp_path / "elsewhere" / "more"
    more.mkdir(parents=True)
    (root / "b" / "link").symlink_to(more.parent)
    address = ContentHashes().of_folder(root)
    Image.new("RGB", (16, 16)).save(more / "new.png")
    assert ContentHashes().of_folder(root) != address
    assert "b/link/more/new.png" in set(folder(root).arrange()["file"])


def test_hidden_folders_are_neither_read_nor_hashed(root):
    address = ContentHashes().of_folder(root)
    (root / "a" / ".thumbnails").mkdir()
    Image.new("RGB", (16, 16)).save(root / "a" / ".thumbnails" / "00.png")
    assert len(folder(root).arrange()) == 36
    assert ContentHashes().of_folder(root) == address


@pytest.mark.parametrize("place", ["a/inner", "b"])
def test_a_closed_folder_stops_or_is_counted(root, close, place, caplog):
    (root / "c").mkdir()
    for number in range(12):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(root / "c" / f"{number}.png")
    close(root / place)
    with pytest.raises(UserError, match=rf"{place}: must not be read \(Permission denied\)\. Give yourself the right"):
        folder(root).arrange()
    assert len(folder(root, on_error="skip").arrange()) == 36
    assert f"1 folders left out (data.on_error=skip), the first {root / place}: Permission denied" in caplog.text
    assert problems(root)[place] == "left out: Permission denied"


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_closed_root_is_refused(root, close, on_error):
    close(root)
    with pytest.raises(UserError, match=r"set: must not be read"):
        folder(root, on_error=on_error).arrange()


def test_a_pipe_named_as_an_image_is_not_waited_for(root):
    os.mkfifo(root / "a" / "pipe.png")
    assert problems(root)["a/pipe.png"].startswith("is no regular file")
    with pytest.raises(UserError, match=r"pipe\.png: is no regular file"):
        folder(root).setup()
    data = folder(root, on_error="skip")
    data.setup()
    assert set(data.faults) == {"a/pipe.png"}
