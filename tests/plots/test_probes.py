import numpy as np
import pandas as pd
import pytest

from micrographia.plots.probes import probe_figure


def scores(rows):
    table = pd.DataFrame(rows, columns=["phase", "probe", "balanced_accuracy"])
    return pd.concat([table.assign(part="test"), table.assign(part="train", balanced_accuracy=1.0)])


def test_phases_in_their_order_with_test_scores_only():
    figure = probe_figure(scores([("baseline", "gbt", 0.9), ("after", "gbt", 0.7), ("before", "gbt", 0.5)]), 0.25)
    axes = figure.axes[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["before", "after", "baseline"]
    assert [bar.get_height() for bar in sorted(axes.patches, key=lambda bar: bar.get_x())] == [0.5, 0.7, 0.9]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["boosted trees"]


def test_chance_is_a_labelled_dashed_line():
    axes = probe_figure(scores([("before", "gbt", 0.5)]), 0.25).axes[0]
    (line,) = axes.get_lines()
    assert set(line.get_ydata()) == {0.25}
    assert line.is_dashed()
    assert "chance 0.25" in [text.get_text() for text in axes.texts]


def test_repeats_are_mean_spread_and_points():
    axes = probe_figure(scores([("before", "gbt", 0.4), ("before", "gbt", 0.6)]), 0.5).axes[0]
    assert axes.patches[0].get_height() == pytest.approx(0.5)
    (segment,) = axes.collections[0].get_segments()
    np.testing.assert_allclose(segment[:, 1], [0.5 - np.sqrt(0.02), 0.5 + np.sqrt(0.02)])
    assert any(np.array_equal(line.get_ydata(), [0.4, 0.6]) for line in axes.get_lines())


def test_a_probe_missing_in_a_phase_leaves_a_gap():
    axes = probe_figure(scores([("before", "gbt", 0.5), ("before", "mlp", 0.6), ("after", "mlp", 0.7)]), 0.5).axes[0]
    assert len(axes.patches) == 3


def test_nothing_to_draw_is_refused():
    table = scores([("before", "gbt", 0.5)])
    with pytest.raises(ValueError, match="test part"):
        probe_figure(table[table["part"] == "train"], 0.5)
    with pytest.raises(ValueError, match="missing"):
        probe_figure(table.assign(balanced_accuracy=np.nan), 0.5)
