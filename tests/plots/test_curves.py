import numpy as np
import pandas as pd
import pytest

from micrographia.plots.curves import curves_figure, smooth


def curves(**values):
    rows = [
        (batch, batch * 64, f"{part}/{name}", float(function(batch)))
        for name, function in values.items()
        for part, step in (("train", 5), ("val", 100))
        for batch in range(0, 500, step)
    ]
    return pd.DataFrame(rows, columns=["batches", "images", "name", "value"])


def test_one_panel_per_quantity_loss_and_its_parts_first():
    table = curves(accuracy=lambda t: t / 500, kl=lambda t: 1 + t, loss=lambda t: 5 - t / 500)
    figure = curves_figure(table)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["loss", "kl", "accuracy"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "validation"]


def test_training_is_smoothed_over_its_raw_line_and_validation_is_not():
    raw, smoothed, validation = curves_figure(curves(loss=lambda t: 5 + t % 2)).axes[0].get_lines()
    assert smoothed.get_label() == "training"
    assert np.var(smoothed.get_ydata()) < np.var(raw.get_ydata())
    assert validation.get_xdata().tolist() == [0, 6400, 12800, 19200, 25600]


def test_smoothing_keeps_a_straight_line_and_its_length():
    line = pd.Series(np.linspace(0, 1, 300))
    np.testing.assert_allclose(smooth(line)[10:-10], line[10:-10])
    assert len(smooth(line)) == 300


@pytest.mark.parametrize(
    ("function", "scale"),
    [
        (lambda t: 50 + 5000 * np.exp(-t / 20), "log"),
        (lambda t: 50 + t / 10, "linear"),
        (lambda t: -1 + 5000 * np.exp(-t / 20), "linear"),
        (lambda t: 14 * (1 - np.exp(-t / 50)) + 1e-4, "linear"),
    ],
)
def test_logarithmic_only_for_a_steep_fall_of_positive_values(function, scale):
    assert curves_figure(curves(loss=function)).axes[0].get_yscale() == scale


def test_images_are_counted_in_thousands():
    table = curves(loss=lambda t: 1.0).assign(images=lambda rows: rows["images"] * 20)
    figure = curves_figure(table)
    figure.draw_without_rendering()
    assert "150k" in [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_values_that_are_not_finite_are_left_out():
    table = curves(loss=lambda t: 1.0)
    table.loc[3, "value"] = np.nan
    assert all(np.isfinite(line.get_ydata()).all() for line in curves_figure(table).axes[0].get_lines())
    with pytest.raises(ValueError, match="no finite value"):
        curves_figure(table.assign(value=np.nan))
