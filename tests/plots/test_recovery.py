import pytest
import torch
from matplotlib.colors import to_hex

from micrographia.plots.recovery import recovery_figure, solutions_figure
from micrographia.plots.style import FAINT, INK

HIGH = torch.linspace(0, 0.5, 2 * 64).reshape(2, 1, 8, 8)
COLUMNS = {"low resolution": HIGH[:, :, ::4, ::4], "1": HIGH / 2, "2": HIGH, "high resolution": HIGH}
LABELS = {"1": ["3.2", "–"], "2": ["2.9", "4.1"]}
DOUBTED = {"1": [False, True], "2": [False, False]}


def texts(axes):
    return [(text.get_text(), to_hex(text.get_color())) for text in axes.texts]


def test_columns_share_a_size_and_a_scale_of_brightness():
    axes = recovery_figure(COLUMNS, ["a", "b"]).axes[0]
    low, half, same, high = (image.get_array() for image in axes.images[:4])
    assert low.shape == high.shape == (8, 8, 3)
    assert half.max() == pytest.approx(high.max() / 2)
    assert (same == high).all()
    assert axes.images[7].get_array().max() == pytest.approx(1, abs=0.01)
    headings = [label.get_text().replace("\n", " ") for label in axes.get_xticklabels()]
    assert headings == list(COLUMNS)


def test_each_solution_stands_under_its_measurement_and_flagged_ones_are_grey():
    figure = solutions_figure(COLUMNS, ["a", "b"], LABELS, DOUBTED, "ratio")
    axes = figure.axes[0]
    assert texts(axes) == [("3.2", INK), ("2.9", INK), ("–", FAINT), ("4.1", INK)]
    for text, image in zip(axes.texts, [axes.images[place] for place in (1, 2, 5, 6)], strict=True):
        left, right, _, top = image.get_extent()
        assert left < text.get_position()[0] < right
        assert text.get_position()[1] < top  # the vertical axis points down
    assert axes.get_xlabel() == "ratio"


def test_without_measurements_the_solutions_are_drawn_alone():
    axes = solutions_figure(COLUMNS, ["a", "b"], {}, {}).axes[0]
    assert len(axes.images) == 8
    assert not axes.texts


def test_missing_images_are_black():
    columns = {"1": torch.full_like(HIGH, torch.nan), "high resolution": HIGH}
    assert (solutions_figure(columns, ["a", "b"], {}, {}).axes[0].images[0].get_array() == 0).all()


@pytest.mark.parametrize(("titles", "labels"), [(["a"], LABELS), (["a", "b"], {"1": ["3.2"]}), (["a", "b", "c"], {})])
def test_what_does_not_fit_is_refused(titles, labels):
    with pytest.raises(ValueError, match="titles for"):
        solutions_figure(COLUMNS, titles, labels, {})
