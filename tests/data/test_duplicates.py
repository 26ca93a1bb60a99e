import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from micrographia.data.duplicates import near_duplicates, thumbnail


def scene(seed, side=80, blur=5.0):
    """Blobs, soft as cells or sharper."""
    noise = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur))
    grey = np.asarray(image, float)
    grey = 255 * (grey - grey.min()) / (grey.max() - grey.min())
    return grey[None]


def changed(image, how):
    if how == "brighter":
        return image * 1.4 + 10
    if how == "16 bit":
        return (image * 200).astype(np.uint16)
    if how == "noise":
        return image + np.random.default_rng(9).normal(0, 8, image.shape)
    if how in ("smaller", "larger"):
        side = round(image.shape[-1] * {"smaller": 0.7, "larger": 1.5}[how])
        return np.asarray(Image.fromarray(image[0].astype(np.uint8)).resize((side, side)))[None]
    return np.repeat(image, 3, 0)


@pytest.mark.parametrize("blur", [1.2, 5])
@pytest.mark.parametrize("side", [48, 80])
@pytest.mark.parametrize("how", ["brighter", "16 bit", "noise", "smaller", "larger", "colour"])
def test_a_copy_is_found_however_it_was_saved(how, side, blur):
    images = [scene(seed, side, blur) for seed in range(12)]
    images.append(changed(images[4], how))
    pairs = near_duplicates([thumbnail(image) for image in images])
    assert pairs[["one", "other"]].to_numpy().tolist() == [[4, 12]]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_other_scenes_and_negatives_are_not_copies(seed):
    images = [scene(seed), scene(seed + 1), 255 - scene(seed), np.full((1, 40, 40), 7), np.full((1, 40, 40), 7)]
    assert near_duplicates([thumbnail(image) for image in images]).empty


def test_pairs_across_chunks_are_found_once(monkeypatch):
    monkeypatch.setattr("micrographia.data.duplicates.CHUNK", 3)
    images = [scene(seed) for seed in range(8)]
    order = [0, 1, 2, 3, 4, 5, 6, 7, 0, 3, 3]
    pairs = near_duplicates([thumbnail(images[number]) for number in order])
    assert sorted(map(tuple, pairs[["one", "other"]].to_numpy().tolist())) == [(0, 8), (3, 9), (3, 10), (9, 10)]


def test_a_film_of_frames_that_are_all_alike_needs_little_memory(monkeypatch, caplog):
    monkeypatch.setattr("micrographia.data.duplicates.MOST", 500)
    monkeypatch.setattr("micrographia.data.duplicates.CHUNK", 16)
    small = thumbnail(scene(0))
    pairs = near_duplicates([small] * 300)
    assert 500 < len(pairs) < 300 * 299 / 2
    assert "more than 500 near-duplicates" in caplog.text


def test_none_of_none():
    assert near_duplicates([]).columns.tolist() == ["one", "other", "correlation"]
