import builtins
import importlib.util

import numpy as np
import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.probes import GBT, MLP, Logistic, fit_probe

needs_shap = pytest.mark.skipif(importlib.util.find_spec("shap") is None, reason="micrographia[shap] is not installed")
PROBES = {
    "gbt": GBT(trees=20),
    "sklearn": GBT(trees=10, booster="sklearn"),
    "mlp": MLP(hidden=(32,), learning_rate=1e-2, steps=300),
    "logistic": Logistic(),
}
each_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())


def told_by_two(count=600, classes=3, seed=0):
    """Classes told by ``Shape`` well and by ``Scale`` a little, beside noise and a constant."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = pd.DataFrame(
        {
            "noise": generator.normal(size=count),
            "Scale": 0.5 * labels + generator.normal(size=count),
            "Shape": labels + generator.normal(0, 0.2, count),
            "constant": 7.0,
        }
    )
    names = pd.Series([f"class {label}" for label in labels])
    return features, names, pd.Series(np.repeat(["train", "val", "test"], count // 3))


def importance(probe, *wanted, data=None, **options):
    found = fit_probe(probe, *(data or told_by_two()), importance=wanted, **options).importance
    return {kind: rows.set_index("feature")["importance"] for kind, rows in found.groupby("kind")}


@each_probe
def test_permutation_ranks_what_tells_above_noise_and_gives_a_constant_nothing(probe):
    found = importance(probe, "permutation")["permutation"]
    assert found.idxmax() == "Shape"
    assert found["Shape"] > 0.3
    assert abs(found["noise"]) < 0.05
    assert found["constant"] == 0


def test_probes_that_read_the_same_are_given_the_same():
    falls = [importance(probe, "permutation")["permutation"]["Shape"] for probe in (PROBES["gbt"], PROBES["logistic"])]
    assert falls[0] == pytest.approx(falls[1], abs=0.1)


def test_own_importance_is_that_of_trees_alone():
    assert list(importance(PROBES["gbt"], "own")) == ["gain"]
    assert list(importance(PROBES["sklearn"], "own")) == ["impurity"]
    assert importance(PROBES["gbt"], "own")["gain"].sum() == pytest.approx(1)
    assert importance(PROBES["mlp"], "own") == {}
    assert importance(PROBES["gbt"]) == {}


def test_what_was_learned_in_training_and_holds_no_more_is_seen_by_permutation_alone():
    features, classes, parts = told_by_two()
    leaked = features[["noise", "constant"]].assign(leak=np.where(parts == "train", pd.factorize(classes)[0], 1))
    found = importance(GBT(trees=20), "own", "permutation", data=(leaked, classes, parts))
    assert found["gain"].idxmax() == "leak"
    assert found["permutation"]["leak"] == 0


@needs_shap
@each_probe
@pytest.mark.parametrize("classes", [2, 3])
def test_shapley_values_agree(probe, classes):
    found = importance(probe, "shap", data=told_by_two(classes=classes))["shap"]
    assert found.sum() == pytest.approx(1)
    assert found.idxmax() == "Shape"
    assert found["Shape"] > 0.5
    assert found["constant"] == pytest.approx(0, abs=1e-9)
    again = importance(probe, "shap", data=told_by_two(classes=classes))["shap"]
    pd.testing.assert_series_equal(found, again)


def test_what_is_missing_is_said(monkeypatch):
    found = builtins.__import__

    def without(name, *rest):
        if name == "shap":
            raise ModuleNotFoundError("No module named 'shap'", name="shap")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"needs the package shap: pip install 'micrographia\[shap\]'"):
        importance(Logistic(), "shap")


def test_importance_on_no_rows_is_refused_but_for_a_trees_own():
    features, classes, parts = told_by_two()
    data = features, classes, parts.replace("val", "test")
    assert list(importance(PROBES["gbt"], "own", data=data)) == ["gain"]
    with pytest.raises(UserError, match="validation part is empty"):
        importance(PROBES["gbt"], "own", "permutation", data=data)
