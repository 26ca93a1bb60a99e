import numpy as np
import pandas as pd
import pytest

from micrographia.scores.disentanglement import DiscreteFactors, beta_vae_score
from micrographia.scores.disentanglement.beta_vae_score import difference_votes


class Recorder(DiscreteFactors):
    """Codes are the factors themselves."""

    def encode(self, factors):
        return factors.astype(float)


def test_pairs_share_one_factor_and_no_other():
    factors, differences = difference_votes(Recorder({"a": 9, "b": 9, "c": 9}, None), 60, 32, np.random.default_rng(0))
    for vote, shared in enumerate(factors):
        row = differences.iloc[vote]
        assert row[shared] == 0
        assert (row.drop(shared) > 1).all()


def test_differences_are_those_of_independent_draws():
    """Mean |x - y| of two independent uniform values 0..n-1 is (n^2 - 1) / 3n."""
    _, differences = difference_votes(Recorder({"a": 9, "b": 5}, None), 400, 64, np.random.default_rng(1))
    assert differences.loc[differences["a"] > 0, "a"].mean() == pytest.approx(80 / 27, abs=0.05)
    assert differences.loc[differences["b"] > 0, "b"].mean() == pytest.approx(24 / 15, abs=0.05)


def test_parts_show_which_latent_stands_still(worlds):
    result = beta_vae_score(worlds["identity"], votes=200, test_votes=100)
    assert (result.per_factor == 1).all()
    np.testing.assert_allclose(np.diag(result.matrix), 0)
    np.testing.assert_allclose(result.per_latent, 1)
    assert result.matrix.to_numpy()[~np.eye(4, dtype=bool)].min() > 1


def test_does_not_change_what_the_sampler_drew(worlds):
    stored = worlds["identity"].draw(640, np.random.default_rng(0))
    before = stored.copy()

    class Stored(DiscreteFactors):
        def draw(self, count, generator):
            return stored

    beta_vae_score(Stored(worlds["identity"].sizes, worlds["identity"].encoder), votes=6, test_votes=4)
    pd.testing.assert_frame_equal(stored, before)


def test_one_factor_is_nothing_to_tell_apart():
    result = beta_vae_score(DiscreteFactors({"a": 3}, lambda values: values * 1.0), votes=20, test_votes=10)
    assert np.isnan(result.score)
    assert "one factor" in result.undefined


@pytest.mark.parametrize("settings", [{"votes": 0}, {"test_votes": 0}, {"batch": 0}])
def test_settings_without_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"expected \d or more"):
        beta_vae_score(DiscreteFactors({"a": 3, "b": 2}, lambda values: values * 1.0), **settings)
