import numpy as np
import pandas as pd
import pytest

from micrographia.scores.disentanglement import moments


def test_blocks_add_up(monkeypatch):
    codes = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32) + 1000)
    monkeypatch.setattr(moments, "ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(moments.covariance(codes), np.cov(codes.to_numpy(float).T, ddof=0))


def test_names_the_latent_that_is_not_finite():
    with pytest.raises(ValueError, match="'b'"):
        moments.covariance(pd.DataFrame({"a": [0.0, 1.0], "b": [np.inf, 1.0]}))
