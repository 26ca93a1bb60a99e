"""The table of a sweep: runs that differ in seeds only stand in one row, as mean and standard deviation."""

import hashlib
import json
import math
import os
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from itertools import accumulate, takewhile
from typing import Any

import pandas as pd
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from micrographia.console import console
from micrographia.errors import UserError
from micrographia.overrides import is_hydra
from micrographia.presets import GROUP, chosen
from micrographia.pretrained import is_shipped
from micrographia.runs.grouping import GROUP_VARIABLE, TAGS_VARIABLE
from micrographia.runs.job_records import job_record
from micrographia.runs.run import Run
from micrographia.runs.seeds import flat, is_seed, seeds_varied
from micrographia.runs.writing import write_atomically
from micrographia.tasks.jobs import Job
from micrographia.training.show import sweep_table
from micrographia.verbs import MANY

MODEL = "model.name"  # of a training, and in the config of an input run
LONGEST_LABEL = 100  # characters of the swept keys in a file's name
# What a sweep is made for, among the metrics of its runs.
HEADLINES = (
    *("probe/*/balanced_accuracy", "classifier/test/balanced_accuracy", "score/*"),
    *("open_set/*/auroc", "flagged/*", "image/psnr/*", "image_all/psnr/*", "assay/*", "assay_all/*"),
)
IMPORTANCE = "tables/importance.csv"
UNNAMED = r"z\d+"  # a latent that bears no factor's name

# From the runs of a group, which differ in seeds only, further metrics, as of how far these agree with each other.
Further = Callable[[Sequence[Run]], Mapping[str, list[float]]]


def summarise(verb: str, jobs: Sequence[Job], further: Further = lambda runs: {}, common: str = "") -> None:
    """Print a sweep's table on stderr, and write it beside the runs as ``sweeps/<verb>-<swept keys>-<digest>.csv``.

    A JSON of the same name holds all jobs, those that failed among them.

    Parameters
    ----------
    further
        Metrics beside those of the runs.
    common
        What all jobs have in common that tells this sweep from others with the same overrides.
    """
    done = {job.run.folder: job for job in jobs if job.run}  # two jobs may be one run
    swept = swept_keys(jobs)
    table = spread(list(done.values()), [key for key in swept if not is_seed(key)], further)
    if table.empty:
        return
    sweep_table(f"{verb}: {len(done)} runs", table, failed=sum(job.run is None for job in jobs))
    own = [folder for folder in done if not is_shipped(folder)]
    if not own:
        return
    file = own[0].parents[1] / "sweeps" / f"{label(verb, swept, jobs, common)}.csv"
    write_atomically(file, lambda part: table.to_csv(part, index=False))
    record = json.dumps({"verb": verb, "jobs": [job_record(job) for job in jobs]}, indent=2) + "\n"
    write_atomically(file.with_suffix(".json"), lambda part: part.write_text(record, encoding="utf-8"))
    console.print(f"the table as CSV: {file}", markup=False, highlight=False, soft_wrap=True)
    importances = importance_spread(list(done.values()), [key for key in swept if not is_seed(key)])
    if len(importances):
        beside = file.with_name(f"{file.stem}-importance.csv")
        write_atomically(beside, lambda part: importances.to_csv(part, index=False))
        console.print(f"importance of latents over the runs: {beside}", markup=False, highlight=False, soft_wrap=True)


def group_settings(verb: str, overrides: Sequence[str], sweeping: bool) -> list[str]:
    """Hydra's settings that tell every job its sweep's label and its preset, whichever launcher starts it.

    Parameters
    ----------
    overrides
        Of the command.
    sweeping
        Whether several values are a job each.

    Examples
    --------
    >>> group_settings("train", ["seed=0,1"], sweeping=True)
    ['++hydra.job.env_set.MICROGRAPHIA_GROUP=train-seed-4fa3145a']
    """
    own = [override for override in overrides if not is_hydra(override)]
    told = {}
    if sweeping:
        parsed = OverridesParser.create().parse_overrides(own)
        (combinations,) = BasicSweeper.split_arguments(parsed, None)
        jobs = [Job(tuple(combination)) for combination in combinations]
        told[GROUP_VARIABLE] = label(verb, swept_keys(jobs), jobs)
    if any(name != "null" for name in chosen(own)):
        told[TAGS_VARIABLE] = f"${{hydra:runtime.choices.{GROUP}}}"
    return [f"++hydra.job.env_set.{name}={value}" for name, value in told.items() if name not in os.environ]


