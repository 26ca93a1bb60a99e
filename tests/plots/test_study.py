import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from micrographia.plots.study import dots_figure, sheet_figure, study_figure

VALUES = pd.DataFrame(
    {"x": ["1", "1", "16", "16"], "hue": ["rls", "bicubic"] * 2, "panel": ["a"] * 4, "value": [1.0, 2, 3, np.nan]}
)


@pytest.mark.parametrize("kind", ["points", "lines", "bars", "boxes"])
def test_values_that_are_not_finite_are_left_out(kind):
    figure = study_figure(VALUES, kind, "reduction", "PSNR, dB")
    (axes,) = figure.axes
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == ("a", "reduction", "PSNR, dB")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["rls", "bicubic"]
    assert (axes.get_xscale() == "log") == (kind in ("points", "lines"))


def test_a_line_passes_through_the_means():
    repeats = pd.DataFrame({"x": ["1", "1", "2"], "value": [1.0, 3.0, 5.0]})
    (axes,) = study_figure(repeats, "lines", "x", "y").axes
    assert axes.lines[0].get_xydata().tolist() == [[1, 2], [2, 5]]


def test_a_table_s_rows_stand_below_each_other():
    values = pd.DataFrame({"row": ["b", "a", "b"], "column": ["psnr", "psnr", "ssim"], "value": [1.0, 2.0, 0.5]})
    values["row"] = pd.Categorical(values["row"], ["a", "b"], ordered=True)
    first, second = dots_figure(values).axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["a", "b"]
    assert first.yaxis_inverted()
    assert first.get_xlim() != second.get_xlim()
    first, second = dots_figure(values, share=True).axes
    assert first.get_xlim() == second.get_xlim()
    assert len(dots_figure(values, across=1).axes) == 2


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no finite value"):
        study_figure(VALUES.assign(value=np.nan), "bars", "x", "y")
    with pytest.raises(ValueError, match="kind=pie"):
        study_figure(VALUES, "pie", "x", "y")


def test_figures_are_put_below_each_other(tmp_path):
    Figure(figsize=(2, 1)).savefig(tmp_path / "one.png")
    figure = sheet_figure([("first", tmp_path / "one.png"), ("second", tmp_path / "one.png")])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["first", "second"]
