from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from micrographia.plots.association import association_figure
from micrographia.plots.confusion import confusion_figure

LONG = "siphonophore_calycophoran_rocketship_young"


def labels(ticks):
    return [label.get_text() for label in ticks]


def test_counts_are_written_and_rows_are_shaded_by_their_share():
    table = pd.DataFrame([[8, 2, 0], [0, 0, 5]], index=["copepod", "salp"], columns=["copepod", "diatom", "salp"])
    axes = confusion_figure(table).axes[0]
    assert [text.get_text() for text in axes.texts] == ["8", "2", "0", "0", "0", "5"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2, 0], [0, 0, 1]])
    assert axes.images[0].get_clim() == (0, 1)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert labels(axes.get_xticklabels()) == ["copepod", "diatom", "salp"]
    assert labels(axes.get_yticklabels()) == ["copepod", "salp"]


def test_fifteen_long_names_do_not_overlap():
    names = [f"{LONG}_{letter}" for letter in "abcdefghijklmno"]
    figure = confusion_figure(pd.DataFrame(np.eye(15, dtype=int), index=names, columns=names))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert [label.replace("\n", "") for label in labels(axes.get_yticklabels())] == names
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert not any(first.overlaps(second) for first, second in pairwise(boxes))
    cell = axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]
    assert all(text.get_window_extent().width < cell for text in axes.texts)


def test_a_class_that_never_occurs_has_no_share():
    axes = confusion_figure(pd.DataFrame([[0, 0], [1, 3]])).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0, 0], [0.25, 0.75]])


def test_one_class():
    assert [text.get_text() for text in confusion_figure(pd.DataFrame([[7]])).axes[0].texts] == ["7"]


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame([[1, -1]]), pd.DataFrame([[1, np.nan]])])
def test_what_is_no_confusion_matrix_is_refused(table):
    with pytest.raises(ValueError, match="confusion matrix"):
        confusion_figure(table)


def test_association_labels_latents_and_factors():
    matrix = pd.DataFrame({"Scale": [0.7, 0.1], "PosX": np.nan}, index=["Scale", "z1"])
    figure = association_figure(matrix)
    axes, scale = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0.70", "–", "0.10", "–"]
    assert labels(axes.get_yticklabels()) == ["Scale", "z1"]
    assert labels(axes.get_xticklabels()) == ["Scale", "PosX"]
    assert scale.get_ylabel() == "normalised mutual information"


def test_association_of_one_latent_and_one_factor():
    assert association_figure(pd.DataFrame({"Scale": [1.0]})).axes[0].texts[0].get_text() == "1.00"


def test_association_must_lie_in_the_unit_range():
    with pytest.raises(ValueError, match=r"0\.\.1"):
        association_figure(pd.DataFrame({"Scale": [1.5]}))
    with pytest.raises(ValueError, match="empty"):
        association_figure(pd.DataFrame())
