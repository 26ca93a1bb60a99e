"""The probes: gradient-boosted trees, a multi-layer perceptron, logistic regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from micrographia.config import Between

if TYPE_CHECKING:
    from lightgbm import LGBMClassifier

Positive = Annotated[int, Between(1)]
Rate = Annotated[float, Between(1e-12)]
ClassWeight = Literal["balanced"] | None
OwnImportance = Literal["gain", "impurity"] | None


class Probe(Protocol):
    """A classifier to be: its settings, from which it is built for a table of given size.

    Attributes
    ----------
    seed : int
        Of every random choice in fitting, and of permutations.
    threads : int
        Threads that fitting may use.
    class_weight : {"balanced", None}
        Whether classes weigh the same, or samples do.
    """

    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def threads(self) -> int: ...  # noqa: D102
    @property
    def class_weight(self) -> ClassWeight: ...  # noqa: D102

    @property
    def importance(self) -> OwnImportance:
        """What the fitted classifier itself tells of a feature's importance; None of most."""

    def build(self, rows: int, columns: int) -> Pipeline:
        """Unfitted classifier, its scaling included, for so many training rows and features."""


@dataclass(frozen=True)
class GBT:
    """Gradient-boosted trees, which need no scaling (settings of Dapueto et al., 2025).

    Parameters
    ----------
    trees
        Rounds of boosting; each adds one tree per class.
    depth
        Of a tree.
    learning_rate
        Shrinkage of each tree.
    leaf
        Least number of training samples in a leaf.
    bins
        Histogram bins of a feature (lightgbm).
    columns
        Most features offered to each tree (lightgbm) or split (sklearn), drawn at random: keeps wide tables such as
        pixels affordable, and changes nothing where features are fewer. None offers all.
    booster
        ``lightgbm``, whose importance is the total gain of a feature's splits, or ``sklearn``, whose is the decrease
        of impurity; the latter takes minutes to hours on wide tables.
    class_weight, seed, threads
        As in `Probe`. Predictions do not depend on ``threads``.
    """

    trees: Positive = 100
    depth: Positive = 4
    learning_rate: Rate = 0.1
    leaf: Positive = 5
    bins: Annotated[int, Between(2)] = 63
    columns: Positive | None = 512
    booster: Literal["lightgbm", "sklearn"] = "lightgbm"
    class_weight: ClassWeight = None
    seed: int = 0
    threads: int = 1

    @property
    def importance(self) -> OwnImportance:
        """Gain or, of scikit-learn's trees, impurity."""
        return "gain" if self.booster == "lightgbm" else "impurity"

    def build(self, rows: int, columns: int) -> Pipeline:
        """Unfitted classifier for so many training rows and features."""
        offered = min(columns, self.columns or columns)
        classifier = self.lightgbm(columns, offered) if self.booster == "lightgbm" else self.sklearn(offered)
        return Pipeline([("classify", classifier)])

    def lightgbm(self, columns: int, offered: int) -> "LGBMClassifier":
        """Lightgbm's classifier, with every choice that could depend on the machine fixed."""
        from lightgbm import LGBMClassifier

        return LGBMClassifier(
            n_estimators=self.trees,
            max_depth=self.depth,
            num_leaves=2**self.depth,
            learning_rate=self.learning_rate,
            min_child_samples=self.leaf,
            max_bin=self.bins,
            colsample_bytree=offered / columns,
            importance_type="gain",
            random_state=self.seed,
            n_jobs=self.threads,
            deterministic=True,
            # Without a fixed layout lightgbm times both, and the faster one of the day rounds differently.
            force_col_wise=columns > 128,
            force_row_wise=columns <= 128,
            verbose=-1,
        )

    def sklearn(self, offered: int) -> GradientBoostingClassifier:
        """Scikit-learn's classifier."""
        return GradientBoostingClassifier(
            n_estimators=self.trees,
            max_depth=self.depth,
            learning_rate=self.learning_rate,
            min_samples_leaf=self.leaf,
            max_features=offered,
            random_state=self.seed,
        )


