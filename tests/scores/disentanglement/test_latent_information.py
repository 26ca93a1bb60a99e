import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from micrographia.scores.disentanglement import latent_information
from micrographia.scores.tables import equal_width_bins


def test_agrees_with_scikit_learn(kinds):
    codes = kinds["rotated"]
    binned = [equal_width_bins(codes[latent].to_numpy(), 20) for latent in codes]
    expected = np.array([[mutual_info_score(x, y) for y in binned] for x in binned])
    result = latent_information(codes)
    np.testing.assert_allclose(result.matrix, expected, atol=1e-12)
    assert result.score == pytest.approx(expected[~np.eye(4, dtype=bool)].mean())
    assert result.per_latent["z1"] == pytest.approx(np.delete(expected[1], 1).mean())


def test_sees_what_is_not_linear():
    codes = np.random.default_rng(0).normal(size=(5000, 1))
    assert latent_information(np.hstack([codes, codes**2])).score > 0.5


def test_null_value_and_copies(kinds):
    assert latent_information(kinds["independent"]).score < 19**2 / 8000
    duplicated = latent_information(kinds["duplicated"])
    assert duplicated.matrix.loc["z0", "z4"] == pytest.approx(duplicated.matrix.loc["z0", "z0"])
    assert latent_information(kinds["constant"]).score == 0


def test_one_latent_has_no_pair(kinds):
    result = latent_information(kinds["noisy"][["z0"]])
    assert np.isnan(result.score)
    assert result.undefined == "one latent has no pair"
