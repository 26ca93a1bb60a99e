import numpy as np
import pandas as pd
import pytest
from scipy.stats import theilslopes

from micrographia.plots.regression import MOST, regression_figure, robust_line


def sample(count=80):
    generator = np.random.default_rng(0)
    features = pd.DataFrame({"area": generator.uniform(10, 90, count), "hue": generator.uniform(0, 360, count)})
    features.attrs["units"] = {"area": "px^2", "hue": "degree, period 360"}
    wave = np.cos(np.deg2rad(features["hue"] - 40))
    codes = pd.DataFrame({"Scale": 0.1 * features["area"], "z1": 2 * wave}) + generator.normal(0, 0.2, (count, 2))
    rows = [("Scale", "area", 0.9, 0.8, 0.95), ("z1", "hue", 0.7, 0.6, 0.8)]
    names = pd.DataFrame(rows, columns=["latent", "factor", "spearman", "spearman_low", "spearman_high"])
    return codes, features, names.assign(strength=names["spearman"])


def test_the_line_is_that_of_scipy_and_outliers_do_not_bend_it():
    codes, features, _ = sample()
    feature, latent = features["area"].to_numpy(), codes["Scale"].to_numpy(copy=True)
    latent[:15] = 50
    line = robust_line(feature, latent, resamples=50)
    slope = theilslopes(latent, feature)[0]
    assert np.polyfit(line.places, line.heights, 1)[0] == pytest.approx(slope)
    assert line.heights == pytest.approx(0.1 * line.places, abs=0.8)
    assert (line.low <= line.high).all()
    np.testing.assert_allclose(robust_line(feature, latent, resamples=50).low, line.low)


def test_an_angle_has_a_wave_that_closes():
    codes, features, _ = sample(300)
    feature, latent = features["hue"].to_numpy(), codes["z1"].to_numpy()
    line = robust_line(feature, latent, period=360, resamples=20)
    assert line.heights == pytest.approx(2 * np.cos(np.deg2rad(line.places - 40)), abs=0.15)
    assert line.heights[0] == pytest.approx(line.heights[-1], abs=0.1)


def test_the_band_holds_the_true_line_about_as_often_as_it_says():
    held = 0
    for seed in range(25):
        generator = np.random.default_rng(seed)
        feature = generator.normal(size=60)
        line = robust_line(feature, feature + generator.normal(size=60), resamples=60, seed=seed)
        middle = 20
        held += line.low[middle] <= line.places[middle] <= line.high[middle]
    assert held >= 20


def test_a_panel_per_named_pair_with_its_correlation():
    codes, features, names = sample()
    features.loc[:9, "area"] = np.nan
    figure = regression_figure(codes, features, names, {"hue": 360.0}, resamples=5)
    first, second = figure.axes
    assert first.get_title(loc="left") == "Scale\nρ = +0.90 [+0.80, +0.95]"
    assert second.get_title(loc="left") == "z1\nρ = 0.70 [0.60, 0.80]"  # no sign on a circle
    assert (first.get_xlabel(), first.get_ylabel()) == ("area, px^2", "Scale")
    assert len(first.collections[0].get_offsets()) == 70
    figure.canvas.draw()


def test_at_most_so_many_panels_and_none_for_no_name():
    codes, features, names = sample()
    figure = regression_figure(codes, features, pd.concat([names] * 8, ignore_index=True), resamples=2)
    assert len(figure.axes) == MOST
    with pytest.raises(ValueError, match="no named latent"):
        regression_figure(codes, features, names[:0])


def test_points_on_a_line_are_drawn():
    codes, features, names = sample()
    codes["Scale"] = features["area"]
    regression_figure(codes, features, names[:1], resamples=2).canvas.draw()