def refuse_many(overrides: Sequence[str]) -> None:
    """Stop before many jobs are started by mistake.

    Raises
    ------
    UserError
        With the number of jobs.

    Examples
    --------
    >>> refuse_many(["seed=range(0,10000)"])
    Traceback (most recent call last):
    micrographia.errors.UserError: 10,000 jobs, more than 200. Add --yes to start them.
    """
    own = [override for override in overrides if not is_hydra(override)]
    parsed = OverridesParser.create().parse_overrides(own)
    discrete = [override for override in parsed if override.is_sweep_override() and override.is_discrete_sweep()]
    count = math.prod(sum(1 for _ in override.sweep_string_iterator()) for override in discrete)
    if count > MANY:
        raise UserError(f"{count:,} jobs, more than {MANY}. Add --yes to start them.")


def tally(jobs: Sequence[Job]) -> str:
    """Say how many jobs were done, found finished and failed, and of each failed one why, with its log.

    Examples
    --------
    >>> from pathlib import Path
    >>> one, two = Job(("seed=0",), Run("runs/train/a")), Job(("seed=1",), Run("runs/train/b", found=True))
    >>> print(tally([one, two, Job(("seed=2",), mistake="no such file", log=Path("runs/sweeps/logs/2.log"))]))
    micrographia: 3 jobs: 1 done, 1 found finished, 1 failed
    micrographia: failed: seed=2: no such file (log: runs/sweeps/logs/2.log)
    """
    failed = [job for job in jobs if not job.run]
    found = sum(bool(job.run and job.run.found) for job in jobs)
    counts = {"done": len(jobs) - found - len(failed), "found finished": found, "failed": len(failed)}
    shown = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    lines = [f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}: {shown}"]
    swept = swept_keys(jobs)
    for job in failed:
        choices = " ".join(f"{key}={job.choices[key]}" for key in swept if key in job.choices)
        why = f": {' '.join(job.mistake.split())}" if job.mistake else ""
        place = f" (log: {job.log})" if job.log else ""
        lines.append(f"failed: {choices or ' '.join(job.overrides)}{why}{place}")
    return "\n".join(f"micrographia: {line}" for line in lines)


def swept_keys(jobs: Sequence[Job]) -> list[str]:
    """Keys whose override is not the same in all jobs."""
    keys = dict.fromkeys(key for job in jobs for key in job.choices)
    return [key for key in keys if len({job.choices.get(key) for job in jobs}) > 1]


