import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from micrographia.data.intensity import Intensity
from micrographia.data.preprocessing import Preprocessing, Steps, resizes_tall_first
from micrographia.data.sizes import Squares

HALF = 2**-11  # the largest step of half precision in 0..1


@st.composite
def settings_and_images(draw):
    deep = draw(st.booleans())
    shape = (2, draw(st.integers(1, 70)), draw(st.integers(1, 70)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind, highest = (np.uint16, 65535) if deep else (np.uint8, 255)
    image = generator.integers(0, highest + 1, shape).astype(kind)
    rule = draw(st.sampled_from(["dtype", "percentile", "image"]))
    steps = Steps(
        channels=("a", "b"),
        sources=(0, 1),
        size=draw(st.integers(4, 60)),
        depth="deep" if deep else "8 bit",
        rule=rule,
        limits=((0.1 * highest, 0.6 * highest), (0.0, 0.9 * highest)) if rule == "percentile" else (),
        percentiles=(2.0, 97.0),
        highest=float(highest),
        invert=draw(st.booleans()),
        resized=True,
        side=draw(st.none() | st.integers(4, 60)),
        background=draw(st.sampled_from(["zero", "border"])),
        tall_first=resizes_tall_first(),
    )
    return steps, image


def prepared(steps, image):
    """What the data set makes of an image."""
    image = Intensity(steps.rule, steps.percentiles, steps.limits)(image)
    if steps.invert:
        image = (255 if image.dtype == np.uint8 else 1) - image
    item = Squares(steps.size, steps.side, steps.background)(image)
    return item / np.float32(255) if item.dtype == np.uint8 else item.astype(np.float16).astype(np.float32)


@given(settings_and_images())
def test_items_are_those_of_the_data_set(drawn):
    steps, image = drawn
    found = Preprocessing(steps)(torch.from_numpy(image.astype(np.float32))[None])[0].numpy()
    expected = prepared(steps, image)
    assert found.shape == expected.shape == (2, steps.size, steps.size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=HALF if steps.depth == "deep" else 1e-7)


def test_tall_images_whose_columns_shrink_most():
    image = np.random.default_rng(0).integers(0, 256, (1, 90, 20), dtype=np.uint8)
    for size in (6, 12, 18):
        steps = Steps(("a",), (0,), size, resized=True, tall_first=resizes_tall_first())
        found = Preprocessing(steps)(torch.from_numpy(image.astype(np.float32))[None])[0].numpy()
        np.testing.assert_array_equal(found, Squares(size, None)(image) / np.float32(255))


def test_channels_are_repeated_or_left_black_after_inverting():
    one = Preprocessing(Steps(("grey",), (0, 0, 0), size=2))
    assert one(torch.full((1, 1, 2, 2), 51.0)).tolist() == torch.full((1, 3, 2, 2), 0.2).tolist()
    two = Preprocessing(Steps(("a", "b"), (1, 0, None), size=1, invert=True))
    found = two(torch.tensor([51.0, 255.0]).view(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, 0.8, 0.0]))


def test_each_image_is_scaled_by_the_limits_that_are_fed_with_it():
    preprocessing = Preprocessing(Steps(("a",), (0,), size=1, depth="deep", rule="given"))
    values = torch.tensor([150.0, 150.0, 900.0]).view(3, 1, 1, 1)
    limits = torch.tensor([[100.0, 200.0], [100.0, 300.0], [100.0, 300.0]]).view(3, 1, 2)
    assert preprocessing(values, limits).flatten().tolist() == [0.5, 0.25, 1.0]


def test_all_images_of_a_batch_are_prepared_like_each_alone():
    steps = Steps(("a",), (0,), size=16, rule="image", resized=True, side=24)
    images = torch.randint(256, (3, 1, 30, 20)).float()
    preprocessing = Preprocessing(steps)
    alone = torch.cat([preprocessing(image[None]) for image in images])
    torch.testing.assert_close(preprocessing(images), alone, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (Steps(("g",), (0, 0), 8), "channels fed: g; repeated to 2"),
        (Steps(("a", "b"), (0, 1, None), 8), "channels fed: a, b; 1 of zeros added"),
        (Steps(("a",), (0,), 8, depth="unit"), "values in 0..1 stay as they are"),
        (Steps(("a",), (0,), 8, rule="limits", limits=((3.0, 9.0),)), "values 3 to 9 (a pair per model channel)"),
        (Steps(("a",), (0,), 8, resized=True, side=9), "padded (border) to a square of 9 px"),
    ],
)
def test_steps_are_told_in_words(steps, told):
    assert told in "\n".join(steps.described())
