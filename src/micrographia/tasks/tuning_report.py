"""What a tuning has found: its trials as a table, which keys mattered, and the best command."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from micrographia.console import console
from micrographia.runs.writing import write_atomically
from micrographia.tasks.trials import Trials, counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SHOWN = 10  # best trials in the table
FEWEST = 4  # finished trials from which importances are computed
ENDS = {"COMPLETE": "done", "PRUNED": "stopped", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


def conclude(verb: str, plain: Sequence[str], settings: Mapping[str, Any], trials: Trials) -> int:
    """Print the best trials on stderr and the best run's folder on stdout; return the exit status.

    Parameters
    ----------
    plain
        Overrides that all trials have in common.
    settings
        ``how.sweep``.
    """
    found = trials.all()
    table = trials_table(found, trials, settings["metric"])
    file = trials.file.with_suffix(".csv")
    write_atomically(file, lambda part: table.to_csv(part, index=False))
    best = ranked(found, settings["direction"])
    title = f"{verb}: {settings['metric']}, {settings['direction']}d over {counted(found).done} trials"
    console.print(best_trials(title, best, trials, found))
    for line in importances(trials, found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"all trials as CSV: {file}", markup=False, highlight=False, soft_wrap=True)
    if not best:
        console.print("no trial is done: their mistakes stand in the CSV", markup=False, highlight=False)
        return 2
    chosen = [trials.space[key].override(value) for key, value in best[0].params.items()]
    command = shlex.join(["micrographia", verb, *plain, *chosen])
    console.print(
        f"The best, which looks better than it is, being the best of several. To see it with other seeds:\n"
        f"  {command} -m seed=1,2,3\nThe best by itself:\n  {command}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    print(best[0].user_attrs["run"], flush=True)
    return 0


def ranked(found: "Sequence[FrozenTrial]", direction: str) -> "list[FrozenTrial]":
    """Trials that are done, the best first; of equals the first."""
    done = [trial for trial in found if trial.state.name == "COMPLETE"]
    sign = -1 if direction == "maximize" else 1
    return sorted(done, key=lambda trial: (sign * value_of(trial), trial.number))


def value_of(trial: "FrozenTrial") -> float:
    """The metric of a trial that is done."""
    assert trial.value is not None
    return trial.value


def trials_table(found: "Sequence[FrozenTrial]", trials: Trials, metric: str) -> pd.DataFrame:
    """Every trial, the failed ones too.

    Returns
    -------
    DataFrame
        By number: ``trial``, ``end``, the metric (empty unless done), the tuned keys, ``default``, ``validations``
        whose value was reported, ``seconds`` (of the last process), ``run``, ``mistake``.
    """
    rows = []
    for trial in found:
        duration = trial.duration.total_seconds() if trial.duration else None
        rows.append(
            {
                "trial": trial.number + 1,
                "end": ENDS[trial.state.name],
                metric: trial.value if trial.state.name == "COMPLETE" else None,
                **{key: trial.params.get(key) for key in trials.space},
                "default": trial.user_attrs.get("default", False),
                "validations": len(trial.intermediate_values),
                "seconds": duration,
                "run": trial.user_attrs.get("run", ""),
                "mistake": trial.user_attrs.get("mistake", ""),
            }
        )
    return pd.DataFrame(rows)


def best_trials(title: str, best: "Sequence[FrozenTrial]", trials: Trials, found: "Sequence[FrozenTrial]") -> Table:
    """The best trials, and that of the defaults wherever it stands."""
    counts = counted(found)
    others = {"stopped early": counts.stopped, "failed": counts.failed, "running in other processes": counts.running}
    caption = "; ".join(f"{count} {words}" for words, count in others.items() if count)
    table = Table(title=escape(title), title_justify="left", caption=caption or None, caption_justify="left")
    for heading in ("rank", "trial", "value"):
        table.add_column(heading, justify="right")
    for key in trials.space:
        table.add_column(escape(key), justify="right", overflow="fold")
    table.add_column("")
    for rank, trial in enumerate(best, 1):
        default = trial.user_attrs.get("default", False)
        if rank <= SHOWN or default:
            values = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in trial.params.values()]
            cells = [str(rank), str(trial.number + 1), f"{value_of(trial):.4g}", *map(escape, values)]
            table.add_row(*cells, "default" if default else "")
    return table


def importances(trials: Trials, found: "Sequence[FrozenTrial]") -> list[str]:
    """How much each tuned key mattered to the metric, where enough trials tell; shares of 1."""
    import optuna

    values = [value_of(trial) for trial in found if trial.state.name == "COMPLETE"]
    if len(trials.space) < 2 or len(values) < FEWEST or len(set(values)) < 2:
        return []
    try:
        shares = optuna.importance.get_param_importances(trials.study)
    except (RuntimeError, ValueError):  # values too alike to tell
        return []
    return ["what mattered: " + ", ".join(f"{key} {share:.0%}" for key, share in shares.items())]
