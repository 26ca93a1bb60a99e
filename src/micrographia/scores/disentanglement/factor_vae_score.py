"""FactorVAE score."""

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import ONE_FACTOR, Score
from micrographia.scores.disentanglement.sampler import Sampler, encoded, share_factor, varying, with_factor
from micrographia.scores.tables import require_least


def factor_vae_score(
    sampler: Sampler,
    votes: int = 1000,
    test_votes: int = 500,
    batch: int = 64,
    samples: int = 10_000,
    active_deviation: float = 0.05,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """FactorVAE score: how well the latent that varies least tells which factor a batch of images shares.

    A vote is the latent with the least variance, relative to its variance over all images, in a batch that agrees in
    one factor. Each latent stands for the factor that it voted for most often; the score is the accuracy of this
    majority vote on new votes (Kim & Mnih, 2018, Disentangling by factorising, section 4).

    Parameters
    ----------
    sampler
        Draws factors and encodes their images; ``(votes + test_votes) batch + samples`` of them.
    votes, test_votes
        Votes that the majority is taken over, and those that it is scored on.
    batch
        Images of a vote.
    samples
        Images over which each latent's variance is taken.
    active_deviation
        Latents with a smaller standard deviation are inactive and do not vote.
    n_bootstrap, seed
        Resamples of the votes for a confidence interval, 0 for none, and the seed of draws and resamples.

    Returns
    -------
    Score
        Score in 0..1, higher is better. Identity codes score near 1; chance, for independent and for constant codes, is
        about one over the number of factors, and one factor leaves nothing to tell apart: NaN. A constant factor is
        left out (NaN). ``per_factor``: accuracy on its votes. ``per_latent``: share of the votes
        that the latent won. ``matrix`` ``(latents, factors)``: votes that each latent won under each factor.

    Raises
    ------
    ValueError
        If codes are missing or not finite, or a number of votes is below 1, of images or samples below 2.

    Notes
    -----
    Known failures. A factor that is spread over several latents costs nothing, nor do duplicated latents. On
    independent codes the majority is one of chance, slightly above one over K for few votes.

    Examples
    --------
    >>> from micrographia.scores.disentanglement.sampler import DiscreteFactors
    >>> world = DiscreteFactors({"Shape": 3, "Scale": 6}, lambda values: values / 2.0)
    >>> factor_vae_score(world, votes=200, test_votes=100).score
    1.0
    """
    require_least(1, votes=votes, test_votes=test_votes)
    require_least(2, batch=batch, samples=samples)
    generator = np.random.default_rng(seed)
    drawn = sampler.draw(samples, generator)
    codes, names = encoded(sampler, drawn), pd.Index(varying(drawn))
    deviation = np.array([codes[latent].to_numpy(dtype=np.float64).std() for latent in codes])
    active = deviation >= active_deviation
    chosen, variances = variance_votes(sampler, list(names), votes + test_votes, batch, generator)
    relative = np.divide(variances, deviation**2, out=np.full_like(variances, np.inf), where=active)
    winner = relative.argmin(axis=1)
    train, test = np.arange(votes), np.arange(votes, votes + test_votes)

    correct = pd.Series(majority(winner, chosen, train, test) == chosen[test])
    score = float(correct.mean()) if len(names) > 1 else float("nan")
    intervals = bootstrap_intervals(
        {"score": score},
        lambda *drawn: {
            "score": float((majority(winner, chosen, train[drawn[0]], test[drawn[1]]) == chosen[test[drawn[1]]]).mean())
        },
        (votes, test_votes),
        n_bootstrap,
        seed,
    )
    counts = np.zeros((codes.shape[1], len(names)), dtype=np.int64)
    # Without an active latent the first one wins every vote, which is nobody's merit.
    np.add.at(counts, (winner[train], chosen[train]), int(active.any()))
    matrix = pd.DataFrame(counts, index=codes.columns, columns=names).reindex(columns=drawn.columns)
    return Score(
        score=score,
        per_factor=correct.groupby(names[chosen[test]]).mean().reindex(drawn.columns).rename("accuracy"),
        per_latent=(matrix.sum(axis=1) / votes).rename("share of votes"),
        matrix=matrix,
        settings={
            "votes": votes,
            "test_votes": test_votes,
            "batch": batch,
            "samples": samples,
            "active_deviation": active_deviation,
            "inactive": [str(latent) for latent in codes.columns[~active]],
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        intervals=intervals,
        undefined="" if len(names) > 1 else ONE_FACTOR,
    )


def variance_votes(
    sampler: Sampler, names: Sequence[Hashable], votes: int, batch: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the named factors each vote's batch shares, ``(votes,)``, and its codes' variances, a row per vote."""
    factors = sampler.draw(votes * batch, generator)
    chosen = generator.integers(0, len(names), votes)
    for column, factor in enumerate(names):
        of_batch = share_factor(factors[[factor]], factor, batch)[factor]
        shared = np.repeat(chosen == column, batch)
        factors = with_factor(factors, factor, np.where(shared, of_batch, factors[factor]))
    codes = encoded(sampler, factors).to_numpy().reshape(votes, batch, -1)
    return chosen, codes.var(axis=1, ddof=1)


def majority(winner: np.ndarray, chosen: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The factor that the winner of each test vote stands for: the one that it won under most often in training."""
    counts = np.zeros((int(winner.max()) + 1, int(chosen.max()) + 1), dtype=np.int64)
    np.add.at(counts, (winner[train], chosen[train]), 1)
    return counts.argmax(axis=1)[winner[test]]
