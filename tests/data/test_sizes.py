import numpy as np
import pytest

from micrographia.data.intensity import Intensity, percentile_limits
from micrographia.data.sizes import Squares, common_side, pad_to_square, resize, shrink_to_fit


def test_relative_scale_is_kept():
    """An object twice as long stays twice as long, whatever the size of its image."""
    squares = Squares(size=64, side=128, background="zero")
    small, large = (squares(np.full((1, 20, length), 255, np.uint8)) for length in (40, 80))
    assert large.sum() == pytest.approx(2 * small.sum(), rel=0.02)


def test_larger_image_is_shrunk_whole_and_in_proportion():
    image = shrink_to_fit(np.full((3, 200, 50), 9, np.uint8), 100)
    assert image.shape == (3, 100, 25)
    assert shrink_to_fit(image, 100) is image


def test_padding_centres_and_fills_each_channel_with_its_border():
    image = np.stack([np.full((4, 6), 10), np.full((4, 6), 200)]).astype(np.uint8)
    image[:, 1:3, 1:5] = 77
    square = pad_to_square(image, 8, "border")
    assert square[:, 0, 0].tolist() == [10, 200]
    assert (square[:, 2:6, 1:7] == image).all()
    assert pad_to_square(image, 8, "zero")[:, 0, 0].tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_downsizing_is_antialiased(dtype, channels):
    """Stripes finer than the new pixels become their mean, instead of one of the two colours."""
    image = np.zeros((channels, 128, 128), dtype)
    image[:, :, ::2] = 200
    small = resize(image, 16, 16)
    assert small.dtype == dtype
    assert np.abs(small.astype(float) - 100).max() < 8


def test_resizing_stays_in_range():
    image = np.random.default_rng(0).choice(np.array([0, 1], np.float32), (1, 30, 20))
    large = resize(image, 64, 64)
    assert large.min() >= 0
    assert large.max() <= 1


def test_plain_resize_fills_the_square():
    assert (Squares(size=16, side=None)(np.full((3, 10, 40), 5, np.uint8)) == 5).all()


def test_common_side_by_quantile():
    shapes = [(1, length, 3) for length in range(1, 101)]
    assert common_side(shapes) == 100
    assert common_side(shapes, 0.5) in (50, 51)


def test_eight_bit_is_left_alone_by_its_type():
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert Intensity("dtype")(image) is image


@pytest.mark.parametrize(("dtype", "highest"), [(np.uint16, 65535), (np.int16, 32767), (np.float32, 1)])
def test_deeper_types_by_their_range(dtype, highest):
    image = np.array([[[0, highest]]], dtype)
    assert Intensity("dtype")(image).tolist() == [[[0, 1]]]


def test_limits_are_per_channel_and_clip():
    images = [np.stack([np.arange(0, 1001), np.arange(5000, 6001)]).reshape(2, 7, 143).astype(np.uint16)]
    limits = percentile_limits(images, 1, (10, 90))
    assert np.allclose(limits, [(100, 900), (5100, 5900)])
    scaled = Intensity("percentile", (10, 90), limits)(images[0])
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert np.allclose(scaled[0], scaled[1], atol=1e-6)


def test_own_percentiles_take_out_gain_and_offset():
    image = np.random.default_rng(0).integers(0, 500, (2, 20, 20)).astype(np.float32)
    rule = Intensity("image", (1, 99))
    assert np.allclose(rule(image), rule(image * 7 + 300), atol=1e-5)


def test_constant_channel_becomes_zero():
    image = np.full((1, 4, 4), 300, np.uint16)
    assert (Intensity("image")(image) == 0).all()
    assert (Intensity("percentile", limits=((300.0, 300.0),))(image) == 0).all()