@dataclass(frozen=True)
class MLP:
    """Multi-layer perceptron on standardised features (settings of Dapueto et al., 2025).

    Parameters
    ----------
    hidden
        Units of the hidden layers.
    learning_rate
        Of Adam.
    alpha
        L2 penalty.
    batch_size
        Samples per step; all of them where they are fewer.
    steps
        Most steps of Adam. Training ends sooner, once the training loss has not fallen by 1e-4 over ten epochs.
    components
        Tables wider than eight times this are first projected on so many principal components of the standardised
        training rows, scaled together to unit variance. None never projects.
    class_weight, seed, threads
        As in `Probe`.
    """

    hidden: Sequence[Positive] = (256, 256)
    learning_rate: Rate = 1e-4
    alpha: Annotated[float, Between(0)] = 1e-7
    batch_size: Positive = 200
    steps: Positive = 6000
    components: Positive | None = 256
    class_weight: ClassWeight = None
    seed: int = 0
    threads: int = 1

    @property
    def importance(self) -> OwnImportance:
        """None of its own."""
        return None

    def build(self, rows: int, columns: int) -> Pipeline:
        """Unfitted classifier, its scaling included, for so many training rows and features."""
        batch_size = min(self.batch_size, rows)
        classifier = MLPClassifier(
            hidden_layer_sizes=tuple(self.hidden),
            learning_rate_init=self.learning_rate,
            alpha=self.alpha,
            batch_size=batch_size,
            max_iter=-(-self.steps * batch_size // rows),
            random_state=self.seed,
        )
        return Pipeline([*scaling(rows, columns, self.components, self.seed), ("classify", classifier)])


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression on standardised features: what a linear reading of them tells.

    Parameters
    ----------
    penalty
        Strength of the L2 penalty: half the squared weights times this, added to the summed loss.
    iterations
        Most iterations of L-BFGS.
    components
        As in `MLP`.
    class_weight, seed, threads
        As in `Probe`.
    """

    penalty: Rate = 1.0
    iterations: Positive = 1000
    components: Positive | None = 256
    class_weight: ClassWeight = None
    seed: int = 0
    threads: int = 1

    @property
    def importance(self) -> OwnImportance:
        """None of its own."""
        return None

    def build(self, rows: int, columns: int) -> Pipeline:
        """Unfitted classifier, its scaling included, for so many training rows and features."""
        classifier = LogisticRegression(C=1 / self.penalty, max_iter=self.iterations)
        return Pipeline([*scaling(rows, columns, self.components, self.seed), ("classify", classifier)])


class CommonScale(TransformerMixin, BaseEstimator):
    """Divide all columns by one number, the root mean square of the rows fitted: the columns keep their proportions.

    After a projection on principal components this beats unit variance of each, which blows the noise of the last
    components up to the size of the first.

    Examples
    --------
    >>> CommonScale().fit_transform(np.array([[4.0, 0.0], [-4.0, 0.0]])).round(2).tolist()
    [[1.41, 0.0], [-1.41, 0.0]]
    """

    def fit(self, rows: np.ndarray, targets: object = None) -> "CommonScale":
        """Measure the root mean square; 1 where all values are 0."""
        self.scale_ = float(np.sqrt(np.mean(np.square(rows, dtype=np.float64)))) or 1.0
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Divide by it."""
        return rows / rows.dtype.type(self.scale_)


def scaling(rows: int, columns: int, components: int | None, seed: int) -> list[tuple[str, object]]:
    """Steps that standardise the features and, where they are many, project them on principal components."""
    steps: list[tuple[str, object]] = [("standardise", StandardScaler())]
    if components is None or columns <= 8 * components:
        return steps
    projection = PCA(min(components, rows - 1), svd_solver="randomized", random_state=seed)
    return [*steps, ("project", projection), ("rescale", CommonScale())]
