import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, mahalanobis
from sklearn.metrics import roc_auc_score

from micrographia.scores.rejection import (
    auroc,
    false_positive_rate,
    fit_gaussians,
    least_threshold,
    neighbour_distance,
    rejection_measures,
)

LATENTS = ["Shape", "Scale", "z2"]


def clouds(count=200, classes=("a", "b", "c"), seed=0, spread=1.0):
    """Correlated Gaussians of one covariance around means that differ."""
    generator = np.random.default_rng(seed)
    mixing = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.1, -0.3, 2.0]])
    labels = pd.Series(np.repeat(classes, count))
    means = np.repeat(generator.normal(0, 4, (len(classes), 3)), count, axis=0)
    codes = means + spread * generator.normal(size=means.shape) @ mixing.T
    return pd.DataFrame(codes, columns=LATENTS), labels


def test_without_shrinkage_distances_are_scipys():
    codes, classes = clouds()
    fitted = fit_gaussians(codes, classes, shrinkage=0.0)
    residuals = codes - codes.groupby(classes).transform("mean")
    inverse = np.linalg.inv(residuals.T @ residuals / (len(codes) - 3))
    found = fitted.distances(codes.iloc[:5])
    for row in range(5):
        for name in "abc":
            expected = mahalanobis(codes.iloc[row], codes[classes == name].mean(), inverse)
            assert found.iloc[row][name] == pytest.approx(expected)


def test_standardised_distances_divide_by_the_pooled_deviation():
    codes, classes = clouds()
    fitted = fit_gaussians(codes, classes)
    pooled = np.sqrt(np.mean([codes[classes == name].var(ddof=1) for name in "abc"], axis=0))
    np.testing.assert_allclose(fitted.deviations, pooled)
    expected = cdist(codes / pooled, fitted.means / pooled)
    np.testing.assert_allclose(fitted.standardised_distances(codes), expected)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-3, 3, width=32), min_size=9, max_size=9),
    st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3),
)
def test_mahalanobis_auroc_does_not_depend_on_coordinates(entries, shift):
    matrix = np.array(entries).reshape(3, 3)
    if np.linalg.cond(matrix) > 100:
        matrix = matrix + 10 * np.eye(3)
    codes, classes = clouds(60)
    moved = pd.DataFrame(codes.to_numpy() @ matrix + shift, columns=LATENTS)
    assert found_auroc(moved, classes, 0.0) == pytest.approx(found_auroc(codes, classes, 0.0), abs=2e-3)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3), st.floats(-50, 50))
def test_shrunk_scores_do_not_depend_on_the_scale_of_a_latent(scales, shift):
    codes, classes = clouds(60)
    moved = codes * scales + shift
    assert found_auroc(moved, classes, None) == pytest.approx(found_auroc(codes, classes, None), abs=2e-3)
    rows = classes != "c"
    near, far = (neighbour_distance(table[rows], table) for table in (codes, moved))
    np.testing.assert_allclose(near, far, rtol=1e-5)


def found_auroc(codes, classes, shrinkage):
    """Of class c against half of a and b, fitted to the other half."""
    train = (classes != "c") & (codes.index % 2 == 0)
    scores = fit_gaussians(codes[train], classes[train], shrinkage).distances(codes).min(axis=1)
    return auroc(scores[(classes != "c") & ~train], scores[classes == "c"])


def test_neighbours_are_those_of_brute_force():
    codes, _ = clouds(40)
    training, others = codes.iloc[::2], codes.iloc[1::2]
    deviations = training.std(ddof=0)
    distances = np.sort(cdist(others / deviations, training / deviations), axis=1)
    np.testing.assert_allclose(neighbour_distance(training, others, 7), distances[:, 6])
    np.testing.assert_allclose(neighbour_distance(training, others, 10**6), distances[:, -1])


def test_constant_latents_count_nowhere():
    codes, classes = clouds()
    constant = codes.assign(z3=5.0, z4=0.0)
    asked = constant.assign(z3=7.0, z4=1e9)
    fitted, plain = fit_gaussians(constant, classes), fit_gaussians(codes, classes)
    assert fitted.varied == LATENTS
    np.testing.assert_allclose(fitted.distances(asked), plain.distances(codes))
    np.testing.assert_allclose(neighbour_distance(constant, asked), neighbour_distance(codes, codes))
    nothing = codes * 0.0
    assert (fit_gaussians(nothing, classes).distances(codes) == 0).all(axis=None)
    assert (neighbour_distance(nothing, codes) == 0).all()


