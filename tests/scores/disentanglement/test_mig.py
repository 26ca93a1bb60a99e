import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.scores.association import association
from micrographia.scores.disentanglement import mig


@pytest.fixture(scope="module")
def factors():
    generator = np.random.default_rng(0)
    sizes = {"Texture": 5, "Color": 7, "Shape": 3, "Scale": 6}
    return pd.DataFrame({name: generator.integers(0, size, 10_000) for name, size in sizes.items()})


def test_identity_codes_score_near_one(factors):
    result = mig(factors.astype(float), factors)
    assert result.score > 0.995
    assert (result.per_factor > 0.99).all()


def test_constant_codes_score_zero_and_independent_ones_near_zero(factors):
    assert mig(np.ones((10_000, 5)), factors).score == 0
    assert mig(np.random.default_rng(1).normal(size=(10_000, 5)), factors).score < 0.005


def test_duplicated_codes_score_zero(factors):
    assert mig(pd.concat([factors, factors.add_prefix("copy of ")], axis=1), factors).score == 0


def test_rotation_lowers_the_score(factors):
    codes = factors / factors.max()
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    assert mig(codes.to_numpy() @ rotation, factors).score < 0.5


def test_falls_as_noise_grows(factors):
    noise = np.random.default_rng(3).normal(size=factors.shape)
    scores = [mig((factors / factors.max()).to_numpy() + level * noise, factors).score for level in (0, 0.1, 0.3, 1)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 0.7


def test_gap_is_the_difference_of_the_two_strongest_latents(factors):
    codes = np.random.default_rng(4).normal(size=(10_000, 3)) + factors[["Shape"]].to_numpy() * [0.0, 1.0, 3.0]
    result = mig(codes, factors)
    expected = association(codes, factors)
    assert result.per_factor["Shape"] == pytest.approx(expected.loc["z2", "Shape"] - expected.loc["z1", "Shape"])
    assert result.score == pytest.approx(result.per_factor.mean())
    pd.testing.assert_frame_equal(result.matrix, expected)
    assert result.per_latent["z2"] == expected.loc["z2", "Shape"]
    assert {"bins": 20, "estimator": "plug-in", "samples": 10_000}.items() <= result.settings.items()


def test_one_latent_has_no_rival(factors):
    result = mig(factors[["Scale"]].astype(float), factors)
    assert result.per_factor["Scale"] == pytest.approx(1)


def test_constant_factor_is_left_out(factors):
    result = mig(factors.astype(float), factors.assign(PosX=3))
    assert np.isnan(result.per_factor["PosX"])
    assert result.score > 0.995
    assert np.isnan(mig(factors.astype(float), factors.assign(PosX=3)[["PosX"]]).score)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([-4.0, -0.5, 2.0]))
def test_bounded_and_indifferent_to_order_sign_and_scale_of_latents(seed, scale):
    generator = np.random.default_rng(seed)
    factors = generator.integers(0, [4, 3], (150, 2))
    codes = generator.normal(size=(150, 3)) + factors @ generator.normal(size=(2, 3))
    score = mig(codes, factors).score
    assert 0 <= score <= 1
    assert mig(codes[:, generator.permutation(3)] * scale, factors).score == pytest.approx(score, abs=1e-9)
    assert mig(codes, factors[:, ::-1]).score == pytest.approx(score)


def test_a_factor_called_as_the_score_is_refused():
    factors = pd.DataFrame({"score": [0, 1] * 50, "Shape": [0, 0, 1, 1] * 25})
    with pytest.raises(ValueError, match="called 'score'"):
        mig(factors.astype(float).to_numpy(), factors)
