"""The page of sliders: its images, their order, and what it needs from elsewhere: nothing."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from micrographia.plots.traversal_page import traversal_page

COLUMNS = ("1 %", "50 %", "99 %")


def page(names=("Scale", "<z1>"), divergences=(0.5, 2.0)):
    images = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 8) / 6
    return traversal_page(images, names, divergences, COLUMNS, "share below", "Traversals of cells")


def test_each_latent_has_its_strip_the_most_informative_first():
    html = page()
    strips = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))) for code in re.findall(r"base64,([^)]+)\)", html)
    ]
    assert [strip.shape for strip in strips] == [(4, 24, 3)] * 2
    assert strips[0][0, ::8, 0].tolist() == [128, 170, 212]
    assert html.index("2.00 nats") < html.index("0.50 nats")
    assert html.count('type="range"') == 2
    assert 'max="2" value="1"' in html
    assert '["1 %", "50 %", "99 %"]' in html


def test_names_are_text_and_nothing_is_fetched():
    html = page()
    assert "&lt;z1&gt;" in html
    assert "<z1>" not in html
    assert not re.search(r"https?://|src=|<link", html)
    assert 'aria-label="Scale, share below"' in html


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 names"):
        page(names=("Scale",))
