"""Probes on the codes of every phase and on the raw input: how well they do, and what they rely on."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import torch

from micrographia.config import instantiate
from micrographia.errors import UserError
from micrographia.plots.confusion import confusion_figure
from micrographia.plots.importance import feature_order, importance_figure
from micrographia.plots.probes import probe_figure
from micrographia.plots.scatter import codes_figure
from micrographia.probes import GBT, Probe, ProbeResult, fit_probe
from micrographia.probes.evaluation import SCORES
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.training.progress import progress_bar


def check_probes(probes: What) -> None:
    """Refuse a transfer without any probe, or with something that is none.

    Raises
    ------
    UserError
        With the key.
    """
    if not probes:
        raise UserError("probes: none is left. Keep one of them: gbt, mlp or logistic.")
    for name, node in probes.items():
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise UserError(f"probes.{name}={node}: no probe. Add one as +probe@probes.{name}=gbt.")


Results = dict[tuple[str, str], ProbeResult]
"""Fitted probes by phase and name."""


def fit_probes(
    phases: Mapping[str, pd.DataFrame], known: pd.DataFrame, order: tuple[str, ...], what: What, how: How
) -> Results:
    """Fit every probe to every phase's training rows.

    Parameters
    ----------
    phases
        What the probes see of the target at each stage, a named row per item.
    known
        ``class`` and ``part`` of each item, under the same index.
    order
        Names of all classes.
    """
    results: Results = {}
    with progress_bar(how["progress"]) as bar:
        task = bar.add_task("probes", total=len(phases) * len(what["probes"]), note="")
        for phase, features in phases.items():
            # A baseline's thousands of columns have no names to tell importances by.
            importance = () if phase == "baseline" else what["interpretation"]["importance"]
            for name, probe in build_probes(what).items():
                bar.update(task, note=f"{name} on {phase}")
                results[phase, name] = fit_probe(probe, features, known["class"], known["part"], order, importance)
                bar.advance(task)
    return results


def save_probes(results: Results, phases: Mapping[str, pd.DataFrame], classes: pd.Series, run: Run) -> Metrics:
    """Keep scores, confusion matrices and importances as tables and figures.

    Returns
    -------
    dict
        ``probe/<probe>/<phase>/<score>`` on the test part, and ``chance/balanced_accuracy``.
    """
    scores = run.save_table("probes", gather(results, "scores"))
    importances = gather(results, "importance")
    if len(importances):
        run.save_table("importance", importances)
        run.save_figure("importance", importance_figure(importances))
    run.save_table("confusion", gather(results, "confusion"))
    draw_probes(results, classes, run)
    leading = leading_latents(phases, importances)
    run.save_figure("codes", codes_figure({name: (phases[name], classes, pair) for name, pair in leading.items()}))
    metrics = {
        f"probe/{row['probe']}/{row['phase']}/{score}": row[score]
        for row in scores[scores["part"] == "test"].to_dict("records")
        for score in SCORES
    }
    return metrics | {"chance/balanced_accuracy": 1 / len(next(iter(results.values())).classes)}


def build_probes(what: What) -> dict[str, Probe]:
    """Unfitted probes by name."""
    return {
        name: with_threads(instantiate(node, f"probes.{name}", seed=what["seed"]))
        for name, node in what["probes"].items()
    }


def with_threads(probe: Probe) -> Probe:
    """A probe that fits on all of torch's threads, where that cannot change its predictions."""
    return replace(probe, threads=torch.get_num_threads()) if isinstance(probe, GBT) else probe


def gather(results: Results, table: str) -> pd.DataFrame:
    """One of the results' tables, of all probes and phases below each other."""
    rows = []
    for (phase, probe), result in results.items():
        found = getattr(result, table)
        if table == "confusion":
            found = found.reset_index()
        if table == "scores":
            found = found.assign(converged=result.converged)
        if len(found):
            rows.append(found.assign(phase=phase, probe=probe))
    if not rows:
        return pd.DataFrame()
    joined = pd.concat(rows, ignore_index=True)
    first = ["phase", "probe"]
    return joined[[*first, *(column for column in joined if column not in first)]]


def draw_probes(results: Results, classes: pd.Series, run: Run) -> None:
    """Draw scores, and the confusion matrices of the last phase."""
    run.save_figure("probes", probe_figure(gather(results, "scores"), 1 / classes.nunique()))
    last = "after" if "after" in {phase for phase, _ in results} else "before"
    for (phase, probe), result in results.items():
        if phase == last:
            run.save_figure(f"confusion_{probe}", confusion_figure(result.confusion.loc[["test"]].droplevel("part")))


def leading_latents(phases: Mapping[str, pd.DataFrame], importances: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """The two latents of each phase that the probes rely on most, in all kinds of importance; else the first two."""
    found = {}
    for phase in (name for name in ("before", "after") if name in phases):
        own = importances[importances["phase"] == phase] if len(importances) else importances
        ranked = feature_order(own, phase) if len(own) else list(phases[phase].columns)
        found[phase] = ranked[0], ranked[min(1, len(ranked) - 1)]
    return found
