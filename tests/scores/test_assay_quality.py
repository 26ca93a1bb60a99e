import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from micrographia.scores.assay_quality import agreement, assay_quality, auc, ssmd, transfer_accuracy, z_prime
from micrographia.scores.wells import Comparison, bootstrap_wells, well_p_value


def plate(wells=4, cells=30, effect=3.0, between=0.3, seed=0, **more):
    """A plate of two conditions: normal cells around wells that scatter around their condition."""
    random = np.random.default_rng(seed)
    rows = []
    for condition, mean in (("control", 0.0), ("treated", effect)):
        for well in range(wells):
            centre = mean + between * random.normal()
            values = centre + random.normal(size=cells)
            rows.append(pd.DataFrame({"condition": condition, "well": f"{condition}{well}", "ratio": values}))
    return pd.concat(rows, ignore_index=True).assign(**more)


numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


def test_known_z_prime_and_ssmd():
    assert z_prime([0, 0, 0], [1, 1, 1]) == 1
    assert z_prime([-1, 0, 1], [5, 6, 7]) == pytest.approx(0)
    assert z_prime([1, 2], [1, 2]) == -np.inf
    assert ssmd([-1, 0, 1], [5, 6, 7]) == pytest.approx(6 / np.sqrt(2))
    assert ssmd([5, 6, 7], [-1, 0, 1]) == pytest.approx(-6 / np.sqrt(2))
    assert ssmd([1, 1], [2, 2]) == np.inf
    assert np.isnan(ssmd([1, 1], [1, 1]))
    assert np.isnan(z_prime([1], [2, 3]))
    assert np.isnan(ssmd([1, 2], [3]))


@given(numbers, numbers, st.floats(0.1, 10), st.floats(-50, 50))
@settings(deadline=None)
def test_scores_do_not_change_with_unit_and_offset(negative, positive, gain, offset):
    negative, positive = np.round(negative, 2), np.round(positive, 2)
    moved = gain * negative + offset, gain * positive + offset
    if abs(negative.mean() - positive.mean()) > 0.1 and negative.std() + positive.std() > 0.01:
        assert z_prime(*moved) == pytest.approx(z_prime(negative, positive), rel=1e-6, abs=1e-6)
        assert ssmd(*moved) == pytest.approx(ssmd(negative, positive), rel=1e-6)
    assert auc(positive, negative) == pytest.approx(1 - auc(negative, positive))
    assert z_prime(negative, positive) <= 1


def test_auc_of_shifted_normals():
    random = np.random.default_rng(0)
    found = auc(random.normal(size=4000), random.normal(1.0, size=4000))
    assert found == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.02)
    assert auc([1, 1], [1, 1]) == 0.5


def test_p_values_permute_wells_and_need_three():
    assert well_p_value([1, 2, 3], [11, 12, 13]) == pytest.approx(0.1)  # 2 of the 20 partings
    assert well_p_value([1, 2, 3], [1, 2, 3]) == pytest.approx(1)
    assert np.isnan(well_p_value([1, 2], [11, 12, 13]))
    random = np.random.default_rng(0)
    null = [well_p_value(random.normal(size=4), random.normal(size=4)) for _ in range(300)]
    assert np.mean(np.array(null) <= 0.06) == pytest.approx(0.057, abs=0.04)


def test_quality_of_a_plate():
    table = plate(effect=5.0)
    quality = assay_quality(table, "ratio", resamples=200)
    means = table.groupby(["condition", "well"])["ratio"].mean()
    assert quality.loc["z_prime", "value"] == pytest.approx(z_prime(means["control"], means["treated"]))
    assert quality.loc["ssmd", "value"] == pytest.approx(ssmd(means["control"], means["treated"]))
    assert quality.loc["auc", "value"] > 0.99
    assert (quality["low"] <= quality["high"]).all()
    assert quality["p_value"].unique() == pytest.approx([2 / 70])
    assert quality[["wells_negative", "wells_positive"]].to_numpy().tolist() == [[4, 4]] * 3
    assert quality[["cells_negative", "cells_positive"]].to_numpy().tolist() == [[120, 120]] * 3


def test_no_effect_has_known_answers():
    quality = assay_quality(plate(effect=0.0, wells=12, between=0.0, cells=60), "ratio", resamples=200)
    assert quality.loc["auc", "value"] == pytest.approx(0.5, abs=0.03)
    assert quality.loc["auc", "low"] < 0.5 < quality.loc["auc", "high"]
    assert quality.loc["z_prime", "value"] < 0
    assert abs(quality.loc["ssmd", "value"]) < 1.2


@pytest.mark.parametrize("wells", [1, 2])
def test_under_three_wells_there_is_n_and_no_interval(wells):
    quality = assay_quality(plate(wells=wells), "ratio")
    assert quality[["low", "high", "p_value"]].isna().all(axis=None)
    assert (quality["wells_negative"] == wells).all()
    assert quality.loc["auc", "value"] > 0.9
    assert np.isnan(quality.loc["z_prime", "value"]) == (wells == 1)


def mean_interval(table, **settings):
    values = table["ratio"].to_numpy()
    return bootstrap_wells(table, {"mean": lambda rows, wells: values[rows].mean()}, **settings).loc["mean"]


