import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from micrographia.scores.disentanglement import (
    active_units,
    beta_vae_score,
    dci,
    explicitness,
    factor_vae_score,
    irs,
    latent_information,
    mig,
    modularity,
    omes,
    sap,
    total_correlation,
    udr,
)
from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals

OF_TABLES = {
    "mig": mig,
    "sap": sap,
    "modularity": modularity,
    "explicitness": explicitness,
    "dci": lambda codes, factors, **given: dci(codes, factors, trees=3, **given),
    "total_correlation": lambda codes, factors, **given: total_correlation(codes, **given),
    "latent_information": lambda codes, factors, **given: latent_information(codes, **given),
    "active_units": lambda codes, factors, **given: active_units(codes, **given),
    "udr": lambda codes, factors, **given: udr({"a": codes, "b": codes @ np.tri(4)}, **given),
}
OF_SAMPLERS = {
    "beta_vae_score": lambda world, **given: beta_vae_score(world, 100, 100, **given),
    "factor_vae_score": lambda world, **given: factor_vae_score(world, 100, 100, **given),
    "irs": irs,
    "omes": lambda world, **given: omes(world, samples=1000, **given),
}


def test_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=500)
    low, high = bootstrap_intervals(
        {"score": values.mean()}, lambda rows: {"score": values[rows].mean()}, 500, 2000, 0, (-1, 1)
    ).loc["score"]
    expected = norm.ppf(0.975) * values.std() / np.sqrt(500)
    assert values.mean() - low == pytest.approx(expected, rel=0.1)
    assert high - values.mean() == pytest.approx(expected, rel=0.1)


def test_groups_are_resampled_separately():
    seen = []
    bootstrap_intervals({"score": 0.0}, lambda *rows: seen.append(rows) or {"score": 0.0}, (3, 50), 20, 0)
    assert all(len(first) == 3 and first.max() < 3 and len(second) == 50 for first, second in seen)
    assert len(seen) == 20


def test_intervals_are_cut_at_the_bounds():
    result = bootstrap_intervals({"score": 1.0}, lambda rows: {"score": rows[0] / 10}, 10, 50, 0)
    assert result.loc["score", "high"] == 1


@pytest.mark.parametrize("count", [-1, 1])
def test_rejects_what_has_no_spread(count):
    with pytest.raises(ValueError, match="n_bootstrap"):
        bootstrap_intervals({"score": 0.0}, lambda rows: {"score": 0.0}, 5, count, 0)


@pytest.mark.parametrize("name", [*OF_TABLES, *OF_SAMPLERS])
def test_every_score_has_an_interval_that_its_seed_determines(name, kinds, truth, worlds):
    few = kinds["noisy"].iloc[:600], truth.iloc[:600]

    def found(**given):
        return OF_TABLES[name](*few, **given) if name in OF_TABLES else OF_SAMPLERS[name](worlds["very noisy"], **given)

    assert found().intervals is None
    result, again = found(n_bootstrap=6), found(n_bootstrap=6)
    pd.testing.assert_frame_equal(result.intervals, again.intervals)
    assert result.settings["n_bootstrap"] == 6
    if name != "active_units":
        assert (result.intervals["low"] < result.intervals["high"]).all()


@pytest.mark.parametrize("name", [*OF_TABLES, *OF_SAMPLERS])
def test_what_is_resampled_is_the_score(name, kinds, truth, worlds, monkeypatch):
    """All samples once, in their order, give the score itself."""
    seen = []

    def spy(estimates, statistic, sizes, n_bootstrap, seed, bounds=(0.0, 1.0)):
        if n_bootstrap:
            groups = (sizes,) if isinstance(sizes, int) else sizes
            again = statistic(*(np.arange(size) for size in groups))
            seen.append(again == pytest.approx(dict(estimates), abs=1e-9, nan_ok=True))
            other = statistic(*(np.zeros(size, dtype=int) + np.arange(size) // 2 for size in groups))
            seen.append(name == "active_units" or other != pytest.approx(dict(estimates), nan_ok=True))

    module = sys.modules[f"micrographia.scores.disentanglement.{name}"]  # the package's attribute is the function
    monkeypatch.setattr(module, "bootstrap_intervals", spy)
    few = kinds["noisy"].iloc[:600], truth.iloc[:600]
    if name in OF_TABLES:
        OF_TABLES[name](*few, n_bootstrap=2)
    else:
        OF_SAMPLERS[name](worlds["very noisy"], n_bootstrap=2)
    assert seen == [True, True]


def test_more_samples_narrow_an_interval(kinds, truth):
    def width(count):
        interval = mig(kinds["noisy"].iloc[:count], truth.iloc[:count], n_bootstrap=30).intervals.loc["score"]
        return interval["high"] - interval["low"]

    assert width(4000) < 0.7 * width(500)


def test_parts_with_the_same_label_are_refused(kinds, truth):
    factors = truth.iloc[:, :2].set_axis([1, "1"], axis=1)
    with pytest.raises(ValueError, match="two factors, latents or models are called '1'"):
        mig(kinds["noisy"], factors, n_bootstrap=2)


def test_intervals_are_as_wide_as_fresh_sets_differ():
    generator = np.random.default_rng(0)

    def fresh(count=2000):
        factors = generator.integers(0, [5, 7, 3], (count, 3))
        return factors / 3 + 0.5 * generator.normal(size=(count, 3)), factors

    deviation = np.std([mig(*fresh()).score for _ in range(60)], ddof=1)
    widths = [np.diff(mig(*fresh(), n_bootstrap=60).intervals.loc["score"])[0] for _ in range(5)]
    assert 0.7 < np.mean(widths) / (2 * norm.ppf(0.975) * deviation) < 1.6
