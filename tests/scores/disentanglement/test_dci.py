import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from micrographia.scores.disentanglement import dci
from micrographia.scores.disentanglement.dci import concentration


@pytest.fixture(scope="module")
def factors():
    generator = np.random.default_rng(0)
    return pd.DataFrame({name: generator.integers(0, size, 1500) for name, size in {"Shape": 3, "Scale": 4}.items()})


@pytest.fixture(scope="module")
def noise(factors):
    return pd.DataFrame(np.random.default_rng(1).normal(size=(1500, 3)), columns=["n0", "n1", "n2"])


def quick(codes, factors, **settings):
    return dci(codes, factors, **{"trees": 20, **settings})


@pytest.mark.parametrize("booster", ["lightgbm", "sklearn_gbt"])
def test_identity_codes_score_near_one(factors, noise, booster):
    result = quick(pd.concat([factors.astype(float), noise], axis=1), factors, booster=booster)
    assert result.disentanglement > 0.97
    assert result.completeness > 0.97
    assert result.informativeness == 1
    assert result.matrix.loc["Scale", "Scale"] > 0.97
    assert result.settings["booster"] == booster


def test_independent_codes_score_near_zero_and_predict_at_chance(noise, factors):
    result = quick(noise, factors)
    assert result.disentanglement < 0.05
    assert result.completeness < 0.05
    assert result.informativeness == pytest.approx(result.per_factor["chance"].mean(), abs=0.06)


def test_constant_codes_score_zero(factors):
    result = quick(np.ones((1500, 4)), factors)
    assert (result.disentanglement, result.completeness) == (0, 0)
    assert (result.matrix == 0).all(axis=None)
    np.testing.assert_allclose(result.per_factor["informativeness"], result.per_factor["chance"], atol=0.06)


def test_rotation_lowers_disentanglement(factors):
    angle = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    codes = (factors / factors.max()).to_numpy() + np.random.default_rng(2).normal(0, 0.03, (1500, 2))
    assert quick(codes, factors).disentanglement - quick(codes @ angle, factors).disentanglement > 0.3


def test_falls_as_noise_grows(factors):
    noise = np.random.default_rng(3).normal(size=factors.shape)
    results = [quick((factors / factors.max()).to_numpy() + level * noise, factors) for level in (0.02, 0.4, 3)]
    for part in ("disentanglement", "informativeness"):
        values = [getattr(result, part) for result in results]
        assert values == sorted(values, reverse=True)


def test_scores_are_entropies_of_the_matrix(factors, noise):
    codes = factors.to_numpy() @ [[1.0, 0.4, 0.0], [0.1, 1.0, 0.0]] + 0.2 * noise
    result = quick(codes, factors)
    matrix = result.matrix.to_numpy()
    np.testing.assert_allclose(matrix.sum(axis=0), 1)
    latents = 1 - entropy(matrix.T, base=2)
    assert result.disentanglement == pytest.approx((latents * matrix.sum(axis=1) / matrix.sum()).sum())
    assert result.completeness == pytest.approx((1 - entropy(matrix, base=3)).mean())
    np.testing.assert_allclose(result.per_latent["disentanglement"], latents)


def test_order_and_affine_maps_of_latents_do_not_matter(factors, noise):
    codes = factors.to_numpy() @ [[1.0, 0.4, 0.0], [0.1, 1.0, 0.0]] + 0.2 * noise
    result = quick(codes, factors)
    scaled, reordered = quick(codes * 4, factors), quick(codes[["n2", "n0", "n1"]], factors)
    assert scaled.disentanglement == pytest.approx(result.disentanglement)
    # Equal gains are resolved by the order of the columns, which can change single splits.
    assert reordered.disentanglement == pytest.approx(result.disentanglement, abs=0.03)
    assert reordered.informativeness == pytest.approx(result.informativeness, abs=0.03)


def test_same_seed_same_result_whatever_the_threads(factors, noise):
    codes = pd.concat([factors + noise[["n0"]].to_numpy(), noise], axis=1)
    first, again, other = (quick(codes, factors, trees=4, **given) for given in ({}, {"threads": 2}, {"seed": 1}))
    pd.testing.assert_frame_equal(first.matrix, again.matrix)
    assert not np.allclose(first.matrix, other.matrix)


def test_constant_factor_is_left_out(factors):
    codes = factors.astype(float)
    result = quick(codes, factors.assign(PosX=0))
    assert result.per_factor.loc["PosX"].isna().all()
    assert result.disentanglement > 0.97
    assert result.completeness > 0.97


def test_one_latent_and_one_factor(factors):
    result = quick(factors[["Scale"]].astype(float), factors[["Scale"]])
    assert (result.disentanglement, result.completeness, result.informativeness) == (1, 1, 1)


def test_rejects_a_share_that_leaves_nothing(factors):
    with pytest.raises(ValueError, match="train_fraction"):
        quick(factors.astype(float), factors, train_fraction=1.0)


def test_concentration_of_a_single_column_is_one_where_it_has_weight():
    np.testing.assert_allclose(concentration(np.array([[2.0], [0.0]])), [1, 0])


@pytest.mark.parametrize("booster", ["lightgbm", "lasso"])
def test_where_the_codes_lie_and_their_unit_do_not_matter(booster, kinds, truth):
    given = {"booster": booster} | ({"trees": 5} if booster == "lightgbm" else {})
    plain = dci(kinds["noisy"], truth, **given)
    for codes in (kinds["noisy"] + 1e8, kinds["noisy"] * 1e-39, kinds["noisy"] * 1e39):
        moved = dci(codes, truth, **given)
        assert moved.informativeness == pytest.approx(plain.informativeness, abs=0.01)
        assert moved.disentanglement == pytest.approx(plain.disentanglement, abs=0.01)
