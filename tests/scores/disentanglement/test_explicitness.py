import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier

from micrographia.scores.disentanglement import explicitness
from micrographia.scores.disentanglement.explicitness import roc_areas, whitened
from micrographia.scores.disentanglement.held_out import train_and_test


def test_agrees_with_scikit_learn(kinds, truth):
    codes = kinds["noisy"].to_numpy()
    train, test = train_and_test(len(codes), 2 / 3, 0)
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    model = LogisticRegression(tol=1e-6, max_iter=1000).fit(codes[train], truth["Shape"].iloc[train])
    expected = roc_auc_score(truth["Shape"].iloc[test], model.predict_proba(codes[test]), multi_class="ovr")
    assert explicitness(kinds["noisy"], truth).per_factor["Shape"] == pytest.approx(expected, abs=1e-3)


def test_a_regression_of_each_value_cannot_tell_inner_values_apart(kinds, truth):
    codes, factors = kinds["slightly noisy"], truth[["Scale"]]
    separate = explicitness(codes, factors, one_versus_rest=True)
    train, test = train_and_test(len(codes), 2 / 3, 0)
    features = ((codes - codes.mean()) / codes.std(ddof=0)).to_numpy()
    model = OneVsRestClassifier(LogisticRegression(tol=1e-6, max_iter=1000)).fit(features[train], truth["Scale"][train])
    odds = model.decision_function(features[test])
    expected = [roc_auc_score(truth["Scale"][test] == value, odds[:, value]) for value in range(odds.shape[1])]
    assert separate.score == pytest.approx(np.mean(expected), abs=2e-3)
    assert separate.score < explicitness(codes, factors).score - 0.05
    assert separate.settings["one_versus_rest"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_areas_agree_with_scikit_learn_ties_included(seed):
    generator = np.random.default_rng(seed)
    values = np.append(generator.integers(0, 3, 40), [0, 1, 2])
    probabilities = np.round(generator.random((43, 3)), 1)
    expected = [roc_auc_score(values == value, probabilities[:, value]) for value in range(3)]
    np.testing.assert_allclose(roc_areas(probabilities, values), expected)


def test_any_invertible_map_leaves_it(kinds, truth):
    mixing = np.random.default_rng(0).normal(size=(4, 4))
    mixed = kinds["noisy"].to_numpy() @ mixing * [100.0, 1.0, 0.01, 1.0] - 7
    found = explicitness(mixed, truth)
    assert found.score == pytest.approx(explicitness(kinds["noisy"], truth).score, abs=2e-3)


def test_copies_and_constants_add_nothing(kinds, truth):
    codes = kinds["noisy"]
    padded = codes.assign(copy=codes["z0"] * 2, dead=5.0)
    assert whitened(padded)[0].shape == (4000, 4)
    result = explicitness(padded, truth)
    assert result.score == pytest.approx(explicitness(codes, truth).score, abs=2e-3)
    assert result.per_latent["dead"] == 0


def test_whitened_columns_are_uncorrelated(kinds):
    features, unmixing = whitened(kinds["rotated"])
    np.testing.assert_allclose(features.T @ features / 4000, np.eye(4), atol=1e-3)
    standardised = (kinds["rotated"] - kinds["rotated"].mean()) / kinds["rotated"].std(ddof=0)
    np.testing.assert_allclose(standardised.to_numpy() @ unmixing, features, atol=1e-3)


def test_weights_point_at_the_latent_of_each_factor(kinds, truth):
    matrix = explicitness(kinds["slightly noisy"], truth).matrix
    assert list(matrix.idxmax()) == ["z0", "z1", "z2", "z3"]


def test_values_that_are_not_held_out_are_skipped():
    generator = np.random.default_rng(0)
    factors = np.append(generator.integers(0, 2, 299), 2)[:, None]
    codes = factors + 0.1 * generator.normal(size=(300, 1))
    assert explicitness(codes, factors).score == pytest.approx(1, abs=0.01)


def test_constant_factor_is_left_out(kinds, truth):
    result = explicitness(kinds["identity"], truth.assign(PosX=1))
    assert np.isnan(result.per_factor["PosX"])
    assert result.score > 0.98
