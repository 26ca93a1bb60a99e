"""A class that was left out: what its items are taken for, how far off they are by each latent, whether one notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from micrographia.errors import UserError
from micrographia.scores.rejection import fit_gaussians, neighbour_distance, rejection_measures

NEAREST = "nearest mean"
KEY = "open_set.classes"


@dataclass(frozen=True)
class OpenSetResult:
    """What was found of one class that was left out.

    Attributes
    ----------
    scores : DataFrame
        A row per rejection score: ``score`` (mahalanobis, knn, probability of each probe), ``known`` and ``left_out``
        (test rows), and what `micrographia.scores.rejection.rejection_measures` says.
    distances : DataFrame
        For each way of taking a class (``by``: nearest mean, or a probe) a row per latent, by falling ``distance``:
        ``taken_for`` (the class that most left-out test rows are taken for), ``share`` of the rows that are,
        ``latent``, ``mean`` of the left-out test rows and ``class_mean`` of that class's training rows in code units,
        ``distance`` (size of their difference, code units) and ``deviations`` (the same in pooled standard deviations
        within classes; NaN where these are 0).
    predictions : DataFrame
        A row per left-out test item under its index: the class that it is taken for, by nearest mean and by each
        probe, then its scores, each high for what is unlike the known classes.
    """

    scores: pd.DataFrame
    distances: pd.DataFrame
    predictions: pd.DataFrame


@dataclass(frozen=True)
class OpenSet:
    """Settings of the comparison.

    Attributes
    ----------
    neighbours : int
        k of the distance to the k-th nearest training row.
    kept : float
        Share of known rows that a threshold is to keep, 0..1.
    resamples : int
        Bootstrap resamples behind each interval; 0 for none.
    seed : int
        Of the resamples.
    """

    neighbours: int = 10
    kept: float = 0.95
    resamples: int = 200
    seed: int = 0

    def compare(
        self,
        left_out: str,
        codes: pd.DataFrame,
        classes: pd.Series,
        parts: pd.Series,
        probabilities: Mapping[str, pd.DataFrame] | None = None,
    ) -> OpenSetResult:
        """Fit to the training rows of all other classes, and compare the left-out class's test rows with these.

        Parameters
        ----------
        left_out
            Name of the class.
        codes
            Named latents, ``(n, latents)``, of all rows.
        classes, parts
            Class and part (train, val, test) of each row, under the same index.
        probabilities
            By probe, fitted without the class: probability of each known class, ``(n, classes)``, for all rows. One
            less the largest is the probe's score (Hendrycks and Gimpel, 2017).

        Raises
        ------
        UserError
            If there is no such class, it has no test row, or fewer than two other classes have training rows.
        ValueError
            If the tables differ in their index.

        References
        ----------
        Dapueto et al., Disentangled representations of microscopy images, 2025 (distances per latent); Lee et al.
        2018 and Sun et al. 2022, see `micrographia.scores.rejection`; Hendrycks and Gimpel, A baseline for detecting
        misclassified and out-of-distribution examples in neural networks, ICLR 2017.
        """
        if not (codes.index.equals(classes.index) and codes.index.equals(parts.index)):
            raise ValueError("codes, classes and parts bear different indices")
        labels = classes.astype(str)
        known = known_classes(left_out, labels, parts)
        rows = {part: codes.index[labels.isin(known) & (parts == part)] for part in ("train", "val", "test")}
        outside = codes.index[(labels == left_out) & (parts == "test")]
        asked = rows["val"].append([rows["test"], outside])

        fitted = fit_gaussians(codes.loc[rows["train"]], labels.loc[rows["train"]])
        scores = {
            "mahalanobis": fitted.distances(codes.loc[asked]).min(axis=1),
            "knn": neighbour_distance(codes.loc[rows["train"]], codes.loc[asked], self.neighbours),
        }
        taken = {NEAREST: fitted.standardised_distances(codes.loc[outside]).idxmin(axis=1)}
        for probe, table in (probabilities or {}).items():
            of_known = table.loc[asked, known]
            scores[f"probability_{probe}"] = 1 - of_known.max(axis=1)
            taken[probe] = of_known.loc[outside].idxmax(axis=1)
        measured = [
            {"score": name, "known": len(rows["test"]), "left_out": len(outside)}
            | rejection_measures(
                values.loc[rows["val"]],
                values.loc[rows["test"]],
                values.loc[outside],
                self.kept,
                self.resamples,
                self.seed,
            )
            for name, values in scores.items()
        ]
        mean = codes.loc[outside].mean()
        return OpenSetResult(
            scores=pd.DataFrame(measured),
            distances=pd.concat(
                [
                    distances_by_latent(mean, fitted.means, fitted.deviations, chosen).assign(by=by)
                    for by, chosen in taken.items()
                ],
                ignore_index=True,
            ).pipe(lambda table: table[["by", *table.columns.drop("by")]]),
            predictions=pd.DataFrame({**taken, **{name: values.loc[outside] for name, values in scores.items()}}),
        )


def known_classes(left_out: str, classes: pd.Series, parts: pd.Series) -> list[str]:
    """Classes beside the one left out that have training rows, sorted: those that can be known.

    Raises
    ------
    UserError
        If there is no such class, it has no test row, or fewer than two remain.

    Examples
    --------
    >>> known_classes("c", pd.Series(["a", "b", "c"]), pd.Series(["train", "train", "test"]))
    ['a', 'b']
    """
    names = sorted(classes.astype(str).unique())
    if left_out not in names:
        raise UserError(f"{KEY}: no class {left_out!r}. Classes: {', '.join(names)}.")
    trained = sorted(classes[(parts == "train") & (classes != left_out)].astype(str).unique())
    if len(trained) < 2:
        raise UserError(
            f"{KEY}: without {left_out!r} fewer than two classes are left to be taken for. Classes: {', '.join(names)}."
        )
    if not ((classes == left_out) & (parts == "test")).any():
        raise UserError(f"{KEY}: class {left_out!r} has no test images. Classes: {', '.join(names)}.")
    return trained


def distances_by_latent(
    mean: pd.Series, means: pd.DataFrame, deviations: pd.Series, chosen: Sequence[str] | pd.Series
) -> pd.DataFrame:
    """Per latent, how far a mean code lies from the class that most of its items are taken for, farthest first.

    Parameters
    ----------
    mean
        Mean code of the items.
    means
        Mean code of each class, ``(classes, latents)``.
    deviations
        Pooled standard deviation within the classes, per latent.
    chosen
        Class that each item is taken for.

    Examples
    --------
    >>> means = pd.DataFrame({"Shape": [0.0, 9.0], "Scale": [1.0, 9.0]}, index=["Euplotes", "Dileptus"])
    >>> arcella = pd.Series({"Shape": 1.42, "Scale": 0.73})
    >>> deviations = pd.Series({"Shape": 0.71, "Scale": 0.0})
    >>> table = distances_by_latent(arcella, means, deviations, ["Euplotes", "Euplotes", "Dileptus"])
    >>> table[["taken_for", "latent", "distance", "deviations"]].round(2)
      taken_for latent  distance  deviations
    0  Euplotes  Shape      1.42         2.0
    1  Euplotes  Scale      0.27         NaN
    """
    counts = pd.Series(list(chosen)).value_counts(sort=False)
    taken_for = str(counts.sort_index().idxmax())  # of equally many the first by name
    distance = (mean - means.loc[taken_for]).abs()
    table = pd.DataFrame(
        {
            "taken_for": taken_for,
            "share": counts[taken_for] / counts.sum(),
            "latent": mean.index,
            "mean": mean.to_numpy(float),
            "class_mean": means.loc[taken_for][mean.index].to_numpy(float),
            "distance": distance[mean.index].to_numpy(float),
            "deviations": (distance / deviations.where(deviations > 0))[mean.index].to_numpy(float),
        }
    )
    return table.sort_values("distance", ascending=False, kind="stable", ignore_index=True)
