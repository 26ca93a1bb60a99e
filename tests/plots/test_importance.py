import numpy as np
import pandas as pd
import pytest

from micrographia.plots.importance import importance_figure


def table(rows):
    found = pd.DataFrame(rows, columns=["phase", "probe", "feature", "importance"])
    return found.assign(kind=["gain" if probe == "gbt" else "permutation" for probe in found["probe"]])


EXAMPLE = table(
    [
        ("before", "gbt", "Scale", 0.6),
        ("before", "gbt", "z1", 0.4),
        ("after", "gbt", "Scale", 0.3),
        ("after", "gbt", "z1", 0.7),
        ("before", "mlp", "Scale", 60.0),
        ("before", "mlp", "z1", 40.0),
        ("after", "mlp", "Scale", 30.0),
        ("after", "mlp", "z1", 70.0),
        *(("baseline", "gbt", f"pixel{index}", 0.1) for index in range(500)),
    ]
)


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_a_panel_per_probe_and_a_bar_per_phase_without_the_baseline():
    figure = importance_figure(EXAMPLE)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["boosted trees", "perceptron"]
    assert names(figure.axes[0]) == ["z1", "Scale"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["before", "after"]
    before, after = figure.axes[0].containers
    assert [bar.get_width() for bar in before] == [0.4, 0.6]
    assert [bar.get_width() for bar in after] == [0.7, 0.3]
    assert figure.axes[0].yaxis_inverted()


def test_probes_of_other_units_weigh_the_same_in_the_order():
    rows = [
        ("after", "gbt", "a", 1.0),
        ("after", "gbt", "b", 0.1),
        ("after", "mlp", "a", 70.0),
        ("after", "mlp", "b", 100.0),
    ]
    assert names(importance_figure(table(rows)).axes[0]) == ["a", "b"]


def test_a_latent_renamed_by_fine_tuning_has_one_bar_only():
    rows = [
        ("before", "gbt", "Scale", 0.9),
        ("before", "gbt", "z1", 0.1),
        ("after", "gbt", "z0", 0.8),
        ("after", "gbt", "z1", 0.2),
    ]
    axes = importance_figure(table(rows)).axes[0]
    assert names(axes) == ["z0", "z1", "Scale"]
    assert [len(container) for container in axes.containers] == [2, 2]


def test_repeats_are_mean_and_spread():
    rows = [("before", "gbt", "z0", value) for value in (0.2, 0.4)]
    axes = importance_figure(table(rows)).axes[0]
    assert axes.patches[0].get_width() == pytest.approx(0.3)
    (segment,) = axes.collections[0].get_segments()
    np.testing.assert_allclose(segment[:, 0], [0.3 - np.sqrt(0.02), 0.3 + np.sqrt(0.02)])
    assert "s.d." in axes.get_xlabel()


def test_many_latents_are_cut_and_the_figure_says_so():
    rows = [("before", "gbt", f"z{index}", float(index)) for index in range(50)]
    axes = importance_figure(table(rows), most=5).axes[0]
    assert names(axes) == ["z49", "z48", "z47", "z46", "z45"]
    assert axes.get_ylabel() == "the 5 most important of 50 latents"


def test_one_latent_without_any_importance():
    axes = importance_figure(table([("before", "gbt", "z0", 0.0)])).axes[0]
    assert names(axes) == ["z0"]


def test_kinds_have_panels_of_their_own_and_comparable_ones_one_axis():
    rows = [
        (phase, probe, name, value * scale, kind)
        for phase in ("before", "after")
        for probe, kind, scale in (
            ("gbt", "gain", 1.0),
            ("gbt", "permutation", 0.2),
            ("mlp", "permutation", 0.4),
            ("gbt", "shap", 0.5),
            ("mlp", "shap", 0.6),
        )
        for name, value in (("Scale", 0.7), ("z1", 0.3))
    ]
    found = pd.DataFrame(rows, columns=["phase", "probe", "feature", "importance", "kind"])
    figure = importance_figure(found.sample(frac=1, random_state=0).sort_values("probe", kind="stable"))
    shown = [axes for axes in figure.axes if axes.axison]
    trees, perceptron = "boosted trees", "perceptron"
    assert [axes.get_title(loc="left") for axes in shown] == [trees, trees, perceptron, trees, perceptron]
    labels = [axes.get_xlabel().split()[0] for axes in shown]
    assert labels == ["share", "fall", "fall", "share", "share"]
    assert len(figure.axes) == 8
    assert shown[1].get_xlim() == shown[2].get_xlim() != shown[0].get_xlim()
    assert shown[1].containers[0][0].get_width() == pytest.approx(0.14)
    assert names(figure.axes[4]) == ["Scale", "z1"]


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="before or after"):
        importance_figure(EXAMPLE[EXAMPLE["phase"] == "baseline"])
    with pytest.raises(ValueError, match="missing"):
        importance_figure(EXAMPLE.assign(importance=np.nan))
