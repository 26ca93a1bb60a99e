import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.scores.solution_intervals import calibrate, coverage, uncalibrated


def cells(count, solutions=5, error=1.0, spread=1.0, seed=0):
    """Truth, and solutions that scatter around a wrong centre."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=count)
    centre = truth + error * random.normal(size=count)
    return truth, centre[:, None] + spread * random.normal(size=(count, solutions))


@pytest.mark.parametrize("nominal", [0.5, 0.9])
@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_calibration_gives_the_nominal_coverage_on_other_cells(nominal, spread):
    rule = calibrate(*cells(2000, spread=spread, seed=1), nominal)
    truth, solutions = cells(4000, spread=spread, seed=2)
    assert rule.calibrated
    assert coverage(truth, rule(solutions)) == pytest.approx(nominal, abs=0.03)


def test_the_spread_at_face_value_is_overconfident_where_all_solutions_err_alike():
    truth, solutions = cells(2000, error=1.0, spread=0.2)
    rule = uncalibrated(0.9)
    assert not rule.calibrated
    assert coverage(truth, rule(solutions)) < 0.4


def test_draws_of_a_posterior_need_no_calibration():
    random = np.random.default_rng(3)
    centre = random.normal(size=3000)
    truth, solutions = (centre[:, None] + random.normal(size=(3000, k)) for k in (1, 40))
    assert coverage(truth[:, 0], uncalibrated(0.9)(solutions)) == pytest.approx(0.9, abs=0.03)
    assert calibrate(truth[:, 0], solutions, 0.9).factor == pytest.approx(1.645, abs=0.12)


def test_solutions_that_all_agree_get_an_interval_too():
    truth, _ = cells(200)
    wrong = truth + np.random.default_rng(5).normal(size=200)
    rule = calibrate(truth, np.repeat(wrong[:, None], 3, axis=1), 0.8)
    assert np.isfinite(rule.factor)
    intervals = rule(np.repeat(wrong[:, None], 3, axis=1))
    assert coverage(truth, intervals) == pytest.approx(0.8, abs=0.03)


def test_missing_solutions():
    truth, solutions = cells(300)
    holes = solutions.copy()
    holes[:, 0] = np.nan
    holes[7, 1:4] = np.inf
    rule = calibrate(truth, holes, 0.9)
    intervals = rule(holes)
    assert intervals.isna().any(axis=1).to_numpy().nonzero()[0].tolist() == [7]
    rest = np.delete(np.arange(300), 7)
    pd.testing.assert_frame_equal(intervals.loc[rest], rule(solutions[:, 1:]).loc[rest])
    assert rule == calibrate(truth[rest], solutions[rest, 1:], 0.9)
    assert np.isnan(coverage(truth[:2], intervals.iloc[:2] * np.nan))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_coverage_does_not_change_with_the_unit(seed, gain, offset):
    truth, solutions = cells(60, seed=seed)
    rule = calibrate(truth, solutions, 0.8)
    other = calibrate(gain * truth + offset, gain * solutions + offset, 0.8)
    assert other.factor == pytest.approx(rule.factor, rel=1e-6)
    assert other.floor == pytest.approx(gain * rule.floor, rel=1e-6)


def test_mistakes_are_told():
    truth, solutions = cells(8)
    with pytest.raises(ValueError, match="8 measured cells are too few"):
        calibrate(truth, solutions, 0.9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        uncalibrated(1.0)
    with pytest.raises(ValueError, match=r"shape \(cells, K\)"):
        uncalibrated()(truth)
