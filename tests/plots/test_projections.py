import numpy as np
import pandas as pd
import pytest

from micrographia.plots.projections import GAP, projections_figure, pushed_apart

TITLES = {"pca": "PCA", "tsne": "t-SNE"}


def drawn(classes, methods=("pca", "tsne"), phases=("after", "before"), count=60):
    generator = np.random.default_rng(0)
    points = {
        (phase, method): pd.DataFrame(generator.normal(size=(count, 2)), columns=[f"{method} 1", f"{method} 2"])
        for phase in phases
        for method in methods
    }
    names = pd.Series([f"class {number % classes:02d}" for number in range(count)])
    return projections_figure(points, dict.fromkeys(points, names), TITLES)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_a_row_per_phase_and_a_column_per_projection():
    figure = drawn(3)
    assert titles(figure) == ["before: PCA", "before: t-SNE", "after: PCA", "after: t-SNE"]
    assert figure.axes[0].get_xlabel() == "pca 1"
    assert not len(figure.axes[1].get_xticks())
    assert not [text for axes in figure.axes for text in axes.texts]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["class 00", "class 01", "class 02"]


def test_one_projection_stands_beside_itself():
    figure = drawn(3, methods=("pca",))
    tops = {axes.get_subplotspec().rowspan.start for axes in figure.axes}
    assert titles(figure) == ["before: PCA", "after: PCA"]
    assert tops == {0}


def test_fifteen_classes_are_numbered_at_their_medians():
    figure = drawn(15)
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == [str(number) for number in range(1, 16)]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0] == "1  class 00"
    assert legend[14] == "15  class 14"
    axes = figure.axes[0]
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    own = np.concatenate([points.get_offsets() for points in axes.collections])
    assert ((own >= low) & (own <= high)).all()


def test_crowded_numbers_are_pushed_apart_and_others_stay():
    generator = np.random.default_rng(0)
    crowded = np.concatenate([0.5 + 0.01 * generator.normal(size=(14, 2)), [[0.1, 0.9]], [[0.5, 0.5]] * 2])
    moved = pushed_apart(crowded)
    distances = np.linalg.norm(moved[:, None] - moved[None], axis=-1) + np.eye(len(moved))
    assert distances.min() > 0.9 * GAP
    np.testing.assert_array_equal(moved[14], crowded[14])
    np.testing.assert_array_equal(moved, pushed_apart(crowded))


def test_a_single_column_spreads_the_classes():
    points = pd.DataFrame({"PC1": np.arange(20.0)})
    figure = projections_figure({("before", "pca"): points}, {("before", "pca"): pd.Series(list("ab") * 10)}, TITLES)
    assert figure.axes[0].get_ylabel() == "class"


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no projection"):
        projections_figure({}, {}, {})
