"""The page of recovered images: its strips, in one scale of brightness, and the stages that are compared first."""

import io

import numpy as np
import torch
from PIL import Image

from micrographia.plots.recovery import recovery_page
from micrographia.plots.strips import read_strips

HIGH = torch.linspace(0, 0.5, 2 * 64).view(2, 1, 8, 8)
COLUMNS = {"low resolution": HIGH[..., ::4, ::4], "rls": HIGH, "high resolution": HIGH}


def test_each_image_is_a_strip_of_its_stages_enlarged_and_brightened_alike():
    page = recovery_page(COLUMNS, ["image 3", "<5>"], "Recovered", brightest=1.0)
    strips = read_strips(page)
    assert [strip.name for strip in strips] == ["image 3", "<5>"]
    assert strips[0].steps == ("low resolution", "RLS", "high resolution")
    pixels = np.asarray(Image.open(io.BytesIO(strips[1].picture)))
    assert pixels.shape == (8, 24, 3)
    assert pixels[-1, -1].tolist() == [255, 255, 255]  # the brightest of all
    assert len(np.unique(pixels[:, :8, 0])) == 4  # low resolution, without interpolation
    assert (pixels[:, 8:16] == pixels[:, 16:]).all()


def test_low_resolution_meets_the_last_method_first_and_nothing_is_fetched():
    page = recovery_page(COLUMNS, ["a", "b"], "Recovered")
    right = page.split("<label>right")[1]
    assert '<option value="1" selected>RLS' in right
    assert "http" not in page
