"""Whether one method is better than another on the same seeds and splits: paired differences and their tests."""

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

LEAST_PAIRS = 3  # fewer give no p-value
EXACT = 2**16  # sign flips that are all counted; of more pairs so many are drawn
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedTest:
    """Differences of pairs, first minus second, and the tests that their mean or median is 0, two-sided.

    Parameters
    ----------
    pairs
        How many are finite on both sides.
    difference, sd
        Mean and sample standard deviation (n - 1) of the differences, in the values' own unit.
    low, high
        95 % interval of the mean by Student's t.
    p_t
        Paired t-test; NaN for fewer than three pairs, and where all differences are equal, so that their spread is not
        known: 1 if all are 0.
    p_sign_flip
        Permutation test of the mean by flipping signs: exact up to 16 pairs. With n pairs none is below 2 / 2^n.
    p_wilcoxon
        Signed-rank test, differences of 0 left out.
    """

    pairs: int
    difference: float
    sd: float
    low: float
    high: float
    p_t: float
    p_sign_flip: float
    p_wilcoxon: float

    def as_row(self) -> dict[str, float]:
        """The fields by name."""
        return asdict(self)


def paired_test(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Compare two methods on the same seeds and splits.

    Parameters
    ----------
    first, second
        A value per pair, shape ``(n,)``; pairs of which one is not finite are left out.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> found = paired_test(np.array([3.0, 5.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    >>> found.pairs, found.difference, found.p_sign_flip
    (3, 2.0, 0.25)
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two rows of one length, got the shapes {first.shape} and {second.shape}")
    differences = first - second
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    mean = float(differences.mean()) if count else math.nan
    sd = float(differences.std(ddof=1)) if count > 1 else math.nan
    if count > 1 and np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        sd = 0.0  # else what rounding leaves would be taken for a spread
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * sd / math.sqrt(count) if count > 1 else math.nan
    return PairedTest(count, mean, sd, mean - half, mean + half, *p_values(differences, sd))


def p_values(differences: np.ndarray, sd: float) -> tuple[float, float, float]:
    """Of the t-test, of flipped signs, and of signed ranks; NaN for fewer than `LEAST_PAIRS`."""
    if len(differences) < LEAST_PAIRS:
        return math.nan, math.nan, math.nan
    if not differences.any():
        return 1.0, 1.0, 1.0
    by_t = math.nan if sd == 0 else float(stats.ttest_1samp(differences, 0).pvalue)
    return by_t, sign_flip(differences), float(stats.wilcoxon(differences).pvalue)


def sign_flip(differences: np.ndarray) -> float:
    """Share of all assignments of signs whose mean is as far from 0: a p-value without any assumption of a shape.

    Of more than 16 pairs 65,536 assignments are drawn, always the same, and the given one counts as one more.
    """
    found = stats.permutation_test(
        (differences,),
        lambda values, axis: values.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=EXACT,
        batch=4096,
        random_state=0,
    )
    return float(found.pvalue)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values of several comparisons after Holm's correction (1979), in their order; NaN stays and is not counted.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).round(2).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    p_values = np.asarray(p_values, float)
    adjusted = np.full(p_values.shape, np.nan)
    places = np.flatnonzero(np.isfinite(p_values))
    ranked = places[np.argsort(p_values[places], kind="stable")]
    steps = p_values[ranked] * np.arange(len(ranked), 0, -1)
    adjusted[ranked] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
