import numpy as np
import pandas as pd
import pytest

from micrographia.plots.scores import matrix_figure, scores_figure

LATENTS, FACTORS = ["Scale", "z1"], ["Scale", "Shape", "PosX"]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_matrix_is_shaded_relative_to_its_largest_entry():
    matrix = pd.DataFrame([[20.0, -10.0, np.nan], [0.0, 0.125, np.inf]], LATENTS, FACTORS)
    figure = matrix_figure(matrix, "total_correlation")
    assert texts(figure) == ["20.0", "-10.0", "–", "0.00", "0.12", "inf"]
    shown = figure.axes[0].images[0].get_array()
    assert shown[0].tolist()[:2] == [1.0, 0.5]
    assert shown.mask[0, 2]
    assert figure.axes[1].get_ylabel() == "total correlation: size, in parts of 20.0"


def test_counts_are_written_whole():
    assert texts(matrix_figure(pd.DataFrame([[12, 0, 3]], ["z0"], FACTORS), "factor_vae")) == ["12", "0", "3"]


def test_a_matrix_of_zeros_is_drawn_and_an_empty_one_refused():
    assert texts(matrix_figure(pd.DataFrame(np.zeros((1, 2)), ["z0"], ["a", "b"]), "mig")) == ["0.00", "0.00"]
    with pytest.raises(ValueError, match="empty"):
        matrix_figure(pd.DataFrame(), "mig")


def test_each_score_has_a_line_with_a_point_per_factor():
    dci = pd.DataFrame({"completeness": [1.0, 0.5], "informativeness": [0.9, 0.8], "chance": [0.2, 0.3]}, FACTORS[:2])
    parts = {"mig": pd.Series([0.1, 0.2, 0.3], FACTORS), "dci": dci, "active_units": pd.Series(dtype=float)}
    figure = scores_figure(parts, {"mig": 0.2, "dci_completeness": 0.75})
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mig", "dci completeness", "dci informativeness"]
    lines = {line.get_label(): line.get_xdata() for line in axes.lines}
    assert list(lines["Shape"]) == [0.2, 0.5, 0.8]
    assert list(lines["score"])[:2] == [0.2, 0.75]
    with pytest.raises(ValueError, match="no score"):
        scores_figure({"active_units": pd.Series(dtype=float)}, {})
