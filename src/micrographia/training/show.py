"""Closing tables that a newcomer understands."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from micrographia.console import console
from micrographia.wording import probe_words

PHASES = {"before": "codes of the source model", "after": "codes after fine-tuning", "baseline": "raw input"}
SHORT_PHASES = {"before": "source", "after": "fine-tuned", "baseline": "raw input"}
# Ranges of the scores that are not in 0..1, the higher the better.
SCALES = {
    "total_correlation": "nats, from 0 on, lower is better",
    "latent_information": "nats, from 0 on, lower is better",
    "active_units": "latents that respond to the image",
}
# What a sweep's table says of its runs beside what tells them apart.
MEASURED = ("metric", "mean", "sd", "folders")


def closing_table(title: str, metrics: Mapping[str, float], data: Mapping[str, Any]) -> None:
    """Print a run's metrics, one a row, and below them how many images there were and how channels were mapped.

    Parameters
    ----------
    data
        Record of the data: ``images`` per part, and ``channels`` where the images' were mapped.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
    print_data(data)


def print_data(data: Mapping[str, Any]) -> None:
    """Print how many images a set has in each part, of how few a label was known, and how channels were mapped."""
    words = [
        f"{name}: " + ", ".join(f"{count} {part}" for part, count in data[name].items())
        for name in ("images", "labelled")
        if name in data
    ]
    if "channels" in data:
        words.append(f"channels: {data['channels']}")
    console.print("; ".join(words), highlight=False)


WIDEST = 500  # characters of a table that is wider than the terminal
# Metrics of recovered images, each of a method, and those of them that a sweep's table shows.
OF_METHODS = ("image", "image_all", "assay", "assay_all", "flagged", "measured")
IN_SWEEPS = ("flagged", "image/psnr", "assay/mae", "assay/correlation", "assay/auc")
ALL = ", all"  # of the line over all of a method's images, those with a flag among them


