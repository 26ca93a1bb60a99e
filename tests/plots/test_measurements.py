import numpy as np
import pandas as pd

from micrographia.plots.measurements import dose_figure, interval_figure, measurement_figure


def test_intervals_are_drawn_by_whether_they_hold_the_reference():
    rows = [("rls", 1.0, 1.1, 0.5, 1.5), ("rls", 2.0, 4.0, 3.5, 4.5), ("rls", 3.0, 3.0, np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["method", "reference", "median", "low", "high"]).assign(nominal=0.9)
    (axis,) = interval_figure(table, "ratio").axes
    assert axis.get_title(loc="left") == "RLS: 50% covered of 90%"
    assert sorted(len(bars.lines[0].get_xdata()) for bars in axis.containers) == [1, 1]
    assert axis.get_xlabel() == "true ratio"


def test_doses_stand_by_their_size_also_as_text():
    doses = ["0", "1", "10", "2"]
    table = pd.DataFrame({"dose": doses, "well": list("abcd"), "method": "hr", "ratio": [0.0, 1.0, 10.0, 2.0]})
    (axes,) = dose_figure(table, "ratio", ["hr"]).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2", "10"]
    assert axes.lines[-1].get_ydata().tolist() == [0, 1, 2, 10]
    figure = measurement_figure(table.assign(condition=doses), "ratio", ["hr"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1", "2", "10"]


def test_the_legend_says_what_the_conditions_are_and_which_are_controls():
    table = pd.DataFrame({"condition": ["10", "2", "0"], "method": "hr", "ratio": [5.0, 2.0, 1.0]})
    figure = measurement_figure(table, "ratio", ["hr"], "dose", {"0": "negative", "10": "positive"})
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "dose"
    assert [text.get_text() for text in legend.get_texts()] == ["0, negative", "2", "10, positive"]


def test_doses_that_are_words_stand_in_their_alphabet():
    table = pd.DataFrame({"dose": ["low", "high"], "well": ["a", "b"], "method": "hr", "ratio": [1.0, 2.0]})
    (axes,) = dose_figure(table, "ratio", ["hr"]).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["high", "low"]
    assert axes.lines[-1].get_ydata().tolist() == [2, 1]
