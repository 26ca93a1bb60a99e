import numpy as np
import pytest
import tifffile
from PIL import Image

from micrographia.data.image_folder import ImageFolder
from micrographia.data.preparing import CONSTANT, DIM, SHRUNK, Preparation
from micrographia.errors import UserError

NAMES = {"metadata": {"axes": "CYX", "Channel": {"Name": ["DAPI", "actin"]}}, "ome": True}


def write(folder, kind, count=6, seed=0):
    """A folder of images of different sizes."""
    draws = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        height, width = draws.integers(9, 20, 2)
        if kind == "deep":
            image = draws.integers(100, 4000, (2, height, width), dtype=np.uint16)
            tifffile.imwrite(folder / f"{number}.ome.tif", image, photometric="minisblack", **NAMES)
        else:
            shape = (height, width) if kind == "grey" or (kind == "mixed" and number % 2) else (height, width, 3)
            Image.fromarray(draws.integers(0, 255, shape, dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def learned(root, **options):
    """A set as a run has it, and what the run keeps of it: config and record."""
    data = ImageFolder("mine", str(root), size=8, split="none", **options)
    return data, {"root": str(root), "model_channels": 3, **options}, data.record()


def preparation(settings, record, **options):
    return Preparation(settings, record, settings["model_channels"], 8, **options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("colour", {}),
        ("mixed", {}),
        ("grey", {"invert": True, "fit": "resize"}),
        ("deep", {}),
        ("deep", {"channels": ["actin", "DAPI"], "model_channels": 2, "background": "zero", "percentiles": (1, 99)}),
        ("deep", {"channels": ["actin"], "model_channels": 1, "intensity": "image"}),
        ("deep", {"intensity": "zscore", "pad_quantile": 0.5}),
        ("deep", {"limits": [[0, 3000]], "invert": True}),
    ],
)
def test_items_are_those_of_the_training(tmp_path, kind, options):
    data, settings, record = learned(write(tmp_path / "mine", kind), **options)
    prepare = preparation(settings, record)
    for index, name in enumerate(data.arrange()["file"]):
        prepared = prepare(data.root / name)
        np.testing.assert_array_equal(prepared.item, data.pixels[index].numpy())
        assert prepared.item.dtype == data.pixels[index].numpy().dtype


def test_an_item_depends_on_its_file_alone(tmp_path):
    _, settings, record = learned(write(tmp_path / "mine", "deep"))
    other = write(tmp_path / "other", "deep", count=1, seed=7) / "0.ome.tif"
    expected = preparation(settings, record)(other).item
    again = ImageFolder("other", str(tmp_path / "other"), size=8, split="none", fitted=record)
    np.testing.assert_array_equal(expected, again.images(again.indices("train"))[0].numpy())


def test_what_is_not_to_be_trusted_is_flagged(tmp_path):
    _, settings, record = learned(write(tmp_path / "mine", "deep"))
    prepare = preparation(settings, record)
    draws = np.random.default_rng(1)
    found = {}
    for name, image in {
        "large": draws.integers(100, 4000, (2, 40, 40)),
        "dim": draws.integers(100, 110, (2, 9, 9)),
        "flat": np.full((2, 9, 9), 100),
        "right": draws.integers(100, 4000, (2, 9, 9)),
    }.items():
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", image.astype(np.uint16), photometric="minisblack", **NAMES)
        found[name] = prepare(tmp_path / f"{name}.ome.tif").flag
    assert found == {"large": SHRUNK, "dim": DIM, "flat": CONSTANT, "right": ""}


def tiff(path, image, names=None):
    metadata = {"axes": "CYX"} | ({"Channel": {"Name": names}} if names else {})
    tifffile.imwrite(path, image, photometric="minisblack", metadata=metadata, ome=bool(names))
    return path


@pytest.mark.parametrize(
    ("shape", "dtype", "names", "answer"),
    [
        ((2, 9, 9), np.uint8, ["DAPI", "actin"], "has 8 bit, the run learned from images of more than 8 bit"),
        ((3, 9, 9), np.uint16, ["DAPI", "actin", "x"], "the channels DAPI, actin, x; the run learned from DAPI, actin"),
        ((1, 9, 9), np.uint16, ["DAPI"], "has the channels DAPI; the run learned from DAPI, actin, zero"),
        ((2, 9, 9), np.uint16, ["actin", "DAPI"], "Name them in that order, as channels=[actin,DAPI], or by number"),
        ((4, 9, 9), np.uint16, ["a", "b", "c", "d"], "channels: the images have 4 channels, the model takes 3"),
    ],
)
def test_other_images_than_were_learned_from_are_refused(tmp_path, shape, dtype, names, answer):
    _, settings, record = learned(write(tmp_path / "mine", "deep"))
    file = tiff(tmp_path / "other.ome.tif", np.random.default_rng(0).integers(0, 200, shape).astype(dtype), names)
    with pytest.raises(UserError) as refused:
        preparation(settings, record)(file)
    assert answer in str(refused.value)
    assert str(refused.value).startswith(f"{file}: ")


def test_channels_and_limits_may_be_said(tmp_path):
    _, settings, record = learned(write(tmp_path / "mine", "deep"))
    image = np.random.default_rng(0).integers(0, 200, (2, 9, 9)).astype(np.uint8)
    file = tiff(tmp_path / "other.ome.tif", image, ["actin", "DAPI"])
    item = preparation(settings, record, chosen=["DAPI", "actin"], limits=[[0, 200]])(file).item
    assert item[2].max() == 0
    assert item[0].mean() / 255 == pytest.approx(image[1].mean() / 200, rel=0.2)
    with pytest.raises(UserError, match=r"^limits=\[\[5, 1\]\]: expected one rising pair"):
        preparation(settings, record, limits=[[5, 1]])


def test_of_rendered_images_nothing_is_known_but_their_counts(tmp_path):
    rendered = {"images": {}, "classes": [], "limits": [[0.0, 8000.0], [0.0, 8000.0]]}
    deep = tiff(tmp_path / "deep.tif", np.full((2, 9, 12), 4000, np.uint16))
    assert Preparation({}, rendered, 2, 6)(deep).item == pytest.approx(0.5)
    with pytest.raises(UserError, match=r"keeps no scale of them.*limits=\[\[LOW,HIGH\]\]"):
        Preparation({}, {"images": {}}, 2, 6)(deep)
    unit = tiff(tmp_path / "unit.tif", np.full((2, 9, 12), 0.25, np.float32))
    assert Preparation({}, rendered, 2, 6)(unit).item == pytest.approx(0.25)
    with pytest.raises(UserError, match="images have 3"):
        Preparation({}, {"images": {}}, 3, 6)(unit)


def test_what_a_run_does_not_keep_is_said(tmp_path):
    with pytest.raises(UserError, match="made by an earlier version"):
        Preparation({"root": "images"}, {"images": {}}, 3, 8)
    _, settings, record = learned(write(tmp_path / "mine", "deep"))
    record = {**record, "limits": [], "limits_of_plates": {"P1": [[1.0, 2.0]] * 3}}
    with pytest.raises(UserError, match=r"limits=\[\[LOW,HIGH\],\.\.\.\]; those of its plate P1 are \[\[1\.0, 2\.0\]"):
        preparation(settings, record)
    with pytest.raises(UserError, match="makes images of 4 x 4 px"):
        preparation(settings, record, limits=[[0, 9]], side=4)(tmp_path / "mine" / "0.ome.tif")
