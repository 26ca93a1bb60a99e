"""The metrics of a run, or of runs that differ in seeds only, as headline cards and tables."""

import math
import statistics
from collections.abc import Mapping, Sequence

from micrographia.ranking import is_reference
from micrographia.reporting.blocks import Card, Cards, Cell, Column, Table
from micrographia.reporting.metrics import (
    Spread,
    best,
    deviation,
    direction,
    key_word,
    leaders,
    leading,
    number,
    plain,
    title_of,
    with_spread,
    wording,
)
from micrographia.reporting.tables import grid
from micrographia.training.show import OF_METHODS, PHASES, RECOVERY
from micrographia.wording import method_words, probe_words

Metrics = Mapping[str, Spread]

# The scores of methods in tables: the first that lead, in this order, then the rest.
FIRST_SCORES = ("psnr", "ssim", "lr_residual", "flagged", "measured", "mae", "correlation", "auc", "z_prime")
SHOWN_PHASES = {"before": "source codes", "after": "fine-tuned codes", "baseline": "raw input"}


def spread_over(runs: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Each metric over runs that differ in seeds only: mean and sample standard deviation of those that have it."""
    found = {}
    for name in dict.fromkeys(name for metrics in runs for name in metrics):
        values = [metrics[name] for metrics in runs if name in metrics]
        known = len(values) > 1 and all(map(math.isfinite, values))
        found[name] = Spread(statistics.fmean(values), statistics.stdev(values) if known else math.nan, len(values))
    return found


def headline_cards(metrics: Metrics) -> Cards:
    """The numbers that lead: of several probes or methods the best, or all that are alike."""
    cards = []
    for names in leading(metrics):
        values = {name: metrics[name].mean for name in names if math.isfinite(metrics[name].mean)}
        if not values:
            continue
        name, *others = leaders(values, names[0])
        label, rest = card_words(name)
        notes = [which_of([rest, *(card_words(other)[1] for other in others)], len(values), name)]
        if key_word(name) == "balanced_accuracy" and "chance/balanced_accuracy" in metrics:
            notes.append(f"chance {number(name, metrics['chance/balanced_accuracy'].mean)}")
        cards.append(card_of(label, name, metrics[name], notes))
    return Cards(cards)


def which_of(found: Sequence[str], count: int, name: str) -> str:
    """Which of several probes or methods a number is of, and whether it is the best of them.

    Examples
    --------
    >>> which_of(["RLS"], 2, "image/psnr/rls"), which_of(["RLS"], 1, "image/psnr/rls")
    ('best of 2: RLS', 'RLS')
    >>> which_of(["RLS", "PULSE"], 3, "image/psnr/rls"), which_of(["RLS", "PULSE"], 2, "image/psnr/rls")
    ('best of 3, alike: RLS, PULSE', 'alike: RLS, PULSE')
    >>> which_of(["perceptron"], 2, "probe/mlp/baseline/balanced_accuracy")
    'highest of 2: perceptron'
    """
    words = ", ".join(found)
    if not direction(name) or count == 1:
        return words
    alike = ", alike" if len(found) > 1 else ""
    return f"alike: {words}" if len(found) == count else f"{superlative(name)} of {count}{alike}: {words}"


def superlative(name: str) -> str:
    """What the leading one of several values of a metric is called: what results are held against is never the best."""
    return "best" if not is_reference(name) else "highest" if direction(name) > 0 else "lowest"


def card_words(name: str) -> tuple[str, str]:
    """What a metric's card is called, and the probe or method that stands below.

    Examples
    --------
    >>> card_words("probe/gbt/after/balanced_accuracy"), card_words("image/psnr/rls")
    (('balanced accuracy, fine-tuned codes', 'boosted trees'), ('PSNR', 'RLS'))
    >>> card_words("image_all/psnr/rls_short")
    ('PSNR, all images', 'RLS, learnt start')
    """
    label, _, rest = title_of(name).partition(", ")
    kind, *words = name.split("/")
    if kind in OF_METHODS:
        return label + ", all images" * kind.endswith("_all"), method_words(words[-1])
    if not is_probe(name):
        return label, rest
    _, probe, phase, _ = name.split("/")
    return f"{label}, {SHOWN_PHASES.get(phase, phase)}", probe_words(probe)


def card_of(label: str, name: str, found: Spread, notes: Sequence[str]) -> Card:
    """A metric as a card, with its deviation and number of runs where there are several."""
    over = [f"mean of {found.runs} runs"] if found.runs > 1 else []
    sd = "" if math.isnan(found.sd) else f"± {deviation(name, found.sd)}"
    return Card(label, number(name, found.mean), sd, "; ".join(note for note in [*notes, *over] if note))


def result_tables(metrics: Metrics) -> list[Table]:
    """Probes by phases, methods by scores, and scores on their own, with the best of each column marked."""
    tables = [probe_table(metrics), *method_tables(metrics), score_table(metrics)]
    return [table for table in tables if table is not None]


def probe_table(metrics: Metrics) -> Table | None:
    """Balanced accuracy of each probe in each phase."""
    found = {tuple(name.split("/")[1:3]): name for name in metrics if is_probe(name)}
    if not found:
        return None
    phases = [phase for phase in PHASES if any(phase == own for _, own in found)]
    rows = {}
    for probe in dict.fromkeys(probe for probe, _ in found):
        rows[probe_words(probe)] = {
            SHOWN_PHASES[phase]: marked(metrics, found[probe, phase], [found[key] for key in found if key[1] == phase])
            for phase in phases
            if (probe, phase) in found
        }
    columns = [Column(SHOWN_PHASES[phase], True, PHASES[phase]) for phase in phases]
    note = "Codes are a few latents per image; the raw input is all of it."
    if "chance/balanced_accuracy" in metrics:
        chance = metrics["chance/balanced_accuracy"].mean
        note = f"Chance is {number('balanced_accuracy', chance)}. {note}"
    return grid("Balanced accuracy on the test images", "probe", rows, columns, note)


def is_probe(name: str) -> bool:
    """Whether a metric is a probe's balanced accuracy."""
    return name.startswith("probe/") and name.count("/") == 3 and name.endswith("/balanced_accuracy")


def method_tables(metrics: Metrics) -> list[Table]:
    """Methods of super-resolution by their scores: of the images, and of what was measured on them."""
    images = [name for name in metrics if name.split("/")[0] in ("image", "image_all", "flagged")]
    assay = [name for name in metrics if name.split("/")[0] in ("assay", "assay_all", "measured")]
    flagged = "in parentheses over all of a method of which each has one."
    tables = [
        method_table(metrics, images, "Images, by method", f"Means over the images without a flag; {flagged}"),
        method_table(metrics, assay, "Measurements, by method", f"Over the cells without a flag; {flagged}"),
    ]
    return [table for table in tables if table is not None]


def method_table(metrics: Metrics, names: Sequence[str], caption: str, note: str) -> Table | None:
    """Methods by scores; the high-resolution images themselves stand last and win nothing.

    Where images of any method are flagged, the means are of other images for each, and none is marked.
    """
    if not any("/" in name.partition("/")[2] for name in names):
        return None
    named = {name: (name.rpartition("/")[2], key_word(name)) for name in names if direction(name)}
    places = {place: name for name, place in named.items() if not name.split("/")[0].endswith("_all")}
    of_all = {place: name for name, place in named.items() if place not in places}
    every = dict.fromkeys(named.values())
    scores = sorted(
        dict.fromkeys(score for _, score in every),
        key=lambda score: FIRST_SCORES.index(score) if score in FIRST_SCORES else len(FIRST_SCORES),
    )
    methods = sorted(dict.fromkeys(method for method, _ in every), key=lambda method: method == "hr")
    alike = not any(metrics[name].mean for name in metrics if name.startswith("flagged/"))
    rows: dict[str, dict[str, Cell]] = {method_words(method): {} for method in methods}
    for method in methods:
        for score in scores:
            if (method, score) in places:
                rivals = [places[other, score] for other in methods if alike and (other, score) in places]
                rows[method_words(method)][wording(score)] = marked(metrics, places[method, score], rivals)
            elif (method, score) in of_all and f"image/lr_residual/{method}" not in metrics:
                name = of_all[method, score]
                rows[method_words(method)][wording(score)] = Cell(
                    f"({with_spread(name, metrics[name])})", metrics[name].mean
                )
    hints = {key.rpartition("/")[2]: words for key, (_, _, words) in RECOVERY.items()}
    columns = [Column(wording(score), True, hints.get(score, "").format(nominal=0.9)) for score in scores]
    return grid(caption, "method", rows, columns, note)


def marked(metrics: Metrics, name: str, rivals: Sequence[str]) -> Cell:
    """A metric's cell, marked where it is the best among its rivals."""
    values = {rival: metrics[rival].mean for rival in rivals if not is_reference(rival)}
    return Cell(with_spread(name, metrics[name]), metrics[name].mean, name in best(values, name))


def score_table(metrics: Metrics) -> Table | None:
    """Scores of disentanglement."""
    names = [name for name in metrics if name.startswith("score/")]
    if not names:
        return None
    better = {1: "higher", -1: "lower", 0: ""}
    rows = {
        title_of(name): {
            "value": Cell(with_spread(name, metrics[name]), metrics[name].mean),
            "better": Cell(better[direction(name)]),
        }
        for name in names
    }
    return grid("Scores of disentanglement", "score", rows, [Column("value", True), Column("better")])


def every_metric(metrics: Metrics) -> Table:
    """All metrics by their names in ``result.json``."""
    rows = [
        [Cell(name, name, hint=title_of(name)), Cell(with_sd(found), finite(found.mean))]
        for name, found in metrics.items()
    ]
    return Table("All metrics", [Column("metric"), Column("value", True)], rows, sortable=True, folded=True)


def with_sd(found: Spread) -> str:
    """A metric's mean and standard deviation in its own unit."""
    return plain(found.mean) if math.isnan(found.sd) else f"{plain(found.mean)} ± {plain(found.sd)}"


def finite(value: float) -> float | None:
    """A number to sort by; None where it is none."""
    return value if math.isfinite(value) else None
