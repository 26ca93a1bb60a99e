import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from micrographia.scores.disentanglement import dci
from micrographia.scores.disentanglement.held_out import train_and_test
from micrographia.scores.disentanglement.predictors import predictor


@pytest.mark.parametrize("booster", ["random_forest", "lasso"])
def test_identity_codes_score_near_one(booster, kinds, truth):
    result = dci(kinds["identity"], truth, booster, trees=10 if booster == "random_forest" else None)
    assert result.disentanglement > 0.97
    assert result.completeness > 0.97
    assert result.informativeness > 0.97
    assert result.settings["booster"] == booster


def test_settings_are_those_of_the_predictor(kinds, truth):
    assert dci(kinds["identity"], truth, "lasso", penalty=0.01).settings.items() >= {
        "penalty": 0.01,
        "importance": "absolute coefficient",
    }.items()  # fmt: skip
    assert "trees" not in dci(kinds["identity"], truth, "lasso").settings


def test_without_penalty_the_lasso_is_a_line_through_standardised_codes(kinds, truth):
    codes = kinds["rotated"].to_numpy()
    result = dci(codes, truth, "lasso", penalty=1e-9)
    train, test = train_and_test(len(codes), 2 / 3, 0)
    for factor in truth:
        values = truth[factor].to_numpy(float)
        model = LinearRegression().fit(codes[train], values[train])
        weight = np.abs(model.coef_ * codes[train].std(axis=0))
        np.testing.assert_allclose(result.matrix[factor], weight / weight.sum(), rtol=1e-4)
        expected = model.score(codes[test], values[test])
        assert result.per_factor.loc[factor, "informativeness"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("booster", ["random_forest", "lasso"])
def test_independent_codes_predict_at_chance(booster, kinds, truth):
    result = dci(kinds["independent"], truth, booster, trees=5 if booster == "random_forest" else None)
    assert result.disentanglement < (0.35 if booster == "lasso" else 0.05)
    assert result.informativeness == pytest.approx(result.per_factor["chance"].mean(), abs=0.05)


def test_rejects_unknown_names():
    with pytest.raises(ValueError, match="no booster 'gbt'; there are lightgbm, sklearn_gbt"):
        predictor("gbt")
    with pytest.raises(ValueError, match="lasso has no setting 'trees'; it has penalty"):
        predictor("lasso", trees=3)


def test_the_lasso_rejects_text(kinds, truth):
    with pytest.raises(ValueError, match="could not convert"):
        dci(kinds["identity"], truth.astype(str).replace({"0": "none"}), "lasso")