def transfer_table(title: str, data: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Print test balanced accuracy of each probe: on the source's codes, on the fine-tuned ones, on the raw input.

    Parameters
    ----------
    data
        Record of the target: ``images`` per part, and ``channels`` where the images' were mapped.
    """
    chance = metrics["chance/balanced_accuracy"]
    table = Table(
        title=f"{title}: balanced accuracy on the test images, %",
        title_justify="left",
        caption=f"Chance is {100 * chance:.1f} %. Codes are a few latents per image; the raw input is all of it.",
        caption_justify="left",
    )
    found = {name.split("/")[2] for name in metrics if name.startswith("probe/")}
    shown = {phase: words for phase, words in PHASES.items() if phase in found}
    table.add_column("probe")
    for words in shown.values():
        table.add_column(words, justify="right")
    for probe in dict.fromkeys(name.split("/")[1] for name in metrics if name.startswith("probe/")):
        values = [100 * metrics[f"probe/{probe}/{phase}/balanced_accuracy"] for phase in shown]
        table.add_row(probe_words(probe), *(f"{value:.1f}" for value in values))
    console.print(table)
    print_data(data)


def sweep_table(title: str, spread: pd.DataFrame, failed: int = 0) -> None:
    """Print mean and standard deviation over seeds: a block per group of runs, a line per probe, a column per metric.

    Parameters
    ----------
    spread
        A row per group and metric: what tells the groups apart, ``runs``, ``seeds varied``, ``metric``, ``mean``,
        ``sd``, ``folders``.
    failed
        Jobs that have no run.
    """
    known = [str(name) for name in spread if name not in MEASURED]
    spread = spread[spread["metric"].map(is_shown)]
    metrics = list(spread["metric"])
    places = spread["metric"].map(place)
    shown = map(with_spread, spread["metric"], spread["mean"], spread["sd"])
    cells = spread.assign(probe=places.str[0], column=places.str[1], shown=list(shown))
    if spread["metric"].str.startswith("probe/").any():
        title += "; balanced accuracy on the test images, %"
    table = Table(title=title, title_justify="left", caption=explanation(failed, metrics), caption_justify="left")
    table.box, table.leading, table.padding, table.pad_edge = SIMPLE, 1, (0, 1, 0, 0), False
    table.add_column("runs", overflow="fold")
    table.add_column("", no_wrap=True)
    for column in cells["column"].unique():
        table.add_column(column, justify="right", no_wrap=True)
    for values, rows in cells.groupby(known, sort=False):
        block = rows.pivot(index="probe", columns="column", values="shown").fillna("")
        block = block.reindex(index=rows["probe"].unique(), columns=cells["column"].unique(), fill_value="")
        block = block.loc[lines_of(block)]
        names = [indented(line, before) for line, before in zip(block.index, ["", *block.index], strict=False)]
        lines = ["\n".join(names), *("\n".join(block[column]) for column in block)]
        table.add_row(escape(describe_group(dict(zip(known, values, strict=True)))), *lines)
    # Lines of a log, or of a narrow terminal, may run over; a number that is cut would be lost.
    for column in table.columns[1:]:
        column.min_width = max(len(line) for cell in column.cells for line in str(cell).splitlines() or [""])
    least = Measurement.get(console, console.options.update(max_width=WIDEST), table).minimum
    table.width = least if least > console.width else None
    console.print(table, crop=False)


def lines_of(block: pd.DataFrame) -> list[str]:
    """Lines of a block in their order; one over all images follows its method's, if it tells anything else.

    Examples
    --------
    >>> lines_of(pd.DataFrame({"psnr": ["30", "32", "32", "31"]}, index=["rls, all", "bicubic", "bicubic, all", "rls"]))
    ['rls', 'rls, all', 'bicubic']
    """
    kept = []
    for method in dict.fromkeys(line.removesuffix(ALL) for line in block.index):
        if method in block.index:
            kept.append(method)
        if method + ALL in block.index:
            of_all = block.loc[method + ALL]
            shown = of_all[of_all != ""]
            if method not in block.index or not shown.equals(block.loc[method, shown.index]):
                kept.append(method + ALL)
    return kept


def indented(line: str, before: str) -> str:
    """A line as shown below another: one over all images of a method whose own line is above needs no name.

    Examples
    --------
    >>> indented("rls, all", "rls"), indented("rls, all", "bicubic"), indented("rls", "bicubic")
    ('  all', 'rls, all', 'rls')
    """
    return "  all" if line == before + ALL else line


def scores_table(title: str, scores: pd.DataFrame) -> None:
    """Print scores of disentanglement with their ranges and, where there are resamples, intervals.

    Parameters
    ----------
    scores
        Columns ``score``, ``value``, ``low``, ``high`` and ``undefined``, why a value is none.
    """
    with_intervals = scores["low"].notna().any()
    table = Table(title=title, title_justify="left")
    table.add_column("score")
    table.add_column("value", justify="right")
    if with_intervals:
        table.add_column("95 %", justify="right")
    table.add_column("range")
    for row in scores.to_dict("records"):
        value = "-" if math.isnan(row["value"]) else f"{row['value']:.3f}"
        interval = [ends(row["low"], row["high"])] if with_intervals else []
        scale = SCALES.get(row["score"], "0..1, higher is better")
        undefined = row["undefined"] if isinstance(row["undefined"], str) else ""  # empty text, read back, is NaN
        table.add_row(row["score"].replace("_", " "), value, *interval, undefined or scale)
    console.print(table)


def ends(low: float, high: float) -> str:
    """An interval in words; a dash where there is none.

    Examples
    --------
    >>> ends(0.1, 0.25), ends(math.nan, math.nan)
    ('0.100 to 0.250', '-')
    """
    return "-" if math.isnan(low) else f"{low:.3f} to {high:.3f}"


def describe_group(known: Mapping[str, Any]) -> str:
    """What tells a group of runs from the others, how many runs it has and whose seeds varied, on lines of their own.

    Examples
    --------
    >>> describe_group({"model.beta": "4", "runs": 3, "seeds varied": "target (3)"}).splitlines()
    ['model.beta=4', 'n = 3', 'seeds: target (3)']
    """
    choices = [f"{key}={value}" for key, value in known.items() if key not in ("runs", "seeds varied")]
    return "\n".join([*choices, f"n = {known['runs']}", f"seeds: {known['seeds varied']}"])


def is_shown(metric: str) -> bool:
    """Whether a sweep's table shows a metric: of recovered images a few scores; its file has all.

    Examples
    --------
    >>> is_shown("assay_all/mae/rls"), is_shown("assay/ssmd/rls"), is_shown("flagged/rls"), is_shown("score/mig")
    (True, False, True, True)
    """
    return metric.split("/")[0] not in OF_METHODS or recovery_key(metric) in IN_SWEEPS


def recovery_key(metric: str) -> str:
    """What a metric of a method is in the table of recovered images.

    Examples
    --------
    >>> recovery_key("assay_all/mae/rls"), recovery_key("flagged/rls")
    ('assay/mae', 'flagged')
    """
    return metric.rpartition("/")[0].replace("_all/", "/")


def place(metric: str) -> tuple[str, str]:
    """Line and column of its block where a sweep's table shows a metric: probes, scores and methods have lines.

    Examples
    --------
    >>> place("probe/gbt/before/balanced_accuracy"), place("score/dci_completeness"), place("assay/auc/rls")
    (('gbt', 'source'), ('dci completeness', 'score'), ('rls', 'AUC'))
    >>> place("open_set/medusae/before/knn/auroc"), place("assay_all/auc/rls")
    (('medusae, knn', 'auroc source'), ('rls, all', 'AUC'))
    """
    kind, *names = metric.split("/")
    if kind == "probe":
        return names[0], SHORT_PHASES.get(names[1], names[1])
    if kind == "score":
        return " ".join(names).replace("_", " "), "score"
    if kind == "open_set":
        *name, phase, score, measure = names
        return f"{'/'.join(name)}, {score}".replace("_", " "), f"{measure} {SHORT_PHASES.get(phase, phase)}"
    if kind in OF_METHODS:
        return names[-1] + ALL * kind.endswith("_all"), RECOVERY[recovery_key(metric)][0]
    unit = ", %" if is_percentage(metric) else ""
    return "", " ".join(names).replace("_", " ") + unit


def with_spread(metric: str, mean: float, sd: float) -> str:
    """A metric's mean and, of several runs, its standard deviation: accuracies in percent.

    Examples
    --------
    >>> with_spread("classifier/test/balanced_accuracy", 0.5, 0.012), with_spread("score/mig", 0.25, math.nan)
    ('50.0 ± 1.2', '0.250')
    >>> with_spread("image_all/psnr/rls", 31.52, 0.27), with_spread("flagged/rls", 5.5, 0.7)
    ('31.5 ± 0.3', '5.5 ± 0.7')
    """
    scale, form = (100, "{:.1f}") if is_percentage(metric) else (1, "{:.3f}")
    if recovery_key(metric) in IN_SWEEPS:
        form = "{:.1f}" if metric.startswith("flagged/") and not math.isnan(sd) else RECOVERY[recovery_key(metric)][1]
    numbers = [mean] if math.isnan(sd) else [mean, sd]
    return " ± ".join(form.format(scale * number) for number in numbers)


def is_percentage(metric: str) -> bool:
    """Whether a metric is shown in percent."""
    return metric.endswith("accuracy")


def explanation(failed: int, metrics: Sequence[str] = ()) -> str:
    """What a sweep's table of metrics means, and what it leaves out."""
    text = "Mean ± standard deviation over n runs that differ only in the seeds named (how many of each)."
    if any(metric.startswith(("image", "assay")) for metric in metrics):
        text += " Scores of recovered images leave out those with a flag, which `flags` counts; `all` has them too."
    missing = {0: "", 1: " 1 job failed and is left out."}.get(failed, f" {failed} jobs failed and are left out.")
    return text + missing


# Of the table of recovered images: how a column is called, shown, and explained.
RECOVERY = {
    "flagged": (
        "flags",
        "{:.0f}",
        "code not typical, typicality unknown (flow=none) or other doubts, in the column flag of images.csv",
    ),
    "image/psnr": ("PSNR", "{:.1f}", "in dB"),
    "image/ssim": ("SSIM", "{:.3f}", ""),
    "image/lr_residual": ("LR diff", "{:.3f}", "from the low-resolution image, 0..1"),
    "measured": ("cells", "{:.0f}", "that were measured"),
    "assay/mae": ("error", "{:.3g}", "of the measurement from the truth"),
    "assay/correlation": ("r", "{:.2f}", "of the measurement with that of high resolution"),
    "assay/auc": ("AUC", "{:.2f}", "treated against control"),
    "assay/wells": ("wells", "{:.0f}", "of the control with fewer"),
    "assay/p_value": ("p", "{:.2g}", "of the controls' difference, permuting wells"),
    "assay/coverage": (
        "covered",
        "{:.0%}",
        "cells whose interval of several solutions holds the truth, {nominal:.0%} asked for",
    ),
}


def recovery_table(title: str, images: int, metrics: Mapping[str, float], nominal: float) -> None:
    """Print what each method recovered: fidelity of its images, their consistency, and what is measured on them.

    Columns without any value are left out, and the number of cells that were measured where all were. Where all images
    of a method are flagged, the means over all stand in parentheses.

    Parameters
    ----------
    nominal
        Share of cells that an interval of several solutions is made to cover.
    """
    found = dict.fromkeys(name.rpartition("/")[2] for name in metrics if name.rpartition("/")[0] in RECOVERY)
    methods = [*(name for name in found if name != "hr"), *(name for name in found if name == "hr")]
    cells = {(key, method): recovery_cell(key, method, metrics) for key in RECOVERY for method in methods}
    shown = [key for key in RECOVERY if any(cells[key, method] for method in methods)]
    if all(metrics.get(f"measured/{method}", images) == images for method in methods):
        shown = [key for key in shown if key != "measured"]  # every cell was: nothing to tell
    explained = {RECOVERY[key][0]: RECOVERY[key][2].format(nominal=nominal) for key in shown if RECOVERY[key][2]}
    caption = "Means over the images without a flag"
    if any(cell.startswith("(") for cell in cells.values()):
        caption += "; in parentheses over all images of a method of which each has a flag"
    if "hr" in methods:
        explained["hr"] = "the high-resolution images themselves"
    caption += ". " + "; ".join(f"{heading}: {words}" for heading, words in explained.items()) + "."
    table = Table(title=f"{title}: {images} images", title_justify="left", caption=caption, caption_justify="left")
    table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)  # ten columns in 80 characters
    table.add_column("method", overflow="fold")  # the one that gives way
    for key in shown:
        table.add_column(RECOVERY[key][0], justify="right", no_wrap=True)
    for method in methods:
        table.add_row(method, *(cells[key, method] for key in shown))
    console.print(table)


def recovery_cell(key: str, method: str, metrics: Mapping[str, float]) -> str:
    """A metric of a method as shown: over all images, in parentheses, where each of them has a flag.

    Examples
    --------
    >>> metrics = {"image/lr_residual/a": 0.01, "image_all/lr_residual/a": 0.02, "image_all/lr_residual/b": 0.03}
    >>> [recovery_cell("image/lr_residual", method, metrics) for method in "ab"]
    ['0.010', '(0.030)']
    """
    form = RECOVERY[key][1]
    if (value := metrics.get(f"{key}/{method}")) is not None:
        return form.format(value)
    kind, _, score = key.partition("/")
    over_all = metrics.get(f"{kind}_all/{score}/{method}")
    if over_all is None or f"image/lr_residual/{method}" in metrics:
        return ""
    return f"({form.format(over_all)})"
