"""What a run's metrics are called on a page, which of them lead, and which of two values is the better one."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from typing import TypeVar

from micrographia import ranking
from micrographia.training.show import OF_METHODS, PHASES, SHORT_PHASES, is_percentage
from micrographia.wording import method_words, probe_words

Name = TypeVar("Name", bound=Hashable)

# Of the last word of a metric, or of the one before a method: whether more or less of it is better.
BETTER = {
    **dict.fromkeys(("balanced_accuracy", "accuracy", "f1", "macro_f1", "weighted_f1", "recall", "precision"), 1),
    **dict.fromkeys(("psnr", "ssim", "ms_ssim", "auc", "auroc", "z_prime", "ssmd", "correlation", "measured"), 1),
    **dict.fromkeys(("svm", "svm_all_values", "readable", "mvg"), 1),
    **dict.fromkeys(("lr_residual", "spectrum_error", "mae", "mae_hr", "flagged", "fpr"), -1),
    **dict.fromkeys(("total_correlation", "latent_information"), -1),
}
COUNTS = ("flagged", "measured", "readable")
LOWER = ("perceptual_*", "frechet_*", "kernel_*")
# How words of metrics are written where not as they stand.
WORDS = {
    **{"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "auc": "AUC", "auroc": "AUROC", "mae": "mean error"},
    **{"z_prime": "Z′", "ssmd": "SSMD", "mig": "MIG", "sap": "SAP", "omes": "OMES", "irs": "IRS", "udr": "UDR"},
    **{"lr_residual": "difference from low resolution", "mvg": "measured variance gap"},
    **{"mae_hr": "mean error against high resolution", "svm": "support vector machine", "kl": "KL"},
    **{"svm_all_values": "support vector machine on all values", "f1": "F1"},
    **{"p_value": "p", "flagged": "flagged images", "measured": "measured cells", "kimg": "thousand images"},
    **{"dci_disentanglement": "DCI disentanglement", "dci_completeness": "DCI completeness"},
    **{"dci_informativeness": "DCI informativeness", "macro_f1": "macro F1"},
}
# What leads a page, the first match of each kind; of several alternatives the best is shown.
LEADING = (
    "probe/*/after/balanced_accuracy",
    "probe/*/before/balanced_accuracy",
    "probe/*/baseline/balanced_accuracy",
    "classifier/test/balanced_accuracy",
    "image/psnr/*",
    "image/ssim/*",
    "assay/auc/*",
    "assay/mae/*",
    "score/omes",
    "score/mig",
    "score/dci_disentanglement",
    "latents/active",
    "samples/*",
    "flow/*",
)
MOST_CARDS = 6
SIGNIFICANT = 3  # digits of a column's largest mean


@dataclass(frozen=True)
class Spread:
    """A metric over runs that differ in seeds only: their mean, standard deviation (NaN of one) and number."""

    mean: float
    sd: float = math.nan
    runs: int = 1


def direction(metric: str) -> int:
    """1 where more of a metric is better, -1 where less is, 0 where neither is.

    Examples
    --------
    >>> direction("probe/gbt/after/balanced_accuracy"), direction("image/lr_residual/rls"), direction("latents/kl")
    (1, -1, 0)
    """
    kind, *words = metric.split("/")
    word = key_word(metric)
    if word in BETTER:
        return BETTER[word]
    if any(fnmatch(word, pattern) for pattern in LOWER):
        return -1
    return 1 if kind == "score" and words else 0


def key_word(metric: str) -> str:
    """The word of a metric that says what it measures: the last one, or the one before a method.

    Examples
    --------
    >>> key_word("image/psnr/rls"), key_word("flagged/rls"), key_word("score/mig")
    ('psnr', 'flagged', 'mig')
    """
    kind, *words = metric.split("/")
    if kind in OF_METHODS:
        return words[0] if len(words) > 1 else kind
    return words[-1] if words else kind


def wording(word: str) -> str:
    """A word of a metric in plain letters.

    Examples
    --------
    >>> wording("lr_residual"), wording("balanced_accuracy")
    ('difference from low resolution', 'balanced accuracy')
    """
    return WORDS.get(word, word.replace("_", " "))


def score_wording(score: str) -> str:
    """A score of an assay in plain letters; its name ends in what was measured, where that is not the assay's own.

    Examples
    --------
    >>> score_wording("mae_hr"), score_wording("mae_hr_nuclear_mean"), score_wording("wells")
    ('mean error against high resolution', 'mean error against high resolution, nuclear mean', 'wells')
    """
    known = max((word for word in WORDS if f"{score}_".startswith(f"{word}_")), key=len, default=score)
    return ", ".join([wording(known), *filter(None, [score[len(known) + 1 :].replace("_", " ")])])


def title_of(metric: str) -> str:
    """A metric in words, alone.

    Examples
    --------
    >>> title_of("probe/gbt/after/balanced_accuracy"), title_of("image/psnr/rls")
    ('balanced accuracy, boosted trees, codes after fine-tuning', 'PSNR, RLS')
    """
    kind, *words = metric.split("/")
    if kind == "probe" and len(words) == 3:
        return f"{wording(words[2])}, {probe_words(words[0])}, {PHASES.get(words[1], words[1])}"
    if kind in OF_METHODS:
        ending = ", all images" if kind.endswith("_all") else ""
        return f"{wording(key_word(metric))}, {method_words(words[-1])}{ending}"
    if kind == "open_set" and len(words) > 3:
        *name, phase, score, measure = words
        return f"{wording(measure)}, {wording('/'.join(name))} left out, {wording(score)}, {PHASES.get(phase, phase)}"
    if kind == "score":
        return wording(" ".join(words)) if len(words) > 1 else wording(words[0])
    return " ".join([kind, *map(wording, words)]).replace("_", " ")


def heading_of(metrics: Sequence[str]) -> str:
    """Heading of a narrow column that shows a metric, or the best of several that differ in a word.

    Examples
    --------
    >>> heading_of(["probe/gbt/after/balanced_accuracy"]), heading_of(["image/psnr/rls", "image/psnr/pulse"])
    ('accuracy, boosted trees, fine-tuned', 'best PSNR')
    """
    titles = []
    for metric in metrics:
        kind, *words = metric.split("/")
        if kind == "probe" and len(words) == 3:
            titles.append(["accuracy", probe_words(words[0]), SHORT_PHASES.get(words[1], words[1])])
        else:
            titles.append(title_of(metric).split(", "))
    common = [part for part in titles[0] if all(part in title for title in titles)]
    return ", ".join(titles[0]) if len(metrics) == 1 else f"best {', '.join(common)}"


def number(metric: str, value: float) -> str:
    """A metric's value with its unit: accuracies in percent.

    Examples
    --------
    >>> number("probe/gbt/after/balanced_accuracy", 0.5), number("image/psnr/rls", 24.123), number("score/mig", 0.25)
    ('50.0 %', '24.1 dB', '0.250')
    """
    if math.isnan(value):
        return "–"
    if is_percentage(metric):
        return f"{100 * value:.1f} %"
    if key_word(metric) == "psnr":
        return f"{value:.1f} dB"
    return plain(value, whole=key_word(metric) not in BETTER or key_word(metric) in COUNTS)


def plain(value: float, whole: bool = True) -> str:
    """A number in as few digits as tell it apart.

    Parameters
    ----------
    whole
        Whether one without a fraction may be a count, and is shown as one.

    Examples
    --------
    >>> plain(3.0), plain(0.12345), plain(1234.5), plain(-0.00012), plain(1.0, whole=False)
    ('3', '0.123', '1,234', '\u22120.00012', '1.000')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        text = "∞" if value > 0 else "-∞"
    elif value == 0 or (whole and value == int(value) and abs(value) < 1e15):
        text = f"{int(value):,}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) < 0.001:
        text = f"{value:.2g}"
    else:
        text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text


