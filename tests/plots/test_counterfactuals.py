import pytest
import torch

from micrographia.plots.counterfactuals import counterfactual_figure


def test_each_image_stands_beside_what_it_would_have_to_be():
    original = torch.zeros(2, 3, 8, 8)
    changed = original.clone()
    changed[0, :, 2:4] = 0.5
    figure = counterfactual_figure(original, original, changed, ["copepod\nto egg", "b"], ["Scale +1.00 sd", "c"])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "original",
        "decoded",
        "counterfactual",
        "change, scaled",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["copepod\nto egg", "b"]
    assert "Scale +1.00 sd" in [text.get_text() for text in axes.texts]
    change, unchanged = (axes.images[row * 4 + 3].get_array() for row in range(2))
    assert change[3, 0, 0] > change[3, 0, 2]  # brighter is red
    assert unchanged.std() == pytest.approx(unchanged[0].std())


def test_what_does_not_fit_is_refused():
    images = torch.rand(2, 1, 4, 4)
    with pytest.raises(ValueError, match="titles"):
        counterfactual_figure(images, images, images, ["a"], ["b", "c"])
    with pytest.raises(ValueError, match="images of"):
        counterfactual_figure(images, images[:1], images, ["a", "b"], ["b", "c"])
