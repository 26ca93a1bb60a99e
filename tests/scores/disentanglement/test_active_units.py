import numpy as np
import pytest

from micrographia.scores.disentanglement import active_units


def test_counts_latents_above_the_variance(kinds):
    codes = kinds["independent"] * [1.0, 0.2, 0.09, 0.0, 1.0, 5.0]
    result = active_units(codes)
    assert result.score == 4
    np.testing.assert_allclose(result.per_latent, codes.var(ddof=0), rtol=1e-9)
    np.testing.assert_allclose(result.matrix, np.cov(codes.T, ddof=0), atol=1e-12)
    assert active_units(codes, variance=0.05).score == 3


def test_rejects_missing_codes(kinds):
    with pytest.raises(ValueError, match="'z1' holds infinite or missing"):
        active_units(kinds["identity"].assign(z1=np.nan))
