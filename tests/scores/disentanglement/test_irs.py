import numpy as np
import pandas as pd
import pytest

from micrographia.scores.disentanglement import DiscreteFactors, irs
from micrographia.scores.disentanglement.irs import largest_deviations, robustness, weighted_best


def test_a_sum_of_two_factors_is_half_as_robust():
    """Of a + b, holding a leaves the deviations of b: half of the range, for values of equal spread."""
    world = DiscreteFactors({"a": 2, "b": 2}, lambda values: values.sum(axis=1, keepdims=True) * 1.0)
    result = irs(world, quantile=1.0)
    np.testing.assert_allclose(result.matrix, 0.5, atol=0.05)
    assert result.score == pytest.approx(0.5, abs=0.05)


def test_identity_and_irrelevant_factors(worlds):
    result = irs(worlds["identity"], references=20)
    np.testing.assert_allclose(np.diag(result.matrix), 1)
    assert result.matrix.to_numpy()[~np.eye(4, dtype=bool)].max() < 0.1
    assert (result.per_factor == 1).all()


def test_constant_latents_are_left_out(worlds):
    def padded(values):
        return np.hstack([worlds["identity"].encoder(values), np.full((len(values), 1), 0.3)])

    result = irs(DiscreteFactors(worlds["identity"].sizes, padded), references=20)
    assert result.score == 1
    assert np.isnan(result.per_latent["z4"])


def test_latents_are_weighted_by_their_range():
    robust = np.array([[1.0, 0.0], [0.2, 0.4], [np.nan, np.nan]])
    assert weighted_best(robust, np.array([3.0, 1.0, 0.0])) == pytest.approx((3 * 1 + 0.4) / 4)


def test_deviations_are_quantiles_of_each_batch():
    codes = pd.DataFrame({"z0": [0.0, 1.0, 5.0, 0.1, 0.1, 0.1]})
    np.testing.assert_allclose(largest_deviations(codes, 2, 1.0), [[3.0], [0.0]])
    np.testing.assert_allclose(largest_deviations(codes, 2, 0.5), [[2.0], [0.0]])


def test_robustness_is_one_minus_the_ratio_of_means():
    moved, held = np.array([[2.0], [4.0]]), np.array([[[0.0], [3.0]], [[6.0], [6.0]]])
    robust, extent = robustness(moved, held)
    np.testing.assert_allclose(robust, [[0.5, 0.0]])
    assert extent.tolist() == [3.0]
