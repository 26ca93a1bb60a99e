import numpy as np
import pytest
from PIL import Image

from micrographia.data.input_files import input_files
from micrographia.errors import UserError


@pytest.fixture
def images(tmp_path):
    for name in ("b.png", "plate 1/a.TIF", "plate 1/deep/c.jpg", "out/images/sr.png", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name)
    for name in ("out/prediction.json", "notes.txt", "x.czi"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_all_below_it_but_results(images, caplog):
    found = input_files(str(images), "prediction.json")
    assert found.names == ["b.png", "plate 1/a.TIF", "plate 1/deep/c.jpg"]
    assert found.root == images
    assert "files left out: 1 .czi. Save images as one of .png" in caplog.text


def test_a_file_and_a_pattern(images, monkeypatch):
    one = input_files(str(images / "plate 1" / "a.TIF"), "prediction.json")
    assert (one.root, one.names) == (images / "plate 1", ["a.TIF"])
    monkeypatch.chdir(images)
    some = input_files("plate*/**/*.[jT]*", "prediction.json")
    assert (str(some.root), some.names) == (".", ["plate 1/a.TIF", "plate 1/deep/c.jpg"])
    assert input_files("plate*", "prediction.json").names == ["plate 1/a.TIF", "plate 1/deep/c.jpg"]


def test_what_cannot_be_named_is_listed(images):
    (images / "two\nlines.png").touch()
    found = input_files(str(images), "prediction.json")
    assert list(found.unreadable) == ["two\nlines.png"]
    assert len(found.names) == 3
    with pytest.raises(UserError, match="no line of text"):
        input_files(str(images / "two\nlines.png"), "prediction.json")


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("nowhere", "no such file or folder"),
        ("x.czi", "a file of this type is not read"),
        ("*.zip", "no file matches"),
        ("empty", "holds no image. Save"),
        ("raw", "holds no image, but 2 .nd2. Save"),
    ],
)
def test_mistakes_are_answered(images, given, answer, monkeypatch):
    monkeypatch.chdir(images)
    for folder, files in (("empty", ()), ("raw", ("a.nd2", "b.nd2"))):
        (images / folder).mkdir()
        for name in files:
            (images / folder / name).touch()
    with pytest.raises(UserError) as refused:
        input_files(given, "prediction.json")
    assert str(refused.value).startswith(f"input={given}: ")
    assert answer in str(refused.value)
