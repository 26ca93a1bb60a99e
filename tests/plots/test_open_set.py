import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.plots.open_set import distances_figure, rejection_figure

PAPER = pd.DataFrame(
    {
        "by": "gbt",
        "taken_for": "Euplotes",
        "share": 0.834,
        "latent": ["Shape", "Texture", "Scale", "Color"],
        "distance": [1.42, 0.95, 0.27, 0.18],
        "deviations": [2.04, 1.0, np.nan, 0.2],
    }
)


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_a_bar_per_latent_the_farthest_on_top_beside_an_image_of_each_class():
    figure = distances_figure("Arcella", {"before": PAPER}, {"before": torch.rand(2, 3, 8, 8)})
    one, other, bars = figure.subfigs[0].axes
    assert one.get_title(loc="left") == "left out:\nArcella"
    assert other.get_title(loc="left") == "known:\nEuplotes"
    assert len(one.images) == len(other.images) == 1
    assert names(bars) == ["Shape", "Texture", "Scale", "Color"]
    assert [bar.get_width() for bar in bars.patches] == [1.42, 0.95, 0.27, 0.18]
    assert bars.get_ylim()[0] > bars.get_ylim()[1]
    assert [text.get_text() for text in bars.texts] == ["2.0 s.d.", "1.0 s.d.", "0.2 s.d."]
    assert bars.get_title(loc="left") == "before: 83 % taken for\nEuplotes, by boosted trees"


def test_phases_below_each_other_and_features_without_images():
    figure = distances_figure("Arcella", {"after": PAPER, "before": PAPER.assign(taken_for="Dileptus")})
    assert [len(part.axes) for part in figure.subfigs] == [1, 1]
    titles = [part.axes[0].get_title(loc="left") for part in figure.subfigs]
    assert [title.split(":")[0] for title in titles] == ["before", "after"]
    assert "Dileptus" in titles[0]


def test_many_latents_are_cut_and_the_figure_says_so():
    many = pd.concat([PAPER] * 20, ignore_index=True)
    (axes,) = distances_figure("Arcella", {"before": many}, most=5).subfigs[0].axes
    assert len(axes.patches) == 5
    assert axes.get_ylabel() == "the 5 farthest of 80 latents"


def test_latents_without_any_distance_have_an_axis():
    (axes,) = distances_figure("Arcella", {"before": PAPER.assign(distance=0.0)}).subfigs[0].axes
    assert axes.get_xlim()[1] > 0


def scores(**changed):
    rows = [
        {"phase": phase, "class": name, "score": score}
        for phase in ("before", "after")
        for name in ("Arcella", "Stentor")
        for score in ("knn", "probability_mlp")
    ]
    values = {"auroc": 0.8, "auroc_low": 0.7, "auroc_high": 0.9, "rejected": 0.3, "rejected_low": 0.2}
    return pd.DataFrame(rows).assign(**{**values, "rejected_high": 0.4, **changed})


def test_a_panel_per_measure_and_phase_and_a_line_per_class():
    figure = rejection_figure(scores())
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["before", "after"] * 2
    assert names(figure.axes[0]) == ["Arcella", "Stentor"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["knn", "probability, mlp"]
    points = [line for line in figure.axes[0].lines if line.get_label() == "knn"]
    np.testing.assert_allclose(points[0].get_xdata(), [0.8, 0.8])
    segment = figure.axes[0].collections[0].get_segments()[0]
    np.testing.assert_allclose(segment[:, 0], [0.7, 0.9])
    assert "95 %" in figure.axes[2].get_xlabel()
    assert "90 %" in rejection_figure(scores(), kept=0.9).axes[2].get_xlabel()


def test_scores_without_intervals_are_points():
    figure = rejection_figure(scores(auroc_low=np.nan, auroc_high=np.nan))
    np.testing.assert_allclose(figure.axes[0].collections[0].get_segments()[0][:, 0], [0.8, 0.8])


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no phase"):
        distances_figure("Arcella", {})
    with pytest.raises(ValueError, match="missing"):
        distances_figure("Arcella", {"before": PAPER.assign(distance=np.inf)})
    with pytest.raises(ValueError, match="no score"):
        rejection_figure(scores().iloc[:0])
