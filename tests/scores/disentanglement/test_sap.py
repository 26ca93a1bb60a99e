from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import balanced_accuracy_score

from micrographia.scores.disentanglement import sap
from micrographia.scores.disentanglement.sap import best_segmentation, cells_between_quantiles


def best_by_trial(values, factor, adjusted):
    """Balanced accuracy of the best cuts into at most K parts with any labels, by trying all of them."""
    distinct, classes = np.unique(values), np.unique(factor)
    best = 0.0
    for count in range(min(len(classes), len(distinct))):
        for cuts in combinations(distinct[1:], count):
            part = np.searchsorted(cuts, values, side="right")
            for labels in product(classes, repeat=count + 1):
                predicted = np.array(labels)[part]
                best = max(best, balanced_accuracy_score(factor, predicted, adjusted=adjusted))
    return best


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_thresholds_are_the_best_ones(classes, adjusted):
    generator = np.random.default_rng(classes)
    factor = np.append(generator.integers(0, classes, 60), np.arange(classes))
    codes = np.column_stack([generator.integers(0, 6, len(factor)), factor + generator.integers(0, 4, len(factor))])
    matrix = sap(codes, factor[:, None], adjusted=adjusted).matrix["factor0"]
    for latent in range(2):
        assert matrix.iloc[latent] == pytest.approx(best_by_trial(codes[:, latent], factor, adjusted))


def test_unadjusted_scores_are_those_of_the_paper(kinds, truth):
    adjusted, published = (sap(kinds["noisy"], truth, adjusted=given) for given in (True, False))
    chance = 1 / truth.nunique()
    pd.testing.assert_series_equal(published.per_factor, adjusted.per_factor * (1 - chance), check_names=False)
    assert published.score < adjusted.score


def test_continuous_factors_are_predicted_by_a_line(kinds, truth):
    codes = kinds["noisy"]
    result = sap(codes, truth, continuous=True)
    squares = sorted(pearsonr(codes[latent], truth["Shape"])[0] ** 2 for latent in codes)
    assert result.per_factor["Shape"] == pytest.approx(squares[-1] - squares[-2])
    assert result.score == pytest.approx(result.per_factor.mean())
    assert result.settings["continuous"]


def test_many_distinct_codes_are_cut_at_quantiles(kinds, truth):
    fine, coarse = (sap(kinds["slightly noisy"], truth, cells=cells) for cells in (1000, 128))
    assert coarse.score == pytest.approx(fine.score, abs=0.03)
    cells = cells_between_quantiles(np.random.default_rng(0).normal(size=1000), cells=10)
    assert np.bincount(cells).tolist() == [100] * 10


def test_a_value_of_many_codes_has_a_cell_of_its_own():
    values = np.concatenate([np.zeros(900), np.random.default_rng(0).normal(size=100)])
    cells = cells_between_quantiles(values, cells=10)
    assert np.unique(values[cells == cells[0]]).tolist() == [0]


def test_constant_factor_is_left_out(kinds, truth):
    result = sap(kinds["identity"], truth.assign(PosX=3))
    assert np.isnan(result.per_factor["PosX"])
    assert np.isnan(sap(kinds["identity"], truth.assign(PosX=3), continuous=True).per_factor["PosX"])
    assert result.score > 0.95


def test_takes_text_unless_continuous(kinds, truth):
    named = truth.assign(Shape=truth["Shape"].map({0: "square", 1: "ellipse", 2: "heart"}))
    assert sap(kinds["noisy"], named).score == pytest.approx(sap(kinds["noisy"], truth).score)
    with pytest.raises(ValueError, match="could not convert"):
        sap(kinds["noisy"], named, continuous=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_bounded_and_indifferent_to_sign_and_order(seed, continuous):
    generator = np.random.default_rng(seed)
    factors = generator.integers(0, [4, 3], (150, 2))
    codes = np.round(generator.normal(size=(150, 3)) + factors @ generator.normal(size=(2, 3)), 1)
    result = sap(codes, factors, continuous)
    assert 0 <= result.score <= 1
    assert result.matrix.to_numpy().min() >= 0
    moved = sap(-4 * codes[:, generator.permutation(3)], factors[:, ::-1], continuous)
    assert moved.score == pytest.approx(result.score)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_more_segments_never_gain_less(seed):
    shares = np.random.default_rng(seed).random((2, 7, 3))
    gains = np.array([best_segmentation(shares, segments) for segments in range(1, 9)])
    assert (np.diff(gains, axis=0) >= 0).all()
    np.testing.assert_allclose(gains[0], shares.sum(axis=1).max(axis=1))
    np.testing.assert_allclose(gains[-1], shares.max(axis=2).sum(axis=1))


def test_a_lone_latent_is_compared_with_chance():
    factors = np.random.default_rng(0).integers(0, [4, 3], (2000, 2))
    constant, ideal = np.ones((2000, 1)), factors[:, :1]
    for adjusted in (True, False):
        assert sap(constant, factors, adjusted=adjusted).score == pytest.approx(0)
    assert sap(ideal, factors[:, :1], adjusted=False).score == pytest.approx(3 / 4)
