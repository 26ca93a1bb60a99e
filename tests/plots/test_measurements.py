import numpy as np
import pandas as pd

from micrographia.plots.measurements import interval_figure


def test_intervals_are_drawn_by_whether_they_hold_the_reference():
    rows = [("rls", 1.0, 1.1, 0.5, 1.5), ("rls", 2.0, 4.0, 3.5, 4.5), ("rls", 3.0, 3.0, np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["method", "reference", "median", "low", "high"]).assign(nominal=0.9)
    (axis,) = interval_figure(table, "ratio").axes
    assert axis.get_title(loc="left") == "rls: 50% covered of 90%"
    assert sorted(len(bars.lines[0].get_xdata()) for bars in axis.containers) == [1, 1]
    assert axis.get_xlabel() == "true ratio"
