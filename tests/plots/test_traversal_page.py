"""The page of sliders: its images, their order, and what it needs from elsewhere: nothing."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from micrographia.plots.strips import read_strips
from micrographia.plots.traversal_page import traversal_page

COLUMNS = ("1 %", "50 %", "99 %")


def page(names=("Scale", "<z1>"), divergences=(0.5, 2.0)):
    images = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 8) / 6
    return traversal_page(images, names, divergences, COLUMNS, "share below", "Traversals of cells")


def test_each_latent_has_its_strip_the_most_informative_first():
    html = page()
    strips = read_strips(html)
    pictures = [np.asarray(Image.open(io.BytesIO(strip.picture))) for strip in strips]
    assert [picture.shape for picture in pictures] == [(4, 24, 3)] * 2
    assert pictures[0][0, ::8, 0].tolist() == [128, 170, 212]
    assert html.index("2.00 nats") < html.index("0.50 nats")
    assert html.count('type="range"') == 2
    assert 'max="2" value="1"' in html
    assert [(strip.name, strip.axis, strip.steps) for strip in strips] == [
        ("<z1>", "share below", COLUMNS),
        ("Scale", "share below", COLUMNS),
    ]
    assert (strips[0].width, strips[0].height) == (8, 4)


def test_names_are_text_and_nothing_is_fetched():
    html = page()
    assert "&lt;z1&gt;" in html
    assert "<z1>" not in html
    assert not re.search(r"https?://|src=|<link", html)
    assert 'aria-label="Scale, share below"' in html


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 names"):
        page(names=("Scale",))


def test_a_page_of_something_else_has_no_strips():
    assert read_strips("<figure data-name='a'><img></figure><p style='--strip: none'>") == []
