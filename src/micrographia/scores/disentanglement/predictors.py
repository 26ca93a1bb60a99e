"""Predictors of a factor from codes that tell which latents they use."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from micrographia.scores.tables import require_least

DEEPEST = 16  # lightgbm takes at most 131,072 leaves

Booster = Literal["lightgbm", "sklearn_gbt", "lasso", "random_forest"]


class Prediction(NamedTuple):
    """What a predictor has learned: importance of each latent (at least 0), and the held-out samples' values."""

    importance: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class BoostedTrees:
    """lightgbm's multiclass trees; importance is the total gain of a latent's splits.

    The defaults of rounds, depth and shrinkage are those of scikit-learn's boosting.
    """

    trees: int = 100
    depth: int = 3
    learning_rate: float = 0.1
    least_in_leaf: int = 20
    code_bins: int = 63
    importance = "gain"

    def fit(
        self, features: np.ndarray, values: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int, threads: int
    ) -> Prediction:
        """Learn the values of the training rows and predict those of the test rows."""
        import lightgbm

        parameters = {
            "objective": "multiclass",
            "num_class": int(values.max()) + 1,
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "num_leaves": 2**self.depth,
            "min_data_in_leaf": self.least_in_leaf,
            "max_bin": self.code_bins,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbose": -1,
        }
        data = lightgbm.Dataset(features[train], values[train], params={"verbose": -1})
        booster = lightgbm.train(parameters, data, self.trees)
        predicted = np.asarray(booster.predict(features[test], num_threads=threads)).argmax(axis=1)
        return Prediction(booster.feature_importance("gain"), predicted)


@dataclass(frozen=True)
class GradientBoosting:
    """scikit-learn's GradientBoostingClassifier; importance is the mean decrease of impurity."""

    trees: int = 100
    depth: int = 3
    learning_rate: float = 0.1
    importance = "impurity"

    def fit(
        self, features: np.ndarray, values: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int, threads: int
    ) -> Prediction:
        """Learn the values of the training rows and predict those of the test rows; always in one thread."""
        from sklearn.ensemble import GradientBoostingClassifier

        model = GradientBoostingClassifier(
            n_estimators=self.trees, max_depth=self.depth, learning_rate=self.learning_rate, random_state=seed
        )
        model.fit(features[train], values[train])
        return Prediction(model.feature_importances_, model.predict(features[test]))


@dataclass(frozen=True)
class RandomForest:
    """scikit-learn's RandomForestClassifier; importance is the mean decrease of impurity.

    All latents are tried at each split (``split_share`` 1): where a split sees some of them only, importance is spread
    over latents that merely were at hand, and identity codes score about 0.8.
    """

    trees: int = 100
    depth: int = 8
    split_share: float = 1.0
    importance = "impurity"

    def fit(
        self, features: np.ndarray, values: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int, threads: int
    ) -> Prediction:
        """Learn the values of the training rows and predict those of the test rows."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(
            n_estimators=self.trees,
            max_depth=self.depth,
            max_features=self.split_share,
            random_state=seed,
            n_jobs=threads,
        )
        model.fit(features[train], values[train])
        return Prediction(model.feature_importances_, model.predict(features[test]))


@dataclass(frozen=True)
class Lasso:
    """Linear regression with an L1 penalty; importance is the size of a latent's coefficient.

    Codes and factor are standardised on the training rows, so that coefficients compare and the penalty has no unit.
    Too large a penalty on independent codes leaves one coefficient by chance, which looks disentangled.
    """

    penalty: float = 0.001
    importance = "absolute coefficient"

    def fit(
        self, features: np.ndarray, values: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int, threads: int
    ) -> Prediction:
        """Learn the numbers of the training rows and predict those of the test rows."""
        from sklearn.linear_model import Lasso as LassoRegression

        learned = features[train].astype(np.float64)
        centre, scale = learned.mean(axis=0), learned.std(axis=0)
        scale = np.where(learned.min(axis=0) < learned.max(axis=0), scale, 1.0)
        mean, deviation = values[train].mean(), values[train].std()
        model = LassoRegression(alpha=self.penalty).fit((learned - centre) / scale, (values[train] - mean) / deviation)
        predicted = model.predict((features[test] - centre) / scale) * deviation + mean
        return Prediction(np.abs(model.coef_), predicted)


Predictor = BoostedTrees | GradientBoosting | RandomForest | Lasso
PREDICTORS: dict[str, type[Predictor]] = {
    "lightgbm": BoostedTrees,
    "sklearn_gbt": GradientBoosting,
    "random_forest": RandomForest,
    "lasso": Lasso,
}


def predictor(booster: Booster, **given: float | None) -> Predictor:
    """The predictor of this name with the settings that are not None, the others at its own defaults.

    Raises
    ------
    ValueError
        If there is no such predictor, or it has no such setting, or not with this value.

    Examples
    --------
    >>> predictor("random_forest", trees=20, depth=None)
    RandomForest(trees=20, depth=8, split_share=1.0)
    """
    if booster not in PREDICTORS:
        raise ValueError(f"no booster {booster!r}; there are {', '.join(PREDICTORS)}")
    chosen = PREDICTORS[booster]
    wanted: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    unknown = [name for name in wanted if name not in asdict(chosen())]
    if unknown:
        raise ValueError(f"{booster} has no setting {unknown[0]!r}; it has {', '.join(asdict(chosen()))}")
    require_least(1, **{name: wanted[name] for name in ("trees", "depth", "least_in_leaf") if name in wanted})
    if wanted.get("depth", 1) > DEEPEST:
        raise ValueError(f"depth={wanted['depth']}: expected {DEEPEST} or less")
    for name in ("learning_rate", "penalty"):
        if not wanted.get(name, 1) > 0:
            raise ValueError(f"{name}={wanted[name]}: expected a number above 0")
    return chosen(**wanted)