def distinguishing_keys(configs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """For each of several configurations, ``key=value`` of what tells it from others, or from others of its model.

    A key that only some configurations of a model have tells them from the rest.

    Examples
    --------
    >>> one, two = {"model": {"name": "a", "beta": 1}}, {"model": {"name": "a", "beta": 4}}
    >>> distinguishing_keys([one, two, {"model": {"name": "b", "gamma": 2}}])
    [['model.name=a', 'model.beta=1'], ['model.name=a', 'model.beta=4'], ['model.name=b']]
    """
    tables = [settings_of(config) for config in configs]

    def tells(key: str, table: Mapping[str, str]) -> bool:
        everywhere = all(key in other for other in tables)
        others = tables if everywhere else [other for other in tables if models_of(other) == models_of(table)]
        return len({other.get(key) for other in others}) > 1

    return [[f"{key}={value}" for key, value in table.items() if tells(key, table)] for table in tables]


def models_of(table: Mapping[str, str]) -> list[str]:
    """Names of the models of a run and of its inputs."""
    return [value for key, value in table.items() if key == MODEL or key.endswith(f".{MODEL}")]


def settings_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What a configuration says in words: neither paths of classes, nor the labels of the run and of its inputs."""
    values = {"task": "", **dict(flat(config))}
    labels = {f"{key.removesuffix('task')}name" for key in values if key.rpartition(".")[2] == "task"}
    return {key: str(value) for key, value in values.items() if not key.endswith("_target_") and key not in labels}


def label(verb: str, swept: Sequence[str], jobs: Sequence[Job], common: str = "") -> str:
    """Name of a sweep: the same for the same command, whichever of its jobs fail."""
    content = "\n".join([*sorted(" ".join(job.overrides) for job in jobs), *([common] if common else [])])
    words = [re.sub(r"[^\w.]+", ".", word) for word in (verb, *swept)]
    named = accumulate(words, lambda longer, word: f"{longer}-{word}")
    # File systems take 255 characters.
    shown = list(takewhile(lambda name: len(name) <= LONGEST_LABEL, named))[-1]
    return f"{shown}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def spread(jobs: Sequence[Job], swept: Sequence[str], further: Further = lambda runs: {}) -> pd.DataFrame:
    """Mean and sample standard deviation of the headline metrics over the jobs that differ in seeds only.

    Parameters
    ----------
    jobs
        Finished jobs, each of another run.
    swept
        Overridden keys, seeds apart, that tell the groups from each other.
    further
        Metrics beside those of the runs.

    Returns
    -------
    DataFrame
        A row per group and metric, in the metric's own units: the swept keys, ``runs`` (how many have it), ``seeds
        varied``, ``metric``, ``mean``, ``sd`` (n - 1; NaN for one run), ``folders``.
    """
    rows = []
    for group in groups(jobs):
        choices = {key: group[0].choices.get(key, "") for key in swept}
        seeds_of_group = seeds_varied([job.what or {} for job in group])
        folders = " ".join(f"{run.folder.parent.name}/{run.folder.name}" for run in runs_of(group))
        for metric, values in {**headlines(runs_of(group)), **further(runs_of(group))}.items():
            sd = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
            measured = {"metric": metric, "mean": statistics.fmean(values), "sd": sd}
            known = {"runs": len(values), "seeds varied": seeds_of_group}
            rows.append({**choices, **known, **measured, "folders": folders})
    return pd.DataFrame(rows)


def importance_spread(jobs: Sequence[Job], swept: Sequence[str]) -> pd.DataFrame:
    """Mean and sample standard deviation of each latent's importance over the jobs that differ in seeds only.

    Parameters
    ----------
    jobs, swept
        As in `spread`.

    Returns
    -------
    DataFrame
        A row per group, phase, probe, kind and latent: the swept keys, ``runs`` (how many have it), ``seeds varied``,
        ``mean`` and ``sd`` (n - 1; NaN for one run); empty where no run has importances. Where the source's seed
        varies, a latent without a name is another one in each run, and is left out.
    """
    rows = []
    for group in groups(jobs):
        tables = [run.table("importance") for run in runs_of(group) if (run.folder / IMPORTANCE).exists()]
        if not tables:
            continue
        varied = seeds_varied([job.what or {} for job in group])
        joined = pd.concat(tables)
        if "source" in varied:
            joined = joined[~joined["feature"].str.fullmatch(UNNAMED)]
        keys = ["phase", "probe", "kind", "feature"]
        found = joined.groupby(keys, sort=False)["importance"].agg(runs="count", mean="mean", sd="std").reset_index()
        found = found.rename(columns={"feature": "latent"}).assign(**{"seeds varied": varied})
        choices = {key: group[0].choices.get(key, "") for key in swept}
        rows.append(found.assign(**choices)[[*choices, *found.columns]])
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs whose configurations differ in seeds only, together."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        settings = {key: value for key, value in flat(job.what or {}) if not is_seed(key)}
        found.setdefault(repr(sorted(settings.items())), []).append(job)
    return list(found.values())


def runs_of(group: Sequence[Job]) -> list[Run]:
    """The runs of a group's jobs."""
    return [job.run for job in group if job.run]


def headlines(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Values of each headline metric, of the runs that have it: one all of whose rows are flagged may not."""
    metrics = [run.metrics for run in runs]
    names = dict.fromkeys(name for found in metrics for name in found)
    headed = [name for name in names if any(fnmatch(name, pattern) for pattern in HEADLINES)]
    return {name: [found[name] for found in metrics if name in found] for name in headed}
