"""BetaVAE score."""

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import ONE_FACTOR, Score
from micrographia.scores.disentanglement.sampler import Sampler, encoded, varying, with_factor
from micrographia.scores.tables import require_least


def beta_vae_score(
    sampler: Sampler,
    votes: int = 1000,
    test_votes: int = 500,
    batch: int = 64,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """BetaVAE score: how well a linear classifier tells which factor pairs of images share from their codes.

    A vote is the mean absolute difference of the codes over a batch of pairs that agree in one factor and are drawn
    independently otherwise; a linear classifier predicts the factor from it. The score is its accuracy on new votes
    (Higgins et al., 2017, beta-VAE, section 3).

    Parameters
    ----------
    sampler
        Draws factors and encodes their images; ``2 (votes + test_votes) batch`` of them.
    votes, test_votes
        Votes that the classifier learns from, and those that it is scored on.
    batch
        Pairs of a vote.
    n_bootstrap, seed
        Resamples of the votes for a confidence interval, 0 for none, and the seed of draws and resamples.

    Returns
    -------
    Score
        Score in 0..1, higher is better. Identity codes score near 1; chance, for independent and for constant codes, is
        one over the number of factors; with one factor there is nothing to tell apart: NaN. A constant factor is left
        out (NaN). ``per_factor``: accuracy on its votes. ``per_latent``: how far a latent's differences shrink when its
        factor is shared, 1 for all the way. ``matrix`` ``(latents, factors)``: mean difference when the factor is
        shared, over the latent's mean difference.

    Raises
    ------
    ValueError
        If codes are missing or not finite, or a number of votes or pairs is below 1.

    Notes
    -----
    Known failures. A linear classifier is content with rotated codes: K directions suffice, however many latents they
    mix. It reaches 1 with K - 1 of K factors encoded, by elimination.

    Examples
    --------
    >>> from micrographia.scores.disentanglement.sampler import DiscreteFactors
    >>> world = DiscreteFactors({"Shape": 3, "Scale": 6}, lambda values: values / 2.0)
    >>> beta_vae_score(world, votes=200, test_votes=100).score
    1.0
    """
    require_least(1, votes=votes, test_votes=test_votes, batch=batch)
    generator = np.random.default_rng(seed)
    factors, differences = difference_votes(sampler, votes + test_votes, batch, generator)
    values = differences.to_numpy()
    names = factors.cat.categories
    shared = factors.cat.codes.to_numpy()
    train, test = np.arange(votes), np.arange(votes, votes + test_votes)

    predicted = classify(values, shared, train, test)
    correct = pd.Series(predicted == shared[test])
    told_apart = factors.nunique() > 1
    score = float(correct.mean()) if told_apart else float("nan")
    intervals = bootstrap_intervals(
        {"score": score},
        lambda *drawn: {
            "score": float((classify(values, shared, train[drawn[0]], test[drawn[1]]) == shared[test[drawn[1]]]).mean())
        },
        (votes, test_votes),
        n_bootstrap,
        seed,
    )
    average = differences.mean()
    by_factor = differences.groupby(factors.to_numpy(), observed=False).mean().reindex(names).T
    matrix = by_factor.div(average.where(average > 0), axis=0).fillna(1.0).where(by_factor.notna())
    return Score(
        score=score,
        per_factor=correct.groupby(factors.to_numpy()[test]).mean().reindex(names).rename("accuracy"),
        per_latent=(1 - matrix.min(axis=1)).clip(lower=0.0).rename("shrinkage"),
        matrix=matrix,
        settings={
            "votes": votes,
            "test_votes": test_votes,
            "batch": batch,
            "classifier": "logistic regression on standardised differences",
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        intervals=intervals,
        undefined="" if told_apart else ONE_FACTOR,
    )


def difference_votes(
    sampler: Sampler, votes: int, batch: int, generator: np.random.Generator
) -> tuple[pd.Series, pd.DataFrame]:
    """The factor that each vote's pairs share, categorical ``(votes,)``, and their mean difference, a row per vote."""
    first, second = (sampler.draw(votes * batch, generator) for _ in range(2))
    names = varying(first)
    chosen = generator.integers(0, len(names), votes)
    for column, factor in enumerate(names):
        shared = np.repeat(chosen == column, batch)
        second = with_factor(second, factor, np.where(shared, first[factor], second[factor]))
    before, after = encoded(sampler, first), encoded(sampler, second)
    distance = np.abs(before.to_numpy() - after.to_numpy()).reshape(votes, batch, -1).mean(axis=1)
    shared_factor = pd.Categorical(pd.Index(names)[chosen], categories=first.columns)
    return pd.Series(shared_factor), pd.DataFrame(distance, columns=before.columns)


def classify(values: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Labels of the test rows by logistic regression on columns that are standardised over the training rows."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels[train])) == 1:
        return np.full(len(test), labels[train][0])
    learned = values[train]
    centre, scale = learned.mean(axis=0), learned.std(axis=0)
    scale = np.where(learned.min(axis=0) < learned.max(axis=0), scale, 1.0)
    model = LogisticRegression(max_iter=1000).fit((learned - centre) / scale, labels[train])
    return model.predict((values[test] - centre) / scale)
