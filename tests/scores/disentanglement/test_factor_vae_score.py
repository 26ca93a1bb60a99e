import numpy as np
import pytest

from micrographia.scores.disentanglement import DiscreteFactors, factor_vae_score
from micrographia.scores.disentanglement.factor_vae_score import majority, variance_votes

QUICK = {"votes": 200, "test_votes": 100, "samples": 2000}


def test_batches_share_one_factor_and_no_other():
    world = DiscreteFactors({"a": 9, "b": 9, "c": 9}, lambda values: values.astype(float))
    names = list(world.sizes)
    chosen, variances = variance_votes(world, names, 60, 32, np.random.default_rng(0))
    assert list(names) == ["a", "b", "c"]
    for factor, row in zip(chosen, variances, strict=True):
        assert row[factor] == 0
        assert np.delete(row, factor).min() > 1


def test_majority_is_that_of_the_training_votes():
    winner, chosen = np.array([0, 0, 0, 1, 1, 0, 1]), np.array([2, 2, 1, 0, 0, 1, 2])
    assert majority(winner, chosen, np.arange(5), np.array([5, 6])).tolist() == [2, 0]


def test_parts_show_which_latent_won(worlds):
    result = factor_vae_score(worlds["identity"], **QUICK)
    assert (result.per_factor == 1).all()
    assert result.matrix.to_numpy().sum() == 200
    assert (result.matrix.to_numpy()[~np.eye(4, dtype=bool)] == 0).all()
    assert result.per_latent.sum() == pytest.approx(1)


def test_inactive_latents_do_not_vote(worlds):
    def padded(values):
        return np.hstack([worlds["identity"].encoder(values), np.full((len(values), 2), 0.3)])

    result = factor_vae_score(DiscreteFactors(worlds["identity"].sizes, padded), **QUICK)
    assert result.score == 1
    assert result.settings["inactive"] == ["z4", "z5"]
    assert (result.matrix.loc["z4":] == 0).all(axis=None)
    assert (factor_vae_score(worlds["constant"], **QUICK).matrix == 0).all(axis=None)


def test_one_factor_is_nothing_to_tell_apart():
    result = factor_vae_score(DiscreteFactors({"a": 3}, lambda values: values * 1.0), votes=20, test_votes=10)
    assert np.isnan(result.score)
    assert "one factor" in result.undefined


@pytest.mark.parametrize("settings", [{"votes": 0}, {"test_votes": 0}, {"batch": 1}, {"samples": 1}])
def test_settings_without_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"expected \d or more"):
        factor_vae_score(DiscreteFactors({"a": 3, "b": 2}, lambda values: values * 1.0), **settings)
