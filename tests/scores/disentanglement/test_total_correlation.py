import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from micrographia.scores.disentanglement import total_correlation


def correlated(seed, count=3000, latents=4):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, latents)) @ generator.normal(size=(latents, latents))


def test_is_the_entropy_that_joint_codes_lack():
    codes = correlated(0)
    covariance = np.cov(codes.T)
    lone = sum(norm(scale=np.sqrt(variance)).entropy() for variance in np.diag(covariance))
    assert total_correlation(codes).score == pytest.approx(lone - multivariate_normal(cov=covariance).entropy())


def test_parts_are_what_the_others_tell_of_a_latent():
    codes = correlated(1)
    centred = codes - codes.mean(axis=0)
    others = np.delete(centred, 2, axis=1)
    residual = centred[:, 2] - others @ np.linalg.lstsq(others, centred[:, 2], rcond=None)[0]
    expected = -np.log(residual.var() / centred[:, 2].var()) / 2
    assert total_correlation(codes).per_latent["z2"] == pytest.approx(expected)


def test_null_value_and_copies(kinds):
    assert total_correlation(kinds["independent"]).score == pytest.approx(6 * 5 / 4 / 4000, abs=4e-3)
    result = total_correlation(kinds["duplicated"])
    assert result.score == np.inf
    assert (result.per_latent == np.inf).all()
    assert len(result.per_factor) == 0


def test_constant_latents_are_left_out(kinds):
    codes = kinds["noisy"].assign(dead=2.0)
    assert total_correlation(codes).score == pytest.approx(total_correlation(kinds["noisy"]).score)
    constant = total_correlation(kinds["constant"])
    assert np.isnan(constant.score)
    assert constant.undefined == "all latents are constant"
    assert total_correlation(codes[["z0"]]).score == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_affine_maps_of_latents_do_not_matter(seed):
    codes = correlated(seed, count=100)
    moved = codes[:, ::-1] * [-3.0, 0.01, 50.0, 1.0] + 9
    assert total_correlation(moved).score == pytest.approx(total_correlation(codes).score)
