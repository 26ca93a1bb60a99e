"""Differences of two conditions: known effects, rates under no difference, replicates against cells, circles, scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from micrographia.scores.differences import Differences, expanded, leading, significant
from micrographia.scores.replicates import OnCircle, OnLine, effect
from micrographia.scores.wells import Comparison

QUICK = Differences(resamples=200, permutations=999)
POINT = Differences(resamples=2, permutations=99)


def plate(wells=(6, 6), cells=40, well_deviation=0.0, shift=0.0, seed=0):
    """Cells of two conditions, of deviation 1 within wells; the second is moved."""
    generator = np.random.default_rng(seed)
    number = np.repeat(np.arange(sum(wells)), cells)
    treated = number >= wells[0]
    known = pd.DataFrame({"condition": np.where(treated, "treated", "control"), "well": [f"W{n}" for n in number]})
    centre = generator.normal(0, well_deviation, sum(wells))[number] if well_deviation else 0.0
    values = pd.DataFrame({"x": centre + generator.normal(size=len(number)) + shift * treated})
    return values, known


def test_a_shift_of_normal_cells_is_its_effect_size():
    values, known = plate(cells=2000, shift=0.8)
    found = QUICK.table(3 * values + 1e6, known).iloc[0]
    assert found["difference"] == pytest.approx(2.4, abs=0.1)
    assert found["effect"] == pytest.approx(0.8, abs=0.03)
    assert found["cliff"] == pytest.approx(2 * stats.norm.cdf(0.8 / np.sqrt(2)) - 1, abs=0.02)
    for measure, truth in (("difference", 2.4), ("effect", 0.8), ("cliff", 0.428)):
        assert found[f"{measure}_low"] < truth < found[f"{measure}_high"]
    assert found["p"] == found["p_least"] == pytest.approx(2 / 924)
    assert found[["cells_negative", "replicates_positive", "missing"]].tolist() == [12000, 6, 0]


def test_numbers_are_those_of_all_pairs_and_of_scipy():
    values, known = plate(wells=(4, 5), cells=7, well_deviation=0.5, shift=0.5)
    found = QUICK.table(values, known).iloc[0]
    sides = [values["x"][known["condition"] == side] for side in ("control", "treated")]
    wells = [side.groupby(known["well"]).mean() for side in sides]
    assert found["difference"] == pytest.approx(wells[1].mean() - wells[0].mean())
    assert found["effect"] == pytest.approx(found["difference"] / np.sqrt((sides[0].var() + sides[1].var()) / 2))
    auc = stats.mannwhitneyu(sides[1], sides[0]).statistic / (len(sides[0]) * len(sides[1]))
    assert found["cliff"] == pytest.approx(2 * auc - 1)  # wells of equal size
    expected = stats.permutation_test(
        (wells[1], wells[0]), lambda one, two, axis: one.mean(axis) - two.mean(axis), n_resamples=999, vectorized=True
    )
    assert found["p"] == pytest.approx(expected.pvalue)


def test_wells_count_the_same_however_many_cells_they_have():
    known = pd.DataFrame(
        {"condition": ["control"] * 14 + ["treated"] * 4, "well": list("aaaaaaaaaabbcc") + list("ddef")}
    )
    values = pd.DataFrame({"x": [10.0] * 10 + [0.0] * 4 + [2.0] * 4})
    found = POINT.table(values, known).iloc[0]
    assert found["mean_negative"] == pytest.approx(10 / 3)
    assert found["cliff"] == pytest.approx(2 / 3 - 1 / 3)


def test_without_a_difference_intervals_hold_0_and_p_is_small_as_often_as_said():
    runs = 100
    held, small = 0, []
    for seed in range(runs):
        values, known = plate(wells=(6, 7), cells=5, well_deviation=1.0, seed=seed)
        found = Differences(resamples=100, permutations=99, seed=seed).table(values, known).iloc[0]
        held += found["effect_low"] <= 0 <= found["effect_high"]
        small.append(found["p"])
    least, most = stats.binom.ppf([0.005, 0.995], runs, 0.95)
    assert least <= held <= max(most, runs * 0.99)  # somewhat wide on purpose: see `expanded`
    assert stats.kstest(small, "uniform").pvalue > 0.001


def test_few_wells_make_intervals_wider_than_percentiles_and_hold_the_truth():
    runs, held = 100, np.zeros(2)
    for seed in range(runs):
        values, known = plate(wells=(4, 4), cells=5, well_deviation=1.0, seed=seed)
        for place, level in enumerate((0.95, expanded(0.95, 4))):
            kept = OnLine(
                values["x"].to_numpy(), np.repeat(np.arange(8), 5), (known["condition"] == "treated").to_numpy()
            )
            generator = np.random.default_rng(seed)
            draws = [np.r_[generator.integers(0, 4, 4), generator.integers(4, 8, 4)] for _ in range(200)]
            low, high = np.quantile([kept.difference(rows) for rows in draws], [(1 - level) / 2, (1 + level) / 2])
            held[place] += low <= 0 <= high
    plain, wide = held / runs
    assert plain < 0.92
    assert max(0.88, plain + 0.03) <= wide <= 1


def test_wells_that_differ_give_wider_intervals_than_their_cells():
    values, known = plate(wells=(8, 8), cells=50, well_deviation=0.7, seed=1)
    each = known.assign(well=np.arange(len(known)))
    by_well, by_cell = (QUICK.table(values, rows).iloc[0] for rows in (known, each))
    widths = [found["effect_high"] - found["effect_low"] for found in (by_well, by_cell)]
    assert widths[0] > 3 * widths[1]
    assert by_well["effect"] == pytest.approx(by_cell["effect"])


def test_cells_taken_for_replicates_find_what_is_not_there():
    found = {"well": 0, "cell": 0}
    for seed in range(30):
        values, known = plate(wells=(5, 5), cells=30, well_deviation=0.7, seed=seed)
        for kind, rows in (("well", known), ("cell", known.assign(well=np.arange(len(known))))):
            found[kind] += Differences(2, permutations=99).table(values, rows).iloc[0]["p"] <= 0.05
    assert found["well"] <= 5
    assert found["cell"] >= 15


@pytest.mark.parametrize("wells", [(2, 8), (8, 1)])
def test_under_three_replicates_there_is_neither_interval_nor_p(wells):
    found = QUICK.table(*plate(wells=wells, shift=3.0)).iloc[0]
    assert found["effect"] > 2
    assert found[[f"{measure}_low" for measure in ("difference", "effect", "cliff")]].isna().all()
    assert found[["p", "q", "p_least"]].isna().all()
    assert found[["replicates_negative", "replicates_positive"]].tolist() == list(wells)
    assert not significant(QUICK.table(*plate(wells=wells, shift=3.0))).any()


def test_three_wells_against_three_say_that_p_cannot_be_small():
    found = QUICK.table(*plate(wells=(3, 3), shift=5.0)).iloc[0]
    assert found["p"] == found["p_least"] == pytest.approx(0.1)


def test_q_corrects_for_all_columns():
    values, known = plate(shift=1.0)
    generator = np.random.default_rng(1)
    noise = pd.DataFrame(generator.normal(size=(len(known), 20)), columns=[f"n{n}" for n in range(20)])
    table = QUICK.table(values.join(noise), known)
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(table["p"]))
    assert table.loc[significant(table), "column"].tolist() == ["x"]


def test_missing_cells_are_left_out_where_they_miss_and_counted():
    values, known = plate(shift=1.0)
    values["holes"] = values["x"].where(known["well"] != "W0")
    values.loc[known["well"] == "W7", "holes"] = np.inf
    values["nothing"] = np.nan
    values["half"] = values["x"].where(known["condition"] == "treated")
    table = QUICK.table(values, known).set_index("column")
    assert table.loc["holes", ["cells_negative", "replicates_negative", "replicates_positive"]].tolist() == [200, 5, 5]
    assert table["missing"].tolist() == [0, 80, 480, 240]
    assert table.loc[["nothing", "half"], ["difference", "effect", "p", "q"]].isna().all(axis=None)
    without = QUICK.table(values[["x"]][values["holes"].abs() < np.inf], known[values["holes"].abs() < np.inf]).iloc[0]
    assert table.loc["holes", "effect_low"] == without["effect_low"]


def test_what_is_constant_has_no_effect_and_no_p():
    values, known = plate()
    found = POINT.table(values.assign(x=0.1), known).iloc[0]
    assert found["difference"] == 0
    assert found[["effect", "p", "q"]].isna().all()


def test_angles_differ_the_shorter_way_across_their_jump():
    values, known = plate(cells=200)
    treated = (known["condition"] == "treated").to_numpy()
    angle = (170 + 5 * values["x"] + 20 * treated) % 180
    table = QUICK.table(pd.DataFrame({"angle": angle, "back": 180 - angle}), known, periods={"angle": 180, "back": 180})
    found, back = table.iloc[0], table.iloc[1]
    assert found["difference"] == pytest.approx(20, abs=0.5)
    assert (found["mean_negative"], found["mean_positive"]) == (pytest.approx(170, abs=0.5), pytest.approx(10, abs=0.5))
    assert found["effect"] == pytest.approx(4, abs=0.15)
    assert found["cliff"] > 0.98
    assert found["difference_low"] < 20 < found["difference_high"]
    assert found["p"] == found["p_least"]
    for measure in ("difference", "effect", "cliff"):
        assert back[measure] == pytest.approx(-found[measure])
    on_line = QUICK.table(pd.DataFrame({"angle": angle}), known).iloc[0]
    assert on_line["difference"] < 0  # what the jump would make of it


def test_half_a_turn_has_an_interval_around_it():
    values, known = plate(cells=100, well_deviation=1.0)
    treated = (known["condition"] == "treated").to_numpy()
    angles = pd.DataFrame({"angle": (90 * treated + 8 * values["x"]) % 180})
    found = QUICK.table(angles, known, periods={"angle": 180}).iloc[0]
    assert abs(found["difference"]) > 70
    assert found["difference_high"] - found["difference_low"] < 60


def test_small_angles_are_numbers():
    values, known = plate(wells=(4, 5), cells=9, well_deviation=0.5, shift=0.5)
    cells, wells = values["x"].to_numpy(), np.repeat(np.arange(9), 9)
    treated = (known["condition"] == "treated").to_numpy()
    line, circle = OnLine(cells, wells, treated), OnCircle(cells, wells, treated, 10_000.0)
    rows = np.array([0, 0, 2, 3, 4, 8, 8, 5])
    assert circle.difference(rows) == pytest.approx(line.difference(rows), rel=1e-4)
    assert circle.cliff(rows) == pytest.approx(line.cliff(rows))
    assert circle.p_value(999, 0) == pytest.approx(line.p_value(999, 0))
    drawn = np.isin(wells, [0, 2, 3, 4, 5])
    assert effect(circle, rows[[0, 2, 3, 4, 7]]) == pytest.approx(
        effect(OnLine(cells[drawn], np.unique(wells[drawn], return_inverse=True)[1], treated[drawn]), np.arange(5)),
        rel=0.05,
    )


def test_uniform_angles_have_no_direction_to_differ_in():
    small, sizes = [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        _, known = plate(wells=(4, 4), cells=20)
        angles = pd.DataFrame({"angle": generator.uniform(0, 180, len(known))})
        found = Differences(2, permutations=99).table(angles, known, periods={"angle": 180}).iloc[0]
        small.append(found["p"])
        sizes.append(abs(found["effect"]))
    assert np.quantile(sizes, 0.9) < 0.4
    assert stats.kstest(small, "uniform").pvalue > 0.001


def test_leading_rows_are_the_largest_significant_ones():
    table = pd.DataFrame({"column": list("abc"), "effect": [3.0, -1.0, np.nan], "q": [0.2, 0.01, np.nan]})
    assert leading(table, 3)["column"].tolist() == ["b"]
    assert leading(table.assign(q=np.nan), 3)["column"].tolist() == ["a", "b"]


def test_rows_that_do_not_fit_are_refused():
    values, known = plate()
    with pytest.raises(ValueError, match="no column 'plate'"):
        QUICK.table(values, known, Comparison(well="plate"))
    with pytest.raises(ValueError, match="no row with condition='drug'"):
        QUICK.table(values, known, Comparison(positive="drug"))
    with pytest.raises(ValueError, match="not the same"):
        QUICK.table(values[::-1], known)
