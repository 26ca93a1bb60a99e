import logging

import numpy as np
import pandas as pd
import pytest

from micrographia.runs.run import Run
from micrographia.tasks.intervals import error_bars, interval_metrics, intervals_of

VALUE = "ratio"


def cells(seed, count=400, spread=0.2, error=0.6, truth=True):
    """Solutions that agree far more with each other than with the truth."""
    random = np.random.default_rng(seed)
    true = random.normal(size=count)
    found = true[:, None] + error * random.normal(size=(count, 1)) + spread * random.normal(size=(count, 4))
    solutions = pd.DataFrame({"item": np.repeat(np.arange(count), 4), "solution": np.tile(range(4), count)})
    solutions = solutions.assign(method="rls", ratio=found.ravel())
    hr = pd.DataFrame({"item": np.arange(count), "solution": 0, "method": "hr", "ratio": true})
    table = pd.concat([hr, solutions], ignore_index=True).assign(flag="")
    return table.assign(true_ratio=table["item"].map(dict(enumerate(true)))) if truth else table


@pytest.mark.parametrize("truth", [True, False])
def test_calibrated_intervals_cover_what_they_say_and_the_spread_alone_does_not(truth):
    table = intervals_of(cells(0, truth=truth), cells(1, truth=truth), "rls", VALUE, 0.9)
    assert len(table) == 400
    metrics = interval_metrics(table)
    assert metrics["assay/coverage/rls"] == pytest.approx(0.9, abs=0.05)
    assert metrics["assay/coverage_face_value/rls"] < 0.6
    widths = table["high"] - table["low"]
    assert metrics["assay/interval_width/rls"] == pytest.approx(widths.mean())
    assert metrics["assay/interval_width/rls"] > metrics["assay/interval_width_face_value/rls"] > 0


def test_without_any_interval_there_is_no_metric():
    table = intervals_of(cells(0, count=20), cells(1), "rls", VALUE, 0.9)
    empty = table.assign(low=np.nan, high=np.nan, low_face_value=np.nan, high_face_value=np.nan)
    assert interval_metrics(empty) == {}


def test_the_reference_is_the_truth_where_there_is_any():
    reported = cells(0)
    table = intervals_of(reported.assign(true_ratio=7.0), cells(1), "rls", VALUE, 0.9)
    assert (table["reference"] == 7.0).all()


def test_cells_that_are_flagged_or_not_measured_have_no_interval():
    reported = cells(0, count=20)
    reported.loc[(reported["item"] == 3) & (reported["method"] == "rls"), VALUE] = np.nan
    reported.loc[(reported["item"] == 4) & (reported["method"] == "rls"), "flag"] = "atypical code"
    table = intervals_of(reported, cells(1), "rls", VALUE, 0.9).set_index("item")
    assert table.loc[[3, 4], "low"].isna().all()
    assert table.drop(index=[3, 4])["low"].notna().all()


def test_a_method_with_too_few_calibration_cells_is_named_and_left_out(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    few, enough = cells(1, count=5), cells(2).replace({"rls": "pulse"})
    known = pd.concat([few, enough[enough["method"] == "pulse"]])
    reported = pd.concat([cells(0), cells(3).replace({"rls": "pulse"}).query("method == 'pulse'")])
    metrics = error_bars(reported, known, ["rls", "pulse"], VALUE, 0.9, Run(tmp_path))
    assert "rls: no intervals, since 5 measured cells are too few" in caplog.text
    names = ("coverage", "coverage_face_value", "interval_width", "interval_width_face_value")
    assert set(metrics) == {f"assay/{name}/pulse" for name in names}
    assert (tmp_path / "figures" / "intervals.png").stat().st_size > 1000
