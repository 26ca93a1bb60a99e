import errno
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from micrographia.data.reading import read_header, read_image
from micrographia.errors import UserError


def random_pixels(shape, dtype):
    generator = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return generator.random(shape).astype(dtype)
    return generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def write_deep_png(path, pixels):
    """A 16 bit colour PNG, ``(height, width, channels)``, which pillow cannot write: by hand, with the Sub filter."""
    import struct
    import zlib

    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").tobytes()
    length = width * channels * 2
    step = channels * 2
    filtered = b""
    for row in range(height):
        line = np.frombuffer(rows[row * length : (row + 1) * length], np.uint8)
        before = np.concatenate([np.zeros(step, np.uint8), line[:-step]])
        filtered += b"\x01" + (line - before).astype(np.uint8).tobytes()

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour_type = {2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_eight_bit_colour_comes_back_exactly(tmp_path, suffix):
    pixels = random_pixels((9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    header, image = read_image(tmp_path / f"a.{suffix}")
    assert image.dtype == np.uint8
    assert header.names == ("red", "green", "blue")
    assert (image == pixels.transpose(2, 0, 1)).all()


def test_jpeg_is_read_as_colour_or_grey(tmp_path):
    smooth = np.broadcast_to(np.arange(0, 240, 8, dtype=np.uint8), (20, 30)).copy()
    Image.fromarray(smooth).save(tmp_path / "grey.jpg", quality=95)
    Image.fromarray(np.stack([smooth] * 3, -1)).save(tmp_path / "rgb.jpeg", quality=95)
    header, grey = read_image(tmp_path / "grey.jpg")
    assert header.shape == grey.shape == (1, 20, 30)
    assert np.abs(grey[0].astype(int) - smooth).max() <= 6
    assert read_image(tmp_path / "rgb.jpeg")[1].shape == (3, 20, 30)


def test_sixteen_bit_grey_png_keeps_its_bits(tmp_path):
    pixels = random_pixels((6, 5), np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    header, image = read_image(tmp_path / "a.png")
    assert header.dtype == image.dtype == np.uint16
    assert (image[0] == pixels).all()


@pytest.mark.parametrize(("channels", "kept"), [(2, 1), (3, 3), (4, 3)])
def test_sixteen_bit_png_of_several_channels_keeps_its_bits_and_drops_alpha(tmp_path, channels, kept):
    pixels = random_pixels((6, 5, channels), np.uint16)
    write_deep_png(tmp_path / "a.png", pixels)
    header, image = read_image(tmp_path / "a.png")
    assert header.dtype == image.dtype == np.uint16
    assert header.shape == image.shape == (kept, 6, 5)
    assert (image == pixels[..., :kept].transpose(2, 0, 1)).all()


def test_alpha_is_dropped_and_palette_resolved(tmp_path):
    pixels = random_pixels((6, 5, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    header, image = read_image(tmp_path / "alpha.png")
    assert (image == pixels[..., :3].transpose(2, 0, 1)).all()
    assert header.alpha

    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png")[1][:, 0, 1].tolist() == [200, 100, 50]

    black_white = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    black_white.save(tmp_path / "mask.png")
    assert read_image(tmp_path / "mask.png")[1].tolist() == [[[0, 255], [255, 0]]]


def test_palette_tiff_becomes_colours(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 7] = [200 << 8, 100 << 8, 50 << 8]
    pixels = np.array([[7, 0, 0], [0, 7, 7]], np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="palette", colormap=colours)
    header, image = read_image(tmp_path / "a.tif")
    assert header.shape == image.shape == (3, 2, 3)
    assert image[:, 0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_tiff_of_any_depth_and_channels(tmp_path, dtype, channels):
    pixels = random_pixels((channels, 12, 10), dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata={"axes": "CYX"})
    header, image = read_image(tmp_path / "a.tif")
    assert header.shape == image.shape == (channels, 12, 10)
    assert header.dtype == image.dtype == np.dtype(dtype)
    assert (image == pixels).all()


@pytest.mark.parametrize(("shape", "order"), [((5, 12, 10), "CYX"), ((12, 10, 4), "YXC"), ((12, 10, 6), "YXC")])
def test_tiff_without_axes_follows_the_rule(tmp_path, shape, order):
    pixels = random_pixels(shape, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata=None)
    image = read_image(tmp_path / "a.tif")[1]
    assert (image == (pixels if order == "CYX" else pixels.transpose(2, 0, 1))).all()


def test_tiff_colour_drops_alpha(tmp_path):
    pixels = random_pixels((12, 10, 4), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    header, image = read_image(tmp_path / "a.tif")
    assert header.names == ("red", "green", "blue")
    assert (image == pixels[..., :3].transpose(2, 0, 1)).all()


def test_white_is_zero_tiff_is_turned(tmp_path):
    pixels = random_pixels((12, 10), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    assert (read_image(tmp_path / "a.tif")[1][0] == 255 - pixels).all()


def test_big_endian_tiff_is_in_native_order(tmp_path):
    pixels = random_pixels((12, 10), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=">")
    image = read_image(tmp_path / "a.tif")[1]
    assert image.dtype.isnative
    assert (image[0] == pixels).all()


def test_ome_tiff_names_its_channels(tmp_path):
    pixels = random_pixels((2, 12, 10), np.uint16)
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "actin"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=metadata)
    header, image = read_image(tmp_path / "a.ome.tif")
    assert header.names == ("DAPI", "actin")
    assert (image == pixels).all()


def test_imagej_hyperstack(tmp_path):
    pixels = random_pixels((1, 3, 12, 10), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX", "Labels": ["a", "b", "c"]})
    header, image = read_image(tmp_path / "a.tif")
    assert header.names == ("a", "b", "c")
    assert (image == pixels[0]).all()


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate"])
def test_compressed_tiff_of_several_pages(tmp_path, compression):
    pixels = random_pixels((3, 24, 20), np.uint16)
    pages = [Image.fromarray(page) for page in pixels]
    pages[0].save(tmp_path / "a.tif", compression=compression, save_all=True, append_images=pages[1:])
    assert (read_image(tmp_path / "a.tif")[1] == pixels).all()


@pytest.mark.parametrize("axis", ["Z", "T"])
def test_stack_or_film_is_an_error(tmp_path, axis):
    tifffile.imwrite(tmp_path / "a.tif", random_pixels((5, 12, 10), np.uint16), metadata={"axes": f"{axis}YX"})
    with pytest.raises(UserError, match=rf"a\.tif: has 5 planes along axis {axis}"):
        read_header(tmp_path / "a.tif")


def test_nan_is_an_error(tmp_path):
    pixels = np.full((4, 4), np.nan, np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(UserError, match=r"a\.tif: holds NaN"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_every_truncated_file_is_an_error_naming_it(tmp_path, suffix):
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(random_pixels((40, 30, 3), np.uint8)).save(whole)
    content = whole.read_bytes()
    for share in (0, 0.02, 0.3, 0.6, 0.95):
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError, match=rf"cut\.{suffix}: "):
            read_image(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_truncated_deep_tiff_is_an_error(tmp_path, compression):
    whole = tmp_path / "whole.tif"
    pixels = random_pixels((3, 40, 30), np.uint16)
    tifffile.imwrite(whole, pixels, photometric="minisblack", metadata={"axes": "CYX"}, compression=compression)
    content = whole.read_bytes()
    for share in (0.01, 0.3, 0.6, 0.95):
        path = tmp_path / "cut.tif"
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError, match=r"cut\.tif: "):
            read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_text_with_an_image_suffix_is_an_error(tmp_path, suffix):
    path = tmp_path / f"note.{suffix}"
    path.write_text("this is no image")
    with pytest.raises(UserError, match=rf"note\.{suffix}: cannot be read"):
        read_header(path)


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png: no such file"):
        read_image(tmp_path / "gone.png")


def test_a_file_that_must_not_be_read_is_named(tmp_path, monkeypatch):
    """The superuser, who may read everything, cannot try it with a real file."""

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    Image.new("L", (8, 8)).save(tmp_path / "cell.png")
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(UserError, match=r"cell\.png: must not be read \(Permission denied\)"):
        read_image(tmp_path / "cell.png")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "mode"), [("jpg", "L"), ("jpg", "RGB"), *(("png", mode) for mode in ("L", "RGB", "P", "I;16"))]
)
def test_a_photograph_is_upright_however_the_camera_was_held(tmp_path, orientation, mode, suffix):
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[:8, :8] = 250
    image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 200 if mode == "I;16" else pixels).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    image.save(path, exif=exif, quality=95)
    header, read = read_image(path)
    turned = ImageOps.exif_transpose(Image.open(path))
    expected = np.asarray(turned.convert("RGB") if mode == "P" else turned)
    assert header.shape == read_header(path).shape == read.shape
    np.testing.assert_array_equal(read[0], expected if expected.ndim == 2 else expected[..., 0])
    assert (header.shape[1:] == (40, 24)) == (orientation > 4)


@pytest.mark.parametrize("block", [b"Exif\x00\x00no tiff", b"", b"Exif\x00\x00MM\x00*\x00\x00\xff\xff"])
def test_a_damaged_block_of_exif_harms_no_pixel(tmp_path, block):
    pixels = random_pixels((9, 7), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=block)
    assert (read_image(tmp_path / "a.png")[1][0] == pixels).all()


def test_a_tiff_is_read_as_stored_whatever_its_tag_says(tmp_path):
    pixels = random_pixels((9, 7, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    assert (read_image(tmp_path / "a.tif")[1] == pixels.transpose(2, 0, 1)).all()


def test_an_image_that_is_too_large_is_answered_without_a_warning_of_pillow(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 9_500)).save(path)
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from micrographia.data.reading import read_image, Path; read_image(Path({str(path)!r}))",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    assert "has more than 89,000,000 pixels" in said
    assert "DecompressionBombWarning" not in said


def test_an_image_that_memory_does_not_hold_is_named(tmp_path, monkeypatch):
    def exhausted(*_):
        raise MemoryError

    Image.new("L", (8, 8)).save(tmp_path / "cell.png")
    monkeypatch.setattr("micrographia.data.reading.read_raster", exhausted)
    with pytest.raises(UserError, match=r"cell\.png: needs more memory than there is"):
        read_image(tmp_path / "cell.png")


def test_images_too_large_to_hold_are_answered_before_they_are_decoded(tmp_path):
    path = tmp_path / "huge.tif"
    tifffile.imwrite(path, shape=(10_000, 10_000), dtype=np.uint8, compression=None)
    for read in (read_header, read_image):
        with pytest.raises(UserError, match=r"huge\.tif: has more than 89,000,000 pixels\. Cut it into"):
            read(path)
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    with pytest.raises(UserError, match=r"bomb\.png: has more than 89,000,000 pixels"):
        read_image(bomb)
