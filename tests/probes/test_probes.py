import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from micrographia.config import config_directory, instantiate
from micrographia.errors import UserError
from micrographia.probes import GBT, MLP, Logistic, fit_probe

PROBES = {
    "gbt": GBT(trees=20),
    "sklearn": GBT(trees=10, booster="sklearn"),
    "mlp": MLP(hidden=(32,), learning_rate=1e-2, steps=300),
    "logistic": Logistic(),
}
each_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())


def separable(count=300, noise=3, seed=0):
    """Three classes told by ``Shape`` alone, beside features that tell nothing, on a scale of their own."""
    generator = np.random.default_rng(seed)
    classes = pd.Series(np.array(["condensed", "multiple", "negative"])[np.arange(count) % 3], name="class")
    features = pd.DataFrame({f"z{i}": generator.normal(100, 50, count) for i in range(noise)})
    features["Shape"] = pd.factorize(classes)[0] + generator.uniform(-0.3, 0.3, count)
    parts = pd.Series(np.repeat(["train", "val", "test"], count // 3))
    return features, classes, parts


def score(result, part, name="balanced_accuracy"):
    return result.scores.set_index("part").loc[part, name]


@each_probe
def test_tells_separable_classes_apart_by_the_feature_that_differs(probe):
    result = fit_probe(probe, *separable())
    assert score(result, "test") > 0.97
    assert list(result.scores["n"]) == [100, 100, 100]
    kinds = [kind for kind in (probe.importance, "permutation") if kind]
    assert result.importance["kind"].unique().tolist() == kinds
    for _, rows in result.importance.groupby("kind"):
        found = rows.set_index("feature")["importance"]
        assert found.idxmax() == "Shape"
        assert found["Shape"] > 0.5


@each_probe
def test_is_at_chance_on_shuffled_classes(probe):
    features, classes, parts = separable(900)
    shuffled = classes.sample(frac=1, random_state=0).set_axis(classes.index)
    assert score(fit_probe(probe, features, shuffled, parts), "test") == pytest.approx(1 / 3, abs=0.08)


@each_probe
def test_only_training_rows_are_fitted(probe):
    features, classes, parts = separable()
    other = features.copy()
    elsewhere = (parts != "train").to_numpy()
    other.loc[elsewhere] = np.random.default_rng(1).normal(-1000, 1e4, (elsewhere.sum(), features.shape[1]))
    swapped = classes.mask(elsewhere, classes.iloc[::-1].set_axis(classes.index))
    first = fit_probe(probe, features, classes, parts, importance=())
    second = fit_probe(probe, other, swapped, parts, importance=())
    pd.testing.assert_frame_equal(first.probabilities(features), second.probabilities(features))
    assert score(first, "train") == score(second, "train")


@each_probe
def test_same_seed_same_tables(probe):
    features, classes, parts = separable(120)
    features["Shape"] += np.random.default_rng(0).normal(0, 1, 120)
    first, again = (fit_probe(probe, features, classes, parts, repeats=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.scores, again.scores)
    pd.testing.assert_frame_equal(first.importance, again.importance)


@each_probe
def test_a_class_unseen_in_a_part_breaks_nothing(probe):
    features, classes, parts = separable()
    never_trained = parts.mask((classes == "negative") & (parts == "train"), "val")
    result = fit_probe(probe, features, classes, never_trained)
    assert score(result, "test") == pytest.approx(2 / 3, abs=0.05)
    assert result.confusion.loc["test"]["negative"].sum() == 0
    assert (result.probabilities(features)["negative"] == 0).all()
    never_tested = parts.mask((classes == "negative") & (parts == "test"), "train")
    result = fit_probe(probe, features, classes, never_tested)
    assert score(result, "test") > 0.95
    assert result.confusion.loc[("test", "negative")].sum() == 0


def test_scores_agree_with_scikit_learn():
    features, classes, parts = separable()
    features["Shape"] += np.random.default_rng(0).normal(0, 1, len(features))
    classes = classes.mask(classes.index % 7 == 0, "condensed")
    result = fit_probe(GBT(trees=5), features, classes, parts)
    test = result.predictions[result.predictions["part"] == "test"]
    assert score(result, "test", "accuracy") == pytest.approx(accuracy_score(test["class"], test["predicted"]))
    assert score(result, "test") == pytest.approx(balanced_accuracy_score(test["class"], test["predicted"]))
    macro = f1_score(test["class"], test["predicted"], average="macro")
    assert score(result, "test", "macro_f1") == pytest.approx(macro)
    for part, rows in result.predictions.groupby("part"):
        expected = pd.crosstab(rows["class"], rows["predicted"])
        np.testing.assert_array_equal(result.confusion.loc[part], expected)
    assert list(result.confusion.loc["val"].index) == ["condensed", "multiple", "negative"]


def test_an_empty_part_has_no_scores():
    features, classes, parts = separable()
    result = fit_probe(GBT(trees=3), features, classes, parts.replace("test", "train"))
    assert np.isnan(score(result, "test"))
    assert score(result, "test", "n") == 0
    assert result.confusion.loc["test"].to_numpy().sum() == 0


def test_tables_keep_names_and_order():
    features, classes, parts = separable(30)
    index = pd.Index(range(1000, 1030))
    features, classes, parts = (table.set_axis(index) for table in (features, classes, parts))
    order = ["negative", "multiple", "condensed", "positive"]
    result = fit_probe(Logistic(), features, classes, parts, order=order)
    assert list(result.confusion.loc["test"].index) == list(result.confusion.columns) == order
    assert list(result.importance["feature"]) == list(
        features.columns
    )  # logistic regression has no importance of its own
    assert result.predictions.index.equals(index)
    np.testing.assert_allclose(result.probabilities(features).sum(axis=1), 1, rtol=1e-5)


def test_balanced_weights_raise_the_recall_of_a_rare_class():
    generator = np.random.default_rng(0)
    rare = generator.random(3000) < 0.05
    features = pd.DataFrame({"Scale": generator.normal(size=3000) + 1.5 * rare})
    classes = pd.Series(np.where(rare, "rare", "common"))
    parts = pd.Series(np.resize(["train", "val", "test"], 3000))
    for plain in (GBT(trees=20), MLP(hidden=(8,), learning_rate=1e-2, steps=200), Logistic()):
        weighted = type(plain)(**{**vars(plain), "class_weight": "balanced"})
        recalls = [
            fit_probe(probe, features, classes, parts, importance=()).confusion.loc[("test", "rare"), "rare"]
            for probe in (plain, weighted)
        ]
        assert recalls[1] > recalls[0] + 5


def test_wide_tables_are_projected_and_still_told_apart():
    features, classes, parts = separable(150, noise=60)
    wide = pd.concat([features, features[["Shape"] * 20].set_axis([f"copy{i}" for i in range(20)], axis=1)], axis=1)
    for probe in (MLP(components=8, learning_rate=1e-2, steps=200), Logistic(components=8), GBT(trees=30, columns=10)):
        result = fit_probe(probe, wide, classes, parts, importance=())
        assert score(result, "test") > 0.85
    assert fit_probe(Logistic(components=8), wide, classes, parts, importance=()).pipeline["project"].n_components_ == 8
    assert "project" not in Logistic(components=None).build(50, 10_000).named_steps


def test_more_steps_than_allowed_are_reported_not_warned_of(recwarn):
    features, classes, parts = separable()
    assert not fit_probe(MLP(hidden=(8,), steps=5), features, classes, parts, importance=()).converged
    assert fit_probe(Logistic(), features, classes, parts, importance=()).converged
    assert not [warning for warning in recwarn if "converge" in str(warning.message).lower()]


def test_mistakes_are_named():
    features, classes, parts = separable(30)
    with pytest.raises(UserError, match="fewer than two classes"):
        fit_probe(GBT(), features, classes.mask(parts == "train", "negative"), parts)
    with pytest.raises(UserError, match="feature z1"):
        fit_probe(GBT(), features.assign(z1=np.nan), classes, parts)
    with pytest.raises(UserError, match="'negative'"):
        fit_probe(GBT(), features, classes, parts, order=["condensed", "multiple"])
    with pytest.raises(UserError, match="validation part is empty"):
        fit_probe(Logistic(), features, classes, parts.replace("val", "test"))
    with pytest.raises(ValueError, match="different indices"):
        fit_probe(GBT(), features, classes.iloc[::-1], parts)


@pytest.mark.parametrize("name", ["gbt", "mlp", "logistic"])
def test_configurations_state_the_defaults(name):
    node = yaml.safe_load((config_directory() / "probe" / f"{name}.yaml").read_text())
    probe = instantiate(node, f"probes.{name}", seed=3, threads=1)
    default = type(probe)(seed=3)
    assert {key: list(value) if key == "hidden" else value for key, value in vars(probe).items()} == {
        key: list(value) if key == "hidden" else value for key, value in vars(default).items()
    }
