import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.api.arrays import data_of
from micrographia.data.reading import read_image
from micrographia.errors import UserError
from micrographia.runs.fingerprint import ContentHashes


def images(dtype, channels=2):
    return (np.random.default_rng(0).random((3, channels, 8, 9)) * 200).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float32", "float64", "int64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_what_is_written_is_what_was_given(dtype, channels, tmp_path):
    given = images(dtype, channels)
    root = data_of(given, None, tmp_path)["data.root"]
    for name, image in zip(("000000.tif", "000001.tif", "000002.tif"), given, strict=True):
        header, read = read_image(root / name)
        assert header.shape == image.shape
        np.testing.assert_array_equal(read, image.astype(read.dtype))
        assert read.dtype in (np.uint8, np.uint16, np.float32)


def test_the_same_images_are_the_same_files_wherever_they_lie(tmp_path):
    given = images("float32")
    one, two = (data_of(given, list("aba"), tmp_path / name)["data.root"] for name in ("one", "two"))
    assert one.name == two.name
    assert ContentHashes().of_folder(one) == ContentHashes().of_folder(two)
    assert data_of(torch.from_numpy(given), list("aba"), tmp_path / "one")["data.root"] == one
    others = [
        data_of(given + 1, list("aba"), tmp_path)["data.root"].name,
        data_of(given, list("abb"), tmp_path)["data.root"].name,
        data_of(given.astype("uint8"), list("aba"), tmp_path)["data.root"].name,
    ]
    assert len({one.name, *others}) == 4
    assert not list(tmp_path.rglob("*.part"))


def test_values_in_0_to_1_are_taken_as_they_are(tmp_path):
    assert data_of(images("float32") / 200, None, tmp_path)["data.limits"] == [[0, 1]]
    for given in (images("float32"), images("uint8"), images("float32") - 1):
        assert "data.limits" not in data_of(given, None, tmp_path)


def test_what_is_known_of_images_stands_in_a_table(tmp_path):
    known = pd.DataFrame({"well": ["A1", "A2", "A3"], "class": ["x", "y", "x"]}, index=[7, 8, 9])
    data = data_of(images("uint8"), known, tmp_path)
    written = pd.read_csv(data["data.root"] / "images.csv")
    assert written.to_dict("list") == {
        "file": ["000000.tif", "000001.tif", "000002.tif"],
        "well": ["A1", "A2", "A3"],
        "class": ["x", "y", "x"],
    }
    assert "data.label" not in data
    assert data_of(images("uint8"), known[["well"]], tmp_path)["data.label"] is None


@pytest.mark.parametrize(
    ("given", "classes", "said"),
    [
        (np.zeros((3, 3)), None, r"an array of shape \(3, 3\)"),
        (np.zeros((0, 1, 8, 8)), None, r"an array of shape \(0, 1, 8, 8\)"),
        (np.zeros((2, 64, 64, 3)), None, "64 channels of 64 x 3 px. Channels come before height"),
        (np.zeros((2, 8, 8)) - 1j, None, "values of type complex128"),
        (np.full((2, 8, 8), -1), None, "integers from -1 to -1"),
        (np.zeros((2, 8, 8)), ["a"], "classes: 1 of 2 images"),
    ],
)
def test_what_is_no_array_of_images_is_refused(given, classes, said, tmp_path):
    with pytest.raises(UserError, match=said):
        data_of(given, classes, tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"Set how\.paths\.cache to another folder"):
        data_of(images("uint8"), None, tmp_path / "file")
