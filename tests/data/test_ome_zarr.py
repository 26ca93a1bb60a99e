import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from micrographia.data.image_folder import ImageFolder
from micrographia.data.listing import list_images
from micrographia.data.pixel_cache import file_state
from micrographia.data.reading import read_header, read_image
from micrographia.errors import UserError

zarr = pytest.importorskip("zarr", reason="zarr, an extra, is not installed")

PIXELS = np.random.default_rng(0).integers(0, 4000, (2, 12, 10), dtype=np.uint16)


def write(path, version="0.4", pixels=PIXELS, axes="cyx", labels=("DAPI", "GFP")):
    """An OME-Zarr image with two resolutions, as its version describes itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if version == "0.5" else 2)
    for level, step in enumerate((1, 2)):
        values = pixels[..., ::step, ::step]
        group.create_array(str(level), shape=values.shape, dtype=values.dtype, chunks=values.shape)[...] = values
    image = {"version": version, "datasets": [{"path": "0"}, {"path": "1"}]}
    if version in ("0.4", "0.5"):
        image["axes"] = [{"name": name, "type": "space"} for name in axes]
    elif version == "0.3":
        image["axes"] = list(axes)
    described = {"multiscales": [image], "omero": {"channels": [{"label": label} for label in labels]}}
    group.attrs.update({"ome": described} if version == "0.5" else described)
    return path


@pytest.mark.parametrize("version", ["0.3", "0.4", "0.5"])
def test_an_image_is_read_at_full_resolution_with_its_labels(tmp_path, version):
    path = write(tmp_path / "cell.ome.zarr", version)
    header, image = read_image(path)
    np.testing.assert_array_equal(image, PIXELS)
    assert header == read_header(path)
    assert (header.shape, header.dtype, header.names) == ((2, 12, 10), np.uint16, ("DAPI", "GFP"))


def test_axes_that_an_old_version_did_not_name_and_single_planes(tmp_path):
    path = write(tmp_path / "old.zarr", "0.1", PIXELS[None, :, None], labels=())
    header, image = read_image(path)
    np.testing.assert_array_equal(image, PIXELS)
    assert header.names == ("0", "1")
    lone = zarr.open_array(str(tmp_path / "plain.zarr"), mode="w", shape=(12, 10), dtype="f4")
    lone[...] = 0.5
    header, image = read_image(tmp_path / "plain.zarr")
    assert (header.shape, header.names, image.min(), image.dtype) == ((1, 12, 10), ("grey",), 0.5, np.float32)
    for name, shape in (("stacked", (1, 12, 10)), ("last", (12, 10, 1)), ("many", (1, 1, 12, 10))):
        zarr.open_array(str(tmp_path / f"{name}.zarr"), mode="w", shape=shape, dtype="u1")[...] = 7
        assert read_image(tmp_path / f"{name}.zarr")[1].shape == (1, 12, 10)
    mask = zarr.open_array(str(tmp_path / "mask.zarr"), mode="w", shape=(4, 4), dtype=bool)
    mask[...] = True
    assert read_image(tmp_path / "mask.zarr")[1].tolist() == [[[255] * 4] * 4]


def test_a_single_series_is_the_image_and_several_must_be_chosen(tmp_path):
    root = tmp_path / "converted.zarr"
    zarr.open_group(str(root), mode="w", zarr_format=2)
    write(root / "0")
    np.testing.assert_array_equal(read_image(root)[1], PIXELS)
    write(root / "1", pixels=PIXELS + 1)
    with pytest.raises(UserError, match=r"converted\.zarr: holds 2 images: name one, converted\.zarr/0"):
        read_image(root)
    np.testing.assert_array_equal(read_image(root / "1")[1], PIXELS + 1)


def test_what_cannot_be_used_is_said(tmp_path):
    stack = write(tmp_path / "stack.zarr", pixels=np.zeros((5, 8, 8), np.uint8), axes="zyx", labels=())
    with pytest.raises(UserError, match=r"stack\.zarr: has 5 planes along axis Z"):
        read_image(stack)
    plate = tmp_path / "plate.zarr"
    group = zarr.open_group(str(plate), mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": [{"path": "B/3"}]}
    with pytest.raises(UserError, match=r"is a plate\. Name its fields .* as plate\.zarr/B/3/0"):
        read_image(plate)
    zarr.open_group(str(tmp_path / "none.zarr"), mode="w")
    with pytest.raises(UserError, match=r"none\.zarr: holds no OME-Zarr image"):
        read_image(tmp_path / "none.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(UserError, match=r"empty\.zarr: holds no Zarr array and no OME-Zarr image"):
        read_image(tmp_path / "empty.zarr")
    few = write(tmp_path / "few.zarr", axes="yx")
    with pytest.raises(UserError, match=r"few\.zarr: names 2 axes \(YX\), its array has 3"):
        read_image(few)
    with pytest.raises(UserError, match=r"gone\.zarr: no such folder"):
        read_image(tmp_path / "gone.zarr")
    (tmp_path / "file.zarr").write_text("no folder")
    with pytest.raises(UserError, match=r"file\.zarr: no such folder"):
        read_image(tmp_path / "file.zarr")
    huge = zarr.open_array(str(tmp_path / "huge.zarr"), mode="w", shape=(12_000, 12_000), dtype="u1")
    assert huge.nbytes == 144_000_000
    with pytest.raises(UserError, match=r"huge\.zarr: has more than 89,000,000 pixels"):
        read_header(tmp_path / "huge.zarr")
    broken = write(tmp_path / "broken.zarr")
    (broken / "0" / ".zarray").write_text("{")
    with pytest.raises(UserError, match=r"broken\.zarr: cannot be read as an image"):
        read_image(broken)


def test_a_damaged_chunk_is_an_error(tmp_path):
    path = write(tmp_path / "cell.zarr")
    chunk = next(file for file in (path / "0").rglob("*") if file.is_file() and not file.name.startswith("."))
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(UserError, match=r"cell\.zarr: cannot be read as an image"):
        read_image(path)


def test_zarr_images_in_class_folders_and_tables(tmp_path, caplog):
    root = tmp_path / "set"
    for kind in ("a", "b"):
        for number in range(10):
            write(root / kind / f"{number}.zarr", pixels=PIXELS + number)
    rows = list_images(root, None, "file", "class", False)
    assert rows["file"].tolist() == sorted(f"{kind}/{number}.zarr" for kind in "ab" for number in range(10))
    assert "left out" not in caplog.text
    data = ImageFolder("set", str(root), 12, model_channels=2)
    assert data.images(data.indices("train")).shape == (12, 2, 12, 12)
    assert data.record()["channels"] == "DAPI, GFP"

    plate = tmp_path / "plate"
    for well in range(20):
        write(plate / "p.zarr" / "A" / str(well) / "0", pixels=PIXELS + well)
    names = [f"p.zarr/A/{well}/0" for well in range(20)]
    pd.DataFrame({"file": names, "class": ["x", "y"] * 10}).to_csv(plate / "wells.csv", index=False)
    wells = ImageFolder("plate", str(plate), 12, model_channels=2, table="wells.csv", cache=str(tmp_path / "cache"))
    wells.setup()
    assert wells.classes == ("x", "y")
    before = file_state(plate / names[0])
    (plate / names[0] / ".zattrs").write_text(json.dumps({**json.loads((plate / names[0] / ".zattrs").read_text())}))
    assert file_state(plate / names[0]) != before


def test_loose_zarr_images_have_no_classes(tmp_path):
    for number in range(5):
        write(tmp_path / f"{number}.zarr")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "beside.png")
    rows = list_images(tmp_path, None, "file", "class", False)
    assert rows["file"].tolist() == [*(f"{number}.zarr" for number in range(5)), "beside.png"]
    assert "class" not in rows


def test_other_images_may_lie_below_a_folder_of_that_name(tmp_path):
    (tmp_path / "old.zarr").mkdir()
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "old.zarr" / "cell.png")
    assert read_image(tmp_path / "old.zarr" / "cell.png")[1].max() == 7
