import numpy as np
import pytest
from PIL import Image

from micrographia.data.synthetic.textures import BRODATZ_PLATES, TEXTURES, textures
from micrographia.errors import UserError


def write_plates(folder, names=None, size=300):
    for i, number in enumerate(BRODATZ_PLATES):
        rows, columns = np.mgrid[0:size, 0:size]
        plate = ((rows * (i + 1) + columns) % 256).astype(np.uint8)
        Image.fromarray(plate).save(folder / (names or "D{}.png").format(number))


@pytest.mark.parametrize("size", [16, 64, 224])
def test_free_textures_are_equal_in_brightness_and_contrast(size):
    brightness = textures(size)
    assert brightness.shape == (len(TEXTURES), size, size)
    assert brightness.min() >= 0.08
    assert brightness.max() <= 1
    assert brightness.mean((1, 2)) == pytest.approx(0.62, abs=0.02)
    assert brightness.std((1, 2)) == pytest.approx(0.2, abs=0.03)  # less where bright joints are cut


def test_free_textures_are_unlike_each_other():
    patterns = textures(64).reshape(5, -1)
    assert np.abs(np.corrcoef(patterns) - np.eye(5)).max() < 0.2


@pytest.mark.parametrize("names", ["D{}.png", "d{:03d}.tif", "D{}_COLORED.png"])
def test_brodatz_plates_are_cropped_at_offset_20_and_kept_as_they_are(tmp_path, names):
    write_plates(tmp_path, names)
    (tmp_path / "readme.txt").write_text("plates")
    plates = textures(224, str(tmp_path))
    rows, columns = np.mgrid[20:244, 20:244]
    for i in range(5):
        np.testing.assert_allclose(plates[i], (rows * (i + 1) + columns) % 256 / 255, atol=1e-6)


def test_brodatz_plates_are_resized(tmp_path):
    write_plates(tmp_path)
    assert textures(64, str(tmp_path)).shape == (5, 64, 64)


def test_missing_plate_is_named(tmp_path):
    write_plates(tmp_path)
    (tmp_path / "D23.png").unlink()
    with pytest.raises(UserError, match="one image for plate D23, found none"):
        textures(64, str(tmp_path))


def test_two_images_of_a_plate_are_named(tmp_path):
    write_plates(tmp_path)
    (tmp_path / "d109.gif").touch()
    with pytest.raises(UserError, match=r"plate D109, found D109\.png, d109\.gif"):
        textures(64, str(tmp_path))


def test_missing_folder_small_plate_and_corrupt_plate_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere is no folder"):
        textures(64, str(tmp_path / "nowhere"))
    write_plates(tmp_path, size=200)
    with pytest.raises(UserError, match=r"D11\.png is \(200, 200\), smaller than 244"):
        textures(64, str(tmp_path))
    (tmp_path / "D11.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"D11\.png is not a readable image"):
        textures(64, str(tmp_path))