def test_copies_of_a_latent_and_more_latents_than_rows_are_no_obstacle():
    codes, classes = clouds()
    doubled = codes.assign(copy=codes["Shape"])
    np.testing.assert_allclose(
        fit_gaussians(doubled, classes, 0.0).distances(doubled), fit_gaussians(codes, classes, 0.0).distances(codes)
    )
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 30))).add_prefix("z")
    labels = pd.Series(list("aaaabbbb"))
    for shrinkage in (None, 0.0):
        assert np.isfinite(fit_gaussians(wide, labels, shrinkage).distances(wide)).all(axis=None)


def test_a_class_of_one_row_has_a_mean_and_no_part_in_the_covariance():
    codes, classes = clouds(50, ("a", "b"))
    one = pd.concat([codes, pd.DataFrame([[50.0, 50.0, 50.0]], columns=LATENTS)], ignore_index=True)
    labels = pd.concat([classes, pd.Series(["c"])], ignore_index=True)
    fitted, plain = fit_gaussians(one, labels), fit_gaussians(codes, classes)
    np.testing.assert_allclose(fitted.deviations, plain.deviations)
    assert fitted.distances(one.tail(1))["c"].item() == pytest.approx(0)


def test_auroc_is_scikit_learns_with_ties():
    generator = np.random.default_rng(0)
    known, left_out = generator.integers(0, 6, 80), generator.integers(2, 9, 30)
    truth = [0] * 80 + [1] * 30
    assert auroc(known, left_out) == pytest.approx(roc_auc_score(truth, [*known, *left_out]))
    assert auroc([1, 1], [1, 1]) == 0.5


def test_false_positives_of_an_example_made_by_hand():
    known = [0.1] * 18 + [0.5, 0.9]  # 19 of 20 lie at .5 or below
    assert least_threshold(known) == 0.5
    assert false_positive_rate(known, [0.2, 0.5, 0.6, 0.9]) == 0.5
    assert false_positive_rate(known, [0.2, 0.5, 0.6, 0.9], kept=1.0) == 1.0


def test_the_threshold_is_that_of_validation_rows():
    found = rejection_measures(range(1, 21), known=[1, 18, 19, 25], left_out=[2, 20, 30, 40], resamples=50)
    assert found["kept"] == 0.75
    assert found["rejected"] == 0.75
    assert found["fpr95"] == 0.5
    assert found["auroc_low"] <= found["auroc"] <= found["auroc_high"]


def test_separated_clouds_are_found_and_equal_ones_are_not():
    generator = np.random.default_rng(0)
    known, same, far = generator.normal(size=500), generator.normal(size=500), generator.normal(8, 1, 500)
    apart = rejection_measures(known, known, far)
    assert apart["auroc"] > 0.999
    assert apart["fpr95"] == 0
    assert apart["rejected"] == 1
    chance = rejection_measures(known, known, same)
    assert chance["auroc_low"] < 0.5 < chance["auroc_high"]
    assert chance["fpr95"] == pytest.approx(0.95, abs=0.03)


def test_nothing_to_tell_from_is_nan():
    assert np.isnan(rejection_measures([1, 2], [], [1])["auroc"])
    without = rejection_measures([], [1, 2], [3], resamples=0)
    assert without["auroc"] == 1
    assert np.isnan(without["auroc_low"])
    assert np.isnan(without["rejected"])
    one = rejection_measures([1, 2], [1, 2], [3])
    assert (one["auroc"], one["auroc_low"], one["auroc_high"]) == (1, 1, 1)


def test_mistakes_are_named():
    codes, classes = clouds(5)
    with pytest.raises(ValueError, match="same rows"):
        fit_gaussians(codes, classes.iloc[::-1])
    with pytest.raises(ValueError, match="Scale"):
        fit_gaussians(codes.assign(Scale=np.inf), classes)
    with pytest.raises(ValueError, match="neighbours=0"):
        neighbour_distance(codes, codes, 0)
    with pytest.raises(ValueError, match="rows=0"):
        neighbour_distance(codes.iloc[:0], codes)
