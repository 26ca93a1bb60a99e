"""Correlations of latents and features against scipy, independent columns, angles and known monotone relations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from micrographia.scores.correlation import Correlations, correlation, distance_correlation, on_circle, suggested_names


def sample(count=400, seed=0):
    generator = np.random.default_rng(seed)
    codes = pd.DataFrame(generator.normal(size=(count, 3)), columns=["z0", "z1", "z2"])
    features = pd.DataFrame(
        {
            "area": np.exp(codes["z0"]) + generator.normal(0, 0.1, count),
            "mean": -0.5 * codes["z1"] + generator.normal(0, 1, count),
            "noise": generator.normal(size=count),
            "square": codes["z2"] ** 2,
        }
    )
    return codes, features


def row(table, latent, feature):
    return table[(table["latent"] == latent) & (table["feature"] == feature)].iloc[0]


def test_numbers_are_those_of_scipy():
    codes, features = sample()
    table = Correlations(resamples=20).table(codes, features)
    assert len(table) == 12
    for latent in codes:
        for feature in features:
            found = row(table, latent, feature)
            spearman = stats.spearmanr(codes[latent], features[feature])
            assert found["pearson"] == pytest.approx(stats.pearsonr(codes[latent], features[feature])[0])
            assert found["spearman"] == pytest.approx(spearman[0])
            assert found["p"] == pytest.approx(spearman[1], rel=1e-6, abs=1e-12)
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(table["p"]))


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        codes = pd.DataFrame({"z0": generator.normal(size=120)})
        features = pd.DataFrame({"f": 0.6 * codes["z0"] + 0.8 * generator.normal(size=120)})
        found = Correlations(resamples=200, seed=seed).table(codes, features).iloc[0]
        held += found["pearson_low"] < 0.6 < found["pearson_high"]
    assert 51 <= held <= 60


def test_rows_of_a_group_are_drawn_together_and_widen_the_interval():
    generator = np.random.default_rng(0)
    wells = np.repeat(np.arange(8), 50)
    shift = generator.normal(0, 1, 8)[wells]
    codes = pd.DataFrame({"z0": shift + generator.normal(0, 0.2, 400)})
    features = pd.DataFrame({"f": generator.normal(0, 1, 8)[wells] + generator.normal(0, 0.2, 400)})
    cells = Correlations().table(codes, features).iloc[0]
    by_well = Correlations().table(codes, features, groups=wells).iloc[0]
    assert cells["pearson"] == by_well["pearson"]
    width, by_well_width = (each["pearson_high"] - each["pearson_low"] for each in (cells, by_well))
    assert by_well_width > 3 * width
    assert by_well["pearson_low"] < 0 < by_well["pearson_high"]  # wells are independent by construction


def test_what_is_not_monotone_is_seen_by_distance_and_information_alone():
    codes, features = sample(1000)
    found = row(Correlations(resamples=2).table(codes, features), "z2", "square")
    assert abs(found["spearman"]) < 0.1
    assert found["distance"] > 0.35
    assert found["information"] > 0.35
    nothing = row(Correlations(resamples=2).table(codes, features), "z0", "noise")
    assert nothing["distance"] < 0.15
    assert nothing["information"] < 0.05


def test_an_angle_correlates_across_its_jump():
    generator = np.random.default_rng(0)
    angle = generator.uniform(0, 180, 500)
    codes = pd.DataFrame({"z0": np.cos(2 * np.deg2rad(angle - 10)), "z1": generator.normal(size=500)})
    features = pd.DataFrame({"orientation": angle})
    table = Correlations(resamples=50).table(codes, features, {"orientation": 180})
    assert row(table, "z0", "orientation")["pearson"] == pytest.approx(1)
    assert row(table, "z0", "orientation")["spearman"] > 0.95
    assert row(table, "z1", "orientation")["pearson"] < 0.15
    assert row(table, "z1", "orientation")["p"] > 0.01
    shifted = Correlations(resamples=50).table(codes, (features + 90) % 180, {"orientation": 180})
    assert row(shifted, "z0", "orientation")["pearson"] == pytest.approx(1)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(12, 60))
def test_a_plane_correlates_as_regression_on_it_does(seed, count):
    generator = np.random.default_rng(seed)
    plane = on_circle(generator.uniform(0, 360, count), 360)
    code = plane @ generator.normal(size=2) + generator.normal(size=count)
    design = np.column_stack([np.ones(count), plane])
    residual = code - design @ np.linalg.lstsq(design, code, rcond=None)[0]
    expected = np.sqrt(1 - residual @ residual / np.square(code - code.mean()).sum())
    assert correlation(code, plane) == pytest.approx(expected, abs=1e-6)


def test_distance_correlation_is_0_in_the_mean_of_what_is_independent():
    generator = np.random.default_rng(0)
    found = [distance_correlation(generator.normal(size=100), generator.normal(size=(100, 1))) for _ in range(40)]
    assert np.mean(np.square(found)) < 0.02


def test_constant_missing_and_few_numbers_have_no_correlation():
    codes, features = sample(40)
    codes["z1"] = 1.0
    features["flat"] = 2.0
    features["rare"] = np.where(np.arange(40) < 5, features["area"], np.nan)
    features.loc[:19, "mean"] = np.nan
    table = Correlations(resamples=5).table(codes, features)
    for latent, feature in (("z1", "area"), ("z0", "flat"), ("z0", "rare")):
        assert row(table, latent, feature)[["pearson", "spearman", "p", "q", "distance"]].isna().all()
    assert row(table, "z0", "mean")["n"] == 20
    assert np.isfinite(row(table, "z0", "mean")["q"])


def test_names_are_earned_one_to_one_by_strong_and_certain_correlations():
    codes, features = sample()
    features["area_again"] = features["area"] + np.random.default_rng(5).normal(0, 1, len(features))
    names = suggested_names(Correlations().table(codes, features)).set_index("latent")
    assert names.loc["z0", ["name", "named"]].tolist() == ["area", True]
    assert names.loc["z0", "spearman_low"] < names.loc["z0", "spearman"] < names.loc["z0", "spearman_high"]
    assert names.loc["z1", ["name", "named", "factor"]].tolist() == ["z1", False, "mean"]
    assert names.loc["z1", "spearman"] < 0
    few = suggested_names(Correlations().table(codes[:12], features[["noise"]][:12]))
    assert not few["named"].any()
