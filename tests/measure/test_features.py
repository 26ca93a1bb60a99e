"""Hand-made features against shapes, colours and textures whose measurements are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from micrographia.errors import UserError
from micrographia.measure.colour import colour_features
from micrographia.measure.features import hand_made_features
from micrographia.measure.objects import object_mask
from micrographia.measure.shape import UNITS, shape_features
from micrographia.measure.texture import texture_features


def ellipse(side=128, major=30.0, minor=15.0, angle=0.0, row=64.0, column=64.0):
    """Mask of an ellipse whose major axis is turned anticlockwise from the horizontal, in degrees."""
    y, x = np.mgrid[:side, :side]
    along = np.cos(np.deg2rad(angle)) * (x - column) - np.sin(np.deg2rad(angle)) * (y - row)
    across = np.sin(np.deg2rad(angle)) * (x - column) + np.cos(np.deg2rad(angle)) * (y - row)
    return (along / major) ** 2 + (across / minor) ** 2 < 1


def test_an_ellipse_has_the_measures_of_its_axes():
    found = shape_features(ellipse(angle=30))
    assert found["area"] == pytest.approx(np.pi * 30 * 15, rel=0.01)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - 0.25), rel=0.01)
    assert found["elongation"] == pytest.approx(0.5, abs=0.01)
    assert found["orientation"] == pytest.approx(30, abs=1)
    assert found["solidity"] > 0.97
    assert found["position_x"] == pytest.approx(64.5 / 128, abs=1e-3)
    perimeter = np.pi * (3 * 45 - np.sqrt((3 * 30 + 15) * (30 + 3 * 15)))  # Ramanujan
    assert found["perimeter"] == pytest.approx(perimeter, rel=0.02)


def test_a_disc_is_round_and_a_cross_is_not():
    disc = shape_features(ellipse(major=20, minor=20))
    assert disc["roundness"] == pytest.approx(1, abs=0.03)
    assert disc["eccentricity"] < 0.1
    assert disc["elongation"] < 0.01
    cross = np.zeros((64, 64), bool)
    cross[28:36, 8:56] = cross[8:56, 28:36] = True
    found = shape_features(cross)
    assert found["roundness"] < 0.6
    assert found["solidity"] < 0.7


@settings(deadline=None, max_examples=30)
@given(
    angle=st.floats(-85, 85),
    row=st.floats(40, 88),
    column=st.floats(40, 88),
)
def test_what_moves_and_turns_keeps_its_size_and_shape(angle, row, column):
    still, moved = shape_features(ellipse()), shape_features(ellipse(angle=angle, row=row, column=column))
    for name in ("area", "perimeter", "eccentricity", "elongation", "solidity", "roundness"):
        assert moved[name] == pytest.approx(still[name], rel=0.04), name
    assert moved["orientation"] == pytest.approx(angle, abs=2)
    assert (moved["position_x"] * 128 - 0.5, moved["position_y"] * 128 - 0.5) == pytest.approx((column, row), abs=0.5)


def test_an_object_is_found_whether_dark_bright_or_only_coloured():
    mask = ellipse(64, 14, 9, row=30, column=34)
    generator = np.random.default_rng(0)
    for inside, outside in (((0.9,), (0.1,)), ((0.2,), (0.8,)), ((0.3, 0.6, 0.3), (0.6, 0.3, 0.3))):
        image = np.where(mask, np.array(inside)[:, None, None], np.array(outside)[:, None, None])
        noisy = np.clip(image + generator.normal(0, 0.02, image.shape), 0, 1)
        found = object_mask(noisy)
        assert (found & mask).sum() / (found | mask).sum() > 0.9


def test_the_largest_object_counts_and_its_holes_are_filled():
    image = np.zeros((1, 64, 64))
    image[0][ellipse(64, 14, 14, row=30, column=34)] = 1
    image[0][ellipse(64, 5, 5, row=30, column=34)] = 0
    image[0, 58:62, 2:6] = 1
    assert object_mask(image).sum() == pytest.approx(np.pi * 14**2, rel=0.05)


def test_an_image_without_an_object_has_no_numbers():
    flat = np.full((1, 3, 32, 32), 0.4)
    flat += np.random.default_rng(0).normal(0, 0.002, flat.shape)
    table = hand_made_features(flat)
    assert table.isna().all(axis=None)
    assert list(table.attrs["units"]) == list(table)


@pytest.mark.parametrize(
    ("colour", "hue"), [((0.8, 0.1, 0.1), 0), ((0.1, 0.8, 0.1), 120), ((0.2, 0.2, 0.9), 240), ((0.9, 0.9, 0.1), 60)]
)
def test_hue_is_the_colour_of_the_object_alone(colour, hue):
    mask = ellipse(64, 14, 9, row=30, column=34)
    image = np.where(mask, np.array(colour)[:, None, None], np.array([0.1, 0.5, 0.6])[:, None, None])
    found = colour_features(image, mask, ("red", "green", "blue"))
    assert found["hue"] == pytest.approx(hue, abs=1e-6)
    assert found["mean_red"] == pytest.approx(colour[0])
    assert found["spread_red"] == pytest.approx(0)


def test_hues_around_red_do_not_average_to_cyan_and_grey_has_none():
    image = np.zeros((3, 4, 4))
    image[0], image[1, :2], image[2, 2:] = 0.8, 0.2, 0.2
    everywhere = np.ones((4, 4), bool)
    hue = colour_features(image, everywhere, ("red", "green", "blue"))["hue"]
    assert min(hue, 360 - hue) < 1e-6
    assert np.isnan(colour_features(np.full((3, 4, 4), 0.5), everywhere, ("red", "green", "blue"))["hue"])
    assert "hue" not in colour_features(image, everywhere, ("DNA", "actin", "tubulin"))


def test_texture_tells_a_chequered_from_a_smooth_object():
    everywhere = np.ones((32, 32), bool)
    y, x = np.mgrid[:32, :32]
    chequered = texture_features(((x + y) % 2).astype(float), everywhere)
    smooth = texture_features(x / 31, everywhere)
    # Neighbours in rows and columns differ by all 31 levels, those across corners not at all.
    straight, across = 2 * 2 * 31 * 32, 2 * 2 * 31 * 31
    assert chequered["haralick_contrast"] == pytest.approx(31**2 * straight / (straight + across))
    assert smooth["haralick_contrast"] < 2
    assert smooth["haralick_correlation"] > 0.99
    assert chequered["haralick_entropy"] < smooth["haralick_entropy"]
    noise = texture_features(np.random.default_rng(0).random((32, 32)), everywhere)
    assert abs(noise["haralick_correlation"]) < 0.1
    assert noise["lbp_9"] > 0.2 > smooth["lbp_9"]  # many patterns of noise are no uniform ones
    assert sum(noise[f"lbp_{n}"] for n in range(10)) == pytest.approx(1)


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_granularity_peaks_at_the_radius_of_the_grains(radius):
    image = np.zeros((64, 64))
    grain = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    for row in range(8, 60, 14):
        for column in range(8, 60, 14):
            image[row - radius : row + radius + 1, column - radius : column + radius + 1] = grain
    found = texture_features(image, np.ones((64, 64), bool))
    spectrum = [found[f"granularity_{r}"] for r in range(1, 7)]
    # A disc of radius r outlasts erosion by the disc of radius r and not by that of r + 1.
    assert int(np.argmax(spectrum)) + 1 == radius + 1
    assert max(spectrum) == pytest.approx(1)


def test_what_lies_outside_the_mask_has_no_part():
    generator = np.random.default_rng(0)
    mask = ellipse(64, 14, 9, row=30, column=34)
    images = generator.random((2, 3, 64, 64))
    images[1] = np.where(mask, images[0], generator.random((3, 64, 64)))
    table = hand_made_features(images, np.stack([mask, mask]))
    np.testing.assert_allclose(table.iloc[0], table.iloc[1])


def test_a_table_has_a_unit_for_every_column_and_lengths_in_micrometres():
    mask = ellipse(64, 14, 9, row=30, column=34)
    images = np.where(mask, 0.9, 0.1)[None, None].repeat(2, axis=1)
    plain = hand_made_features(images, channels=("DNA", "actin"))
    sized = hand_made_features(images, channels=("DNA", "actin"), um_per_px=0.5)
    assert set(plain) == set(plain.attrs["units"])
    assert {"mean_DNA", "spread_actin", "granularity_3", *UNITS} <= set(plain)
    assert sized["area"][0] == pytest.approx(plain["area"][0] / 4)
    assert (sized.attrs["units"]["area"], plain.attrs["units"]["perimeter"]) == ("um^2", "px")
    assert plain["mean_DNA"][0] == pytest.approx(ndimage.mean(images[0, 0], object_mask(images[0]), 1))


def test_what_does_not_fit_is_said():
    images = np.zeros((2, 3, 8, 8))
    with pytest.raises(UserError, match=r"features: 2 names of channels \(a, b\) for 3 channels"):
        hand_made_features(images, channels=("a", "b"))
    with pytest.raises(UserError, match=r"features: masks \(1, 8, 8\) for images \(2, 3, 8, 8\)"):
        hand_made_features(images, np.zeros((1, 8, 8), bool))
    seen = []
    hand_made_features(images, progress=lambda *done: seen.append(done))
    assert seen == [(2, 2)]
