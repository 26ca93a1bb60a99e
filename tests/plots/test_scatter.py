import numpy as np
import pandas as pd
import pytest

from micrographia.plots.scatter import MOST, codes_figure


def phase(count, classes, latents=("Scale", "z1")):
    generator = np.random.default_rng(0)
    codes = pd.DataFrame(generator.normal(size=(count, 3)), columns=["Scale", "z1", "z2"])
    return codes, pd.Series([f"class_{index % classes:02d}" for index in range(count)]), latents


def points(axes):
    return np.concatenate([collection.get_offsets() for collection in axes.collections])


def test_a_panel_per_phase_with_its_own_latents():
    figure = codes_figure({"before": phase(60, 3), "after": phase(60, 3, ("z2", "Scale"))})
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["before", "after"]
    assert [(panel.get_xlabel(), panel.get_ylabel()) for panel in figure.axes] == [
        ("Scale", "z1"),
        ("z2", "Scale"),
    ]
    assert len(points(figure.axes[0])) == 60


def test_fifteen_classes_look_different_and_stand_in_the_legend():
    legend = codes_figure({"before": phase(150, 15)}).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [f"class_{index:02d}" for index in range(15)]
    assert len({(handle.get_color(), handle.get_marker()) for handle in legend.legend_handles}) == 15


def test_categories_keep_their_order():
    codes, classes, latents = phase(30, 3)
    order = pd.CategoricalDtype(["class_02", "class_00", "class_01", "class_09"])
    legend = codes_figure({"before": (codes, classes.astype(order), latents)}).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["class_02", "class_00", "class_01"]


def test_large_classes_are_thinned_and_small_ones_are_not():
    codes, _, latents = phase(2000, 1)
    classes = pd.Series(["common"] * 1990 + ["rare"] * 10)
    axes = codes_figure({"before": (codes, classes, latents)}).axes[0]
    assert [len(collection.get_offsets()) for collection in axes.collections] == [MOST, 10]
    assert axes.get_title(loc="left") == f"before, {MOST + 10} of 2,000"


def test_one_class_and_one_latent():
    axes = codes_figure({"before": phase(20, 1, ("Scale", "Scale"))}).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Scale", "class")
    np.testing.assert_allclose(np.sort(points(axes)[:, 0]), np.sort(phase(20, 1)[0]["Scale"]))


def test_what_cannot_be_drawn_is_refused():
    codes, classes, latents = phase(20, 2)
    with pytest.raises(ValueError, match="no phase"):
        codes_figure({})
    with pytest.raises(ValueError, match="19 classes"):
        codes_figure({"before": (codes, classes[:19], latents)})
    with pytest.raises(ValueError, match="missing"):
        codes_figure({"before": (codes.assign(z1=np.nan), classes, latents)})
