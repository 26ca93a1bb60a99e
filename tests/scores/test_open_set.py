import numpy as np
import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.probes import Logistic, fit_probe
from micrographia.scores.open_set import NEAREST, OpenSet, known_classes

MEANS = {"euplotes": (0.0, 0.0, 0.0), "dileptus": (9.0, 0.0, 0.0), "arcella": (1.5, 0.9, 0.0)}


def protists(count=150, seed=0, **means):
    """Three classes; arcella is nearest to euplotes, by Shape 1.5 and by Scale .9; z2 tells nothing."""
    generator = np.random.default_rng(seed)
    centres = {**MEANS, **means}
    classes = pd.Series(np.repeat(list(centres), count))
    codes = pd.DataFrame(generator.normal(0, 0.5, (len(classes), 3)), columns=["Scale", "Shape", "z2"])
    codes[["Shape", "Scale", "z2"]] += np.array([centres[name] for name in classes])
    parts = pd.Series(np.resize(["train", "train", "val", "test"], len(classes)))
    index = pd.Index(range(1000, 1000 + len(classes)), name="item")
    return codes.set_axis(index), classes.set_axis(index), parts.set_axis(index)


def test_distances_are_those_of_the_means():
    codes, classes, parts = protists(2000)
    found = OpenSet(resamples=0).compare("arcella", codes, classes, parts).distances
    assert found["taken_for"].unique().tolist() == ["euplotes"]
    assert found["by"].unique().tolist() == [NEAREST]
    assert found["latent"].tolist() == ["Shape", "Scale", "z2"]
    np.testing.assert_allclose(found["distance"], [1.5, 0.9, 0.0], atol=0.06)
    np.testing.assert_allclose(found["deviations"], [3.0, 1.8, 0.0], atol=0.12)
    assert (found["share"] > 0.99).all()
    mean = codes[(classes == "arcella") & (parts == "test")].mean()
    np.testing.assert_allclose(found.set_index("latent")["mean"][codes.columns], mean)


def test_a_class_far_away_is_noticed_and_one_that_is_a_known_one_is_not():
    far = OpenSet().compare("arcella", *protists(arcella=(0.0, 9.0, 9.0))).scores.set_index("score")
    assert (far["auroc"] > 0.99).all()
    assert (far["rejected"] > 0.95).all()
    assert (far["fpr95"] < 0.05).all()
    same = OpenSet().compare("arcella", *protists(600, arcella=MEANS["euplotes"])).scores.set_index("score")
    np.testing.assert_allclose(same["auroc"], 0.5, atol=0.06)
    np.testing.assert_allclose(same["kept"], 0.95, atol=0.03)
    np.testing.assert_allclose(same["rejected"], 0.05, atol=0.04)


def test_a_probe_is_asked_by_its_probabilities():
    codes, classes, parts = protists()
    rows = classes != "arcella"
    fitted = fit_probe(Logistic(), codes[rows], classes[rows], parts[rows], importance=())
    chances = fitted.probabilities(codes)
    found = OpenSet(resamples=10).compare("arcella", codes, classes, parts, {"logistic": chances})
    outside = codes.index[(classes == "arcella") & (parts == "test")]
    assert found.predictions.index.equals(outside)
    pd.testing.assert_series_equal(
        found.predictions["logistic"], chances.loc[outside].idxmax(axis=1), check_names=False
    )
    np.testing.assert_allclose(found.predictions["probability_logistic"], 1 - chances.loc[outside].max(axis=1))
    assert found.scores["score"].tolist() == ["mahalanobis", "knn", "probability_logistic"]
    assert (found.scores["known"] == (rows & (parts == "test")).sum()).all()
    assert (found.scores["left_out"] == len(outside)).all()
    assert set(found.distances["by"]) == {NEAREST, "logistic"}


def test_the_left_out_class_changes_nothing_that_is_fitted():
    codes, classes, parts = protists()
    arcella = classes == "arcella"
    spoiled = codes.mask(arcella & (parts != "test"), 1e6)
    first, second = (OpenSet().compare("arcella", table, classes, parts) for table in (codes, spoiled))
    pd.testing.assert_frame_equal(first.scores, second.scores)
    pd.testing.assert_frame_equal(first.distances, second.distances)


def test_a_class_without_training_rows_is_not_known():
    codes, classes, parts = protists()
    classes = classes.mask((classes == "euplotes") & (parts == "test"), "stentor")
    found = OpenSet(resamples=0).compare("arcella", codes, classes, parts)
    assert (found.scores["known"] == ((classes == "dileptus") & (parts == "test")).sum()).all()


def test_one_row_of_the_class_is_enough():
    codes, classes, parts = protists()
    kept = (classes != "arcella") | (codes.index == codes.index[(classes == "arcella") & (parts == "test")][0])
    found = OpenSet(resamples=20).compare("arcella", codes[kept], classes[kept], parts[kept])
    assert len(found.predictions) == 1
    assert found.scores["auroc"].between(0, 1).all()


def test_constant_latents_have_no_deviations():
    codes, classes, parts = protists()
    found = OpenSet(resamples=0).compare("arcella", codes.assign(z2=4.0), classes, parts)
    row = found.distances.set_index("latent").loc["z2"]
    assert row["distance"] == 0
    assert np.isnan(row["deviations"])


def test_mistakes_are_named():
    codes, classes, parts = protists(8)
    with pytest.raises(UserError, match=r"open_set.classes: no class 'stentor'. Classes: arcella, dileptus, euplotes"):
        OpenSet().compare("stentor", codes, classes, parts)
    with pytest.raises(UserError, match=r"open_set.classes: class 'arcella' has no test images"):
        known_classes("arcella", classes, parts.mask(classes == "arcella", "train"))
    two = classes != "dileptus"
    with pytest.raises(UserError, match=r"open_set.classes: without 'arcella' fewer than two"):
        OpenSet().compare("arcella", codes[two], classes[two], parts[two])
    with pytest.raises(ValueError, match="different indices"):
        OpenSet().compare("arcella", codes, classes.iloc[::-1], parts)