def decimals(means: Sequence[float]) -> int:
    """Decimals that show the largest of some means in three digits, at most four.

    Examples
    --------
    >>> decimals([0.7132, 0.02]), decimals([24.81]), decimals([1520.0]), decimals([0.0])
    (3, 1, 0, 3)
    """
    largest = max((abs(mean) for mean in means if math.isfinite(mean)), default=0.0)
    return 3 if largest == 0 else min(max(SIGNIFICANT - 1 - math.floor(math.log10(largest)), 0), 4)


def with_spread(metric: str, found: Spread) -> str:
    """A metric's mean and, of several runs, its standard deviation.

    Examples
    --------
    >>> with_spread("classifier/test/balanced_accuracy", Spread(0.5, 0.012, 3))
    '50.0 ± 1.2 %'
    """
    shown = number(metric, found.mean)
    if math.isnan(found.sd):
        return shown
    figure, blank, unit = shown.partition(" ")
    return f"{figure} ± {deviation(metric, found.sd)}{blank}{unit}"


def deviation(metric: str, sd: float) -> str:
    """A standard deviation in its metric's unit, which is not repeated."""
    return number(metric, sd).partition(" ")[0]


def best(values: Mapping[Name, float], metric: str) -> set[Name]:
    """Which of several values of a metric are the best, as they are shown; of a reference's metric none.

    Examples
    --------
    >>> sorted(best({"a": 1.0, "b": 2.0}, "image/psnr/x")), best({"a": 1.0}, "image/psnr/x"), best({"a": 1.0}, "x")
    (['b'], set(), set())
    """
    if ranking.is_reference(metric):
        return set()
    return ranking.best(values, direction(metric), partial(number, metric))


def leaders(values: Mapping[Name, float], metric: str) -> list[Name]:
    """The best of several values of a metric, and those that look like it; the largest where neither is better.

    Examples
    --------
    >>> leaders({"a": 0.5, "b": 0.50001, "c": 0.4}, "probe/gbt/after/balanced_accuracy")
    ['a', 'b']
    """
    return list(ranking.leaders(values, direction(metric) or 1, partial(number, metric)))


def leading(names: Iterable[str]) -> list[list[str]]:
    """Metrics that lead a page: for each kind its alternatives, as the probes or the methods.

    Of methods those over all images where there are such: without the flagged ones each has images of its own.
    """
    names = [name for name in names if not is_of_high(name)]
    of_all = [pattern.replace("/", "_all/", 1) for pattern in LEADING]
    found = [
        [name for name in names if fnmatch(name, every)] or [name for name in names if fnmatch(name, pattern)]
        for pattern, every in zip(LEADING, of_all, strict=True)
    ]
    kinds = [alternatives for alternatives in found if alternatives]
    return (kinds or [[name] for name in names])[:MOST_CARDS]


def is_of_high(metric: str) -> bool:
    """Whether a metric is of the high-resolution images themselves."""
    return metric.split("/")[0] in OF_METHODS and metric.endswith("/hr")
