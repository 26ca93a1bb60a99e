import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.scores.association import mutual_information
from micrographia.scores.disentanglement import modularity


def test_agrees_with_the_formula_written_out(kinds, truth):
    information = mutual_information(kinds["rotated"], truth)
    expected = {}
    for latent, row in information.iterrows():
        template = np.where(row == row.max(), row.max(), 0.0)
        expected[latent] = 1 - ((row - template) ** 2).sum() / (row.max() ** 2 * (len(row) - 1))
    result = modularity(kinds["rotated"], truth)
    pd.testing.assert_series_equal(result.per_latent, pd.Series(expected, name="modularity"))
    assert result.score == pytest.approx(np.mean(list(expected.values())))
    pd.testing.assert_frame_equal(result.matrix, information)


def test_constant_latents_are_left_out(kinds, truth):
    codes = kinds["identity"].assign(dead=1.0)
    result = modularity(codes, truth)
    assert np.isnan(result.per_latent["dead"])
    assert result.score == pytest.approx(modularity(kinds["identity"], truth).score)
    assert result.per_factor["Texture"] == result.per_latent["z0"]


def test_a_factor_without_a_latent_has_no_part(kinds, truth):
    result = modularity(kinds["identity"][["z0", "z1"]], truth)
    assert list(result.per_factor[result.per_factor.isna()].index) == ["Shape", "Scale"]


def test_one_factor_is_perfectly_modular(kinds, truth):
    assert modularity(kinds["rotated"], truth[["Shape"]]).score == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_bounded(seed):
    generator = np.random.default_rng(seed)
    factors = generator.integers(0, [4, 3, 6], (100, 3))
    codes = generator.normal(size=(100, 3)) + factors @ generator.normal(size=(3, 3))
    assert 0 <= modularity(codes, factors).score <= 1
