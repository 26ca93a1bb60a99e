import numpy as np
import pytest
import tifffile
from PIL import Image

from micrographia.data import planes
from micrographia.data.reading import read_header, read_image
from micrographia.errors import UserError


def pixels(*shape, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def write(path, *images, **options):
    with tifffile.TiffWriter(path, ome=path.name.endswith(".ome.tif")) as file:
        for image in images:
            colour = image.ndim == 3 and image.shape[-1] == 3
            file.write(image, photometric="rgb" if colour else "minisblack", contiguous=False, **options)
    return path


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_grey_planes_that_are_alike_are_channels(tmp_path, compression):
    planes = [pixels(20, 30, seed=seed) for seed in range(4)]
    path = write(tmp_path / "a.tif", *planes, compression=compression)
    assert len(tifffile.TiffFile(path).series) == 4
    header, image = read_image(path)
    assert header == read_header(path)
    assert header.names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(image, planes)


@pytest.mark.parametrize(("channels", "side"), [(2, 4), (3, 4), (4, 4), (5, 4), (5, 2)])
def test_planes_of_four_pixels_and_less_are_planes(tmp_path, channels, side):
    """Low-resolution images may be as small as that."""
    image = pixels(channels, side, side)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[1], image)


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("small", [pixels(5, 8), pixels(10, 15, 3, dtype=np.uint8)])
def test_a_thumbnail_is_not_the_image(tmp_path, where, small):
    image = pixels(20, 30)
    path = write(tmp_path / "a.tif", *((small, image) if where == "first" else (image, small)))
    assert read_header(path).shape == (1, 20, 30)
    np.testing.assert_array_equal(read_image(path)[1][0], image)


def test_a_page_that_is_marked_as_reduced_is_not_the_image(tmp_path):
    image = pixels(20, 30)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels(12, 12), photometric="minisblack", subfiletype=1)
        file.write(image, photometric="minisblack")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[1][0], image)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("types.tif", (pixels(20, 30), pixels(20, 30, dtype=np.uint8))),
        ("sizes.tif", (pixels(20, 30), pixels(20, 18))),
        ("colours.tif", (pixels(20, 30, 3, dtype=np.uint8), pixels(20, 30, 3, dtype=np.uint8))),
        ("places.ome.tif", (pixels(20, 30), pixels(20, 30))),
        ("stacks.tif", (pixels(4, 20, 30), pixels(4, 20, 30))),
    ],
)
def test_several_images_in_a_file_are_refused(tmp_path, name, images):
    path = write(tmp_path / name, *images)
    for read in (read_header, read_image):
        with pytest.raises(UserError, match=rf"{name}: holds 2 images \(.*\)\. Save each in a file of its own"):
            read(path)


def test_many_channels_are_answered_before_they_are_decoded(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, shape=(600, 900, 900), dtype=np.uint8, photometric="minisblack", compression=None)
    with pytest.raises(UserError, match=r"a\.tif: has 486,000,000 pixels in its 600 channels, more than 356,000,000"):
        read_image(path)
    monkeypatch.setattr(planes, "MOST_VALUES", 4 * 20 * 30 - 1)
    with pytest.raises(UserError, match=r"b\.tif: has 2,400 pixels in its 4 channels"):
        read_header(write(tmp_path / "b.tif", *[pixels(20, 30)] * 4))


def test_an_image_of_another_format_is_to_be_renamed(tmp_path):
    for kind, suffix in (("PNG", ".png"), ("JPEG", ".jpg"), ("BMP", ".bmp")):
        Image.new("RGB", (8, 8)).save(tmp_path / "cell.tif", kind)
        with pytest.raises(UserError, match=rf"its content is {kind}\. Rename it to cell\{suffix}\."):
            read_image(tmp_path / "cell.tif")


@pytest.mark.parametrize("error", [ImportError("No module named 'compression'"), ValueError("needs 'imagecodecs'")])
def test_a_compression_that_nothing_here_unpacks_names_the_package(tmp_path, monkeypatch, error):
    image = pixels(20, 30)
    path = write(tmp_path / "a.tif", image, compression="zlib")

    def lacking(*_, **__):
        raise error

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lacking)
    np.testing.assert_array_equal(read_image(path)[1][0], image)  # pillow can

    def not_configured(*_, **__):
        raise OSError("decoder error -2 when reading image file")

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load", not_configured)
    with pytest.raises(UserError, match=r"ADOBE_DEFLATE\) needs one more package: pip install imagecodecs"):
        read_image(path)