def test_intervals_resample_wells_and_not_cells():
    few, many = (mean_interval(plate(wells=8, cells=cells, between=1.0, effect=0), resamples=400) for cells in (5, 500))
    # A hundred times the cells of the same wells: the scatter of wells remains.
    assert many["high"] - many["low"] > 0.6 * (few["high"] - few["low"])
    assert many["high"] - many["low"] == pytest.approx(2 * 1.96 / np.sqrt(16), rel=0.4)
    table = plate(wells=8, cells=5)
    copied = mean_interval(pd.concat([table] * 20), resamples=50)
    assert copied.to_dict() == pytest.approx(mean_interval(table, resamples=50).to_dict())


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    hits = 0
    for seed in range(100):
        interval = mean_interval(plate(wells=10, effect=0, cells=10, between=0.5, seed=seed), resamples=150, level=0.9)
        hits += interval["low"] <= 0 <= interval["high"]
    assert hits == pytest.approx(88, abs=9)


def test_a_well_drawn_twice_counts_as_two():
    table = plate(wells=3)
    counts = []

    def count(rows, wells):
        counts.append((len(np.unique(wells)), len(rows), table.iloc[rows]["condition"].nunique()))
        return 0.0

    bootstrap_wells(table, {"count": count}, resamples=5)
    assert counts == [(6, len(table), 2)] * 6


def test_wells_of_equal_name_in_two_conditions_are_two():
    table = plate(wells=3).assign(well=lambda t: t["well"].str[-1])
    quality = assay_quality(table, "ratio", resamples=20)
    assert quality["wells_negative"].iloc[0] == 3


def test_missing_values_and_other_conditions_are_left_out():
    table = plate()
    more = pd.concat([table, table.assign(condition="dose 3", ratio=1e9), table.assign(ratio=np.nan)])
    assert assay_quality(more, "ratio", resamples=20).equals(assay_quality(table, "ratio", resamples=20))
    with pytest.raises(ValueError, match="condition='treated' was measured"):
        assay_quality(table[table["condition"] == "control"], "ratio")
    with pytest.raises(ValueError, match="no column 'area'"):
        assay_quality(table, "area")


def test_columns_and_controls_have_other_names():
    table = plate().rename(columns={"condition": "control", "well": "place"})
    table["control"] = np.where(table["control"] == "treated", 1, -1)
    quality = assay_quality(table, "ratio", Comparison("control", -1, 1, "place"), resamples=50)
    pd.testing.assert_frame_equal(quality, assay_quality(plate(), "ratio", resamples=50))


def test_accuracy_of_the_support_vector_machine():
    train, test = plate(effect=10.0, seed=1), plate(effect=10.0, seed=2)
    assert transfer_accuracy(train, test, ["ratio"], resamples=20)["value"].tolist() == [1, 1]
    # Normal cells two deviations apart: the best rule errs with the probability of one.
    train, test = (plate(effect=2.0, between=0, cells=400, seed=seed) for seed in (3, 4))
    accuracy = transfer_accuracy(train, test, ["ratio"], resamples=50)
    assert accuracy["value"].to_numpy() == pytest.approx(norm.cdf(1), abs=0.02)
    assert (accuracy["low"] <= accuracy["value"]).all()
    assert (accuracy["value"] <= accuracy["high"]).all()
    chance = transfer_accuracy(train, test.assign(ratio=0.1), ["ratio"], resamples=20)
    assert chance.loc["balanced_accuracy", "value"] == 0.5
    shifted = transfer_accuracy(train, test.assign(ratio=test["ratio"] - 10), ["ratio"], resamples=20)
    assert shifted.loc["accuracy", "value"] == pytest.approx(0.5, abs=0.01)


def test_balanced_accuracy_does_not_reward_the_larger_control():
    train = plate(effect=1.0, cells=100)
    unequal = pd.concat([train[train["condition"] == "control"], train[train["condition"] == "treated"].iloc[::10]])
    scores = transfer_accuracy(unequal, unequal, ["ratio"], resamples=20)["value"]
    assert scores["balanced_accuracy"] > 0.6


def test_agreement_with_a_reference():
    table = plate(wells=6).assign(hr=lambda t: t["ratio"], shifted=lambda t: t["ratio"] + 2)
    scores = agreement(table, "shifted", "hr", resamples=50)
    assert scores["value"].to_dict() == pytest.approx({"pearson": 1, "spearman": 1, "mae": 2, "bias": 2})
    assert scores["cells"].tolist() == [len(table)] * 4
    noise = np.random.default_rng(0).normal(size=len(table))
    noisy = table.assign(noisy=table["hr"] - table["hr"].mean() + table["hr"].std() * noise)
    assert agreement(noisy, "noisy", "hr", resamples=50).loc["pearson", "value"] == pytest.approx(
        1 / np.sqrt(2), abs=0.06
    )
    constant = agreement(table.assign(flat=1.0), "flat", "hr", resamples=50)
    assert constant.loc[["pearson", "spearman"]]["value"].isna().all()
    assert np.isfinite(constant.loc["mae", "value"])
    with pytest.raises(ValueError, match="fewer than two"):
        agreement(table.assign(none=np.nan), "none", "hr")
